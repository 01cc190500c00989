/*
 * What a journal says in figures: counts, times, the slowest jobs, how durations are distributed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_REPORT_FIGURES_H
#define CLI_REPORT_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/reader.h"

enum {
    REPORT_STATES = JOB_SKIPPED + 1,
    REPORT_SLOWEST = 20,
    REPORT_LINE = 256,    /* bytes of a command that are kept */
    REPORT_OCTAVE = 8,    /* bins of the histogram from one duration to twice as much */
    REPORT_BINS = 64 * 8, /* from a nanosecond to more than a century */
};

struct report_run {
    int64_t run, started;
    int64_t ended;   /* as far as jobs tell, if it was broken off or runs */
    bool broken_off; /* its program is gone, and has not closed the journal */
    bool is_running;
    int slots;
    uint64_t jobs; /* whose last attempt was in it */
    int64_t process, memory_limit;
    char *version, *host, *folder, *memory_limit_by; /* NULL: not known */
};

struct report_slow {
    uint64_t row, number;
    int64_t time;
    enum job_state state;
    char line[REPORT_LINE]; /* its beginning */
};

struct report_figures {
    char *command; /* its words, with blanks between them */
    size_t command_size;
    struct report_run *runs;
    int run_count;

    uint64_t jobs;
    uint64_t counts[REPORT_STATES]; /* of the last attempts; those broken off are not in JOB_RUNNING */
    uint64_t broken_off;
    uint64_t failed;  /* jobs that have failed for good, in any way */
    uint64_t retried; /* attempts before the last one */
    uint64_t ended;   /* jobs that have begun and ended */

    int64_t wall;         /* nanoseconds of all runs */
    int64_t room;         /* the same times the slots of each */
    int64_t busy;         /* nanoseconds of all attempts */
    int64_t user, system; /* likewise, of the processors */
    int64_t shortest, longest;
    int64_t peak_memory; /* bytes, of the job that has had most */
    uint64_t peak_number;
    uint64_t out_size, err_size; /* bytes */

    struct report_slow slowest[REPORT_SLOWEST]; /* the slowest first */
    int slowest_count;
    uint64_t bins[REPORT_BINS]; /* jobs by duration: bin i begins at 2^(i/8) ns */
};

/* Reads the whole journal once. Negative error, told. To be freed in any case. */
int report_figures_read(struct report_figures *figures, struct journal_reader *reader, const char *program);
void report_figures_free(struct report_figures *figures);

/* Has it failed for good? Not what was halted or broken off: that is still to be run. */
bool report_has_failed(const struct journal_row *row);

/* Nanoseconds that an attempt has taken; -1: it has not begun, or not ended. */
int64_t report_time(const struct journal_row *row);

/* The duration that so much of all jobs do not exceed (0 to 1), as exact as the bins are: 4 per cent. 0: there is none. */
int64_t report_quantile(const struct report_figures *figures, double part);

/* The word for what has become of it: its state's, or "broken off". */
const char *report_state_name(const struct journal_row *row);

#endif
