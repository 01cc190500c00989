/*
 * Workers are killed at random moments for as long as a map runs, while some items crash by
 * themselves. Every healthy item has its result, except those that a killed worker was running, one
 * for each kill at most; and no item runs twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "killer.h"

#include "../api/source.h"

enum { WORKERS = 4, INTERVAL = 3000000 /* nanoseconds between two kills */ };

static atomic_uchar *runs; /* of each item */

/* Items that crash by themselves: some in every hundred thousand, near each other and alone. */
static bool crashes(int i)
{
    return i % 50000 == 777 || i % 100000 == 778 || i % 100000 == 99999;
}

static int64_t right_result(int i)
{
    uint64_t h = (uint64_t)i;

    for (int k = 0; k < 300; k++)
        h = (h ^ (h >> 29)) * 0x9e3779b97f4a7c15u + (uint64_t)k;
    return (int64_t)(h >> 1);
}

static int job_storm(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    (void)context;
    atomic_fetch_add(&runs[i], 1);
    if (crashes(i)) {
        if (i % 2)
            *(volatile int *)(uintptr_t)0x123450 = i;
        raise(SIGKILL);
    }
    *(int64_t *)out = right_result(i);
    return 0;
}

struct storm {
    salp_pool *pool;
    int first, count; /* items */
    size_t chunk;
    int result;
    int lost; /* healthy items reported as crashed */
    int wrong;
    int crashed; /* items that crash by themselves, reported */
};

/* What is known about one item must fit together. */
static void check_item(struct storm *s, int i, int error, int64_t value)
{
    int times = atomic_exchange(&runs[i], 0);

    if (crashes(i)) {
        s->crashed++;
        if (error != SALP_ECRASHED || times > 1)
            s->wrong++;
    } else if (error == SALP_ECRASHED) {
        s->lost++;
        if (times > 1)
            s->wrong++;
    } else if ((error != 0 || times != 1 || value != right_result(i)) && s->wrong++ < 20) {
        fprintf(stderr, "# item %d: error %d, run %d times, result %s\n", i, error, times,
                value == right_result(i) ? "right" : "wrong");
    }
}

static void *map_in_storm(void *arg)
{
    struct storm *s = arg;
    size_t count = (size_t)s->count;
    int *in = calloc(count, sizeof *in), *errors = calloc(count, sizeof *errors);
    int64_t *out = calloc(count, sizeof *out);

    s->result = -ENOMEM;
    if (in && errors && out) {
        for (size_t i = 0; i < count; i++) {
            in[i] = s->first + (int)i;
            out[i] = -1;
            errors[i] = 12345;
        }
        s->result = salp_map(s->pool, job_storm, in, sizeof *in, out, sizeof *out, count,
                             &(salp_map_options){ .errors = errors, .chunk = s->chunk });
        for (size_t i = 0; i < count; i++)
            check_item(s, in[i], errors[i], out[i]);
    }
    free(in);
    free(errors);
    free(out);
    return NULL;
}

static void check_calm(salp_pool *pool, struct meeting *meeting)
{
    pid_t ids[WORKERS];

    for (int round = 0; round < 3; round++) {
        assert_int_equal(check_squares(pool, 10000, NULL), 0);
        meet_workers(pool, meeting, ids, WORKERS);
    }
    assert_string_equal(salp_pool_reason(pool), "");
}

