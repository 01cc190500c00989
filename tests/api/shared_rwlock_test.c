/*
 * Reader-writer locks between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

static salp_rwlock *rwlock;

static void open_rwlock(void)
{
    assert_int_equal(salp_rwlock_open(&rwlock, &(salp_rwlock_options){ .shared = true }), 0);
}

/* ---- one process ---- */

static int use_it(void *arg)
{
    (void)arg;
    EXPECT(salp_rwlock_open(&rwlock, &(salp_rwlock_options){ .shared = true }) == 0);
    EXPECT(salp_rwlock_unlock(rwlock) == -EPERM);
    EXPECT(salp_rwlock_lock_read(rwlock) == 0 && salp_rwlock_try_lock_read(rwlock) == 0);
    EXPECT(salp_rwlock_try_lock_write(rwlock) == -EBUSY);
    EXPECT(salp_rwlock_unlock(rwlock) == 0 && salp_rwlock_unlock(rwlock) == 0);
    EXPECT(salp_rwlock_unlock(rwlock) == -EPERM);
    for (int i = 0; i < 2; i++) {
        EXPECT((i == 0 ? salp_rwlock_lock_write(rwlock) : salp_rwlock_try_lock_write(rwlock)) == 0);
        EXPECT(salp_rwlock_lock_read(rwlock) == -EDEADLK && salp_rwlock_lock_write(rwlock) == -EDEADLK);
        EXPECT(salp_rwlock_try_lock_read(rwlock) == -EDEADLK && salp_rwlock_try_lock_write(rwlock) == -EDEADLK);
        EXPECT(salp_rwlock_unlock(rwlock) == 0);
        EXPECT(salp_rwlock_unlock(rwlock) == -EPERM);
    }
    salp_rwlock_close(rwlock);
    return 0;
}

static void it_works_within_a_process(void **state)
{
    (void)state;
    in_both(use_it);
}

static void what_is_no_shared_lock_is_refused(void **state)
{
    salp_rwlock *other = (salp_rwlock *)&other;
    salp_semaphore *semaphore;
    (void)state;
    assert_int_equal(salp_rwlock_attach(NULL, 0), -EINVAL);
    assert_int_equal(salp_rwlock_fd(NULL), -EINVAL);
    assert_int_equal(salp_rwlock_attach(&other, -1), -EBADF);
    assert_null(other);
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true }), 0);
    assert_int_equal(salp_rwlock_attach(&other, salp_semaphore_fd(semaphore)), -EINVAL);
    salp_semaphore_close(semaphore);
    assert_int_equal(salp_rwlock_open(&rwlock, NULL), 0);
    assert_int_equal(salp_rwlock_fd(rwlock), -EINVAL);
    salp_rwlock_close(rwlock);
}

/* Another thread of the same process is somebody else. */
static int writes_not_now(void *arg)
{
    (void)arg;
    EXPECT(salp_rwlock_unlock(rwlock) == -EPERM);
    EXPECT(salp_rwlock_try_lock_read(rwlock) == -EBUSY);
    EXPECT(salp_rwlock_try_lock_write(rwlock) == -EBUSY);
    return 0;
}

static void only_the_one_who_writes_unlocks(void **state)
{
    (void)state;
    open_rwlock();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct thread_call call;
        assert_int_equal(salp_rwlock_lock_write(rwlock), 0);
        start_thread(&call, in_loop, writes_not_now, NULL);
        join_threads(&call, 1);
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    }
    salp_rwlock_close(rwlock);
}

static int writer_gives_up(void *arg)
{
    salp_scope scope;
    struct canceller canceller;
    (void)arg;
    cancel_at(&canceller, &scope, &board->go, 1);
    EXPECT(salp_rwlock_lock_write(rwlock) == -ECANCELED);
    was_cancelled(&canceller);
    return 0;
}

