/*
 * Reductions: each index once, in order, whatever the operation; and the same last bit where that is asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

static salp_pool *pool_of(int workers)
{
    salp_pool *pool;
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .workers = workers }), 0);
    return pool;
}

/* ---- order ---- */

/* Indices that lie behind each other: the operation is associative, not commutative, and has an empty run as its neutral
   element. What does not fit makes it bad. `filling`: results of many sizes. */
struct run {
    size_t first, end;
    bool bad;
    char filling[1000];
};

#define RUN_SIZE offsetof(struct run, filling)

static int fold_run(size_t begin, size_t end, void *result, void *arg)
{
    struct run *r = result;
    (void)arg;
    if (r->first == r->end)
        r->first = r->end = begin;
    r->bad |= r->end != begin || begin >= end;
    r->end = end;
    return 0;
}

static void combine_runs(void *result, const void *right, void *arg)
{
    struct run *left = result;
    const struct run *r = right;
    (void)arg;
    left->bad |= r->bad || left->first == left->end || r->first == r->end || left->end != r->first;
    left->end = r->end;
}

static void each_index_is_folded_once_and_in_order(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 2, 3, 14, 65, 1000, 100003 };
    static const size_t grains[] = { 0, 1, 3, 1000 };
    for (int workers = 1; workers <= 5; workers += 2) {
        salp_pool *pool = pool_of(workers);
        for (size_t c = 0; c < LENGTH(counts); c++) {
            for (size_t g = 0; g < 4 * LENGTH(grains); g++) {
                size_t count = counts[c] < (size_t)test_scale(100003) ? counts[c] : (size_t)test_scale(100003);
                struct run result = { 0 };
                salp_reduce_options options = { .grain = grains[g / 4], .deterministic = g % 2 };
                assert_int_equal(salp_reduce(pool, 7, 7 + count, g & 2 ? RUN_SIZE : sizeof result, fold_run,
                                             combine_runs, &result, NULL, &options),
                                 0);
                assert_false(result.bad);
                assert_int_equal(result.first, 7);
                assert_int_equal(result.end, 7 + count);
            }
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

/* ---- who takes part ---- */

struct company {
    atomic_int here;
    int wanted;
};

static _Thread_local const struct company *joined;

/* Slow until so many threads have come, then fast. */
static int fold_in_company(size_t begin, size_t end, void *result, void *arg)
{
    struct company *c = arg;
    if (joined != c) {
        joined = c;
        atomic_fetch_add(&c->here, 1);
    }
    if (atomic_load(&c->here) < c->wanted)
        doze(SALP_MICROSECONDS(10));
    else if (begin > 0)
        return -EDOM;
    return fold_run(begin, end, result, NULL);
}

static void every_worker_takes_part(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        salp_pool *pool = pool_of(4);
        struct company *all = calloc(1, sizeof *all);
        struct run result = { 0 };
        assert_non_null(all);
        joined = NULL;
        all->wanted = 4;
        assert_int_equal(salp_reduce(pool, 0, (size_t)1 << 40, i & 1 ? RUN_SIZE : sizeof result, fold_in_company,
                                     combine_runs, &result, all,
                                     &(salp_reduce_options){ .grain = i & 2, .deterministic = i & 4 && i & 2 }),
                         -EDOM);
        assert_int_equal(salp_pool_close(pool), 0);
        free(all);
    }
}

/* ---- the same each time ---- */

enum { NUMBERS = 20000 };

static double *numbers;

static int add_numbers(size_t begin, size_t end, void *result, void *arg)
{
    double sum = *(double *)result;
    (void)arg;
    for (size_t i = begin; i < end; i++)
        sum += numbers[i];
    *(double *)result = sum;
    return 0;
}

static void add_sums(void *result, const void *right, void *arg)
{
    (void)arg;
    *(double *)result += *(const double *)right;
}

static double sum_of_numbers(salp_pool *pool, size_t grain)
{
    double sum = 0;
    assert_int_equal(salp_reduce(pool, 0, NUMBERS, sizeof sum, add_numbers, add_sums, &sum, NULL,
                                 &(salp_reduce_options){ .grain = grain, .deterministic = true }),
                     0);
    return sum;
}

static void fill_numbers(void)
{
    uint64_t random = 88172645463325252u;
    numbers = malloc(NUMBERS * sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < NUMBERS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        numbers[i] = (double)(int64_t)random / (double)(1 << random % 30);
    }
}

/* The tree, as it is documented to be: halves of pieces, the left one larger. */
static double sum_by_tree(size_t begin, size_t pieces, size_t grain)
{
    double sum = 0, right = 0;
    if (pieces == 1) {
        add_numbers(begin, begin + grain < NUMBERS ? begin + grain : NUMBERS, &sum, NULL);
        return sum;
    }
    sum = sum_by_tree(begin, pieces - pieces / 2, grain);
    right = sum_by_tree(begin + (pieces - pieces / 2) * grain, pieces / 2, grain);
    return sum + right;
}

static void deterministic_sums_are_the_same_on_any_number_of_workers(void **state)
{
    (void)state;
    static const size_t grains[] = { 0, 1, 7, 40, 19999, 20000, SIZE_MAX };
    fill_numbers();
    for (size_t g = 0; g < LENGTH(grains); g++) {
        size_t grain = grains[g] > NUMBERS ? NUMBERS : grains[g] > 0 ? grains[g] : (NUMBERS + 511) / 512;
        double wanted = sum_by_tree(0, (NUMBERS + grain - 1) / grain, grain);
        for (int workers = 1; workers <= 5; workers++) {
            salp_pool *pool = pool_of(workers);
            for (int i = 0; i < test_scale(20); i++) {
                double sum = sum_of_numbers(pool, grains[g]);
                assert_memory_equal(&sum, &wanted, sizeof sum);
            }
            assert_int_equal(salp_pool_close(pool), 0);
        }
    }
    free(numbers);
}

/* ---- errors, ends ---- */

static int never_folded(size_t begin, size_t end, void *result, void *arg)
{
    (void)begin, (void)end, (void)result, (void)arg;
    abort();
}

static void arguments_are_checked(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(1);
    long sum = 5;
    assert_int_equal(salp_reduce(pool, 3, 3, sizeof sum, never_folded, combine_runs, &sum, NULL, NULL), 0);
    assert_int_equal(sum, 5);
    assert_int_equal(salp_reduce(NULL, 0, 3, sizeof sum, never_folded, combine_runs, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_reduce(pool, 4, 3, sizeof sum, never_folded, combine_runs, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_reduce(pool, 0, 3, 0, never_folded, combine_runs, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_reduce(pool, 0, 3, SIZE_MAX, never_folded, combine_runs, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_reduce(pool, 0, 3, sizeof sum, NULL, combine_runs, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_reduce(pool, 0, 3, sizeof sum, never_folded, NULL, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_reduce(pool, 0, 3, sizeof sum, never_folded, combine_runs, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int fail_from(size_t begin, size_t end, void *result, void *arg)
{
    size_t first = *(const size_t *)arg;
    if (end > first)
        return begin <= first ? -EDOM : -ERANGE;
    return fold_run(begin, end, result, NULL);
}

static void the_first_error_is_returned(void **state)
{
    (void)state;
    size_t count = (size_t)test_scale(20000);
    for (int workers = 1; workers <= 4; workers++) {
        salp_pool *pool = pool_of(workers);
        for (size_t k = 0; k < 40; k++) {
            struct run result = { 0 };
            size_t first = k * count / 40;
            assert_int_equal(salp_reduce(pool, 0, count, k & 1 ? RUN_SIZE : sizeof result, fail_from, combine_runs,
                                         &result, &first,
                                         &(salp_reduce_options){ .grain = k % 3, .deterministic = k & 2 }),
                             -EDOM);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

static int cancel_after_some(size_t begin, size_t end, void *result, void *arg)
{
    (void)begin, (void)end;
    if (++*(int *)result == 10)
        salp_scope_cancel(arg);
    doze(SALP_MICROSECONDS(10));
    return 0;
}

static void combine_counts(void *result, const void *right, void *arg)
{
    (void)arg;
    *(int *)result += *(const int *)right;
}

static int reduce_in_a_scope(void *arg)
{
    salp_scope scope;
    int count = 0;
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_reduce(arg, 0, SIZE_MAX, sizeof count, cancel_after_some, combine_counts, &count, &scope,
                       &(salp_reduce_options){ .grain = 1 }) == -ECANCELED);
    salp_scope_close(&scope);
    return 0;
}

static void a_scope_ends_a_reduction(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    assert_int_equal(salp_run(reduce_in_a_scope, pool), 0);
    assert_int_equal(reduce_in_a_scope(pool), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each index is folded once and in order", each_index_is_folded_once_and_in_order),
        TEST("every worker takes part", every_worker_takes_part),
        TEST("deterministic sums are the same on any number of workers",
             deterministic_sums_are_the_same_on_any_number_of_workers),
        TEST("arguments are checked", arguments_are_checked),
        TEST("the first error is returned", the_first_error_is_returned),
        TEST("a scope ends a reduction", a_scope_ends_a_reduction),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
