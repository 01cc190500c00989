/*
 * A run: what is given to whoever runs the jobs (command/commands.h, function/function.h), and what has become of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_RUN_H
#define CLI_MAP_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <salp/time.h>

#include "map/inherited.h"

/* For what jobs have written to be shown, after the user has ended them. */
#define MAP_LAST_WORDS SALP_SECONDS(2)

struct input_source;
struct input_template;
struct job;
struct job_audience;
struct journal;
struct map_cgroups;
struct map_compile;
struct map_jobserver;
struct map_options;
struct map_past;
struct output;

/* All of it is the caller's. */
struct map_run {
    const struct map_options *options;
    struct input_source *source;
    struct input_template *template;
    struct output *output;
    struct journal *journal;     /* NULL: none; it is asked what is still to be run */
    const struct map_past *past; /* of a joblog: what is not to be run again; NULL: nothing is known */
    struct job_audience *audience;
    bool learns_total;                 /* how many jobs there are is wanted before all were run */
    int slots;                         /* jobs at a time at most */
    struct map_jobserver *jobserver;   /* make's; NULL: none */
    struct map_inherited inherited;    /* what jobs get beside their standard descriptors */
    struct map_cgroups *cgroups;       /* for --memory-limit; NULL: the memory is watched */
    const struct map_compile *compile; /* of a function's source (function/compile.h) */
    int line;                          /* bytes: signals that the user sends (map/guard.h); -1: none */
    pid_t front;                       /* the process that the user has started */
};

/* What has become of all jobs. */
struct map_result {
    uint64_t done, failed,
        skipped;        /* jobs; `failed` are all that ended otherwise than JOB_DONE, by themselves and for good */
    bool halted;        /* --halt */
    int halting_status; /* of the job that has failed then: its exit status, 128 and the signal, or MAP_EXIT_ERROR */
    int signal;         /* the user has ended it: SIGINT, SIGTERM, SIGHUP */
    int error;          /* that has ended the run, told; 0: none. -EPIPE is not told */
    int exit_status;    /* MAP_EXIT_NOT_RUN, MAP_EXIT_NO_COMMAND: there is nothing to execute, told; 0: there is */
    uint64_t total;     /* jobs in all; 0: not known */
};

/* Is the job still to be run, by what the journal or the joblog of an earlier run says? To be asked once for each job. */
bool map_run_wants(const struct map_run *run, struct job *job);

/* A line to standard error, the progress out of the way. */
void map_run_say(const struct map_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
