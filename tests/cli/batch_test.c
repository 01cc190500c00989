/*
 * Batches of inputs for a function: what goes in comes out, whatever becomes of single ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>

#include "function/batch.h"

enum { INPUTS = 5000 };

static struct batch_store *store;
static salp_pool *pool;
static struct batch *batch; /* also for functions that are to do harm */

static void open_all(salp_engine engine, salp_bytes_job *function, int workers, bool timed, int64_t timeout)
{
    struct batch_options options = {
        .function = function,
        .workers = workers,
        .batches = 2,
        .processes = engine == SALP_PROCESSES,
        .timed = timed,
    };
    assert_int_equal(batch_store_open(&store, &options), 0);
    batch = batch_of(store, 1);
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .engine = engine,
                                                                 .workers = workers,
                                                                 .initializer = batch_enter,
                                                                 .initializer_arg = store,
                                                                 .item_timeout = timeout }),
                     0);
}

static void close_all(void)
{
    assert_int_equal(salp_pool_close(pool), 0);
    batch_store_close(store);
}

static void add(const char *text)
{
    assert_int_equal(batch_add(batch, text, strlen(text)), 0);
}

static void add_numbers(int count)
{
    char text[32];
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%d", i);
        add(text);
    }
}

static void is_answered(size_t item, const char *text)
{
    salp_bytes answer;
    struct batch_outcome outcome = batch_outcome_of(batch, item);
    assert_int_equal(outcome.error, 0);
    assert_false(outcome.skipped);
    assert_int_equal(batch_see(batch, item, &answer), 0);
    assert_int_equal(answer.size, strlen(text));
    assert_memory_equal(answer.data, text, answer.size);
    batch_unsee(batch, item, answer);
}

static void are_answered(size_t begin, size_t end)
{
    char text[32];
    for (size_t i = begin; i < end; i++) {
        snprintf(text, sizeof text, "<%zu>", i);
        is_answered(i, text);
    }
}

/* ---- what comes out ---- */

static int bracket(salp_bytes in, salp_buffer *out, void *context)
{
    if (context || ((const char *)in.data)[in.size] != '\0')
        return -EPROTO;
    salp_buffer_append(out, "<", 1);
    salp_buffer_append(out, in.data, in.size);
    salp_buffer_append(out, ">", 1);
    return 0;
}

static void each_input_gets_its_answer(void **state)
{
    open_all(test_engine(state), bracket, 3, false, 0);
    for (int round = 0; round < 3; round++) {
        batch_clear(batch);
        add_numbers(INPUTS);
        assert_int_equal(batch_run(batch, pool, NULL, batch->count), 0);
        are_answered(0, INPUTS);
    }
    close_all();
}

/* Answers with as many bytes as the input says, and an input of as many as it says. */
static int repeat(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    size_t size = strtoul(in.data, NULL, 10);
    int error = salp_buffer_reserve(out, size);
    if (error < 0)
        return error;
    if (size > 0)
        memset(out->data, 'a' + (int)(size % 26), size);
    out->size = size;
    return 0;
}

static void short_and_long_answers_lie_side_by_side(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, 4095, 4096, 16384, 16385, 65536, 1000000, 3000000 };
    enum { SIZES = sizeof sizes / sizeof *sizes, ROUNDS = 40 };
    char text[32];
    open_all(test_engine(state), repeat, 2, false, 0);
    for (int round = 0; round < 2; round++) {
        batch_clear(batch);
        for (int i = 0; i < SIZES * ROUNDS; i++) {
            snprintf(text, sizeof text, "%zu", sizes[i % SIZES]);
            add(text);
        }
        assert_int_equal(batch_run(batch, pool, NULL, batch->count), 0);
        for (size_t i = 0; i < batch->count; i++) {
            salp_bytes answer;
            size_t size = sizes[i % SIZES];
            assert_int_equal(batch_outcome_of(batch, i).error, 0);
            assert_int_equal(batch_see(batch, i, &answer), 0);
            assert_int_equal(answer.size, size);
            for (size_t j = 0; j < size; j += size / 7 + 1)
                assert_int_equal(((const char *)answer.data)[j], 'a' + (int)(size % 26));
            batch_unsee(batch, i, answer);
        }
    }
    close_all();
}

