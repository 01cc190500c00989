/*
 * Calls that are cancelled, and pools that are terminated, at any moment: each call ends once, with
 * its result or as cancelled, and what it says about its results is true.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/processes.h"

#include "../api/source.h"

#include "pool/processes.h"

enum { USERS = 6, MOST = 300 };

static int job_square_slowly(const void *in, void *out, void *context)
{
    for (volatile int i = *(const int *)in % 16 * 40; i > 0; i--)
        ;
    return job_square(in, out, context);
}

struct user {
    salp_pool *pool;
    pthread_t thread;
    unsigned random;
    int rounds;
    int ended_well, cancelled, refused;
    const char *wrong; /* what was not as it should be */
};

#define CHECK(condition)       \
    do {                       \
        if (!(condition))      \
            return #condition; \
    } while (0)

struct done {
    atomic_int calls;
    atomic_int result;
};

static void note_done(salp_future *future, void *arg)
{
    struct done *done = arg;

    atomic_store(&done->result, salp_future_wait(future));
    atomic_fetch_add(&done->calls, 1);
}

/* Lets some time go by: none, the length of a call, or the time of a few. */
static void hesitate(struct user *u)
{
    int turns = (int)(rand_r(&u->random) % 3);

    for (volatile int i = turns * turns * (int)(rand_r(&u->random) % 5000); i > 0; i--)
        ;
}

static const char *start_and_cancel(struct user *u)
{
    int in[MOST], out[MOST], count = (int)(rand_r(&u->random) % MOST) + 1, result;
    struct done done = { 0 };
    salp_future *future;

    for (int i = 0; i < count; i++) {
        in[i] = (int)(rand_r(&u->random) % 10000);
        out[i] = -1;
    }
    result = salp_map_async(
        &future, u->pool, job_square_slowly, in, sizeof *in, out, sizeof *out, (size_t)count,
        &(salp_map_options){ .chunk = rand_r(&u->random) % 4 * 5, .on_done = note_done, .on_done_arg = &done });
    if (result == SALP_ECLOSED || result == -ECANCELED) { /* too late, or terminated while it waited for a place */
        u->refused++;
        return NULL;
    }
    if (result != 0)
        fprintf(stderr, "# a map could not be started: %d\n", result);
    CHECK(result == 0);
    hesitate(u);
    result = salp_future_cancel(future);
    CHECK(result == 0 || result == -EALREADY);
    if (result == -EALREADY)
        CHECK(salp_future_ready(future));
    result = salp_future_wait(future);
    CHECK(result == 0 || result == -ECANCELED);
    CHECK(salp_future_cancel(future) == -EALREADY);
    CHECK(reaches(&done.calls, 1));
    CHECK(atomic_load(&done.result) == result);
    for (int i = 0; i < count; i++) /* a cancelled one may have written some, and those are right */
        CHECK(out[i] == in[i] * in[i] || (result != 0 && out[i] == -1));
    salp_future_free(future);
    CHECK(atomic_load(&done.calls) == 1);
    u->ended_well += result == 0;
    u->cancelled += result != 0;
    return NULL;
}

static void *cancel_again_and_again(void *arg)
{
    struct user *u = arg;

    while (!u->wrong && u->rounds-- > 0)
        u->wrong = start_and_cancel(u);
    return NULL;
}

