/*
 * From numbers to plans.
 *
 * The time of a map of n items on k workers is the sum of three terms:
 *
 *   opening   open + k * worker           the pool itself; nothing when it is kept
 *             + call                      until its workers are awake, and until the caller is afterwards
 *   working   n * item * stretch / k      side by side; but never less than
 *                                           the longest item,
 *                                           n * item * busy / capacity      (a quota, or more workers than processors)
 *                                         and, of few items, the last round counts as a whole one
 *   handing   n * claim / k               on processes also n * (bytes * copying)
 *
 * `stretch` is what the sample has measured: how many times as long an item takes beside k - 1 others. One number holds
 * memory that is too slow for all, a cache that they push each other out of, locks of malloc, hardware threads that share
 * a core, and other programs. Between the numbers of workers that were measured it is taken from a straight line.
 *
 * On threads the caller works, too, from the beginning: while the others wake up, its own work goes on. So `call` costs
 * only what the others would have done meanwhile, and a map that is over before they are awake costs next to nothing.
 *
 * Which plan is best: the shortest time; but a simpler plan that takes at most a twentieth more is preferred, where a loop
 * is simpler than threads, threads than processes, and fewer workers than more. What has crashed is no choice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "insight/model.h"

#include "insight/words.h"
#include "pool/pace.h"

static const double as_good = 1.05;     /* a simpler plan may take so many times as long */
static const double model_error = 0.08; /* of what was measured, not computed: how far predictions are off at best */
static const double fixed_error = 0.3;  /* of the costs of waking and opening, which depend on what sleeps how deeply */

static const double crowded_already = 1.1;
static const double few_error = 0.25; /* of the mean of one item or two */

enum { WAITING_MOST = 64, EACH = 16 };

/* ---- stretch ---- */

void salp__stretches_add(salp__stretches *stretches, int workers, double times)
{
    if (stretches->count == SALP__STRETCHES || workers < 2)
        return;
    int at = stretches->count++;
    for (; at > 0 && stretches->workers[at - 1] > workers; at--) {
        stretches->workers[at] = stretches->workers[at - 1];
        stretches->times[at] = stretches->times[at - 1];
    }
    stretches->workers[at] = workers;
    stretches->times[at] = times;
}

/* *known: there is a measurement at so many workers or more. Beyond the last one nothing is known: those who were in each
   other's way there gain nothing by being more, the others go on as they did. */
static double stretch_at(const salp__stretches *stretches, int workers, bool *known)
{
    int before = 1;
    double times = 1;
    *known = true;
    for (int i = 0; i < stretches->count; i++) {
        int next = stretches->workers[i];
        if (workers <= next) {
            double part = (double)(workers - before) / (double)(next - before);
            return times + part * (stretches->times[i] - times);
        }
        before = next;
        times = stretches->times[i];
    }
    *known = workers == 1;
    return times > crowded_already ? times * workers / before : times;
}

/* ---- one plan ---- */

typedef struct model {
    const salp_worth_report *report;
    const salp__figures *alone;
    const salp__stretches *threads, *processes;
} model;

static double most(double a, double b)
{
    return a > b ? a : b;
}

static double fixed(const model *m, const salp_worth_costs *costs, int workers)
{
    return m->report->kept ? 0 : costs->open + costs->open_worker * workers;
}

static double call_of(const salp_worth_costs *costs, int workers)
{
    return workers < 2 ? costs->call : costs->call + costs->call_worker * (workers - 2);
}

static double bytes_of(const model *m, const salp_worth_costs *costs)
{
    double first = m->report->kept ? 0 : costs->first_byte;
    return (double)m->report->in_size * (costs->in_byte + (costs->in_byte > 0 ? first : 0)) +
           (double)m->report->out_size * (costs->out_byte + (costs->out_byte > 0 ? first : 0));
}

/* How long `workers` are at work with all items. `*uncertain`: how much of it depends on who gets the last ones. */
static double working(const model *m, double stretch, int workers, double *uncertain)
{
    double count = (double)m->report->count, item = stretch * m->alone->mean, longest = stretch * m->alone->longest;
    double even = count * item / workers;
    *uncertain = 0;
    if (m->report->skewed) {
        /* Between a perfect end and one where the longest item comes last. */
        double least = most(even, longest), end = even + longest * (workers - 1) / workers;
        *uncertain = (end - least) / 2;
        even = (least + end) / 2;
    } else if (m->report->count < (size_t)workers * 1000) {
        size_t rounds = (m->report->count + (size_t)workers - 1) / (size_t)workers;
        double claim = item < SALP__PACE_TARGET ? SALP__PACE_TARGET / 8 : item; /* what is left over is shared out */
        double whole = (double)rounds * item;
        even = whole < even + claim ? whole : even + claim;
    }
    return most(even, count * m->alone->mean * m->alone->busy / m->report->capacity);
}