static void run_and_compare(void)
{
    assert_int_equal(batch_run(batch, pool, NULL, batch->count), 0);
    for (size_t i = 0; i < batch->count; i++) {
        salp_bytes answer, in;
        assert_int_equal(batch_outcome_of(batch, i).error, 0);
        assert_int_equal(batch_outcome_of(batch, i).result, 0);
        assert_int_equal(batch_see(batch, i, &answer), 0);
        assert_int_equal(batch_see_input(batch, i, &in), 0);
        assert_int_equal(answer.size, in.size + 2);
        assert_memory_equal((const char *)answer.data + 1, in.data, in.size);
        batch_unsee_input(batch, i, in);
        batch_unsee(batch, i, answer);
    }
}

static void inputs_of_any_size_fit(void **state)
{
    static char input[200000];
    open_all(test_engine(state), bracket, 2, false, 0);
    memset(input, 'x', sizeof input);
    for (size_t size = 0; size < sizeof input; size = size * 2 + 1)
        assert_int_equal(batch_add(batch, input, size), 0);
    run_and_compare();
    /* Beyond what there is room for, too; and that comes to an end. */
    batch_clear(batch);
    while (batch_has_room(batch))
        assert_int_equal(batch_add(batch, input, 5000), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(batch_add(batch, input, 5000), 0);
    run_and_compare();
    close_all();
}

static int number(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    salp_buffer_append(out, in.data, in.size);
    return (int)strtol(in.data, NULL, 10);
}

static void results_are_told_with_what_was_answered(void **state)
{
    open_all(test_engine(state), number, 2, true, 0);
    add("0");
    add("7");
    add("-2");
    assert_int_equal(batch_run(batch, pool, NULL, 3), 0);
    assert_int_equal(batch_outcome_of(batch, 0).result, 0);
    assert_int_equal(batch_outcome_of(batch, 1).result, 7);
    assert_int_equal(batch_outcome_of(batch, 2).result, -2);
    is_answered(1, "7");
    is_answered(2, "-2");
    struct batch_times times = batch_outcome_of(batch, 1).times;
    assert_true(times.started > 0 && times.wall >= 0 && times.user >= 0 && times.system >= 0);
    assert_in_range(batch_outcome_of(batch, 1).worker, 1, 2);
    close_all();
}

/* ---- what goes wrong ---- */

static int crash_on_13(salp_bytes in, salp_buffer *out, void *context)
{
    if (strcmp(in.data, "13") == 0)
        raise(SIGSEGV);
    if (strcmp(in.data, "2000") == 0)
        _exit(3);
    return bracket(in, out, context);
}

static void a_crash_costs_one_input(void **state)
{
    (void)state;
    open_all(SALP_PROCESSES, crash_on_13, 2, false, 0);
    add_numbers(INPUTS);
    assert_int_equal(batch_run(batch, pool, NULL, batch->count), 0);
    struct batch_outcome crashed = batch_outcome_of(batch, 13), left = batch_outcome_of(batch, 2000);
    assert_int_equal(crashed.error, SALP_ECRASHED);
    assert_non_null(crashed.loss);
    assert_int_equal(crashed.loss->failure.signal, SIGSEGV);
    assert_int_equal(left.error, SALP_ECRASHED);
    assert_int_equal(left.loss->failure.exit_status, 3);
    are_answered(0, 13);
    are_answered(14, 2000);
    are_answered(2001, INPUTS);
    /* Those that took their places have the same numbers. */
    batch_clear(batch);
    add_numbers(100);
    assert_int_equal(batch_run(batch, pool, NULL, 13), 0);
    for (size_t i = 0; i < 13; i++)
        assert_in_range(batch_outcome_of(batch, i).worker, 1, 2);
    close_all();
}

/* One crashes once, one fails twice: counted in memory that all share. */
static _Atomic int *failures;

static int fail_at_first(salp_bytes in, salp_buffer *out, void *context)
{
    if (strcmp(in.data, "5") == 0 && failures[0]++ == 0)
        abort();
    if (strcmp(in.data, "77") == 0 && failures[1]++ < 2)
        return 1;
    return bracket(in, out, context);
}

static void some_are_run_again_and_the_others_stay(void **state)
{
    (void)state;
    failures = mmap(NULL, 2 * sizeof *failures, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    open_all(SALP_PROCESSES, fail_at_first, 1, false, 0);
    add_numbers(100);
    assert_int_equal(batch_run(batch, pool, NULL, 100), 0);
    assert_int_equal(batch_outcome_of(batch, 5).error, SALP_ECRASHED);
    assert_int_equal(batch_outcome_of(batch, 77).result, 1);
    assert_int_equal(batch_run(batch, pool, (size_t[]){ 5, 77 }, 2), 0);
    is_answered(5, "<5>");
    assert_int_equal(batch_outcome_of(batch, 77).result, 1);
    assert_int_equal(batch_run(batch, pool, (size_t[]){ 77 }, 1), 0);
    are_answered(0, 100);
    close_all();
    munmap(failures, 2 * sizeof *failures);
}

static int write_to_input(salp_bytes in, salp_buffer *out, void *context)
{
    if (in.size == 2)
        *(char *)(uintptr_t)in.data = 'x';
    return bracket(in, out, context);
}

static void inputs_can_only_be_read(void **state)
{
    (void)state;
    open_all(SALP_PROCESSES, write_to_input, 1, false, 0);
    add_numbers(11);
    assert_int_equal(batch_run(batch, pool, NULL, 11), 0);
    assert_int_equal(batch_outcome_of(batch, 10).error, SALP_ECRASHED);
    assert_int_equal(batch_outcome_of(batch, 10).loss->failure.signal, SIGSEGV);
    are_answered(0, 10);
    close_all();
}

static int spoil_at_9(salp_bytes in, salp_buffer *out, void *context)
{
    if (strcmp(in.data, "9") == 0)
        memset(batch->out, '?', 5);
    return bracket(in, out, context);
}

static void an_answer_that_was_overwritten_is_not_shown(void **state)
{
    (void)state;
    open_all(SALP_PROCESSES, spoil_at_9, 1, false, 0);
    add_numbers(10);
    assert_int_equal(batch_run(batch, pool, NULL, 10), 0);
    assert_int_equal(batch_outcome_of(batch, 0).error, SALP_EDAMAGED);
    assert_int_equal(batch_outcome_of(batch, 1).error, SALP_EDAMAGED);
    are_answered(2, 10);
    close_all();
}

static int hang_on_3(salp_bytes in, salp_buffer *out, void *context)
{
    while (strcmp(in.data, "3") == 0)
        pause();
    return bracket(in, out, context);
}

static void one_that_hangs_is_ended(void **state)
{
    (void)state;
    open_all(SALP_PROCESSES, hang_on_3, 2, false, SALP_MILLISECONDS(20));
    add_numbers(10);
    assert_int_equal(batch_run(batch, pool, NULL, 10), 0);
    assert_int_equal(batch_outcome_of(batch, 3).error, -ETIMEDOUT);
    close_all();
}

/* ---- stopping ---- */

static void workers_stop_after_failures(void **state)
{
    (void)state;
    struct batch_options options = { .function = number, .workers = 1, .batches = 1, .processes = true };
    assert_int_equal(batch_store_open(&store, &options), 0);
    batch_stop_after(store, BATCH_STOPS_ON_OTHERS, 3);
    batch = batch_of(store, 0);
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES,
                                                                 .workers = 1,
                                                                 .initializer = batch_enter,
                                                                 .initializer_arg = store }),
                     0);
    add_numbers(10);
    assert_int_equal(batch_run(batch, pool, NULL, 10), 0);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(batch_outcome_of(batch, i).error, 0);
        assert_int_equal(batch_outcome_of(batch, i).skipped, i > 3);
    }
    assert_true(batch_stopped(store));
    close_all();
}

