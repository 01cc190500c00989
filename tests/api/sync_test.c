/*
 * Mutexes, semaphores and events, between tasks, loops and threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <salp/sync.h>

static salp_mutex *mutex;
static salp_semaphore *semaphore;
static salp_event *event;
static char trace[256];

static void note(const char *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
}

/* ---- what needs no waiting ---- */

static void check_calls(void)
{
    EXPECT(salp_mutex_open(&mutex, NULL) == 0);
    EXPECT(salp_mutex_unlock(mutex) == -EPERM);
    EXPECT(salp_mutex_lock(mutex) == 0);
    EXPECT(salp_mutex_lock(mutex) == -EDEADLK);
    EXPECT(salp_mutex_try_lock(mutex) == -EDEADLK);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    EXPECT(salp_mutex_unlock(mutex) == -EPERM);
    salp_mutex_close(mutex);

    EXPECT(salp_mutex_open(&mutex, &(salp_mutex_options){ .recursive = true }) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_mutex_lock(mutex) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_mutex_unlock(mutex) == 0);
    EXPECT(salp_mutex_unlock(mutex) == -EPERM);
    salp_mutex_close(mutex);

    EXPECT(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .value = 2, .most = 3 }) == 0);
    EXPECT(salp_semaphore_acquire(semaphore) == 0);
    EXPECT(salp_semaphore_try_acquire(semaphore) == 0);
    EXPECT(salp_semaphore_try_acquire(semaphore) == -EAGAIN);
    EXPECT(salp_semaphore_release(semaphore, 4) == -EOVERFLOW);
    EXPECT(salp_semaphore_release(semaphore, 3) == 0);
    EXPECT(salp_semaphore_release(semaphore, 1) == -EOVERFLOW);
    EXPECT(salp_semaphore_release(semaphore, UINT_MAX) == -EOVERFLOW);
    EXPECT(salp_semaphore_release(semaphore, 0) == 0);
    salp_semaphore_close(semaphore);

    EXPECT(salp_event_open(&event, NULL) == 0);
    EXPECT(!salp_event_is_set(event));
    EXPECT(salp_event_set(event) == 0 && salp_event_is_set(event));
    EXPECT(salp_event_wait(event) == 0);
    EXPECT(salp_event_clear(event) == 0 && !salp_event_is_set(event));
    salp_event_close(event);
    EXPECT(salp_event_open(&event, &(salp_event_options){ .set = true }) == 0);
    EXPECT(salp_event_wait(event) == 0);
    salp_event_close(event);
}

static int check_calls_in_task(void *arg)
{
    (void)arg;
    check_calls();
    return 0;
}

static void what_can_be_had_is_had_at_once(void **state)
{
    (void)state;
    check_calls();
    assert_int_equal(salp_run(check_calls_in_task, NULL), 0);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    assert_int_equal(salp_mutex_open(NULL, NULL), -EINVAL);
    assert_int_equal(salp_mutex_lock(NULL), -EINVAL);
    assert_int_equal(salp_mutex_try_lock(NULL), -EINVAL);
    assert_int_equal(salp_mutex_unlock(NULL), -EINVAL);
    salp_mutex_close(NULL);
    assert_int_equal(salp_semaphore_open(NULL, NULL), -EINVAL);
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .value = 2, .most = 1 }), -EINVAL);
    assert_int_equal(salp_semaphore_acquire(NULL), -EINVAL);
    assert_int_equal(salp_semaphore_try_acquire(NULL), -EINVAL);
    assert_int_equal(salp_semaphore_release(NULL, 1), -EINVAL);
    salp_semaphore_close(NULL);
    assert_int_equal(salp_event_open(NULL, NULL), -EINVAL);
    assert_int_equal(salp_event_set(NULL), -EINVAL);
    assert_int_equal(salp_event_clear(NULL), -EINVAL);
    assert_int_equal(salp_event_wait(NULL), -EINVAL);
    assert_false(salp_event_is_set(NULL));
    salp_event_close(NULL);
}

/* ---- order ---- */

static int lock_and_note(void *name)
{
    EXPECT(salp_mutex_lock(mutex) == 0);
    note(name);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static int lock_in_order(void *arg)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    salp_group group;
    (void)arg;
    EXPECT(salp_mutex_lock(mutex) == 0);
    salp_group_open(&group);
    for (size_t i = 0; i < LENGTH(names); i++)
        EXPECT(salp_go(&group, lock_and_note, (void *)(uintptr_t)names[i]) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_mutex_try_lock(mutex) == -EDEADLK);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    EXPECT(salp_mutex_try_lock(mutex) == -EBUSY); /* it was handed over */
    EXPECT(salp_mutex_lock(mutex) == 0);          /* and we are the last */
    note(".");
    EXPECT(salp_mutex_unlock(mutex) == 0);
    return salp_group_close(&group);
}

static void who_has_waited_longest_comes_first(void **state)
{
    (void)state;
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    assert_int_equal(salp_run(lock_in_order, NULL), 0);
    assert_string_equal(trace, "abcd.");
    salp_mutex_close(mutex);
}

static int wait_for_event(void *arg)
{
    EXPECT(salp_event_wait(event) == 0);
    ++*(int *)arg;
    return 0;
}

