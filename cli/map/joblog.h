/*
 * What an earlier run has done, by its joblog: for --resume and --resume-failed without a journal. As with GNU parallel,
 * jobs are known by their numbers, so the inputs have to be the same.
 *
 * (Writing one: map_joblog_new in map/watchers.h.)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_JOBLOG_H
#define CLI_MAP_JOBLOG_H

#include <stdbool.h>
#include <stdint.h>

struct map_past;

/* Reads it before it is written to. `failed_too`: those that failed are done, too (--resume; not --resume-failed). No such file:
   nothing is done. NULL: why was told. */
struct map_past *map_past_read(const char *path, bool failed_too);

bool map_past_has(const struct map_past *past, uint64_t number);
void map_past_free(struct map_past *past); /* accepts NULL */

#endif
