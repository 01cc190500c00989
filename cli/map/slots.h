/*
 * How many jobs may run at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_SLOTS_H
#define CLI_MAP_SLOTS_H

#include "map/options.h"

/*
 * The number that -j means now, at least 1, and no more than the system has descriptors for. Of a file it is read again with
 * each call. -EINVAL: there is no such number in the file, or no such file; was told.
 */
int map_slots_count(const struct map_slots *slots);

/* How many processors this program may use, rounded up. */
int map_slots_processors(void);

#endif
