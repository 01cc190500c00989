/*
 * Limits of time and memory for items of worker processes, and items that are tried again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

/* Healthy items are given a limit that they keep on any machine; only hanging ones wait for it. */
#define LIMIT SALP_SECONDS(1)

struct item {
    int number;
    int hangs;
};

static atomic_int *runs;

static int job_hang_or_square(const void *in, void *out, void *context)
{
    const struct item *item = in;

    if (runs)
        atomic_fetch_add(&runs[item->number], 1);
    while (item->hangs)
        pause();
    return job_square(&item->number, out, context);
}

/* Maps side by side, each in a pool of its own: what hangs in them waits for its limit at the same time. */
enum { MOST_ITEMS = 60, SIDES = 3 };

static struct side {
    size_t chunk;
    salp_pool *pool;
    salp_future *future;
    int out[MOST_ITEMS], errors[MOST_ITEMS];
    struct failures failures;
    int64_t begin;
} sides[SIDES];

static void start_side(struct side *side, const salp_pool_options *options, salp_job *job, const void *in,
                       size_t in_size, size_t count)
{
    side->pool = open_with(options);
    side->begin = clock_now();
    assert_int_equal(salp_map_async(&side->future, side->pool, job, in, in_size, side->out, sizeof *side->out, count,
                                    &(salp_map_options){ .chunk = side->chunk,
                                                         .errors = side->errors,
                                                         .on_failure = note_failure,
                                                         .on_failure_arg = &side->failures }),
                     0);
}

/* The pool works on. */
static void end_side(struct side *side, int expected)
{
    assert_int_equal(salp_future_wait(side->future), expected);
    assert_true(clock_now() - side->begin >= LIMIT);
    salp_future_free(side->future);
    assert_int_equal(check_squares(side->pool, 100, NULL), 0);
    assert_int_equal(salp_pool_close(side->pool), 0);
}

static void an_item_that_hangs_is_ended_and_the_others_are_not(void **state)
{
    enum { COUNT = MOST_ITEMS };
    static struct item in[SIDES][COUNT];

    (void)state;
    runs = shared_memory(SIDES * COUNT * sizeof *runs);
    for (int k = 0; k < SIDES; k++) {
        for (int i = 0; i < COUNT; i++)
            in[k][i] = (struct item){ k * COUNT + i, i == 0 || i == 31 || i == COUNT - 1 };
        sides[k].chunk = (size_t)k * 10;
        start_side(&sides[k], &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 3, .item_timeout = LIMIT },
                   job_hang_or_square, in[k], sizeof(struct item), COUNT);
    }
    for (int k = 0; k < SIDES; k++) {
        const struct side *side = &sides[k];

        end_side(&sides[k], -ETIMEDOUT);
        assert_int_equal(side->failures.count, 3);
        for (int i = 0; i < COUNT; i++) {
            const struct item *item = &in[k][i];

            assert_int_equal(side->errors[i], item->hangs ? -ETIMEDOUT : 0);
            if (!item->hangs)
                assert_int_equal(side->out[i], item->number * item->number);
            assert_int_equal(runs[item->number], 1);
        }
        for (int i = 0; i < 3; i++) {
            assert_int_equal(side->failures.each[i].error, -ETIMEDOUT);
            assert_int_equal(side->failures.each[i].attempt, 1);
            assert_true(side->failures.each[i].worker > 0);
        }
    }
}

/* The limit is for one item, not for the chunk or the map. */
static int job_rest(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    doze(LIMIT / 10);
    return 0;
}

static void the_limit_of_time_is_for_each_item_of_a_chunk(void **state)
{
    int errors[12];
    salp_pool *pool = open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 1, .item_timeout = LIMIT });

    (void)state;
    assert_int_equal(
        salp_map(pool, job_rest, NULL, 0, NULL, 0, 12, &(salp_map_options){ .chunk = 12, .errors = errors }), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void no_item_is_ended_early(void **state)
{
    const int64_t brief = SALP_MILLISECONDS(50); /* all items hang: none is hurt by it */
    struct item hang = { 3, 1 }, fine = { 3, 0 };
    int out;
    salp_pool *pool = open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 1, .item_timeout = brief });

    (void)state;
    for (int i = 0; i < 4; i++) {
        int64_t start = clock_now();

        assert_int_equal(salp_apply(pool, job_hang_or_square, &hang, sizeof hang, &out, sizeof out, NULL), -ETIMEDOUT);
        assert_true(clock_now() - start >= brief);
        doze(2 * brief); /* an idle worker is not looked at */
    }
    assert_int_equal(salp_pool_close(pool), 0);
    pool = open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 1, .item_timeout = SALP_FOREVER });
    assert_int_equal(salp_apply(pool, job_hang_or_square, &fine, sizeof fine, &out, sizeof out, NULL), 0);
    assert_int_equal(out, 9);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_busy(const void *in, void *out, void *context)
{
    const struct item *item = in;
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_IGN);
    for (volatile unsigned i = 0; item->hangs; i++)
        ;
    return job_square(&item->number, out, context);
}

