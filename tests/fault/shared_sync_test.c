/*
 * Shared mutexes and semaphores, while calls of the system and allocations fail one by one; and where others have left
 * numbers of processes that mean somebody else by now.
 *
 * SPDX-License-Identifier: MIT
 */
#include "victims.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include "shared/participants.h"
#include "sync/shared_mutex.h"

static salp_mutex *mutex;

/* Whether the error is one that a call ends with when there is too little of something. */
static bool is_shortage(int error)
{
    return error == -ENOMEM || error == -ENOSPC || error == -EMFILE || error == -ENFILE || error == -EAGAIN;
}

/* Runs it until no call is left to fail; it returns 0, or an error when one did. */
static void sweep(int (*function)(void))
{
    int descriptors = test_count_descriptors(), result;
    long number = 0;
    bool fired;
    do {
        salp__fault_arm(SALP__PROGRAM, ++number);
        result = function();
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        if (!(result == 0 || (fired && is_shortage(result))))
            fail_msg("when call %ld failed: %s", number, salp_strerror(result));
        assert_int_equal(test_count_descriptors(), descriptors);
    } while (fired);
    assert_int_equal(result, 0);
    assert_true(number > 8);
    print_message("%ld calls\n", number - 1);
}

/* ---- opening ---- */

static int open_and_attach(void)
{
    salp_mutex *other = NULL;
    salp_semaphore *semaphore = NULL, *same = NULL;
    mutex = NULL;
    int error = salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true });
    if (error == 0)
        error = salp_mutex_attach(&other, salp_mutex_fd(mutex));
    if (error == 0)
        error = salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true });
    if (error == 0)
        error = salp_semaphore_attach(&same, salp_semaphore_fd(semaphore));
    assert_true(error == 0 || !same);
    salp_mutex_close(mutex);
    salp_mutex_close(other);
    salp_semaphore_close(semaphore);
    salp_semaphore_close(same);
    return error;
}

static void each_open_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(open_and_attach);
}

/* ---- waiting ---- */

static int lock_it(void *arg)
{
    (void)arg;
    return salp_mutex_lock(mutex);
}

static int hold_it(void *arg)
{
    (void)arg;
    salp__fault_enter(SALP__WORKER);
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    atomic_store(&board->ready, 1);
    OR_FAIL(reaches(&board->go, 1));
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static struct lock_test {
    bool in_loop;
    bool dies; /* the one who holds it */
} lock_test;

/* Whichever call fails, nobody is left in the line, and the mutex can be had. */
static int wait_for_it(void)
{
    int wanted = lock_test.dies ? -EOWNERDEAD : 0;
    memset(board, 0, sizeof *board);
    int error = salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true });
    if (error < 0)
        return error;
    pid_t holder = start_process(false, hold_it, NULL);
    assert_true(reaches(&board->ready, 1));
    if (lock_test.dies) {
        kill_process(holder);
    } else {
        salp_scope scope;
        salp_scope_open(&scope, SALP_MILLISECONDS(1));
        error = lock_test.in_loop ? salp_run(lock_it, NULL) : lock_it(NULL);
        assert_true(error == -ETIMEDOUT || is_shortage(error));
        if (salp_scope_close(&scope) == -ETIMEDOUT)
            error = 0;
        assert_true(come_to_wait(salp_mutex_fd(mutex), 0));
        atomic_store(&board->go, 1);
    }
    int result = lock_test.in_loop ? salp_run(lock_it, NULL) : lock_it(NULL);
    if (result != wanted) {
        assert_true(is_shortage(result));
        error = result;
        result = lock_it(NULL); /* only one call fails */
    }
    assert_int_equal(result, wanted);
    /* A task's mutex is not another one's to unlock. */
    assert_true(salp_mutex_unlock(mutex) == 0 || lock_test.in_loop);
    if (!lock_test.dies)
        ends_well(holder);
    assert_true(come_to_wait(salp_mutex_fd(mutex), 0));
    salp_mutex_close(mutex);
    return error;
}

static void each_wait_succeeds_or_says_why_not(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        lock_test = (struct lock_test){ .in_loop = in_loop };
        sweep(wait_for_it);
    }
}

static void a_death_is_noticed_or_it_is_said_why_not(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        lock_test = (struct lock_test){ .in_loop = in_loop, .dies = true };
        sweep(wait_for_it);
    }
}

enum { ROUNDS = 20000 };

static salp_semaphore *semaphore;
static atomic_int rounds, released;

/* Whenever somebody is in the line. */
static void *release_to_who_waits(void *arg)
{
    const salp__segment *segment = arg;
    while (atomic_load(&rounds) < ROUNDS) {
        if (segment->nodes[0].state != SALP__NODE_WAITS)
            continue;
        EXPECT(salp_semaphore_release(semaphore, 1) == 0);
        atomic_fetch_add(&released, 1);
    }
    return NULL;
}

