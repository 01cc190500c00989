/*
 * The short lock of a shared object: held for some instructions, never while anybody waits, and by nobody for ever.
 *
 * The word is the identity of the process that holds it. Who finds it taken looks again after a while, as with
 * lockfree/latch.h, and after some looks asks whether that process lives. If it is dead, its word is replaced by ours in
 * one compare-and-swap; what it had left half done is undone by the journal, or mended by the object, and it is buried.
 *
 * I1  An identity that has died never comes again (a number of a process and when it began), so a compare-and-swap
 *     from a dead one cannot hit a living holder, however long ago we saw it die.
 * I2  When the latch is free, the journal is empty.
 *
 * It is held long only if the system has taken the processor from its holder, or somebody has stopped that (SIGSTOP): then
 * threads look every now and then, and tasks let the others of their loop run between two looks. Nobody has to be woken,
 * which is what the cheap release is paid with.
 *
 * Not with another latch held, this one of another object included. A second one of the same object comes after it:
 * shared/side.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_LATCH_H
#define SALP__SHARED_LATCH_H

#include "shared/segment.h"

void salp__shared_latch_wait(salp__shared *shared);

/* [no latch] Between two looks whether somebody has released one. `tries`: how many there were. */
void salp__latch_pause(unsigned tries);

/* To ask whether a process lives takes some microseconds, so it is asked after some looks, and then every few milliseconds. */
static inline bool salp__latch_is_due(unsigned tries)
{
    enum { FIRST = 24, EACH = 32 };
    return tries % EACH == FIRST;
}

static inline void salp__shared_latch(salp__shared *shared)
{
    uint64_t free = 0;
    SALP__STEP();
    if (!atomic_compare_exchange_strong_explicit(&shared->segment->latch, &free, shared->identity, memory_order_acquire,
                                                 memory_order_relaxed))
        salp__shared_latch_wait(shared);
    SALP__STEP();
}

static inline void salp__shared_unlatch(salp__shared *shared)
{
    salp__assert(salp__word_get(&shared->segment->journal.count) == 0); /* I2 */
    SALP__STEP();
    atomic_store_explicit(&shared->segment->latch, 0, memory_order_release);
    SALP__STEP();
}

#endif
