/*
 * Waiting for somebody who knows us: the waiter, which lies in the caller's frame and in the list of what it waits for.
 *
 *   | waiting | --claim--> | claimed | --resume--> | woken |         by whoever has what we wait for
 *       `------interrupt--> | interrupted |                          by a scope that is over
 *
 * Exactly one of the two takes it out of `waiting`, by compare-and-swap, and that one makes it go on. A claimer may
 * write to what the waiter points to between claim and resume.
 *
 *     lock the object                              lock the object
 *     if (what we want is there) take it           while (a waiter is first in the list)
 *     salp__waiter_open; put it into the list          take it off; if (salp__claim(w)) hand it over, salp__resume(w)
 *     unlock                                       unlock
 *     error = salp__wait(w)
 *     if (error < 0) lock; take it off; unlock
 *
 * Neither side knows whether the other one is a task or a plain thread.
 *
 * I1  A task whose waiter it has not taken out of `waiting` itself suspends, and is made ready once, by the one who did.
 * I2  A plain thread sleeps on the state word itself. After `woken` is stored its waiter may be gone: the wake-up that
 *     follows goes to an address, and at worst wakes somebody who looks again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__WAIT_H
#define SALP__WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct salp__actor;

enum { SALP__WAITING, SALP__CLAIMED, SALP__WOKEN, SALP__INTERRUPTED };

typedef struct salp__waiter {
    salp__list link; /* [lock of the object] */
    struct salp__actor *actor;
    _Atomic uint32_t state;
} salp__waiter;

/* For the calling task or thread. */
void salp__waiter_open(salp__waiter *waiter);

/*
 * Waits. 0: it was claimed and resumed. -ECANCELED, -ETIMEDOUT: a scope ends it, and a call that ends for this returns
 * salp__scope_feel. -EINTR: for no reason; begin again. After an error the waiter is still in the list, unless a claimer
 * has taken it off in vain.
 */
int salp__wait(salp__waiter *waiter);

/* What a call that can wait begins with: 0, or the error that it ends with since a scope is over already. */
int salp__wait_refused(void);

/* As salp__wait, for what ends in any case: scopes do not end it. */
void salp__wait_through(salp__waiter *waiter);

/* Any thread. false: it has been interrupted. */
bool salp__claim(salp__waiter *waiter);
void salp__resume(salp__waiter *waiter);

/* Takes all off an object's list; those that can be reached go to `claimed`, in their order. [lock of the object] */
void salp__claim_all(salp__list *waiters, salp__list *claimed);

/* All in a list of claimed ones, which is empty then. Without the object's lock: some of them may be gone at once. */
void salp__resume_all(salp__list *claimed);

/* A scope is over. Any thread that may touch the waiter. */
void salp__interrupt(salp__waiter *waiter);

#endif
