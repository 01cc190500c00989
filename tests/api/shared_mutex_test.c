/*
 * Mutexes between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

#include <fcntl.h>

static salp_mutex *mutex;

static void open_mutex(bool recursive)
{
    assert_int_equal(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true, .recursive = recursive }), 0);
}

/* ---- one process ---- */

static int use_it(void *arg)
{
    (void)arg;
    EXPECT(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true }) == 0);
    EXPECT(salp_mutex_unlock(mutex) == -EPERM);
    for (int i = 0; i < 3; i++) {
        EXPECT((i == 1 ? salp_mutex_try_lock(mutex) : salp_mutex_lock(mutex)) == 0);
        EXPECT(salp_mutex_lock(mutex) == -EDEADLK);
        EXPECT(salp_mutex_try_lock(mutex) == -EDEADLK);
        EXPECT(salp_mutex_unlock(mutex) == 0);
        EXPECT(salp_mutex_unlock(mutex) == -EPERM);
    }
    salp_mutex_close(mutex);
    EXPECT(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true, .recursive = true }) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_mutex_lock(mutex) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_mutex_unlock(mutex) == 0);
    EXPECT(salp_mutex_unlock(mutex) == -EPERM);
    salp_mutex_close(mutex);
    return 0;
}

static void it_works_within_a_process(void **state)
{
    (void)state;
    in_both(use_it);
}

static void what_is_no_shared_mutex_is_refused(void **state)
{
    int pipe_ends[2], plain = memfd_create("plain", MFD_CLOEXEC);
    salp_mutex *other = (salp_mutex *)&plain;
    salp_semaphore *semaphore;
    (void)state;
    assert_int_equal(salp_mutex_attach(NULL, 0), -EINVAL);
    assert_int_equal(salp_mutex_fd(NULL), -EINVAL);
    assert_int_equal(salp_mutex_attach(&other, -1), -EBADF);
    assert_null(other);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    assert_int_equal(salp_mutex_attach(&other, pipe_ends[0]), -EINVAL);
    assert_int_equal(salp_mutex_attach(&other, plain), -EINVAL);
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true }), 0);
    assert_int_equal(salp_mutex_attach(&other, salp_semaphore_fd(semaphore)), -EINVAL);
    salp_semaphore_close(semaphore);
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    assert_int_equal(salp_mutex_fd(mutex), -EINVAL);
    salp_mutex_close(mutex);

    open_mutex(false);
    salp__segment *segment = look_into(salp_mutex_fd(mutex));
    segment->layout++;
    assert_int_equal(salp_mutex_attach(&other, salp_mutex_fd(mutex)), -EPROTO);
    segment->layout--;
    segment->namespace ++;
    assert_int_equal(salp_mutex_attach(&other, salp_mutex_fd(mutex)), -EXDEV);
    segment->namespace --;
    assert_int_equal(salp_mutex_attach(&other, salp_mutex_fd(mutex)), 0);
    assert_int_equal(participants_of(segment), 2);
    salp_mutex_close(other);
    assert_int_equal(participants_of(segment), 1);
    look_away(segment);
    assert_int_equal(ftruncate(salp_mutex_fd(mutex), 0), -1);
    assert_int_equal(errno, EPERM);
    salp_mutex_close(mutex);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    close(plain);
}

/* ---- between processes ---- */

static int find_it_held(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_unlock(mutex) == -EPERM);
    OR_FAIL(salp_mutex_try_lock(mutex) == -EBUSY);
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    OR_FAIL(salp_mutex_lock(mutex) == -ETIMEDOUT);
    OR_FAIL(salp_scope_close(&scope) == -ETIMEDOUT);
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    salp_mutex_close(mutex);
    return 0;
}

