/*
 * The page has three parts: what can be read without a script (figures, the first failures, the slowest jobs), the data of all
 * jobs as JSON, and page.js, which draws from it. The data are rows of numbers, about 80 bytes and the input for each job; what
 * jobs have written is there of the first failures only, so that a page of 100,000 jobs has some ten megabytes.
 *
 * Everything that comes from the journal goes through report_write_html or report_write_json, and the page forbids itself all
 * that would come from elsewhere (Content-Security-Policy).
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/page.h"

#include <inttypes.h>
#include <string.h>

#include "report/text.h"

extern const char report_page_css[], report_page_js[];

enum {
    LISTED = 100,               /* failures that are listed without a script */
    OUTPUTS = 1000,             /* failures with their output */
    INPUT_SIZE = 300,           /* bytes of an input that are shown */
    BROKEN_OFF = REPORT_STATES, /* as a state, behind the others */
};

static void write_text(FILE *file, const char *text)
{
    report_write_html(file, text, strlen(text));
}

/* ---- what can be read without a script ---- */

static void write_card(FILE *file, const char *value, const char *name)
{
    fputs("<li><b>", file);
    write_text(file, value);
    fprintf(file, "</b>%s</li>\n", name);
}

static void write_cards(FILE *file, const struct report_figures *figures)
{
    char text[100];
    fputs("<ul class=\"cards\">\n", file);
    snprintf(text, sizeof text, "%" PRIu64, figures->jobs);
    write_card(file, text, "jobs");
    for (int state = 0; state < REPORT_STATES; state++) {
        if (figures->counts[state] == 0)
            continue;
        snprintf(text, sizeof text, "%" PRIu64, figures->counts[state]);
        write_card(file, text, job_state_name((enum job_state)state));
    }
    if (figures->broken_off > 0) {
        snprintf(text, sizeof text, "%" PRIu64, figures->broken_off);
        write_card(file, text, "broken off");
    }
    if (figures->retried > 0) {
        snprintf(text, sizeof text, "%" PRIu64, figures->retried);
        write_card(file, text, "attempts before the last");
    }
    write_card(file, report_duration(figures->wall).text, figures->run_count > 1 ? "in all runs" : "of the run");
    if (figures->wall > 0) {
        double processors = (double)(figures->user + figures->system) / (double)figures->wall;
        write_card(file, report_number(processors).text, "processors busy on average");
        write_card(file, report_number((double)figures->ended / ((double)figures->wall / 1e9)).text, "jobs a second");
    }
    if (figures->room > 0) {
        snprintf(text, sizeof text, "%.0f %%", 100 * (double)figures->busy / (double)figures->room);
        write_card(file, text, "of the slots' time");
    }
    write_card(file, report_duration(figures->user + figures->system).text, "of processor time");
    write_card(file, report_duration(report_quantile(figures, 0.5)).text, "a job (median)");
    write_card(file, report_duration(figures->longest).text, "the longest job");
    if (figures->peak_memory > 0)
        write_card(file, report_size((uint64_t)figures->peak_memory).text, "the largest job");
    fputs("</ul>\n", file);
}

static void write_runs(FILE *file, const struct report_figures *figures)
{
    fputs("<div class=\"wide\"><table>\n<tr><th>run</th><th>began</th><th>lasted</th><th>jobs</th><th>slots</th>"
          "<th>memory limit</th><th>host</th><th>folder</th><th>salp</th></tr>\n",
          file);
    for (int i = 0; i < figures->run_count; i++) {
        const struct report_run *run = &figures->runs[i];
        int64_t time = run->ended > run->started ? run->ended - run->started : 0;
        fprintf(file, "<tr><td>%" PRId64 "</td><td>%s</td><td>%s%s</td><td>%" PRIu64 "</td><td>%d</td><td>", run->run,
                report_date(run->started).text, report_duration(time).text,
                run->is_running   ? ", still runs"
                : run->broken_off ? ", was broken off"
                                  : "",
                run->jobs, run->slots);
        if (run->memory_limit > 0)
            fprintf(file, "%s ", report_size((uint64_t)run->memory_limit).text);
        write_text(file, run->memory_limit_by ? run->memory_limit_by : "");
        fputs("</td><td>", file);
        write_text(file, run->host ? run->host : "");
        fputs("</td><td class=\"text mono\">", file);
        write_text(file, run->folder ? run->folder : "");
        fputs("</td><td>", file);
        write_text(file, run->version ? run->version : "");
        fputs("</td></tr>\n", file);
    }
    fputs("</table></div>\n", file);
}