static int read_once(void *arg)
{
    (void)arg;
    OR_FAIL(salp_rwlock_lock_read(rwlock) == 0);
    atomic_fetch_add(&board->count[0], 1);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    return 0;
}

static int read_and_close(void *arg)
{
    int result = read_once(arg);
    salp_rwlock_close(rwlock);
    return result;
}

static int read_when_told(void *arg)
{
    while (!atomic_load(&board->ready))
        doze(SALP_MICROSECONDS(100));
    return read_and_close(arg);
}

static void a_writer_who_gives_up_lets_those_behind_him_in(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct thread_call call;
        open_rwlock();
        atomic_store(&board->go, 0);
        atomic_store(&board->ready, 0);
        pid_t reader =
            start_process(in_loop, read_when_told, NULL); /* sanitizers want a fork before there are threads */
        assert_int_equal(salp_rwlock_lock_read(rwlock), 0);
        start_thread(&call, in_loop, writer_gives_up, NULL);
        assert_true(come_to_wait(salp_rwlock_fd(rwlock), 1));
        assert_int_equal(salp_rwlock_try_lock_read(rwlock), -EBUSY); /* behind him */
        atomic_store(&board->ready, 1);
        assert_true(come_to_wait(salp_rwlock_fd(rwlock), 2));
        atomic_store(&board->go, 1);
        join_threads(&call, 1);
        ends_well(reader);
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        salp_rwlock_close(rwlock);
    }
}

/* ---- between processes ---- */

static int find_it_held(void *arg)
{
    (void)arg;
    OR_FAIL(salp_rwlock_unlock(rwlock) == -EPERM);
    OR_FAIL(salp_rwlock_try_lock_read(rwlock) == -EBUSY);
    OR_FAIL(salp_rwlock_try_lock_write(rwlock) == -EBUSY);
    return read_and_close(arg);
}

static int find_readers(void *arg)
{
    (void)arg;
    OR_FAIL(salp_rwlock_unlock(rwlock) == -EPERM); /* what the parent has locked is not ours */
    OR_FAIL(salp_rwlock_try_lock_write(rwlock) == -EBUSY);
    OR_FAIL(salp_rwlock_try_lock_read(rwlock) == 0);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    OR_FAIL(salp_rwlock_unlock(rwlock) == -EPERM);
    return read_and_close(arg);
}

static void a_fork_is_somebody_else(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_rwlock();
        assert_int_equal(salp_rwlock_lock_write(rwlock), 0);
        pid_t pid = start_process(in_loop, find_it_held, NULL);
        assert_true(come_to_wait(salp_rwlock_fd(rwlock), 1));
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        ends_well(pid);
        assert_int_equal(salp_rwlock_lock_read(rwlock), 0);
        ends_well(start_process(in_loop, find_readers, NULL));
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        salp_rwlock_close(rwlock);
    }
}

enum { TASKS = 40 }; /* more than are let in in one go */

static int read_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < TASKS; i++)
        OR_FAIL(salp_go(&group, read_once, arg) == 0);
    OR_FAIL(salp_group_close(&group) == 0);
    salp_rwlock_close(rwlock);
    return 0;
}

static void all_readers_are_let_in(void **state)
{
    (void)state;
    board_open();
    open_rwlock();
    assert_int_equal(salp_rwlock_lock_write(rwlock), 0);
    pid_t pid = start_process(true, read_in_tasks, NULL);
    assert_true(come_to_wait(salp_rwlock_fd(rwlock), TASKS));
    assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    ends_well(pid);
    assert_int_equal(atomic_load(&board->count[0]), TASKS);
    assert_int_equal(salp_rwlock_try_lock_write(rwlock), 0);
    assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    salp_rwlock_close(rwlock);
}

static int attach_and_read(void *arg)
{
    OR_FAIL(salp_rwlock_attach(&rwlock, *(int *)arg) == 0);
    OR_FAIL(close(*(int *)arg) == 0);
    return read_and_close(arg);
}

