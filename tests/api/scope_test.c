/*
 * Scopes: deadlines and cancellation, in tasks and in plain threads. When deadlines come is for fault/timeout.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

/* Each body below is run in a task and in a plain thread. */
static bool in_task;

static void run_both_ways(int (*body)(void *))
{
    in_task = true;
    assert_int_equal(salp_run(body, NULL), 0);
    in_task = false;
    assert_int_equal(body(NULL), 0);
}

#define BOTH_WAYS(body, name)      \
    static void name(void **state) \
    {                              \
        (void)state;               \
        run_both_ways(body);       \
    }

static int end_in_time(void *arg)
{
    salp_scope scope;
    int64_t began = milliseconds_now();
    (void)arg;
    salp_scope_open(&scope, SALP_MILLISECONDS(5));
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT);
    EXPECT(milliseconds_now() - began >= 4);
    EXPECT(salp_sleep(NEVER_SEEN) == -ETIMEDOUT);
    EXPECT(salp_yield() == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_sleep(1) == 0);
    return 0;
}
BOTH_WAYS(end_in_time, a_deadline_ends_whatever_waits)

static int end_at_once(void *arg)
{
    salp_scope scope;
    (void)arg;
    for (int64_t timeout = -1; timeout <= 0; timeout++) {
        salp_scope_open(&scope, timeout);
        EXPECT(salp_sleep(1) == -ETIMEDOUT);
        EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    }
    salp_scope_open(&scope, INT64_MIN);
    EXPECT(salp_scope_close(&scope) == 0); /* it has ended nothing */
    return 0;
}
BOTH_WAYS(end_at_once, a_deadline_in_the_past_is_over_at_once)

static int finish_early(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_scope_open(&scope, NEVER_SEEN);
    EXPECT(salp_sleep(SALP_MICROSECONDS(10)) == 0);
    EXPECT(salp_scope_close(&scope) == 0);
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_scope_close(&scope) == 0);
    return 0;
}
BOTH_WAYS(finish_early, work_that_ends_in_time_is_not_disturbed)

/* The tightest wins, and closing tells whose it was. */
static int nest(void *arg)
{
    salp_scope outer, inner;
    (void)arg;
    salp_scope_open(&outer, SALP_MILLISECONDS(3));
    salp_scope_open(&inner, NEVER_SEEN);
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&inner) == 0);
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&outer) == -ETIMEDOUT);

    salp_scope_open(&outer, NEVER_SEEN);
    salp_scope_open(&inner, SALP_MILLISECONDS(3));
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&inner) == -ETIMEDOUT);
    EXPECT(salp_sleep(1) == 0);
    EXPECT(salp_scope_close(&outer) == 0);
    return 0;
}
BOTH_WAYS(nest, the_tightest_deadline_wins_and_closing_tells_whose_it_was)

static int cancel_oneself(void *arg)
{
    salp_scope outer, inner;
    (void)arg;
    salp_scope_open(&outer, NEVER_SEEN);
    salp_scope_open(&inner, NEVER_SEEN);
    salp_scope_cancel(&outer);
    salp_scope_cancel(&outer);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_sleep(1) == -ECANCELED);
    EXPECT(salp_scope_close(&inner) == 0);
    EXPECT(salp_scope_close(&outer) == -ECANCELED);
    EXPECT(salp_sleep(1) == 0);
    return 0;
}
BOTH_WAYS(cancel_oneself, a_cancelled_scope_stays_cancelled_until_it_is_closed)

static int clean_up(void *arg)
{
    salp_scope outer, shield, inside;
    (void)arg;
    salp_scope_open(&outer, 0);
    EXPECT(salp_sleep(1) == -ETIMEDOUT);
    salp_scope_shield(&shield, NEVER_SEEN);
    EXPECT(salp_sleep(SALP_MICROSECONDS(10)) == 0);
    salp_scope_open(&inside, SALP_MILLISECONDS(1));
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&inside) == -ETIMEDOUT);
    EXPECT(salp_sleep(1) == 0);
    EXPECT(salp_scope_close(&shield) == 0);
    EXPECT(salp_sleep(1) == -ETIMEDOUT);
    salp_scope_shield(&shield, SALP_MILLISECONDS(1));
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT); /* its own deadline holds */
    EXPECT(salp_scope_close(&shield) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&outer) == -ETIMEDOUT);
    return 0;
}
BOTH_WAYS(clean_up, a_shield_keeps_outer_scopes_out)

static int close_in_the_wrong_order(void *arg)
{
    salp_scope outer, inner;
    (void)arg;
    salp_scope_open(&outer, NEVER_SEEN);
    salp_scope_open(&inner, NEVER_SEEN);
    EXPECT(salp_scope_close(&outer) == -EINVAL); /* and the inner one with it */
    EXPECT(salp_scope_close(&inner) == -EINVAL);
    EXPECT(salp_sleep(1) == 0);
    return 0;
}
BOTH_WAYS(close_in_the_wrong_order, scopes_left_open_inside_are_closed_with_an_error)

/* ---- from elsewhere ---- */