/* Nanoseconds, of ever so many items: four of them can be added up. */
static int64_t bounded(double time)
{
    const int64_t bound = INT64_MAX / 4;
    return time < (double)bound ? (int64_t)time : bound;
}

static void set_time(salp_worth_plan *plan, double opening, double work, double handing, double off)
{
    plan->opening = bounded(opening);
    plan->working = bounded(work);
    plan->handing = bounded(handing);
    plan->time = plan->opening + plan->working + plan->handing;
    plan->low = plan->time > bounded(off) ? plan->time - bounded(off) : 0;
    plan->high = plan->time + bounded(off);
}

/* How far the mean of the sample may be off, as a part of it. */
static double sample_error(const model *m)
{
    double error = m->alone->groups < 3 || m->alone->mean <= 0 ? few_error : 2 * m->alone->error / m->alone->mean;
    return error + model_error;
}

static salp_worth_plan in_line(const model *m)
{
    salp_worth_plan plan = { .way = SALP_WORTH_INLINE, .workers = 1, .stretch = 1, .stretched = true };
    double work = (double)m->report->count * m->alone->mean;
    set_time(&plan, 0, work, 0, work * sample_error(m));
    plan.unsafe = m->report->crashes > 0 && !m->report->crash_beside;
    return plan;
}

static salp_worth_plan on_threads(const model *m, int workers)
{
    const salp_worth_costs *costs = &m->report->threads;
    salp_worth_plan plan = { .way = SALP_WORTH_THREADS, .workers = workers };
    double uncertain, open = fixed(m, costs, workers);
    plan.stretch = stretch_at(m->threads, workers, &plan.stretched);
    double work = working(m, plan.stretch, workers, &uncertain);
    double handing = (double)m->report->count * costs->item / workers;
    /* While the others wake up the caller does what they would have done. */
    double alone = (double)m->report->count * m->alone->mean;
    double lag = call_of(costs, workers) * (workers - 1) / workers;
    if (work + lag > alone)
        lag = most(alone - work, 0);
    double off = work * sample_error(m) + uncertain + (open + lag) * fixed_error;
    set_time(&plan, open + lag, work, handing, off);
    plan.unsafe = m->report->crashes > 0;
    return plan;
}

static salp_worth_plan on_processes(const model *m, int workers)
{
    const salp_worth_costs *costs = &m->report->processes;
    salp_worth_plan plan = { .way = SALP_WORTH_PROCESSES, .workers = workers };
    double uncertain, open = fixed(m, costs, workers) + call_of(costs, workers);
    plan.stretch = stretch_at(m->processes, workers, &plan.stretched);
    if (m->processes->count == 0) {
        /* What threads share, save for locks within a program, processes share as well. */
        plan.stretch = stretch_at(m->threads, workers, &plan.stretched);
        plan.stretched = workers == 1;
    }
    double work = working(m, plan.stretch, workers, &uncertain);
    double handing = (double)m->report->count * (costs->item / workers + bytes_of(m, costs));
    double off = work * sample_error(m) + uncertain + (open + handing) * fixed_error;
    set_time(&plan, open, work, handing, off);
    return plan;
}

/* ---- break-even ---- */

/* From so many items on what is gained with each pays for what the pool costs. */
static size_t break_even(const model *m, salp_worth_way way, int workers)
{
    bool known;
    const salp_worth_costs *costs = way == SALP_WORTH_THREADS ? &m->report->threads : &m->report->processes;
    double stretch =
        stretch_at(way == SALP_WORTH_THREADS || m->processes->count == 0 ? m->threads : m->processes, workers, &known);
    double item = most(m->alone->mean * stretch / workers, m->alone->mean * m->alone->busy / m->report->capacity);
    double gain = m->alone->mean - item - costs->item / workers - bytes_of(m, costs);
    double cost = fixed(m, costs, workers) + call_of(costs, workers);
    if (gain <= 0 || cost / gain > 1e18)
        return SIZE_MAX;
    size_t count = (size_t)(cost / gain) + 1;
    return count < 2 ? 2 : count;
}

