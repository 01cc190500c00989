/*
 * The program's side of a pool of processes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PROCESSES_H
#define SALP__PROCESSES_H

#include <salp/time.h>

#include "base/list.h"
#include "lockfree/latch.h"
#include "os/modules.h"
#include "os/symbols.h"
#include "os/thread.h"
#include "pool/control.h"
#include "pool/engine.h"
#include "task/seat.h"
#include "task/stuck.h"

/* How often who waits looks whether the steward lives, since nobody could ring for its death. */
enum {
#ifdef SALP_HOSTILE
    SALP__LIVENESS_INTERVAL = SALP_MILLISECONDS(2),
#else
    SALP__LIVENESS_INTERVAL = SALP_MILLISECONDS(250),
#endif
};

/* A slot as the program knows it. A region stays with its slot, so that the next call finds warm pages. */
typedef struct salp__slot {
    uint64_t ticket;                 /* of the last call in it */
    uint64_t offset;                 /* of its region in the arena */
    uint64_t size;                   /* of the region */
    uint64_t reserved;               /* bytes of it, from its start, that are backed by memory */
    char *memory;                    /* the region, mapped */
    uint64_t room_offset, room_size; /* for long answers, outside of the region; memory only while it is in use */
} salp__slot;

typedef struct salp__vacancy {
    salp__latch latch;
    salp__list line; /* [latch] of those who wait for a slot, and are handed one */
    uint64_t free;   /* [latch] slots, a bit for each */
    bool over;       /* [latch] the pool has ended, and nobody waits any more */
} salp__vacancy;

typedef struct salp__process_engine {
    salp_pool *pool;
    salp__control control;
    int door;                  /* eventfd, wakes the steward */
    int steward;               /* descriptor: readable when the steward has ended */
    pid_t steward_pid;         /* 0 when it is not our child */
    salp__module_map *modules; /* what existed when the workers were started; NULL: they find functions by module */
    uint64_t arrays;           /* how many shared arrays had been opened by then; 0: the workers have none */

    salp__vacancy vacancy;
    salp__lock lock;
    _Atomic uint64_t tickets;      /* given out so far */
    uint64_t arena_end;            /* [lock] where the next region may begin */
    uint32_t module_count;         /* [lock] entries of the table that are in use */
    salp__slot slots[SALP__SLOTS]; /* [owner: the call that has the slot] */

    salp__list attended;    /* [lock] asynchronous calls under way */
    bool attendant_started; /* [lock] */
    bool attendant_ends;    /* [lock] it is to end */
    bool attendant_over;    /* [lock] it has */
    bool attendant_idle;    /* [lock] it sleeps, and then looks for calls */
    salp__staff staff;
    salp__seat closer; /* [lock] called when it has */
    salp__thread attendant;

    _Atomic int ended; /* 0, or the error that all calls end with; release: reason is written */
    char reason[256];

    salp__lock telling;     /* around user's callbacks of failures: one set of symbols */
    salp__symbols *symbols; /* [telling] */
} salp__process_engine;

/* ---- slots.c ---- */

/* Describes the call in a free slot, and begins it. `wait`: for a slot, when none is free; else -EAGAIN. */
int salp__slot_begin(salp__process_engine *engine, salp__call *call, bool wait);

/* The result of a call that is done (or that `ended` has ended), with everything copied to where the user wants it;
   gives the slot back. */
int salp__slot_end(salp__process_engine *engine, salp__call *call, int ended);

/* No further item starts. */
void salp__slot_stop(salp__process_engine *engine, salp__call *call);

bool salp__slot_done(const salp__process_engine *engine, const salp__call *call);

/* What a call needs between its beginning and its end: failures and progress told, room for a long answer. */
void salp__slot_serve(salp__process_engine *engine, salp__call *call);

/* How long the caller of a call may sleep before it has to be served again. */
int64_t salp__slot_pause(const salp__call *call);

/* Writes down where workers find a function. Errors: SALP_EUNKNOWN, -ENOSPC. */
int salp__slot_function(salp__process_engine *engine, void *address, salp__function_ref *ref);

/* Reserves and maps room in the arena, outside of all regions. */
int salp__arena_take(salp__process_engine *engine, uint64_t size, uint64_t *offset);

/* ---- results.c ---- */

typedef struct salp__outcome {
    uint64_t ran;    /* items that have a state */
    int first_error; /* of the first item that has failed, or 0 */
} salp__outcome;

/* Copies what the items of a call that is over have left to where the user wants it, and tells him of those that failed by
   their own result. `undone`: the error of an item that was not run. Errors: -ENOMEM for an answer; -EIO, and what else
   reading the arena ends with. */
int salp__results_collect(salp__process_engine *engine, salp__call *call, int undone, salp__outcome *outcome);

/* ---- vacancy.c ---- */

void salp__vacancy_open(salp__process_engine *engine);

/* A slot that nobody else has. `wait`: for one, when none is free, after those who have come before, and until a scope is
   over; else -EAGAIN. Errors: what has ended the pool, or the wait. */
int salp__vacancy_take(salp__process_engine *engine, bool wait);
void salp__vacancy_give(salp__process_engine *engine, int slot);

/* The pool has ended: all who wait go on. After `ended` was set. */
void salp__vacancy_end(salp__process_engine *engine);

/* ---- failures.c ---- */

void salp__failures_tell(salp__process_engine *engine, salp__call *call);
/* Those of the items from begin on that failed by their own result, and have no record. */
int salp__failures_tell_own(salp__process_engine *engine, const salp__call *call, uint64_t begin, uint64_t count);

/* ---- attendant.c ---- */

/* Has the attendant, a thread that is started for the first asynchronous call, look after a call that has begun. */
int salp__attendant_start(salp__process_engine *engine);
void salp__attendant_take(salp__process_engine *engine, salp__call *call);
void salp__attendant_end(salp__process_engine *engine);
int salp__attendant_quiet_locked(const salp__staff *staff);

/* ---- processes.c ---- */

/* Whether the pool has ended (terminated, broken, its steward killed), and with what error; 0: it has not. */
int salp__processes_ended(salp__process_engine *engine);

/* The same, when nothing was heard for a while: looks whether the steward lives. */
int salp__processes_look(salp__process_engine *engine);

/* ---- spawn.c ---- */

/* Starts a steward in a fresh copy of this program. Waits: no. */
int salp__spawn_steward(const salp__control *control, int door, int program, pid_t *pid, int *watch);

/* Has the server fork one, which is not our child; starts the server if need be. Waits: yes, in a task only for that. */
int salp__serve_steward(const salp__control *control, int door, int program, int *watch);

#endif
