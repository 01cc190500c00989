/*
 * Calls from inside: by jobs on their own pool, by forks of the program, and pools within pools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include "base/sanitizer.h"
#include "source.h"

static int job_add_one(const void *const in[], void *out, void *context)
{
    (void)context;
    *(int *)out = *(const int *)in[0] + 1;
    return 0;
}

static int job_echo(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    return salp_buffer_append(out, in.data, in.size);
}

enum { CALLS = 11 };

/* Makes every call on the pool and notes what each returned; stops nothing that works. */
static void make_all_calls(salp_pool *pool, int results[CALLS])
{
    int in = 3, out = 0, n = 0;
    salp_column column = { &in, sizeof in };
    salp_bytes bytes = { &in, sizeof in };
    salp_buffer answer = { 0 };
    struct source source = source_of(1, 0);
    salp_results *stream = NULL;
    salp_future *f[4] = { NULL };

    results[n++] = salp_map(pool, job_square, &in, sizeof in, &out, sizeof out, 1, NULL);
    results[n++] = salp_starmap(pool, job_add_one, &column, 1, &out, sizeof out, 1, NULL);
    results[n++] = salp_apply(pool, job_square, &in, sizeof in, &out, sizeof out, NULL);
    results[n++] = salp_call(pool, job_echo, bytes, &answer, NULL);
    results[n++] = salp_map_async(&f[0], pool, job_square, &in, sizeof in, &out, sizeof out, 1, NULL);
    results[n++] = salp_starmap_async(&f[1], pool, job_add_one, &column, 1, &out, sizeof out, 1, NULL);
    results[n++] = salp_apply_async(&f[2], pool, job_square, &in, sizeof in, &out, sizeof out, NULL);
    results[n++] = salp_call_async(&f[3], pool, job_echo, bytes, &answer, NULL);
    results[n++] = salp_imap(&stream, pool, job_square, next_number, &source, sizeof in, sizeof out, NULL);
    results[n++] = salp_pool_terminate(pool);
    results[n++] = salp_pool_close(pool);
}

struct inside {
    salp_pool *pool;
    int results[CALLS];
};

static int job_call_own_pool(const void *in, void *out, void *context)
{
    struct inside *inside = out;

    (void)in;
    inside->pool = *(salp_pool **)context;
    make_all_calls(inside->pool, inside->results);
    return 0;
}

