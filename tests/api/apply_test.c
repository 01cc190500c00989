/*
 * Single calls of a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

static void an_apply_returns_its_result(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);
    int rounds = test_scale(2000);

    for (int i = 0; i < rounds; i++) {
        int result = -1;

        assert_int_equal(salp_apply(pool, job_square, &i, sizeof i, &result, sizeof result, NULL), 0);
        assert_int_equal(result, (int)((unsigned)i * (unsigned)i));
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_return_input(const void *in, void *out, void *context)
{
    (void)context;
    if (out)
        memset(out, 7, 1000000);
    return in ? *(const int *)in : -ENODATA;
}

static void an_apply_returns_the_error_of_its_job(void **state)
{
    static struct failures failures;
    int in = -EILSEQ, error = 1;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(
        salp_apply(pool, job_return_input, &in, sizeof in, NULL, 0,
                   &(salp_map_options){ .errors = &error, .on_failure = note_failure, .on_failure_arg = &failures }),
        -EILSEQ);
    assert_int_equal(error, -EILSEQ);
    assert_int_equal(failures.count, 1);
    assert_int_equal(failures.each[0].index, 0);
    assert_int_equal(failures.each[0].error, -EILSEQ);

    in = 5;
    assert_int_equal(
        salp_apply(pool, job_return_input, &in, sizeof in, NULL, 0, &(salp_map_options){ .errors = &error }), 0);
    assert_int_equal(error, 5);
    assert_int_equal(salp_apply(pool, job_return_input, NULL, 0, NULL, 0, NULL), -ENODATA);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void an_apply_may_have_a_large_result(void **state)
{
    int in = 0;
    unsigned char *out = calloc(1, 1000000);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_non_null(out);
    assert_int_equal(salp_apply(pool, job_return_input, &in, sizeof in, out, 1000000, NULL), 0);
    for (int i = 0; i < 1000000; i++)
        assert_int_equal(out[i], 7);
    assert_int_equal(salp_pool_close(pool), 0);
    free(out);
}

static void note_done(size_t done, size_t count, void *arg)
{
    if (done == 1 && count == 1)
        *(int *)arg = 1;
}

static void an_apply_tells_its_progress(void **state)
{
    int in = 3, out = 0, ended = 0;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(salp_apply(pool, job_square, &in, sizeof in, &out, sizeof out,
                                &(salp_map_options){ .on_progress = note_done, .on_progress_arg = &ended }),
                     0);
    assert_int_equal(out, 9);
    assert_int_equal(ended, 1);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_crash(const void *in, void *out, void *context)
{
    (void)in;
    (void)context;
    *(int *)out = 1;
    abort();
}

static void a_crashed_apply_is_an_error_and_the_next_one_works(void **state)
{
    static struct failures failures;
    int in = 3, out = -7;
    salp_pool *pool = open_pool(SALP_PROCESSES, 1);

    (void)state;
    for (int round = 0; round < 10; round++) {
        out = -7;
        memset(&failures, 0, sizeof failures);
        assert_int_equal(salp_apply(pool, job_crash, NULL, 0, &out, sizeof out,
                                    &(salp_map_options){ .on_failure = note_failure, .on_failure_arg = &failures }),
                         SALP_ECRASHED);
        assert_int_equal(out, -7);
        assert_int_equal(failures.count, 1);
        assert_int_equal(failures.each[0].signal, SIGABRT);
        assert_int_equal(salp_apply(pool, job_square, &in, sizeof in, &out, sizeof out, NULL), 0);
        assert_int_equal(out, 9);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("an apply returns its result", an_apply_returns_its_result),
        TEST_ENGINES("an apply returns the error of its job", an_apply_returns_the_error_of_its_job),
        TEST_ENGINES("an apply may have a large result", an_apply_may_have_a_large_result),
        TEST_ENGINES("an apply tells its progress", an_apply_tells_its_progress),
        TEST("a crashed apply is an error and the next one works", a_crashed_apply_is_an_error_and_the_next_one_works),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
