/*
 * Maps on both engines: every result in its place, whatever the counts, sizes and chunks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

static int job_wide_square(const void *in, void *out, void *context)
{
    int64_t x = *(const int *)in;

    (void)context;
    *(int64_t *)out = x * x;
    return 0;
}

static void the_first_program_of_the_documents_works(void **state)
{
    int dataset[14], result[14];
    salp_pool *pool = open_pool(test_engine(state), 5);

    for (int i = 0; i < 14; i++)
        dataset[i] = i + 1;
    assert_int_equal(salp_pool_workers(pool), 5);
    assert_int_equal(salp_map(pool, job_square, dataset, sizeof *dataset, result, sizeof *result, 14,
                              &(salp_map_options){ .chunk = 3 }),
                     0);
    for (int i = 0; i < 14; i++) {
        assert_int_equal(dataset[i], i + 1);
        assert_int_equal(result[i], (i + 1) * (i + 1));
    }
    assert_string_equal(salp_pool_reason(pool), "");
    assert_int_equal(salp_pool_close(pool), 0);
}

static void every_result_is_in_its_place(void **state)
{
    static const size_t counts[] = { 0, 1, 2, 13, 14, 1000, 1000000 };
    size_t most = (size_t)test_scale(1000000);
    int *in = malloc(most * sizeof *in);
    int64_t *out = malloc((most + 1) * sizeof *out);
    salp_pool *pool = open_pool(test_engine(state), 3);

    assert_true(in && out);
    for (size_t i = 0; i < most; i++)
        in[i] = (int)(i * 7 + 1);
    for (size_t c = 0; c < LENGTH(counts); c++) {
        size_t count = counts[c] < most ? counts[c] : most;
        const size_t chunks[] = { 0, 1, 3, 7, count + 1 };

        for (size_t k = 0; k < LENGTH(chunks); k++) {
            memset(out, 0xff, (most + 1) * sizeof *out);
            assert_int_equal(salp_map(pool, job_wide_square, in, sizeof *in, out, sizeof *out, count,
                                      &(salp_map_options){ .chunk = chunks[k] }),
                             0);
            for (size_t i = 0; i < count; i++)
                if (out[i] != (int64_t)in[i] * in[i])
                    fail_msg("count %zu, chunk %zu: result %zu is %lld", count, chunks[k], i, (long long)out[i]);
            assert_int_equal(out[count], -1); /* nothing is written behind the last result */
        }
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

static atomic_int *runs;

static int job_without_input(const void *in, void *out, void *context)
{
    (void)context;
    atomic_fetch_add(runs, 1);
    *(int *)out = in ? -1 : 4711;
    return 0;
}

static int job_without_output(const void *in, void *out, void *context)
{
    (void)context;
    (void)out;
    atomic_fetch_add(runs, *(const int *)in);
    return 0;
}

static int job_without_anything(const void *in, void *out, void *context)
{
    (void)out;
    atomic_fetch_add(runs, 1);
    return in || context ? -EFAULT : 0;
}

