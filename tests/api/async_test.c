/*
 * Calls that do not wait, and their futures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

static struct gate *gate;
static atomic_int *runs;

static int job_gated_square(const void *in, void *out, void *context)
{
    int error = gate_pass(gate);

    return error < 0 ? error : job_square(in, out, context);
}

static salp_pool *open_gated(salp_engine engine, int workers)
{
    gate = shared_memory(sizeof *gate);
    runs = shared_memory(sizeof *runs);
    return open_pool(engine, workers);
}

static void a_future_is_ready_when_its_call_has_ended(void **state)
{
    int in[10], out[10];
    salp_future *future = NULL;
    salp_pool *pool = open_gated(test_engine(state), 2);

    for (int i = 0; i < 10; i++)
        in[i] = i;
    assert_int_equal(salp_map_async(&future, pool, job_gated_square, in, sizeof *in, out, sizeof *out, 10, NULL), 0);
    assert_non_null(future);
    assert_true(reaches(&gate->inside, 1));
    assert_false(salp_future_ready(future));
    atomic_store(&gate->open, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(salp_future_wait(future), 0);
        assert_true(salp_future_ready(future));
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(out[i], i * i);
    assert_int_equal(salp_future_cancel(future), -EALREADY);
    assert_int_equal(salp_future_resolve(future, 1), -EINVAL); /* only the pool may */
    assert_int_equal(salp_future_wait(future), 0);
    salp_future_free(future);
    assert_int_equal(salp_pool_close(pool), 0);
}

struct waiter {
    salp_future *future;
    int result;
};

static void *wait_for_future(void *arg)
{
    struct waiter *waiter = arg;

    waiter->result = salp_future_wait(waiter->future);
    return NULL;
}

static int job_gated_error(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return gate_pass(gate) < 0 ? -EBUSY : -EXDEV;
}

static void many_threads_may_wait_for_one_future(void **state)
{
    struct waiter waiters[8];
    pthread_t threads[LENGTH(waiters)];
    salp_future *future;
    salp_pool *pool = open_gated(test_engine(state), 1);

    assert_int_equal(salp_apply_async(&future, pool, job_gated_error, NULL, 0, NULL, 0, NULL), 0);
    for (size_t i = 0; i < LENGTH(waiters); i++) {
        waiters[i] = (struct waiter){ future, 1 };
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_future, &waiters[i]), 0);
    }
    assert_true(reaches(&gate->inside, 1));
    atomic_store(&gate->open, 1);
    assert_int_equal(salp_future_wait(future), -EXDEV);
    for (size_t i = 0; i < LENGTH(waiters); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(waiters[i].result, -EXDEV);
    }
    salp_future_free(future);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_count_gated(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    atomic_fetch_add(runs, 1);
    return gate_pass(gate);
}