static void a_fork_is_somebody_else(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        atomic_store(&board->ready, 0);
        open_mutex(false);
        assert_int_equal(salp_mutex_lock(mutex), 0);
        pid_t pid = start_process(in_loop, find_it_held, NULL);
        assert_true(reaches(&board->ready, 1));
        assert_true(come_to_wait(salp_mutex_fd(mutex), 1));
        assert_int_equal(salp_mutex_unlock(mutex), 0);
        ends_well(pid);
        assert_int_equal(salp_mutex_lock(mutex), 0);
        salp_mutex_close(mutex);
    }
}

static int attach_and_lock(void *arg)
{
    int fd = *(int *)arg;
    OR_FAIL(salp_mutex_attach(&mutex, fd) == 0);
    OR_FAIL(close(fd) == 0);
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    salp_mutex_close(mutex);
    return 0;
}

static void a_descriptor_is_enough(void **state)
{
    (void)state;
    open_mutex(false);
    int fd = salp_mutex_fd(mutex);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(salp_mutex_lock(mutex), 0);
    pid_t pid = start_process(false, attach_and_lock, &fd);
    assert_true(come_to_wait(fd, 1));
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    ends_well(pid);
    salp_mutex_close(mutex);
}

enum { PROCESSES = 3, TASKS = 4 };

static int count_up(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < test_scale(400); i++) {
        salp_scope scope;
        salp_scope_open(&scope, rand_r(&random) % 4 ? SALP_FOREVER : SALP_MICROSECONDS(rand_r(&random) % 100));
        int result = salp_mutex_lock(mutex);
        if (result == 0) {
            long seen = board->counter;
            salp_yield();
            board->counter = seen + 1;
            atomic_fetch_add(&board->count[0], 1);
            OR_FAIL(salp_mutex_unlock(mutex) == 0);
        } else {
            OR_FAIL(result == -ETIMEDOUT);
        }
        salp_scope_close(&scope);
    }
    return 0;
}

static int count_up_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (uintptr_t i = 0; i < TASKS; i++)
        OR_FAIL(salp_go(&group, count_up, (char *)arg + i) == 0);
    int result = salp_group_close(&group);
    salp_mutex_close(mutex);
    return result;
}

static void processes_exclude_each_other(void **state)
{
    pid_t pids[2 * PROCESSES];
    (void)state;
    board_open();
    open_mutex(false);
    for (int i = 0; i < 2 * PROCESSES; i++)
        pids[i] = start_process(i % 2, i % 2 ? count_up_in_tasks : count_up, (void *)(uintptr_t)(1000 * i));
    for (int i = 0; i < 2 * PROCESSES; i++)
        ends_well(pids[i]);
    assert_true(board->counter > 0);
    assert_int_equal(board->counter, atomic_load(&board->count[0]));
    assert_int_equal(salp_mutex_lock(mutex), 0);
    salp_mutex_close(mutex);
}

/* ---- deaths ---- */

static int hold_it(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    atomic_store(&board->ready, 1);
    for (;;)
        pause();
}

static pid_t start_holder(void)
{
    atomic_store(&board->ready, 0);
    pid_t pid = start_process(false, hold_it, NULL);
    EXPECT(reaches(&board->ready, 1));
    return pid;
}

static void the_next_owner_is_told_that_the_last_one_died(void **state)
{
    (void)state;
    board_open();
    open_mutex(false);
    for (int tried = 0; tried < 2; tried++) {
        kill_process(start_holder());
        assert_int_equal(tried ? salp_mutex_try_lock(mutex) : salp_mutex_lock(mutex), -EOWNERDEAD);
        assert_int_equal(salp_mutex_lock(mutex), -EDEADLK);
        assert_int_equal(salp_mutex_unlock(mutex), 0);
        assert_int_equal(salp_mutex_lock(mutex), 0);
        assert_int_equal(salp_mutex_unlock(mutex), 0);
    }
    salp_mutex_close(mutex);
}

