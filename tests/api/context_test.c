/*
 * The context of a job: the caller's own pointer, or a copy for each worker and call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

static int number;

static int job_read_number(const void *in, void *out, void *context)
{
    (void)in;
    *(int *)out = *(int *)context;
    return 0;
}

static void a_context_without_a_size_is_the_pointer_itself(void **state)
{
    int out[100];
    salp_pool *pool;

    number = 1;
    pool = open_pool(test_engine(state), 2);
    number = 2;
    assert_int_equal(
        salp_map(pool, job_read_number, NULL, 0, out, sizeof *out, 100, &(salp_map_options){ .context = &number }), 0);
    /* Worker processes see memory as it was when the pool was opened. */
    for (int i = 0; i < 100; i++)
        assert_int_equal(out[i], test_engine(state) == SALP_THREADS ? 2 : 1);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_context_with_a_size_is_read_when_the_map_is_called(void **state)
{
    int out[100];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int round = 10; round < 20; round++) {
        number = round;
        assert_int_equal(salp_map(pool, job_read_number, NULL, 0, out, sizeof *out, 100,
                                  &(salp_map_options){ .context = &number, .context_size = sizeof number }),
                         0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(out[i], round);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

struct tally {
    int calls;
    char rest[300]; /* not only the first bytes are copied */
};

struct seen {
    pid_t worker;
    int calls;
};

static int job_count_calls(const void *in, void *out, void *context)
{
    struct tally *tally = context;
    struct seen *seen = out;

    (void)in;
    for (size_t i = 0; i < sizeof tally->rest; i++)
        if (tally->rest[i] != (char)(i + (size_t)tally->calls))
            return -EILSEQ;
    tally->calls++;
    for (size_t i = 0; i < sizeof tally->rest; i++)
        tally->rest[i]++;
    seen->worker = (pid_t)syscall(SYS_gettid);
    seen->calls = tally->calls;
    return 0;
}

/* So the calls that each worker counts in its copy are 1, 2, 3, ... without a gap. */
static void check_tallies(const struct seen *seen, int count)
{
    for (int i = 0; i < count; i++) {
        int larger = 0, mine = 0;

        for (int k = 0; k < count; k++) {
            if (seen[k].worker != seen[i].worker)
                continue;
            mine++;
            if (k != i)
                assert_int_not_equal(seen[k].calls, seen[i].calls);
            larger += seen[k].calls > seen[i].calls;
        }
        assert_int_equal(seen[i].calls, mine - larger);
    }
}

static void each_worker_changes_its_own_copy_of_the_context(void **state)
{
    enum { COUNT = 700 };
    static struct seen seen[COUNT];
    struct tally tally = { 0 }, before;
    salp_pool *pool = open_pool(test_engine(state), 4);

    for (size_t i = 0; i < sizeof tally.rest; i++)
        tally.rest[i] = (char)i;
    before = tally;
    for (int round = 0; round < 5; round++) {
        assert_int_equal(
            salp_map(pool, job_count_calls, NULL, 0, seen, sizeof *seen, COUNT,
                     &(salp_map_options){ .chunk = (size_t)round, .context = &tally, .context_size = sizeof tally }),
            0);
        assert_memory_equal(&tally, &before, sizeof tally);
        check_tallies(seen, COUNT);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

#define LARGE ((size_t)5 << 20)

static int job_sum_large_context(const void *in, void *out, void *context)
{
    const uint64_t *words = context;
    uint64_t sum = 0;

    (void)in;
    for (size_t i = 0; i < LARGE / sizeof *words; i++)
        sum += words[i] * (i + 1);
    *(uint64_t *)out = sum;
    return 0;
}

static void a_context_may_be_large(void **state)
{
    uint64_t *words = malloc(LARGE), out[20], expected = 0;
    salp_pool *pool = open_pool(test_engine(state), 3);

    assert_non_null(words);
    for (size_t i = 0; i < LARGE / sizeof *words; i++) {
        words[i] = i * 31 + 7;
        expected += words[i] * (i + 1);
    }
    for (int round = 0; round < 3; round++) {
        assert_int_equal(salp_map(pool, job_sum_large_context, NULL, 0, out, sizeof *out, LENGTH(out),
                                  &(salp_map_options){ .context = words, .context_size = LARGE }),
                         0);
        for (size_t i = 0; i < LENGTH(out); i++)
            assert_true(out[i] == expected);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(words);
}

struct caller {
    salp_pool *pool;
    int number;
    int wrong;
};

static void *map_with_own_context(void *arg)
{
    struct caller *caller = arg;
    int out[50];

    for (int round = 0; round < 100; round++) {
        int number_now = caller->number + round;
        int result = salp_map(caller->pool, job_read_number, NULL, 0, out, sizeof *out, LENGTH(out),
                              &(salp_map_options){ .context = &number_now, .context_size = sizeof(int) });

        caller->wrong += result != 0;
        for (size_t i = 0; i < LENGTH(out); i++)
            caller->wrong += out[i] != number_now;
    }
    return NULL;
}

static void maps_at_the_same_time_do_not_share_contexts(void **state)
{
    struct caller callers[6];
    pthread_t threads[LENGTH(callers)];
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (size_t i = 0; i < LENGTH(callers); i++) {
        callers[i] = (struct caller){ pool, (int)i * 1000, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, map_with_own_context, &callers[i]), 0);
    }
    for (size_t i = 0; i < LENGTH(callers); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(callers[i].wrong, 0);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a context without a size is the pointer itself", a_context_without_a_size_is_the_pointer_itself),
        TEST_ENGINES("a context with a size is read when the map is called",
                     a_context_with_a_size_is_read_when_the_map_is_called),
        TEST_ENGINES("each worker changes its own copy of the context",
                     each_worker_changes_its_own_copy_of_the_context),
        TEST_ENGINES("a context may be large", a_context_may_be_large),
        TEST_ENGINES("maps at the same time do not share contexts", maps_at_the_same_time_do_not_share_contexts),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
