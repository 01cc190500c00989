/*
 * A lock that is held for some instructions, never while anybody waits: one word, one atomic operation to take it, a
 * plain store to release it.
 *
 * Who finds it taken looks again a few times, then lets others run, then sleeps for a few microseconds at a time. So
 * nobody is ever woken, which is what the cheap release is paid with; it is long only when the system has taken the
 * processor from the one who holds it, and the sleeps let him run even if he is less important than we are.
 *
 * While the program has a single thread, nobody can be there at the same time, and no atomic operation is needed either:
 * the first other thread is started by this one, which does not hold it then.
 *
 * Threads: any. Not in handlers of signals. All zeros is a free latch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LATCH_H
#define SALP__LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/thread.h"

typedef struct salp__latch {
    _Atomic uint32_t taken; /* acquire in take, release in release: what one holder has written the next one reads */
} salp__latch;

void salp__latch_wait(salp__latch *latch);

/* What comes between two looks at a word that somebody else is about to change; `tries`: how many there were. */
void salp__pause(unsigned tries);

static inline bool salp__latch_try(salp__latch *latch)
{
    uint32_t free = 0;
    return atomic_compare_exchange_strong_explicit(&latch->taken, &free, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void salp__latch_take(salp__latch *latch)
{
    if (salp__alone())
        atomic_store_explicit(&latch->taken, 1, memory_order_relaxed); /* relaxed: there is nobody else */
    else if (!salp__latch_try(latch))
        salp__latch_wait(latch);
}

static inline void salp__latch_release(salp__latch *latch)
{
    atomic_store_explicit(&latch->taken, 0, memory_order_release);
}

#endif
