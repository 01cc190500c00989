/*
 * How fast jobs end now, and how long the others will take: from the recent past.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_ESTIMATE_H
#define CLI_MAP_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

enum { MAP_ESTIMATE_MARKS = 64 };

/* All zeros: nothing has begun. */
struct map_estimate {
    /* How much was done when, oldest first, the beginning always. */
    struct {
        int64_t at;
        double done;
    } marks[MAP_ESTIMATE_MARKS];
    int count;
    int64_t step; /* nanoseconds: marks lie at least so far apart */
};

/* So much is done now: jobs that have ended, and parts of those that run. Times are nanoseconds of one clock. */
void map_estimate_mark(struct map_estimate *estimate, int64_t now, double done);

/* Jobs a second, lately; 0: not known. */
double map_estimate_rate(const struct map_estimate *estimate, int64_t now, double done);

#endif
