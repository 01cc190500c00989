/*
 * Wrong arguments and exhausted resources: the documented error, at once, and nothing left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include "source.h"

#include <sys/resource.h>

static void check_open(const salp_pool_options *options, int expected)
{
    salp_pool *pool = NULL;
    int descriptors = test_count_descriptors();

    assert_int_equal(salp_pool_open(&pool, options), expected);
    assert_int_equal(test_count_descriptors(), descriptors);
    assert_int_equal(test_count_children(getpid()), 0);
}

static void options_out_of_range_are_refused(void **state)
{
    salp_engine engine = test_engine(state);

    assert_int_equal(salp_pool_open(NULL, NULL), -EINVAL);
    assert_int_equal(salp_pool_open(NULL, &(salp_pool_options){ .engine = engine }), -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .workers = -1 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .workers = INT_MIN }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .workers = SALP_WORKERS_MAX + 1 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .workers = INT_MAX }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .item_timeout = -1 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .item_timeout = INT64_MIN }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .retries = -1 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .start = (salp_start)3 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = engine, .start = (salp_start)-1 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = (salp_engine)3 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = (salp_engine)-1 }, -EINVAL);
    check_open(&(salp_pool_options){ .engine = SALP_CLUSTER }, -ENOTSUP);
    check_open(&(salp_pool_options){ .engine = SALP_THREADS, .item_timeout = 1 }, -ENOTSUP);
    check_open(&(salp_pool_options){ .engine = SALP_THREADS, .memory_limit = 1 }, -ENOTSUP);
}

static void null_options_are_all_defaults(void **state)
{
    salp_pool *pool;
    int in = 4, out = 0;

    (void)state;
    assert_int_equal(salp_pool_open(&pool, NULL), 0);
    assert_true(salp_pool_workers(pool) >= 1);
    assert_string_equal(salp_pool_reason(pool), "");
    assert_int_equal(salp_apply(pool, job_square, &in, sizeof in, &out, sizeof out, NULL), 0);
    assert_int_equal(out, 16);
    assert_int_equal(salp_pool_close(pool), 0);
    assert_int_equal(salp_pool_close(NULL), 0);
    assert_int_equal(salp_pool_terminate(NULL), -EINVAL);
    assert_int_equal(salp_pool_workers(NULL), -EINVAL);
}

struct map_arguments {
    const void *in;
    size_t in_size;
    void *out;
    size_t out_size, count;
    salp_map_options options;
};

static int values[100], results[100];

#define HUGE_COUNT (SIZE_MAX / 2 + 2) /* twice as many bytes are 2 */

static const struct map_arguments wrong_maps[] = {
    { NULL, sizeof(int), results, sizeof(int), 100, { 0 } },
    { values, sizeof(int), NULL, sizeof(int), 100, { 0 } },
    { values, 0, results, sizeof(int), 100, { 0 } },
    { values, sizeof(int), results, 0, 100, { 0 } },
    { values, 2, NULL, 0, HUGE_COUNT, { 0 } },
    { NULL, 0, results, 2, HUGE_COUNT, { 0 } },
    { values, SIZE_MAX, results, sizeof(int), 2, { 0 } },
    { values, sizeof(int), results, SIZE_MAX / 2 + 1, 2, { 0 } },
    { values, sizeof(int), results, sizeof(int), 100, { .context_size = 1 } },
    { values, sizeof(int), results, sizeof(int), 100, { .context_size = SIZE_MAX } },
};

static void no_call(salp_future *future, void *arg)
{
    (void)future;
    *(int *)arg = 1;
}

static void wrong_arguments_of_a_map_are_refused_at_once(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);
    salp_future *future = NULL;
    int called = 0;

    for (size_t i = 0; i < LENGTH(wrong_maps); i++) {
        const struct map_arguments *a = &wrong_maps[i];

        if (salp_map(pool, job_square, a->in, a->in_size, a->out, a->out_size, a->count, &a->options) != -EINVAL)
            fail_msg("map %zu", i);
        if (salp_map_async(&future, pool, job_square, a->in, a->in_size, a->out, a->out_size, a->count, &a->options) !=
            -EINVAL)
            fail_msg("asynchronous map %zu", i);
    }
    assert_int_equal(salp_map(NULL, job_square, values, 4, results, 4, 100, NULL), -EINVAL);
    assert_int_equal(salp_map(pool, NULL, values, 4, results, 4, 100, NULL), -EINVAL);
    assert_int_equal(salp_map_async(&future, NULL, job_square, values, 4, results, 4, 100, NULL), -EINVAL);
    assert_int_equal(salp_map_async(&future, pool, NULL, values, 4, results, 4, 100, NULL), -EINVAL);
    assert_int_equal(salp_map(pool, job_square, values, 4, results, 4, 100,
                              &(salp_map_options){ .on_done = no_call, .on_done_arg = &called }),
                     -EINVAL);
    assert_int_equal(salp_apply(pool, job_square, values, 4, results, 4,
                                &(salp_map_options){ .on_done = no_call, .on_done_arg = &called }),
                     -EINVAL);
    assert_null(future);
    assert_int_equal(salp_pool_close(pool), 0);
    assert_int_equal(called, 0);
}

