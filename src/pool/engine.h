/*
 * What a pool asks of its engine, and the pool itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ENGINE_H
#define SALP__ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <salp/pool.h>

#include "base/list.h"
#include "os/thread.h"
#include "pool/call.h"

typedef struct salp__engine {
    /* Starts the workers; stores its own state in pool->state. On a task's stack: what needs much room is called
       elsewhere (salp__on_large_stack). */
    int (*open)(salp_pool *pool);
    /* Runs a synchronous call to its end and returns its result. */
    int (*run)(salp_pool *pool, salp__call *call);
    /* Begins an asynchronous call; salp__call_finish comes later, perhaps before this returns. A negative result:
       nothing was begun. */
    int (*start)(salp_pool *pool, salp__call *call);
    /* No further item of the call starts. */
    void (*cancel)(salp_pool *pool, salp__call *call);
    /* Ends all calls with -ECANCELED; afterwards no worker runs a job. Called once. */
    void (*terminate)(salp_pool *pool);
    /* Ends the workers and frees the state. No call is under way. */
    void (*close)(salp_pool *pool);
    const char *(*reason)(const salp_pool *pool);
    /* Where jobs that fork are run. NULL: nowhere. */
    struct salp__entrance *(*entrance)(salp_pool *pool);
} salp__engine;

extern const salp__engine salp__threads;
extern const salp__engine salp__processes;

struct salp_pool {
    const salp__engine *engine; /* [const after open] */
    salp_pool_options options;  /* [const after open] workers is never 0 */
    const int *mine;   /* [const after open] 1; reads 0 in a process forked from the one that opened the pool */
    void *state;       /* [owner: engine] */
    _Atomic int phase; /* see enum below; release when it changes, acquire before a call begins */
    salp__lock lock;
    int calls;          /* [lock] under way */
    salp__list waiters; /* [lock] for the last call under way to end, or for a termination */
};

enum { SALP__OPEN, SALP__TERMINATING, SALP__TERMINATED };

/* Wakes who waits for the calls to end or for a termination. [lock held on entry, released] */
void salp__pool_wake_locked(salp_pool *pool);

/* A call begins: 0 or SALP_ECLOSED. Who has begun one ends it. */
int salp__pool_begin(salp_pool *pool);
void salp__pool_end(salp_pool *pool);

/* The error that every call of the pool ends with, when it was terminated or is broken; else 0. */
int salp__pool_ended(const salp_pool *pool);

/*
 * Which pools' jobs or callbacks the calling thread is in: a chain of frames, innermost first.
 */
typedef struct salp__inside_frame {
    const salp_pool *pool;
    const struct salp__inside_frame *outer;
    bool callback;               /* not a job: may begin calls, may not wait */
    int worker;                  /* the number of the pool's thread; -1: it is another thread */
    struct salp__member *member; /* as which it runs jobs that fork, or NULL */
} salp__inside_frame;

void salp__inside_enter(salp__inside_frame *frame, const salp_pool *pool, bool callback);
void salp__inside_leave(salp__inside_frame *frame);
bool salp__inside(const salp_pool *pool);
bool salp__inside_callback(const salp_pool *pool);

/* The innermost frame of this pool, or NULL. */
const salp__inside_frame *salp__inside_of(const salp_pool *pool);

#endif
