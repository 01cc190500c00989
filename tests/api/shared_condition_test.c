/*
 * Conditions between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

static salp_condition *condition;
static salp_mutex *mutex;

static void open_both(void)
{
    assert_int_equal(salp_condition_open(&condition, &(salp_condition_options){ .shared = true }), 0);
    assert_int_equal(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true, .recursive = true }), 0);
}

static void close_both(void)
{
    salp_condition_close(condition);
    salp_mutex_close(mutex);
}

/* ---- one process ---- */

static int give_up(void *arg)
{
    salp_scope scope;
    (void)arg;
    EXPECT(salp_condition_wait(condition, mutex) == -EPERM);
    EXPECT(salp_mutex_lock(mutex) == 0 && salp_mutex_lock(mutex) == 0);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_condition_wait(condition, mutex) == -ETIMEDOUT);
    EXPECT(salp_condition_wait(condition, mutex) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_mutex_unlock(mutex) == 0 && salp_mutex_unlock(mutex) == 0); /* locked as often as before */
    EXPECT(salp_mutex_unlock(mutex) == -EPERM);
    EXPECT(salp_condition_signal(condition) == 0); /* for nobody */
    EXPECT(salp_condition_broadcast(condition) == 0);
    return 0;
}

static void a_scope_ends_a_wait_and_the_mutex_is_locked_as_before(void **state)
{
    (void)state;
    open_both();
    in_both(give_up);
    close_both();
}

static void what_is_no_shared_condition_is_refused(void **state)
{
    salp_condition *other = (salp_condition *)&other;
    salp_mutex *private;
    (void)state;
    open_both();
    assert_int_equal(salp_condition_attach(NULL, 0), -EINVAL);
    assert_int_equal(salp_condition_fd(NULL), -EINVAL);
    assert_int_equal(salp_condition_attach(&other, -1), -EBADF);
    assert_null(other);
    assert_int_equal(salp_condition_attach(&other, salp_mutex_fd(mutex)), -EINVAL);
    assert_int_equal(salp_condition_open(&other, NULL), 0);
    assert_int_equal(salp_condition_fd(other), -EINVAL);
    assert_int_equal(salp_mutex_open(&private, NULL), 0);
    assert_int_equal(salp_mutex_lock(private), 0);
    assert_int_equal(salp_mutex_lock(mutex), 0);
    assert_int_equal(salp_condition_wait(condition, private), -EINVAL);
    assert_int_equal(salp_condition_wait(other, mutex), -EINVAL);
    assert_int_equal(salp_mutex_unlock(private), 0);
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    salp_mutex_close(private);
    salp_condition_close(other);
    close_both();
}

/* ---- between processes ---- */

/* Waits until there is one in count[1], and takes it. */
static int take_one(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    while (atomic_load(&board->count[1]) == 0)
        OR_FAIL(salp_condition_wait(condition, mutex) == 0);
    atomic_fetch_sub(&board->count[1], 1);
    atomic_fetch_add(&board->count[0], 1);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static int take_and_close(void *arg)
{
    int result = take_one(arg);
    close_both();
    return result;
}

static void add(int count)
{
    assert_int_equal(salp_mutex_lock(mutex), 0);
    atomic_fetch_add(&board->count[1], count);
    if (count == 1)
        assert_int_equal(salp_condition_signal(condition), 0);
    else
        assert_int_equal(salp_condition_broadcast(condition), 0);
    assert_int_equal(salp_mutex_unlock(mutex), 0);
}

enum { TASKS = 40 }; /* more than are woken in one go */

static int take_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < TASKS; i++)
        OR_FAIL(salp_go(&group, take_one, arg) == 0);
    OR_FAIL(salp_group_close(&group) == 0);
    close_both();
    return 0;
}

static void signals_wake_one_and_broadcasts_all(void **state)
{
    pid_t pids[3];
    (void)state;
    board_open();
    open_both();
    for (int i = 0; i < 2; i++)
        pids[i] = start_process(false, take_and_close, NULL);
    assert_true(come_to_wait(salp_condition_fd(condition), 2));
    pids[2] = start_process(true, take_in_tasks, NULL);
    assert_true(come_to_wait(salp_condition_fd(condition), 2 + TASKS));
    add(1);
    add(1);
    for (int i = 0; i < 2; i++)
        ends_well(pids[i]); /* those who have waited longest */
    assert_true(come_to_wait(salp_condition_fd(condition), TASKS));
    add(TASKS);
    ends_well(pids[2]);
    assert_int_equal(atomic_load(&board->count[0]), 2 + TASKS);
    assert_int_equal(atomic_load(&board->count[1]), 0);
    close_both();
}

static int attach_and_take(void *arg)
{
    const int *fds = arg;
    OR_FAIL(salp_condition_attach(&condition, fds[0]) == 0);
    OR_FAIL(salp_mutex_attach(&mutex, fds[1]) == 0);
    OR_FAIL(close(fds[0]) == 0 && close(fds[1]) == 0);
    return take_and_close(arg);
}

