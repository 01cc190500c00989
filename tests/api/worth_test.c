/*
 * salp_worth, from outside. Nothing is asked of how long anything takes: only of what was run, of what the report must hold
 * together, and of what cannot depend on speed (a job that crashes, one that does not end).
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { COUNT = 500 };

/* How often each item was run, in memory that forks share. */
typedef struct tally {
    _Atomic int runs[COUNT];
    _Atomic int wrong; /* inputs that are not what they should be */
} tally;

static tally *open_tally(void)
{
    tally *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(t != MAP_FAILED);
    return t;
}

static int inputs[COUNT], results[COUNT];

static void set_inputs(void)
{
    for (int i = 0; i < COUNT; i++) {
        inputs[i] = i;
        results[i] = -1;
    }
}

static int count_run(const void *in, void *out, void *context)
{
    tally *t = context;
    int i = *(const int *)in;
    if (i < 0 || i >= COUNT)
        atomic_fetch_add(&t->wrong, 1);
    else
        atomic_fetch_add(&t->runs[i], 1);
    *(int *)out = i * 2;
    return 0;
}

/* What holds of every report. */
static void check_report(const salp_worth_report *report, size_t count)
{
    assert_int_equal(report->count, count);
    assert_in_range(report->sampled, 1, count);
    assert_true(report->plan_count >= 2 && report->plan_count <= SALP_WORTH_PLANS_MAX);
    assert_int_equal(report->plans[0].way, SALP_WORTH_INLINE);
    bool found = false;
    for (int i = 0; i < report->plan_count; i++) {
        const salp_worth_plan *plan = &report->plans[i];
        assert_true(plan->low <= plan->time && plan->time <= plan->high);
        assert_int_equal(plan->time, plan->opening + plan->working + plan->handing);
        assert_true(plan->workers >= 1 && (size_t)plan->workers <= count);
        assert_true(plan->stretch >= 1);
        found |= memcmp(plan, &report->best, sizeof *plan) == 0;
    }
    assert_true(found);
    assert_false(report->best.unsafe);
    assert_true(report->processors >= 1 && report->capacity > 0);
    assert_true(report->item_low <= report->item_time && report->item_time <= report->item_high);
    assert_in_range(report->claim, 1, count);
    assert_int_equal(report->chunk, 0);
    assert_true(report->reason[0] != '\0');
}

static void each_item_is_sampled_once_at_most_and_nothing_is_written(void **state)
{
    (void)state;
    tally *t = open_tally();
    salp_worth_report report;
    set_inputs();
    assert_int_equal(salp_worth(count_run, inputs, sizeof *inputs, results, sizeof *results, COUNT,
                                &(salp_worth_options){ .context = t }, &report),
                     0);
    check_report(&report, COUNT);
    size_t runs = 0;
    for (int i = 0; i < COUNT; i++) {
        int times = atomic_load(&t->runs[i]);
        assert_in_range(times, 0, 1);
        runs += (size_t)times;
        assert_int_equal(results[i], -1);
    }
    assert_int_equal(report.sampled, runs);
    assert_int_equal(atomic_load(&t->wrong), 0);
    assert_int_equal(report.crashes, 0);
    assert_int_equal(report.failed, 0);
    assert_int_equal(report.crash_index, SIZE_MAX);
    munmap(t, sizeof *t);
}

static void one_item_is_enough(void **state)
{
    (void)state;
    tally *t = open_tally();
    salp_worth_report report;
    set_inputs();
    assert_int_equal(salp_worth(count_run, inputs, sizeof *inputs, results, sizeof *results, 1,
                                &(salp_worth_options){ .context = t }, &report),
                     0);
    check_report(&report, 1);
    assert_int_equal(atomic_load(&t->runs[0]), 1);
    munmap(t, sizeof *t);
}

static int nothing(const void *in, void *out, void *context)
{
    return in || out || context ? -EPROTO : 0;
}

static void a_job_needs_no_inputs_and_no_results(void **state)
{
    (void)state;
    salp_worth_report report;
    assert_int_equal(salp_worth(nothing, NULL, 0, NULL, 0, 1000, NULL, &report), 0);
    check_report(&report, 1000);
    assert_int_equal(report.failed, 0);
    assert_int_equal(report.data, 0);
}

