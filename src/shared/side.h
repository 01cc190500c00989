/*
 * A second latch of a shared object, for calls that need one side of it alone: as those who get from a queue, while its own
 * latch (shared/latch.h) is that of those who put.
 *
 *     salp__side_latch(shared, side)              this side alone
 *     salp__shared_latch(shared)                  the other side alone
 *     ... salp__side_latch_locked(shared, side)   and both, in this order
 *
 * What is changed under it alone goes by the journal of the side, or is one store. Under both, it is the object's journal.
 *
 * I1  Who holds it takes no other latch. So whoever waits for it, with the object's latch in hand or without, waits for
 *     some instructions; and a task that has the object's latch does not let others of its loop run meanwhile, who might want
 *     that one.
 * I2  From a dead holder it is taken only by one who has the object's latch. If the dead one had both, that one was taken
 *     over first: so what he had begun with both is undone before anybody else sees this side.
 * I3  When it is free, its journal is empty.
 * I4  Each burial takes it: the object's kind does so in bury_locked and in settle_locked. So when a dead one's slot is free,
 *     he does not have it any more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_SIDE_H
#define SALP__SHARED_SIDE_H

#include "shared/segment.h"

typedef struct salp__side {
    alignas(128) _Atomic uint64_t latch; /* identity of the holder; 0: free */
    salp__journal journal;
} salp__side;

void salp__side_latch_wait(salp__shared *shared, salp__side *side);
void salp__side_latch_wait_locked(salp__shared *shared, salp__side *side);

static inline bool salp__side_latch_try(salp__shared *shared, salp__side *side)
{
    uint64_t free = 0;
    SALP__STEP();
    if (!atomic_compare_exchange_strong_explicit(&side->latch, &free, shared->identity, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    SALP__STEP();
    return true;
}

/* [no latch] */
static inline void salp__side_latch(salp__shared *shared, salp__side *side)
{
    if (!salp__side_latch_try(shared, side))
        salp__side_latch_wait(shared, side);
}

/* [latch; no transaction under way] */
static inline void salp__side_latch_locked(salp__shared *shared, salp__side *side)
{
    if (!salp__side_latch_try(shared, side))
        salp__side_latch_wait_locked(shared, side);
}

static inline void salp__side_unlatch(salp__side *side)
{
    salp__assert(salp__word_get(&side->journal.count) == 0); /* I3 */
    SALP__STEP();
    atomic_store_explicit(&side->latch, 0, memory_order_release);
    SALP__STEP();
}

#endif