static int job_of_columns(const void *const in[], void *out, void *context)
{
    return job_square(in[0], out, context);
}

static void wrong_columns_are_refused(void **state)
{
    salp_column columns[SALP_COLUMNS_MAX + 1];
    salp_future *future = NULL;
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i <= SALP_COLUMNS_MAX; i++)
        columns[i] = (salp_column){ values, sizeof *values };
#define STARMAP(columns, n) salp_starmap(pool, job_of_columns, columns, n, results, 4, 100, NULL)
    assert_int_equal(STARMAP(columns, 0), -EINVAL);
    assert_int_equal(STARMAP(columns, -1), -EINVAL);
    assert_int_equal(STARMAP(columns, INT_MIN), -EINVAL);
    assert_int_equal(STARMAP(columns, SALP_COLUMNS_MAX + 1), -EINVAL);
    assert_int_equal(STARMAP(NULL, 1), -EINVAL);
    assert_int_equal(STARMAP(columns, SALP_COLUMNS_MAX), 0);
    columns[1].data = NULL;
    assert_int_equal(STARMAP(columns, 2), -EINVAL);
    columns[1] = (salp_column){ values, 0 };
    assert_int_equal(STARMAP(columns, 2), -EINVAL);
    columns[1] = (salp_column){ values, SIZE_MAX / 50 };
    assert_int_equal(STARMAP(columns, 2), -EINVAL);
    if (test_engine(state) == SALP_PROCESSES) {
        columns[1].size = SIZE_MAX / 100 - 3; /* overflows only together with the others */
        assert_int_equal(STARMAP(columns, 2), -EINVAL);
    }
    columns[1].size = sizeof *values;
    assert_int_equal(salp_starmap_async(&future, pool, job_of_columns, columns, 0, results, 4, 100, NULL), -EINVAL);
    assert_int_equal(salp_starmap(pool, NULL, columns, 2, results, 4, 100, NULL), -EINVAL);
    assert_int_equal(salp_starmap(NULL, job_of_columns, columns, 2, results, 4, 100, NULL), -EINVAL);
    assert_null(future);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_of_bytes(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    return salp_buffer_append(out, in.data, in.size);
}

