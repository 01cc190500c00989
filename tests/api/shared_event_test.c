/*
 * Events between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

#include <salp/select.h>

static salp_event *event;

static void open_event(bool set)
{
    assert_int_equal(salp_event_open(&event, &(salp_event_options){ .shared = true, .set = set }), 0);
}

/* ---- one process ---- */

static int use_it(void *arg)
{
    salp_scope scope;
    (void)arg;
    EXPECT(salp_event_open(&event, &(salp_event_options){ .shared = true, .set = true }) == 0);
    EXPECT(salp_event_is_set(event) && salp_event_wait(event) == 0);
    EXPECT(salp_event_clear(event) == 0 && salp_event_clear(event) == 0 && !salp_event_is_set(event));
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_event_wait(event) == -ETIMEDOUT);
    EXPECT(salp_event_set(event) == 0);
    EXPECT(salp_event_wait(event) == -ETIMEDOUT); /* though it would not have to wait */
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_event_set(event) == 0 && salp_event_is_set(event) && salp_event_wait(event) == 0);
    salp_event_close(event);
    return 0;
}

static void it_works_within_a_process(void **state)
{
    (void)state;
    in_both(use_it);
}

static void what_is_no_shared_event_is_refused(void **state)
{
    salp_event *other = (salp_event *)&other;
    salp_semaphore *semaphore;
    (void)state;
    assert_int_equal(salp_event_attach(NULL, 0), -EINVAL);
    assert_int_equal(salp_event_fd(NULL), -EINVAL);
    assert_int_equal(salp_event_attach(&other, -1), -EBADF);
    assert_null(other);
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true }), 0);
    assert_int_equal(salp_event_attach(&other, salp_semaphore_fd(semaphore)), -EINVAL);
    salp_semaphore_close(semaphore);
    assert_int_equal(salp_event_open(&event, NULL), 0);
    assert_int_equal(salp_event_fd(event), -EINVAL);
    salp_event_close(event);
}

/* ---- between processes ---- */

static int wait_for_it(void *arg)
{
    (void)arg;
    OR_FAIL(salp_event_wait(event) == 0);
    atomic_fetch_add(&board->count[0], 1);
    return 0;
}

static int wait_and_close(void *arg)
{
    int result = wait_for_it(arg);
    salp_event_close(event);
    return result;
}

enum { TASKS = 80 }; /* more than are woken in one go */

static int wait_in_tasks(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < TASKS; i++)
        OR_FAIL(salp_go(&group, wait_for_it, NULL) == 0);
    OR_FAIL(salp_group_close(&group) == 0);
    salp_event_close(event);
    return 0;
}

static void all_who_wait_go_on_also_if_it_is_cleared_at_once(void **state)
{
    pid_t pids[3];
    (void)state;
    board_open();
    open_event(false);
    for (int i = 0; i < 2; i++)
        pids[i] = start_process(false, wait_and_close, NULL);
    pids[2] = start_process(true, wait_in_tasks, NULL);
    assert_true(come_to_wait(salp_event_fd(event), TASKS + 2));
    assert_int_equal(salp_event_set(event), 0);
    assert_int_equal(salp_event_clear(event), 0);
    for (int i = 0; i < 3; i++)
        ends_well(pids[i]);
    assert_int_equal(atomic_load(&board->count[0]), TASKS + 2);
    assert_false(salp_event_is_set(event));
    salp_event_close(event);
}

static int attach_and_wait(void *arg)
{
    int fd = *(int *)arg;
    OR_FAIL(salp_event_attach(&event, fd) == 0);
    OR_FAIL(close(fd) == 0);
    return wait_and_close(arg);
}

static void a_descriptor_is_enough(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_event(false);
        int fd = salp_event_fd(event);
        pid_t pid = start_process(in_loop, attach_and_wait, &fd);
        assert_true(come_to_wait(fd, 1));
        assert_int_equal(salp_event_set(event), 0);
        ends_well(pid);
        salp_event_close(event);
    }
}

/* ---- selects ---- */

static salp_event *other_event, *private_event;

static int select_one(int64_t after)
{
    salp_case cases[] = {
        { .event = private_event, .result = 1 },
        { .event = event, .result = 1 },
        { .event = other_event, .result = 1 },
        { .after = after, .result = 1 },
    };
    int chosen = salp_select(cases, 4);
    EXPECT(chosen < 0 || cases[chosen].result == 0);
    return chosen;
}

/* Tells what it has seen in count[0 to 3]. */
static int select_often(void *arg)
{
    (void)arg;
    while (!atomic_load(&board->go)) {
        int chosen = select_one(0);
        OR_FAIL(chosen == 1 || chosen == 2);
        atomic_fetch_add(&board->count[chosen], 1);
    }
    return 0;
}

static void pulse(salp_event *pulsed)
{
    assert_int_equal(salp_event_set(pulsed), 0);
    assert_int_equal(salp_event_clear(pulsed), 0);
}

static void open_three(void)
{
    open_event(false);
    assert_int_equal(salp_event_open(&other_event, &(salp_event_options){ .shared = true }), 0);
    assert_int_equal(salp_event_open(&private_event, NULL), 0);
}

static void close_three(void)
{
    salp_event_close(event);
    salp_event_close(other_event);
    salp_event_close(private_event);
}

