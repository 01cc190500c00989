/*
 * salp.c - what salp_worth predicts, and what really happens.
 *
 *     worth-salp plans kind=NAME kept=0|1 times=N
 *     worth-salp text kind=NAME kept=0|1 what=text|json|svg measure=0|1       the report itself
 *
 * "plans" asks salp_worth, and then runs the whole map in each way that it has predicted, `times` times in turn. It prints,
 * for each plan, "WAY.WORKERS.predicted NANOSECONDS", .low and .high, and .measured, the median; "chosen.WAY.WORKERS 1" for
 * the one that is said to be best; and "sample NANOSECONDS".
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp.h>

#include "common/program.h"
#include "works.h"

static const char *const ways[] = { "inline", "threads", "processes" };

static void ok(const char *call, int error)
{
    if (error < 0)
        bench_fail("%s: %s", call, salp_strerror(error));
}

/* ---- what happens ---- */

static void run_in_line(struct bench_work *work)
{
    bench_job *volatile job = work->job;
    char *in = work->in, *out = work->out;
    for (size_t i = 0; i < work->count; i++)
        job(in + i * work->in_size, out + i * work->out_size, NULL);
}

static void run_map(salp_pool *pool, struct bench_work *work, int *errors)
{
    int error = salp_map(pool, work->job, work->in, work->in_size, work->out, work->out_size, work->count,
                         &(salp_map_options){ .errors = work->crashes ? errors : NULL });
    if (error != SALP_ECRASHED && error != -ENOMEM)
        ok("salp_map", error);
}

/* From opening the pool until it is closed; or the second map of a pool that is kept, after a pause as between two calls of a
   program that does something else. */
static int64_t run_pool(struct bench_work *work, const salp_worth_plan *plan, bool kept, int *errors)
{
    salp_pool *pool;
    salp_engine engine = plan->way == SALP_WORTH_THREADS ? SALP_THREADS : SALP_PROCESSES;
    int64_t start = bench_now();
    ok("salp_pool_open", salp_pool_open(&pool, &(salp_pool_options){ .engine = engine, .workers = plan->workers }));
    run_map(pool, work, errors);
    if (kept) {
        bench_pause(1000000);
        start = bench_now();
        run_map(pool, work, errors);
    }
    int64_t time = bench_now() - start;
    ok("salp_pool_close", salp_pool_close(pool));
    return kept ? time : bench_now() - start;
}

static int64_t run_plan(struct bench_work *work, const salp_worth_plan *plan, bool kept, int *errors)
{
    int64_t time;
    bench_work_reset(work);
    if (plan->way == SALP_WORTH_INLINE) {
        int64_t start = bench_now();
        run_in_line(work);
        time = bench_now() - start;
    } else {
        time = run_pool(work, plan, kept, errors);
    }
    bench_work_check(work);
    return time;
}

/* ---- the cases ---- */

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_number(const salp_worth_plan *plan, const char *what, int64_t value)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%d.%s", ways[plan->way], plan->workers, what);
    bench_print(name, value);
}

static salp_worth_report ask(struct bench_work *work, bool kept, bool measure)
{
    salp_worth_report report;
    ok("salp_worth", salp_worth(work->job, work->in, work->in_size, work->out, work->out_size, work->count,
                                &(salp_worth_options){ .kept = kept, .measure = measure }, &report));
    return report;
}

static void case_plans(void)
{
    enum { MOST = 15 };
    struct bench_work work = bench_work_new(bench_text("kind", "tiny"));
    bool kept = bench_number("kept", 0) != 0;
    long times = bench_number("times", 3);
    int *errors = calloc(work.count, sizeof *errors);
    static int64_t measured[SALP_WORTH_PLANS_MAX][MOST];
    if (!errors || times < 1 || times > MOST)
        bench_fail("1 to %d times, and memory", MOST);
    salp_worth_report report = ask(&work, kept, false);
    for (long k = 0; k < times; k++) {
        for (int i = 0; i < report.plan_count; i++) {
            const salp_worth_plan *plan = &report.plans[i];
            if (work.crashes && plan->way != SALP_WORTH_PROCESSES)
                continue;
            measured[i][k] = run_plan(&work, plan, kept, errors);
        }
    }
    for (int i = 0; i < report.plan_count; i++) {
        const salp_worth_plan *plan = &report.plans[i];
        qsort(measured[i], (size_t)times, sizeof *measured[i], ascending);
        if (measured[i][times / 2] == 0)
            continue; /* it would crash */
        print_number(plan, "predicted", plan->time);
        print_number(plan, "low", plan->low);
        print_number(plan, "high", plan->high);
        print_number(plan, "measured", measured[i][times / 2]);
    }
    char name[64];
    snprintf(name, sizeof name, "chosen.%s.%d", ways[report.best.way], report.best.workers);
    bench_print(name, 1);
    bench_print("sample", report.sample_time);
    free(errors);
    bench_work_free(&work);
}

static void case_text(void)
{
    struct bench_work work = bench_work_new(bench_text("kind", "tiny"));
    salp_worth_report report = ask(&work, bench_number("kept", 0) != 0, bench_number("measure", 0) != 0);
    const char *what = bench_text("what", "text");
    salp_buffer text = { 0 };
    ok("the report", strcmp(what, "svg") == 0    ? salp_worth_svg(&report, &text)
                     : strcmp(what, "json") == 0 ? salp_worth_json(&report, &text)
                                                 : salp_worth_text(&report, &text));
    fwrite(text.data, 1, text.size, stdout);
    salp_buffer_free(&text);
    bench_work_free(&work);
}

int main(int argc, char **argv)
{
    static const char *const known[] = { "kind", "kept", "times", "what", "measure", NULL };
    static const struct bench_case cases[] = {
        { "plans", case_plans },
        { "text", case_text },
        { "about", bench_case_about },
        { NULL, NULL },
    };
    return bench_main(argc, argv, cases, known);
}
