/*
 * Runs the jobs: so many at a time as there are slots, with what the user wants of time-outs, retries, halts and limits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_RUN_H
#define CLI_MAP_RUN_H

#include "input/source.h"
#include "input/template.h"
#include "job/watcher.h"
#include "journal/journal.h"
#include "map/options.h"
#include "output/output.h"

/* All of it is the caller's. */
struct map_run {
    const struct map_options *options;
    struct input_source *source;
    struct template *template;
    struct output *output;
    struct journal *journal; /* NULL: none; it is asked what is still to be run */
    struct job_watcher *const *watchers;
    int watcher_count;
};

/* What has become of all jobs. */
struct map_result {
    uint64_t done, failed, skipped; /* jobs; `failed` are all that ended otherwise than JOB_DONE, for good */
    bool halted;                    /* --halt */
    int signal;                     /* the user has ended it: SIGINT, SIGTERM, SIGHUP */
    int error;                      /* that has ended the run, told; 0: none */
};

/* Called in a task. Returns when all has ended; nothing that it started runs then. */
void map_run(const struct map_run *run, struct map_result *result);

#endif
