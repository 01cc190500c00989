/*
 * Writes a journal as its standard input says, for tests of who reads it.
 *
 * usage: journal_sample JOURNAL new|resume|resume-failed SLOTS MEMORY WORD...
 *
 * A line of the input is an attempt, of fields with tabs between them:
 *
 *     how  number  slot  attempt  state  exit  signal  error  started  wall  user  system  memory  line  out  err  value...
 *
 * `how` is "starts" (it does not end), "again" (it has ended, and is to be tried again) or "final". Times are in nanoseconds.
 * From `line` on they are bytes in hexadecimal digits; "-" is none at all, and a value that begins with "=" a block.
 * MEMORY is a limit in bytes, watched; 0: none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job/job.h"
#include "job/memory.h"
#include "journal/journal.h"

enum { VALUES = 16, FIELDS = 15 + VALUES };

static struct job_memory *memory;

/* Bytes of hexadecimal digits, with a zero behind them. */
static char *bytes_of(const char *digits, size_t *size)
{
    *size = strlen(digits) / 2;
    char *bytes = job_memory_take(memory, *size + 1);
    for (size_t i = 0; i < *size; i++) {
        unsigned byte;
        sscanf(digits + 2 * i, "%2x", &byte);
        bytes[i] = (char)byte;
    }
    bytes[*size] = '\0';
    return bytes;
}

/* The beginning and the end, as whoever collects outputs keeps them. */
static void keep(struct job_text *text, const char *digits)
{
    size_t size = 0;
    const char *bytes = strcmp(digits, "-") == 0 ? "" : bytes_of(digits, &size);
    text->size = size;
    text->head_size = size < JOB_EXCERPT ? size : JOB_EXCERPT;
    memcpy(text->head, bytes, text->head_size);
    text->tail_size = size - text->head_size < JOB_EXCERPT ? size - text->head_size : JOB_EXCERPT;
    memcpy(text->tail, bytes + size - text->tail_size, text->tail_size);
}

static void fill(struct job *job, char *const fields[], int count)
{
    static const char *values[VALUES];
    size_t size;
    job_clear(job);
    job->number = strtoull(fields[1], NULL, 10);
    job->slot = atoi(fields[2]);
    job->attempt = atoi(fields[3]);
    job->started = atoll(fields[8]);
    job->line = strcmp(fields[13], "-") == 0 ? NULL : bytes_of(fields[13], &size);
    job->values = values;
    for (int i = 16; i < count; i++) {
        if (fields[i][0] == '=')
            job->block = bytes_of(fields[i] + 1, &job->block_size);
        else
            values[job->value_count++] = bytes_of(fields[i], &size);
    }
}

static void fill_end(struct job *job, char *const fields[])
{
    int state = job_state_of(fields[4]);
    job->state = state < 0 ? JOB_DONE : (enum job_state)state;
    job->exit_status = atoi(fields[5]);
    job->signal = atoi(fields[6]);
    job->error = atoi(fields[7]);
    job->wall = atoll(fields[9]);
    job->user = atoll(fields[10]);
    job->system = atoll(fields[11]);
    job->peak_memory = atoll(fields[12]);
    keep(&job->out, fields[14]);
    keep(&job->err, fields[15]);
}

static int run_line(struct journal *journal, struct job *job, char *line)
{
    char *fields[FIELDS];
    int count = 0;
    struct job_note note = job->note;
    struct job_watcher *watcher = journal_watcher(journal);
    line[strcspn(line, "\n")] = '\0';
    for (char *next = line; next && count < FIELDS;)
        fields[count++] = strsep(&next, "\t");
    if (count < 16)
        return -1;
    fill(job, fields, count);
    job->note = note;
    if (job->attempt == 1 && !journal_wants(journal, job))
        return 0;
    job->state = JOB_RUNNING;
    int error = watcher->starts(watcher, job);
    if (error < 0 || strcmp(fields[0], "starts") == 0)
        return error;
    fill_end(job, fields);
    return watcher->ended(watcher, job, strcmp(fields[0], "final") == 0);
}

int main(int argc, char **argv)
{
    static struct job job;
    if (argc < 5)
        return 2;
    struct journal_options options = {
        .path = argv[1],
        .resume = strcmp(argv[2], "resume") == 0,
        .resume_failed = strcmp(argv[2], "resume-failed") == 0,
        .slots = atoi(argv[3]),
        .memory_limit = atoll(argv[4]),
        .memory_limit_by = atoll(argv[4]) > 0 ? "watching" : NULL,
        .words = (const char *const *)argv + 5,
        .word_count = argc - 5,
    };
    struct journal *journal;
    char *line = NULL;
    size_t room = 0;
    memory = job.memory = job_memory_new();
    if (!memory || journal_open(&journal, &options) < 0)
        return 1;
    int error = 0;
    while (error == 0 && getline(&line, &room, stdin) > 0)
        error = run_line(journal, &job, line);
    free(line);
    job_memory_free(memory);
    return error < 0 || journal_watcher(journal)->close(journal_watcher(journal)) < 0;
}
