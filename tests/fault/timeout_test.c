/*
 * Time-outs, on a clock that jumps: they take no time, and come at their very nanosecond however slow the machine is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/tasks.h"

#include <salp/queue.h>

#include "os/pretend.h"

/* Whether so much time has passed since `begin`; looking at the clock takes a nanosecond, and a thread looks a while before
   it sleeps. */
static bool took(int64_t begin, int64_t length)
{
    int64_t passed = salp_now() - begin;
    return passed >= length && passed < length + SALP_MICROSECONDS(50);
}

/* Keeps the processor for so long. */
static void work_for(int64_t length)
{
    for (int64_t end = salp_now() + length; salp_now() < end;)
        continue;
}

/* In a task and in a plain thread. */
static void run_both_ways(salp_fn *body)
{
    salp__pretend_time();
    assert_int_equal(salp_run(body, NULL), 0);
    assert_int_equal(body(NULL), 0);
}

/* ---- whatever waits ---- */

static salp_mutex *mutex;
static salp_semaphore *semaphore;
static salp_event *event;
static salp_condition *condition;
static salp_barrier *barrier;
static salp_rwlock *rwlock;
static salp_queue *empty, *full;
static salp_future *future;
static int value;

static void open_all(void)
{
    int item = 5;
    const salp_queue_options options = { .item_size = sizeof item, .capacity = 1 };
    EXPECT(salp_mutex_open(&mutex, NULL) == 0 && salp_semaphore_open(&semaphore, NULL) == 0);
    EXPECT(salp_event_open(&event, NULL) == 0 && salp_condition_open(&condition, NULL) == 0);
    EXPECT(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 2 }) == 0);
    EXPECT(salp_rwlock_open(&rwlock, NULL) == 0 && salp_rwlock_lock_read(rwlock) == 0);
    EXPECT(salp_queue_open(&empty, &options) == 0 && salp_queue_open(&full, &options) == 0);
    EXPECT(salp_queue_put(full, &item) == 0 && salp_future_open(&future) == 0);
}

static void close_all(void)
{
    salp_mutex_close(mutex);
    salp_semaphore_close(semaphore);
    salp_event_close(event);
    salp_condition_close(condition);
    salp_barrier_close(barrier);
    salp_rwlock_close(rwlock);
    salp_queue_close(empty);
    salp_queue_close(full);
    EXPECT(salp_future_resolve(future, 0) == 0);
    salp_future_free(future);
}

static int waits_to_sleep(void)
{
    return salp_sleep(SALP_FOREVER);
}

static int waits_for_semaphore(void)
{
    return salp_semaphore_acquire(semaphore);
}

static int waits_for_event(void)
{
    return salp_event_wait(event);
}

static int waits_for_condition(void)
{
    int result = salp_mutex_lock(mutex);
    if (result == 0) {
        result = salp_condition_wait(condition, mutex);
        EXPECT(salp_mutex_unlock(mutex) == 0); /* it was locked again */
    }
    return result;
}

static int waits_at_barrier(void)
{
    int result = salp_barrier_wait(barrier);
    EXPECT(salp_barrier_reset(barrier) == 0);
    return result;
}

static int waits_to_write(void)
{
    return salp_rwlock_lock_write(rwlock);
}

static int waits_for_item(void)
{
    return salp_queue_get(empty, &value);
}

static int waits_for_room(void)
{
    return salp_queue_put(full, &value);
}

static int waits_for_work_to_be_done(void)
{
    return salp_queue_join(full);
}

static int waits_for_future(void)
{
    return salp_future_wait(future);
}

static int waits_for_the_first_of_several(void)
{
    return salp_select((salp_case[]){ { .get = empty, .item = &value },
                                      { .put = full, .item = &value },
                                      { .event = event },
                                      { .future = future },
                                      { .after = SALP_SECONDS(1000) } },
                       5);
}

static int waits_for_nothing_at_all(void)
{
    return salp_select(NULL, 0);
}

static int (*const waits[])(void) = {
    waits_to_sleep,
    waits_for_semaphore,
    waits_for_event,
    waits_for_condition,
    waits_at_barrier,
    waits_to_write,
    waits_for_item,
    waits_for_room,
    waits_for_work_to_be_done,
    waits_for_future,
    waits_for_the_first_of_several,
    waits_for_nothing_at_all,
};

