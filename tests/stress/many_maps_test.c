/*
 * Many threads with many small calls of all kinds on one pool.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/jobs.h"

#include "../api/source.h"

enum { THREADS = 8 };

static int job_add(const void *const in[], void *out, void *context)
{
    *(int64_t *)out = *(const int *)in[0] + *(const int64_t *)in[1] + *(int *)context;
    return 0;
}

static int job_fail_some(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    if (i % 13 == 4)
        return -i;
    return job_square(in, out, context);
}

static int job_double_bytes(salp_bytes in, salp_buffer *out, void *context)
{
    int result = salp_buffer_append(out, in.data, in.size);

    (void)context;
    return result < 0 ? result : salp_buffer_append(out, in.data, in.size);
}

struct user {
    salp_pool *pool;
    pthread_t thread;
    unsigned random;
    int rounds;
    const char *wrong; /* what was not as it should be */
};

#define CHECK(condition)       \
    do {                       \
        if (!(condition))      \
            return #condition; \
    } while (0)

static const char *use_map(struct user *u)
{
    int in[200], out[200], errors[200], count = (int)(rand_r(&u->random) % 200);

    for (int i = 0; i < count; i++) {
        in[i] = (int)(rand_r(&u->random) % 10000);
        out[i] = -1;
    }
    salp_map(u->pool, job_fail_some, in, sizeof *in, out, sizeof *out, (size_t)count,
             &(salp_map_options){ .errors = errors, .chunk = rand_r(&u->random) % 5 });
    for (int i = 0; i < count; i++) {
        CHECK(errors[i] == (in[i] % 13 == 4 ? -in[i] : 0));
        CHECK(errors[i] != 0 || out[i] == in[i] * in[i]);
    }
    return NULL;
}

static const char *use_apply(struct user *u)
{
    int in = (int)(rand_r(&u->random) % 10000), out = -1;

    CHECK(salp_apply(u->pool, job_square, &in, sizeof in, &out, sizeof out, NULL) == 0);
    CHECK(out == in * in);
    return NULL;
}

static const char *use_starmap(struct user *u)
{
    int a[50], context = (int)(rand_r(&u->random) % 1000);
    int64_t b[50], out[50];
    salp_column columns[] = { { a, sizeof *a }, { b, sizeof *b } };
    salp_future *future;

    for (int i = 0; i < 50; i++) {
        a[i] = (int)(rand_r(&u->random) % 1000);
        b[i] = (int64_t)a[i] << 32;
    }
    CHECK(salp_starmap_async(&future, u->pool, job_add, columns, 2, out, sizeof *out, 50,
                             &(salp_map_options){ .context = &context, .context_size = sizeof context }) == 0);
    CHECK(salp_future_wait(future) == 0);
    salp_future_free(future);
    for (int i = 0; i < 50; i++)
        CHECK(out[i] == a[i] + b[i] + context);
    return NULL;
}

static const char *use_futures(struct user *u)
{
    int out[30];
    salp_future *futures[30];

    for (int i = 0; i < 30; i++) {
        int in = i + u->rounds;

        CHECK(salp_apply_async(&futures[i], u->pool, job_square, &in, sizeof in, &out[i], sizeof out[i], NULL) == 0);
    }
    for (int i = 29; i >= 0; i--) {
        CHECK(salp_future_wait(futures[i]) == 0);
        CHECK(out[i] == (i + u->rounds) * (i + u->rounds));
        salp_future_free(futures[i]);
    }
    return NULL;
}

static const char *use_call(struct user *u)
{
    unsigned char message[3000];
    size_t size = rand_r(&u->random) % sizeof message;
    salp_buffer answer = { 0 };

    memset(message, u->rounds, size);
    CHECK(salp_call(u->pool, job_double_bytes, (salp_bytes){ message, size }, &answer, NULL) == 0);
    CHECK(answer.size == 2 * size);
    for (size_t i = 0; i < answer.size; i++)
        CHECK(((unsigned char *)answer.data)[i] == (unsigned char)u->rounds);
    salp_buffer_free(&answer);
    return NULL;
}

static const char *use_imap(struct user *u)
{
    struct source source = source_of((int)(rand_r(&u->random) % 100), 4);
    salp_results *results;
    size_t index;
    int value, result, count = 0;

    CHECK(salp_imap(&results, u->pool, job_square, next_number, &source, sizeof(int), sizeof(int),
                    &(salp_imap_options){ .ordered = true, .window = 4 }) == 0);
    while ((result = salp_results_next(results, &value, &index)) == 1) {
        CHECK(index == (size_t)count && value == count * count);
        source.fetched = ++count;
    }
    CHECK(result == 0 && count == source.end && !source.overfull);
    salp_results_close(results);
    return NULL;
}

static void *use_pool(void *arg)
{
    static const char *(*const uses[])(struct user *) = { use_map,     use_apply, use_starmap,
                                                          use_futures, use_call,  use_imap };
    struct user *u = arg;

    while (!u->wrong && u->rounds-- > 0)
        u->wrong = uses[rand_r(&u->random) % LENGTH(uses)](u);
    return NULL;
}

static void check_users(salp_pool *pool, int rounds)
{
    static struct user users[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        users[i] = (struct user){ .pool = pool, .random = i, .rounds = rounds };
        assert_int_equal(pthread_create(&users[i].thread, NULL, use_pool, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(users[i].thread, NULL), 0);
        if (users[i].wrong)
            fail_msg("thread %d: not so: %s", i, users[i].wrong);
    }
}

static void many_small_calls_of_many_threads_come_out_right(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 3);

    check_users(pool, test_scale(1500));
    assert_int_equal(salp_pool_close(pool), 0);
}

static void many_small_calls_come_out_right_on_workers_that_are_replaced(void **state)
{
    salp_pool *pool =
        open_with(&(salp_pool_options){ .engine = test_engine(state), .workers = 3, .items_per_worker = 50 });

    check_users(pool, test_scale(300));
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES_LIMIT("many small calls of many threads come out right",
                           many_small_calls_of_many_threads_come_out_right, 120),
        TEST_ENGINES_LIMIT("many small calls come out right on workers that are replaced",
                           many_small_calls_come_out_right_on_workers_that_are_replaced, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
