/*
 * Semaphores between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

#include "base/sanitizer.h"
#include "os/process.h"

static salp_semaphore *semaphore;

static void open_semaphore(unsigned value, unsigned most)
{
    assert_int_equal(
        salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true, .value = value, .most = most }), 0);
}

static int fd_of_it(void)
{
    return salp_semaphore_fd(semaphore);
}

/* Takes all that are there. */
static int count_units(void)
{
    int count = 0;
    while (salp_semaphore_try_acquire(semaphore) == 0)
        count++;
    return count;
}

/* ---- one process ---- */

static int use_it(void *arg)
{
    (void)arg;
    EXPECT(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true, .value = 4, .most = 3 }) ==
           -EINVAL);
    EXPECT(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true, .value = 2, .most = 3 }) == 0);
    EXPECT(salp_semaphore_acquire(semaphore) == 0);
    EXPECT(salp_semaphore_try_acquire(semaphore) == 0);
    EXPECT(salp_semaphore_try_acquire(semaphore) == -EAGAIN);
    EXPECT(salp_semaphore_release(semaphore, 4) == -EOVERFLOW);
    EXPECT(salp_semaphore_release(semaphore, 3) == 0);
    EXPECT(salp_semaphore_release(semaphore, 1) == -EOVERFLOW);
    EXPECT(salp_semaphore_release(semaphore, UINT_MAX) == -EOVERFLOW);
    EXPECT(salp_semaphore_release(semaphore, 0) == 0);
    salp_semaphore_close(semaphore);
    EXPECT(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true }) == 0);
    EXPECT(salp_semaphore_release(semaphore, UINT_MAX) == 0);
    EXPECT(salp_semaphore_release(semaphore, 1) == -EOVERFLOW);
    salp_semaphore_close(semaphore);
    return 0;
}

static void it_works_within_a_process(void **state)
{
    (void)state;
    in_both(use_it);
}

static int give_up(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_scope_open(&scope, SALP_MILLISECONDS(2));
    EXPECT(salp_semaphore_acquire(semaphore) == -ETIMEDOUT);
    EXPECT(salp_semaphore_acquire(semaphore) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_semaphore_release(semaphore, 1) == 0);
    EXPECT(salp_semaphore_acquire(semaphore) == 0); /* nothing was lost to the one who gave up */
    EXPECT(salp_semaphore_try_acquire(semaphore) == -EAGAIN);
    return 0;
}

static void a_scope_ends_a_wait_and_nothing_is_taken(void **state)
{
    (void)state;
    open_semaphore(0, 0);
    in_both(give_up);
    salp_semaphore_close(semaphore);
}

/* ---- memory that cannot be right ---- */

static int attach_it(void)
{
    salp_semaphore *other;
    int error = salp_semaphore_attach(&other, fd_of_it());
    salp_semaphore_close(other);
    return error;
}

/* By a descriptor through which nothing can be written. */
static int attach_to_read(void)
{
    char path[64];
    salp_semaphore *other;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd_of_it());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    int error = salp_semaphore_attach(&other, fd);
    salp_semaphore_close(other);
    close(fd);
    return error;
}

/* What the first words of an object say, in memory of another size. */
static int attach_in(size_t size)
{
    int fd = memfd_create("shorter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    salp_semaphore *other;
    salp__segment *whole = look_into(fd_of_it());
    EXPECT(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
    uint64_t was = whole->size;
    whole->size = size;
    EXPECT(pwrite(fd, whole, offsetof(salp__segment, latch), 0) == (ssize_t)offsetof(salp__segment, latch));
    whole->size = was;
    look_away(whole);
    int error = salp_semaphore_attach(&other, fd);
    salp_semaphore_close(other);
    close(fd);
    return error;
}

static void memory_that_cannot_be_right_is_refused(void **state)
{
    (void)state;
    open_semaphore(1, 0);
    salp__segment *segment = look_into(fd_of_it());
    atomic_uint_least64_t *const numbers[] = { &segment->slots_used, &segment->nodes_used, &segment->nodes_free,
                                               &segment->journal.count };
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        uint64_t was = atomic_exchange(numbers[i], UINT64_MAX / 2);
        assert_int_equal(attach_it(), -EINVAL);
        atomic_store(numbers[i], SALP__NODES + 1);
        assert_int_equal(attach_it(), -EINVAL);
        atomic_store(numbers[i], was);
        assert_int_equal(attach_it(), 0);
    }
    uint64_t size = segment->size;
    look_away(segment);
    assert_int_equal(attach_in(4096), -EINVAL);
    assert_int_equal(attach_in(sizeof *segment), -EINVAL);
    assert_int_equal(attach_in(sizeof *segment + 4096), -EINVAL);
    assert_int_equal(attach_in(size), 0);
    assert_int_equal(attach_to_read(), -EINVAL);
    salp_semaphore_close(semaphore);
}

/* ---- between processes ---- */

static int acquire_one(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    atomic_fetch_add(&board->count[0], 1);
    return 0;
}

enum { TASKS = 40 };

static int acquire_in_tasks(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < TASKS; i++)
        OR_FAIL(salp_go(&group, acquire_one, NULL) == 0);
    OR_FAIL(salp_group_close(&group) == 0);
    salp_semaphore_close(semaphore);
    return 0;
}