static int end_each_in_time(void *arg)
{
    (void)arg;
    open_all();
    value = 7;
    for (size_t i = 0; i < LENGTH(waits); i++) {
        salp_scope scope;
        int64_t begin = salp_now();
        salp_scope_open(&scope, SALP_SECONDS(900));
        EXPECT(waits[i]() == -ETIMEDOUT);
        EXPECT(took(begin, SALP_SECONDS(900)));
        EXPECT(waits[i]() == -ETIMEDOUT); /* again, and at once */
        EXPECT(took(begin, SALP_SECONDS(900)));
        EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    }
    /* Nothing was taken or put, and nobody is left in a line. */
    EXPECT(value == 7 && salp_queue_count(empty) == 0 && salp_queue_count(full) == 1);
    EXPECT(salp_semaphore_release(semaphore, 1) == 0 && waits_for_semaphore() == 0);
    EXPECT(salp_semaphore_try_acquire(semaphore) == -EAGAIN);
    EXPECT(salp_queue_try_put(empty, &value) == 0 && waits_for_item() == 0);
    EXPECT(salp_queue_get(full, &value) == 0 && value == 5 && waits_for_room() == 0);
    EXPECT(salp_rwlock_try_lock_write(rwlock) == -EBUSY && salp_rwlock_unlock(rwlock) == 0);
    EXPECT(salp_rwlock_try_lock_write(rwlock) == 0 && salp_rwlock_unlock(rwlock) == 0);
    EXPECT(salp_mutex_try_lock(mutex) == 0 && salp_mutex_unlock(mutex) == 0);
    EXPECT(!salp_future_ready(future));
    close_all();
    return 0;
}

static void a_deadline_ends_whatever_waits_and_nothing_is_taken(void **state)
{
    (void)state;
    run_both_ways(end_each_in_time);
}

static int locks_in_vain(void *arg)
{
    salp_scope scope;
    int64_t begin = salp_now();
    (void)arg;
    salp_scope_open(&scope, SALP_SECONDS(3));
    EXPECT(salp_mutex_lock(mutex) == -ETIMEDOUT && took(begin, SALP_SECONDS(3)));
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_mutex_lock(mutex) == 0 && took(begin, SALP_SECONDS(5)));
    return salp_mutex_unlock(mutex);
}

static int holds_for_a_time(void *arg)
{
    salp_group group;
    (void)arg;
    EXPECT(salp_mutex_open(&mutex, NULL) == 0 && salp_mutex_lock(mutex) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, locks_in_vain, NULL) == 0);
    EXPECT(salp_sleep(SALP_SECONDS(5)) == 0);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    EXPECT(salp_group_close(&group) == 0);
    salp_mutex_close(mutex);
    return 0;
}

static void who_gives_a_mutex_up_may_come_again(void **state)
{
    (void)state;
    salp__pretend_time();
    assert_int_equal(salp_run(holds_for_a_time, NULL), 0);
}

static int waits_with_a_deadline(void *arg)
{
    salp_scope scope;
    int result;
    salp_scope_open(&scope, SALP_SECONDS(2));
    EXPECT(salp_rwlock_lock_write(rwlock) == -ETIMEDOUT);
    result = salp_scope_close(&scope);
    *(int64_t *)arg = salp_now();
    return result == -ETIMEDOUT ? 0 : -EPROTO;
}

static int reads_behind(void *arg)
{
    EXPECT(salp_rwlock_lock_read(rwlock) == 0);
    *(int64_t *)arg = salp_now();
    return salp_rwlock_unlock(rwlock);
}

static int read_behind_a_writer(void *arg)
{
    salp_group group;
    int64_t given_up = 0, read = 0, begin = salp_now();
    (void)arg;
    EXPECT(salp_rwlock_open(&rwlock, NULL) == 0 && salp_rwlock_lock_read(rwlock) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, waits_with_a_deadline, &given_up) == 0 && salp_go(&group, reads_behind, &read) == 0);
    EXPECT(salp_sleep(SALP_SECONDS(1)) == 0 && read == 0); /* nobody overtakes */
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(given_up > 0 && read > 0 && took(begin, SALP_SECONDS(2))); /* though the first reader has it still */
    EXPECT(salp_rwlock_unlock(rwlock) == 0);
    salp_rwlock_close(rwlock);
    return 0;
}

static void readers_behind_a_writer_that_gives_up_go_on(void **state)
{
    (void)state;
    salp__pretend_time();
    assert_int_equal(salp_run(read_behind_a_writer, NULL), 0);
}

