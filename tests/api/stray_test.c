/*
 * Jobs that write around their result before they crash. Whatever they hit, no other item may come
 * out silently wrong: its result is right, or it is reported as an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

enum { COUNT = 100, SIZE = 48 };

enum stray { NONE, FORWARD, BACKWARD, NEAR_AND_ABORT, FAR_AND_KILL, BACK_AND_EXIT };

struct item {
    int number;
    enum stray stray;
};

struct answer {
    unsigned char bytes[SIZE];
};

static atomic_int *runs;

static void right_answer(int number, struct answer *answer)
{
    for (int i = 0; i < SIZE; i++)
        answer->bytes[i] = (unsigned char)(number * 31 + i * 7 + 1);
}

/* The bytes before and behind the result, until something is hit that cannot be written. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static void write_around(enum stray stray,
                                                                                        volatile unsigned char *at)
{
    switch (stray) {
    case NONE:
        return;
    case FORWARD:
        for (;;)
            *at++ = 0xee;
    case BACKWARD:
        for (;;)
            *--at = 0xee;
    case NEAR_AND_ABORT:
        for (int i = -4 * SIZE; i < 5 * SIZE; i++)
            at[i] = 0xee;
        abort();
    case FAR_AND_KILL:
        for (int i = 0; i < 4096; i++)
            at[i] = 0xee;
        raise(SIGKILL);
        break;
    case BACK_AND_EXIT:
        for (int i = -2048; i < 0; i++)
            at[i] = 0xee;
        _exit(0);
    }
}

static int job_stray(const void *in, void *out, void *context)
{
    const struct item *item = in;

    (void)context;
    atomic_fetch_add(&runs[item->number], 1);
    write_around(item->stray, out);
    right_answer(item->number, out);
    return 0;
}

static void check_stray(enum stray stray, int workers)
{
    static const size_t chunks[] = { 0, 1, 10, 100 };
    static const int places[] = { 0, 25, 55, COUNT - 1 };
    salp_pool *pool;

    runs = shared_memory(COUNT * sizeof *runs);
    pool = open_pool(SALP_PROCESSES, workers);
    for (size_t round = 0; round < LENGTH(chunks) * LENGTH(places); round++) {
        int place = places[round % LENGTH(places)];
        struct item in[COUNT];
        struct answer out[COUNT], expected;
        int errors[COUNT];

        for (int i = 0; i < COUNT; i++)
            in[i] = (struct item){ i, i == place ? stray : NONE };
        memset(out, 0, sizeof out);
        assert_true(salp_map(pool, job_stray, in, sizeof *in, out, sizeof *out, COUNT,
                             &(salp_map_options){ .chunk = chunks[round / LENGTH(places)], .errors = errors }) < 0);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(in[i].number, i);
            assert_in_range(atomic_exchange(&runs[i], 0), 0, 1);
            if (i == place) {
                assert_int_equal(errors[i], SALP_ECRASHED);
            } else if (errors[i] == 0) {
                right_answer(i, &expected);
                assert_memory_equal(&out[i], &expected, sizeof expected);
            } else {
                assert_int_equal(errors[i], SALP_EDAMAGED);
            }
        }
        assert_int_equal(check_squares(pool, 1000, NULL), 0);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void check_both(enum stray stray)
{
    check_stray(stray, 1);
    check_stray(stray, 3);
}

static void writing_forward_until_a_crash_damages_nobody_silently(void **state)
{
    (void)state;
    check_both(FORWARD);
}

static void writing_backward_until_a_crash_damages_nobody_silently(void **state)
{
    (void)state;
    check_both(BACKWARD);
}

static void writing_over_neighbours_before_an_abort_damages_nobody_silently(void **state)
{
    (void)state;
    check_both(NEAR_AND_ABORT);
}

static void writing_over_neighbours_before_a_kill_damages_nobody_silently(void **state)
{
    (void)state;
    check_both(FAR_AND_KILL);
}

static void writing_over_neighbours_before_an_exit_damages_nobody_silently(void **state)
{
    (void)state;
    check_both(BACK_AND_EXIT);
}

static int job_slow_stray(const void *in, void *out, void *context)
{
    doze(SALP_MILLISECONDS(1));
    return job_stray(in, out, context);
}

/* Each of its items lasts far longer than a result stays with the worker. */
static void results_of_a_long_chunk_are_soon_out_of_reach(void **state)
{
    enum { PLACE = 60 };
    struct item in[COUNT];
    struct answer out[COUNT], expected;
    int errors[COUNT];
    salp_pool *pool;

    (void)state;
    runs = shared_memory(COUNT * sizeof *runs);
    pool = open_pool(SALP_PROCESSES, 1);
    for (int i = 0; i < COUNT; i++)
        in[i] = (struct item){ i, i == PLACE ? BACKWARD : NONE };
    assert_int_equal(salp_map(pool, job_slow_stray, in, sizeof *in, out, sizeof *out, COUNT,
                              &(salp_map_options){ .chunk = COUNT, .errors = errors }),
                     SALP_ECRASHED);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(errors[i], i == PLACE ? SALP_ECRASHED : 0);
        right_answer(i, &expected);
        if (i != PLACE)
            assert_memory_equal(&out[i], &expected, sizeof expected);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- the result of one item, on its way ---- */

enum { SCRIBBLES = 200 };

static const uint64_t marked = 0x5a1b0123456789abu;

/* The memory that the workers share: of the memfd's mappings that can be stored to, the one that comes first in it. */
static bool find_shared(uint64_t **begin, uint64_t **end)
{
    char line[512];
    unsigned long lowest = ULONG_MAX;
    FILE *maps = fopen("/proc/self/maps", "re");

    if (!maps)
        return false;
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to, offset;
        char mode[8];
        if (sscanf(line, "%lx-%lx %7s %lx", &from, &to, mode, &offset) == 4 && strcmp(mode, "rw-s") == 0 &&
            strstr(line, "memfd:") && offset < lowest) {
            lowest = offset;
            *begin = (uint64_t *)from;
            *end = (uint64_t *)to;
        }
    }
    fclose(maps);
    return lowest != ULONG_MAX;
}