/* No descriptor is left, so that no death could be noticed. */
static int acquire_without_descriptors(void *arg)
{
    struct rlimit limit;
    int *acquired = arg;
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t usual = limit.rlim_cur;
    limit.rlim_cur = 0;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (atomic_fetch_add(&rounds, 1) < ROUNDS) {
        int result = salp_semaphore_acquire(semaphore);
        EXPECT(result == 0 || result == -EMFILE);
        *acquired += result == 0;
        EXPECT(salp_yield() == 0);
    }
    limit.rlim_cur = usual;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return 0;
}

/* It is granted a unit while it is about to give up: it goes on with it, and once. */
static void a_task_that_gives_up_may_be_granted_a_unit(void **state)
{
    pthread_t thread;
    int acquired = 0;
    (void)state;
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true }), 0);
    salp__segment *segment = look_into(salp_semaphore_fd(semaphore));
    assert_int_equal(pthread_create(&thread, NULL, release_to_who_waits, segment), 0);
    assert_int_equal(salp_run(acquire_without_descriptors, &acquired), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    while (salp_semaphore_try_acquire(semaphore) == 0)
        acquired++;
    assert_int_equal(acquired, atomic_load(&released));
    look_away(segment);
    salp_semaphore_close(semaphore);
}

/* ---- a porter that cannot be started ---- */

static salp__shared_mutex *plain;
static long failing;      /* which call */
static atomic_bool armed; /* the memory of others is no way in which threads hear of each other */

static int take_it_back(void *arg)
{
    (void)arg;
    salp__fault_arm(SALP__PROGRAM, failing);
    atomic_store(&armed, true);
    EXPECT(salp__shared_mutex_take_back(plain, 1) == 0);
    EXPECT(salp__shared_mutex_unlock(plain) == 0);
    return 0;
}

static int take_it_back_in_a_task(void *arg)
{
    struct thread_call call;
    salp__segment *segment = look_into(salp__shared_mutex_fd(plain));
    (void)arg;
    EXPECT(salp__shared_mutex_lock(plain) == 0);
    start_thread(&call, true, take_it_back, NULL);
    int64_t end = clock_now() + patience();
    while (!atomic_load(&armed) || segment->nodes_used == 0 || segment->nodes[0].state != SALP__NODE_WAITS)
        EXPECT(clock_now() < end);
    EXPECT(salp__shared_mutex_unlock(plain) == 0); /* to one who has no porter yet */
    join_threads(&call, 1);
    look_away(segment);
    return 0;
}

static void a_task_that_must_wait_does_so_without_a_porter(void **state)
{
    (void)state;
    bool fired;
    do {
        failing++;
        atomic_store(&armed, false);
        EXPECT(salp__shared_mutex_open(&plain, false) == 0);
        EXPECT(take_it_back_in_a_task(NULL) == 0);
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        salp__shared_mutex_close(plain);
    } while (fired);
    assert_true(failing > 3);
}

/* ---- no node that is free ---- */

enum { WANTED_BIT = 31 }; /* of a mutex's word: somebody has looked for a place in the line, or has one */

static int take_it_back_once(void *arg)
{
    (void)arg;
    EXPECT(salp__shared_mutex_take_back(plain, 3) == 0);
    EXPECT(salp__shared_mutex_is_mine(plain));
    for (int depth = 3; depth > 0; depth--)
        EXPECT(salp__shared_mutex_unlock(plain) == 0);
    EXPECT(salp__shared_mutex_unlock(plain) == -EPERM);
    return 0;
}

/* As one who waited for a condition, with a mutex that all have come to. */
static void who_must_wait_does_so_without_a_node(void **state)
{
    (void)state;
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct thread_call call;
        assert_int_equal(salp__shared_mutex_open(&plain, true), 0);
        salp__segment *segment = look_into(salp__shared_mutex_fd(plain));
        assert_int_equal(salp__shared_mutex_lock(plain), 0);
        segment->nodes_used = SALP__NODES;
        start_thread(&call, in_loop, take_it_back_once, NULL);
        int64_t end = clock_now() + patience();
        while (!(*(salp__word *)segment->body >> WANTED_BIT & 1))
            assert_true(clock_now() < end);
        assert_int_equal(salp__shared_mutex_unlock(plain), 0);
        join_threads(&call, 1);
        segment->nodes_used = 0;
        look_away(segment);
        salp__shared_mutex_close(plain);
    }
}

/* ---- numbers that others have now ---- */

static atomic_int helper;

static void *stay(void *arg)
{
    atomic_store(&helper, (int)syscall(SYS_gettid));
    EXPECT(reaches(arg, 1));
    return NULL;
}

static int other_process; /* whose number the dead one is to have had */

