/*
 * What salp worth has found out: which jobs there are, which of them were run, what the others will take.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_WORTH_H
#define CLI_WORTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <salp/task.h>
#include <salp/worth.h>

#include "input/source.h"
#include "input/template.h"
#include "job/memory.h"
#include "map/options.h"

/* A job as it waits to be run. */
struct worth_job {
    uint64_t number;
    const char *const *argv;
    const char *line;
    const void *block; /* for its standard input; NULL: that is empty */
    size_t block_size;
};

/* How far a job is. */
enum worth_mark { WORTH_NOT_RUN, WORTH_BEGUN, WORTH_DONE, WORTH_FAILED };

struct worth {
    const struct map_options *options;
    int64_t budget; /* nanoseconds; 0: as it is best */
    int line;       /* readable when the user has sent a signal (map/guard.h) */
    salp_scope scope;

    struct job_memory *memory; /* of all jobs */
    struct worth_job *jobs;
    size_t count, room, bytes;
    bool more;            /* there are jobs behind those, which were not looked at */
    unsigned char *marks; /* enum worth_mark of each; shared with the processes of the sample */

    int64_t first;            /* nanoseconds that the first job took, which warms up */
    bool sampled;             /* the report is there: it is about all jobs but the first */
    salp_worth_report report; /* its best plan is one of salp map's: in line, or threads, which stand for slots */
};

/* Takes over a job from the source: all that it needs is copied. 1; 0: there are enough, and this one is not kept; -ENOMEM. */
int cli_worth_keep(struct worth *worth, const struct job *job);

/* Runs the first job, and a sample of the others. In a task. Errors: of starting the first; of salp_worth; of its scope. */
int cli_worth_sample(struct worth *worth);

void cli_worth_close(struct worth *worth);

/* For people, and for programs (-ENOMEM). */
void cli_worth_write_text(FILE *file, const struct worth *worth);
int cli_worth_write_json(FILE *file, const struct worth *worth);

#endif
