/*
 * salp map: what is there before and after its loop (map.c), and what it opens, runs and closes in it (map_parts.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_H
#define CLI_MAP_H

#include <stdbool.h>

#include <salp/task.h>

#include "function/compile.h"
#include "job/audience.h"
#include "map/guard.h"
#include "map/inherited.h"
#include "map/options.h"
#include "map/run.h"
#include "map/spool.h"

struct map {
    struct map_options options;
    struct map_inherited inherited;
    struct map_jobserver *jobserver;
    struct map_cgroups *cgroups;
    struct map_compile compile;
    struct map_spool spool;
    struct map_guard guard;
    int slots;

    /* Of the run. */
    struct input_source *source;
    struct input_template *template;
    bool counted; /* it knows how many jobs there are */
    struct output *output;
    struct journal *journal;
    struct map_past *past;
    struct job_audience audience;
    struct map_result result;
    salp_scope *opening; /* what is opened may wait for somebody, who may never come */
    int lost;            /* the first error of those that are closed */
};

/* Is there a line that tells how far the jobs are? By itself not where they write to the terminal themselves: it would be in
   their way. */
bool cli_map_shows_progress(const struct map_options *options);

/* The main task of the loop (arg: struct map): opens the parts, runs the jobs, closes all. `result` and `lost` tell the rest. */
int cli_map_run(void *map);

#endif
