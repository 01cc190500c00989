/*
 * Waiting for somebody who knows us.
 *
 * The waiter lies in the caller's frame. It has a spot in the line of each thing that it waits for: one, or several in a
 * select.
 *
 *   | waiting | --claim--> | claimed | --resume--> | woken |         by whoever has what we wait for
 *       `------interrupt--> | interrupted |                          by a scope that is over, or by time
 *
 * Exactly one takes it out of `waiting`, by compare-and-swap, and that one makes it go on. A claimer may write to what
 * the spot points to between claim and resume.
 *
 *     lock the object                              lock the object
 *     if (what we want is there) take it           while (a spot is first in the line)
 *     salp__waiter_open; take a spot in the line      take it off; if (salp__claim(spot)) hand it over
 *     unlock                                       unlock
 *     error = salp__wait(w)                        salp__resume(spot)
 *     if (error < 0) lock; take it off; unlock
 *
 * Neither side knows whether the other one is a task or a plain thread.
 *
 * I1  A task whose waiter it has not taken out of `waiting` itself suspends, and is made ready once, by the one who did.
 * I2  A plain thread sleeps on the state word itself, after it has added `sleeping` to it: so who makes it go on knows
 *     whether a system call is needed. After `woken` is stored its waiter may be gone: the wake-up that follows goes to
 *     an address, and at worst wakes somebody who looks again.
 * I3  A plain thread that waits for descriptors sleeps in poll(2). Nobody claims it, but a scope may end it: so if it has
 *     one, it has a bell, too, a descriptor that who interrupts it rings, under the actor's latch.
 * I4  A plain thread that waits for another process sleeps on a chime in shared memory. Nobody claims it; a scope that ends it
 *     rings the chime, under the actor's latch, so the memory is still there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__WAIT_H
#define SALP__WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "lockfree/chime.h"
#include "os/file.h"

struct salp__actor;

enum {
    SALP__WAITING,
    SALP__CLAIMED,
    SALP__WOKEN,
    SALP__INTERRUPTED,
    SALP__SLEEPING = 4, /* added to any of them: a thread sleeps on the word, or is about to */
};

typedef struct salp__waiter {
    struct salp__actor *actor;
    struct salp__spot *chosen; /* by which it was claimed [written by the claimer, read after it was resumed] */
    const char *what;          /* what it waits for, in words */
    _Atomic uint32_t state;
    salp__chime *chime; /* on which its thread sleeps instead; NULL. I4 [owner; ring: actor's latch] */
} salp__waiter;

/* A spot in a line. */
typedef struct salp__spot {
    salp__list link; /* [lock of the object] */
    salp__waiter *waiter;
    void *item; /* where what is handed over goes to, or comes from */
    int result; /* what the wait ends with, 0 unless the claimer has said something else */
} salp__spot;

/* A spot of a waiter, not yet in any line. */
static inline salp__spot salp__spot_of(salp__waiter *waiter)
{
    return (salp__spot){ .waiter = waiter };
}

/* For the calling task or thread. `what`: a word or two for reports, which must stay. */
void salp__waiter_open(salp__waiter *waiter, const char *what);

/*
 * Waits. 0: it was claimed and resumed. -ECANCELED, -ETIMEDOUT, ...: a scope ends it, and a call that ends for this
 * returns salp__wait_end. -EINTR: for no reason; begin again. SALP_EINSIDE: a callback of a loop cannot wait. After an
 * error its spots are still in their lines, unless a claimer has taken them off in vain.
 */
int salp__wait(salp__waiter *waiter);

/* The same; 1: it is `until`, and nobody has claimed it. */
int salp__wait_until(salp__waiter *waiter, int64_t until);

/* The same for a plain thread that sleeps until one of the descriptors is ready: 0, and which are is written there. */
int salp__wait_polling(salp__waiter *waiter, salp__pollee set[], int count, int64_t until);

/* The same for a plain thread that sleeps until the chime is rung: 0, and it has been. */
int salp__wait_chime(salp__waiter *waiter, salp__chime *chime);

/* Has no bell any more: the last scope of the thread has been closed. */
void salp__bell_drop(struct salp__actor *actor);

/* Whether the caller is a callback of a loop, or whatever else its thread does outside of tasks: SALP_EINSIDE. */
bool salp__cannot_wait(void);

/* The longer way of salp__wait_begin (scope.h). */
int salp__wait_refused(void);

/* As salp__wait, for what ends in any case: scopes do not end it. */
void salp__wait_through(salp__waiter *waiter);
void salp__wait_chime_through(salp__chime *chime);

/* Any thread. false: it goes on for another reason. */
bool salp__claim(salp__spot *spot);
void salp__resume(salp__spot *spot);

/* Takes all off an object's line; those that can be reached go to `claimed`, in their order. [lock of the object] */
void salp__claim_all(salp__list *line, salp__list *claimed);

/* All in a list of claimed ones, which is empty then. Without the object's lock: some of them may be gone at once. */
void salp__resume_all(salp__list *claimed);

/* A scope is over. Any thread that may touch the waiter. */
void salp__interrupt(salp__waiter *waiter);

#endif