static int comes(void *arg)
{
    *(int *)arg = salp_barrier_wait(barrier);
    return 0;
}

static int break_a_barrier(void *arg)
{
    salp_group group;
    salp_scope scope;
    int results[2] = { 0, 0 };
    int64_t begin = salp_now();
    (void)arg;
    EXPECT(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 4 }) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, comes, &results[0]) == 0 && salp_go(&group, comes, &results[1]) == 0);
    salp_scope_open(&scope, SALP_SECONDS(60));
    EXPECT(salp_barrier_wait(barrier) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_group_close(&group) == 0 && took(begin, SALP_SECONDS(60)));
    EXPECT(results[0] == SALP_EBROKEN && results[1] == SALP_EBROKEN);
    salp_barrier_close(barrier);
    return 0;
}

static void who_gives_up_at_a_barrier_breaks_it_for_the_others(void **state)
{
    (void)state;
    salp__pretend_time();
    assert_int_equal(salp_run(break_a_barrier, NULL), 0);
}

static int select_in_time(void *arg)
{
    int64_t begin = salp_now();
    (void)arg;
    salp_case cases[] = { { .after = SALP_SECONDS(9) }, { .after = SALP_SECONDS(8) }, { .after = SALP_SECONDS(10) } };
    EXPECT(salp_select(cases, 3) == 1 && took(begin, SALP_SECONDS(8)));
    return 0;
}

static void a_select_ends_at_its_first_time(void **state)
{
    (void)state;
    run_both_ways(select_in_time);
}

/* ---- scopes in scopes ---- */

static int nest(void *arg)
{
    salp_scope outer, inner;
    int64_t begin = salp_now();
    (void)arg;
    salp_scope_open(&outer, SALP_SECONDS(3));
    salp_scope_open(&inner, SALP_SECONDS(4));
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT && took(begin, SALP_SECONDS(3)));
    EXPECT(salp_scope_close(&inner) == 0);
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&outer) == -ETIMEDOUT);

    begin = salp_now();
    salp_scope_open(&outer, SALP_SECONDS(4));
    salp_scope_open(&inner, SALP_SECONDS(3));
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT && took(begin, SALP_SECONDS(3)));
    EXPECT(salp_scope_close(&inner) == -ETIMEDOUT);
    EXPECT(salp_sleep(SALP_SECONDS(1) / 2) == 0);
    EXPECT(salp_sleep(SALP_SECONDS(1)) == -ETIMEDOUT && took(begin, SALP_SECONDS(4)));
    EXPECT(salp_scope_close(&outer) == -ETIMEDOUT);
    return 0;
}

static void the_tightest_deadline_wins_and_closing_tells_whose_it_was(void **state)
{
    (void)state;
    run_both_ways(nest);
}

static int clean_up(void *arg)
{
    salp_scope outer, shield, inside;
    int64_t begin = salp_now();
    (void)arg;
    salp_scope_open(&outer, 0);
    EXPECT(salp_sleep(1) == -ETIMEDOUT);
    salp_scope_shield(&shield, SALP_SECONDS(50));
    EXPECT(salp_sleep(SALP_SECONDS(10)) == 0);
    salp_scope_open(&inside, SALP_SECONDS(1));
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT && took(begin, SALP_SECONDS(11)));
    EXPECT(salp_scope_close(&inside) == -ETIMEDOUT);
    EXPECT(salp_sleep(SALP_FOREVER) == -ETIMEDOUT && took(begin, SALP_SECONDS(50))); /* its own deadline holds */
    EXPECT(salp_scope_close(&shield) == -ETIMEDOUT);
    EXPECT(salp_sleep(1) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&outer) == -ETIMEDOUT);
    return 0;
}

static void a_shield_keeps_outer_scopes_out_for_a_time(void **state)
{
    (void)state;
    run_both_ways(clean_up);
}

static int work_past_the_deadline(void *arg)
{
    salp_scope scope;
    int turns = 0;
    (void)arg;
    salp_scope_open(&scope, SALP_MICROSECONDS(10));
    for (; salp_yield() == 0; turns++)
        work_for(SALP_MICROSECONDS(4));
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(turns == 3);
    return 0;
}

static void a_deadline_is_seen_at_the_next_call(void **state)
{
    (void)state;
    run_both_ways(work_past_the_deadline);
}

/* ---- trees of tasks ---- */

static char trace[64];