static void a_descriptor_is_enough(void **state)
{
    (void)state;
    board_open();
    open_rwlock();
    int fd = salp_rwlock_fd(rwlock);
    ends_well(start_process(false, attach_and_read, &fd));
    salp_rwlock_close(rwlock);
}

/* count[0] readers, count[1] writers are in. */
static int read_and_write(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < test_scale(300); i++) {
        salp_scope scope;
        bool writes = rand_r(&random) % 3 == 0;
        salp_scope_open(&scope, rand_r(&random) % 4 ? SALP_FOREVER : SALP_MICROSECONDS(rand_r(&random) % 100));
        int result = writes ? salp_rwlock_lock_write(rwlock) : salp_rwlock_lock_read(rwlock);
        OR_FAIL(result == 0 || result == -ETIMEDOUT);
        if (result == 0) {
            atomic_int *mine = &board->count[writes];
            atomic_fetch_add(mine, 1);
            OR_FAIL(atomic_load(&board->count[1]) == writes && (!writes || atomic_load(&board->count[0]) == 0));
            salp_yield();
            OR_FAIL(atomic_load(&board->count[1]) == writes && (!writes || atomic_load(&board->count[0]) == 0));
            atomic_fetch_sub(mine, 1);
            OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
        }
        salp_scope_close(&scope);
    }
    return 0;
}

static int read_and_write_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (uintptr_t i = 0; i < 4; i++)
        OR_FAIL(salp_go(&group, read_and_write, (char *)arg + i) == 0);
    return salp_group_close(&group);
}

static void a_writer_is_alone(void **state)
{
    pid_t pids[4];
    (void)state;
    board_open();
    open_rwlock();
    for (int i = 0; i < 4; i++)
        pids[i] = start_process(i % 2, i % 2 ? read_and_write_in_tasks : read_and_write, (void *)(uintptr_t)(1000 * i));
    for (int i = 0; i < 4; i++)
        ends_well(pids[i]);
    assert_int_equal(salp_rwlock_try_lock_write(rwlock), 0);
    assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    salp_rwlock_close(rwlock);
}

/* ---- deaths ---- */

static int lock_and_stay(void *arg)
{
    OR_FAIL((*(bool *)arg ? salp_rwlock_lock_write(rwlock) : salp_rwlock_lock_read(rwlock)) == 0);
    if (!*(bool *)arg)
        OR_FAIL(salp_rwlock_lock_read(rwlock) == 0);
    atomic_store(&board->ready, 1);
    for (;;)
        pause();
}

static pid_t start_holder(bool writes)
{
    static bool which;
    which = writes;
    atomic_store(&board->ready, 0);
    pid_t pid = start_process(false, lock_and_stay, &which);
    EXPECT(reaches(&board->ready, 1));
    return pid;
}

static int write_once(void *arg)
{
    OR_FAIL(salp_rwlock_lock_write(rwlock) == *(int *)arg);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    salp_rwlock_close(rwlock);
    return 0;
}

static void what_dead_readers_have_locked_is_unlocked(void **state)
{
    int well = 0;
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_rwlock();
        pid_t holder = start_holder(false);
        assert_int_equal(salp_rwlock_try_lock_write(rwlock), -EBUSY);
        pid_t writer = start_process(in_loop, write_once, &well);
        assert_true(come_to_wait(salp_rwlock_fd(rwlock), 1));
        kill_process(holder);
        ends_well(writer);
        assert_int_equal(salp_rwlock_lock_read(rwlock), 0);
        kill_process(start_holder(false));
        assert_int_equal(salp_rwlock_try_lock_write(rwlock), -EBUSY); /* we still read */
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        assert_int_equal(salp_rwlock_try_lock_write(rwlock), 0); /* nobody has waited to hear of it */
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        salp_rwlock_close(rwlock);
    }
}

static int read_told(void *arg)
{
    OR_FAIL(salp_rwlock_lock_read(rwlock) == *(int *)arg);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    salp_rwlock_close(rwlock);
    return 0;
}

