/*
 * Opening, terminating and closing pools, and calls from places where they cannot work.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include "source.h"

static atomic_int *started, *stop;

static int job_until_stopped(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    atomic_fetch_add(started, 1);
    return reaches(stop, 1) ? 0 : -EBUSY;
}

struct caller {
    salp_pool *pool;
    pthread_t thread;
    int result;
};

static void *map_endlessly(void *arg)
{
    struct caller *caller = arg;

    caller->result = salp_map(caller->pool, job_until_stopped, NULL, 0, NULL, 0, 1000000, NULL);
    return NULL;
}

static void *terminate(void *arg)
{
    struct caller *caller = arg;

    caller->result = salp_pool_terminate(caller->pool);
    return NULL;
}

static atomic_int done_calls;

static void count_done(salp_future *future, void *arg)
{
    (void)future;
    (void)arg;
    atomic_fetch_add(&done_calls, 1);
}

static int job_of_columns(const void *const in[], void *out, void *context)
{
    return job_square(in[0], out, context);
}

static int job_of_bytes(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    return salp_buffer_append(out, in.data, in.size);
}

static void check_refused(salp_pool *pool, int error)
{
    struct source source = source_of(10, 0);
    salp_future *future;
    salp_results *results;
    int in = 1, out, result;
    salp_column column = { &in, sizeof in };
    salp_buffer answer = { 0 };

    assert_int_equal(check_squares(pool, 10, NULL), error);
    assert_int_equal(salp_apply(pool, job_square, &in, sizeof in, &out, sizeof out, NULL), error);
    assert_int_equal(salp_starmap(pool, job_of_columns, &column, 1, &out, sizeof out, 1, NULL), error);
    assert_int_equal(salp_call(pool, job_of_bytes, (salp_bytes){ 0 }, &answer, NULL), error);
    result = salp_apply_async(&future, pool, job_square, &in, sizeof in, &out, sizeof out, NULL);
    if (result == 0) {
        result = salp_future_wait(future);
        salp_future_free(future);
    }
    assert_int_equal(result, error);
    result = salp_imap(&results, pool, job_square, next_number, &source, sizeof in, sizeof out, NULL);
    if (result == 0) {
        size_t index = 0;

        result = salp_results_next(results, &out, &index);
        assert_true(index == SIZE_MAX);
        salp_results_close(results);
    }
    assert_int_equal(result, error);
}

/* Several threads wait in maps, and futures are pending, when another thread stops the pool. */
static void a_terminated_pool_ends_what_was_pending(void **state)
{
    struct caller callers[4], terminator;
    salp_future *futures[3];
    salp_pool *pool;

    started = shared_memory(sizeof *started);
    stop = shared_memory(sizeof *stop);
    terminator.pool = pool = open_pool(test_engine(state), 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(salp_map_async(&futures[i], pool, job_until_stopped, NULL, 0, NULL, 0, 1000,
                                        &(salp_map_options){ .on_done = count_done }),
                         0);
    for (int i = 0; i < 4; i++) {
        callers[i].pool = pool;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, map_endlessly, &callers[i]), 0);
    }
    assert_true(reaches(started, 2));
    assert_int_equal(pthread_create(&terminator.thread, NULL, terminate, &terminator), 0);
    if (test_engine(state) == SALP_THREADS) {
        /* Items that are running end first; none is started once the calls are refused. */
        while (check_squares(pool, 1, NULL) != SALP_ECLOSED && atomic_load(started) < 1000)
            doze(SALP_MICROSECONDS(100));
        atomic_store(stop, 1);
    }
    assert_int_equal(pthread_join(terminator.thread, NULL), 0);
    assert_int_equal(terminator.result, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        /* A thread that came late was refused, the others were interrupted. */
        if (callers[i].result != SALP_ECLOSED)
            assert_int_equal(callers[i].result, -ECANCELED);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(salp_future_wait(futures[i]), -ECANCELED);
        salp_future_free(futures[i]);
    }
    check_refused(pool, SALP_ECLOSED);
    if (test_engine(state) == SALP_PROCESSES)
        assert_int_equal(test_count_children(getpid()), 0);
    assert_int_equal(salp_pool_close(pool), 0);
    assert_int_equal(done_calls, 3);
}

static void *fetch_a_result(void *arg)
{
    size_t index = 0;
    int result;
    struct caller *caller = arg;
    struct source source = source_of(INT_MAX, 0);
    salp_results *results;

    caller->result = salp_imap(&results, caller->pool, job_until_stopped, next_number, &source, sizeof(int), 0, NULL);
    if (caller->result < 0)
        return NULL;
    result = salp_results_next(results, NULL, &index);
    caller->result = index == SIZE_MAX ? result : -EILSEQ;
    salp_results_close(results);
    return NULL;
}

static void a_terminated_pool_ends_the_results_of_an_imap(void **state)
{
    struct caller caller;

    (void)state;
    started = shared_memory(sizeof *started);
    stop = shared_memory(sizeof *stop);
    caller.pool = open_pool(SALP_PROCESSES, 2);
    assert_int_equal(pthread_create(&caller.thread, NULL, fetch_a_result, &caller), 0);
    assert_true(reaches(started, 1));
    assert_int_equal(salp_pool_terminate(caller.pool), 0);
    assert_int_equal(pthread_join(caller.thread, NULL), 0);
    assert_int_equal(caller.result, -ECANCELED);
    assert_int_equal(salp_pool_close(caller.pool), 0);
}