static int sleeps_for_hours(void *arg)
{
    int hours = (int)(intptr_t)arg;
    EXPECT(salp_sleep(hours * SALP_SECONDS(3600)) == 0);
    trace[strlen(trace)] = (char)('0' + hours);
    return 0;
}

static int sleep_in_parallel(void *arg)
{
    static const int hours[] = { 3, 1, 4, 0, 2, 5 };
    salp_group group;
    int64_t begin = salp_now();
    (void)arg;
    salp_group_open(&group);
    for (size_t i = 0; i < LENGTH(hours); i++)
        EXPECT(salp_go(&group, sleeps_for_hours, (void *)(intptr_t)hours[i]) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(took(begin, SALP_SECONDS(5 * 3600)));
    return 0;
}

static void sleepers_wake_in_the_order_of_their_times(void **state)
{
    (void)state;
    salp__pretend_time();
    assert_int_equal(salp_run(sleep_in_parallel, NULL), 0);
    assert_string_equal(trace, "012345");
}

static int sleeps_for_ever(void *arg)
{
    (void)arg;
    return salp_sleep(SALP_FOREVER);
}

/* One task is busy when the deadline comes, and is the first to see it; the others sleep. */
static int see_it_first(void *arg)
{
    salp_scope scope;
    salp_group group;
    int64_t begin = salp_now();
    (void)arg;
    salp_scope_open(&scope, SALP_MICROSECONDS(100));
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, sleeps_for_ever, NULL) == 0);
    EXPECT(salp_yield() == 0); /* they sleep */
    work_for(SALP_MICROSECONDS(110));
    EXPECT(salp_sleep(1) == -ETIMEDOUT);
    EXPECT(salp_group_close(&group) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_now() - begin < SALP_MICROSECONDS(200));
    return 0;
}

static void a_deadline_that_a_busy_task_sees_first_reaches_the_others(void **state)
{
    (void)state;
    salp__pretend_time();
    assert_int_equal(salp_run(see_it_first, NULL), 0);
}

static int tidied;

static int tidies_up(void *arg)
{
    salp_scope shield;
    (void)arg;
    int result = salp_sleep(SALP_FOREVER);
    salp_scope_shield(&shield, SALP_SECONDS(100));
    EXPECT(salp_sleep(SALP_SECONDS(20)) == 0);
    EXPECT(salp_scope_close(&shield) == 0);
    tidied++;
    return result;
}

static int wait_for_cleaners(void *arg)
{
    salp_scope scope;
    salp_group group;
    int64_t begin = salp_now();
    (void)arg;
    salp_scope_open(&scope, SALP_SECONDS(2));
    salp_group_open(&group);
    for (int i = 0; i < 10; i++)
        EXPECT(salp_go(&group, tidies_up, NULL) == 0);
    EXPECT(salp_group_close(&group) == -ETIMEDOUT);
    EXPECT(tidied == 10 && took(begin, SALP_SECONDS(22)));
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return 0;
}

static void a_group_waits_for_the_clean_up_of_tasks_whose_time_is_over(void **state)
{
    (void)state;
    salp__pretend_time();
    assert_int_equal(salp_run(wait_for_cleaners, NULL), 0);
}

static int sleep_in_tasks(void *arg)
{
    salp_group group;
    salp_scope shield;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, sleeps_for_ever, NULL) == 0);
    EXPECT(salp_group_close(&group) == -ETIMEDOUT);
    EXPECT(salp_sleep(1) == -ETIMEDOUT);
    salp_scope_shield(&shield, SALP_SECONDS(100));
    EXPECT(salp_sleep(SALP_SECONDS(1)) == 0);
    EXPECT(salp_scope_close(&shield) == 0);
    return 17;
}

static void a_deadline_of_a_thread_reaches_into_its_loop(void **state)
{
    salp_scope outer, inner;
    (void)state;
    salp__pretend_time();
    int64_t begin = salp_now();
    salp_scope_open(&outer, SALP_SECONDS(10));
    salp_scope_open(&inner, SALP_SECONDS(3));
    assert_int_equal(salp_run(sleep_in_tasks, NULL), 17);
    assert_true(took(begin, SALP_SECONDS(4)));
    assert_int_equal(salp_scope_close(&inner), -ETIMEDOUT);
    assert_int_equal(salp_sleep(1), 0);
    assert_int_equal(salp_scope_close(&outer), 0);
    salp_scope_open(&outer, 0);
    salp_scope_shield(&inner, SALP_SECONDS(3));
    assert_int_equal(salp_run(sleep_in_tasks, NULL), 17);
    assert_int_equal(salp_scope_close(&inner), -ETIMEDOUT);
    assert_int_equal(salp_scope_close(&outer), 0);
}