static void ever_so_many_items_take_long(void **state)
{
    static const size_t counts[] = { SIZE_MAX / 2, SIZE_MAX };
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        salp_worth_report report;
        assert_int_equal(salp_worth(nothing, NULL, 0, NULL, 0, counts[i], NULL, &report), 0);
        check_report(&report, counts[i]);
        assert_true(report.sampled > 0);
        assert_true(report.best.low >= 0 && report.best.time > SALP_SECONDS(1000000));
    }
}

static int add_to_context(const void *in, void *out, void *context)
{
    (void)out;
    int *sum = context;
    *sum += *(const int *)in; /* a race, if it were not its own copy */
    return *sum < 0 ? -EPROTO : 0;
}

static void each_worker_has_its_own_copy_of_a_context(void **state)
{
    (void)state;
    salp_worth_report report;
    int sum = 0;
    set_inputs();
    assert_int_equal(salp_worth(add_to_context, inputs, sizeof *inputs, NULL, 0, COUNT,
                                &(salp_worth_options){ .context = &sum, .context_size = sizeof sum }, &report),
                     0);
    check_report(&report, COUNT);
    assert_int_equal(report.failed, 0);
    assert_int_equal(sum, 0);
}

static int fail_always(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    return -EPROTO;
}

static void items_that_fail_are_counted(void **state)
{
    (void)state;
    salp_worth_report report;
    assert_int_equal(salp_worth(fail_always, NULL, 0, NULL, 0, COUNT, NULL, &report), 0);
    check_report(&report, COUNT);
    assert_int_equal(report.failed, report.sampled);
    assert_non_null(strstr(report.reason, "failed"));
}

/* ---- crashes ---- */

static int die(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    raise(SIGKILL);
    return 0;
}

static void a_job_that_always_crashes_is_for_processes(void **state)
{
    (void)state;
    salp_worth_report report;
    set_inputs();
    assert_int_equal(salp_worth(die, inputs, sizeof *inputs, results, sizeof *results, COUNT, NULL, &report), 0);
    check_report(&report, COUNT);
    assert_in_range(report.crashes, 1, 8);
    assert_int_equal(report.crash_signal, SIGKILL);
    assert_true(report.crash_index < COUNT);
    assert_false(report.crash_beside);
    assert_int_equal(report.best.way, SALP_WORTH_PROCESSES);
    assert_true(report.plans[0].unsafe);
}

static int leave(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    _exit(0);
}

static void a_job_that_leaves_the_process_has_crashed(void **state)
{
    (void)state;
    salp_worth_report report;
    assert_int_equal(salp_worth(leave, NULL, 0, NULL, 0, COUNT, NULL, &report), 0);
    assert_true(report.crashes > 0);
    assert_int_equal(report.crash_signal, 0);
    assert_int_equal(report.best.way, SALP_WORTH_PROCESSES);
}

/* Crashes in any thread but the one that a process began with. */
static int hate_threads(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    if (gettid() != getpid())
        raise(SIGKILL);
    return 0;
}

static void a_job_that_crashes_on_threads_only_is_told_so(void **state)
{
    (void)state;
    salp_worth_report report;
    assert_int_equal(salp_worth(hate_threads, NULL, 0, NULL, 0, 100000, NULL, &report), 0);
    check_report(&report, 100000);
    if (report.processors < 2 || report.crashes == 0)
        test_skip("one processor, or no time was left for threads");
    assert_true(report.crash_beside);
    assert_false(report.plans[0].unsafe);
    assert_true(report.best.way != SALP_WORTH_THREADS);
}

/* Tells those who have the context that it has begun. */
static int hang(const void *in, void *out, void *context)
{
    (void)in, (void)out;
    if (context)
        atomic_store((_Atomic int *)context, 1);
    for (;;)
        pause();
    return 0;
}

static void a_job_that_does_not_end_is_ended(void **state)
{
    (void)state;
    salp_worth_report report;
    assert_int_equal(
        salp_worth(hang, NULL, 0, NULL, 0, COUNT, &(salp_worth_options){ .patience = SALP_MILLISECONDS(1) }, &report),
        0);
    assert_true(report.overdue);
    assert_true(report.item_time >= (double)SALP_MILLISECONDS(1));
    assert_non_null(strstr(report.reason, "item_timeout"));
}

