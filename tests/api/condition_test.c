/*
 * Conditions, and mutexes that threads fight for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <sched.h>

#include <salp/sync.h>

static salp_mutex *mutex;
static char trace[256];

static void note(const char *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
}

static salp_condition *condition;
static int stock;

static int take_from_stock(void *name)
{
    EXPECT(salp_mutex_lock(mutex) == 0);
    while (stock == 0)
        EXPECT(salp_condition_wait(condition, mutex) == 0);
    stock--;
    note(name);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static int cancel_when_sold_out(void *scope)
{
    while (stock > 0)
        EXPECT(salp_yield() == 0);
    salp_scope_cancel(scope);
    return 0;
}

static int conditions(void *arg)
{
    (void)arg;
    salp_group group;
    salp_scope scope;
    EXPECT(salp_mutex_open(&mutex, &(salp_mutex_options){ .recursive = true }) == 0);
    EXPECT(salp_condition_open(&condition, NULL) == 0);
    EXPECT(salp_condition_wait(condition, mutex) == -EPERM);
    EXPECT(salp_condition_signal(condition) == 0 && salp_condition_broadcast(condition) == 0); /* nobody is there */
    trace[0] = 0;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, take_from_stock, &"a\0b\0c"[2 * i]) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_mutex_lock(mutex) == 0 && salp_mutex_lock(mutex) == 0); /* they have unlocked it while they wait */
    stock = 1;
    EXPECT(salp_condition_signal(condition) == 0);
    EXPECT(salp_yield() == 0 && trace[0] == 0); /* woken, and waits for the mutex */
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_go(&group, cancel_when_sold_out, &scope) == 0);
    EXPECT(salp_condition_wait(condition, mutex) == -ECANCELED && stock == 0); /* given up, though locked twice */
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    salp_scope_open(&scope, SALP_MILLISECONDS(2));
    EXPECT(salp_condition_wait(condition, mutex) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_mutex_unlock(mutex) == 0 && salp_mutex_unlock(mutex) == 0 && salp_mutex_unlock(mutex) == -EPERM);
    EXPECT(strcmp(trace, "a") == 0);
    stock = 2;
    EXPECT(salp_condition_broadcast(condition) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(strcmp(trace, "abc") == 0 && stock == 0);
    salp_condition_close(condition);
    salp_mutex_close(mutex);
    return 0;
}

static void conditions_wake_in_order_and_lock_again(void **state)
{
    (void)state;
    assert_int_equal(salp_run(conditions, NULL), 0);
}

enum { GOODS = 4 };

static int goods, made, used, to_make;

/* Half of them make, half of them use: with two conditions, a mutex and a bound. */
static salp_condition *has_room, *has_goods;

static int make(void *arg)
{
    (void)arg;
    for (int i = 0; i < to_make; i++) {
        EXPECT(salp_mutex_lock(mutex) == 0);
        while (goods == GOODS)
            EXPECT(salp_condition_wait(has_room, mutex) == 0);
        goods++;
        made++;
        EXPECT(salp_condition_signal(has_goods) == 0);
        EXPECT(salp_mutex_unlock(mutex) == 0);
    }
    return 0;
}

static int use(void *arg)
{
    (void)arg;
    for (int i = 0; i < to_make; i++) {
        EXPECT(salp_mutex_lock(mutex) == 0);
        while (goods == 0)
            EXPECT(salp_condition_wait(has_goods, mutex) == 0);
        goods--;
        used++;
        EXPECT(salp_condition_signal(has_room) == 0);
        EXPECT(salp_mutex_unlock(mutex) == 0);
    }
    return 0;
}

static int make_and_use(void *arg)
{
    (void)arg;
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 2; i++)
        EXPECT(salp_go(&group, make, NULL) == 0 && salp_go(&group, use, NULL) == 0);
    return salp_group_close(&group);
}

static void *loop_of_makers(void *arg)
{
    EXPECT(salp_run(make_and_use, arg) == 0);
    return NULL;
}

static void *maker(void *arg)
{
    make(arg);
    return NULL;
}

static void *user(void *arg)
{
    use(arg);
    return NULL;
}

