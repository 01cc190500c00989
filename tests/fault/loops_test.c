/*
 * Who is woken for a loop: on a clock that stands, so that it does not matter how busy the machine is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/jobs.h"

#include "os/pretend.h"
#include "pool/engine.h"
#include "pool/entrance.h"

static int64_t work_lasts; /* of each index, on the clock of who runs it */

static void work(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int64_t end = salp_now() + work_lasts; salp_now() < end;)
            continue;
    }
}

static int add_indices(size_t begin, size_t end, void *result, void *arg)
{
    (void)arg;
    work(end - begin);
    for (size_t i = begin; i < end; i++)
        *(uint64_t *)result += i;
    return 0;
}

static void add_sums(void *result, const void *right, void *arg)
{
    (void)arg;
    *(uint64_t *)result += *(const uint64_t *)right;
}

static int scan_indices(size_t begin, size_t end, void *sum, bool last, void *arg)
{
    (void)last;
    return add_indices(begin, end, sum, arg);
}

static int only_work(size_t begin, size_t end, void *arg)
{
    (void)arg;
    work(end - begin);
    return 0;
}

static int compare_numbers(const void *a, const void *b, void *arg)
{
    int x = *(const int *)a, y = *(const int *)b;
    (void)arg;
    work(1);
    return x < y ? -1 : x > y;
}

static void run_for(salp_pool *pool, size_t count)
{
    assert_int_equal(salp_for(pool, 0, count, only_work, NULL, NULL), 0);
}

static void run_reduce(salp_pool *pool, size_t count)
{
    uint64_t sum = 0;
    assert_int_equal(salp_reduce(pool, 0, count, sizeof sum, add_indices, add_sums, &sum, NULL, NULL), 0);
    assert_int_equal(sum, count * (count - 1) / 2);
}

static void run_scan(salp_pool *pool, size_t count)
{
    uint64_t sum = 0;
    assert_int_equal(salp_scan(pool, 0, count, sizeof sum, scan_indices, add_sums, &sum, NULL, NULL), 0);
    assert_int_equal(sum, count * (count - 1) / 2);
}

static void run_sort(salp_pool *pool, size_t count)
{
    int numbers[1000];
    assert_true(count <= LENGTH(numbers));
    for (size_t i = 0; i < count; i++)
        numbers[i] = (int)(count - i);
    assert_int_equal(salp_sort(pool, numbers, count, sizeof *numbers, compare_numbers, NULL), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(numbers[i], i + 1);
}

/* How often threads of the pool were rung for, while all of them slept before. */
static uint32_t rings_for(void (*run)(salp_pool *pool, size_t count), size_t count, int64_t lasts)
{
    enum { WORKERS = 2 };
    salp_pool *pool;
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .workers = WORKERS }), 0);
    salp__bell *bell = pool->engine->entrance(pool)->work;
    while (atomic_load(&bell->sleepers) < WORKERS)
        usleep(100);
    uint32_t before = atomic_load(&bell->rings);
    work_lasts = lasts;
    run(pool, count);
    uint32_t rings = atomic_load(&bell->rings) - before;
    assert_int_equal(salp_pool_close(pool), 0);
    return rings;
}

static void nobody_is_woken_for_a_short_loop(void **state)
{
    (void)state;
    salp__pretend_time();
    for (size_t count = 1; count <= 14; count++) {
        assert_int_equal(rings_for(run_for, count, 0), 0);
        assert_int_equal(rings_for(run_reduce, count, 0), 0);
        assert_int_equal(rings_for(run_scan, count, 0), 0);
        assert_int_equal(rings_for(run_sort, count, 0), 0);
    }
    /* 14 times 4 microseconds: too short. */
    assert_int_equal(rings_for(run_for, 14, SALP_MICROSECONDS(4)), 0);
}

static void somebody_is_woken_for_a_long_loop(void **state)
{
    (void)state;
    salp__pretend_time();
    assert_int_not_equal(rings_for(run_for, 14, SALP_MICROSECONDS(20)), 0);
    assert_int_not_equal(rings_for(run_for, 1000, SALP_MICROSECONDS(1)), 0);
    assert_int_not_equal(rings_for(run_reduce, 1000, SALP_MICROSECONDS(1)), 0);
    assert_int_not_equal(rings_for(run_scan, 1000, SALP_MICROSECONDS(1)), 0);
    assert_int_not_equal(rings_for(run_sort, 1000, SALP_MICROSECONDS(1)), 0);
}

/* What has been rung for when the first index is run, and how often there was one. */
struct first {
    const salp__bell *bell;
    uint32_t before, rings;
    int times;
};

static int look_at_first(size_t begin, size_t end, void *arg)
{
    struct first *f = arg;
    if (begin == 0) {
        f->rings = atomic_load(&f->bell->rings) - f->before;
        f->times++;
    }
    work(end - begin);
    return 0;
}

static void somebody_is_woken_at_once_for_a_loop_that_was_long(void **state)
{
    enum { WORKERS = 2, COUNT = 100 };
    salp_pool *pool;
    (void)state;
    salp__pretend_time();
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .workers = WORKERS }), 0);
    struct first first = { .bell = pool->engine->entrance(pool)->work };
    work_lasts = SALP_MICROSECONDS(100); /* on the clock of who runs the first one: that one is long enough already */
    for (int turn = 1; turn <= 3; turn++) {
        while (atomic_load(&first.bell->sleepers) < WORKERS)
            usleep(100);
        first.before = atomic_load(&first.bell->rings);
        assert_int_equal(salp_for(pool, 0, COUNT, look_at_first, &first, NULL), 0);
        assert_int_equal(first.times, turn);
        assert_int_equal(first.rings > 0, turn > 1); /* who has come by then may have rung for the next one */
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("nobody is woken for a short loop", nobody_is_woken_for_a_short_loop),
        TEST("somebody is woken for a long loop", somebody_is_woken_for_a_long_loop),
        TEST("somebody is woken at once for a loop that was long", somebody_is_woken_at_once_for_a_loop_that_was_long),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