static int job_stop_or_square(const void *in, void *out, void *context)
{
    const struct item *item = in;

    if (item->hangs)
        raise(SIGSTOP);
    return job_square(&item->number, out, context);
}

static void an_item_that_is_busy_and_deaf_or_stops_itself_is_ended(void **state)
{
    enum { COUNT = 10 };
    salp_job *const jobs[] = { job_busy, job_stop_or_square };
    struct item in[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++)
        in[i] = (struct item){ i, i == 4 };
    for (int k = 0; k < 2; k++)
        start_side(&sides[k], &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .item_timeout = LIMIT },
                   jobs[k], in, sizeof *in, COUNT);
    for (int k = 0; k < 2; k++) {
        end_side(&sides[k], -ETIMEDOUT);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(sides[k].errors[i], i == 4 ? -ETIMEDOUT : 0);
    }
}

#define MEGABYTE ((size_t)1 << 20)

/* Takes so many megabytes, one by one, and keeps them until it is ended or was patient for long. */
static int job_eat(const void *in, void *out, void *context)
{
    const struct item *item = in;
    size_t eaten = 0;
    void *meals[1024];

    while (eaten < (size_t)item->hangs && eaten < LENGTH(meals)) {
        meals[eaten] = mmap(NULL, MEGABYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (meals[eaten] == MAP_FAILED)
            return -ENOMEM;
        memset(meals[eaten++], 1, MEGABYTE);
        if (item->hangs > 64)
            doze(SALP_MICROSECONDS(500));
    }
    if (item->hangs > 64)
        doze(patience());
    while (eaten > 0)
        munmap(meals[--eaten], MEGABYTE);
    return job_square(&item->number, out, context);
}

static void an_item_that_eats_memory_is_ended_and_the_others_are_not(void **state)
{
    enum { COUNT = 40, LARGE = 300 };
    struct item in[COUNT];
    int out[COUNT], errors[COUNT];
    static struct failures failures;
    char *own = malloc(LARGE * MEGABYTE);
    salp_pool *pool;

    (void)state;
    assert_non_null(own);
    memset(own, 1, LARGE * MEGABYTE); /* what the program had before is not the worker's gain */
    pool = open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .memory_limit = 128 * MEGABYTE });
    for (int i = 0; i < COUNT; i++)
        in[i] = (struct item){ i, i == 7 || i == 29 ? 900 : i % 4 * 8 };
    assert_int_equal(
        salp_map(pool, job_eat, in, sizeof *in, out, sizeof *out, COUNT,
                 &(salp_map_options){ .errors = errors, .on_failure = note_failure, .on_failure_arg = &failures }),
        SALP_ELIMIT);
    assert_int_equal(failures.count, 2);
    assert_int_equal(failures.each[0].error, SALP_ELIMIT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(errors[i], in[i].hangs > 64 ? SALP_ELIMIT : 0);
        if (errors[i] == 0)
            assert_int_equal(out[i], i * i);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(own);
}

/* Item 3 works at its second try, item 5 at its third, item 8 never; 11 hangs the first time. So do 103, 105 ... */
static int job_try(const void *in, void *out, void *context)
{
    int number = *(const int *)in, i = number % 100, tries = atomic_fetch_add(&runs[number], 1) + 1;

    if ((i == 3 && tries < 2) || (i == 5 && tries < 3) || i == 8)
        raise(i == 3 ? SIGKILL : SIGSEGV);
    while (i == 11 && tries == 1)
        pause();
    if (i == 14)
        return -EDOM;
    return job_square(in, out, context);
}

static void items_whose_worker_died_are_tried_again(void **state)
{
    enum { COUNT = 50, RETRIES = 2 };
    static int in[SIDES][COUNT];

    (void)state;
    runs = shared_memory(SIDES * 100 * sizeof *runs);
    for (int k = 0; k < SIDES; k++) {
        for (int i = 0; i < COUNT; i++)
            in[k][i] = k * 100 + i;
        sides[k].chunk = (size_t)k * 10;
        start_side(
            &sides[k],
            &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .item_timeout = LIMIT, .retries = RETRIES },
            job_try, in[k], sizeof(int), COUNT);
    }
    for (int k = 0; k < SIDES; k++) {
        const struct side *side = &sides[k];

        end_side(&sides[k], SALP_ECRASHED);
        for (int i = 0; i < COUNT; i++) {
            int expected = i == 3 || i == 11 ? 2 : i == 5 || i == 8 ? 3 : 1;

            assert_int_equal(runs[in[k][i]], expected);
            assert_int_equal(side->errors[i], i == 8 ? SALP_ECRASHED : i == 14 ? -EDOM : 0);
            if (side->errors[i] == 0)
                assert_int_equal(side->out[i], in[k][i] * in[k][i]);
        }
        assert_int_equal(side->failures.count, 2);
        for (int i = 0; i < 2; i++) {
            const salp_failure *f = &side->failures.each[i];

            assert_int_equal(f->attempt, f->index == 8 ? RETRIES + 1 : 1);
            assert_int_equal(f->signal, f->index == 8 ? SIGSEGV : 0);
            assert_true(f->index == 8 || f->index == 14);
        }
    }
}