static void write_slowest(FILE *file, const struct report_figures *figures)
{
    if (figures->slowest_count == 0)
        return;
    fputs("<h2>Slowest jobs</h2>\n<div class=\"wide\"><table>\n", file);
    for (int i = 0; i < figures->slowest_count; i++) {
        const struct report_slow *slow = &figures->slowest[i];
        fprintf(file,
                "<tr><td class=\"number\">%s</td><td class=\"number\">#%" PRIu64 "</td><td>%s</td>"
                "<td class=\"text mono\">",
                report_duration(slow->time).text, slow->number, job_state_name(slow->state));
        write_text(file, slow->line);
        fputs("</td></tr>\n", file);
    }
    fputs("</table></div>\n", file);
}

static void write_html_bytes(FILE *file, const struct journal_bytes *bytes)
{
    if (bytes->data)
        report_write_html(file, bytes->data, bytes->size);
}

static void write_failure(FILE *file, const struct journal_row *row, const struct journal_output *output)
{
    char text[REPORT_EXCERPT];
    fprintf(file, "<details><summary>#%" PRIu64 " <b>", row->number);
    write_html_bytes(file, &row->cause);
    fputs("</b> <code>", file);
    write_html_bytes(file, row->line.data ? &row->line : &row->input);
    fprintf(file, "</code></summary>\n<p class=\"dim\">attempt %d, slot %d, %s</p>\n", row->attempt, row->slot,
            report_duration(report_time(row)).text);
    if (row->err_size > 0) {
        fputs("<p class=\"dim\">Errors</p><pre>", file);
        report_write_html(file, text, report_excerpt(text, &output->err_head, &output->err_tail, row->err_size));
        fputs("</pre>\n", file);
    }
    if (row->out_size > 0) {
        fputs("<p class=\"dim\">Output</p><pre>", file);
        report_write_html(file, text, report_excerpt(text, &output->out_head, &output->out_tail, row->out_size));
        fputs("</pre>\n", file);
    }
    fputs("</details>\n", file);
}

static int read_output(struct journal_reader *reader, const struct journal_row *row, struct journal_output *output)
{
    *output = (struct journal_output){ 0 };
    int result = journal_reader_output(reader, row->row, output);
    return result < 0 ? result : 0;
}

static int write_failures(FILE *file, const struct report_figures *figures, struct journal_reader *reader)
{
    if (figures->failed == 0)
        return 0;
    fprintf(file, "<h2>Failures (%" PRIu64 "%s)</h2>\n<div class=\"list\">\n", figures->failed,
            figures->failed > LISTED ? ", the first 100 of them" : "");
    struct journal_row row;
    int result, listed = 0;
    while ((result = journal_reader_row(reader, JOURNAL_LAST, &row)) == 1) {
        struct journal_output output;
        if (!report_has_failed(&row) || listed++ >= LISTED)
            continue;
        int error = read_output(reader, &row, &output);
        if (error < 0)
            return error;
        write_failure(file, &row, &output);
    }
    fputs("</div>\n", file);
    return result;
}

/* ---- data ---- */

static void write_known(FILE *file, bool known, int64_t number)
{
    if (known)
        fprintf(file, ",%" PRId64, number);
    else
        fputs(",null", file);
}

