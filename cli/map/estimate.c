/*
 * A rate from the recent past: what was done since a mark, by the time since then. The mark is the newest that is a third of
 * the run ago, and ten seconds, and four jobs; or the beginning. So a run of an hour follows what has changed twenty minutes
 * ago, and one of few long jobs is not thrown about by each that ends. While nothing ends, the rate falls.
 *
 * Marks are set at equal distances. When there is no room for another, every second one is dropped, and the distance doubled:
 * they reach back to the beginning, and there are at least ten in any third of the run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/estimate.h"

#include <salp/time.h>

enum { SHARE = 3, JOBS = 4 };

static const int64_t first_step = SALP_MILLISECONDS(100), least = SALP_SECONDS(10);

static void drop_every_second(struct map_estimate *e)
{
    e->count /= 2;
    for (int i = 0; i < e->count; i++)
        e->marks[i] = e->marks[2 * i];
    e->step *= 2;
}

void map_estimate_mark(struct map_estimate *e, int64_t now, double done)
{
    if (e->step == 0)
        e->step = first_step;
    if (e->count > 0 && now - e->marks[e->count - 1].at < e->step)
        return;
    if (e->count == MAP_ESTIMATE_MARKS)
        drop_every_second(e);
    e->marks[e->count].at = now;
    e->marks[e->count++].done = done;
}

double map_estimate_rate(const struct map_estimate *e, int64_t now, double done)
{
    if (e->count == 0)
        return 0;
    int64_t span = (now - e->marks[0].at) / SHARE;
    if (span < least)
        span = least;
    int from = e->count - 1;
    while (from > 0 && (now - e->marks[from].at < span || done - e->marks[from].done < JOBS))
        from--;
    double more = done - e->marks[from].done, time = (double)(now - e->marks[from].at);
    return more > 0 && time > 0 ? more / time * 1e9 : 0;
}