static void calls_cancelled_at_any_moment_end_once_and_truly(void **state)
{
    static struct user users[USERS];
    int ended_well = 0, cancelled = 0;
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (unsigned i = 0; i < USERS; i++) {
        users[i] = (struct user){ .pool = pool, .random = i + 7, .rounds = test_scale(2000) };
        assert_int_equal(pthread_create(&users[i].thread, NULL, cancel_again_and_again, &users[i]), 0);
    }
    for (int i = 0; i < USERS; i++) {
        assert_int_equal(pthread_join(users[i].thread, NULL), 0);
        if (users[i].wrong)
            fail_msg("thread %d: not so: %s", i, users[i].wrong);
        ended_well += users[i].ended_well;
        cancelled += users[i].cancelled;
    }
    printf("# %d calls ended, %d were cancelled\n", ended_well, cancelled);
    assert_int_equal(check_squares(pool, 10000, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* Whether the pool was terminated before, during or after the call. */
static const char *check_end(struct user *u, int result)
{
    CHECK(result == 0 || result == -ECANCELED || result == SALP_ECLOSED);
    u->ended_well += result == 0;
    u->cancelled += result == -ECANCELED;
    u->refused += result == SALP_ECLOSED;
    return NULL;
}

static const char *fetch_some(struct user *u)
{
    struct source source = source_of(200, 0);
    salp_results *results;
    int value, count = 0, result;
    size_t index = 0;

    result = salp_imap(&results, u->pool, job_square_slowly, next_number, &source, sizeof(int), sizeof(int),
                       &(salp_imap_options){ .ordered = true });
    if (result < 0)
        return check_end(u, result);
    while ((result = salp_results_next(results, &value, &index)) == 1) {
        CHECK(index == (size_t)count && value == count * count);
        count++;
    }
    CHECK(index == SIZE_MAX || count == 200);
    salp_results_close(results);
    return check_end(u, result);
}

static const char *map_some(struct user *u)
{
    int in[MOST], out[MOST], count = (int)(rand_r(&u->random) % MOST) + 1, result;
    const char *wrong;

    for (int i = 0; i < count; i++) {
        in[i] = i;
        out[i] = -1;
    }
    result = salp_map(u->pool, job_square_slowly, in, sizeof *in, out, sizeof *out, (size_t)count, NULL);
    wrong = check_end(u, result);
    for (int i = 0; i < count && !wrong; i++)
        CHECK(out[i] == i * i || (result != 0 && out[i] == -1));
    return wrong;
}

static void *use_until_refused(void *arg)
{
    struct user *u = arg;

    while (!u->wrong && u->refused == 0) {
        switch (rand_r(&u->random) % 4) {
        case 0:
            u->wrong = start_and_cancel(u);
            break;
        case 1:
            u->wrong = fetch_some(u);
            break;
        default:
            u->wrong = map_some(u);
        }
    }
    return NULL;
}

static void pools_terminated_at_any_moment_end_all_calls(void **state)
{
    int rounds = test_scale(150), ended_well = 0, cancelled = 0;
    unsigned random = 99;

    for (int round = 0; round < rounds; round++) {
        static struct user users[USERS];
        salp_pool *pool = open_pool(test_engine(state), round % 4 + 1);

        for (unsigned i = 0; i < USERS; i++) {
            users[i] = (struct user){ .pool = pool, .random = (unsigned)round * USERS + i };
            assert_int_equal(pthread_create(&users[i].thread, NULL, use_until_refused, &users[i]), 0);
        }
        doze(SALP_MICROSECONDS(rand_r(&random) % 5000));
        assert_int_equal(salp_pool_terminate(pool), 0);
        for (int i = 0; i < USERS; i++) {
            assert_int_equal(pthread_join(users[i].thread, NULL), 0);
            if (users[i].wrong)
                fail_msg("round %d, thread %d: not so: %s", round, i, users[i].wrong);
            ended_well += users[i].ended_well;
            cancelled += users[i].cancelled;
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
    printf("# %d calls ended, %d were cancelled\n", ended_well, cancelled);
}

/* The steward at any moment: every call ends, and the pool says why. */
static void *kill_the_steward(void *arg)
{
    struct user *u = arg;

    doze(SALP_MICROSECONDS(rand_r(&u->random) % 4000));
    kill((pid_t)u->rounds, SIGKILL);
    return NULL;
}

static void stewards_killed_at_any_moment_break_their_pools_and_nothing_else(void **state)
{
    /* Each takes as long as it takes to be noticed. */
    enum { ROUNDS = SALP__LIVENESS_INTERVAL > SALP_MILLISECONDS(10) ? 10 : 500 };
    int rounds = test_scale(ROUNDS), in[MOST], out[MOST];

    (void)state;
    for (int i = 0; i < MOST; i++)
        in[i] = i;
    for (int round = 0; round < rounds; round++) {
        salp_pool *pool = open_pool(SALP_PROCESSES, round % 3 + 1);
        struct user killer = { .rounds = find_steward(), .random = (unsigned)round };
        int result;

        assert_int_equal(pthread_create(&killer.thread, NULL, kill_the_steward, &killer), 0);
        do {
            memset(out, 0xff, sizeof out);
            result = salp_map(pool, job_square_slowly, in, sizeof *in, out, sizeof *out, MOST, NULL);
            for (int i = 0; i < MOST; i++)
                assert_true(out[i] == i * i || (result != 0 && out[i] == -1));
        } while (result == 0);
        assert_int_equal(result, SALP_EBROKEN);
        assert_string_not_equal(salp_pool_reason(pool), "");
        assert_int_equal(pthread_join(killer.thread, NULL), 0);
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES_LIMIT("calls cancelled at any moment end once and truly",
                           calls_cancelled_at_any_moment_end_once_and_truly, 120),
        TEST_ENGINES_LIMIT("pools terminated at any moment end all calls", pools_terminated_at_any_moment_end_all_calls,
                           120),
        TEST_LIMIT("stewards killed at any moment break their pools and nothing else",
                   stewards_killed_at_any_moment_break_their_pools_and_nothing_else, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
