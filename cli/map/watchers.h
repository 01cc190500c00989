/*
 * Those who look on, and are no more than that (job/watcher.h). Each is made by a function that returns NULL when there is
 * no memory, or, where a file is opened, when that was told to standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_WATCHERS_H
#define CLI_MAP_WATCHERS_H

#include <stdbool.h>

#include "job/watcher.h"
#include "output/output.h"

/* The line at the bottom of the terminal that standard error is: done, running, failed, rate, time left. Where it cannot be
   drawn anew, lines follow each other: that is for those who ask for it. To be closed before the summary. */
bool map_progress_fits(void);
struct job_watcher *map_progress_new(void);

/* Counts, failures with their causes, slowest jobs, use of processors: to standard error, at the end. */
struct job_watcher *map_summary_new(int slots);

/* GNU parallel's --joblog. `append`: it is gone on with. */
struct job_watcher *map_joblog_new(const char *path, bool append);

/* --json: one line for each job, through `*output` (which is opened later than this is made, with OUTPUT_NOT_SHOWN). Its `ended`
   has to be called between output_collect and output_end. */
struct job_watcher *map_records_new(struct output **output);

#endif
