/*
 * What a loop looks at between its pieces: whether it is to end, and whether it is worth waking somebody.
 *
 * A loop of a plain thread, in a scope, and of a task, is run by the pool while they wait, so it is the waiting that
 * ends with the scope (entrance.c). But a job, or an item of a map, that has opened a scope runs its loop itself, and
 * does not wait. Then whoever runs a piece looks at that scope, and ends the run for all.
 *
 * Nobody is woken at the beginning of a loop, if nothing is known of it, or if it was short the last time (history.h).
 * Who runs it from its left end on wakes a thread when some time is over, and as much is still to come: about as long as
 * it takes until somebody is there. A loop that took longer the last time, or would have, with as many indices as now,
 * wakes a thread at once: its first piece may be a long one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__VIGIL_H
#define SALP__VIGIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/parallel.h>

#include "pool/crew.h"
#include "pool/history.h"

typedef struct salp__vigil {
    const struct salp__scope *scope; /* that of the caller, if nobody else looks at it [const after enter] */
    salp__history *history;          /* NULL: nothing is remembered [const after enter] */
    uintptr_t body;                  /* what is remembered [const after enter] */
    size_t count;                    /* of its indices [const after enter] */
    bool summoned;                   /* [owner: who runs the loop from its left end on] */
    int64_t began;                   /* the same */
} salp__vigil;

/* As salp__enter, which wakes nobody. `body`: what the program wants done with `count` indices; 0: it is not to be remembered
   how long that takes. `run` NULL: there is nothing to do, and only the errors are told. */
int salp__vigil_enter(salp__vigil *vigil, salp_pool *pool, uintptr_t body, size_t count, salp_fork_fn *run,
                      salp_fork_job *job);

/* The loop begins, now; and ends, with this error or 0. Who runs it from its left end on. */
void salp__vigil_begin(salp__vigil *vigil, const salp_worker *worker, int64_t now);
void salp__vigil_end(const salp__vigil *vigil, int error);

/* 0, or the error that the loop ends with; once there is one it stays. Whoever runs a piece of it. */
int salp__vigil_ended(const salp__vigil *vigil, const salp_worker *worker);

/* Wakes somebody, perhaps: `done` of `all` is done now. */
void salp__vigil_summon(salp__vigil *vigil, const salp_worker *worker, int64_t now, size_t done, size_t all);

#endif
