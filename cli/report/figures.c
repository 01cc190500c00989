/*
 * One pass over all rows. What is held does not grow with the number of jobs, only with that of runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/figures.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp/error.h>

#include "job/utf8.h"

bool report_has_failed(const struct journal_row *row)
{
    switch (row->state) {
    case JOB_FAILED:
    case JOB_KILLED:
    case JOB_TIMED_OUT:
    case JOB_OVER_MEMORY:
    case JOB_UNSTARTED:
        return row->final;
    default:
        return false;
    }
}

int64_t report_time(const struct journal_row *row)
{
    return row->started > 0 && row->ended >= row->started ? row->ended - row->started : -1;
}

const char *report_state_name(const struct journal_row *row)
{
    return row->broken_off ? "broken off" : job_state_name(row->state);
}

/* ---- the command and the runs ---- */

static int read_words(struct report_figures *figures, struct journal_reader *reader)
{
    struct journal_bytes word;
    int result;
    FILE *file = open_memstream(&figures->command, &figures->command_size);
    if (!file)
        return -ENOMEM;
    for (bool first = true; (result = journal_reader_word(reader, &word)) == 1; first = false) {
        if (!first)
            fputc(' ', file);
        fwrite(word.data, 1, word.size, file);
    }
    return fclose(file) == 0 ? result : -ENOMEM;
}