static void an_item_tried_again_does_not_stop_the_map(void **state)
{
    int in[50], out[50];
    salp_pool *pool;

    (void)state;
    runs = shared_memory(100 * sizeof *runs);
    pool = open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .retries = 5 });
    for (int i = 0; i < 50; i++)
        in[i] = i + (i >= 8 ? 20 : 0);
    assert_int_equal(salp_map(pool, job_try, in, sizeof *in, out, sizeof *out, 50, NULL), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(out[i], in[i] * in[i]);
    in[0] = 5; /* an apply, too */
    atomic_store(&runs[5], 0);
    assert_int_equal(salp_apply(pool, job_try, in, sizeof *in, out, sizeof *out, NULL), 0);
    assert_int_equal(out[0], 25);
    assert_int_equal(atomic_load(&runs[5]), 3);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int next_item(void *in, void *arg)
{
    int *next = arg;

    *(struct item *)in = (struct item){ *next, *next == 3 };
    return (*next)++ < 8;
}

static int job_hang_on_message(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    while (in.size == 4)
        pause();
    return salp_buffer_append(out, in.data, in.size);
}

static void calls_and_streams_have_the_limit_of_time_too(void **state)
{
    salp_buffer answer = { 0 };
    salp_results *results;
    int value, next = 0;
    salp_pool *pool = open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .item_timeout = LIMIT });

    (void)state;
    assert_int_equal(salp_call(pool, job_hang_on_message, (salp_bytes){ "hang", 4 }, &answer, NULL), -ETIMEDOUT);
    assert_int_equal(answer.size, 0);
    assert_int_equal(salp_call(pool, job_hang_on_message, (salp_bytes){ "end", 3 }, &answer, NULL), 0);
    assert_int_equal(answer.size, 3);
    salp_buffer_free(&answer);

    runs = NULL;
    assert_int_equal(salp_imap(&results, pool, job_hang_or_square, next_item, &next, sizeof(struct item), sizeof(int),
                               &(salp_imap_options){ .ordered = true, .window = 4 }),
                     0);
    for (int i = 0; i < 8; i++) {
        size_t index = 99;

        assert_int_equal(salp_results_next(results, &value, &index), i == 3 ? -ETIMEDOUT : 1);
        assert_int_equal(index, i);
        if (i != 3)
            assert_int_equal(value, i * i);
    }
    assert_int_equal(salp_results_next(results, &value, NULL), 0);
    salp_results_close(results);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* No item may be sure of its time then, but the map ends, and says of each item what is true. */
static void a_limit_too_short_for_any_item_still_lets_maps_end(void **state)
{
    enum { COUNT = 200 };
    static const int64_t limits[] = { 1, SALP_MICROSECONDS(1), SALP_MICROSECONDS(100) };
    struct item in[COUNT];
    int out[COUNT], errors[COUNT];

    (void)state;
    runs = NULL;
    for (int i = 0; i < COUNT; i++)
        in[i] = (struct item){ i, i == 50 };
    for (size_t k = 0; k < LENGTH(limits); k++) {
        salp_pool *pool = open_with(&(salp_pool_options){
            .engine = SALP_PROCESSES, .workers = 2, .item_timeout = limits[k], .retries = (int)k });

        memset(out, 0xff, sizeof out);
        assert_int_not_equal(salp_map(pool, job_hang_or_square, in, sizeof *in, out, sizeof *out, COUNT,
                                      &(salp_map_options){ .errors = errors }),
                             0);
        for (int i = 0; i < COUNT; i++) {
            if (errors[i] == 0 && i != 50)
                assert_int_equal(out[i], i * i);
            else
                assert_int_equal(errors[i], -ETIMEDOUT);
        }
        assert_string_equal(salp_pool_reason(pool), "");
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("an item that hangs is ended and the others are not", an_item_that_hangs_is_ended_and_the_others_are_not),
        TEST("the limit of time is for each item of a chunk", the_limit_of_time_is_for_each_item_of_a_chunk),
        TEST("no item is ended early", no_item_is_ended_early),
        TEST("an item that is busy and deaf, or stops itself, is ended",
             an_item_that_is_busy_and_deaf_or_stops_itself_is_ended),
        TEST("an item that eats memory is ended and the others are not",
             an_item_that_eats_memory_is_ended_and_the_others_are_not),
        TEST_LIMIT("items whose worker died are tried again", items_whose_worker_died_are_tried_again, 60),
        TEST("calls and streams have the limit of time too", calls_and_streams_have_the_limit_of_time_too),
        TEST("a limit too short for any item still lets maps end", a_limit_too_short_for_any_item_still_lets_maps_end),
        TEST("an item tried again does not stop the map", an_item_tried_again_does_not_stop_the_map),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