static void a_cancelled_map_starts_no_further_item(void **state)
{
    enum { COUNT = 1000 };
    salp_future *future;
    int before;
    salp_pool *pool = open_gated(test_engine(state), 2);

    for (size_t chunk = 0; chunk < 30; chunk += 10) {
        gate_reset(gate);
        atomic_store(runs, 0);
        assert_int_equal(salp_map_async(&future, pool, job_count_gated, NULL, 0, NULL, 0, COUNT,
                                        &(salp_map_options){ .chunk = chunk }),
                         0);
        assert_true(reaches(&gate->inside, 2));
        assert_int_equal(salp_future_cancel(future), 0);
        assert_false(salp_future_ready(future)); /* two items are still running */
        before = atomic_load(runs);
        atomic_store(&gate->open, 1);
        assert_int_equal(salp_future_wait(future), -ECANCELED);
        assert_int_equal(atomic_load(runs), before);
        salp_future_free(future);
        assert_int_equal(check_squares(pool, 100, NULL), 0);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_call_that_waits_behind_others_can_be_cancelled(void **state)
{
    salp_future *first, *second;
    salp_pool *pool = open_gated(test_engine(state), 1);

    assert_int_equal(salp_apply_async(&first, pool, job_count_gated, NULL, 0, NULL, 0, NULL), 0);
    assert_true(reaches(&gate->inside, 1));
    assert_int_equal(salp_apply_async(&second, pool, job_count_gated, NULL, 0, NULL, 0, NULL), 0);
    assert_int_equal(salp_future_cancel(second), 0);
    atomic_store(&gate->open, 1);
    assert_int_equal(salp_future_wait(first), 0);
    assert_int_equal(salp_future_wait(second), -ECANCELED);
    assert_int_equal(atomic_load(runs), 1);
    salp_future_free(first);
    salp_future_free(second);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_future_given_up_early_does_not_stop_its_call(void **state)
{
    static int in[64], out[64];
    salp_pool *pool = open_gated(test_engine(state), 2);

    for (int i = 0; i < 64; i++) {
        salp_future *future;

        in[i] = i;
        out[i] = -1;
        assert_int_equal(
            salp_apply_async(&future, pool, job_gated_square, &in[i], sizeof in[i], &out[i], sizeof out[i], NULL), 0);
        salp_future_free(future);
    }
    atomic_store(&gate->open, 1);
    assert_int_equal(salp_pool_close(pool), 0); /* waits for them */
    for (int i = 0; i < 64; i++)
        assert_int_equal(out[i], i * i);
}

static void inputs_of_an_apply_may_be_reused_at_once(void **state)
{
    enum { COUNT = 50 };
    static int out[COUNT];
    static salp_future *futures[COUNT];
    int number;
    salp_pool *pool = open_gated(test_engine(state), 2);

    for (int i = 0; i < COUNT; i++) {
        number = i + 3;
        assert_int_equal(salp_apply_async(&futures[i], pool, job_gated_square, &number, sizeof number, &out[i],
                                          sizeof out[i],
                                          &(salp_map_options){ .context = &number, .context_size = sizeof number }),
                         0);
        number = -1;
    }
    atomic_store(&gate->open, 1);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(salp_future_wait(futures[i]), 0);
        assert_int_equal(out[i], (i + 3) * (i + 3));
        salp_future_free(futures[i]);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_thousand_calls_may_be_started_at_once(void **state)
{
    enum { COUNT = 1000 };
    static int out[COUNT];
    static salp_future *futures[COUNT];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(salp_apply_async(&futures[i], pool, job_square, &i, sizeof i, &out[i], sizeof out[i], NULL),
                         0);
    for (int i = COUNT - 1; i >= 0; i--) {
        assert_int_equal(salp_future_wait(futures[i]), 0);
        assert_int_equal(out[i], i * i);
        salp_future_free(futures[i]);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

struct submitter {
    salp_pool *pool;
    atomic_int submitted;
    int wrong;
};

static void *submit_a_hundred(void *arg)
{
    struct submitter *s = arg;

    for (int i = 0; i < 100; i++) {
        s->wrong += salp_apply_async(NULL, s->pool, job_count_gated, NULL, 0, NULL, 0, NULL) != 0;
        atomic_fetch_add(&s->submitted, 1);
    }
    return NULL;
}

static void no_more_than_64_calls_are_under_way_in_a_pool_of_processes(void **state)
{
    struct submitter submitter = { 0 };
    pthread_t thread;

    (void)state;
    submitter.pool = open_gated(SALP_PROCESSES, 2);
    assert_int_equal(pthread_create(&thread, NULL, submit_a_hundred, &submitter), 0);
    assert_true(reaches(&submitter.submitted, 64));
    doze(SALP_MILLISECONDS(50)); /* long enough for a 65th, if it were let through */
    assert_int_equal(atomic_load(&submitter.submitted), 64);
    atomic_store(&gate->open, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(submitter.wrong, 0);
    assert_int_equal(salp_pool_close(submitter.pool), 0);
    assert_int_equal(atomic_load(runs), 100);
}

static int job_add(const void *const in[], void *out, void *context)
{
    *(int *)out = *(const int *)in[0] + *(const int *)in[1] + *(int *)context;
    return 0;
}

static int job_repeat(salp_bytes in, salp_buffer *out, void *context)
{
    for (int i = 0; i < *(int *)context; i++) {
        int result = salp_buffer_append(out, in.data, in.size);

        if (result < 0)
            return result;
    }
    return 0;
}

static void calls_of_all_kinds_may_be_under_way_together(void **state)
{
    enum { COUNT = 300 };
    static int in[COUNT], mapped[COUNT], zipped[COUNT];
    salp_column columns[] = { { in, sizeof *in }, { in, sizeof *in } };
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    for (int round = 0; round < 20; round++) {
        salp_future *f[4];
        salp_buffer answer = { 0 };
        int applied = 0, context = round;
        char message[3] = "ab";

        memset(mapped, 0, sizeof mapped);
        memset(zipped, 0, sizeof zipped);
        assert_int_equal(salp_map_async(&f[0], pool, job_square, in, sizeof *in, mapped, sizeof *mapped, COUNT, NULL),
                         0);
        assert_int_equal(salp_starmap_async(&f[1], pool, job_add, columns, 2, zipped, sizeof *zipped, COUNT,
                                            &(salp_map_options){ .context = &context, .context_size = sizeof context }),
                         0);
        assert_int_equal(
            salp_apply_async(&f[2], pool, job_square, &round, sizeof round, &applied, sizeof applied, NULL), 0);
        assert_int_equal(salp_call_async(&f[3], pool, job_repeat, (salp_bytes){ message, 2 }, &answer,
                                         &(salp_map_options){ .context = &context, .context_size = sizeof context }),
                         0);
        context = 99;
        message[0] = 'z'; /* contexts and messages were copied */
        for (int k = 0; k < 4; k++) {
            assert_int_equal(salp_future_wait(f[k]), 0);
            salp_future_free(f[k]);
        }
        assert_int_equal(applied, round * round);
        assert_int_equal(answer.size, 2 * round);
        for (int i = 0; i < 2 * round; i++)
            assert_int_equal(((char *)answer.data)[i], "ab"[i % 2]);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(mapped[i], i * i);
            assert_int_equal(zipped[i], 2 * i + round);
        }
        salp_buffer_free(&answer);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_crash_at_five(const void *in, void *out, void *context)
{
    if (*(const int *)in == 5)
        raise(SIGKILL);
    return job_square(in, out, context);
}

static void a_crash_comes_through_the_future(void **state)
{
    int in[20], out[20], errors[20];
    salp_future *future;
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);

    (void)state;
    for (int i = 0; i < 20; i++)
        in[i] = i;
    assert_int_equal(salp_map_async(&future, pool, job_crash_at_five, in, sizeof *in, out, sizeof *out, 20,
                                    &(salp_map_options){ .errors = errors }),
                     0);
    assert_int_equal(salp_future_wait(future), SALP_ECRASHED);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(errors[i], i == 5 ? SALP_ECRASHED : 0);
        if (i != 5)
            assert_int_equal(out[i], i * i);
    }
    salp_future_free(future);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a future is ready when its call has ended", a_future_is_ready_when_its_call_has_ended),
        TEST_ENGINES("many threads may wait for one future", many_threads_may_wait_for_one_future),
        TEST_ENGINES("a cancelled map starts no further item", a_cancelled_map_starts_no_further_item),
        TEST_ENGINES("a call that waits behind others can be cancelled",
                     a_call_that_waits_behind_others_can_be_cancelled),
        TEST_ENGINES("a future given up early does not stop its call", a_future_given_up_early_does_not_stop_its_call),
        TEST_ENGINES("inputs of an apply may be reused at once", inputs_of_an_apply_may_be_reused_at_once),
        TEST_ENGINES("a thousand calls may be started at once", a_thousand_calls_may_be_started_at_once),
        TEST("no more than 64 calls are under way in a pool of processes",
             no_more_than_64_calls_are_under_way_in_a_pool_of_processes),
        TEST_ENGINES("calls of all kinds may be under way together", calls_of_all_kinds_may_be_under_way_together),
        TEST("a crash comes through the future", a_crash_comes_through_the_future),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
