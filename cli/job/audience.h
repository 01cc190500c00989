/*
 * All who look on in a run (job/watcher.h), in the order in which they are told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_AUDIENCE_H
#define CLI_JOB_AUDIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "job/watcher.h"

enum { JOB_WATCHERS_MAX = 5 };

struct job_audience {
    struct job_watcher *watchers[JOB_WATCHERS_MAX];
    int count;
};

/* The first error ends the telling: nothing is to start then. */
int job_audience_tell_start(const struct job_audience *audience, const struct job *job);

/* Tells all of them, so that each knows what has become of it. The first error. */
int job_audience_tell_end(const struct job_audience *audience, const struct job *job, bool final);

void job_audience_tell_total(const struct job_audience *audience, uint64_t jobs);

/* Makes what is drawn make way for what is written, and come back afterwards. */
void job_audience_move(const struct job_audience *audience, bool away);

/* Does one of them want to be called while time goes by? Then a task is to run this (arg: the audience) until it is cancelled. */
bool job_audience_ticks(const struct job_audience *audience);
int job_audience_tick(void *audience);

#endif
