/*
 * What salp worth says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/worth.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <salp/machine.h>
#include <salp/time.h>

#include "job/json.h"
#include "job/visible.h"

enum { SHOWN = 10, REASON_SIZE = 1024, TIME_SIZE = 32 };

/* About three digits. */
static const char *duration(double nanoseconds, char text[TIME_SIZE])
{
    static const struct {
        const char *name;
        double size;
    } units[] = { { "h", 3600e9 }, { "min", 60e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 } };
    int i = 0;
    while (i < 4 && nanoseconds < units[i].size * (i < 2 ? 2 : 1))
        i++;
    double number = nanoseconds / units[i].size;
    snprintf(text, TIME_SIZE, number >= 100 ? "%.0f %s" : number >= 10 ? "%.1f %s" : "%.2f %s", number, units[i].name);
    return text;
}

static size_t count_marks(const struct worth *w, bool failed)
{
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++)
        count += failed ? w->marks[i] == WORTH_FAILED : w->marks[i] != WORTH_NOT_RUN;
    return count;
}

/* ---- why ---- */

struct reason {
    char text[REASON_SIZE];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void say(struct reason *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(reason->text + reason->length, sizeof reason->text - reason->length, format, arguments);
    va_end(arguments);
    if (more > 0)
        reason->length += (size_t)more;
    if (reason->length >= sizeof reason->text)
        reason->length = sizeof reason->text - 1;
}

/* In the words of a command line: below make, salp map would ask its jobserver instead. */
static void say_usual(struct reason *reason, int best)
{
    const salp_machine *machine = salp_machine_get();
    if (machine && machine->usable.workers == best)
        say(reason, " That is what salp map does by itself.");
    else if (machine)
        say(reason, " By itself, salp map runs %d at a time.", machine->usable.workers);
}

static void say_choice(struct reason *reason, const struct worth *w)
{
    char best[TIME_SIZE], alone[TIME_SIZE];
    const salp_worth_report *r = &w->report;
    if (r->best.workers > 1)
        say(reason, "-j %d: %s for the other %zu jobs, instead of %s one after another.", r->best.workers,
            duration((double)r->best.time, best), r->count, duration((double)r->plans[0].time, alone));
    else
        say(reason, "-j 1: %s for the other %zu jobs; more at a time would gain nothing to speak of.",
            duration((double)r->best.time, best), r->count);
    say_usual(reason, r->best.workers);
}

static void say_limits(struct reason *reason, const struct worth *w)
{
    const salp_worth_report *r = &w->report;
    /* Commands that others keep from the processors cannot be told from those that wait. */
    if (r->waits && r->best.workers > r->processors)
        say(reason,
            " A job waits for %.0f %% of its time, so more of them than processors are worth it; what it waits for (a "
            "disk, a network, a server) may set a limit that a short trial does not meet.",
            100 * (1 - r->busy));
    else if (r->waits)
        say(reason, " A job is on a processor for %.0f %% of its time: for the rest it waits, or others are there.",
            100 * r->busy);
    else if (r->crowded || r->contended)
        say(reason, " Beside others a job takes longer: not processors are the limit, but memory, a cache, a lock or a "
                    "disk.");
    if (r->capacity + 0.05 < r->processors)
        say(reason, " A quota allows %.3g of the %d processors.", r->capacity, r->processors);
    else if (r->processors == 1 && !r->waits)
        say(reason, " There is one processor to use.");
}

static void say_doubts(struct reason *reason, const struct worth *w)
{
    const salp_worth_report *r = &w->report;
    size_t ran = count_marks(w, false), failed = count_marks(w, true);
    if (r->count < 2 * (size_t)r->processors)
        say(reason, " There %s only %zu job%s left: more at a time than that cannot help, and chance has much to say.",
            r->count == 1 ? "is" : "are", r->count, r->count == 1 ? "" : "s");
    else if (r->best.workers > 1 && !r->best.stretched)
        say(reason, " How so many jobs get on beside each other was not tried: a longer --budget tells.");
    if (r->skewed)
        say(reason, " A few jobs take much of the time: it ends with the longest.");
    if (r->overdue)
        say(reason, " A job was ended since it took so long: all times are at least that.");
    if (failed > 0)
        say(reason, " %zu of %zu jobs failed: if they did not do their work, the times say little.", failed, ran);
    if (r->others > 0.5)
        say(reason, " Others wanted %.1f processors meanwhile: this holds for a machine as busy as that.", r->others);
}

static void find_reason(struct reason *reason, const struct worth *w)
{
    char time[TIME_SIZE];
    *reason = (struct reason){ 0 };
    if (!w->sampled) {
        say(reason, "There is one job, and it took %s: -j says nothing here.", duration((double)w->first, time));
        return;
    }
    say_choice(reason, w);
    say_limits(reason, w);
    say_doubts(reason, w);
}

/* ---- for people ---- */

/* Blanks end lines where they would become too long. Each begins with so many. */
static void write_wrapped(FILE *file, int indent, const char *text)
{
    enum { WIDTH = 79 };
    int column = 0;
    for (const char *word = text; *word;) {
        int length = (int)strcspn(word, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            fputc('\n', file);
            column = 0;
        }
        column += fprintf(file, "%*s%.*s", column == 0 ? indent : 1, "", length, word);
        word += length + (int)strspn(word + length, " ");
    }
    fputc('\n', file);
}

/* "1-4, 7, 9": of those that were run, from the index on; all that were. */
static void write_numbers(FILE *file, const struct worth *w, size_t index)
{
    const char *before = "";
    while (index < w->count) {
        if (w->marks[index] == WORTH_NOT_RUN) {
            index++;
            continue;
        }
        size_t last = index;
        while (last + 1 < w->count && w->marks[last + 1] != WORTH_NOT_RUN)
            last++;
        fprintf(file, "%s%" PRIu64, before, w->jobs[index].number);
        if (last > index)
            fprintf(file, "-%" PRIu64, w->jobs[last].number);
        before = ", ";
        index = last + 1;
    }
}

static void write_run(FILE *file, const struct worth *w)
{
    static const char *const words[] = { [WORTH_NOT_RUN] = "",
                                         [WORTH_BEGUN] = "  (ended by salp worth)",
                                         [WORTH_DONE] = "",
                                         [WORTH_FAILED] = "  (failed)" };
    size_t ran = count_marks(w, false), shown = 0, index = 0;
    fprintf(file, "Run so far: %zu of %zu jobs%s. What they do is done.\n", ran, w->count,
            w->more ? " (more were not looked at)" : "");
    for (; index < w->count && shown < SHOWN; index++) {
        if (w->marks[index] == WORTH_NOT_RUN)
            continue;
        char line[256];
        job_visible(line, sizeof line, w->jobs[index].line, 100, NULL);
        fprintf(file, "%10" PRIu64 "  %s%s\n", w->jobs[index].number, line, words[w->marks[index]]);
        shown++;
    }
    if (ran == shown)
        return;
    char *rest = NULL;
    size_t size;
    FILE *numbers = open_memstream(&rest, &size);
    if (!numbers)
        return;
    fprintf(numbers, "%zu more: ", ran - shown);
    write_numbers(numbers, w, index);
    if (fclose(numbers) == 0)
        write_wrapped(file, 12, rest);
    free(rest);
}

static void write_plans(FILE *file, const salp_worth_report *r)
{
    char a[TIME_SIZE], b[TIME_SIZE], c[TIME_SIZE];
    fprintf(file, "\nA job alone takes %s (half of them under %s, the longest %s), %.0f %% of it on a processor.\n\n",
            duration(r->item_time, a), duration(r->median, b), duration(r->longest, c), 100 * r->busy);
    fprintf(file, "     -j       time   probably between       a job takes\n");
    for (int i = 0; i < r->plan_count; i++) {
        const salp_worth_plan *plan = &r->plans[i];
        fprintf(file, "  %c %2d  %9s  %9s and %-9s  %5.2f times as long%s\n",
                plan->workers == r->best.workers ? '*' : ' ', plan->workers, duration((double)plan->time, a),
                duration((double)plan->low, b), duration((double)plan->high, c), plan->stretch,
                plan->stretched || plan->workers == 1 ? "" : "?");
    }
    fputc('\n', file);
}

void cli_worth_write_text(FILE *file, const struct worth *w)
{
    struct reason reason;
    find_reason(&reason, w);
    write_run(file, w);
    if (w->sampled)
        write_plans(file, &w->report);
    else
        fputc('\n', file);
    write_wrapped(file, 0, reason.text);
}

/* ---- for programs ---- */

static void put_number(struct job_json *json, const char *name, int64_t number)
{
    job_json_raw(json, name);
    job_json_number(json, number);
}

static void put_flag(struct job_json *json, const char *name, bool flag)
{
    job_json_raw(json, name);
    job_json_raw(json, flag ? "true" : "false");
}

static void put_plan(struct job_json *json, const salp_worth_plan *plan)
{
    char stretch[TIME_SIZE];
    put_number(json, "{ \"jobs\": ", plan->workers);
    put_number(json, ", \"time\": ", plan->time);
    put_number(json, ", \"low\": ", plan->low);
    put_number(json, ", \"high\": ", plan->high);
    snprintf(stretch, sizeof stretch, ", \"stretch\": %.6g", plan->stretch);
    job_json_raw(json, stretch);
    put_flag(json, ", \"stretched\": ", plan->stretched);
    job_json_raw(json, " }");
}

static void put_report(struct job_json *json, const salp_worth_report *report)
{
    job_json_raw(json, ",\n  \"best\": ");
    put_plan(json, &report->best);
    job_json_raw(json, ",\n  \"plans\": [");
    for (int i = 0; i < report->plan_count; i++) {
        job_json_raw(json, i > 0 ? ",\n    " : "\n    ");
        put_plan(json, &report->plans[i]);
    }
    job_json_raw(json, "\n  ],\n  \"report\": ");
    if (json->error == 0)
        json->error = salp_worth_json(report, &json->buffer);
}

static void put_run(struct job_json *json, const struct worth *w)
{
    static const char *const words[] = { [WORTH_BEGUN] = "ended", [WORTH_DONE] = "done", [WORTH_FAILED] = "failed" };
    const char *before = "\n";
    job_json_raw(json, ",\n  \"ran\": [");
    for (size_t i = 0; i < w->count; i++) {
        if (w->marks[i] == WORTH_NOT_RUN)
            continue;
        job_json_raw(json, before);
        put_number(json, "    { \"number\": ", (int64_t)w->jobs[i].number);
        job_json_raw(json, ", \"line\": ");
        job_json_text(json, w->jobs[i].line, strlen(w->jobs[i].line));
        job_json_raw(json, ", \"state\": ");
        job_json_text(json, words[w->marks[i]], strlen(words[w->marks[i]]));
        job_json_raw(json, " }");
        before = ",\n";
    }
    job_json_raw(json, "\n  ]");
}

int cli_worth_write_json(FILE *file, const struct worth *w)
{
    struct job_json json = { 0 };
    struct reason reason;
    find_reason(&reason, w);
    put_number(&json, "{\n  \"count\": ", (int64_t)w->count);
    put_flag(&json, ",\n  \"more\": ", w->more);
    put_number(&json, ",\n  \"first\": ", w->first);
    job_json_raw(&json, ",\n  \"reason\": ");
    job_json_text(&json, reason.text, strlen(reason.text));
    put_run(&json, w);
    if (w->sampled)
        put_report(&json, &w->report);
    else
        job_json_raw(&json, ",\n  \"best\": null,\n  \"plans\": [],\n  \"report\": null");
    job_json_raw(&json, "\n}\n");
    if (json.error == 0)
        fwrite(json.buffer.data, 1, json.buffer.size, file);
    salp_buffer_free(&json.buffer);
    return json.error;
}
