/*
 * What a worker process keeps, and the parts of its work: the stretch of results (stretch.c), running items (run.c),
 * and coming to a call (worker.c, which tells it whole).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__STRETCH_H
#define SALP__STRETCH_H

#include "base/assert.h"
#include "os/file.h"
#include "os/process.h"
#include "pool/control.h"

/* What this process keeps for a slot from one call to the next: mappings stay good, since file offsets do. */
typedef struct salp__view {
    salp__span mapped; /* part of the arena */
    const char *region;
    uint64_t ticket; /* of the call that `context` is a copy for */
    void *context;
} salp__view;

typedef struct salp__worker {
    salp__control *control;
    int index;
    salp__place *place;
    const int *mine; /* I4 */
    pid_t pid;
    salp__file_identity arena; /* I5 */
    size_t ran, limit;         /* items; limit SIZE_MAX: none */
    salp__view views[SALP__SLOTS];
    char *modules[SALP__MODULES]; /* load biases, found so far */
    char *own_results;            /* its own window, mapped */
    int *own_errors;

    /* The call that it is attached to. */
    int slot;
    const salp__params *params;
    salp__live *live;
    salp__function function;
    void *context;
    salp__window window;
    char *results; /* the window in use: its own, or one of the call's */
    int *errors;
    bool failed;   /* an item of the stretch did not return 0 */
    bool negative; /* one returned a negative number */
    int64_t stretch_began;
    uint64_t piece; /* items to run between two looks at the clock */
} salp__worker;

static inline void salp__set_stage(salp__worker *w, uint32_t stage)
{
    /* release: what the stage speaks of was stored before. The steward reads it after the death of this process, which
       orders everything; while it lives, a stale value only delays a time limit. */
    atomic_store_explicit(&w->place->stage, stage, memory_order_release);
}

static inline uint64_t salp__get(const _Atomic uint64_t *own)
{
    return atomic_load_explicit(own, memory_order_relaxed); /* only this process writes it */
}

static inline void salp__set(_Atomic uint64_t *own, uint64_t value)
{
    atomic_store_explicit(own, value, memory_order_relaxed); /* published by the stage or by `done` */
}

static inline void salp__leave_if_forked(const salp__worker *w)
{
    if (SALP__UNLIKELY(!*(volatile const int *)w->mine))
        salp__process_leave(0); /* I4 */
}

static inline bool salp__stopped(const salp__worker *w)
{
    return atomic_load_explicit(&w->live->signal, memory_order_relaxed) & SALP__STOP;
}

static inline void salp__note_result(salp__worker *w, uint64_t position, int result)
{
    w->errors[position] = result;
    w->failed = true;
    w->negative |= result < 0;
}

/* ---- stretch.c ---- */

/* Ends the whole call with an error. */
void salp__refuse(salp__worker *w, int error);

/* Writes to the arena, unless a job has taken its descriptor away: then a new worker has to take over (I5). */
int salp__put(salp__worker *w, const void *data, uint64_t size, uint64_t offset);
void salp__check_descriptors(salp__worker *w);

/* Hands the results over and begins an empty stretch. */
void salp__stretch_deliver(salp__worker *w);

/* Makes the stretch ready for items from `begin` on; returns how many it can take, at most `count`. */
uint64_t salp__stretch_extend(salp__worker *w, uint64_t begin, uint64_t count);

/* ---- run.c ---- */

/* Runs what is left of the call that the worker is attached to. */
void salp__run_call(salp__worker *w);
void salp__run_message(salp__worker *w);

/* Says that there is nothing to claim of it. */
void salp__not_runnable(salp__worker *w);

#endif