/* A zombie holds nothing either. */
static void who_has_ended_and_was_not_reaped_is_dead(void **state)
{
    (void)state;
    board_open();
    open_mutex(false);
    pid_t pid = start_holder();
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(salp_mutex_lock(mutex), -EOWNERDEAD);
    assert_int_equal(end_of_program(pid), 1000 + SIGKILL);
    salp_mutex_close(mutex);
}

static int wait_and_be_told(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == -EOWNERDEAD);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    salp_mutex_close(mutex);
    return 0;
}

enum { TURNS }; /* which count of the board */

static int turn(void *arg)
{
    for (; !*(bool *)arg; atomic_fetch_add(&board->count[TURNS], 1))
        EXPECT(salp_yield() == 0);
    return 0;
}

/* With another task beside, which has to go on meanwhile. */
static int wait_beside_another(void *arg)
{
    bool ended = false;
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    OR_FAIL(salp_go(&group, turn, &ended) == 0);
    int result = wait_and_be_told(NULL);
    ended = true;
    OR_FAIL(salp_group_close(&group) == 0);
    return result;
}

static void who_waits_is_told_of_a_death(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_mutex(false);
        pid_t holder = start_holder();
        pid_t waiter = start_process(in_loop, in_loop ? wait_beside_another : wait_and_be_told, NULL);
        assert_true(come_to_wait(salp_mutex_fd(mutex), 1));
        if (in_loop)
            assert_true(reaches(&board->count[TURNS], atomic_load(&board->count[TURNS]) + 10));
        kill_process(holder);
        ends_well(waiter);
        assert_int_equal(salp_mutex_lock(mutex), 0);
        salp_mutex_close(mutex);
    }
}

static int wait_in_vain(void *arg)
{
    (void)arg;
    (void)salp_mutex_lock(mutex);
    return 1;
}

static void who_dies_in_the_line_is_passed_over(void **state)
{
    (void)state;
    board_open();
    open_mutex(false);
    assert_int_equal(salp_mutex_lock(mutex), 0);
    pid_t dead = start_process(false, wait_in_vain, NULL);
    assert_true(come_to_wait(salp_mutex_fd(mutex), 1));
    pid_t other = start_process(false, find_it_held, NULL);
    assert_true(reaches(&board->ready, 1));
    assert_true(come_to_wait(salp_mutex_fd(mutex), 2));
    kill_process(dead);
    assert_true(come_to_wait(salp_mutex_fd(mutex), 1)); /* it was buried */
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    ends_well(other);
    salp_mutex_close(mutex);
}

static void closing_it_while_it_is_held_is_as_dying(void **state)
{
    salp_mutex *other;
    (void)state;
    open_mutex(true);
    assert_int_equal(salp_mutex_attach(&other, salp_mutex_fd(mutex)), 0);
    assert_int_equal(salp_mutex_lock(mutex), 0);
    assert_int_equal(salp_mutex_lock(mutex), 0);
    assert_int_equal(salp_mutex_try_lock(other), -EBUSY);
    salp_mutex_close(mutex);
    assert_int_equal(salp_mutex_try_lock(other), -EOWNERDEAD);
    assert_int_equal(salp_mutex_lock(other), 0); /* the other handle knows that it is recursive */
    salp_mutex_close(other);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it works within a process", it_works_within_a_process),
        TEST("what is no shared mutex is refused", what_is_no_shared_mutex_is_refused),
        TEST("a fork is somebody else", a_fork_is_somebody_else),
        TEST("a descriptor is enough", a_descriptor_is_enough),
        TEST_LIMIT("processes exclude each other", processes_exclude_each_other, 60),
        TEST("the next owner is told that the last one died", the_next_owner_is_told_that_the_last_one_died),
        TEST("who has ended and was not reaped is dead", who_has_ended_and_was_not_reaped_is_dead),
        TEST("who waits is told of a death", who_waits_is_told_of_a_death),
        TEST("who dies in the line is passed over", who_dies_in_the_line_is_passed_over),
        TEST("closing it while it is held is as dying", closing_it_while_it_is_held_is_as_dying),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