static int acquire_and_close(void *arg)
{
    int result = acquire_one(arg);
    salp_semaphore_close(semaphore);
    return result;
}

static void units_go_to_other_processes(void **state)
{
    pid_t pids[3];
    (void)state;
    board_open();
    open_semaphore(0, 0);
    for (int i = 0; i < 2; i++)
        pids[i] = start_process(false, acquire_and_close, NULL);
    pids[2] = start_process(true, acquire_in_tasks, NULL);
    assert_true(come_to_wait(fd_of_it(), TASKS + 2));
    /* More at a time than are woken in one go. */
    assert_int_equal(salp_semaphore_release(semaphore, TASKS + 3), 0);
    for (int i = 0; i < 3; i++)
        ends_well(pids[i]);
    assert_int_equal(atomic_load(&board->count[0]), TASKS + 2);
    assert_int_equal(count_units(), 1);
    salp_semaphore_close(semaphore);
}

enum { PROCESSES = 3, UNITS = 2 };

static int take_turns(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < test_scale(400); i++) {
        salp_scope scope;
        salp_scope_open(&scope, rand_r(&random) % 4 ? SALP_FOREVER : SALP_MICROSECONDS(rand_r(&random) % 100));
        int result = salp_semaphore_acquire(semaphore);
        if (result == 0) {
            OR_FAIL(atomic_fetch_add(&board->count[1], 1) < UNITS);
            salp_yield();
            atomic_fetch_sub(&board->count[1], 1);
            OR_FAIL(salp_semaphore_release(semaphore, 1) == 0);
        } else {
            OR_FAIL(result == -ETIMEDOUT);
        }
        salp_scope_close(&scope);
    }
    return 0;
}

static int take_turns_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (uintptr_t i = 0; i < 4; i++)
        OR_FAIL(salp_go(&group, take_turns, (char *)arg + i) == 0);
    return salp_group_close(&group);
}

static void no_more_have_a_unit_than_there_are(void **state)
{
    pid_t pids[2 * PROCESSES];
    (void)state;
    board_open();
    open_semaphore(UNITS, UNITS);
    for (int i = 0; i < 2 * PROCESSES; i++)
        pids[i] = start_process(i % 2, i % 2 ? take_turns_in_tasks : take_turns, (void *)(uintptr_t)(1000 * i));
    for (int i = 0; i < 2 * PROCESSES; i++)
        ends_well(pids[i]);
    assert_int_equal(count_units(), UNITS);
    salp_semaphore_close(semaphore);
}

/* ---- deaths ---- */

static int take_two_and_stay(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    OR_FAIL(salp_semaphore_release(semaphore, 1) == 0);
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    atomic_store(&board->ready, 1);
    for (;;)
        pause();
}

static pid_t start_holder(void)
{
    atomic_store(&board->ready, 0);
    pid_t pid = start_process(false, take_two_and_stay, NULL);
    EXPECT(reaches(&board->ready, 1));
    return pid;
}

static void what_a_dead_process_has_taken_comes_back(void **state)
{
    pid_t pids[2];
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_semaphore(2, 0);
        pid_t holder = start_holder();
        assert_int_equal(salp_semaphore_try_acquire(semaphore), -EAGAIN);
        for (int i = 0; i < 2; i++)
            pids[i] = start_process(in_loop, acquire_and_close, NULL);
        assert_true(come_to_wait(fd_of_it(), 2));
        kill_process(holder);
        for (int i = 0; i < 2; i++)
            ends_well(pids[i]);
        assert_int_equal(count_units(), 0); /* those two had them for good */
        salp_semaphore_close(semaphore);
    }
}

