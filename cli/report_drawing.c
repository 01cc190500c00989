/*
 * The report as text:
 *
 *     convert {} {.}.png
 *       run         2026-11-23 16:20:01 on build1, for 2 min 13 s, 2 slots
 *       jobs        1000: 997 done, 2 failed, 1 killed; 3 attempts before the last
 *       time        2 min 13 s, 7.52 jobs a second, slots busy for 98 %
 *       processors  4 min 15 s of their time (4 min 10 s user, 5.2 s system), so 1.91 were busy on average
 *       durations   260 ms in the middle, 95 of 100 not above 1.9 s, 3.2 s at most
 *       memory      55 MiB at most: job 17
 *       slowest     3.2 s: job 17: convert a.jpg a.png
 *       failed      exit status 3: job 12: convert b.jpg b.png
 *                     no decode delegate for this image format
 *
 * Where it has to fit a screen, slow jobs get a few lines and failures the rest of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/report_drawing.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "job/visible.h"
#include "report/text.h"

enum {
    LABEL = 14,       /* columns before the text of each line */
    TEXT_SIZE = 4096, /* bytes of a line */
    FEW = 5,          /* slow jobs on a screen */
    SEVERAL = 20,
};

struct drawing {
    FILE *file;
    const struct cli_report_style *style;
    int lines; /* drawn so far */
};

/* A line: at its label, or below it. */
static void draw_text(struct drawing *drawing, int indent, const char *label, const char *text)
{
    char shown[TEXT_SIZE];
    job_visible(shown, sizeof shown, text, drawing->style->columns - indent, drawing->style->letters);
    fprintf(drawing->file, "%*s%-*s%s\n", indent < 2 ? 0 : 2, "", indent < 2 ? 0 : indent - 2, label, shown);
    drawing->lines++;
}

__attribute__((format(printf, 3, 4))) static void draw(struct drawing *drawing, const char *label, const char *format,
                                                       ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    draw_text(drawing, LABEL, label, text);
}

/* Bytes as a text that ends with a zero. */
static void as_text(char text[TEXT_SIZE], const struct journal_bytes *bytes)
{
    size_t size = bytes->size < TEXT_SIZE - 1 ? bytes->size : TEXT_SIZE - 1;
    for (size_t i = 0; i < size; i++)
        text[i] = bytes->data[i] ? bytes->data[i] : '?';
    text[size] = '\0';
}

/* ---- figures ---- */

static void draw_run(struct drawing *drawing, const struct report_figures *figures)
{
    if (figures->run_count == 0)
        return;
    const struct report_run *run = &figures->runs[figures->run_count - 1];
    char count[40] = "", limit[80] = "", state[60] = "";
    if (figures->run_count > 1)
        snprintf(count, sizeof count, "the last of %d: ", figures->run_count);
    if (run->memory_limit > 0)
        snprintf(limit, sizeof limit, ", at most %s for a job (%s)", report_size((uint64_t)run->memory_limit).text,
                 run->memory_limit_by ? run->memory_limit_by : "?");
    if (run->is_running)
        snprintf(state, sizeof state, "; it still runs, as process %" PRId64, run->process);
    else if (run->broken_off)
        snprintf(state, sizeof state, "; it was broken off");
    draw(drawing, "run", "%s%s on %s, for %s, %d slots%s%s", count, report_date(run->started).text,
         run->host ? run->host : "?", report_duration(run->ended > run->started ? run->ended - run->started : 0).text,
         run->slots, limit, state);
}

static void draw_counts(struct drawing *drawing, const struct report_figures *figures)
{
    char text[TEXT_SIZE];
    int used = snprintf(text, sizeof text, "%" PRIu64, figures->jobs);
    const char *between = ": ";
    for (int state = 0; state < REPORT_STATES; state++) {
        if (figures->counts[state] == 0)
            continue;
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%" PRIu64 " %s", between, figures->counts[state],
                         job_state_name((enum job_state)state));
        between = ", ";
    }
    if (figures->broken_off > 0)
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "%s%" PRIu64 " broken off", between, figures->broken_off);
    if (figures->retried > 0)
        snprintf(text + used, sizeof text - (size_t)used, "; %" PRIu64 " attempts before the last", figures->retried);
    draw_text(drawing, LABEL, "jobs", text);
}

