/*
 * Reading a journal, also while it is written: what was committed when the reader was opened, and nothing that comes later.
 *
 * Texts and bytes that are given out belong to the reader, until the next call for the same kind of thing. When one has come to
 * its end, the next call begins again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_READER_H
#define CLI_JOURNAL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

struct journal_reader;

/* Errors were told to standard error, beginning with `program` ("salp report"), which stays. */
int journal_reader_open(struct journal_reader **reader, const char *path, const char *program);
void journal_reader_close(struct journal_reader *reader); /* accepts NULL */

/* Is a program writing it? */
bool journal_reader_is_written(const struct journal_reader *reader);

struct journal_bytes {
    const char *data; /* NULL: there is none */
    size_t size;
};

/* The words of the command, one after the other: 1; 0: that was all. Negative error, told. So do those below. */
int journal_reader_word(struct journal_reader *reader, struct journal_bytes *word);

/* No time, no size and no number of a job that is given out is below 0 or above this, whatever the file says: two can be added. */
#define JOURNAL_AMOUNT_MAX (INT64_MAX / 2)

/* A run of salp map with this journal. Times are nanoseconds since 1970. */
struct journal_run {
    int64_t run; /* from 1 */
    const char *version, *host, *folder;
    int64_t process;
    int slots;
    int64_t memory_limit;        /* bytes; 0: none */
    const char *memory_limit_by; /* "cgroup", "watching"; NULL: there is none */
    int64_t started;
    int64_t ended; /* 0: it runs, or was killed */
};

int journal_reader_run(struct journal_reader *reader, struct journal_run *run);

/* A job, as far as its last attempt has come. Where a number is not known it is 0, an exit status -1. */
struct journal_row {
    uint64_t row, number;
    int64_t run;
    struct journal_bytes input, line, cause;
    int64_t block_size; /* -1: it had no block */
    enum job_state state;
    bool broken_off; /* it says that it runs, and its program is gone */
    bool final;
    int attempt, slot, exit_status, signal;
    int64_t started, ended;
    int64_t user, system, peak_memory;
    uint64_t out_size, err_size;
};

enum journal_which { JOURNAL_LAST, JOURNAL_RETRIED }; /* attempts; earlier ones have no number, inputs and line */

/* Jobs by their rows; attempts before the last one, in any order. */
int journal_reader_row(struct journal_reader *reader, enum journal_which which, struct journal_row *row);

struct journal_output {
    struct journal_bytes out_head, out_tail, err_head, err_tail;
};

/* What a job's last attempt has written: 1, or 0: nothing. */
int journal_reader_output(struct journal_reader *reader, uint64_t row, struct journal_output *output);

#endif