static void a_pool_may_be_terminated_while_it_is_idle(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(salp_pool_terminate(pool), 0);
    check_refused(pool, SALP_ECLOSED);
    assert_int_equal(salp_pool_close(pool), 0);
    pool = open_pool(test_engine(state), 2);
    assert_int_equal(check_squares(pool, 100, NULL), 0);
    assert_int_equal(salp_pool_terminate(pool), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_rest_and_square(const void *in, void *out, void *context)
{
    doze(SALP_MICROSECONDS(200));
    return job_square(in, out, context);
}

static void closing_waits_for_calls_under_way(void **state)
{
    static int in[2000], out[2000];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < 2000; i++) {
        in[i] = i;
        out[i] = -1;
    }
    for (int k = 0; k < 20; k++)
        assert_int_equal(salp_map_async(NULL, pool, job_rest_and_square, in + 100 * k, sizeof *in, out + 100 * k,
                                        sizeof *out, 100, &(salp_map_options){ .on_done = count_done }),
                         0);
    assert_int_equal(salp_pool_close(pool), 0);
    assert_int_equal(done_calls, 20);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(out[i], i * i);
}

static void pools_may_be_opened_and_closed_very_often(void **state)
{
    int rounds = test_scale(200), descriptors = test_count_descriptors();

    for (int round = 0; round < rounds; round++) {
        salp_pool *pool = open_pool(test_engine(state), round % 4 + 1);

        if (round % 3)
            assert_int_equal(check_squares(pool, round, NULL), 0);
        assert_int_equal(salp_pool_close(pool), 0);
        assert_int_equal(test_count_descriptors(), descriptors);
        assert_int_equal(test_count_children(getpid()), 0);
    }
    assert_int_equal(salp_pool_close(NULL), 0);
}

static void several_pools_may_be_open_at_once(void **state)
{
    salp_pool *pools[12];

    (void)state;
    for (size_t i = 0; i < LENGTH(pools); i++)
        pools[i] = open_pool(i % 3 ? SALP_PROCESSES : SALP_THREADS, 2);
    for (size_t i = 0; i < LENGTH(pools); i++)
        assert_int_equal(check_squares(pools[i], 1000, NULL), 0);
    for (size_t i = 0; i < LENGTH(pools); i += 2) /* not in the order of opening */
        assert_int_equal(salp_pool_close(pools[i]), 0);
    for (size_t i = 1; i < LENGTH(pools); i += 2) {
        assert_int_equal(check_squares(pools[i], 1000, NULL), 0);
        assert_int_equal(salp_pool_close(pools[i]), 0);
    }
}

static void *open_a_pool(void *arg)
{
    struct caller *caller = arg;

    caller->result =
        salp_pool_open(&caller->pool, &(salp_pool_options){ .engine = (salp_engine)caller->result, .workers = 2 });
    return NULL;
}

/* The end of the thread is not the end of the program. */
static void a_pool_outlives_the_thread_that_opened_it(void **state)
{
    struct caller caller = { .result = (int)test_engine(state) };

    assert_int_equal(pthread_create(&caller.thread, NULL, open_a_pool, &caller), 0);
    assert_int_equal(pthread_join(caller.thread, NULL), 0);
    assert_int_equal(caller.result, 0);
    doze(SALP_MILLISECONDS(20));
    for (int i = 0; i < 20; i++)
        assert_int_equal(check_squares(caller.pool, 1000, NULL), 0);
    assert_int_equal(salp_pool_close(caller.pool), 0);
}

static void *map_often(void *arg)
{
    struct caller *caller = arg;

    caller->result = 0;
    for (int round = 0; round < 50 && caller->result == 0; round++)
        caller->result =
            check_squares(caller->pool, round % 7 * 100 + 1, &(salp_map_options){ .chunk = (size_t)round % 5 });
    return NULL;
}

static void several_threads_may_map_on_one_pool(void **state)
{
    struct caller callers[8];
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (size_t i = 0; i < LENGTH(callers); i++) {
        callers[i].pool = pool;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, map_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < LENGTH(callers); i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].result, 0);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a terminated pool ends what was pending", a_terminated_pool_ends_what_was_pending),
        TEST("a terminated pool ends the results of an imap", a_terminated_pool_ends_the_results_of_an_imap),
        TEST_ENGINES("a pool may be terminated while it is idle", a_pool_may_be_terminated_while_it_is_idle),
        TEST_ENGINES("closing waits for calls under way", closing_waits_for_calls_under_way),
        TEST_ENGINES("pools may be opened and closed very often", pools_may_be_opened_and_closed_very_often),
        TEST("several pools may be open at once", several_pools_may_be_open_at_once),
        TEST_ENGINES("a pool outlives the thread that opened it", a_pool_outlives_the_thread_that_opened_it),
        TEST_ENGINES("several threads may map on one pool", several_threads_may_map_on_one_pool),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
