/*
 * What is said of all jobs when the last one has ended:
 *
 *     salp map: 997 done, 3 failed; 12.4 s, 80.6 jobs a second
 *       processors  23.9 s of their time (23.1 s user, 0.8 s system), so 1.93 were busy on average, with 2 slots
 *       memory      12.3 MiB at most: job 4: convert x.jpg
 *       failed      exit status 3: job 17: convert a.jpg
 *                   SIGSEGV: job 23: convert b.jpg
 *       slowest     1.21 s: job 4: convert x.jpg
 *                   ...
 *
 * More failures than FAILURES are told by their causes, the most frequent first, each with its first job. What is held does
 * not grow with the number of jobs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/summary.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <salp/time.h>

#include "job/visible.h"
#include "map/progress.h"
#include "map/watchers.h"

enum {
    FAILURES = 10, /* so many are told one by one */
    CAUSES = 400, /* kinds that are told apart: all exit statuses, signals and states, and more errors than there are */
    SLOWEST = 5,
    LINE_SIZE = 320,  /* bytes of a command that are kept */
    TEXT_SIZE = 1024, /* bytes of a line of the summary */
    LABEL = 14,       /* columns before the text of each line */
};

/* A job that is told by its line. */
struct mention {
    uint64_t number; /* 0: none */
    int64_t wall, memory;
    char cause[100];
    char line[LINE_SIZE];
};

/* Failures that have the same reason. */
struct cause {
    enum job_state state;
    int exit_status, signal, error;
    uint64_t count;
    struct mention first;
};

struct summary {
    struct job_watcher watcher;
    struct map_summary_options options;
    int64_t begun;

    uint64_t done, failed, halted, skipped, left_out, again; /* jobs; `again`: attempts that were not the last one */
    uint64_t total;
    bool total_known;
    int64_t user, system; /* nanoseconds, of all attempts */

    struct mention failures[FAILURES]; /* the first ones */
    struct cause causes[CAUSES];
    int cause_count;
    uint64_t other_causes;           /* failures that had no place in there */
    struct mention slowest[SLOWEST]; /* the slowest first */
    int slowest_count;
    struct mention largest; /* of all attempts */
};

static struct summary *of(struct job_watcher *watcher)
{
    return (struct summary *)watcher;
}

/* ---- while jobs run ---- */

static void mention(struct mention *mention, const struct job *job)
{
    mention->number = job->number;
    mention->wall = job->wall;
    mention->memory = job->peak_memory;
    job_describe(job, mention->cause, sizeof mention->cause);
    snprintf(mention->line, sizeof mention->line, "%.*s", LINE_SIZE, job->line ? job->line : "");
}

static bool has_cause(const struct cause *cause, const struct job *job)
{
    if (cause->state != job->state)
        return false;
    switch (job->state) {
    case JOB_FAILED:
        return cause->exit_status == job->exit_status;
    case JOB_KILLED:
        return cause->signal == job->signal;
    case JOB_UNSTARTED:
        return cause->error == job->error;
    default:
        return true;
    }
}

static void count_failure(struct summary *s, const struct job *job)
{
    if (s->failed < FAILURES)
        mention(&s->failures[s->failed], job);
    s->failed++;
    int i = 0;
    while (i < s->cause_count && !has_cause(&s->causes[i], job))
        i++;
    if (i == CAUSES) {
        s->other_causes++;
        return;
    }
    struct cause *cause = &s->causes[i];
    if (i == s->cause_count) {
        s->cause_count++;
        cause->state = job->state;
        cause->exit_status = job->exit_status;
        cause->signal = job->signal;
        cause->error = job->error;
        mention(&cause->first, job);
    }
    cause->count++;
}

static void rank_by_time(struct summary *s, const struct job *job)
{
    if (s->slowest_count == SLOWEST && job->wall <= s->slowest[SLOWEST - 1].wall)
        return;
    int i = s->slowest_count < SLOWEST ? s->slowest_count++ : SLOWEST - 1;
    for (; i > 0 && s->slowest[i - 1].wall < job->wall; i--)
        s->slowest[i] = s->slowest[i - 1];
    mention(&s->slowest[i], job);
}

static int on_end(struct job_watcher *watcher, const struct job *job, bool final)
{
    struct summary *s = of(watcher);
    if (job->state == JOB_SKIPPED) {
        s->left_out += job->left_out;
        s->skipped += !job->left_out;
        return 0;
    }
    s->user += job->user;
    s->system += job->system;
    if (job->peak_memory > s->largest.memory)
        mention(&s->largest, job);
    if (!final) {
        s->again++;
        return 0;
    }
    rank_by_time(s, job);
    if (job_succeeded(job))
        s->done++;
    else if (job->state == JOB_HALTED)
        s->halted++;
    else
        count_failure(s, job);
    return 0;
}

static void on_total(struct job_watcher *watcher, uint64_t jobs)
{
    struct summary *s = of(watcher);
    s->total = jobs;
    s->total_known = true;
}

/* ---- at the end ---- */

