/*
 * What .on_done hears and may do, futures of one's own, and waiting in the wrong place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

static struct gate *gate;

static int job_return_input(const void *in, void *out, void *context)
{
    (void)out;
    (void)context;
    return *(const int *)in;
}

struct heard {
    atomic_int calls;
    atomic_int not_ready;
    atomic_int result;
};

static void hear_done(salp_future *future, void *arg)
{
    struct heard *heard = arg;

    if (!future || !salp_future_ready(future))
        atomic_fetch_add(&heard->not_ready, 1);
    atomic_store(&heard->result, salp_future_wait(future));
    atomic_fetch_add(&heard->calls, 1);
}

static void on_done_is_called_once_with_the_result(void **state)
{
    enum { COUNT = 500 };
    static struct heard heard[COUNT];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < COUNT; i++) {
        int in = i % 3 == 0 ? -i - 1 : i;
        salp_future *future = NULL;

        /* Kept and waited for, given up at once, or never asked for. */
        assert_int_equal(salp_apply_async(i % 4 ? &future : NULL, pool, job_return_input, &in, sizeof in, NULL, 0,
                                          &(salp_map_options){ .on_done = hear_done, .on_done_arg = &heard[i] }),
                         0);
        if (i % 4 == 1)
            assert_int_equal(salp_future_wait(future), in < 0 ? in : 0);
        salp_future_free(future);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(heard[i].calls, 1);
        assert_int_equal(heard[i].not_ready, 0);
        assert_int_equal(heard[i].result, i % 3 == 0 ? -i - 1 : 0);
    }
}

static void on_done_of_a_map_is_called_once(void **state)
{
    static int in[1000], errors[1000];
    static struct heard heard;
    static struct failures failures;
    salp_future *future;
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (int i = 0; i < 1000; i++)
        in[i] = i % 100 == 50 ? -i : 0;
    assert_int_equal(salp_map_async(&future, pool, job_return_input, in, sizeof *in, NULL, 0, 1000,
                                    &(salp_map_options){ .errors = errors,
                                                         .on_failure = note_failure,
                                                         .on_failure_arg = &failures,
                                                         .on_done = hear_done,
                                                         .on_done_arg = &heard }),
                     0);
    assert_int_equal(salp_future_wait(future), -50);
    salp_future_free(future);
    assert_int_equal(salp_pool_close(pool), 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.result, -50);
    assert_int_equal(failures.count, 10);
    assert_false(failures.odd);
}

static int job_gated(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return gate_pass(gate);
}

struct other {
    salp_future *unresolved;
    salp_pool *pool;
    atomic_int waited;
    atomic_int closed;
    atomic_int calls;
};

static void wait_for_another(salp_future *future, void *arg)
{
    struct other *other = arg;

    (void)future;
    atomic_store(&other->waited, salp_future_wait(other->unresolved));
    atomic_store(&other->closed, salp_pool_close(other->pool));
    atomic_store(&other->calls, 1);
}

/* With one worker behind the gate, waiting for it in a callback could last for ever. */
static void a_callback_cannot_wait_for_its_own_pool(void **state)
{
    int in = 0;
    struct other other = { 0 };
    salp_pool *pool;

    gate = shared_memory(sizeof *gate);
    other.pool = pool = open_pool(test_engine(state), 2);
    assert_int_equal(salp_apply_async(&other.unresolved, pool, job_gated, NULL, 0, NULL, 0, NULL), 0);
    assert_int_equal(salp_apply_async(NULL, pool, job_return_input, &in, sizeof in, NULL, 0,
                                      &(salp_map_options){ .on_done = wait_for_another, .on_done_arg = &other }),
                     0);
    assert_true(reaches(&other.calls, 1));
    assert_int_equal(other.waited, SALP_EINSIDE);
    assert_int_equal(other.closed, SALP_EINSIDE);
    atomic_store(&gate->open, 1);
    assert_int_equal(salp_future_wait(other.unresolved), 0);
    salp_future_free(other.unresolved);
    assert_int_equal(salp_pool_close(pool), 0);
}

struct chain {
    salp_pool *pool;
    atomic_int started;
    atomic_int refused;
    atomic_int ended;
    atomic_int odd;
};

static void start_another(salp_future *future, void *arg)
{
    struct chain *chain = arg;
    int in = 0;

    (void)future;
    for (int i = 0; i < 2 && atomic_load(&chain->started) < 3000; i++) {
        int result = salp_apply_async(NULL, chain->pool, job_return_input, &in, sizeof in, NULL, 0,
                                      &(salp_map_options){ .on_done = start_another, .on_done_arg = chain });

        if (result == 0)
            atomic_fetch_add(&chain->started, 1);
        else if (result == -EAGAIN)
            atomic_fetch_add(&chain->refused, 1);
        else if (result != SALP_ECLOSED) /* the pool is being closed already */
            atomic_store(&chain->odd, result);
    }
    atomic_fetch_add(&chain->ended, 1);
}

