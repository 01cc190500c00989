/*
 * Scans: the sum at each index is that of all up to it, in order, whoever has helped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "forks.h"

/* Maps x -> a * x + b, one after the other: associative, not commutative. Numbers wrap around. */
struct map {
    uint32_t a, b;
};

static struct map after(struct map first, struct map second)
{
    return (struct map){ .a = first.a * second.a, .b = second.a * first.b + second.b };
}

struct table {
    const struct map *in;
    struct map *out;
    unsigned char *stored; /* how often */
    size_t fails;
    atomic_int helped; /* calls without `last` */
    int slow_until;    /* as many of these */
};

static int scan_maps(size_t begin, size_t end, void *sum, bool last, void *arg)
{
    struct table *t = arg;
    struct map s = *(struct map *)sum;
    if (!last)
        atomic_fetch_add(&t->helped, 1);
    if (atomic_load(&t->helped) < t->slow_until)
        doze(SALP_MICROSECONDS(20));
    for (size_t i = begin; i < end; i++) {
        if (i == t->fails)
            return -EDOM;
        s = after(s, t->in[i]);
        if (last) {
            t->out[i] = s;
            t->stored[i]++;
        }
    }
    *(struct map *)sum = s;
    return 0;
}

static void combine_maps(void *sum, const void *right, void *arg)
{
    (void)arg;
    *(struct map *)sum = after(*(struct map *)sum, *(const struct map *)right);
}

static void fill(struct map *maps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        maps[i] = (struct map){ .a = (uint32_t)i * 4 + 3, .b = (uint32_t)i };
}

static void check(salp_pool *pool, size_t count, size_t grain, bool in_place, int slow_until)
{
    struct map *in = malloc((count + 1) * sizeof *in), *out = malloc((count + 1) * sizeof *out);
    unsigned char *stored = calloc(count + 1, 1);
    struct map sum = { .a = 1 }, wanted = { .a = 1 };
    assert_true(in && out && stored);
    fill(in, count);
    fill(out, count);
    struct table t = {
        .in = in_place ? out : in, .out = out, .stored = stored, .fails = SIZE_MAX, .slow_until = slow_until
    };
    assert_int_equal(salp_scan(pool, 0, count, sizeof sum, scan_maps, combine_maps, &sum, &t,
                               &(salp_scan_options){ .grain = grain }),
                     0);
    for (size_t i = 0; i < count; i++) {
        wanted = after(wanted, in[i]);
        if (stored[i] != 1 || memcmp(&out[i], &wanted, sizeof wanted) != 0)
            fail_msg("count %zu, grain %zu: index %zu is wrong, stored %d times", count, grain, i, stored[i]);
    }
    assert_memory_equal(&sum, &wanted, sizeof sum);
    free(in);
    free(out);
    free(stored);
}

static void each_sum_is_that_of_all_before(void **state)
{
    (void)state;
    static const size_t counts[] = { 0, 1, 2, 3, 14, 513, 1000, 50000 };
    static const size_t grains[] = { 0, 1, 3, 1000, SIZE_MAX };
    for (int workers = 1; workers <= 4; workers++) {
        salp_pool *pool = pool_of(workers);
        for (size_t c = 0; c < LENGTH(counts); c++) {
            for (size_t g = 0; g < LENGTH(grains); g++)
                check(pool, counts[c], grains[g], g % 2, 0);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

static void what_others_have_summed_is_stored_in_order(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(3);
    /* So many blocks that somebody comes long before they are all gone through. */
    for (int i = 1; i <= 5; i++)
        check(pool, 100000, 1, i % 2, i * 3);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* As vectors are. */
struct wide {
    _Alignas(64) uint64_t sum;
};

static int add_wide(size_t begin, size_t end, void *sum, bool last, void *arg)
{
    atomic_int *here = arg; /* [0]: how many sums lie as they must not; [1]: somebody helps */
    struct wide *w = sum;
    if ((uintptr_t)sum % _Alignof(struct wide) != 0)
        atomic_fetch_add(&here[0], 1);
    if (!last)
        atomic_store(&here[1], 1);
    for (size_t i = begin; i < end; i++)
        w->sum += i;
    return begin > 0 || reaches(&here[1], 1) ? 0 : -ETIME;
}

static void combine_wide(void *sum, const void *right, void *arg)
{
    (void)arg;
    ((struct wide *)sum)->sum += ((const struct wide *)right)->sum;
}

struct wide_scan {
    salp_fork_job job;
    salp_pool *pool;
    size_t count;
    atomic_int here[2];
    int result;
};

static void scan_wide(salp_worker *worker, salp_fork_job *job)
{
    struct wide_scan *s = (struct wide_scan *)job;
    struct wide sum = { 0 };
    (void)worker;
    s->result = salp_scan(s->pool, 0, s->count, sizeof sum, add_wide, combine_wide, &sum, s->here, NULL);
    if (s->result == 0 && sum.sum != s->count * (s->count - 1) / 2)
        s->result = -EILSEQ;
}

static void sums_lie_as_their_type_has_to(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(2);
    for (size_t count = 2; count < 40; count++) { /* several, for memory may lie right by chance */
        struct wide_scan s = { .pool = pool, .count = count };
        assert_int_equal(salp_pool_enter(pool, scan_wide, &s.job), 0); /* a job: so that somebody is woken before */
        assert_int_equal(s.result, 0);
        assert_int_equal(s.here[0], 0);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void the_first_error_is_returned(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct map *in = malloc(COUNT * sizeof *in);
    unsigned char *stored = malloc(COUNT);
    assert_true(in && stored);
    fill(in, COUNT);
    for (int workers = 1; workers <= 3; workers++) {
        salp_pool *pool = pool_of(workers);
        for (size_t fails = 0; fails < COUNT; fails += 100) {
            struct map sum = { .a = 1 };
            struct table t = {
                .in = in, .out = in, .stored = stored, .fails = fails, .slow_until = (int)(fails % 300)
            };
            assert_int_equal(salp_scan(pool, 0, COUNT, sizeof sum, scan_maps, combine_maps, &sum, &t, NULL), -EDOM);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
    free(in);
    free(stored);
}

static void arguments_are_checked(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(1);
    struct map sum = { .a = 1 };
    assert_int_equal(salp_scan(NULL, 0, 1, sizeof sum, scan_maps, combine_maps, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_scan(pool, 1, 0, sizeof sum, scan_maps, combine_maps, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_scan(pool, 0, 1, 0, scan_maps, combine_maps, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_scan(pool, 0, 1, sizeof sum, NULL, combine_maps, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_scan(pool, 0, 1, sizeof sum, scan_maps, NULL, &sum, NULL, NULL), -EINVAL);
    assert_int_equal(salp_scan(pool, 0, 1, sizeof sum, scan_maps, combine_maps, NULL, NULL, NULL), -EINVAL);
    /* More sums than there is room for in any memory. */
    assert_int_equal(salp_scan(pool, 0, SIZE_MAX, sizeof sum, scan_maps, combine_maps, &sum, NULL,
                               &(salp_scan_options){ .grain = 1 }),
                     -ENOMEM);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each sum is that of all before", each_sum_is_that_of_all_before),
        TEST("what others have summed is stored in order", what_others_have_summed_is_stored_in_order),
        TEST("sums lie as their type has to", sums_lie_as_their_type_has_to),
        TEST("the first error is returned", the_first_error_is_returned),
        TEST("arguments are checked", arguments_are_checked),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