/* `threads` maps of a pool at once, each of so many items, until enough workers were killed. */
static void check_storm(int threads, int count, size_t chunk, int wanted_kills)
{
    struct storm storms[8];
    pthread_t ids[LENGTH(storms)];
    struct meeting *meeting = shared_memory(sizeof *meeting);
    struct killer killer;
    salp_pool *pool;
    int lost = 0, crashed = 0, kills, rounds = 0;

    runs = shared_memory((size_t)threads * (size_t)count);
    pool = open_pool(SALP_PROCESSES, WORKERS);
    killer_start(&killer, INTERVAL);
    do {
        for (int t = 0; t < threads; t++) {
            storms[t] = (struct storm){ .pool = pool, .first = t * count, .count = count, .chunk = chunk };
            assert_int_equal(pthread_create(&ids[t], NULL, map_in_storm, &storms[t]), 0);
        }
        for (int t = 0; t < threads; t++) {
            assert_int_equal(pthread_join(ids[t], NULL), 0);
            assert_int_equal(storms[t].wrong, 0);
            assert_true(storms[t].result == 0 || storms[t].result == SALP_ECRASHED);
            lost += storms[t].lost;
            crashed += storms[t].crashed;
        }
        rounds++;
    } while (atomic_load(&killer.kills) < wanted_kills);
    kills = killer_stop(&killer);
    printf("# %d maps, %d workers killed, %d items lost to it, %d items crashed\n", rounds * threads, kills, lost,
           crashed);
    assert_true(lost <= kills);
    assert_true(crashed > 0);
    check_calm(pool, meeting);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_million_items_survive_a_storm_of_kills(void **state)
{
    (void)state;
    check_storm(1, test_scale(1000000), 0, test_scale(200));
}

static void items_in_chunks_of_one_survive_a_storm_of_kills(void **state)
{
    (void)state;
    check_storm(1, test_scale(100000), 1, test_scale(100));
}

static void items_in_large_chunks_survive_a_storm_of_kills(void **state)
{
    (void)state;
    check_storm(1, test_scale(500000), 5000, test_scale(100));
}

static void several_maps_at_once_survive_a_storm_of_kills(void **state)
{
    (void)state;
    check_storm(5, test_scale(150000), 0, test_scale(150));
}

static void an_imap_survives_a_storm_of_kills(void **state)
{
    enum { MOST = 300000 };
    int count = test_scale(MOST), kills, rounds = 0, wanted = test_scale(100);
    struct storm s = { 0 };
    struct meeting *meeting = shared_memory(sizeof *meeting);
    struct killer killer;
    unsigned char *seen = malloc(MOST);
    salp_pool *pool;

    (void)state;
    assert_non_null(seen);
    runs = shared_memory(MOST);
    pool = open_pool(SALP_PROCESSES, WORKERS);
    killer_start(&killer, INTERVAL);
    do {
        struct source source = source_of(count, 0);
        salp_results *results;
        size_t index;
        int64_t value = -1;
        int result, fetched = 0;

        memset(seen, 0, MOST);
        assert_int_equal(salp_imap(&results, pool, job_storm, next_number, &source, sizeof(int), sizeof(int64_t),
                                   &(salp_imap_options){ .ordered = rounds % 2 != 0 }),
                         0);
        while ((result = salp_results_next(results, &value, &index)) != 0) {
            assert_true(index < (size_t)count);
            assert_int_equal(seen[index]++, 0);
            if (rounds % 2)
                assert_int_equal(index, fetched);
            check_item(&s, (int)index, result == 1 ? 0 : result, value);
            value = -1;
            fetched++;
        }
        assert_int_equal(fetched, count);
        salp_results_close(results);
        rounds++;
    } while (atomic_load(&killer.kills) < wanted || rounds < 2);
    kills = killer_stop(&killer);
    printf("# %d imaps, %d workers killed, %d items lost to it, %d items crashed\n", rounds, kills, s.lost, s.crashed);
    assert_int_equal(s.wrong, 0);
    assert_true(s.lost <= kills);
    check_calm(pool, meeting);
    assert_int_equal(salp_pool_close(pool), 0);
    free(seen);
}

/* With retries the storm costs nothing: a worker has to be killed under one item very often. */
static void with_retries_a_storm_of_kills_costs_no_item(void **state)
{
    enum { MOST = 300000 };
    size_t count = (size_t)test_scale(MOST);
    int *in = malloc(count * sizeof *in), wanted = test_scale(100);
    int64_t *out = calloc(count, sizeof *out);
    struct killer killer;
    salp_pool *pool;

    (void)state;
    assert_true(in && out);
    runs = shared_memory(2 * MOST * 10);
    pool = open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = WORKERS, .retries = 50 });
    for (size_t i = 0, k = 0; i < count; k++)
        if (!crashes((int)k))
            in[i++] = (int)k;
    killer_start(&killer, INTERVAL);
    do {
        memset(out, 0xff, count * sizeof *out);
        assert_int_equal(salp_map(pool, job_storm, in, sizeof *in, out, sizeof *out, count, NULL), 0);
        for (size_t i = 0; i < count; i++)
            if (out[i] != right_result(in[i]))
                fail_msg("item %d is wrong", in[i]);
    } while (atomic_load(&killer.kills) < wanted);
    killer_stop(&killer);
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