/* Tells how long its command was on a processor. */
static int run_a_command(const void *in, void *out, void *context)
{
    (void)in, (void)out;
    _Atomic int64_t *cpu = *(_Atomic int64_t **)context;
    salp_output output;
    static const char *const argv[] = { "sh", "-c", "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done", NULL };
    int error = salp_command_run(argv, NULL, &output);
    atomic_fetch_add(cpu, output.user + output.system);
    salp_output_free(&output);
    return error;
}

static void a_job_is_busy_while_its_command_is(void **state)
{
    (void)state;
    salp_shared *shared;
    assert_int_equal(salp_shared_array(&shared, 1, sizeof(_Atomic int64_t)), 0);
    _Atomic int64_t *cpu = salp_shared_data(shared);
    salp_worth_report report;
    assert_int_equal(salp_worth(run_a_command, NULL, 0, NULL, 0, 1,
                                &(salp_worth_options){ .context = &cpu, .context_size = sizeof cpu }, &report),
                     0);
    assert_int_equal(report.sampled, 1);
    assert_int_equal(report.failed, 0);
    assert_true(atomic_load(cpu) > 0);
    assert_true(report.busy * report.item_time >= 0.9 * (double)atomic_load(cpu));
    salp_shared_close(shared);
}

/* ---- waiting ---- */

static void a_scope_that_is_over_ends_it(void **state)
{
    (void)state;
    salp_worth_report report = { .count = 77 };
    salp_scope scope;
    salp_scope_open(&scope, 0);
    assert_int_equal(salp_worth(nothing, NULL, 0, NULL, 0, COUNT, NULL, &report), -ETIMEDOUT);
    assert_int_equal(salp_scope_close(&scope), -ETIMEDOUT);
    assert_int_equal(report.count, 77);
}

struct hanging {
    salp_scope scope;
    _Atomic int *begun;
    int error;
};

static int cancel_when_begun(void *arg)
{
    struct hanging *h = arg;
    while (atomic_load(h->begun) == 0)
        salp_sleep(SALP_MILLISECONDS(1));
    salp_scope_cancel(&h->scope);
    return 0;
}

static int ask_of_hang(void *arg)
{
    struct hanging *h = arg;
    salp_worth_report report;
    salp_worth_options options = { .context = (void *)h->begun, .patience = SALP_SECONDS(1000) };
    salp_scope_open(&h->scope, SALP_FOREVER);
    salp_group group;
    salp_group_open(&group);
    salp_go(&group, cancel_when_begun, h);
    h->error = salp_worth(hang, NULL, 0, NULL, 0, COUNT, &options, &report);
    salp_group_close(&group);
    salp_scope_close(&h->scope);
    return 0;
}

static void a_cancelled_scope_ends_a_sample_that_would_not_end(void **state)
{
    (void)state;
    tally *t = open_tally();
    struct hanging h = { .begun = &t->wrong, .error = 1 };
    assert_int_equal(salp_run(ask_of_hang, &h), 0);
    assert_int_equal(h.error, -ECANCELED);
    munmap(t, sizeof *t);
}

static int ask(void *arg)
{
    salp_worth_report *report = arg;
    return salp_worth(nothing, NULL, 0, NULL, 0, COUNT, NULL, report);
}

static void a_task_may_ask(void **state)
{
    (void)state;
    salp_worth_report report;
    assert_int_equal(salp_run(ask, &report), 0);
    check_report(&report, COUNT);
}

static void *ask_in_thread(void *arg)
{
    salp_worth_report *report = arg;
    int error = salp_worth(nothing, NULL, 0, NULL, 0, COUNT, NULL, report);
    return error == 0 ? report : NULL;
}

static void two_threads_may_ask_at_once(void **state)
{
    (void)state;
    static salp_worth_report reports[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_in_thread, &reports[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &reports[i]);
        check_report(&reports[i], COUNT);
    }
}

/* ---- measuring ---- */

static void measuring_runs_every_item_here(void **state)
{
    (void)state;
    tally *t = open_tally();
    salp_worth_report report;
    set_inputs();
    assert_int_equal(salp_worth(count_run, inputs, sizeof *inputs, results, sizeof *results, COUNT,
                                &(salp_worth_options){ .context = t, .measure = true, .workers_max = 2 }, &report),
                     0);
    check_report(&report, COUNT);
    for (int i = 0; i < report.plan_count; i++) {
        assert_true(report.plans[i].measured > 0);
        assert_true(report.plans[i].workers <= 2);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(results[i], i * 2);
        assert_in_range(atomic_load(&t->runs[i]), report.plan_count, report.plan_count + 1);
    }
    munmap(t, sizeof *t);
}