static void wrong_arguments_of_an_apply_or_a_call_are_refused(void **state)
{
    salp_future *future = NULL;
    salp_buffer answer = { 0 };
    salp_bytes bytes = { values, 4 }, nowhere = { NULL, 4 };
    salp_map_options no_context = { .context_size = 4 };
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(salp_apply(NULL, job_square, values, 4, results, 4, NULL), -EINVAL);
    assert_int_equal(salp_apply(pool, NULL, values, 4, results, 4, NULL), -EINVAL);
    assert_int_equal(salp_apply(pool, job_square, NULL, 4, results, 4, NULL), -EINVAL);
    assert_int_equal(salp_apply(pool, job_square, values, 4, NULL, 4, NULL), -EINVAL);
    assert_int_equal(salp_apply(pool, job_square, values, 0, results, 4, NULL), -EINVAL);
    assert_int_equal(salp_apply(pool, job_square, values, 4, results, 0, NULL), -EINVAL);
    assert_int_equal(salp_apply(pool, job_square, values, 4, results, 4, &no_context), -EINVAL);
    assert_int_equal(salp_apply_async(&future, NULL, job_square, values, 4, results, 4, NULL), -EINVAL);
    assert_int_equal(salp_apply_async(&future, pool, NULL, values, 4, results, 4, NULL), -EINVAL);
    assert_int_equal(salp_apply_async(&future, pool, job_square, NULL, 4, results, 4, NULL), -EINVAL);
    assert_int_equal(salp_call(NULL, job_of_bytes, bytes, &answer, NULL), -EINVAL);
    assert_int_equal(salp_call(pool, NULL, bytes, &answer, NULL), -EINVAL);
    assert_int_equal(salp_call(pool, job_of_bytes, nowhere, &answer, NULL), -EINVAL);
    assert_int_equal(salp_call(pool, job_of_bytes, bytes, &answer, &no_context), -EINVAL);
    assert_int_equal(salp_call_async(&future, NULL, job_of_bytes, bytes, &answer, NULL), -EINVAL);
    assert_int_equal(salp_call_async(&future, pool, NULL, bytes, &answer, NULL), -EINVAL);
    assert_int_equal(salp_call_async(&future, pool, job_of_bytes, nowhere, &answer, NULL), -EINVAL);
    assert_null(future);
    assert_null(answer.data);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void wrong_arguments_of_an_imap_are_refused(void **state)
{
    struct source source = source_of(10, 0);
    salp_results *r = NULL;
    salp_imap_options no_context = { .context_size = 4 };
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(salp_imap(NULL, pool, job_square, next_number, &source, 4, 4, NULL), -EINVAL);
    assert_int_equal(salp_imap(&r, NULL, job_square, next_number, &source, 4, 4, NULL), -EINVAL);
    assert_int_equal(salp_imap(&r, pool, NULL, next_number, &source, 4, 4, NULL), -EINVAL);
    assert_int_equal(salp_imap(&r, pool, job_square, NULL, &source, 4, 4, NULL), -EINVAL);
    assert_int_equal(salp_imap(&r, pool, job_square, next_number, &source, 0, 4, NULL), -EINVAL);
    assert_int_equal(salp_imap(&r, pool, job_square, next_number, &source, 4, 4, &no_context), -EINVAL);
    assert_null(r);
    assert_int_equal(source.calls, 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* With each number of free descriptors: it works, or says what is missing and leaves nothing. */
static void a_lack_of_descriptors_is_reported(void **state)
{
    struct rlimit saved, limit;
    int highest = dup(0), refused = 0;

    assert_true(highest >= 0);
    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    for (int more = 0; more < 24; more++) {
        salp_pool *pool = NULL;
        int result, descriptors = test_count_descriptors();

        limit = (struct rlimit){ (rlim_t)(highest + more), saved.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        result = salp_pool_open(&pool, &(salp_pool_options){ .engine = test_engine(state), .workers = 2 });
        if (result == 0) {
            result = check_squares(pool, 1000, NULL);
            assert_int_equal(salp_pool_close(pool), 0);
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
        if (result != 0)
            assert_int_equal(result, -EMFILE);
        refused += result != 0;
        assert_int_equal(test_count_descriptors(), descriptors);
        assert_int_equal(test_count_children(getpid()), 0);
    }
    if (test_engine(state) == SALP_PROCESSES)
        assert_in_range(refused, 1, 23);
}

static void a_small_limit_on_file_sizes_is_reported(void **state)
{
    static const rlim_t limits[] = { 0, 1, 4096, 65536, 1 << 20 };
    struct rlimit saved;
    int *in = calloc(3000000, sizeof *in), refused = 0;

    assert_non_null(in);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    for (size_t i = 0; i < LENGTH(limits); i++) {
        salp_pool *pool = NULL;
        int result;

        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ limits[i], saved.rlim_max }), 0);
        result = salp_pool_open(&pool, &(salp_pool_options){ .engine = test_engine(state), .workers = 2 });
        if (result == 0) { /* then it is enough for the pool, but maybe not for the inputs */
            result = salp_map(pool, job_square, in, sizeof *in, in, sizeof *in, 3000000, NULL);
            if (result == -ENOSPC || result == -ENOMEM)
                result = -EFBIG;
            assert_int_equal(salp_pool_close(pool), 0);
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
        if (result != 0)
            assert_int_equal(result, -EFBIG);
        refused += result != 0;
    }
    if (test_engine(state) == SALP_THREADS)
        assert_int_equal(refused, 0);
    else
        assert_true(refused >= 3);
    free(in);
}

/* The signal that usually comes with such a limit must not end the program. */
static void a_limit_on_file_sizes_set_later_is_survived(void **state)
{
    struct rlimit saved;
    int *in = calloc(3000000, sizeof *in), result;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_non_null(in);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, saved.rlim_max }), 0);
    result = salp_map(pool, job_square, in, sizeof *in, in, sizeof *in, 3000000, NULL);
    assert_true(result == 0 || result == -EFBIG || result == -ENOSPC || result == -ENOMEM);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("options out of range are refused", options_out_of_range_are_refused),
        TEST("NULL options are all defaults", null_options_are_all_defaults),
        TEST_ENGINES("wrong arguments of a map are refused at once", wrong_arguments_of_a_map_are_refused_at_once),
        TEST_ENGINES("wrong columns are refused", wrong_columns_are_refused),
        TEST_ENGINES("wrong arguments of an apply or a call are refused",
                     wrong_arguments_of_an_apply_or_a_call_are_refused),
        TEST_ENGINES("wrong arguments of an imap are refused", wrong_arguments_of_an_imap_are_refused),
        TEST_ENGINES("a lack of descriptors is reported", a_lack_of_descriptors_is_reported),
        TEST_ENGINES("a small limit on file sizes is reported", a_small_limit_on_file_sizes_is_reported),
        TEST_ENGINES("a limit on file sizes set later is survived", a_limit_on_file_sizes_set_later_is_survived),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