static size_t least_break_even(const model *m, salp_worth_way way)
{
    size_t least = SIZE_MAX;
    for (int i = 0; i < m->report->plan_count; i++) {
        const salp_worth_plan *plan = &m->report->plans[i];
        if (plan->way != way || plan->workers < 2 || plan->unsafe)
            continue;
        size_t count = break_even(m, way, plan->workers);
        least = count < least ? count : least;
    }
    return least;
}

/* ---- the best ---- */

static const salp_worth_plan *choose(const salp_worth_report *report)
{
    const salp_worth_plan *shortest = NULL;
    for (int i = 0; i < report->plan_count; i++) {
        const salp_worth_plan *plan = &report->plans[i];
        if (!plan->unsafe && (!shortest || plan->time < shortest->time))
            shortest = plan;
    }
    for (int i = 0; i < report->plan_count; i++) {
        const salp_worth_plan *plan = &report->plans[i];
        if (!plan->unsafe && (double)plan->time <= as_good * (double)shortest->time)
            return plan;
    }
    return shortest;
}

int salp__model_ladder(int processors, size_t count, bool waits, int workers_max, int counts[], int room)
{
    int top = waits && processors < WAITING_MOST ? WAITING_MOST : processors, n = 0;
    if (workers_max > 0 && workers_max < top)
        top = workers_max;
    if (count < (size_t)top)
        top = (int)count;
    /* Steps of one, then of a quarter; the number of processors and the last one in any case. */
    for (int k = 2; k <= top && n < room;) {
        counts[n++] = k;
        int next = k < EACH ? k + 1 : k + k / 4;
        if (k >= processors)
            next = k + (k + 1) / 2;
        if (k < processors && next > processors)
            next = processors;
        if (k < top && next > top)
            next = top;
        k = next;
    }
    return n;
}

static void add(salp_worth_report *report, salp_worth_plan plan)
{
    if (report->plan_count < SALP_WORTH_PLANS_MAX)
        report->plans[report->plan_count++] = plan;
}

static void make_plans(salp_worth_report *report, const model *m, int workers_max)
{
    enum { ROOM = SALP_WORTH_PLANS_MAX / 2 - 1 };
    int ladder[ROOM];
    int steps = salp__model_ladder(report->processors, report->count, report->waits, workers_max, ladder, ROOM);
    report->plan_count = 0;
    add(report, in_line(m));
    for (int i = 0; i < steps; i++)
        add(report, on_threads(m, ladder[i]));
    /* One process is a plan, too: it keeps crashes away. */
    add(report, on_processes(m, 1));
    for (int i = 0; i < steps; i++)
        add(report, on_processes(m, ladder[i]));
}

/* ---- the whole ---- */

static double last_stretch(const salp__stretches *stretches, int processors)
{
    double times = 1;
    for (int i = 0; i < stretches->count && stretches->workers[i] <= processors; i++)
        times = stretches->times[i];
    return times;
}

static void judge(salp_worth_report *report, const salp__figures *alone, const salp__stretches *threads,
                  const salp__stretches *processes)
{
    double beside_threads = last_stretch(threads, report->processors);
    double beside_processes = last_stretch(processes, report->processors);
    report->waits = alone->groups > 0 && alone->busy < SALP__WAITS;
    report->skewed = salp__figures_skewed(alone);
    report->crowded = beside_threads > SALP__CROWDED || beside_processes > SALP__CROWDED;
    report->contended =
        processes->count > 0 && beside_threads > SALP__CROWDED && beside_threads > 1.2 * beside_processes;
}

static void set_item(salp_worth_report *report, const salp__figures *alone)
{
    double off = alone->groups < 3 ? few_error * alone->mean : 2 * alone->error;
    report->item_time = alone->mean;
    report->item_low = most(alone->mean - off, 0);
    report->item_high = alone->mean + off;
    report->median = alone->quantile[4];
    report->most = alone->most;
    report->longest = alone->longest;
    report->cold = alone->cold;
    report->busy = alone->busy;
    report->claim = salp__pace_claim((int64_t)alone->mean, report->count);
}

void salp__model(salp_worth_report *report, const salp__figures *alone, const salp__stretches *threads,
                 const salp__stretches *processes, int workers_max)
{
    model m = { .report = report, .alone = alone, .threads = threads, .processes = processes };
    set_item(report, alone);
    judge(report, alone, threads, processes);
    make_plans(report, &m, workers_max);
    report->best = *choose(report);
    report->chunk = 0;
    report->break_even_threads = least_break_even(&m, SALP_WORTH_THREADS);
    report->break_even_processes = least_break_even(&m, SALP_WORTH_PROCESSES);
    salp__reason(report);
}