/* The beginning of a text, with an ellipsis if that is not all. */
static void write_beginning(FILE *file, const struct journal_bytes *bytes)
{
    char text[INPUT_SIZE + 4];
    if (bytes->size <= INPUT_SIZE) {
        report_write_json(file, bytes->data ? bytes->data : "", bytes->size);
        return;
    }
    size_t size = INPUT_SIZE;
    while (size > INPUT_SIZE - 4 && ((unsigned char)bytes->data[size] & 0xc0) == 0x80)
        size--; /* not in the middle of a letter */
    memcpy(text, bytes->data, size);
    memcpy(text + size, "\xe2\x80\xa6", 3);
    report_write_json(file, text, size + 3);
}

static void write_input(FILE *file, const struct journal_row *row)
{
    char text[100];
    if (row->input.data) {
        write_beginning(file, &row->input);
    } else if (row->block_size >= 0) {
        int size = snprintf(text, sizeof text, "block of %" PRId64 " bytes", row->block_size);
        report_write_json(file, text, (size_t)size);
    } else {
        write_beginning(file, &row->line);
    }
}

static void write_output(FILE *file, const struct journal_row *row, const struct journal_output *output)
{
    char text[REPORT_EXCERPT];
    fputs(",[", file);
    report_write_json(file, row->line.data ? row->line.data : "", row->line.size);
    fputc(',', file);
    report_write_json(file, text, report_excerpt(text, &output->out_head, &output->out_tail, row->out_size));
    fputc(',', file);
    report_write_json(file, text, report_excerpt(text, &output->err_head, &output->err_tail, row->err_size));
    fputc(']', file);
}

/* Its numbers, in the order that page.js knows. Microseconds from `begun`, KiB. */
static void write_numbers(FILE *file, const struct journal_row *row, int64_t begun)
{
    int64_t time = report_time(row);
    bool ended = row->ended > 0;
    fprintf(file, "[%" PRIu64 ",%" PRId64 ",%d,%d,%d", row->row, row->run,
            row->broken_off ? BROKEN_OFF : (int)row->state, row->attempt, row->slot);
    write_known(file, row->started > 0, (row->started - begun) / 1000);
    write_known(file, time >= 0, time / 1000);
    write_known(file, ended, (row->user + row->system) / 1000);
    write_known(file, row->peak_memory > 0, (row->peak_memory + 1023) / 1024);
}

static int write_jobs(FILE *file, struct journal_reader *reader, int64_t begun)
{
    struct journal_row row;
    int result, outputs = 0;
    for (bool first = true; (result = journal_reader_row(reader, JOURNAL_LAST, &row)) == 1; first = false) {
        fputs(first ? "\n" : ",\n", file);
        write_numbers(file, &row, begun);
        fprintf(file, ",%" PRIu64 ",", row.number);
        write_input(file, &row);
        if (row.cause.data) {
            fputc(',', file);
            report_write_json(file, row.cause.data, row.cause.size);
        }
        if (row.cause.data && report_has_failed(&row) && outputs++ < OUTPUTS) {
            struct journal_output output;
            int error = read_output(reader, &row, &output);
            if (error < 0)
                return error;
            write_output(file, &row, &output);
        }
        fputc(']', file);
    }
    return result;
}

static int write_retried(FILE *file, struct journal_reader *reader, int64_t begun)
{
    struct journal_row row;
    int result;
    for (bool first = true; (result = journal_reader_row(reader, JOURNAL_RETRIED, &row)) == 1; first = false) {
        fputs(first ? "\n" : ",\n", file);
        write_numbers(file, &row, begun);
        fputc(']', file);
    }
    return result;
}

static void write_run_data(FILE *file, const struct report_figures *figures, int64_t begun)
{
    for (int i = 0; i < figures->run_count; i++) {
        const struct report_run *run = &figures->runs[i];
        int64_t end = run->ended > run->started ? run->ended : run->started;
        fprintf(
            file, "%s{\"run\":%" PRId64 ",\"start\":%" PRId64 ",\"end\":%" PRId64 ",\"slots\":%d,\"jobs\":%" PRIu64 "}",
            i == 0 ? "" : ",", run->run, (run->started - begun) / 1000, (end - begun) / 1000, run->slots, run->jobs);
    }
}