static void all_are_told_of_a_dead_writer_until_one_has_written(void **state)
{
    int well = 0, told = -EOWNERDEAD;
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        pid_t pids[3];
        open_rwlock();
        pid_t holder = start_holder(true);
        for (int i = 0; i < 2; i++)
            pids[i] = start_process(in_loop, read_told, &told);
        assert_true(come_to_wait(salp_rwlock_fd(rwlock), 2));
        pids[2] = start_process(in_loop, write_once, &told);
        assert_true(come_to_wait(salp_rwlock_fd(rwlock), 3));
        kill_process(holder);
        for (int i = 0; i < 3; i++)
            ends_well(pids[i]);
        ends_well(start_process(in_loop, read_told, &well));
        ends_well(start_process(in_loop, write_once, &well));
        kill_process(start_holder(true));
        assert_int_equal(salp_rwlock_try_lock_read(rwlock), -EOWNERDEAD);
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        assert_int_equal(salp_rwlock_try_lock_write(rwlock), -EOWNERDEAD);
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        assert_int_equal(salp_rwlock_try_lock_write(rwlock), 0);
        assert_int_equal(salp_rwlock_unlock(rwlock), 0);
        salp_rwlock_close(rwlock);
    }
}

static int close_it_locked(void *arg)
{
    OR_FAIL((*(bool *)arg ? salp_rwlock_lock_write(rwlock) : salp_rwlock_lock_read(rwlock)) == 0);
    salp_rwlock_close(rwlock);
    return 0;
}

static void closing_it_locked_is_as_dying_with_it(void **state)
{
    bool writes = false;
    (void)state;
    open_rwlock();
    ends_well(start_process(false, close_it_locked, &writes));
    assert_int_equal(salp_rwlock_try_lock_write(rwlock), 0);
    assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    writes = true;
    ends_well(start_process(false, close_it_locked, &writes));
    assert_int_equal(salp_rwlock_lock_write(rwlock), -EOWNERDEAD);
    assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    salp_rwlock_close(rwlock);
}

/* All who are in the way are dead, and nobody has watched them. */
static void a_try_is_not_stopped_by_a_line_of_dead_ones(void **state)
{
    int well = 0;
    (void)state;
    board_open();
    open_rwlock();
    assert_int_equal(salp_rwlock_lock_read(rwlock), 0);
    pid_t pid = start_process(false, write_once, &well);
    assert_true(come_to_wait(salp_rwlock_fd(rwlock), 1));
    assert_int_equal(salp_rwlock_try_lock_read(rwlock), -EBUSY);
    kill_process(pid);
    assert_int_equal(salp_rwlock_try_lock_read(rwlock), 0);
    assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    assert_int_equal(salp_rwlock_unlock(rwlock), 0);
    salp_rwlock_close(rwlock);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it works within a process", it_works_within_a_process),
        TEST("what is no shared lock is refused", what_is_no_shared_lock_is_refused),
        TEST("only the one who writes unlocks", only_the_one_who_writes_unlocks),
        TEST("a writer who gives up lets those behind him in", a_writer_who_gives_up_lets_those_behind_him_in),
        TEST("a fork is somebody else", a_fork_is_somebody_else),
        TEST("all readers are let in", all_readers_are_let_in),
        TEST("a descriptor is enough", a_descriptor_is_enough),
        TEST_LIMIT("a writer is alone", a_writer_is_alone, 60),
        TEST("what dead readers have locked is unlocked", what_dead_readers_have_locked_is_unlocked),
        TEST("all are told of a dead writer until one has written",
             all_are_told_of_a_dead_writer_until_one_has_written),
        TEST("closing it locked is as dying with it", closing_it_locked_is_as_dying_with_it),
        TEST("a try is not stopped by a line of dead ones", a_try_is_not_stopped_by_a_line_of_dead_ones),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
