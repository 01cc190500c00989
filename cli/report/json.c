/*
 * Written as it is read: a million failures need no memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/json.h"

#include <inttypes.h>
#include <string.h>

#include "report/text.h"

static void write_text(FILE *file, const char *name, const char *text)
{
    fprintf(file, "\"%s\": ", name);
    if (text)
        report_write_json(file, text, strlen(text));
    else
        fputs("null", file);
}

static void write_bytes(FILE *file, const char *name, const struct journal_bytes *bytes)
{
    fprintf(file, "\"%s\": ", name);
    if (bytes->data)
        report_write_json(file, bytes->data, bytes->size);
    else
        fputs("null", file);
}

static void write_known(FILE *file, const char *name, bool known, int64_t number)
{
    fprintf(file, "\"%s\": ", name);
    if (known)
        fprintf(file, "%" PRId64, number);
    else
        fputs("null", file);
}

static void write_time(FILE *file, const char *name, int64_t time)
{
    write_text(file, name, time > 0 ? report_timestamp(time).text : NULL);
}

static void write_runs(FILE *file, const struct report_figures *figures)
{
    fputs("  \"runs\": [", file);
    for (int i = 0; i < figures->run_count; i++) {
        const struct report_run *run = &figures->runs[i];
        bool closed = !run->is_running && !run->broken_off;
        fprintf(file, "%s\n    { \"run\": %" PRId64 ", ", i == 0 ? "" : ",", run->run);
        write_text(file, "state", run->is_running ? "running" : run->broken_off ? "broken off" : "ended");
        fputs(", ", file);
        write_time(file, "started", run->started);
        fputs(", ", file);
        write_time(file, "ended", closed ? run->ended : 0);
        fprintf(file, ", \"jobs\": %" PRIu64 ", \"slots\": %d, ", run->jobs, run->slots);
        write_known(file, "memory_limit", run->memory_limit > 0, run->memory_limit);
        fputs(", ", file);
        write_text(file, "memory_limit_by", run->memory_limit_by);
        fputs(", ", file);
        write_text(file, "host", run->host);
        fprintf(file, ", \"process\": %" PRId64 ", ", run->process);
        write_text(file, "folder", run->folder);
        fputs(", ", file);
        write_text(file, "version", run->version);
        fputs(" }", file);
    }
    fputs("\n  ],\n", file);
}

static void write_counts(FILE *file, const struct report_figures *figures)
{
    fprintf(file, "  \"jobs\": %" PRIu64 ",\n  \"counts\": { ", figures->jobs);
    for (int state = 0; state < REPORT_STATES; state++)
        fprintf(file, "\"%s\": %" PRIu64 ", ", job_state_name((enum job_state)state), figures->counts[state]);
    fprintf(file, "\"broken off\": %" PRIu64 " },\n  \"failed\": %" PRIu64 ",\n  \"retried\": %" PRIu64 ",\n",
            figures->broken_off, figures->failed, figures->retried);
    fprintf(file,
            "  \"wall\": %" PRId64 ",\n  \"slots_wall\": %" PRId64 ",\n  \"busy\": %" PRId64 ",\n  \"user\": %" PRId64
            ",\n  \"system\": %" PRId64 ",\n",
            figures->wall, figures->room, figures->busy, figures->user, figures->system);
    bool some = figures->ended > 0;
    fputs("  \"durations\": { ", file);
    write_known(file, "shortest", some, figures->shortest);
    fputs(", ", file);
    write_known(file, "median", some, report_quantile(figures, 0.5));
    fputs(", ", file);
    write_known(file, "percentile_95", some, report_quantile(figures, 0.95));
    fputs(", ", file);
    write_known(file, "longest", some, figures->longest);
    fputs(" },\n  ", file);
    write_known(file, "peak_memory", figures->peak_memory > 0, figures->peak_memory);
    fprintf(file, ",\n  \"output\": %" PRIu64 ",\n  \"errors\": %" PRIu64 ",\n", figures->out_size, figures->err_size);
}

static void write_slowest(FILE *file, const struct report_figures *figures)
{
    fputs("  \"slowest\": [", file);
    for (int i = 0; i < figures->slowest_count; i++) {
        const struct report_slow *slow = &figures->slowest[i];
        fprintf(file, "%s\n    { \"number\": %" PRIu64 ", \"state\": \"%s\", \"time\": %" PRId64 ", ",
                i == 0 ? "" : ",", slow->number, job_state_name(slow->state), slow->time);
        write_text(file, "line", slow->line);
        fputs(" }", file);
    }
    fputs("\n  ],\n", file);
}

static void write_excerpt(FILE *file, const char *name, const struct journal_bytes *head,
                          const struct journal_bytes *tail, uint64_t size)
{
    char text[REPORT_EXCERPT];
    fprintf(file, ", \"%s\": ", name);
    report_write_json(file, text, report_excerpt(text, head, tail, size));
}

static void write_failure(FILE *file, const struct journal_row *row, const struct journal_output *output)
{
    int64_t time = report_time(row);
    fprintf(file, "\n    { \"number\": %" PRIu64 ", \"state\": \"%s\", ", row->number, report_state_name(row));
    write_bytes(file, "cause", &row->cause);
    fputs(", ", file);
    write_bytes(file, "input", &row->input);
    fputs(", ", file);
    write_bytes(file, "line", &row->line);
    fputs(", ", file);
    write_known(file, "exit_status", row->exit_status >= 0, row->exit_status);
    fputs(", ", file);
    write_known(file, "signal", row->signal > 0, row->signal);
    fprintf(file, ", \"attempt\": %d, ", row->attempt);
    write_time(file, "started", row->started);
    fputs(", ", file);
    write_known(file, "time", time >= 0, time);
    write_excerpt(file, "output", &output->out_head, &output->out_tail, row->out_size);
    write_excerpt(file, "errors", &output->err_head, &output->err_tail, row->err_size);
    fputs(" }", file);
}

static int write_failures(FILE *file, struct journal_reader *reader)
{
    struct journal_row row;
    int result;
    bool first = true;
    fputs("  \"failures\": [", file);
    while ((result = journal_reader_row(reader, JOURNAL_LAST, &row)) == 1) {
        if (!report_has_failed(&row))
            continue;
        struct journal_output output = { 0 };
        int error = journal_reader_output(reader, row.row, &output);
        if (error < 0)
            return error;
        fputs(first ? "" : ",", file);
        first = false;
        write_failure(file, &row, &output);
    }
    fputs("\n  ]\n", file);
    return result;
}

int report_json_write(FILE *file, const struct report_figures *figures, struct journal_reader *reader)
{
    fputs("{\n  \"command\": ", file);
    report_write_json(file, figures->command, figures->command_size);
    fputs(",\n", file);
    write_runs(file, figures);
    write_counts(file, figures);
    write_slowest(file, figures);
    int error = write_failures(file, reader);
    fputs("}\n", file);
    return error;
}
