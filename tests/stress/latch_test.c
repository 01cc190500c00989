/*
 * The latch under stress, with a broken variant that the same check catches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>

#include "lockfree/latch.h"

enum { THREADS = 4 };

static salp__latch latch;
static _Atomic int inside, overlaps;
static long shared_count; /* plain: ThreadSanitizer sees whether the latch orders it */
static int rounds;

/* Looks and takes in two steps. */
static void broken_take(salp__latch *l)
{
    while (atomic_load(&l->taken) != 0)
        sched_yield();
    sched_yield();
    atomic_store(&l->taken, 1);
}

static void enter_and_leave(int round, bool count)
{
    if (atomic_fetch_add(&inside, 1) != 0)
        overlaps++;
    if (count)
        shared_count++;
    if (round % 64 == 0)
        sched_yield(); /* the holder loses the processor */
    atomic_fetch_sub(&inside, 1);
}

static void *right(void *arg)
{
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        salp__latch_take(&latch);
        enter_and_leave(i, true);
        salp__latch_release(&latch);
    }
    return NULL;
}

static void *wrong(void *arg)
{
    (void)arg;
    for (int i = 0; overlaps == 0; i++) {
        broken_take(&latch);
        enter_and_leave(i, false);
        salp__latch_release(&latch);
    }
    return NULL;
}

static void run_all(void *(*function)(void *))
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, function, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void one_at_a_time_holds_a_latch(void **state)
{
    (void)state;
    rounds = test_scale(200000);
    run_all(right);
    assert_int_equal(overlaps, 0);
    assert_int_equal(shared_count, (long)THREADS * rounds);
}

static void the_check_catches_a_latch_that_is_none(void **state)
{
    (void)state;
    run_all(wrong);
    assert_true(overlaps > 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("one at a time holds a latch", one_at_a_time_holds_a_latch),
        TEST("the check catches a latch that is none", the_check_catches_a_latch_that_is_none),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