/* ---- slow tasks ---- */

static struct {
    int count;
    int64_t longest;
    char names[64];
} reports;

static void on_slow(const char *name, int64_t nanoseconds, void *arg)
{
    EXPECT(arg == &reports);
    reports.count++;
    if (nanoseconds > reports.longest)
        reports.longest = nanoseconds;
    strncat(reports.names, name, sizeof reports.names - strlen(reports.names) - 1);
}

static void run_with_reports(salp_fn *function, int64_t slow)
{
    salp__pretend_time();
    memset(&reports, 0, sizeof reports);
    assert_int_equal(
        salp_run_with(function, NULL, &(salp_run_options){ .slow = slow, .on_slow = on_slow, .arg = &reports }), 0);
}

static int keeps_the_processor(void *arg)
{
    (void)arg;
    work_for(SALP_MICROSECONDS(40));
    return 0;
}

static int yields_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        work_for(SALP_MICROSECONDS(20));
        EXPECT(salp_yield() == 0);
    }
    return 0;
}

static int slow_and_others(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go_with(&group, yields_often, arg, &(salp_task_options){ .name = "quick" }) == 0);
    EXPECT(salp_go_with(&group, keeps_the_processor, arg, &(salp_task_options){ .name = "slow" }) == 0);
    EXPECT(salp_sleep(SALP_SECONDS(1)) == 0); /* to wait is not to keep it */
    return salp_group_close(&group);
}

static void only_a_task_that_holds_up_the_others_is_reported(void **state)
{
    (void)state;
    run_with_reports(slow_and_others, SALP_MICROSECONDS(30));
    assert_string_equal(reports.names, "slow");
    assert_in_range(reports.longest, SALP_MICROSECONDS(40), SALP_MICROSECONDS(41));
}

/* It comes after itself, and no other one between. */
static int is_slow_once_and_its_own_successor(void *arg)
{
    EXPECT(yields_often(arg) == 0);
    EXPECT(reports.count == 0);
    work_for(SALP_MICROSECONDS(50));
    EXPECT(salp_yield() == 0 && salp_yield() == 0); /* the report comes behind us, and then before us */
    EXPECT(reports.count == 1);
    return yields_often(arg);
}

static void a_task_that_is_its_own_successor_is_reported_for_what_it_has_kept_at_once(void **state)
{
    (void)state;
    run_with_reports(is_slow_once_and_its_own_successor, SALP_MICROSECONDS(30));
    assert_string_equal(reports.names, "main");
    assert_in_range(reports.longest, SALP_MICROSECONDS(50), SALP_MICROSECONDS(51));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a deadline ends whatever waits, and nothing is taken",
             a_deadline_ends_whatever_waits_and_nothing_is_taken),
        TEST("who gives a mutex up may come again", who_gives_a_mutex_up_may_come_again),
        TEST("readers behind a writer that gives up go on", readers_behind_a_writer_that_gives_up_go_on),
        TEST("who gives up at a barrier breaks it for the others", who_gives_up_at_a_barrier_breaks_it_for_the_others),
        TEST("a select ends at its first time", a_select_ends_at_its_first_time),
        TEST("the tightest deadline wins and closing tells whose it was",
             the_tightest_deadline_wins_and_closing_tells_whose_it_was),
        TEST("a shield keeps outer scopes out for a time", a_shield_keeps_outer_scopes_out_for_a_time),
        TEST("a deadline is seen at the next call", a_deadline_is_seen_at_the_next_call),
        TEST("sleepers wake in the order of their times", sleepers_wake_in_the_order_of_their_times),
        TEST("a deadline that a busy task sees first reaches the others",
             a_deadline_that_a_busy_task_sees_first_reaches_the_others),
        TEST("a group waits for the clean-up of tasks whose time is over",
             a_group_waits_for_the_clean_up_of_tasks_whose_time_is_over),
        TEST("a deadline of a thread reaches into its loop", a_deadline_of_a_thread_reaches_into_its_loop),
        TEST("only a task that holds up the others is reported", only_a_task_that_holds_up_the_others_is_reported),
        TEST("a task that is its own successor is reported for what it has kept at once",
             a_task_that_is_its_own_successor_is_reported_for_what_it_has_kept_at_once),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