static void a_pool_that_has_ended_leaves_items_without_outcome(void **state)
{
    open_all(test_engine(state), bracket, 1, false, 0);
    add_numbers(10);
    assert_int_equal(salp_pool_terminate(pool), 0);
    assert_true(batch_run(batch, pool, NULL, 10) < 0);
    for (size_t i = 0; i < 10; i++)
        assert_true(batch_outcome_of(batch, i).skipped);
    close_all();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("each input gets its answer", each_input_gets_its_answer),
        TEST_ENGINES("short and long answers lie side by side", short_and_long_answers_lie_side_by_side),
        TEST_ENGINES("inputs of any size fit", inputs_of_any_size_fit),
        TEST_ENGINES("results are told with what was answered", results_are_told_with_what_was_answered),
        TEST_ENGINES("a pool that has ended leaves items without outcome",
                     a_pool_that_has_ended_leaves_items_without_outcome),
        TEST_PROCESSES("a crash costs one input", a_crash_costs_one_input),
        TEST_PROCESSES("some are run again and the others stay", some_are_run_again_and_the_others_stay),
        TEST_PROCESSES("inputs can only be read", inputs_can_only_be_read),
        TEST_PROCESSES("an answer that was overwritten is not shown", an_answer_that_was_overwritten_is_not_shown),
        TEST_PROCESSES("one that hangs is ended", one_that_hangs_is_ended),
        TEST_PROCESSES("workers stop after failures", workers_stop_after_failures),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
