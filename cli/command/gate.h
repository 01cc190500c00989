/*
 * When the next job may be started: --delay, --load, --memfree, make's tokens. One task at a time waits here, before each start.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_GATE_H
#define CLI_COMMAND_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "map/jobserver.h"
#include "map/options.h"

struct map_gate {
    const struct map_options *options;
    struct map_jobserver *jobserver; /* NULL: none */
    struct salp_event *token;        /* there may be one; with a jobserver */
    int passed;                      /* jobs that have passed and not left; make's own token is for one of them */
    int64_t next_start;              /* not before: --delay */
    int64_t looked_at;               /* when the load and the memory were looked at */
    double load;                     /* as it was then */
    int running_then;                /* jobs */
    int64_t available;               /* bytes, then */
};

int map_gate_open(struct map_gate *gate, const struct map_options *options, struct map_jobserver *jobserver);
void map_gate_close(struct map_gate *gate);

/* Waits until a job may be started beside `running` others; map_gate_leave is to be called when it has ended, or was not
   started. Errors: of the scope; then nothing was taken. */
int map_gate_pass(struct map_gate *gate, int running);
void map_gate_leave(struct map_gate *gate);

/* Bytes that programs may still take without others being pushed out (MemAvailable); -1: not known. */
int64_t map_memory_available(void);

#endif
