/* Numbers in words, and the reason for a choice. SPDX-License-Identifier: MIT */
#include "insight/words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "insight/model.h"

/* ---- numbers ---- */

typedef struct unit {
    const char *name;
    double size;
} unit;

/* About three digits. */
static const char *in_units(char text[SALP__WORD], double value, const unit units[])
{
    while (units->size > 1 && value < units->size)
        units++;
    double number = value / units->size;
    snprintf(text, SALP__WORD, number >= 100 ? "%.0f %s" : number >= 10 ? "%.1f %s" : "%.2f %s", number, units->name);
    return text;
}

const char *salp__word_time(char text[SALP__WORD], double nanoseconds)
{
    static const unit units[] = { { "s", 1e9 }, { "ms", 1e6 }, { "µs", 1e3 }, { "ns", 1 } };
    return in_units(text, nanoseconds, units);
}

const char *salp__word_size(char text[SALP__WORD], double bytes)
{
    static const unit units[] = {
        { "TiB", 0x1p40 }, { "GiB", 0x1p30 }, { "MiB", 0x1p20 }, { "KiB", 0x1p10 }, { "", 1 }
    };
    if (bytes >= 0x1p10)
        return in_units(text, bytes, units);
    snprintf(text, SALP__WORD, "%.0f bytes", bytes);
    return text;
}

const char *salp__word_times(char text[SALP__WORD], double ratio)
{
    snprintf(text, SALP__WORD, ratio >= 10 ? "%.0f" : ratio >= 1.995 ? "%.1f" : "%.2f", ratio);
    return text;
}

const char *salp__word_plan(char text[SALP__WORD], const salp_worth_plan *plan)
{
    if (plan->way == SALP_WORTH_INLINE)
        snprintf(text, SALP__WORD, "a loop without a pool");
    else if (plan->way == SALP_WORTH_THREADS)
        snprintf(text, SALP__WORD, "%d thread%s", plan->workers, plan->workers == 1 ? "" : "s");
    else
        snprintf(text, SALP__WORD, "%d process%s", plan->workers, plan->workers == 1 ? "" : "es");
    return text;
}

void salp__print(salp_buffer *buffer, int *error, const char *format, ...)
{
    if (*error < 0)
        return;
    va_list rest, again;
    va_start(rest, format);
    va_copy(again, rest);
    int length = vsnprintf(NULL, 0, format, rest);
    va_end(rest);
    *error = length < 0 ? -EINVAL : salp_buffer_reserve(buffer, (size_t)length + 1);
    if (*error == 0) {
        vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
}

/* ---- why ---- */

typedef struct sentence {
    char *text;
    size_t size, length;
} sentence;

static void __attribute__((format(printf, 2, 3))) say(sentence *s, const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    int length = vsnprintf(s->text + s->length, s->size - s->length, format, rest);
    va_end(rest);
    if (length > 0)
        s->length = s->length + (size_t)length < s->size ? s->length + (size_t)length : s->size - 1;
}

static const salp_worth_plan *plan_of(const salp_worth_report *report, salp_worth_way way, int workers)
{
    for (int i = 0; i < report->plan_count; i++) {
        if (report->plans[i].way == way && report->plans[i].workers == workers)
            return &report->plans[i];
    }
    return NULL;
}

static void say_choice(sentence *s, const salp_worth_report *report)
{
    char plan[SALP__WORD], took[SALP__WORD], loop[SALP__WORD], item[SALP__WORD];
    const salp_worth_plan *best = &report->best;
    salp__word_time(item, report->item_time);
    if (best->way == SALP_WORTH_INLINE) {
        say(s, "A loop without a pool, %s: an item takes %s, ", salp__word_time(took, (double)best->time), item);
        if (report->crowded)
            say(s, "and items hold each other up.");
        else if (report->processors < 2)
            say(s, "and there is one processor to use.");
        else if (report->break_even_threads == SIZE_MAX)
            say(s, "which is less than it costs to hand it to others.");
        else
            say(s, "so that %zu of them are over before a pool would be worth it; %zu would be enough for that.",
                report->count, report->break_even_threads);
        return;
    }
    say(s, "%s, %s", salp__word_plan(plan, best), salp__word_time(took, (double)best->time));
    const salp_worth_plan *line = plan_of(report, SALP_WORTH_INLINE, 1);
    if (line && !line->unsafe)
        say(s, " instead of %s in line", salp__word_time(loop, (double)line->time));
    say(s, ": an item takes %s.", item);
}

static void say_limit(sentence *s, const salp_worth_report *report)
{
    char times[SALP__WORD];
    const salp_worth_plan *best = &report->best;
    if (report->crash_beside) {
        say(s, " The job crashed when several threads ran it: it is not made for threads.");
    } else if (report->crashes > 0) {
        say(s, " The job crashes (%d of %zu items): in a process that costs one item and not the program.",
            report->crashes, report->sampled);
    } else if (report->waits) {
        say(s, " It waits for %.0f %% of that, so that more workers than processors are worth it.",
            100 * (1 - report->busy));
    } else if (report->contended) {
        say(s, " On threads items hold each other up (malloc, a lock, a cache line), which in processes they do not.");
    } else if (best->stretch > SALP__CROWDED && best->way != SALP_WORTH_INLINE) {
        say(s, " Beside others it takes %s times as long: memory or a cache is the limit.",
            salp__word_times(times, best->stretch));
    }
    if (report->skewed && report->best.way != SALP_WORTH_INLINE)
        say(s, " A few items take much of the time; they are shared out while it runs.");
}

static void say_doubts(sentence *s, const salp_worth_report *report)
{
    if (report->overdue)
        say(s, " An item did not end in time: all times are at least so long. A pool of processes can have an "
               ".item_timeout.");
    if (report->failed > 0)
        say(s, " %zu of %zu items failed.", report->failed, report->sampled);
    if (report->others > 0.5)
        say(s, " Other threads wanted %.1f processors meanwhile, so this holds for a machine as busy as that.",
            report->others);
    if (report->capacity + 0.05 < report->processors)
        say(s, " A quota allows %.1f processors.", report->capacity);
}

void salp__reason(salp_worth_report *report)
{
    sentence s = { .text = report->reason, .size = sizeof report->reason };
    report->reason[0] = '\0';
    say_choice(&s, report);
    say_limit(&s, report);
    say_doubts(&s, report);
}