static void others_may_have_released_for_the_dead(void **state)
{
    (void)state;
    board_open();
    open_semaphore(2, 2);
    pid_t holder = start_holder();
    assert_int_equal(salp_semaphore_release(semaphore, 1), 0);
    kill_process(holder);
    assert_int_equal(salp_semaphore_acquire(semaphore), 0);
    assert_int_equal(salp_semaphore_acquire(semaphore), 0);
    assert_int_equal(count_units(), 0);
    salp_semaphore_close(semaphore);
}

static void a_try_finds_the_dead_as_well(void **state)
{
    (void)state;
    board_open();
    open_semaphore(2, 2);
    kill_process(start_holder());
    assert_int_equal(count_units(), 2);
    salp_semaphore_close(semaphore);
}

/* The one who dies comes when the other one has long been asleep. */
static int come_late(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_release(semaphore, 1) == 0);
    OR_FAIL(reaches(&board->count[0], 1));
    OR_FAIL(salp_semaphore_release(semaphore, 1) == 0);
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    atomic_store(&board->ready, 1);
    for (;;)
        pause();
}

static int wait_for_two(void *arg)
{
    OR_FAIL(acquire_one(arg) == 0);
    OR_FAIL(reaches(&board->ready, 1));
    return acquire_and_close(arg);
}

static void the_death_of_a_newcomer_is_noticed(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        atomic_store(&board->ready, 0);
        atomic_store(&board->count[0], 0);
        open_semaphore(0, 0);
        pid_t waiter = start_process(in_loop, wait_for_two, NULL);
        assert_true(come_to_wait(fd_of_it(), 1));
        pid_t newcomer = start_process(false, come_late, NULL);
        assert_true(reaches(&board->ready, 1));
        assert_true(come_to_wait(fd_of_it(), 1));
        kill_process(newcomer);
        ends_well(waiter);
        salp_semaphore_close(semaphore);
    }
}

/* ---- coming and going ---- */

static int come_and_go(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    return 0; /* and end, with the unit */
}

static void slots_of_the_dead_are_used_again(void **state)
{
    enum { MANY = SALP__PARTICIPANTS + 10 };
    (void)state;
#ifdef __SANITIZE_THREAD__
    test_skip("a thousand forks take minutes with ThreadSanitizer");
#endif
    open_semaphore(1, 0);
    for (int i = 0; i < MANY; i++)
        ends_well(start_process(false, come_and_go, NULL));
    assert_int_equal(salp_semaphore_acquire(semaphore), 0);
    salp_semaphore_close(semaphore);
}

static int do_nothing(void *arg)
{
    (void)arg;
    salp_semaphore_close(semaphore);
    return 0;
}

static void a_fork_that_does_not_use_it_has_no_part_in_it(void **state)
{
    (void)state;
    open_semaphore(0, 0);
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    assert_int_equal(salp_semaphore_acquire(semaphore), -ETIMEDOUT); /* now there is a thread that watches */
    assert_int_equal(salp_scope_close(&scope), -ETIMEDOUT);
    salp__segment *segment = look_into(fd_of_it());
    ends_well(start_process(false, do_nothing, NULL));
    assert_int_equal(participants_of(segment), 1);
    look_away(segment);
    assert_int_equal(salp_semaphore_release(semaphore, 1), 0);
    assert_int_equal(salp_semaphore_acquire(semaphore), 0);
    salp_semaphore_close(semaphore);
}

/* ---- one that is stopped ---- */

/* One that does nothing, and its identity. */
static pid_t start_idle(uint64_t *identity)
{
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    EXPECT(salp__process_mark(pid, identity) == 0);
    return pid;
}

static int acquire_and_note(void *arg)
{
    EXPECT(salp_semaphore_acquire(semaphore) == 0);
    *(bool *)arg = true;
    return 0;
}

static int wait_for_latch(void *arg)
{
    salp__segment *segment = arg;
    bool acquired = false;
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, acquire_and_note, &acquired) == 0);
    for (int i = 0; i < 200; i++) {
        EXPECT(salp_yield() == 0);
        EXPECT(!acquired);
    }
    atomic_store(&segment->latch, 0); /* it goes on, and lets go of it */
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(acquired);
    return 0;
}

