/*
 * Maps over inputs that come one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "source.h"

/* Fetches all results of squares and checks that each index comes once, in order if asked for. */
static void check_all_squares(salp_results *results, struct source *source, bool ordered)
{
    int value, count = 0;
    size_t index;
    unsigned char *seen = calloc((size_t)source->end + 1, 1);

    assert_non_null(seen);
    for (;;) {
        int result = salp_results_next(results, &value, &index);

        if (result == 0)
            break;
        assert_int_equal(result, 1);
        source->fetched++;
        assert_true(index < (size_t)source->end);
        if (ordered)
            assert_int_equal(index, count);
        assert_int_equal(seen[index], 0);
        seen[index] = 1;
        assert_int_equal(value, (int)((unsigned)index * (unsigned)index));
        count++;
    }
    assert_int_equal(count, source->end);
    assert_false(source->overfull);
    assert_false(source->elsewhere);
    assert_int_equal(salp_results_next(results, &value, &index), 0); /* still the end */
    free(seen);
}

static void results_come_once_each_in_any_window_and_chunk(void **state)
{
    static const int windows[] = { 0, 1, 2, 3, 64 }, chunks[] = { 0, 1, 5, 100 }, counts[] = { 0, 1, 500 };
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (size_t w = 0; w < LENGTH(windows); w++)
        for (size_t c = 0; c < LENGTH(chunks); c++)
            for (size_t n = 0; n < LENGTH(counts); n++)
                for (int ordered = 0; ordered <= 1; ordered++) {
                    struct source source = source_of(counts[n], windows[w]);
                    salp_results *results = NULL;

                    assert_int_equal(
                        salp_imap(&results, pool, job_square, next_number, &source, sizeof(int), sizeof(int),
                                  &(salp_imap_options){
                                      .ordered = ordered, .window = (size_t)windows[w], .chunk = (size_t)chunks[c] }),
                        0);
                    check_all_squares(results, &source, ordered);
                    salp_results_close(results);
                }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void many_short_items_flow_with_defaults(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int ordered = 0; ordered <= 1; ordered++) {
        struct source source = source_of(test_scale(300000), 0);
        salp_results *results;

        assert_int_equal(salp_imap(&results, pool, job_square, next_number, &source, sizeof(int), sizeof(int),
                                   &(salp_imap_options){ .ordered = ordered }),
                         0);
        check_all_squares(results, &source, ordered);
        salp_results_close(results);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void an_endless_source_is_pulled_no_further_than_the_default_window(void **state)
{
    struct source source = source_of(INT_MAX, 1024);
    salp_results *results;
    int value, calls;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(salp_imap(&results, pool, job_square, next_number, &source, sizeof(int), sizeof(int), NULL), 0);
    for (int i = 0; i < 10000; i++) {
        size_t index;

        assert_int_equal(salp_results_next(results, &value, &index), 1);
        assert_int_equal(value, (int)((unsigned)index * (unsigned)index));
        source.fetched++;
    }
    assert_false(source.overfull);
    calls = source.calls;
    salp_results_close(results);
    assert_int_equal(source.calls, calls); /* closing asks for nothing more */
    assert_int_equal(check_squares(pool, 100, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static atomic_int *runs;

static int job_count(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    atomic_fetch_add(runs, 1);
    return 0;
}

static void a_reader_that_does_not_read_holds_everything_back(void **state)
{
    struct source source = source_of(INT_MAX, 5);
    salp_results *results;
    salp_pool *pool;

    runs = shared_memory(sizeof *runs);
    pool = open_pool(test_engine(state), 1);
    assert_int_equal(
        salp_imap(&results, pool, job_count, next_number, &source, sizeof(int), 0, &(salp_imap_options){ .window = 5 }),
        0);
    assert_int_equal(salp_results_next(results, NULL, NULL), 1);
    source.fetched++;
    /* The only worker must be free for other calls, although nobody fetches the results. */
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    assert_true(atomic_load(runs) <= 6);
    assert_true(source.pulled <= 6);
    assert_false(source.overfull);
    salp_results_close(results);
    assert_true(atomic_load(runs) <= source.pulled);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_refuse_some(const void *in, void *out, void *context)
{
    int x = *(const int *)in;

    (void)context;
    *(int *)out = x;
    return x % 10 == 3 ? -1000 - x : x;
}

static void the_error_of_an_item_comes_with_its_index_and_the_others_go_on(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (size_t chunk = 0; chunk < 8; chunk += 7)
        for (int ordered = 0; ordered <= 1; ordered++) {
            struct source source = source_of(200, 16);
            static struct failures failures;
            salp_results *results;
            size_t index;
            int value, result, good = 0, bad = 0;

            memset(&failures, 0, sizeof failures);
            assert_int_equal(salp_imap(&results, pool, job_refuse_some, next_number, &source, sizeof(int), sizeof(int),
                                       &(salp_imap_options){ .ordered = ordered,
                                                             .window = 16,
                                                             .chunk = chunk,
                                                             .on_failure = note_failure,
                                                             .on_failure_arg = &failures }),
                             0);
            while ((result = salp_results_next(results, &value, &index)) != 0) {
                source.fetched++;
                if (ordered)
                    assert_int_equal(index, good + bad);
                if (index % 10 == 3) {
                    assert_int_equal(result, -1000 - (int)index);
                    bad++;
                } else {
                    assert_int_equal(result, 1);
                    assert_int_equal(value, index);
                    good++;
                }
            }
            assert_int_equal(good, 180);
            assert_int_equal(bad, 20);
            assert_int_equal(failures.count, 20);
            assert_false(failures.odd);
            assert_false(source.overfull);
            salp_results_close(results);
        }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void the_error_of_the_source_comes_after_the_results_begun(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int ordered = 0; ordered <= 1; ordered++)
        for (int end = 0; end <= 30; end += 15) {
            struct source source = source_of(end, 4);
            salp_results *results = NULL;
            size_t index = 0;
            int value, result;

            source.end_result = -EIO;
            result = salp_imap(&results, pool, job_square, next_number, &source, sizeof(int), sizeof(int),
                               &(salp_imap_options){ .ordered = ordered, .window = 4 });
            assert_int_equal(result, 0);
            while ((result = salp_results_next(results, &value, &index)) == 1) {
                assert_int_equal(value, index * index);
                source.fetched++;
            }
            assert_int_equal(result, -EIO);
            assert_true(index == SIZE_MAX);
            assert_int_equal(source.fetched, end);
            assert_int_equal(source.calls, end + 1); /* not asked again after its error */
            salp_results_close(results);
        }
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_crash_some(const void *in, void *out, void *context)
{
    int x = *(const int *)in;

    if (x % 25 == 24)
        raise(x % 2 ? SIGKILL : SIGSEGV);
    return job_square(in, out, context);
}

static void the_crash_of_an_item_comes_with_its_index_and_the_others_go_on(void **state)
{
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);

    (void)state;
    for (size_t chunk = 0; chunk < 12; chunk += 5)
        for (int ordered = 0; ordered <= 1; ordered++) {
            struct source source = source_of(200, 20);
            static struct failures failures;
            salp_results *results;
            size_t index;
            int value, result, good = 0, bad = 0;

            memset(&failures, 0, sizeof failures);
            assert_int_equal(salp_imap(&results, pool, job_crash_some, next_number, &source, sizeof(int), sizeof(int),
                                       &(salp_imap_options){ .ordered = ordered,
                                                             .window = 20,
                                                             .chunk = chunk,
                                                             .on_failure = note_failure,
                                                             .on_failure_arg = &failures }),
                             0);
            while ((result = salp_results_next(results, &value, &index)) != 0) {
                source.fetched++;
                if (ordered)
                    assert_int_equal(index, good + bad);
                assert_true(index < 200);
                if (index % 25 == 24) {
                    assert_int_equal(result, SALP_ECRASHED);
                    bad++;
                } else {
                    assert_int_equal(result, 1);
                    assert_int_equal(value, index * index);
                    good++;
                }
            }
            assert_int_equal(good, 192);
            assert_int_equal(bad, 8);
            assert_int_equal(failures.count, 8);
            assert_false(failures.odd);
            for (int i = 0; i < 8; i++)
                assert_int_equal(failures.each[i].signal, failures.each[i].index % 2 ? SIGKILL : SIGSEGV);
            salp_results_close(results);
        }
    assert_int_equal(salp_pool_close(pool), 0);
}

struct large {
    int number;
    unsigned char rest[99997];
};

static int next_large(void *in, void *arg)
{
    struct large *large = in;
    int result = next_number(&large->number, arg);

    memset(large->rest, large->number, sizeof large->rest);
    return result;
}

static int job_turn_large(const void *in, void *out, void *context)
{
    const struct large *from = in;
    struct large *to = out;

    to->number = from->number + *(int *)context;
    for (size_t i = 0; i < sizeof to->rest; i++)
        to->rest[i] = (unsigned char)~from->rest[i];
    return 0;
}

static void large_items_flow_through_a_small_window(void **state)
{
    struct source source = source_of(60, 3);
    static struct large value;
    salp_results *results;
    int addend = 7;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(
        salp_imap(
            &results, pool, job_turn_large, next_large, &source, sizeof(struct large), sizeof(struct large),
            &(salp_imap_options){ .ordered = true, .window = 3, .context = &addend, .context_size = sizeof addend }),
        0);
    addend = 1000; /* the context was copied */
    for (int i = 0; i < 60; i++) {
        size_t index;

        assert_int_equal(salp_results_next(results, &value, &index), 1);
        source.fetched++;
        assert_int_equal(index, i);
        assert_int_equal(value.number, i + 7);
        for (size_t k = 0; k < sizeof value.rest; k++)
            assert_int_equal(value.rest[k], (unsigned char)~i);
    }
    assert_int_equal(salp_results_next(results, &value, NULL), 0);
    assert_false(source.overfull);
    salp_results_close(results);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void several_imaps_and_maps_share_a_pool(void **state)
{
    struct source sources[4];
    salp_results *results[4];
    salp_pool *pool = open_pool(test_engine(state), 1);

    for (int k = 0; k < 4; k++) {
        sources[k] = source_of(300, k + 1);
        assert_int_equal(salp_imap(&results[k], pool, job_square, next_number, &sources[k], sizeof(int), sizeof(int),
                                   &(salp_imap_options){ .ordered = true, .window = (size_t)k + 1 }),
                         0);
    }
    for (int i = 0; i < 300; i++)
        for (int k = 3; k >= 0; k--) {
            int value;

            assert_int_equal(salp_results_next(results[k], &value, NULL), 1);
            sources[k].fetched++;
            assert_int_equal(value, i * i);
            if (i % 50 == k)
                assert_int_equal(check_squares(pool, 20, NULL), 0);
        }
    for (int k = 0; k < 4; k++) {
        assert_int_equal(salp_results_next(results[k], NULL, NULL), 0);
        assert_false(sources[k].overfull);
        salp_results_close(results[k]);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void results_may_be_closed_without_being_read(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int round = 0; round < 50; round++) {
        struct source source = source_of(INT_MAX, 8);
        salp_results *results;

        assert_int_equal(salp_imap(&results, pool, job_square, next_number, &source, sizeof(int), sizeof(int),
                                   &(salp_imap_options){ .window = 8 }),
                         0);
        for (int i = 0; i < round % 3; i++)
            assert_int_equal(salp_results_next(results, NULL, NULL), 1);
        salp_results_close(results);
    }
    salp_results_close(NULL);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("results come once each in any window and chunk", results_come_once_each_in_any_window_and_chunk),
        TEST_ENGINES("many short items flow with defaults", many_short_items_flow_with_defaults),
        TEST_ENGINES("an endless source is pulled no further than the default window",
                     an_endless_source_is_pulled_no_further_than_the_default_window),
        TEST_ENGINES("a reader that does not read holds everything back",
                     a_reader_that_does_not_read_holds_everything_back),
        TEST_ENGINES("the error of an item comes with its index and the others go on",
                     the_error_of_an_item_comes_with_its_index_and_the_others_go_on),
        TEST_ENGINES("the error of the source comes after the results begun",
                     the_error_of_the_source_comes_after_the_results_begun),
        TEST("the crash of an item comes with its index and the others go on",
             the_crash_of_an_item_comes_with_its_index_and_the_others_go_on),
        TEST_ENGINES("large items flow through a small window", large_items_flow_through_a_small_window),
        TEST_ENGINES("several imaps and maps share a pool", several_imaps_and_maps_share_a_pool),
        TEST_ENGINES("results may be closed without being read", results_may_be_closed_without_being_read),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
