/*
 * What salp_worth does, in its order:
 *
 *   costs    what pools cost here                   costs.c
 *   sample   what the items take, and beside others  sample.c, sheet.c, figures.c
 *   model    what the plans would take               model.c
 *   measure  what they do take, if asked             here
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <salp/machine.h>
#include <salp/worth.h>

#include "insight/costs.h"
#include "insight/model.h"
#include "insight/sample.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/memory.h"
#include "task/scope.h"
#include "task/wait.h"

static const int64_t usual_budget = SALP_MILLISECONDS(50);
static const int64_t usual_patience = SALP_SECONDS(10);

/* ---- arguments ---- */

static bool fits(const void *data, size_t size, size_t count)
{
    size_t bytes;
    return (data == NULL) == (size == 0) && !__builtin_mul_overflow(size, count, &bytes) && bytes <= PTRDIFF_MAX / 4;
}

static int check(salp_job *job, const void *in, size_t in_size, const void *out, size_t out_size, size_t count,
                 const salp_worth_options *options, const salp_worth_report *report)
{
    if (!job || !report || count == 0 || !fits(in, in_size, count) || !fits(out, out_size, count))
        return -EINVAL;
    if (options->context_size > 0 && (!options->context || options->context_size > PTRDIFF_MAX / 4))
        return -EINVAL;
    if (options->workers_max < 0 || options->workers_max > SALP_WORKERS_MAX || options->budget < 0 ||
        options->patience < 0)
        return -EINVAL;
    return 0;
}

/* ---- the machine ---- */

/* Threads that want a processor now, without this one. "0.20 0.18 0.12 3/345 5678": the number before the slash. */
static int others_now(void)
{
    char text[128];
    if (salp__file_text("/proc/loadavg", text, sizeof text) <= 0)
        return 0;
    char *slash = strchr(text, '/');
    if (!slash)
        return 0;
    char *number = slash;
    while (number > text && number[-1] >= '0' && number[-1] <= '9')
        number--;
    int running = atoi(number);
    return running > 1 ? running - 1 : 0;
}

static int look_at_machine(salp_worth_report *report)
{
    const salp_machine *machine = salp_machine_get();
    salp_usable usable;
    if (!machine)
        return -ENOMEM;
    int error = salp_machine_usable(&usable);
    if (error < 0)
        return error;
    report->processors = usable.workers;
    report->capacity = usable.capacity;
    report->data = (int64_t)(report->count * (report->in_size + report->out_size));
    report->cache_level = machine->levels[0].size > 0 ? 0 : -1;
    for (int i = SALP_CACHE_LEVELS - 1; i >= 0; i--) {
        report->caches[i] = machine->levels[i].size;
        if (report->caches[i] >= report->data && report->caches[i] > 0)
            report->cache_level = i + 1;
    }
    return 0;
}

/* ---- measuring plans ---- */

typedef struct map {
    salp_job *job;
    const void *in;
    size_t in_size;
    void *out;
    size_t out_size, count;
    salp_map_options options;
} map;

static int run_in_line(const map *m)
{
    uintptr_t in = (uintptr_t)m->in, out = (uintptr_t)m->out;
    void *context = m->options.context;
    if (m->options.context_size > 0) {
        context = salp__allocate_raw(m->options.context_size);
        if (!context)
            return -ENOMEM;
        memcpy(context, m->options.context, m->options.context_size);
    }
    for (size_t i = 0; i < m->count; i++) {
        (void)m->job((const void *)in, (void *)out, context); /* an item that fails is none of the measurement's */
        in += m->in_size;
        out += m->out_size;
    }
    if (m->options.context_size > 0)
        salp__free(context);
    return 0;
}

/* What a map in a pool takes; of one that is kept the second, without opening and closing. An item that fails costs what it
   costs: only what is wrong with the pool, or a scope that is over, is an error. */
