/* Waiting for the second latch of a shared object; the header tells why so. SPDX-License-Identifier: MIT */
#include "shared/side.h"

#include "lockfree/latch.h"
#include "shared/latch.h"
#include "shared/participants.h"

/* Looks once more: 0, it was taken; or the identity of a dead one who has it; or UINT64_MAX. */
static uint64_t look(salp__shared *shared, salp__side *side, unsigned tries)
{
    /* relaxed: a hint, checked by a compare-and-swap. */
    uint64_t holder = atomic_load_explicit(&side->latch, memory_order_relaxed);
    if (holder == 0)
        return salp__side_latch_try(shared, side) ? 0 : UINT64_MAX;
    bool dead = holder != shared->identity && salp__latch_is_due(tries) && salp__process_is_gone(holder);
    return dead ? holder : UINT64_MAX;
}

static bool take_over(salp__shared *shared, salp__side *side, uint64_t dead)
{
    /* acquire: as with the object's latch. */
    if (!atomic_compare_exchange_strong_explicit(&side->latch, &dead, shared->identity, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    SALP__STEP();
    salp__journal_undo(&side->journal);
    return true;
}

void salp__side_latch_wait_locked(salp__shared *shared, salp__side *side)
{
    for (unsigned tries = 0;; tries++) {
        salp__pause(tries); /* I1 */
        uint64_t holder = look(shared, side, tries);
        if (holder == 0 || (holder != UINT64_MAX && take_over(shared, side, holder)))
            return;
    }
}

static void bury_holder(salp__shared *shared, salp__side *side, uint64_t dead)
{
    salp__shared_latch(shared); /* I2 */
    salp__side_latch_locked(shared, side);
    salp__side_unlatch(side);
    salp__bury_locked(shared, dead);
    salp__shared_unlatch(shared);
}

void salp__side_latch_wait(salp__shared *shared, salp__side *side)
{
    for (unsigned tries = 0;; tries++) {
        salp__latch_pause(tries);
        uint64_t holder = look(shared, side, tries);
        if (holder == 0)
            return;
        if (holder != UINT64_MAX)
            bury_holder(shared, side, holder);
    }
}