static void a_process_that_is_stopped_does_not_hold_up_the_loops_of_others(void **state)
{
    int status;
    uint64_t identity;
    (void)state;
    open_semaphore(1, 0);
    pid_t pid = start_idle(&identity);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_true(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    salp__segment *segment = look_into(fd_of_it());
    atomic_store(&segment->latch, identity); /* as if it had been stopped just then */
    assert_int_equal(salp_run(wait_for_latch, segment), 0);
    look_away(segment);
    kill_process(pid);
    salp_semaphore_close(semaphore);
}

/* ---- too many ---- */

static int use_in_fork(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_acquire(semaphore) == -EUSERS);
    OR_FAIL(salp_semaphore_try_acquire(semaphore) == -EUSERS);
    OR_FAIL(salp_semaphore_release(semaphore, 1) == -EUSERS);
    salp_semaphore_close(semaphore);
    return 0;
}

static void the_table_of_participants_may_be_full(void **state)
{
    uint64_t identity;
    (void)state;
    open_semaphore(1, 0);
    pid_t pid = start_idle(&identity);
    salp__segment *segment = look_into(fd_of_it());
    for (int i = 1; i < SALP__PARTICIPANTS; i++)
        segment->participants[i].identity = identity;
    segment->slots_used = SALP__PARTICIPANTS;
    assert_int_equal(attach_it(), -EUSERS);
    ends_well(start_process(false, use_in_fork, NULL));
    assert_int_equal(salp_semaphore_acquire(semaphore), 0);
    kill_process(pid);
    assert_int_equal(attach_it(), 0);
    assert_int_equal(participants_of(segment), 1);
    look_away(segment);
    salp_semaphore_close(semaphore);
}

/* ---- idle ---- */

/* How often the threads of a process have been given a processor, so far. */
static long count_turns(pid_t pid)
{
    char path[300], line[200];
    long turns = 0, count;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    EXPECT(threads);
    for (struct dirent *entry; (entry = readdir(threads));) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, entry->d_name);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file)) {
            const char *number = strstr(line, "ctxt_switches:");
            if (number && sscanf(number, "ctxt_switches: %ld", &count) == 1)
                turns += count;
        }
        if (file)
            fclose(file);
    }
    closedir(threads);
    return turns;
}

static int wait_in_both(void *arg)
{
    struct thread_call call;
    (void)arg;
    start_thread(&call, false, acquire_one, NULL);
    OR_FAIL(salp_run(acquire_one, NULL) == 0);
    join_threads(&call, 1);
    return 0;
}

static void who_waits_sleeps(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer has a thread of its own that wakes up");
#endif
    board_open();
    open_semaphore(0, 0);
    pid_t pid = start_process(false, wait_in_both, NULL);
    assert_true(come_to_wait(fd_of_it(), 2));
    /* First they have to fall asleep, which may take its time. Then nothing happens any more. */
    int64_t end = clock_now() + patience();
    bool slept = false;
    while (!slept && clock_now() < end) {
        long turns = count_turns(pid);
        doze(SALP_MILLISECONDS(400));
        slept = count_turns(pid) == turns;
    }
    assert_true(slept);
    assert_int_equal(salp_semaphore_release(semaphore, 2), 0);
    ends_well(pid);
    salp_semaphore_close(semaphore);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it works within a process", it_works_within_a_process),
        TEST("a scope ends a wait, and nothing is taken", a_scope_ends_a_wait_and_nothing_is_taken),
        TEST("memory that cannot be right is refused", memory_that_cannot_be_right_is_refused),
        TEST("units go to other processes", units_go_to_other_processes),
        TEST_LIMIT("no more have a unit than there are", no_more_have_a_unit_than_there_are, 60),
        TEST("what a dead process has taken comes back", what_a_dead_process_has_taken_comes_back),
        TEST("others may have released for the dead", others_may_have_released_for_the_dead),
        TEST("a try finds the dead as well", a_try_finds_the_dead_as_well),
        TEST("the death of a newcomer is noticed", the_death_of_a_newcomer_is_noticed),
        TEST_LIMIT("slots of the dead are used again", slots_of_the_dead_are_used_again, 120),
        TEST("a fork that does not use it has no part in it", a_fork_that_does_not_use_it_has_no_part_in_it),
        TEST("a process that is stopped does not hold up the loops of others",
             a_process_that_is_stopped_does_not_hold_up_the_loops_of_others),
        TEST("the table of participants may be full", the_table_of_participants_may_be_full),
        TEST("who waits sleeps", who_waits_sleeps),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
