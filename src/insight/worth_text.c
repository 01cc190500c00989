/* The report of salp_worth as text. SPDX-License-Identifier: MIT */
#include <errno.h>

#include <salp/worth.h>

#include "insight/words.h"

typedef struct page {
    salp_buffer *buffer;
    int error;
} page;

#define PRINT(p, ...) salp__print((p)->buffer, &(p)->error, __VA_ARGS__)

static void print_items(page *p, const salp_worth_report *report)
{
    char a[SALP__WORD], b[SALP__WORD], c[SALP__WORD];
    PRINT(p, "items      %zu, of which %zu were run", report->count, report->sampled);
    PRINT(p, " (in %s)\n", salp__word_time(a, (double)report->sample_time));
    PRINT(p, "one        %s (%s to %s), of it %.0f %% on a processor\n", salp__word_time(a, report->item_time),
          salp__word_time(b, report->item_low), salp__word_time(c, report->item_high), 100 * report->busy);
    PRINT(p, "           half of them under %s, 95 %% under %s, the longest %s\n", salp__word_time(a, report->median),
          salp__word_time(b, report->most), salp__word_time(c, report->longest));
    if (report->crashes > 0)
        PRINT(p, "crashes    %d, the first at item %zu (signal %d)\n", report->crashes, report->crash_index,
              report->crash_signal);
    PRINT(p, "data       %s", salp__word_size(a, (double)report->data));
    if (report->cache_level > 0)
        PRINT(p, ", fits the L%d cache (%s)", report->cache_level,
              salp__word_size(b, (double)report->caches[report->cache_level - 1]));
    else if (report->cache_level == 0)
        PRINT(p, ", more than any cache");
    PRINT(p, "\nmachine    %.1f processors to use", report->capacity);
    if (report->others >= 0.05)
        PRINT(p, ", while others wanted %.1f", report->others);
    PRINT(p, "\n");
}

static void print_plan(page *p, const salp_worth_report *report, const salp_worth_plan *plan)
{
    static const char *const ways[] = { "in line", "threads", "processes" };
    char a[SALP__WORD], b[SALP__WORD], c[SALP__WORD];
    bool best = plan->way == report->best.way && plan->workers == report->best.workers;
    PRINT(p, "%c %-10s %4d  %9s  %9s to %-9s", best ? '*' : ' ', ways[plan->way], plan->workers,
          salp__word_time(a, (double)plan->time), salp__word_time(b, (double)plan->low),
          salp__word_time(c, (double)plan->high));
    PRINT(p, "  %9s  %9s  %9s  %4.2f%s", salp__word_time(a, (double)plan->opening),
          salp__word_time(b, (double)plan->working), salp__word_time(c, (double)plan->handing), plan->stretch,
          plan->stretched ? " " : "?");
    if (plan->measured > 0)
        PRINT(p, "  measured %s", salp__word_time(a, (double)plan->measured));
    PRINT(p, "%s\n", plan->unsafe ? "  crashes" : "");
}

static void print_break_even(page *p, const char *what, size_t count)
{
    if (count == SIZE_MAX)
        PRINT(p, "%s never", what);
    else
        PRINT(p, "%s from %zu items on", what, count);
}

int salp_worth_text(const salp_worth_report *report, salp_buffer *buffer)
{
    if (!report || !buffer)
        return -EINVAL;
    page p = { .buffer = buffer };
    print_items(&p, report);
    PRINT(&p, "\n  %-10s %4s  %9s  %-22s  %9s  %9s  %9s  %s\n", "way", "k", "time", "    probably between", "opening",
          "working", "handing", "stretch");
    for (int i = 0; i < report->plan_count; i++)
        print_plan(&p, report, &report->plans[i]);
    PRINT(&p, "\nworth it   ");
    print_break_even(&p, "on threads", report->break_even_threads);
    print_break_even(&p, ", on processes", report->break_even_processes);
    PRINT(&p, "\nbest       %s\n", report->reason);
    return p.error;
}
