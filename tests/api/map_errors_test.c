/*
 * Items that fail by their own result: what stops, what is returned, and what the callbacks hear.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

static struct gate *gate;
static atomic_int *runs;

static int job_fail_at_five(const void *in, void *out, void *context)
{
    (void)out;
    (void)context;
    atomic_fetch_add(runs, 1);
    if (*(const int *)in == 5)
        return -EDOM;
    doze(SALP_MICROSECONDS(100));
    return 0;
}

/* Which item that is depends on the workers: they need not begin with the first. */
static int job_fail_at_sixth_run(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    if (atomic_fetch_add(runs, 1) == 5)
        return -EDOM;
    doze(SALP_MICROSECONDS(100));
    return 0;
}

/* Were all items run, this would take many times the test's limit. */
static void the_first_failure_stops_a_map(void **state)
{
    enum { COUNT = 20000000 };
    salp_pool *pool;

    runs = shared_memory(sizeof *runs);
    pool = open_pool(test_engine(state), 2);
    for (size_t chunk = 0; chunk <= 5000000; chunk = chunk ? chunk * 5000 : 1) {
        atomic_store(runs, 0);
        assert_int_equal(
            salp_map(pool, job_fail_at_sixth_run, NULL, 0, NULL, 0, COUNT, &(salp_map_options){ .chunk = chunk }),
            -EDOM);
        assert_in_range(atomic_load(runs), 6, COUNT - 1);
    }
    assert_int_equal(check_squares(pool, 100, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void nothing_behind_the_failed_item_is_run_by_a_single_worker(void **state)
{
    int in[3000];
    salp_pool *pool;

    runs = shared_memory(sizeof *runs);
    pool = open_with(
        &(salp_pool_options){ .engine = test_engine(state), .workers = 1, .initializer = initialize_nothing });
    for (int i = 0; i < 3000; i++)
        in[i] = i;
    for (size_t chunk = 0; chunk <= 1000; chunk = chunk * 10 + 1) {
        atomic_store(runs, 0);
        assert_int_equal(
            salp_map(pool, job_fail_at_five, in, sizeof *in, NULL, 0, 3000, &(salp_map_options){ .chunk = chunk }),
            -EDOM);
        assert_int_equal(atomic_load(runs), 6);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

/* Item 1 fails while item 0 is running, and item 0 fails afterwards. */
static int job_fail_in_turn(const void *in, void *out, void *context)
{
    (void)out;
    (void)context;
    if (*(const int *)in == 0) {
        int error = gate_pass(gate);

        return error ? error : -ERANGE;
    }
    if (!reaches(&gate->inside, 1))
        return -EBUSY;
    atomic_store(&gate->open, 1);
    return -EDOM;
}

static void the_error_of_the_lowest_failed_index_is_returned(void **state)
{
    int in[2] = { 0, 1 };
    salp_pool *pool;

    gate = shared_memory(sizeof *gate);
    pool = open_pool(test_engine(state), 2);
    for (int round = 0; round < 50; round++) {
        gate_reset(gate);
        assert_int_equal(
            salp_map(pool, job_fail_in_turn, in, sizeof *in, NULL, 0, 2, &(salp_map_options){ .chunk = 1 }), -ERANGE);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_return_input(const void *in, void *out, void *context)
{
    int x = *(const int *)in;

    (void)context;
    *(int *)out = x ^ 0x55;
    return x;
}

static void with_errors_every_item_is_run_and_its_own_result_kept(void **state)
{
    static const int results[] = { 0,     -1, 1,       INT_MIN,    INT_MAX,     -4095, SALP_ECRASHED, SALP_EDAMAGED,
                                   -4096, 7,  -ENOMEM, -ETIMEDOUT, INT_MIN + 1, 0 };
    enum { COUNT = 5000 };
    static int in[COUNT], out[COUNT], errors[COUNT + 1];
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (size_t chunk = 0; chunk < 4; chunk++) {
        for (int i = 0; i < COUNT; i++) {
            in[i] = results[(size_t)i * 5 % LENGTH(results)];
            errors[i] = 12345;
            out[i] = 99;
        }
        errors[COUNT] = 12345;
        assert_int_equal(salp_map(pool, job_return_input, in, sizeof *in, out, sizeof *out, COUNT,
                                  &(salp_map_options){ .chunk = chunk, .errors = errors }),
                         -4095);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(errors[i], in[i]);
            if (in[i] >= 0)
                assert_int_equal(out[i], in[i] ^ 0x55);
            else if (test_engine(state) == SALP_PROCESSES)
                assert_int_equal(out[i], 99);
        }
        assert_int_equal(errors[COUNT], 12345);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void positive_results_are_successes(void **state)
{
    int in[100], out[100], errors[100];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < 100; i++)
        in[i] = i * 1000000;
    assert_int_equal(salp_map(pool, job_return_input, in, sizeof *in, out, sizeof *out, 100, NULL), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(out[i], in[i] ^ 0x55);
    assert_int_equal(salp_map(pool, job_return_input, in, sizeof *in, out, sizeof *out, 100,
                              &(salp_map_options){ .errors = errors }),
                     0);
    assert_memory_equal(errors, in, sizeof in);
    assert_int_equal(salp_pool_close(pool), 0);
}

struct progress {
    size_t last, count;
    int calls;
    pid_t thread;
    bool wrong;
};

static void note_progress(size_t done, size_t count, void *arg)
{
    struct progress *p = arg;

    if (done < p->last || done > count || count != p->count || p->thread != (pid_t)syscall(SYS_gettid))
        p->wrong = true;
    p->last = done;
    p->calls++;
}

static void progress_grows_and_ends_with_the_count(void **state)
{
    static const size_t counts[] = { 1, 2, 14, 10000 };
    static int in[10000], out[10000], errors[10000];
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (int i = 0; i < 10000; i++)
        in[i] = i % 7 == 3 ? -i : i;
    for (size_t k = 0; k < LENGTH(counts); k++)
        for (int chunk = 0; chunk < 3; chunk++) {
            struct progress p = { .count = counts[k], .thread = (pid_t)syscall(SYS_gettid) };

            assert_int_equal(salp_map(pool, job_return_input, in, sizeof *in, out, sizeof *out, counts[k],
                                      &(salp_map_options){ .chunk = (size_t)chunk,
                                                           .errors = errors,
                                                           .on_progress = note_progress,
                                                           .on_progress_arg = &p }),
                             counts[k] > 3 ? -3 : 0);
            assert_false(p.wrong);
            assert_true(p.calls >= 1);
            assert_int_equal(p.last, counts[k]);
        }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void progress_of_a_stopped_map_never_exceeds_what_was_run(void **state)
{
    int in[1000];
    struct progress p = { .count = 1000, .thread = (pid_t)syscall(SYS_gettid) };
    salp_pool *pool;

    runs = shared_memory(sizeof *runs);
    pool = open_pool(test_engine(state), 2);
    for (int i = 0; i < 1000; i++)
        in[i] = i;
    assert_int_equal(salp_map(pool, job_fail_at_five, in, sizeof *in, NULL, 0, 1000,
                              &(salp_map_options){ .chunk = 1, .on_progress = note_progress, .on_progress_arg = &p }),
                     -EDOM);
    assert_false(p.wrong);
    assert_true(p.last <= (size_t)atomic_load(runs));
    assert_int_equal(salp_pool_close(pool), 0);
}

struct heard {
    struct failures failures;
    pid_t thread;
    bool elsewhere;
};

static void hear_failure(const salp_failure *failure, void *arg)
{
    struct heard *heard = arg;

    if (heard->thread != (pid_t)syscall(SYS_gettid))
        heard->elsewhere = true;
    note_failure(failure, &heard->failures);
}

static void each_failed_item_is_told_once(void **state)
{
    int in[1000], out[1000], errors[1000];
    static struct heard heard;
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (int i = 0; i < 1000; i++)
        in[i] = i % 50 == 17 ? -i : i;
    for (size_t chunk = 0; chunk < 3; chunk++) {
        memset(&heard, 0, sizeof heard);
        heard.thread = (pid_t)syscall(SYS_gettid);
        assert_int_equal(
            salp_map(pool, job_return_input, in, sizeof *in, out, sizeof *out, 1000,
                     &(salp_map_options){
                         .chunk = chunk, .errors = errors, .on_failure = hear_failure, .on_failure_arg = &heard }),
            -17);
        assert_int_equal(heard.failures.count, 20);
        assert_false(heard.failures.odd);
        assert_false(heard.elsewhere);
        for (int i = 0; i < 20; i++) {
            const salp_failure *f = &heard.failures.each[i];

            assert_int_equal(f->index % 50, 17);
            assert_int_equal(f->error, -(int)f->index);
            assert_int_equal(f->signal, 0);
            assert_int_equal(f->exit_status, -1);
            assert_int_equal(f->attempt, 1);
            assert_null(f->address);
            if (test_engine(state) == SALP_THREADS)
                assert_int_equal(f->worker, 0);
            else
                assert_true(f->worker > 0 && f->worker != getpid());
        }
        assert_string_equal(heard.failures.backtrace, "");
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void the_failure_that_stops_a_map_is_told(void **state)
{
    int in[1000];
    static struct failures failures;
    salp_pool *pool;

    runs = shared_memory(sizeof *runs);
    pool = open_pool(test_engine(state), 2);
    for (int i = 0; i < 1000; i++)
        in[i] = i;
    assert_int_equal(salp_map(pool, job_fail_at_five, in, sizeof *in, NULL, 0, 1000,
                              &(salp_map_options){ .on_failure = note_failure, .on_failure_arg = &failures }),
                     -EDOM);
    assert_int_equal(failures.count, 1);
    assert_int_equal(failures.each[0].index, 5);
    assert_int_equal(failures.each[0].error, -EDOM);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_spoil_and_fail(const void *in, void *out, void *context)
{
    (void)context;
    memset(out, 0xee, 100);
    return *(const int *)in % 3 == 1 ? -EIO : 0;
}

/* What a failed item had written stays in the worker. */
static void results_of_failed_items_are_left_as_they_were(void **state)
{
    int in[300], errors[300];
    static unsigned char out[300][100];
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);

    (void)state;
    for (int i = 0; i < 300; i++)
        in[i] = i;
    for (size_t chunk = 0; chunk < 30; chunk += 7) {
        memset(out, 0x11, sizeof out);
        assert_int_equal(salp_map(pool, job_spoil_and_fail, in, sizeof *in, out, sizeof *out, 300,
                                  &(salp_map_options){ .errors = errors, .chunk = chunk }),
                         -EIO);
        for (int i = 0; i < 300; i++)
            for (int k = 0; k < 100; k++)
                assert_int_equal(out[i][k], i % 3 == 1 ? 0x11 : 0xee);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES_LIMIT("the first failure stops a map", the_first_failure_stops_a_map, 120),
        TEST_ENGINES("nothing behind the failed item is run by a single worker",
                     nothing_behind_the_failed_item_is_run_by_a_single_worker),
        TEST_ENGINES("the error of the lowest failed index is returned",
                     the_error_of_the_lowest_failed_index_is_returned),
        TEST_ENGINES("with .errors every item is run and its own result kept",
                     with_errors_every_item_is_run_and_its_own_result_kept),
        TEST_ENGINES("positive results are successes", positive_results_are_successes),
        TEST_ENGINES("progress grows and ends with the count", progress_grows_and_ends_with_the_count),
        TEST_ENGINES("progress of a stopped map never exceeds what was run",
                     progress_of_a_stopped_map_never_exceeds_what_was_run),
        TEST_ENGINES("each failed item is told once", each_failed_item_is_told_once),
        TEST_ENGINES("the failure that stops a map is told", the_failure_that_stops_a_map_is_told),
        TEST("results of failed items are left as they were", results_of_failed_items_are_left_as_they_were),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