static char *copied(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int add_run(struct report_figures *figures, const struct journal_run *run)
{
    struct report_run *runs = realloc(figures->runs, (size_t)(figures->run_count + 1) * sizeof *runs);
    if (!runs)
        return -ENOMEM;
    figures->runs = runs;
    runs[figures->run_count++] = (struct report_run){
        .run = run->run,
        .started = run->started,
        .ended = run->ended,
        .broken_off = run->ended == 0,
        .slots = run->slots,
        .process = run->process,
        .memory_limit = run->memory_limit,
        .version = copied(run->version),
        .host = copied(run->host),
        .folder = copied(run->folder),
        .memory_limit_by = copied(run->memory_limit_by),
    };
    return 0;
}

static int read_runs(struct report_figures *figures, struct journal_reader *reader)
{
    struct journal_run run;
    int result;
    while ((result = journal_reader_run(reader, &run)) == 1) {
        if (add_run(figures, &run) < 0)
            return -ENOMEM;
    }
    if (result == 0 && figures->run_count > 0 && journal_reader_is_written(reader)) {
        struct report_run *last = &figures->runs[figures->run_count - 1];
        last->is_running = last->broken_off;
        last->broken_off = false;
    }
    return result;
}

/* Runs are numbered from 1 without gaps, unless somebody has changed the table. */
static struct report_run *run_of(struct report_figures *figures, int64_t run)
{
    if (run >= 1 && run <= figures->run_count && figures->runs[run - 1].run == run)
        return &figures->runs[run - 1];
    for (int i = 0; i < figures->run_count; i++) {
        if (figures->runs[i].run == run)
            return &figures->runs[i];
    }
    return NULL;
}

/* ---- jobs ---- */

/* As much as there is room for, and no part of a letter; zeros are not shown. */
static void copy_beginning(char to[REPORT_LINE], const struct journal_bytes *bytes)
{
    size_t size = 0;
    while (size < bytes->size) {
        size_t letter = job_utf8_letter(bytes->data + size, bytes->size - size);
        letter += letter == 0;
        if (size + letter >= REPORT_LINE)
            break;
        memcpy(to + size, bytes->data + size, letter);
        if (!to[size])
            to[size] = '?';
        size += letter;
    }
    to[size] = '\0';
}

static void rank(struct report_figures *figures, const struct journal_row *row, int64_t time)
{
    struct report_slow *slowest = figures->slowest;
    if (figures->slowest_count == REPORT_SLOWEST && time <= slowest[REPORT_SLOWEST - 1].time)
        return;
    int i = figures->slowest_count < REPORT_SLOWEST ? figures->slowest_count++ : REPORT_SLOWEST - 1;
    for (; i > 0 && slowest[i - 1].time < time; i--)
        slowest[i] = slowest[i - 1];
    slowest[i] = (struct report_slow){ .row = row->row, .number = row->number, .time = time, .state = row->state };
    copy_beginning(slowest[i].line, row->line.data ? &row->line : &row->input);
}

static int bin_of(int64_t time)
{
    int bin = time > 0 ? (int)(log2((double)time) * REPORT_OCTAVE) : 0;
    return bin < REPORT_BINS ? bin : REPORT_BINS - 1;
}

int64_t report_quantile(const struct report_figures *figures, double part)
{
    double wanted = part * (double)figures->ended;
    uint64_t passed = 0;
    for (int i = 0; i < REPORT_BINS; i++) {
        passed += figures->bins[i];
        if (passed > 0 && (double)passed >= wanted) {
            /* The middle of the bin, but no more than there was. */
            double time = exp2((i + 0.5) / REPORT_OCTAVE);
            if (time >= (double)figures->longest)
                return figures->longest;
            return time < (double)figures->shortest ? figures->shortest : (int64_t)time;
        }
    }
    return 0;
}

/* Stays where it can be added to another. */
static void add_to(int64_t *sum, int64_t more)
{
    *sum = more > JOURNAL_AMOUNT_MAX - *sum ? JOURNAL_AMOUNT_MAX : *sum + more;
}

/* What an attempt has used, the last one or not. */
static void add_use(struct report_figures *figures, const struct journal_row *row)
{
    int64_t time = report_time(row);
    struct report_run *run = run_of(figures, row->run);
    int64_t last = row->ended > 0 ? row->ended : row->started;
    if (run && (run->broken_off || run->is_running) && last > run->ended)
        run->ended = last;
    if (time > 0)
        add_to(&figures->busy, time);
    add_to(&figures->user, row->user);
    add_to(&figures->system, row->system);
    if (row->peak_memory > figures->peak_memory) {
        figures->peak_memory = row->peak_memory;
        figures->peak_number = row->number;
    }
}

static void add_job(struct report_figures *figures, const struct journal_row *row)
{
    int64_t time = report_time(row);
    struct report_run *run = run_of(figures, row->run);
    figures->jobs++;
    if (run)
        run->jobs++;
    if (row->broken_off)
        figures->broken_off++;
    else
        figures->counts[row->state]++;
    figures->failed += report_has_failed(row);
    figures->out_size += row->out_size;
    figures->err_size += row->err_size;
    add_use(figures, row);
    if (time < 0)
        return;
    if (figures->ended++ == 0 || time < figures->shortest)
        figures->shortest = time;
    if (time > figures->longest)
        figures->longest = time;
    figures->bins[bin_of(time)]++;
    rank(figures, row, time);
}

static int read_jobs(struct report_figures *figures, struct journal_reader *reader)
{
    struct journal_row row;
    int result;
    while ((result = journal_reader_row(reader, JOURNAL_LAST, &row)) == 1)
        add_job(figures, &row);
    while (result == 0 && (result = journal_reader_row(reader, JOURNAL_RETRIED, &row)) == 1) {
        figures->retried++;
        add_use(figures, &row);
        result = 0;
    }
    return result;
}

int report_figures_read(struct report_figures *figures, struct journal_reader *reader, const char *program)
{
    *figures = (struct report_figures){ 0 };
    int error = read_words(figures, reader);
    if (error == 0)
        error = read_runs(figures, reader);
    if (error == -ENOMEM)
        fprintf(stderr, "%s: %s\n", program, salp_strerror(error));
    if (error == 0)
        error = read_jobs(figures, reader);
    for (int i = 0; i < figures->run_count; i++) {
        struct report_run *run = &figures->runs[i];
        int64_t room, time = run->ended > run->started ? run->ended - run->started : 0;
        add_to(&figures->wall, time);
        bool fits = !__builtin_mul_overflow(time, (int64_t)run->slots, &room);
        add_to(&figures->room, fits ? room : JOURNAL_AMOUNT_MAX);
    }
    return error;
}

void report_figures_free(struct report_figures *figures)
{
    for (int i = 0; i < figures->run_count; i++) {
        free(figures->runs[i].version);
        free(figures->runs[i].host);
        free(figures->runs[i].folder);
        free(figures->runs[i].memory_limit_by);
    }
    free(figures->runs);
    free(figures->command);
    *figures = (struct report_figures){ 0 };
}