struct meeting_point {
    salp_scope *_Atomic scope;
    atomic_bool inside, cancelled;
};

static void *cancel_from_a_thread(void *arg)
{
    struct meeting_point *point = arg;
    if (!reaches((atomic_int *)&point->inside, true))
        return NULL;
    doze(SALP_MILLISECONDS(1));
    salp_scope_cancel(atomic_load(&point->scope));
    atomic_store(&point->cancelled, true);
    return NULL;
}

static int be_cancelled(void *arg)
{
    static union {
        struct meeting_point point;
        atomic_int word;
    } shared;
    pthread_t thread;
    salp_scope outer, scope;
    (void)arg;
    memset(&shared, 0, sizeof shared);
    salp_scope_open(&outer, NEVER_SEEN);
    salp_scope_open(&scope, NEVER_SEEN);
    atomic_store(&shared.point.scope, &scope);
    EXPECT(pthread_create(&thread, NULL, cancel_from_a_thread, &shared.point) == 0);
    atomic_store(&shared.point.inside, true);
    EXPECT(salp_sleep(SALP_FOREVER) == -ECANCELED);
    while (!atomic_load(&shared.point.cancelled)) /* the scope has to stay until then */
        EXPECT(salp_yield() == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(salp_sleep(1) == 0);
    EXPECT(salp_scope_close(&outer) == 0);
    return 0;
}
BOTH_WAYS(be_cancelled, another_thread_may_cancel)

/* The scope ends by itself while another thread is cancelling it: neither of them is left behind. */
static int close_while_cancelled(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_scale(200); i++) {
        static union {
            struct meeting_point point;
            atomic_int word;
        } shared;
        pthread_t thread;
        salp_scope scope;
        memset(&shared, 0, sizeof shared);
        salp_scope_open(&scope, SALP_FOREVER);
        atomic_store(&shared.point.scope, &scope);
        EXPECT(pthread_create(&thread, NULL, cancel_from_a_thread, &shared.point) == 0);
        atomic_store(&shared.point.inside, true);
        EXPECT(salp_sleep(SALP_FOREVER) == -ECANCELED); /* it has begun */
        EXPECT(salp_scope_close(&scope) == -ECANCELED);
        memset(&scope, 0xff, sizeof scope);
        EXPECT(pthread_join(thread, NULL) == 0);
    }
    return 0;
}
BOTH_WAYS(close_while_cancelled, a_scope_may_be_closed_while_it_is_cancelled)

/* ---- trees of tasks ---- */

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return salp_sleep(SALP_FOREVER);
}

/* A thread's scopes reach into the loop that it runs. */
static int sleep_in_tasks(void *arg)
{
    int error = *(int *)arg;
    salp_group group;
    salp_scope shield;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, sleep_for_ever, NULL) == 0);
    EXPECT(salp_group_close(&group) == error);
    EXPECT(salp_sleep(1) == error);
    salp_scope_shield(&shield, NEVER_SEEN);
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0);
    EXPECT(salp_scope_close(&shield) == 0);
    return 17;
}

static void a_deadline_of_a_thread_reaches_into_its_loop(void **state)
{
    salp_scope outer, inner;
    int error = -ETIMEDOUT;
    (void)state;
    salp_scope_open(&outer, NEVER_SEEN);
    salp_scope_open(&inner, SALP_MILLISECONDS(3));
    assert_int_equal(salp_run(sleep_in_tasks, &error), 17);
    assert_int_equal(salp_scope_close(&inner), -ETIMEDOUT);
    assert_int_equal(salp_sleep(1), 0);
    assert_int_equal(salp_scope_close(&outer), 0);
    salp_scope_open(&outer, 0);
    salp_scope_shield(&inner, SALP_MILLISECONDS(3));
    assert_int_equal(salp_run(sleep_in_tasks, &error), 17);
    assert_int_equal(salp_scope_close(&inner), -ETIMEDOUT);
    assert_int_equal(salp_scope_close(&outer), 0);
}

/* Also at the moment when the loop begins or ends. */
static int nap_in_task(void *arg)
{
    (void)arg;
    return salp_sleep(SALP_MICROSECONDS(50));
}

static void *cancel_at_any_time(void *arg)
{
    struct meeting_point *point = arg;
    while (!atomic_load(&point->inside))
        continue;
    salp_scope_cancel(atomic_load(&point->scope));
    atomic_store(&point->cancelled, true);
    return NULL;
}

