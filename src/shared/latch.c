/* Waiting for the latch of a shared object; the header tells why so. SPDX-License-Identifier: MIT */
#include "shared/latch.h"

#include "shared/participants.h"
#include "task/scope.h"
#include "task/task.h"

/* A task lets the others of its loop run first, when it has looked for some microseconds; unless a porter may have it go on
   meanwhile, which would then be twice. */
void salp__latch_pause(unsigned tries)
{
    enum { NEAR = 8 };
    const salp__actor *self = salp__self();
    if (self->task && !self->expected && tries > NEAR)
        salp__task_give_way(self->task);
    salp__pause(tries);
}

/* Takes it from a dead holder: it is as if he had died before or after what he did, and then he is buried. */
static bool take_over(salp__shared *shared, uint64_t dead)
{
    uint64_t seen = dead;
    /* acquire: the kernel has ordered what he did before his end, which we have seen. I1 */
    if (!atomic_compare_exchange_strong_explicit(&shared->segment->latch, &seen, shared->identity, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    SALP__STEP();
    salp__journal_undo(salp__shared_journal(shared));
    if (shared->kind->mend_locked)
        shared->kind->mend_locked(shared);
    salp__bury_locked(shared, dead);
    return true;
}

void salp__shared_latch_wait(salp__shared *shared)
{
    for (unsigned tries = 0;; tries++) {
        salp__latch_pause(tries);
        /* relaxed: a hint, checked by the compare-and-swap. */
        uint64_t holder = atomic_load_explicit(&shared->segment->latch, memory_order_relaxed);
        if (holder == 0 && atomic_compare_exchange_strong_explicit(&shared->segment->latch, &holder, shared->identity,
                                                                   memory_order_acquire, memory_order_relaxed))
            return;
        if (holder != 0 && holder != shared->identity && salp__latch_is_due(tries) && salp__process_is_gone(holder) &&
            take_over(shared, holder))
            return;
    }
}