static void descriptors_are_enough(void **state)
{
    (void)state;
    board_open();
    open_both();
    int fds[] = { salp_condition_fd(condition), salp_mutex_fd(mutex) };
    pid_t pid = start_process(false, attach_and_take, fds);
    assert_true(come_to_wait(fds[0], 1));
    add(1);
    ends_well(pid);
    close_both();
}

/* ---- makers and users, with two conditions and a bound ---- */

enum { GOODS = 4, LOOPS = 2, THREADS = 4 };

static salp_condition *has_room, *has_goods;

static int make(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_scale(500); i++) {
        OR_FAIL(salp_mutex_lock(mutex) == 0);
        while (board->counter == GOODS)
            OR_FAIL(salp_condition_wait(has_room, mutex) == 0);
        board->counter++;
        OR_FAIL(salp_condition_signal(has_goods) == 0);
        OR_FAIL(salp_mutex_unlock(mutex) == 0);
    }
    return 0;
}

static int use(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_scale(500); i++) {
        OR_FAIL(salp_mutex_lock(mutex) == 0);
        while (board->counter == 0)
            OR_FAIL(salp_condition_wait(has_goods, mutex) == 0);
        board->counter--;
        OR_FAIL(salp_condition_signal(has_room) == 0);
        OR_FAIL(salp_mutex_unlock(mutex) == 0);
    }
    return 0;
}

static int make_and_use(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 2; i++)
        OR_FAIL(salp_go(&group, make, arg) == 0 && salp_go(&group, use, arg) == 0);
    return salp_group_close(&group);
}

static void makers_and_users_meet_between_processes(void **state)
{
    pid_t pids[LOOPS + THREADS];
    (void)state;
    board_open();
    assert_int_equal(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true }), 0);
    assert_int_equal(salp_condition_open(&has_room, &(salp_condition_options){ .shared = true }), 0);
    assert_int_equal(salp_condition_open(&has_goods, &(salp_condition_options){ .shared = true }), 0);
    for (int i = 0; i < LOOPS + THREADS; i++)
        pids[i] = start_process(i < LOOPS, i < LOOPS ? make_and_use : i % 2 ? make : use, NULL);
    for (int i = 0; i < LOOPS + THREADS; i++)
        ends_well(pids[i]);
    assert_int_equal(board->counter, 0);
    salp_condition_close(has_room);
    salp_condition_close(has_goods);
    salp_mutex_close(mutex);
}

/* ---- deaths ---- */

/* The one who is woken dies before he has the mutex: the next one is woken in his place. */
static void a_signal_to_one_who_dies_goes_to_the_next(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_both();
        pid_t victim = start_process(in_loop, take_one, NULL);
        assert_true(come_to_wait(salp_condition_fd(condition), 1));
        pid_t other = start_process(in_loop, take_and_close, NULL);
        assert_true(come_to_wait(salp_condition_fd(condition), 2));
        assert_int_equal(salp_mutex_lock(mutex), 0);
        atomic_store(&board->count[1], 1);
        assert_int_equal(salp_condition_signal(condition), 0);
        assert_true(come_to_wait(salp_mutex_fd(mutex), 1)); /* he is on his way back to the mutex */
        assert_true(come_to_wait(salp_condition_fd(condition), 1));
        kill_process(victim);
        assert_true(come_to_wait(salp_mutex_fd(mutex), 1)); /* now it is the other one */
        assert_true(come_to_wait(salp_condition_fd(condition), 0));
        assert_int_equal(salp_mutex_unlock(mutex), 0);
        ends_well(other);
        assert_int_equal(atomic_load(&board->count[1]), 0);
        close_both();
    }
}

static int lock_and_stay(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    atomic_store(&board->ready, 1);
    for (;;)
        pause();
}

static int is_told(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    OR_FAIL(salp_condition_wait(condition, mutex) == -EOWNERDEAD);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    close_both();
    return 0;
}

static void who_gets_the_mutex_of_a_dead_one_by_a_condition_is_told(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_both();
        atomic_store(&board->ready, 0);
        pid_t waiter = start_process(in_loop, is_told, NULL);
        assert_true(come_to_wait(salp_condition_fd(condition), 1));
        pid_t holder = start_process(false, lock_and_stay, NULL);
        assert_true(reaches(&board->ready, 1));
        assert_int_equal(salp_condition_signal(condition), 0);
        assert_true(come_to_wait(salp_mutex_fd(mutex), 1));
        kill_process(holder);
        ends_well(waiter);
        close_both();
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a scope ends a wait, and the mutex is locked as before",
             a_scope_ends_a_wait_and_the_mutex_is_locked_as_before),
        TEST("what is no shared condition is refused", what_is_no_shared_condition_is_refused),
        TEST("signals wake one, and broadcasts all", signals_wake_one_and_broadcasts_all),
        TEST("descriptors are enough", descriptors_are_enough),
        TEST_LIMIT("makers and users meet between processes", makers_and_users_meet_between_processes, 60),
        TEST("a signal to one who dies goes to the next", a_signal_to_one_who_dies_goes_to_the_next),
        TEST("who gets the mutex of a dead one by a condition is told",
             who_gets_the_mutex_of_a_dead_one_by_a_condition_is_told),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