static int run_pool(const map *m, const salp_worth_plan *plan, bool kept, int64_t *time)
{
    salp_pool *pool;
    salp_pool_options options = { .engine = plan->way == SALP_WORTH_THREADS ? SALP_THREADS : SALP_PROCESSES,
                                  .workers = plan->workers };
    int64_t start = salp__now(), end = start;
    int error = salp_pool_open(&pool, &options);
    if (error < 0)
        return error;
    for (int i = 0; i <= kept && error == 0; i++) {
        if (kept)
            start = salp__now();
        (void)salp_map(pool, m->job, m->in, m->in_size, m->out, m->out_size, m->count, &m->options);
        end = salp__now();
        error = salp_pool_reason(pool)[0] != '\0' ? SALP_EBROKEN : salp__wait_refused();
    }
    salp_pool_close(pool);
    *time = (kept ? end : salp__now()) - start;
    return error;
}

static int measure_plan(const map *m, salp_worth_plan *plan, bool kept)
{
    int64_t start = salp__now(), time = 0;
    int error = plan->way == SALP_WORTH_INLINE ? run_in_line(m) : run_pool(m, plan, kept, &time);
    if (plan->way == SALP_WORTH_INLINE)
        time = salp__now() - start;
    if (error == 0)
        plan->measured = time > 0 ? time : 1;
    return error;
}

static int measure_plans(map *m, salp_worth_report *report)
{
    int *errors = salp__allocate(report->count * sizeof *errors); /* so that every item is run */
    if (!errors)
        return -ENOMEM;
    m->options.errors = errors;
    int error = 0;
    for (int i = 0; i < report->plan_count && error == 0; i++) {
        salp_worth_plan *plan = &report->plans[i];
        if (!plan->unsafe)
            error = measure_plan(m, plan, report->kept);
        if (plan->way == report->best.way && plan->workers == report->best.workers)
            report->best = *plan;
    }
    salp__free(errors);
    return error;
}

/* ---- the call ---- */

static void set_found(salp_worth_report *report, const salp__found *found)
{
    report->sampled = found->sampled;
    report->failed = found->failed;
    report->crashes = found->crashes;
    report->crash_index = found->crash_index;
    report->crash_signal = found->crash_signal;
    report->crash_beside = found->crash_beside;
    report->overdue = found->overdue;
}

static int find_worth(const salp__work *work, bool kept, salp_worth_report *report)
{
    salp__found found;
    int64_t start = salp__now();
    int others = others_now();
    *report =
        (salp_worth_report){ .count = work->count, .in_size = work->in_size, .out_size = work->out_size, .kept = kept };
    int error = look_at_machine(report);
    if (error == 0)
        error = salp__costs(report->processors, &report->threads, &report->processes);
    if (error < 0)
        return error;
    others += others_now();
    salp__work sampled = *work;
    sampled.processors = report->processors;
    error = salp__sample(&sampled, &found);
    if (error < 0)
        return error;
    others += others_now();
    report->others = others / 3.0;
    report->sample_time = salp__now() - start;
    set_found(report, &found);
    salp__model(report, &found.alone, &found.threads, &found.processes, work->workers_max);
    return 0;
}

int salp_worth(salp_job *job, const void *in, size_t in_size, void *out, size_t out_size, size_t count,
               const salp_worth_options *options, salp_worth_report *report)
{
    static const salp_worth_options defaults;
    if (!options)
        options = &defaults;
    int error = check(job, in, in_size, out, out_size, count, options, report);
    if (error == 0 && salp__cannot_wait())
        error = SALP_EINSIDE;
    if (error == 0)
        error = salp__wait_refused();
    if (error < 0)
        return error;
    salp__work work = {
        .job = job,
        .in = in,
        .in_size = in_size,
        .out_size = out_size,
        .count = count,
        .context = options->context,
        .context_size = options->context_size,
        .workers_max = options->workers_max,
        .budget = options->budget > 0 ? options->budget : usual_budget,
        .patience = options->patience > 0 ? options->patience : usual_patience,
    };
    salp_worth_report *found = salp__allocate(sizeof *found); /* large for a task's stack */
    if (!found)
        return -ENOMEM;
    error = find_worth(&work, options->kept, found);
    if (error == 0 && options->measure) {
        map m = { job,
                  in,
                  in_size,
                  out,
                  out_size,
                  count,
                  { .context = options->context, .context_size = options->context_size } };
        error = measure_plans(&m, found);
    }
    if (error == 0)
        *report = *found;
    salp__free(found);
    return error;
}
