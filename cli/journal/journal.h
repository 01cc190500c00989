/*
 * The journal of a run: an SQLite file with a row for each job, for --resume, for salp report, and for whoever asks with SQL.
 *
 * A row is written when an attempt starts and when it ends. Several are committed at a time (each 50 ms, and each 1000 rows), in
 * WAL mode; the program is told of a full disk before it starts more. A row that says that it runs, in a journal whose
 * program is gone, is a job that has to be run again. One writer: a second program that opens it is refused, with the pid of
 * the first. The tables are part of the interface: docs/map.md.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_JOURNAL_H
#define CLI_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "job/job.h"
#include "job/watcher.h"

struct journal_options {
    const char *path;
    bool resume;        /* go on with it: jobs that are done are skipped. Else a file with jobs in it is refused */
    bool resume_failed; /* likewise, but failed ones are run again */
    const char *const *words; /* the command, kept; another command than the kept one is refused */
    int word_count;
    int slots;
};

struct journal;

/* Errors were told, with what to do. -EEXIST: there are jobs in it, and `resume` was not asked for. -EBUSY: another program writes it. */
int journal_open(struct journal **journal, const struct journal_options *options);

/* Is it still to be run? Inputs that occur several times in the list are as many jobs. Negative error, told. 1: yes, 0: no (state JOB_SKIPPED) */
int journal_wants(struct journal *journal, struct job *job);

/* To be told of all jobs. Its `close` closes the journal. */
struct job_watcher *journal_watcher(struct journal *journal);

/* Not opened as a writer, but for salp report: journal/reader.h. */

#endif