/* Each callback starts two calls: more and more, until there is no place; nobody may hang then. */
static void a_callback_may_start_calls_but_does_not_wait_for_a_place(void **state)
{
    static struct chain chain;
    int in = 0;

    chain.pool = open_pool(test_engine(state), 2);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(salp_apply_async(NULL, chain.pool, job_return_input, &in, sizeof in, NULL, 0,
                                          &(salp_map_options){ .on_done = start_another, .on_done_arg = &chain }),
                         0);
        atomic_fetch_add(&chain.started, 1);
    }
    assert_true(reaches(&chain.started, 3000));
    assert_int_equal(salp_pool_close(chain.pool), 0);
    assert_int_equal(chain.odd, 0);
    assert_int_equal(chain.ended, chain.started);
    if (test_engine(state) == SALP_THREADS)
        assert_int_equal(chain.refused, 0);
}

static salp_future *waited_for;

static int job_wait_for_future(const void *in, void *out, void *context)
{
    int error = gate_pass(gate);

    (void)in;
    (void)context;
    if (error < 0)
        return error;
    *(int *)out = salp_future_wait(waited_for);
    return 0;
}

static void a_job_cannot_wait_for_its_own_pool(void **state)
{
    int result = 0;
    salp_future *future;
    salp_pool *pool = open_pool(SALP_THREADS, 1);

    (void)state;
    gate = shared_memory(sizeof *gate);
    assert_int_equal(salp_apply_async(&future, pool, job_wait_for_future, NULL, 0, &result, sizeof result, NULL), 0);
    assert_int_equal(salp_apply_async(&waited_for, pool, job_gated, NULL, 0, NULL, 0, NULL), 0);
    atomic_store(&gate->open, 1);
    assert_int_equal(salp_future_wait(future), 0);
    assert_int_equal(result, SALP_EINSIDE);
    assert_int_equal(salp_future_wait(waited_for), 0);
    salp_future_free(future);
    salp_future_free(waited_for);
    assert_int_equal(salp_pool_close(pool), 0);
}

struct racer {
    salp_future *future;
    int number;
    int result;
};

static void *race_to_resolve(void *arg)
{
    struct racer *racer = arg;

    racer->result = salp_future_resolve(racer->future, racer->number);
    return NULL;
}

static void a_future_of_ones_own_takes_the_first_result(void **state)
{
    salp_future *future;
    int rounds = test_scale(500);

    (void)state;
    for (int round = 0; round < rounds; round++) {
        struct racer racers[4];
        pthread_t threads[LENGTH(racers)];
        int winners = 0, number = 0;

        assert_int_equal(salp_future_open(&future), 0);
        assert_false(salp_future_ready(future));
        for (size_t i = 0; i < LENGTH(racers); i++) {
            racers[i] = (struct racer){ future, -100 - (int)i, 1 };
            assert_int_equal(pthread_create(&threads[i], NULL, race_to_resolve, &racers[i]), 0);
        }
        number = salp_future_wait(future);
        assert_true(salp_future_ready(future));
        for (size_t i = 0; i < LENGTH(racers); i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(racers[i].result, racers[i].number == number ? 0 : -EALREADY);
            winners += racers[i].result == 0;
        }
        assert_int_equal(winners, 1);
        assert_int_equal(salp_future_wait(future), number);
        assert_int_equal(salp_future_resolve(future, 5), -EALREADY);
        assert_int_equal(salp_future_cancel(future), -EALREADY);
        assert_int_equal(salp_future_wait(future), number);
        salp_future_free(future);
    }
}

static void a_future_of_ones_own_is_cancelled_at_once(void **state)
{
    salp_future *future;

    (void)state;
    assert_int_equal(salp_future_open(&future), 0);
    assert_int_equal(salp_future_cancel(future), 0);
    assert_true(salp_future_ready(future));
    assert_int_equal(salp_future_wait(future), -ECANCELED);
    assert_int_equal(salp_future_resolve(future, 1), -EALREADY);
    assert_int_equal(salp_future_cancel(future), -EALREADY);
    salp_future_free(future);

    assert_int_equal(salp_future_open(&future), 0);
    assert_int_equal(salp_future_resolve(future, 12), 0);
    assert_int_equal(salp_future_wait(future), 12);
    salp_future_free(future);

    assert_int_equal(salp_future_open(&future), 0);
    salp_future_free(future); /* never resolved */
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("on_done is called once with the result", on_done_is_called_once_with_the_result),
        TEST_ENGINES("on_done of a map is called once", on_done_of_a_map_is_called_once),
        TEST_ENGINES("a callback cannot wait for its own pool", a_callback_cannot_wait_for_its_own_pool),
        TEST_ENGINES("a callback may start calls but does not wait for a place",
                     a_callback_may_start_calls_but_does_not_wait_for_a_place),
        TEST("a job cannot wait for its own pool", a_job_cannot_wait_for_its_own_pool),
        TEST("a future of one's own takes the first result", a_future_of_ones_own_takes_the_first_result),
        TEST("a future of one's own is cancelled at once", a_future_of_ones_own_is_cancelled_at_once),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
