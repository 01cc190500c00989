/*
 * Scopes and groups as they are inside, and who may be cancelled: tasks and threads.
 *
 *   actor --scope--> innermost --outer--> ... --outer--> (of a task:) its group's --outer--> scopes of the group's owner
 *                     ... --outer--> (of a loop's first task:) scopes of the thread that runs the loop
 *
 * So whatever ends a task's waiting is found by walking outwards, until a shield.
 *
 * I1  `ended` is set once. Waits look at it before they begin; whoever sets it interrupts all who wait inside.
 * I2  Scopes of a task are touched on its loop only. Of a plain thread's, others set `ended`, look at `waiting`, and post
 *     to the loop that it runs: all under the actor's latch, so that none of these comes between two of them.
 * I3  A scope that another thread is cancelling is not closed before that is over. So the one who cancels needs the scope
 *     to be open when he begins, and no longer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SCOPE_H
#define SALP__SCOPE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <salp/task.h>

#include "base/list.h"
#include "lockfree/latch.h"
#include "loop/loop.h"
#include "task/wait.h"

struct salp__task;

typedef struct salp__actor {
    struct salp__scope *scope;     /* the innermost one, or NULL */
    salp__waiter *waiting;         /* what it waits in and may be interrupted [owner: loop; of a thread: latch] */
    const char *what;              /* what it waits for, in words; NULL: it does not wait [owner] */
    int64_t since;                 /* when it began to, on the loop's clock [owner] */
    struct salp__task *task;       /* NULL: a plain thread */
    const void *inside;            /* for floors above: what it is in the midst of */
    bool expected;                 /* of a task: it may be made ready any time, so it must not give way [owner] */
    salp__latch latch;             /* of a plain thread */
    struct salp__runtime *runtime; /* of a plain thread: the loop that it runs, or NULL [latch] */
    int bell;                      /* of a plain thread: ends a wait for descriptors; -1: none [owner; ring: latch] */
} salp__actor;

typedef struct salp__scope {
    struct salp__scope *outer;
    salp__actor *actor;          /* who has opened it */
    struct salp__members *group; /* NULL: it is no group's */
    salp__timer timer;           /* of its deadline, in a task */
    int64_t deadline;
    _Atomic int ended;   /* 0, -ETIMEDOUT, -ECANCELED; release in set_ended, acquire where it is looked for */
    _Atomic int cancels; /* by other threads, under way: closing waits for them */
    bool shield;
    bool felt; /* it has ended a call [owner] */
} salp__scope;

/* A group: its scope, and its tasks. */
typedef struct salp__members {
    salp__scope scope;
    salp__list tasks;          /* not ended */
    int failure;               /* the first, or 0 */
    struct salp__task *closer; /* waits for all of them; NULL: nobody does */
} salp__members;

extern SALP__NOW salp__actor salp__thread_now;
extern SALP__NOW salp__actor *salp__task_now; /* of the task that runs in this thread, or NULL */

/* The calling task, or the calling thread; the thread also when a task calls. */
static inline salp__actor *salp__thread_self(void)
{
    return &salp__thread_now;
}

static inline salp__actor *salp__self(void)
{
    return salp__task_now ? salp__task_now : &salp__thread_now;
}

void salp__scope_enter(salp__scope *scope, int64_t timeout, bool shield);
int salp__scope_leave(salp__scope *scope);

/* Whether it is open, and the caller has opened it. It may be none at all. */
bool salp__scope_is_mine(const salp__scope *scope);

/* Ends it with this error, for the actor and all tasks inside. On its own loop, or in its own thread. */
void salp__scope_end(salp__scope *scope, int error);

/* Has all tasks of this thread's loop look whether a scope of the thread is over. */
void salp__scope_look(struct salp__runtime *runtime);

/* Ends all waits of a run; those behind shields, too: returns how many scopes were not over before. */
void salp__scope_end_run(struct salp__runtime *runtime, int error);
int salp__scope_end_each(struct salp__runtime *runtime, int error);

/* The same two for an actor of whose scopes one has a deadline, or is over. */
int salp__scope_error_now(salp__actor *actor);
int salp__scope_feel_now(salp__actor *actor);

/* Whether nothing can end a wait now: no scope is over, and none has a deadline, so that no clock need be read. */
static inline bool salp__scope_is_quiet(const salp__actor *actor)
{
    for (const salp__scope *scope = actor->scope; scope; scope = scope->outer) {
        /* relaxed: if it is over, it is looked at again. */
        if (scope->deadline != INT64_MAX || atomic_load_explicit(&scope->ended, memory_order_relaxed) < 0)
            return false;
        if (scope->shield)
            break;
    }
    return true;
}

/* What ends a wait of this actor now: 0 or an error. */
static inline int salp__scope_error(salp__actor *actor)
{
    return salp__scope_is_quiet(actor) ? 0 : salp__scope_error_now(actor);
}

/* A call of the user's ends with what salp__scope_error says: the scope is told that it has ended something. */
static inline int salp__scope_feel(salp__actor *actor)
{
    return salp__scope_is_quiet(actor) ? 0 : salp__scope_feel_now(actor);
}

/* What a call that can wait begins with: 0, or the error that it ends with since a scope is over already. */
static inline int salp__wait_begin(void)
{
    return salp__scope_is_quiet(salp__self()) ? 0 : salp__wait_refused();
}

/* And what it ends with when its wait has ended with an error, and it is in no line any more. -EINTR: it begins again. */
static inline int salp__wait_end(salp__actor *actor, int error)
{
    int over = error == -EINTR ? 0 : salp__scope_feel(actor);
    return over < 0 ? over : error;
}

/* Of a plain thread: when the first of its scopes is over. */
int64_t salp__scope_deadline(const salp__actor *actor);

#endif
