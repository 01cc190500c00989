/*
 * A seat for one who waits until something is so that a lock protects.
 *
 *     change it;                                   salp__seat_wait(&seat, &lock, is_so_locked, object)
 *     salp__seat_call_locked(&seat);
 *     release the lock
 *
 * He who sits there is called whenever it may be so, and looks himself.
 *
 * I1  He is called under the lock. So when he has seen that it is so, under the lock, the caller touches nothing any more:
 *     whatever the seat lies in may be freed.
 *
 * Threads: any, and tasks; one at a time sits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SEAT_H
#define SALP__SEAT_H

#include "os/thread.h"
#include "task/wait.h"

typedef struct salp__seat {
    salp__spot *taken; /* [lock] NULL: nobody waits */
    const char *what;  /* what is waited for here, in words [const] */
} salp__seat;

/* With its lock held, which protects `object`, too. */
typedef bool salp__is_so(const void *object);

/* Waits; scopes end it: 0, -ECANCELED, -ETIMEDOUT or SALP_EINSIDE, as salp__wait. */
int salp__seat_wait(salp__seat *seat, salp__lock *lock, salp__is_so *is_so_locked, const void *object);

/* The same, whatever scopes say. */
void salp__seat_wait_through(salp__seat *seat, salp__lock *lock, salp__is_so *is_so_locked, const void *object);

void salp__seat_call_locked(salp__seat *seat);

#endif
