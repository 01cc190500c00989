/* The median of how long jobs have taken. SPDX-License-Identifier: MIT */
#include "command/median.h"

enum { FINE = 6 };

static int highest_bit(uint64_t number)
{
    return 63 - __builtin_clzll(number | 1);
}

static int bucket_of(uint64_t length)
{
    int high = highest_bit(length);
    return high < FINE ? (int)length
                       : ((high - FINE + 1) << FINE) + (int)((length >> (high - FINE)) & ((1 << FINE) - 1));
}

/* The largest length in it. */
static uint64_t end_of(int bucket)
{
    int high = (bucket >> FINE) + FINE - 1;
    if (high < FINE)
        return (uint64_t)bucket;
    uint64_t first = ((UINT64_C(1) << FINE) + (uint64_t)(bucket & ((1 << FINE) - 1))) << (high - FINE);
    return first + (UINT64_C(1) << (high - FINE)) - 1;
}

void map_median_add(struct map_median *median, int64_t length)
{
    median->counts[bucket_of(length > 0 ? (uint64_t)length : 0)]++;
    median->total++;
}

int64_t map_median_get(const struct map_median *median)
{
    uint64_t below = 0;
    for (int i = 0; i < MAP_MEDIAN_BUCKETS; i++) {
        below += median->counts[i];
        if (below * 2 >= median->total && below > 0)
            return (int64_t)end_of(i);
    }
    return 0;
}