static void mutex_and_conditions_serve_tasks_loops_and_threads_at_once(void **state)
{
    (void)state;
    void *(*const kinds[])(void *) = { loop_of_makers, loop_of_makers, maker, user, maker, user };
    pthread_t threads[6];
    to_make = test_scale(2000);
    goods = made = used = 0;
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    assert_int_equal(salp_condition_open(&has_room, NULL), 0);
    assert_int_equal(salp_condition_open(&has_goods, NULL), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, kinds[i], NULL), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(made, 6 * to_make);
    assert_int_equal(used, 6 * to_make);
    salp_condition_close(has_room);
    salp_condition_close(has_goods);
    salp_mutex_close(mutex);
}

/* ---- a mutex between threads ---- */

static void *locks_again_at_once(void *arg)
{
    _Atomic bool *stop = arg;
    while (!*stop) {
        EXPECT(salp_mutex_lock(mutex) == 0);
        EXPECT(salp_mutex_unlock(mutex) == 0);
    }
    return NULL;
}

static int locks_a_few_times(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        EXPECT(salp_mutex_lock(mutex) == 0);
        EXPECT(salp_yield() == 0);
        EXPECT(salp_mutex_unlock(mutex) == 0);
        EXPECT(salp_sleep(SALP_MICROSECONDS(10)) == 0);
    }
    return 0;
}

static void nobody_starves_beside_threads_that_lock_again_at_once(void **state)
{
    (void)state;
    pthread_t threads[3];
    _Atomic bool stop = false;
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, locks_again_at_once, &stop), 0);
    assert_int_equal(salp_run(locks_a_few_times, NULL), 0);
    assert_int_equal(locks_a_few_times(NULL), 0);
    stop = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    salp_mutex_close(mutex);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    assert_int_equal(salp_condition_open(NULL, NULL), -EINVAL);
    assert_int_equal(salp_condition_open(&condition, NULL), 0);
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    assert_int_equal(salp_condition_wait(NULL, mutex), -EINVAL);
    assert_int_equal(salp_condition_wait(condition, NULL), -EINVAL);
    assert_int_equal(salp_condition_wait(condition, mutex), -EPERM);
    assert_int_equal(salp_condition_signal(NULL), -EINVAL);
    assert_int_equal(salp_condition_broadcast(NULL), -EINVAL);
    salp_condition_close(condition);
    salp_condition_close(NULL);
    salp_mutex_close(mutex);
}

/* ---- a mutex that was passed on to somebody who is not there yet ---- */

static _Atomic int stage;

static int locks_once(void *arg)
{
    (void)arg;
    EXPECT(salp_mutex_lock(mutex) == 0);
    return salp_mutex_unlock(mutex);
}

/* Two of its tasks are in line, and it does not let them go on. */
static int keeps_its_loop_busy(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, locks_once, arg) == 0 && salp_go(&group, locks_once, arg) == 0);
    EXPECT(salp_yield() == 0);
    stage = 1;
    while (stage < 2)
        sched_yield();
    return salp_group_close(&group);
}

static void *busy_loop(void *arg)
{
    EXPECT(salp_run(keeps_its_loop_busy, arg) == 0);
    return NULL;
}

static void a_mutex_that_nobody_holds_can_be_had(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    assert_int_equal(salp_mutex_lock(mutex), 0);
    assert_int_equal(pthread_create(&thread, NULL, busy_loop, NULL), 0);
    while (stage < 1)
        sched_yield();
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    assert_int_equal(salp_mutex_try_lock(mutex), 0);
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    assert_int_equal(salp_mutex_lock(mutex), 0);
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    stage = 2;
    pthread_join(thread, NULL);
    salp_mutex_close(mutex);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("conditions wake in order and lock again", conditions_wake_in_order_and_lock_again),
        TEST("mutex and conditions serve tasks, loops and threads at once",
             mutex_and_conditions_serve_tasks_loops_and_threads_at_once),
        TEST("nobody starves beside threads that lock again at once",
             nobody_starves_beside_threads_that_lock_again_at_once),
        TEST("misuse is refused", misuse_is_refused),
        TEST("a mutex that nobody holds can be had", a_mutex_that_nobody_holds_can_be_had),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