/* A line of it: at its label, or below it. */
__attribute__((format(printf, 3, 4))) static void say(const struct summary *s, const char *label, const char *format,
                                                      ...)
{
    char text[TEXT_SIZE], shown[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    job_visible(shown, sizeof shown, text, s->options.columns - LABEL, s->options.letters);
    fprintf(s->options.file, "  %-*s%s\n", LABEL - 2, label, shown);
}

static const char *duration(int64_t time, char text[32])
{
    double seconds = (double)time / 1e9;
    if (seconds < 0.9995)
        snprintf(text, 32, "%.3g ms", seconds * 1e3);
    else if (seconds < 99.95)
        snprintf(text, 32, "%.3g s", seconds);
    else
        map_progress_time(time, text, 32);
    return text;
}

static void say_counts(const struct summary *s, int64_t elapsed)
{
    FILE *file = s->options.file;
    uint64_t ended = s->done + s->failed + s->halted;
    char time[32];
    fprintf(file, "salp map: %" PRIu64 " done", s->done);
    if (s->failed > 0)
        fprintf(file, ", %" PRIu64 " failed", s->failed);
    if (s->halted > 0)
        fprintf(file, ", %" PRIu64 " halted", s->halted);
    if (s->skipped > 0)
        fprintf(file, ", %" PRIu64 " done before", s->skipped);
    if (s->left_out > 0)
        fprintf(file, ", %" PRIu64 " left out", s->left_out);
    uint64_t seen = ended + s->skipped + s->left_out;
    if (s->total_known && s->total > seen)
        fprintf(file, ", %" PRIu64 " not run", s->total - seen);
    if (s->again > 0)
        fprintf(file, ", %" PRIu64 " tried again", s->again);
    fprintf(file, "; %s", duration(elapsed, time));
    double rate = elapsed > 0 ? (double)ended / (double)elapsed * 1e9 : 0;
    if (ended > 1 && rate > 0)
        fprintf(file, ", %.*f jobs a second", rate < 1 ? 3 : rate < 100 ? 1 : 0, rate);
    fputc('\n', file);
}

static void say_use(const struct summary *s, int64_t elapsed)
{
    char all[32], user[32], system[32], with[40] = "";
    if (s->user + s->system > 0 && elapsed > 0) {
        if (s->options.slots > 0)
            snprintf(with, sizeof with, ", with %d slot%s", s->options.slots, s->options.slots == 1 ? "" : "s");
        say(s, "processors", "%s of their time (%s user, %s system), so %.2f were busy on average%s",
            duration(s->user + s->system, all), duration(s->user, user), duration(s->system, system),
            (double)(s->user + s->system) / (double)elapsed, with);
    }
    if (s->largest.memory > 0)
        say(s, "memory", "%.1f MiB at most: job %" PRIu64 ": %s", (double)s->largest.memory / (1 << 20),
            s->largest.number, s->largest.line);
}

static int more_frequent(const void *a, const void *b)
{
    const struct cause *first = a, *second = b;
    if (first->count != second->count)
        return first->count > second->count ? -1 : 1;
    return first->first.number < second->first.number ? -1 : 1;
}

static void say_causes(struct summary *s)
{
    enum { SHOWN = FAILURES - 1 }; /* and a line for all others */
    uint64_t others = s->other_causes;
    qsort(s->causes, (size_t)s->cause_count, sizeof *s->causes, more_frequent);
    for (int i = 0; i < s->cause_count; i++) {
        const struct cause *cause = &s->causes[i];
        /* These have a number that differs from job to job. */
        bool by_state = cause->state == JOB_TIMED_OUT || cause->state == JOB_OVER_MEMORY;
        if (i < SHOWN)
            say(s, i == 0 ? "failed" : "", "%" PRIu64 " times %s, first job %" PRIu64 ": %s", cause->count,
                by_state ? job_state_name(cause->state) : cause->first.cause, cause->first.number, cause->first.line);
        else
            others += cause->count;
    }
    if (others > 0)
        say(s, "", "%" PRIu64 " times for other causes", others);
}

static int in_order(const void *a, const void *b)
{
    const struct mention *first = a, *second = b;
    return first->number < second->number ? -1 : first->number > second->number;
}

static void say_failures(struct summary *s)
{
    if (s->failed > FAILURES) {
        say_causes(s);
        return;
    }
    qsort(s->failures, s->failed, sizeof *s->failures, in_order);
    for (int i = 0; i < (int)s->failed; i++)
        say(s, i == 0 ? "failed" : "", "%s: job %" PRIu64 ": %s", s->failures[i].cause, s->failures[i].number,
            s->failures[i].line);
}

static void say_slowest(const struct summary *s)
{
    char time[32];
    if (s->slowest_count < 2)
        return;
    for (int i = 0; i < s->slowest_count; i++)
        say(s, i == 0 ? "slowest" : "", "%s: job %" PRIu64 ": %s", duration(s->slowest[i].wall, time),
            s->slowest[i].number, s->slowest[i].line);
}

static int close_summary(struct job_watcher *watcher)
{
    struct summary *s = of(watcher);
    int64_t elapsed = s->options.now() - s->begun;
    if (s->done + s->failed + s->halted + s->skipped + s->left_out + s->total == 0) {
        fputs("salp map: there were no jobs\n", s->options.file);
    } else {
        say_counts(s, elapsed);
        say_use(s, elapsed);
        say_failures(s);
        say_slowest(s);
    }
    fflush(s->options.file);
    job_letters_free(s->options.letters);
    free(s);
    return 0;
}

struct job_watcher *map_summary_open(const struct map_summary_options *options)
{
    struct summary *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->watcher = (struct job_watcher){ .ended = on_end, .total = on_total, .close = close_summary };
    s->options = *options;
    s->begun = options->now();
    return &s->watcher;
}

struct job_watcher *map_summary_new(int slots)
{
    enum { COLUMNS = 160, LEAST = 40 }; /* in a file; of a window for which lines are cut instead of wrapped by it */
    locale_t letters = job_letters_new();
    int columns = job_terminal_columns(STDERR_FILENO);
    struct job_watcher *watcher = map_summary_open(&(struct map_summary_options){
        .file = stderr,
        .columns = columns >= LEAST ? columns : COLUMNS,
        .slots = slots,
        .letters = letters,
        .now = map_now,
    });
    if (!watcher)
        job_letters_free(letters);
    return watcher;
}