/* Changes the marked number wherever it turns up there, for a while. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static void *scribble(void *arg)
{
    uint64_t *begin, *end;

    (void)arg;
    if (!find_shared(&begin, &end))
        return NULL;
    for (int round = 0; round < SCRIBBLES; round++)
        for (volatile uint64_t *at = begin; at < end; at++)
            if (*at == marked)
                *at = marked + 1;
    return NULL;
}

static int job_with_a_scribbler(const void *in, void *out, void *context)
{
    pthread_t thread;

    (void)in;
    (void)context;
    if (pthread_create(&thread, NULL, scribble, NULL) == 0)
        pthread_detach(thread);
    memcpy(out, &marked, sizeof marked);
    return 0;
}

static void a_single_result_that_is_changed_on_its_way_is_noticed(void **state)
{
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);
    int noticed = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint64_t out = 0;
        int result = salp_apply(pool, job_with_a_scribbler, NULL, 0, &out, sizeof out, NULL);

        if (result == 0)
            assert_int_equal(out, marked);
        else
            assert_int_equal(result, SALP_EDAMAGED);
        noticed += result < 0;
    }
    printf("# %d of 200 were changed\n", noticed);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("writing forward until a crash damages nobody silently",
             writing_forward_until_a_crash_damages_nobody_silently),
        TEST("writing backward until a crash damages nobody silently",
             writing_backward_until_a_crash_damages_nobody_silently),
        TEST("writing over neighbours before an abort damages nobody silently",
             writing_over_neighbours_before_an_abort_damages_nobody_silently),
        TEST("writing over neighbours before a kill damages nobody silently",
             writing_over_neighbours_before_a_kill_damages_nobody_silently),
        TEST("writing over neighbours before an exit damages nobody silently",
             writing_over_neighbours_before_an_exit_damages_nobody_silently),
        TEST("results of a long chunk are soon out of reach", results_of_a_long_chunk_are_soon_out_of_reach),
        TEST("a single result that is changed on its way is noticed",
             a_single_result_that_is_changed_on_its_way_is_noticed),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