static int select_within(void *arg)
{
    salp_scope scope;
    (void)arg;
    EXPECT(select_one(-1) == 3);
    EXPECT(select_one(SALP_MILLISECONDS(1)) == 3);
    EXPECT(salp_event_set(other_event) == 0 && select_one(-1) == 2);
    EXPECT(salp_event_set(event) == 0 && select_one(0) == 1);
    EXPECT(salp_event_set(private_event) == 0 && select_one(0) == 0);
    EXPECT(salp_event_clear(event) == 0 && salp_event_clear(other_event) == 0 && salp_event_clear(private_event) == 0);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(select_one(0) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return 0;
}

static void a_select_sees_what_is_set(void **state)
{
    (void)state;
    open_three();
    in_both(select_within);
    assert_true(come_to_wait(salp_event_fd(event), 0) && come_to_wait(salp_event_fd(other_event), 0));
    close_three();
}

/* It has happened for who waited, though it is over when he looks. */
static void a_select_in_another_process_sees_each_pulse(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_three();
        memset(board, 0, sizeof *board);
        pid_t pid = start_process(in_loop, select_often, NULL);
        for (int i = 0; i < test_scale(100); i++) {
            salp_event *pulsed = i % 3 ? event : other_event;
            assert_true(come_to_wait(salp_event_fd(event), 1) && come_to_wait(salp_event_fd(other_event), 1));
            if (i == test_scale(100) - 1)
                atomic_store(&board->go, 1);
            int seen = atomic_load(&board->count[i % 3 ? 1 : 2]);
            pulse(pulsed);
            assert_true(reaches(&board->count[i % 3 ? 1 : 2], seen + 1));
        }
        ends_well(pid);
        close_three();
    }
}

/* ---- one sets and clears all the time ---- */

enum { WAITERS = 4 };

static int wait_often(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    while (!atomic_load(&board->go)) {
        salp_scope scope;
        salp_scope_open(&scope, rand_r(&random) % 4 ? SALP_FOREVER : SALP_MICROSECONDS(rand_r(&random) % 100));
        int result = salp_event_wait(event);
        OR_FAIL(result == 0 || result == -ETIMEDOUT);
        atomic_fetch_add(&board->count[0], result == 0);
        salp_scope_close(&scope);
    }
    return 0;
}

static int wait_often_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (uintptr_t i = 0; i < 4; i++)
        OR_FAIL(salp_go(&group, wait_often, (char *)arg + i) == 0);
    return salp_group_close(&group);
}

static void nobody_is_forgotten_while_it_is_set_and_cleared(void **state)
{
    pid_t pids[WAITERS];
    (void)state;
    board_open();
    open_event(false);
    for (int i = 0; i < WAITERS; i++)
        pids[i] = start_process(i % 2, i % 2 ? wait_often_in_tasks : wait_often, (void *)(uintptr_t)(1000 * i));
    for (int seen = 0, i = 0; i < test_scale(300); i++) {
        assert_int_equal(salp_event_set(event), 0);
        assert_int_equal(salp_event_clear(event), 0);
        seen = atomic_load(&board->count[0]);
        if (i % 16 == 0) /* those who were set free have gone on, and somebody comes again */
            for (int64_t end = clock_now() + patience(); atomic_load(&board->count[0]) == seen;) {
                assert_true(clock_now() < end);
                assert_int_equal(salp_event_set(event), 0);
                assert_int_equal(salp_event_clear(event), 0);
                doze(SALP_MICROSECONDS(50));
            }
    }
    atomic_store(&board->go, 1);
    assert_int_equal(salp_event_set(event), 0);
    for (int i = 0; i < WAITERS; i++)
        ends_well(pids[i]);
    salp_event_close(event);
}

/* ---- deaths ---- */

static int wait_without_end(void *arg)
{
    return wait_for_it(arg);
}

static void the_dead_who_waited_are_forgotten(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_event(false);
        atomic_store(&board->count[0], 0);
        pid_t victim = start_process(in_loop, wait_without_end, NULL);
        assert_true(come_to_wait(salp_event_fd(event), 1));
        pid_t other = start_process(!in_loop, wait_and_close, NULL);
        assert_true(come_to_wait(salp_event_fd(event), 2));
        kill_process(victim);
        assert_true(come_to_wait(salp_event_fd(event), 1)); /* the other one has buried it */
        assert_int_equal(salp_event_set(event), 0);
        ends_well(other);
        assert_int_equal(atomic_load(&board->count[0]), 1);
        salp_event_close(event);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it works within a process", it_works_within_a_process),
        TEST("what is no shared event is refused", what_is_no_shared_event_is_refused),
        TEST("all who wait go on, also if it is cleared at once", all_who_wait_go_on_also_if_it_is_cleared_at_once),
        TEST("a descriptor is enough", a_descriptor_is_enough),
        TEST("a select sees what is set", a_select_sees_what_is_set),
        TEST("a select in another process sees each pulse", a_select_in_another_process_sees_each_pulse),
        TEST_LIMIT("nobody is forgotten while it is set and cleared", nobody_is_forgotten_while_it_is_set_and_cleared,
                   60),
        TEST("the dead who waited are forgotten", the_dead_who_waited_are_forgotten),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