static int write_data(FILE *file, const struct report_figures *figures, struct journal_reader *reader)
{
    int64_t begun = figures->run_count > 0 ? figures->runs[0].started : 0;
    fputs("<script type=\"application/json\" id=\"data\">\n{\"states\":[", file);
    for (int state = 0; state < REPORT_STATES; state++)
        fprintf(file, "\"%s\",", job_state_name((enum job_state)state));
    fprintf(file, "\"broken off\"],\n\"begun\":%" PRId64 ",\n\"runs\":[", begun / 1000);
    write_run_data(file, figures, begun);
    fputs("],\n\"jobs\":[", file);
    int error = write_jobs(file, reader, begun);
    fputs("],\n\"retried\":[", file);
    if (error == 0)
        error = write_retried(file, reader, begun);
    fputs("]}\n</script>\n", file);
    return error;
}

/* ---- the page ---- */

static void write_head(FILE *file, const struct report_figures *figures)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline';"
          " script-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          file);
    report_write_html(file, figures->command, figures->command_size);
    fputs("</title>\n<style>\n", file);
    fputs(report_page_css, file);
    fputs("</style>\n</head>\n<body>\n<h1><code>", file);
    if (figures->command_size > 0)
        report_write_html(file, figures->command, figures->command_size);
    else
        fputs("Lines of the shell", file);
    fputs("</code></h1>\n", file);
}

/* What page.js fills in: the drawings, and further below the table. */
static void write_drawings(FILE *file)
{
    fputs(
        "<noscript><p>The timeline, the distribution of durations and the table of all jobs are drawn by a script, "
        "which"
        " is not allowed to run here. What is below does without; 'salp report' prints it, too, and the journal has"
        " everything.</p></noscript>\n"
        "<section class=\"scripted\">\n<h2>Timeline of the slots</h2>\n"
        "<div class=\"bar\"><select id=\"run\" aria-label=\"Run\"></select>"
        "<button id=\"nearer\" type=\"button\" aria-label=\"Nearer\">+</button>"
        "<button id=\"farther\" type=\"button\" aria-label=\"Farther\">\xe2\x88\x92</button>"
        "<button id=\"whole\" type=\"button\">All</button>"
        "<span id=\"told\" class=\"dim mono\" role=\"status\">Wheel or + and \xe2\x88\x92: zoom; drag or arrows: move;"
        " click: show the job.</span></div>\n"
        "<canvas id=\"timeline\" tabindex=\"0\" aria-label=\"Timeline of the slots\"></canvas>\n"
        "<h2>Durations</h2>\n<svg id=\"histogram\" role=\"img\" aria-label=\"How many jobs have taken how "
        "long\"></svg>\n"
        "</section>\n",
        file);
}

static void write_table(FILE *file)
{
    fputs("<section class=\"scripted\">\n<div id=\"one\"></div>\n"
          "<h2>All jobs</h2>\n<div class=\"bar\"><input id=\"search\" type=\"search\" placeholder=\"Search inputs, "
          "causes,"
          " numbers\" aria-label=\"Search\"><select id=\"state\" aria-label=\"State\"><option value=\"\">all "
          "states</option>"
          "</select><button id=\"before\" type=\"button\">Before</button><button id=\"after\" "
          "type=\"button\">After</button>"
          "<span id=\"where\" class=\"dim\"></span></div>\n"
          "<div class=\"wide\"><table class=\"jobs\"><thead><tr id=\"head\"></tr></thead><tbody "
          "id=\"rows\"></tbody></table>"
          "</div>\n</section>\n",
          file);
}

int report_page_write(FILE *file, const struct report_figures *figures, struct journal_reader *reader)
{
    write_head(file, figures);
    write_cards(file, figures);
    write_runs(file, figures);
    write_drawings(file);
    int error = write_failures(file, figures, reader);
    if (error < 0)
        return error;
    write_slowest(file, figures);
    write_table(file);
    error = write_data(file, figures, reader);
    fputs("<script>\n", file);
    fputs(report_page_js, file);
    fputs("</script>\n</body>\n</html>\n", file);
    return error;
}
