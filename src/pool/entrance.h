/*
 * The entrance of a pool of threads: who runs jobs there that fork (crew.h), and who waits until they are over.
 *
 *   salp__enter --a job of this pool calls--> runs at once, as the member that it is
 *        |------a plain thread------> a guest of the crew: runs at once
 *        `------a task, a thread with a scope, a pool with an initializer--> a visit: waits for a thread of the pool
 *
 * Whether a guest wakes a thread of the pool depends on how long the same function took the last time (history.h). If it was not
 * worth it, nobody is woken while there is a lookout (lookout.h), who will see within some milliseconds that it takes
 * longer this time. So a job that is shorter than a wake-up costs none.
 *
 * I1  A visit that has begun is left by the thread that runs it, under the lock; before, by the one who waits. None begins
 *     once the entrance is closed: who closes it ends those that run only once, and then tells those that wait.
 * I2  `watched` is set before the lookout looks for the last time whether somebody is there, and `present` of the crew is
 *     raised before a guest looks at `watched`; all are sequentially consistent, so one of the two sees the other.
 * I3  While somebody is here who may have jobs, and a thread of the pool may help, one looks for them: it searches, or is the
 *     lookout. Who has found one wakes the next one (crew.h), unless as many are here as there are workers. So a guest that
 *     leaves wakes one, and so does a thread of the pool that takes up something else, if there is no lookout.
 *
 * tests/model/lookout.pml is a model of I2 and I3, with what breaks where nobody is woken.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ENTRANCE_H
#define SALP__ENTRANCE_H

#include <stdatomic.h>

#include <salp/parallel.h>

#include "os/thread.h"
#include "pool/crew.h"
#include "pool/history.h"
#include "task/seat.h"

typedef struct salp__entrance {
    salp__bell *work; /* threads of the pool sleep here [const] */
    int workers;      /* [const] */
    salp__lock lock;
    salp__crew *_Atomic crew; /* NULL until somebody enters; release when it is stored under the lock */
    salp__list visits;        /* [lock] not begun, oldest first */
    salp__list runs;          /* [lock] entries */
    salp__seat leaver;        /* [lock] called when a run is over */
    int closed;               /* [lock] 0, or why nobody may enter any more */
    _Atomic int waiting;      /* visits; relaxed: a hint for those who will look under the lock */
    _Atomic bool watched;     /* there is a lookout. I2 */
    _Atomic int64_t last;     /* when somebody entered; relaxed */
    salp__history history;    /* of what was entered with, and of loops (vigil.h) */
} salp__entrance;

void salp__entrance_open(salp__entrance *entrance, int workers, salp__bell *work);
void salp__entrance_close(salp__entrance *entrance);

/* What a thread of the pool does that has nothing else to do: a visit, or somebody's job. false: there was none. */
bool salp__entrance_serve(salp__entrance *entrance, salp_pool *pool, int index);

/* Whether somebody is there, or was within the last so many nanoseconds: so that a lookout is worth it. */
bool salp__entrance_is_lively(const salp__entrance *entrance, int64_t now, int64_t within);
void salp__entrance_watch(salp__entrance *entrance, bool watched);

/* The caller has left, or is about to do something else for a while: somebody looks for jobs in its stead, if there is somebody
   here. I3 */
void salp__entrance_summon(salp__entrance *entrance);

/* Whether nothing is left here for a thread of the pool to do. */
bool salp__entrance_is_quiet(salp__entrance *entrance);

/* Nobody may enter any more, and nothing more is begun of what runs. Waits, if asked, until nothing runs. */
void salp__entrance_end(salp__entrance *entrance, int error, bool wait);

/* As salp_pool_enter. `summons`: a thread of the pool is woken if that may be worth it; else the job does that itself.
   `run` NULL: only the errors are told that there would be. */
int salp__enter(salp_pool *pool, salp_fork_fn *run, salp_fork_job *job, bool summons);

#endif
