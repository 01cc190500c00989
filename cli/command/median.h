/*
 * The median of how long jobs have taken, for --timeout 200%. Flat in memory, and as exact as one part in 64.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_MEDIAN_H
#define CLI_COMMAND_MEDIAN_H

#include <stdint.h>

enum { MAP_MEDIAN_BUCKETS = 64 * 64 };

/* All zeros at first. Lengths are counted by their highest bit and the six bits below it. */
struct map_median {
    uint64_t total;
    uint64_t counts[MAP_MEDIAN_BUCKETS];
};

void map_median_add(struct map_median *median, int64_t length);

/* Not less than the median, and at most a 64th more. 0: nothing was added. */
int64_t map_median_get(const struct map_median *median);

#endif
