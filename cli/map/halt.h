/*
 * When a run is over before all jobs are (--halt), and what its exit status is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_HALT_H
#define CLI_MAP_HALT_H

#include <stdbool.h>
#include <stdint.h>

#include "job/job.h"
#include "map/options.h"
#include "map/run.h"

/* Is it over, with what has become of jobs so far? `total`: how many there are in all; 0: not known, and a percentage of it is
   not reached. */
bool map_halt_reached(const struct map_halt *halt, const struct map_result *result, uint64_t total);

/* Is it over with this job, which was counted last? Then the result says so. */
bool map_halt_due(const struct map_halt *halt, struct map_result *result, const struct job *job);

/*
 * How many jobs have failed, MAP_EXIT_MANY at most. But, as GNU parallel has it, of a run that --halt has ended: on the first
 * failure the exit status of that job; on a percentage of failures the percentage that has failed; on success 0.
 */
int map_halt_exit_status(const struct map_halt *halt, const struct map_result *result, uint64_t total);

#endif
