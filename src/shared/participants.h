/*
 * The processes that use a shared object, and what happens when one dies; the source file tells why it is right.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PARTICIPANTS_H
#define SALP__PARTICIPANTS_H

#include "os/process.h"
#include "shared/segment.h"

/* The longer way of salp__shared_enter. */
int salp__shared_join(salp__shared *shared);

/* `epoch` of a participant, after so many forks. */
static inline uint64_t salp__epoch_here(void)
{
    return 2 * (uint64_t)salp__forks_counted + 2;
}

/* Whether this very process takes part: not so in a fork that has not used the object yet. */
static inline bool salp__shared_is_here(const salp__shared *shared)
{
    /* acquire: pairs with the release at the end of salp__shared_join. */
    return atomic_load_explicit(&shared->epoch, memory_order_acquire) == salp__epoch_here();
}

/*
 * What each call of the user's begins with. In a fork it makes the child a participant of its own; else it is two loads.
 * Errors, only in a fork: -EUSERS there are too many participants; -EXDEV the child is in another namespace of processes;
 * -EMFILE, -ENOENT it could not be asked who we are.
 */
static inline int salp__shared_enter(salp__shared *shared)
{
    return salp__shared_is_here(shared) ? 0 : salp__shared_join(shared);
}

/* Leaves in order. What the object has booked to this participant has been settled. */
void salp__shared_leave(salp__shared *shared);

/* [latch] All of a dead process: its slots, nodes, what it held, and the wakes that it owed. */
void salp__bury_locked(salp__shared *shared, uint64_t identity);

/* The same, with the latch taken and released; no matter if somebody has done it before. */
void salp__bury(salp__shared *shared, uint64_t identity);

/* The same, if it is a participant, and dead: true. Asks the system, which takes some microseconds. */
bool salp__bury_if_dead(salp__shared *shared, uint64_t identity);

/* The same for all participants: whether there was one. */
bool salp__bury_all_dead(salp__shared *shared);

#endif