static int job_storm_of_bytes(salp_bytes in, salp_buffer *out, void *context)
{
    int64_t result;
    int error = job_storm(in.data, &result, context);

    return error < 0 ? error : salp_buffer_append(out, &result, sizeof result);
}

/* One item at a time: an apply, a call, and an apply that is waited for later. */
static int run_single(salp_pool *pool, int i, int64_t *value)
{
    salp_buffer answer = { 0 };
    salp_future *future;
    int result;

    switch (i % 3) {
    case 0:
        return salp_apply(pool, job_storm, &i, sizeof i, value, sizeof *value, NULL);
    case 1:
        result = salp_call(pool, job_storm_of_bytes, (salp_bytes){ &i, sizeof i }, &answer, NULL);
        if (answer.size == sizeof *value)
            memcpy(value, answer.data, sizeof *value);
        else if (answer.size != 0)
            result = -EPROTO;
        salp_buffer_free(&answer);
        return result;
    default:
        result = salp_apply_async(&future, pool, job_storm, &i, sizeof i, value, sizeof *value, NULL);
        if (result == 0) {
            result = salp_future_wait(future);
            salp_future_free(future);
        }
        return result;
    }
}

static void single_calls_survive_a_storm_of_kills(void **state)
{
    int wanted = test_scale(100), kills, i = 0;
    struct storm s = { 0 };
    struct meeting *meeting = shared_memory(sizeof *meeting);
    struct killer killer;
    salp_pool *pool;

    (void)state;
    runs = shared_memory(200000);
    pool = open_pool(SALP_PROCESSES, WORKERS);
    killer_start(&killer, INTERVAL);
    for (; i < 800 || atomic_load(&killer.kills) < wanted; i++) {
        int64_t value = -1;
        int result = run_single(pool, i % 200000, &value);

        check_item(&s, i % 200000, result, value);
    }
    kills = killer_stop(&killer);
    printf("# %d calls, %d workers killed, %d items lost to it, %d items crashed\n", i, kills, s.lost, s.crashed);
    assert_int_equal(s.wrong, 0);
    assert_true(s.lost <= kills);
    check_calm(pool, meeting);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("a million items survive a storm of kills", a_million_items_survive_a_storm_of_kills, 120),
        TEST_LIMIT("items in chunks of one survive a storm of kills", items_in_chunks_of_one_survive_a_storm_of_kills,
                   120),
        TEST_LIMIT("items in large chunks survive a storm of kills", items_in_large_chunks_survive_a_storm_of_kills,
                   120),
        TEST_LIMIT("several maps at once survive a storm of kills", several_maps_at_once_survive_a_storm_of_kills, 120),
        TEST_LIMIT("an imap survives a storm of kills", an_imap_survives_a_storm_of_kills, 120),
        TEST_LIMIT("single calls survive a storm of kills", single_calls_survive_a_storm_of_kills, 120),
        TEST_LIMIT("with retries a storm of kills costs no item", with_retries_a_storm_of_kills_costs_no_item, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
