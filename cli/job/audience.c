/*
 * Tells one after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job/audience.h"

#include <salp/task.h>

int job_audience_tell_start(const struct job_audience *audience, const struct job *job)
{
    int error = 0;
    for (int i = 0; i < audience->count && error == 0; i++) {
        struct job_watcher *watcher = audience->watchers[i];
        if (watcher->starts)
            error = watcher->starts(watcher, job);
    }
    return error;
}

int job_audience_tell_end(const struct job_audience *audience, const struct job *job, bool final)
{
    int first = 0;
    for (int i = 0; i < audience->count; i++) {
        struct job_watcher *watcher = audience->watchers[i];
        int error = watcher->ended ? watcher->ended(watcher, job, final) : 0;
        if (first == 0)
            first = error;
    }
    return first;
}

void job_audience_tell_total(const struct job_audience *audience, uint64_t jobs)
{
    for (int i = 0; i < audience->count; i++) {
        struct job_watcher *watcher = audience->watchers[i];
        if (watcher->total)
            watcher->total(watcher, jobs);
    }
}

void job_audience_move(const struct job_audience *audience, bool away)
{
    for (int i = 0; i < audience->count; i++) {
        struct job_watcher *watcher = audience->watchers[i];
        void (*move)(struct job_watcher *) = away ? watcher->gives_way : watcher->comes_back;
        if (move)
            move(watcher);
    }
}

/* The shortest that a watcher wants; 0: none does. */
static int64_t period_of(const struct job_audience *audience)
{
    int64_t shortest = 0;
    for (int i = 0; i < audience->count; i++) {
        int64_t period = audience->watchers[i]->period;
        if (period > 0 && (shortest == 0 || period < shortest))
            shortest = period;
    }
    return shortest;
}

bool job_audience_ticks(const struct job_audience *audience)
{
    return period_of(audience) > 0;
}

int job_audience_tick(void *arg)
{
    const struct job_audience *audience = arg;
    while (salp_sleep(period_of(audience)) == 0) {
        for (int i = 0; i < audience->count; i++) {
            struct job_watcher *watcher = audience->watchers[i];
            if (watcher->tick)
                watcher->tick(watcher);
        }
    }
    return 0;
}