static void a_map_may_have_no_inputs_and_no_results(void **state)
{
    int values[1000];
    salp_pool *pool;

    runs = shared_memory(sizeof *runs);
    pool = open_pool(test_engine(state), 3);
    assert_int_equal(salp_map(pool, job_without_input, NULL, 0, values, sizeof *values, 1000, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(values[i], 4711);
        values[i] = i;
    }
    assert_int_equal(atomic_exchange(runs, 0), 1000);
    assert_int_equal(salp_map(pool, job_without_output, values, sizeof *values, NULL, 0, 1000, NULL), 0);
    assert_int_equal(atomic_exchange(runs, 0), 999 * 1000 / 2);
    assert_int_equal(salp_map(pool, job_without_anything, NULL, 0, NULL, 0, 1000, NULL), 0);
    assert_int_equal(atomic_exchange(runs, 0), 1000);
    assert_int_equal(salp_map(pool, job_without_anything, NULL, 0, NULL, 0, 0, NULL), 0);
    assert_int_equal(atomic_load(runs), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_map_may_write_its_results_over_its_inputs(void **state)
{
    enum { COUNT = 10007 };
    static int values[COUNT];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++)
            values[i] = i + round;
        assert_int_equal(salp_map(pool, job_square, values, sizeof *values, values, sizeof *values, COUNT, NULL), 0);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(values[i], (i + round) * (i + round));
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static struct gate *gate;

static int job_wait_for_all(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    return gate_meet(gate, *(const int *)context);
}

/* Items that wait for each other end only if as many workers run at once. */
static void as_many_items_run_at_once_as_there_are_workers(void **state)
{
    gate = shared_memory(sizeof *gate);
    for (int workers = 2; workers <= 5; workers++) {
        salp_pool *pool = open_pool(test_engine(state), workers);

        for (size_t chunk = 0; chunk <= 1; chunk++) {
            gate_reset(gate);
            assert_int_equal(
                salp_map(pool, job_wait_for_all, NULL, 0, NULL, 0, (size_t)workers,
                         &(salp_map_options){ .chunk = chunk, .context = &workers, .context_size = sizeof workers }),
                0);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

static atomic_uchar *executions;

static int job_count_itself(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    (void)context;
    *(int *)out = ~i;
    return atomic_fetch_add(&executions[i], 1);
}

static void each_item_runs_exactly_once(void **state)
{
    static const size_t chunks[] = { 0, 1, 7, 1000, 1u << 30 };
    size_t count = (size_t)test_scale(200000);
    int *in = malloc(count * sizeof *in), *out = malloc(count * sizeof *out);
    salp_pool *pool;

    assert_true(in && out);
    executions = shared_memory(count);
    pool = open_pool(test_engine(state), 4);
    for (size_t i = 0; i < count; i++)
        in[i] = (int)i;
    for (size_t k = 0; k < LENGTH(chunks); k++) {
        memset(out, 0, count * sizeof *out);
        assert_int_equal(salp_map(pool, job_count_itself, in, sizeof *in, out, sizeof *out, count,
                                  &(salp_map_options){ .chunk = chunks[k] }),
                         0);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(atomic_exchange(&executions[i], 0), 1);
            assert_int_equal(out[i], ~(int)i);
        }
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

static pthread_t caller;
static atomic_long strangers; /* items that another thread has run */

static int job_square_by_whom(const void *in, void *out, void *context)
{
    if (!pthread_equal(pthread_self(), caller))
        atomic_fetch_add(&strangers, 1);
    return job_square(in, out, context);
}

/*
 * Counts who ran the items, not how long it took: when every map woke a worker, it would run some one in twenty of
 * them; as it is, one looks in once in a millisecond. Any quiet round will do, since a machine may be busy.
 */
static void short_maps_on_threads_are_run_by_their_caller(void **state)
{
    enum { ITEMS = 14, MAPS = 20000, ROUNDS = 5 };
    int in[ITEMS], out[ITEMS];
    bool quiet = false;
    salp_pool *pool;

    (void)state;
    if (test_sanitized())
        test_skip("with a sanitizer no item is short");
    caller = pthread_self();
    pool = open_pool(SALP_THREADS, 2);
    for (int i = 0; i < ITEMS; i++)
        in[i] = i;
    for (int round = 0; round < ROUNDS && !quiet; round++) {
        atomic_store(&strangers, 0);
        for (int i = 0; i < MAPS; i++)
            assert_int_equal(salp_map(pool, job_square_by_whom, in, sizeof *in, out, sizeof *out, ITEMS, NULL), 0);
        quiet = atomic_load(&strangers) * 200 < (long)MAPS * ITEMS;
    }
    assert_true(quiet);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("the first program of the documents works", the_first_program_of_the_documents_works),
        TEST_ENGINES_LIMIT("every result is in its place", every_result_is_in_its_place, 120),
        TEST_ENGINES("a map may have no inputs and no results", a_map_may_have_no_inputs_and_no_results),
        TEST_ENGINES("a map may write its results over its inputs", a_map_may_write_its_results_over_its_inputs),
        TEST_ENGINES("as many items run at once as there are workers", as_many_items_run_at_once_as_there_are_workers),
        TEST_ENGINES("each item runs exactly once", each_item_runs_exactly_once),
        TEST("short maps on threads are run by their caller", short_maps_on_threads_are_run_by_their_caller),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