static void measuring_what_crashes_leaves_the_program_alive(void **state)
{
    (void)state;
    salp_worth_report report;
    assert_int_equal(
        salp_worth(die, NULL, 0, NULL, 0, 20, &(salp_worth_options){ .measure = true, .kept = true }, &report), 0);
    for (int i = 0; i < report.plan_count; i++)
        assert_int_equal(report.plans[i].measured > 0, report.plans[i].way == SALP_WORTH_PROCESSES);
}

/* ---- errors ---- */

static void what_a_caller_gets_wrong_is_refused(void **state)
{
    (void)state;
    salp_worth_report report;
    char byte = 0;
    assert_int_equal(salp_worth(NULL, NULL, 0, NULL, 0, 1, NULL, &report), -EINVAL);
    assert_int_equal(salp_worth(nothing, NULL, 0, NULL, 0, 1, NULL, NULL), -EINVAL);
    assert_int_equal(salp_worth(nothing, NULL, 0, NULL, 0, 0, NULL, &report), -EINVAL);
    assert_int_equal(salp_worth(nothing, &byte, 0, NULL, 0, 1, NULL, &report), -EINVAL);
    assert_int_equal(salp_worth(nothing, NULL, 1, NULL, 0, 1, NULL, &report), -EINVAL);
    assert_int_equal(salp_worth(nothing, NULL, 0, NULL, 1, 1, NULL, &report), -EINVAL);
    assert_int_equal(salp_worth(nothing, NULL, 0, &byte, 0, 1, NULL, &report), -EINVAL);
    assert_int_equal(salp_worth(nothing, &byte, SIZE_MAX / 2, NULL, 0, 3, NULL, &report), -EINVAL);
    static const salp_worth_options wrong[] = {
        { .context_size = 1 }, { .workers_max = -1 }, { .workers_max = SALP_WORKERS_MAX + 1 },
        { .budget = -1 },      { .patience = -1 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(salp_worth(nothing, NULL, 0, NULL, 0, 1, &wrong[i], &report), -EINVAL);
    salp_buffer buffer = { 0 };
    assert_int_equal(salp_worth_text(NULL, &buffer), -EINVAL);
    assert_int_equal(salp_worth_json(&report, NULL), -EINVAL);
    assert_int_equal(salp_worth_svg(NULL, &buffer), -EINVAL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_PROCESSES("each item is sampled once at most, and nothing is written",
                       each_item_is_sampled_once_at_most_and_nothing_is_written),
        TEST_PROCESSES("one item is enough", one_item_is_enough),
        TEST_PROCESSES("a job needs no inputs and no results", a_job_needs_no_inputs_and_no_results),
        TEST_PROCESSES("ever so many items take long", ever_so_many_items_take_long),
        TEST_PROCESSES("each worker has its own copy of a context", each_worker_has_its_own_copy_of_a_context),
        TEST_PROCESSES("items that fail are counted", items_that_fail_are_counted),
        TEST_PROCESSES("a job that always crashes is for processes", a_job_that_always_crashes_is_for_processes),
        TEST_PROCESSES("a job that leaves the process has crashed", a_job_that_leaves_the_process_has_crashed),
        TEST_PROCESSES("a job that crashes on threads only is told so", a_job_that_crashes_on_threads_only_is_told_so),
        TEST_PROCESSES("a job that does not end is ended", a_job_that_does_not_end_is_ended),
        TEST_PROCESSES("a job is busy while its command is", a_job_is_busy_while_its_command_is),
        TEST("a scope that is over ends it", a_scope_that_is_over_ends_it),
        TEST_PROCESSES("a cancelled scope ends a sample that would not end",
                       a_cancelled_scope_ends_a_sample_that_would_not_end),
        TEST_PROCESSES("a task may ask", a_task_may_ask),
        TEST_PROCESSES("two threads may ask at once", two_threads_may_ask_at_once),
        TEST_PROCESSES("measuring runs every item here", measuring_runs_every_item_here),
        TEST_PROCESSES("measuring what crashes leaves the program alive",
                       measuring_what_crashes_leaves_the_program_alive),
        TEST("what a caller gets wrong is refused", what_a_caller_gets_wrong_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
