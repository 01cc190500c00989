/*
 * What an earlier run has done, by its joblog: for --resume and --resume-failed without a journal, and for --retry-failed. As
 * with GNU parallel, jobs are known by their numbers, so the inputs have to be the same.
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

enum map_past_wish {
    MAP_PAST_RESUME,        /* those that failed are done, too */
    MAP_PAST_RESUME_FAILED, /* they are not */
    MAP_PAST_COMMANDS,      /* nor here, and their commands are wanted: --retry-failed */
};

/* Reads it before it is written to. No such file: nothing is done, but where commands are wanted, that is an error. NULL: why was
   told. */
struct map_past *map_past_read(const char *path, enum map_past_wish wish);

/* With MAP_PAST_COMMANDS: those of the numbers 1, 2, ... A number that is not in the log is done, and has "". They stay as long as
   the past. */
const char *const *map_past_commands(const struct map_past *past, int *count);

bool map_past_has(const struct map_past *past, uint64_t number);
void map_past_free(struct map_past *past); /* accepts NULL */

#endif