static int set_and_clear(void *arg)
{
    salp_group group;
    int woken = 0;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 20; i++)
        EXPECT(salp_go(&group, wait_for_event, &woken) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(woken == 0);
    EXPECT(salp_event_set(event) == 0);
    EXPECT(salp_event_clear(event) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(woken == 20);
    return 0;
}

static void an_event_lets_all_go_on(void **state)
{
    (void)state;
    assert_int_equal(salp_event_open(&event, NULL), 0);
    assert_int_equal(salp_run(set_and_clear, NULL), 0);
    salp_event_close(event);
}

/* ---- scopes ---- */

static int give_up(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_scope_open(&scope, SALP_MILLISECONDS(2));
    EXPECT(salp_semaphore_acquire(semaphore) == -ETIMEDOUT);
    EXPECT(salp_event_wait(event) == -ETIMEDOUT);
    EXPECT(salp_mutex_lock(mutex) == -ETIMEDOUT); /* though it is free */
    EXPECT(salp_mutex_try_lock(mutex) == 0);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_semaphore_release(semaphore, 1) == 0);
    EXPECT(salp_semaphore_acquire(semaphore) == 0); /* nothing was lost to the one who gave up */
    EXPECT(salp_semaphore_try_acquire(semaphore) == -EAGAIN);
    return 0;
}

static void a_scope_ends_a_wait_and_nothing_is_taken(void **state)
{
    (void)state;
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    assert_int_equal(salp_semaphore_open(&semaphore, NULL), 0);
    assert_int_equal(salp_event_open(&event, NULL), 0);
    assert_int_equal(salp_run(give_up, NULL), 0);
    assert_int_equal(give_up(NULL), 0);
    salp_mutex_close(mutex);
    salp_semaphore_close(semaphore);
    salp_event_close(event);
}

static int release_unit(void *arg)
{
    (void)arg;
    return salp_event_set(event);
}

/* In a scope that is over, a task polls for what another one has still to do. */
static int poll_in_vain(void *arg)
{
    salp_scope scope;
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, release_unit, NULL) == 0);
    salp_scope_open(&scope, 0);
    while (!salp_event_is_set(event))
        EXPECT(salp_semaphore_acquire(semaphore) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return salp_group_close(&group);
}

static void a_call_that_is_refused_lets_others_go_on(void **state)
{
    (void)state;
    assert_int_equal(salp_semaphore_open(&semaphore, NULL), 0);
    assert_int_equal(salp_event_open(&event, NULL), 0);
    assert_int_equal(salp_run(poll_in_vain, NULL), 0);
    salp_semaphore_close(semaphore);
    salp_event_close(event);
}

/* ---- all together ---- */

enum { LOOPS = 2, THREADS = 2, TASKS = 5 };

static long counter;      /* under the mutex */
static atomic_int inside; /* holders of a unit */
static atomic_int ended_early;

static int rounds_of(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < test_scale(300); i++) {
        salp_scope scope;
        salp_scope_open(&scope, rand_r(&random) % 4 ? SALP_FOREVER : SALP_MICROSECONDS(rand_r(&random) % 50));
        int result = salp_mutex_lock(mutex);
        if (result == 0) {
            long seen = counter;
            salp_yield();
            counter = seen + 1;
            EXPECT(salp_mutex_unlock(mutex) == 0);
        } else {
            EXPECT(result == -ETIMEDOUT);
            atomic_fetch_add(&ended_early, 1);
        }
        result = salp_semaphore_acquire(semaphore);
        if (result == 0) {
            EXPECT(atomic_fetch_add(&inside, 1) < 3);
            salp_yield();
            atomic_fetch_sub(&inside, 1);
            EXPECT(salp_semaphore_release(semaphore, 1) == 0);
        } else {
            EXPECT(result == -ETIMEDOUT);
        }
        salp_scope_close(&scope);
    }
    return 0;
}

static int many_rounds(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (uintptr_t i = 0; i < TASKS; i++)
        EXPECT(salp_go(&group, rounds_of, (char *)arg + i) == 0);
    return salp_group_close(&group);
}

static void *run_rounds(void *arg)
{
    uintptr_t number = (uintptr_t)arg;
    EXPECT((number < LOOPS ? salp_run(many_rounds, (void *)(number * 1000)) : rounds_of((void *)(number * 1000))) == 0);
    return NULL;
}

static void loops_and_threads_exclude_each_other(void **state)
{
    pthread_t threads[LOOPS + THREADS];
    (void)state;
    assert_int_equal(salp_mutex_open(&mutex, NULL), 0);
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .value = 3, .most = 3 }), 0);
    for (uintptr_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_rounds, (void *)i), 0);
    for (size_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counter + atomic_load(&ended_early), (LOOPS * TASKS + THREADS) * test_scale(300));
    for (int i = 0; i < 3; i++)
        assert_int_equal(salp_semaphore_try_acquire(semaphore), 0); /* no unit was lost */
    assert_int_equal(salp_semaphore_try_acquire(semaphore), -EAGAIN);
    assert_int_equal(salp_mutex_try_lock(mutex), 0);
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    salp_mutex_close(mutex);
    salp_semaphore_close(semaphore);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("what can be had is had at once", what_can_be_had_is_had_at_once),
        TEST("misuse is refused", misuse_is_refused),
        TEST("who has waited longest comes first", who_has_waited_longest_comes_first),
        TEST("an event lets all go on", an_event_lets_all_go_on),
        TEST("a scope ends a wait and nothing is taken", a_scope_ends_a_wait_and_nothing_is_taken),
        TEST("a call that is refused lets others go on", a_call_that_is_refused_lets_others_go_on),
        TEST("loops and threads exclude each other", loops_and_threads_exclude_each_other),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