static void draw_times(struct drawing *drawing, const struct report_figures *figures)
{
    double wall = (double)figures->wall / 1e9;
    char busy[60] = "";
    if (figures->ended == 0 || figures->wall == 0)
        return;
    if (figures->room > 0)
        snprintf(busy, sizeof busy, ", slots busy for %.0f %%", 100 * (double)figures->busy / (double)figures->room);
    draw(drawing, "time", "%s%s, %s jobs a second%s", report_duration(figures->wall).text,
         figures->run_count > 1 ? " in all runs" : "", report_number((double)figures->ended / wall).text, busy);
    draw(drawing, "processors", "%s of their time (%s user, %s system), so %.2f were busy on average",
         report_duration(figures->user + figures->system).text, report_duration(figures->user).text,
         report_duration(figures->system).text, (double)(figures->user + figures->system) / 1e9 / wall);
    draw(drawing, "durations", "%s in the middle, 95 of 100 not above %s, %s at most",
         report_duration(report_quantile(figures, 0.5)).text, report_duration(report_quantile(figures, 0.95)).text,
         report_duration(figures->longest).text);
    if (figures->peak_memory > 0)
        draw(drawing, "memory", "%s at most: job %" PRIu64, report_size((uint64_t)figures->peak_memory).text,
             figures->peak_number);
    if (figures->out_size + figures->err_size > 0)
        draw(drawing, "written", "%s of output, %s of errors", report_size(figures->out_size).text,
             report_size(figures->err_size).text);
}

static void draw_slowest(struct drawing *drawing, const struct report_figures *figures)
{
    int most = SEVERAL, lines = drawing->style->lines;
    if (lines > 0) {
        int left = lines - drawing->lines - (figures->failed > 0 ? 3 : 0);
        most = left < FEW ? left : FEW;
    }
    for (int i = 0; i < figures->slowest_count && i < most; i++) {
        const struct report_slow *slow = &figures->slowest[i];
        draw(drawing, i == 0 ? "slowest" : "", "%s: job %" PRIu64 ": %s", report_duration(slow->time).text,
             slow->number, slow->line);
    }
}

/* ---- failures ---- */

/* The last line of a text that is not empty. */
static char *last_line(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        text[--size] = '\0';
    char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

static int draw_errors(struct drawing *drawing, struct journal_reader *reader, const struct journal_row *row)
{
    struct journal_output output = { 0 };
    bool wide = drawing->style->columns >= LABEL + 10;
    int result = row->err_size > 0 && wide ? journal_reader_output(reader, row->row, &output) : 0;
    if (result <= 0)
        return result;
    char excerpt[REPORT_EXCERPT], text[TEXT_SIZE];
    struct journal_bytes bytes = { excerpt,
                                   report_excerpt(excerpt, &output.err_head, &output.err_tail, row->err_size) };
    as_text(text, &bytes);
    char *next = drawing->style->failures ? text : last_line(text);
    for (char *line; (line = strsep(&next, "\n"));) {
        if (*line)
            draw_text(drawing, LABEL + 2, "", line);
    }
    return 0;
}

static int draw_failure(struct drawing *drawing, struct journal_reader *reader, const struct journal_row *row,
                        bool first)
{
    char cause[TEXT_SIZE], line[TEXT_SIZE];
    as_text(cause, &row->cause);
    as_text(line, row->line.data ? &row->line : &row->input);
    /* Together they may be longer than a line: it is cut anyway. */
    draw(drawing, first ? "failed" : "", "%.200s: job %" PRIu64 ": %s", cause, row->number, line);
    return draw_errors(drawing, reader, row);
}

/* Each takes up to two lines, and one is kept for how many are left out. */
static bool has_room(const struct drawing *drawing)
{
    const struct cli_report_style *style = drawing->style;
    return style->failures || style->lines == 0 || drawing->lines + 2 < style->lines;
}

static int draw_failures(struct drawing *drawing, const struct report_figures *figures, struct journal_reader *reader)
{
    struct journal_row row;
    uint64_t drawn = 0;
    int result;
    while ((result = journal_reader_row(reader, JOURNAL_LAST, &row)) == 1) {
        if (!report_has_failed(&row) || !has_room(drawing))
            continue;
        int error = draw_failure(drawing, reader, &row, drawn++ == 0);
        if (error < 0)
            return error;
    }
    if (result == 0 && drawn < figures->failed)
        draw(drawing, drawn == 0 ? "failed" : "", "%s%" PRIu64 "%s (--failures shows all)", drawn == 0 ? "" : "and ",
             figures->failed - drawn, drawn == 0 ? "" : " more");
    return result;
}

int cli_report_draw(FILE *file, const struct report_figures *figures, struct journal_reader *reader,
                    const struct cli_report_style *style)
{
    struct drawing drawing = { file, style, 0 };
    draw_text(&drawing, 0, "", figures->command_size > 0 ? figures->command : "lines of the shell");
    draw_run(&drawing, figures);
    draw_counts(&drawing, figures);
    draw_times(&drawing, figures);
    draw_slowest(&drawing, figures);
    return draw_failures(&drawing, figures, reader);
}