static void a_threads_scope_may_be_cancelled_while_it_runs_a_loop(void **state)
{
    static struct meeting_point point;
    (void)state;
    for (int i = 0; i < test_scale(300); i++) {
        int error = -ECANCELED;
        pthread_t thread;
        salp_scope scope;
        memset(&point, 0, sizeof point);
        salp_scope_open(&scope, SALP_FOREVER);
        atomic_store(&point.scope, &scope);
        assert_int_equal(pthread_create(&thread, NULL, i % 3 ? cancel_at_any_time : cancel_from_a_thread, &point), 0);
        atomic_store(&point.inside, true);
        if (i % 2) {
            while (!atomic_load(&point.cancelled))
                salp_run(nap_in_task, NULL);
            assert_int_equal(salp_run(nap_in_task, NULL), -ECANCELED);
        } else {
            assert_int_equal(salp_run(sleep_in_tasks, &error), 17);
        }
        assert_int_equal(salp_scope_close(&scope), -ECANCELED);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

static bool helped;

static int help(void *arg)
{
    (void)arg;
    helped = true;
    return 0;
}

static int poll_for_help(void *arg)
{
    salp_scope scope;
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    salp_scope_open(&scope, 0);
    EXPECT(salp_go(&group, help, NULL) == 0);
    while (!helped)
        EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return salp_group_close(&group);
}

static void a_call_that_ends_at_once_lets_others_go_on(void **state)
{
    (void)state;
    assert_int_equal(salp_run(poll_for_help, NULL), 0);
}

static int tidied;

static int tidy_up(void *arg)
{
    salp_scope shield;
    (void)arg;
    int result = salp_sleep(SALP_FOREVER);
    salp_scope_shield(&shield, NEVER_SEEN);
    EXPECT(salp_sleep(SALP_MILLISECONDS(2)) == 0);
    EXPECT(salp_scope_close(&shield) == 0);
    tidied++;
    return result;
}

static int wait_for_cleaners(void *arg)
{
    salp_scope scope;
    salp_group group;
    (void)arg;
    salp_scope_open(&scope, NEVER_SEEN);
    salp_group_open(&group);
    for (int i = 0; i < 10; i++)
        EXPECT(salp_go(&group, tidy_up, NULL) == 0);
    EXPECT(salp_yield() == 0);
    salp_scope_cancel(&scope);
    EXPECT(tidied == 0);
    EXPECT(salp_group_close(&group) == -ECANCELED);
    EXPECT(tidied == 10);
    EXPECT(salp_sleep(1) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    return 0;
}

static void a_group_waits_for_the_clean_up_of_cancelled_tasks(void **state)
{
    (void)state;
    assert_int_equal(salp_run(wait_for_cleaners, NULL), 0);
}

static int work_behind_a_shield(void *arg)
{
    salp_scope shield;
    salp_group group;
    (void)arg;
    salp_scope_shield(&shield, NEVER_SEEN);
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, tidy_up, NULL) == 0);
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0); /* the cancellation outside has come and gone */
    EXPECT(tidied == 0);
    salp_group_cancel(&group);
    EXPECT(salp_group_close(&group) == -ECANCELED);
    EXPECT(salp_scope_close(&shield) == 0);
    return salp_sleep(1);
}

static int cancel_around_a_shield(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, work_behind_a_shield, NULL) == 0);
    EXPECT(salp_yield() == 0);
    salp_group_cancel(&group);
    EXPECT(salp_group_close(&group) == -ECANCELED);
    EXPECT(tidied == 3);
    return 0;
}

static void tasks_behind_a_shield_are_not_cancelled_from_outside(void **state)
{
    (void)state;
    assert_int_equal(salp_run(cancel_around_a_shield, NULL), 0);
}

static int forget_a_group(void *arg)
{
    salp_scope scope;
    salp_group group;
    (void)arg;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    salp_group_open(&group);
    EXPECT(salp_go(&group, tidy_up, NULL) == 0);
    EXPECT(salp_scope_close(&scope) == -EINVAL);
    EXPECT(tidied == 1); /* it was waited for all the same */
    return 0;
}

static void a_group_left_open_inside_is_waited_for(void **state)
{
    (void)state;
    assert_int_equal(salp_run(forget_a_group, NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a deadline ends whatever waits", a_deadline_ends_whatever_waits),
        TEST("a deadline in the past is over at once", a_deadline_in_the_past_is_over_at_once),
        TEST("work that ends in time is not disturbed", work_that_ends_in_time_is_not_disturbed),
        TEST("the tightest deadline wins and closing tells whose it was",
             the_tightest_deadline_wins_and_closing_tells_whose_it_was),
        TEST("a cancelled scope stays cancelled until it is closed",
             a_cancelled_scope_stays_cancelled_until_it_is_closed),
        TEST("a shield keeps outer scopes out", a_shield_keeps_outer_scopes_out),
        TEST("scopes left open inside are closed with an error", scopes_left_open_inside_are_closed_with_an_error),
        TEST("another thread may cancel", another_thread_may_cancel),
        TEST("a scope may be closed while it is cancelled", a_scope_may_be_closed_while_it_is_cancelled),
        TEST("a deadline of a thread reaches into its loop", a_deadline_of_a_thread_reaches_into_its_loop),
        TEST("a thread's scope may be cancelled while it runs a loop",
             a_threads_scope_may_be_cancelled_while_it_runs_a_loop),
        TEST("a call that ends at once lets others go on", a_call_that_ends_at_once_lets_others_go_on),
        TEST("a group waits for the clean-up of cancelled tasks", a_group_waits_for_the_clean_up_of_cancelled_tasks),
        TEST("tasks behind a shield are not cancelled from outside",
             tasks_behind_a_shield_are_not_cancelled_from_outside),
        TEST("a group left open inside is waited for", a_group_left_open_inside_is_waited_for),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