/* A mutex whose owner has died, so that his number has gone to somebody else. */
static int lock_after_one_whose_number_was_taken(void)
{
    uint64_t mark;
    memset(board, 0, sizeof *board);
    int error = salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true });
    if (error < 0)
        return error;
    error = salp__process_mark(getpid(), &mark);
    uint64_t dead = (mark & ~UINT64_C(0xffffffff)) - (UINT64_C(1) << 32) + (uint64_t)other_process;
    salp__segment *segment = look_into(salp_mutex_fd(mutex));
    segment->participants[1].identity = dead;
    segment->slots_used = 2;
    atomic_store((salp__word *)segment->body, dead);
    segment->joins++;
    look_away(segment);
    int result = salp_mutex_lock(mutex);
    if (result != -EOWNERDEAD) {
        assert_true(is_shortage(result));
        error = result;
        assert_int_equal(salp_mutex_lock(mutex), -EOWNERDEAD);
    }
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    salp_mutex_close(mutex);
    return error;
}

static void the_number_of_a_dead_one_is_another_process(void **state)
{
    (void)state;
    board_open();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pause();
        _exit(0);
    }
    other_process = child;
    sweep(lock_after_one_whose_number_was_taken);
    kill_process(child);
}

static void the_number_of_a_dead_one_is_a_thread(void **state)
{
    pthread_t thread;
    atomic_int go = 0;
    (void)state;
    board_open();
    assert_int_equal(pthread_create(&thread, NULL, stay, &go), 0);
    int64_t end = clock_now() + patience();
    while (atomic_load(&helper) == 0)
        assert_true(clock_now() < end);
    other_process = atomic_load(&helper);
    sweep(lock_after_one_whose_number_was_taken);
    atomic_store(&go, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- one who comes to a full table ---- */

static int attach_to_full(void *arg)
{
    salp_mutex *other;
    (void)arg;
    OR_FAIL(salp_mutex_attach(&other, salp_mutex_fd(mutex)) == 0);
    return 0;
}

static int wait_for_dead(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == -EOWNERDEAD);
    return 0;
}

/* Has all slots that are free taken by this process. */
static void fill_table(salp__segment *segment)
{
    uint64_t mark;
    assert_int_equal(salp__process_mark(getpid(), &mark), 0);
    for (int i = 0; i < SALP__PARTICIPANTS; i++)
        if (segment->participants[i].identity == 0)
            segment->participants[i].identity = mark;
    segment->slots_used = SALP__PARTICIPANTS;
}

/* Stops a process that waits, when it does not have the latch: nobody could take that from it. */
static void stop(pid_t pid, const salp__segment *segment)
{
    int status;
    for (;;) {
        CHECK(kill(pid, SIGSTOP) == 0);
        CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
        if (segment->latch == 0)
            return;
        CHECK(kill(pid, SIGCONT) == 0);
    }
}

/* Who finds no place buries the dead, though he takes no part himself. If he dies then, the others go on all the same. */
static void one_who_has_no_place_yet_dies_while_he_buries(void **state)
{
    (void)state;
    board_open();
    for (bool died = true; next_step(died);) {
        memset(board, 0, sizeof *board);
        CHECK(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true }) == 0);
        pid_t holder = start_process(false, hold_it, NULL);
        CHECK(reaches(&board->ready, 1));
        pid_t other = start_process(false, wait_for_dead, NULL);
        CHECK(come_to_wait(salp_mutex_fd(mutex), 1));
        salp__segment *segment = look_into(salp_mutex_fd(mutex));
        fill_table(segment);
        stop(other, segment);
        look_away(segment);
        kill_process(holder);
        died = end_of_victim(start_victim(false, attach_to_full, NULL));
        CHECK(kill(other, SIGCONT) == 0);
        CHECK(end_of_program(other) == 0); /* though nobody else does anything */
        salp_mutex_close(mutex);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each open succeeds or says why not", each_open_succeeds_or_says_why_not),
        TEST_LIMIT("each wait succeeds or says why not", each_wait_succeeds_or_says_why_not, 60),
        TEST_LIMIT("a death is noticed, or it is said why not", a_death_is_noticed_or_it_is_said_why_not, 60),
        TEST("a task that gives up may be granted a unit", a_task_that_gives_up_may_be_granted_a_unit),
        TEST("a task that must wait does so without a porter", a_task_that_must_wait_does_so_without_a_porter),
        TEST("who must wait does so without a node", who_must_wait_does_so_without_a_node),
        TEST("the number of a dead one is another process's", the_number_of_a_dead_one_is_another_process),
        TEST("the number of a dead one is a thread's", the_number_of_a_dead_one_is_a_thread),
        TEST_LIMIT("one who has no place yet dies while he buries", one_who_has_no_place_yet_dies_while_he_buries, 60),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