/* On one worker, any of these calls would wait for ever. */
static void a_job_cannot_call_its_own_pool(void **state)
{
    int expected = test_engine(state) == SALP_THREADS ? SALP_EINSIDE : SALP_EFORKED;
    salp_pool *pool = open_pool(test_engine(state), 1);
    struct inside inside[20];

    memset(inside, 0, sizeof inside);
    assert_int_equal(salp_map(pool, job_call_own_pool, NULL, 0, inside, sizeof *inside, 20,
                              &(salp_map_options){ .context = &pool, .context_size = sizeof pool }),
                     0);
    for (size_t i = 0; i < LENGTH(inside); i++)
        for (int k = 0; k < CALLS; k++)
            if (inside[i].results[k] != expected)
                fail_msg("item %zu, call %d: %d", i, k, inside[i].results[k]);
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_job_started_without_waiting_cannot_call_its_own_pool(void **state)
{
    int expected = test_engine(state) == SALP_THREADS ? SALP_EINSIDE : SALP_EFORKED;
    salp_pool *pool = open_pool(test_engine(state), 1);
    struct inside inside;
    salp_future *future;

    memset(&inside, 0, sizeof inside);
    assert_int_equal(salp_apply_async(&future, pool, job_call_own_pool, NULL, 0, &inside, sizeof inside,
                                      &(salp_map_options){ .context = &pool, .context_size = sizeof pool }),
                     0);
    assert_int_equal(salp_future_wait(future), 0);
    salp_future_free(future);
    for (int k = 0; k < CALLS; k++)
        assert_int_equal(inside.results[k], expected);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int call_in_fork(void *arg)
{
    int results[CALLS];

    make_all_calls(arg, results);
    for (int k = 0; k < CALLS; k++)
        OR_FAIL(results[k] == SALP_EFORKED);
    return 0;
}

static void a_fork_of_the_program_cannot_use_its_pools(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(run_program(call_in_fork, pool), 0);
        assert_int_equal(check_squares(pool, 1000, NULL), 0);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static int open_own_pool(void *arg)
{
    salp_pool *pool;
    salp_engine engine = *(salp_engine *)arg;

    OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){ .engine = engine, .workers = 2 }) == 0);
    OR_FAIL(check_squares(pool, 1000, NULL) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void a_fork_of_the_program_may_open_pools_of_its_own(void **state)
{
    salp_engine engine = test_engine(state);
#ifdef __SANITIZE_THREAD__
    if (engine == SALP_THREADS)
        test_skip("ThreadSanitizer cannot start threads in a fork of a program with threads");
#endif
    struct meeting *meeting = shared_memory(sizeof *meeting);
    salp_pool *pool =
        open_with(&(salp_pool_options){ .engine = engine, .workers = 2, .initializer = initialize_nothing });
    pid_t ids[2];

    /* A thread that is just starting may hold a lock of AddressSanitizer's allocator, which does not survive a fork. */
    meet_workers(pool, meeting, ids, 2);
    assert_int_equal(run_program(open_own_pool, &engine), 0);
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* A job that opens a pool of the given engine, maps on it and sums the squares of 1 to n. */
struct nested {
    salp_engine engine;
    int n;
};

static int job_sum_squares(const void *in, void *out, void *context)
{
    const struct nested *nested = in;
    int numbers[100], squares[100], result;
    salp_pool *pool;

    (void)context;
    result = salp_pool_open(&pool, &(salp_pool_options){ .engine = nested->engine, .workers = 2 });
    if (result < 0)
        return result;
    for (int i = 0; i < nested->n; i++)
        numbers[i] = i + 1;
    result = salp_map(pool, job_square, numbers, sizeof *numbers, squares, sizeof *squares, (size_t)nested->n, NULL);
    *(int *)out = 0;
    for (int i = 0; i < nested->n; i++)
        *(int *)out += squares[i];
    return result < 0 ? result : salp_pool_close(pool);
}

static void a_job_may_open_a_pool_of_its_own(void **state)
{
    static const salp_engine engines[] = { SALP_THREADS, SALP_PROCESSES };

    for (size_t e = 0; e < LENGTH(engines); e++) {
        struct nested in[20];
        int out[20];
        salp_pool *pool = open_pool(test_engine(state), 3);

        for (int i = 0; i < 20; i++)
            in[i] = (struct nested){ engines[e], i * 5 };
        assert_int_equal(salp_map(pool, job_sum_squares, in, sizeof *in, out, sizeof *out, 20, NULL), 0);
        for (int i = 0; i < 20; i++)
            assert_int_equal(out[i], in[i].n * (in[i].n + 1) * (2 * in[i].n + 1) / 6);
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

static struct gate *gate;

static int job_gated(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return gate_pass(gate);
}

/* Crashes while the workers of its own pool are busy. */
static int job_crash_above_a_pool(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    if (i == 1) {
        salp_pool *pool;
        salp_future *future;
        int result = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2 });

        if (result < 0)
            return result;
        result = salp_map_async(&future, pool, job_gated, NULL, 0, NULL, 0, 10, NULL);
        if (result < 0)
            return result;
        if (!reaches(&gate->inside, 2))
            return -EBUSY;
        raise(SIGKILL);
    }
    return job_square(in, out, context);
}

static void a_crash_above_a_nested_pool_takes_its_workers_along(void **state)
{
    int in[10], out[10], errors[10];
    salp_pool *pool;

    (void)state;
    gate = shared_memory(sizeof *gate);
    pool = open_pool(SALP_PROCESSES, 2);
    for (int i = 0; i < 10; i++)
        in[i] = i;
    assert_int_equal(salp_map(pool, job_crash_above_a_pool, in, sizeof *in, out, sizeof *out, 10,
                              &(salp_map_options){ .errors = errors }),
                     SALP_ECRASHED);
    for (int i = 0; i < 10; i++)
        assert_int_equal(errors[i], i == 1 ? SALP_ECRASHED : 0);
    assert_int_equal(check_squares(pool, 100, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_map_on_threads(const void *in, void *out, void *context)
{
    (void)in;
    *(int *)out = check_squares(*(salp_pool **)context, 500, NULL);
    return 0;
}

/* A pool that is not the job's own, but of the same program. */
static void a_job_on_threads_may_use_another_pool(void **state)
{
    int out[30];
    salp_pool *outer = open_pool(SALP_THREADS, 3), *other = open_pool(test_engine(state), 2);

    assert_int_equal(salp_map(outer, job_map_on_threads, NULL, 0, out, sizeof *out, 30,
                              &(salp_map_options){ .context = &other, .chunk = 1 }),
                     0);
    for (int i = 0; i < 30; i++)
        assert_int_equal(out[i], 0);
    assert_int_equal(salp_pool_close(outer), 0);
    assert_int_equal(salp_pool_close(other), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a job cannot call its own pool", a_job_cannot_call_its_own_pool),
        TEST_ENGINES("a job started without waiting cannot call its own pool",
                     a_job_started_without_waiting_cannot_call_its_own_pool),
        TEST_ENGINES("a fork of the program cannot use its pools", a_fork_of_the_program_cannot_use_its_pools),
        TEST_ENGINES("a fork of the program may open pools of its own",
                     a_fork_of_the_program_may_open_pools_of_its_own),
        TEST_ENGINES("a job may open a pool of its own", a_job_may_open_a_pool_of_its_own),
        TEST("a crash above a nested pool takes its workers along",
             a_crash_above_a_nested_pool_takes_its_workers_along),
        TEST_ENGINES("a job on threads may use another pool", a_job_on_threads_may_use_another_pool),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
