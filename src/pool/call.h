/*
 * A call of a pool: one map, starmap, apply or message, from the moment it was checked until its result is known.
 *
 * A synchronous call lies in its caller's frame; an asynchronous one is allocated, and freed by salp__call_finish.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CALL_H
#define SALP__CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/pool.h>

#include "base/list.h"
#include "lockfree/lanes.h"
#include "task/spell.h"

/* How often the user is told of progress, at most. */
enum { SALP__PROGRESS_INTERVAL = SALP_MILLISECONDS(50) };

typedef enum salp__kind {
    SALP__JOB,
    SALP__STARJOB,
    SALP__MESSAGE,
} salp__kind;

typedef union salp__function {
    salp_job *job;
    salp_starjob *starjob;
    salp_bytes_job *bytes_job;
    void *address; /* for comparing and finding only */
} salp__function;

/* Items are claimed in units, since a lane counts to 2^32: a unit is a chunk when one was given. */
typedef struct salp__units {
    size_t size;    /* items in a unit */
    uint32_t count; /* of units */
    uint32_t fixed; /* units to claim at a time; 0: to be found out */
} salp__units;

/* `limited`: workers are replaced after a number of items, so that a chunk may have to be cut. */
static inline salp__units salp__units_of(size_t count, size_t chunk, bool limited)
{
    size_t size = chunk > 0 && !limited ? chunk : 1;
    if (size > count && count > 0)
        size = count;
    while ((count + size - 1) / size > UINT32_MAX)
        size *= 2;
    size_t fixed = chunk == 0 ? 0 : limited && chunk > size ? chunk / size : 1;
    return (salp__units){
        .size = size,
        .count = (uint32_t)((count + size - 1) / size),
        .fixed = fixed > UINT32_MAX ? UINT32_MAX : (uint32_t)fixed,
    };
}

/* What the engine of threads keeps of a call. */
typedef struct salp__thread_call {
    salp__units units;
    void *block;                  /* what holds the next two */
    struct salp__runner *runners; /* one for each worker, and the last for the caller */
    salp__lane *lanes;            /* likewise */
    int runner_count;
    _Atomic bool telling;    /* acquire and release: a lock around on_progress that nobody waits for */
    int64_t told_at;         /* [telling] */
    bool woken;              /* [lock: engine] the workers were told of it */
    _Atomic uint32_t signal; /* SALP__STOP, SALP__HUNGRY */
    _Atomic size_t done;     /* items that ended; relaxed: for progress only */
    int active;              /* [lock: engine] runners at work on it */
    bool drained;            /* [lock: engine] nothing to claim, until somebody returns some */
    int override;            /* [lock: engine] the result when it was stopped from outside, or 0 */
    _Atomic bool finished;   /* release: the result of every item is written; acquire in the waiting caller */
} salp__thread_call;

/* What the engine of processes keeps of a call. */
typedef struct salp__process_call {
    int slot;             /* index of its place in the control block, once it has one */
    size_t progress_told; /* what on_progress was told last */
    int64_t progress_at;
    bool slept;    /* a worker had to be woken for it */
    uint64_t room; /* bytes of room that its answer was given; 0: none */
    /* The result when it was cancelled, or 0. Written under the engine's lock; relaxed where the call ends: who cancels it then
       may come too late. */
    _Atomic int override;
    salp__spell spell; /* of its beginning, in a task */
} salp__process_call;

typedef struct salp__call {
    salp__list link; /* [lock: engine] */
    salp_pool *pool;
    salp__kind kind;
    salp__function function;
    salp_column columns[SALP_COLUMNS_MAX];
    int column_count;
    void *out;
    size_t out_size;
    size_t count;
    salp_buffer *answer; /* of a message */
    salp_map_options options;
    salp_future *future; /* NULL: synchronous */
    bool awaited;        /* its caller waits for the future, and cancels it when a scope is over */
    void *copies;        /* of inputs and context that had to be copied; freed with an asynchronous call */
    union {
        salp__thread_call threads;
        salp__process_call processes;
    } engine;
} salp__call;

/* Bits of a call's signal word, looked at before each item. */
enum {
    SALP__STOP = 1,   /* start no more items */
    SALP__HUNGRY = 2, /* somebody has nothing to do */
};

/* An asynchronous call has its result: resolves the future, runs on_done, frees the call, counts it as ended. */
void salp__call_finish(salp__call *call, int result);

/* Whether the job's failures have to be told one by one. */
static inline bool salp__call_reports(const salp__call *call)
{
    return call->options.on_failure != NULL;
}

#endif
