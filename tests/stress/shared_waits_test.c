/*
 * Processes that share a lock, a condition or a barrier are killed at random, again and again, and others take their place.
 * What is left goes on, and what the dead one may have left half done is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/shared.h"

enum { WORKERS = 4, KILLS = 1000 };

static salp_rwlock *rwlock;
static salp_condition *condition;
static salp_mutex *mutex;
static salp_barrier *barrier;

static pid_t workers[WORKERS];
static unsigned seed = 1;

static void start_worker(int i, salp_fn *work)
{
    workers[i] = start_process(i % 2, work, (void *)(uintptr_t)(seed += 1000));
}

static void start_workers(salp_fn *work)
{
    board_open();
    for (int i = 0; i < WORKERS; i++)
        start_worker(i, work);
}

/* One dies whatever it is about to do, and is followed by another. */
static void replace_one(salp_fn *work)
{
    int i = rand_r(&seed) % WORKERS;
    doze(rand_r(&seed) % SALP_MICROSECONDS(500));
    kill_process(workers[i]);
    start_worker(i, work);
}

static void kill_workers(void)
{
    for (int i = 0; i < WORKERS; i++)
        kill_process(workers[i]);
}

/* ---- locks for reading ---- */

/* Two numbers that are the same, when nobody is writing. */
static int read_and_write(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    volatile long *left = &board->counter, *right = left + 1;
    for (;;) {
        bool writes = rand_r(&random) % 3 == 0;
        int result = writes ? salp_rwlock_lock_write(rwlock) : salp_rwlock_lock_read(rwlock);
        OR_FAIL(result == 0 || result == -EOWNERDEAD);
        if (result == 0)
            OR_FAIL(*left == *right);
        if (writes) {
            *left = *left + 1;
            if (rand_r(&random) % 8 == 0)
                salp_yield();
            *right = *left; /* and this mends it */
        }
        atomic_fetch_add(&board->count[0], 1);
        OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    }
}

static void a_lock_outlives_those_who_hold_it(void **state)
{
    (void)state;
    assert_int_equal(salp_rwlock_open(&rwlock, &(salp_rwlock_options){ .shared = true }), 0);
    start_workers(read_and_write);
    for (int i = 0; i < test_scale(KILLS); i++) {
        replace_one(read_and_write);
        atomic_store(&board->count[0], 0);
        assert_true(reaches(&board->count[0], 1));
    }
    kill_workers();
    int result = salp_rwlock_lock_write(rwlock);
    assert_true(result == 0 || result == -EOWNERDEAD);
    salp_rwlock_close(rwlock);
}

/* ---- conditions ---- */

static int was_locked(int result)
{
    return result == -EOWNERDEAD ? salp_condition_broadcast(condition) : result;
}

static int take(void *arg)
{
    (void)arg;
    for (;;) {
        OR_FAIL(was_locked(salp_mutex_lock(mutex)) == 0);
        while (board->counter == 0)
            OR_FAIL(was_locked(salp_condition_wait(condition, mutex)) == 0);
        board->counter--;
        OR_FAIL(salp_mutex_unlock(mutex) == 0);
    }
}

/* Whether somebody has taken what there was. Who looks may be told of a dead owner, and wakes all then. */
static bool is_taken(void)
{
    assert_int_equal(was_locked(salp_mutex_lock(mutex)), 0);
    bool taken = board->counter == 0;
    assert_int_equal(salp_mutex_unlock(mutex), 0);
    return taken;
}

static void no_signal_is_lost_with_the_one_who_was_woken(void **state)
{
    (void)state;
    assert_int_equal(salp_condition_open(&condition, &(salp_condition_options){ .shared = true }), 0);
    assert_int_equal(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true }), 0);
    start_workers(take);
    for (int i = 0; i < test_scale(KILLS); i++) {
        assert_int_equal(was_locked(salp_mutex_lock(mutex)), 0);
        board->counter++;
        assert_int_equal(salp_condition_signal(condition), 0); /* one signal, and no other one */
        assert_int_equal(salp_mutex_unlock(mutex), 0);
        replace_one(take);
        for (int64_t end = clock_now() + patience(); !is_taken();) {
            assert_true(clock_now() < end);
            doze(SALP_MICROSECONDS(50));
        }
    }
    kill_workers();
    salp_condition_close(condition);
    salp_mutex_close(mutex);
}

/* ---- barriers ---- */

/* count[0]: meetings; count[1]: how often somebody was told. */
static int meet(void *arg)
{
    (void)arg;
    for (;;) {
        int result = salp_barrier_wait(barrier);
        OR_FAIL((result >= 0 && result < WORKERS) || result == SALP_EBROKEN);
        atomic_fetch_add(&board->count[0], result == WORKERS - 1);
        atomic_fetch_add(&board->count[1], result < 0);
        if (result < 0)
            salp_yield();
    }
}

/* Whether the others were told of the death; or they meet with the new one, since the dead one had never come. */
static bool is_told(void)
{
    for (int64_t end = clock_now() + patience();; doze(SALP_MICROSECONDS(100))) {
        assert_true(clock_now() < end);
        if (atomic_load(&board->count[1]) >= WORKERS - 1)
            return true;
        if (atomic_load(&board->count[0]) > 2) /* one may still have been told of a meeting before */
            return false;
    }
}

static void a_barrier_breaks_and_is_mended(void **state)
{
    int told = 0;
    (void)state;
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ .shared = true, .parties = WORKERS }), 0);
    start_workers(meet);
    for (int i = 0; i < test_scale(KILLS); i++) {
        assert_true(reaches(&board->count[0], 3));
        atomic_store(&board->count[1], 0);
        replace_one(meet);
        atomic_store(&board->count[0], 0);
        told += is_told();
        assert_int_equal(salp_barrier_reset(barrier), 0);
        atomic_store(&board->count[0], 0);
    }
    assert_true(told > test_scale(KILLS) / 2);
    kill_workers();
    salp_barrier_close(barrier);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("a lock outlives those who hold it", a_lock_outlives_those_who_hold_it, 120),
        TEST_LIMIT("no signal is lost with the one who was woken", no_signal_is_lost_with_the_one_who_was_woken, 120),
        TEST_LIMIT("a barrier breaks and is mended", a_barrier_breaks_and_is_mended, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
