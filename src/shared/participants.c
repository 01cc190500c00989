/*
 * Participants: who uses a shared object, and what becomes of what a dead one has left.
 *
 *     | free | --join, by compare-and-swap--> | identity | --leave, or buried, under the latch--> | free |
 *
 * A handle takes a slot when the process uses it first: when it is opened or attached, and, in a fork, with the first call
 * that the child makes. So a fork costs nothing, and a child that never touches an object has no part in it.
 *
 * What a participant has is found by its slot (what objects have booked, nodes) or by its identity (the owner of a mutex,
 * the holder of the latch). A slot is freed when nothing refers to it any more; an identity never comes again.
 *
 * I1  Everything that a process holds of an object it got after its slot was written, and its slot stays until all of it
 *     was given back: so who looks through the slots finds everybody who can hold something.
 * I2  Burying is done under the latch, by short transactions; the slot is freed last. Who dies while he buries leaves a slot
 *     that still says that somebody is dead: the next one who notices begins anew, and finds what is left.
 * I3  Who is about to sleep in a line has been in it, then adds 0 to `joins`, then looks who is there (deaths.c). Who comes
 *     writes its slot, then adds 1 to `joins`, then looks who is in a line and rings for them. All additions to one word
 *     are in one order: so either the sleeper's comes later, and he sees the slot; or the newcomer's does, and he sees the
 *     node and rings. So nobody sleeps without knowing of everybody whose death he would have to hear of.
 * I4  After a burial the object is settled (salp__shared_kind), and everybody who is granted is rung for: what the dead one
 *     would still have had to do is done, whatever it was.
 * I5  Who buries may take no part himself, since the table was full when he came: so nobody looks whether he dies. But if
 *     he dies then, it is with the latch. So who is about to sleep watches the holder of the latch, too; and who hears of
 *     a death, and finds no slot of the dead one any more, waits for the latch if it is taken, and thereby takes it over.
 *
 * A process that executes another program is not dead. What it held then stays held until that program ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared/participants.h"

#include <errno.h>

#include "shared/deaths.h"
#include "shared/latch.h"
#include "shared/line.h"
#include "shared/porter.h"

/* ---- coming ---- */

static void raise_to(_Atomic uint64_t *most, uint64_t count)
{
    /* relaxed: who looks for slots up to there is ordered by `joins`, I3, or by the latch. */
    uint64_t seen = atomic_load_explicit(most, memory_order_relaxed);
    while (seen < count &&
           !atomic_compare_exchange_weak_explicit(most, &seen, count, memory_order_relaxed, memory_order_relaxed))
        continue;
}

/* Returns the slot, or -EUSERS. */
static int take_slot(salp__segment *segment, uint64_t identity)
{
    for (uint32_t slot = 0; slot < SALP__PARTICIPANTS; slot++) {
        salp__participant *participant = &segment->participants[slot];
        if (atomic_load_explicit(&participant->identity, memory_order_relaxed) != 0)
            continue;
        raise_to(&segment->slots_used, slot + 1); /* before it is taken: else nobody would look there if we died now */
        uint64_t free = 0;
        SALP__STEP();
        if (atomic_compare_exchange_strong_explicit(&participant->identity, &free, identity, memory_order_acq_rel,
                                                    memory_order_relaxed)) {
            SALP__STEP();
            return (int)slot;
        }
    }
    return -EUSERS;
}

/* I3 */
static void announce(salp__segment *segment)
{
    atomic_fetch_add(&segment->joins, 1);
    SALP__STEP();
    uint64_t used = salp__word_get(&segment->nodes_used);
    for (uint64_t i = 0; i < used; i++) {
        salp__node *node = &segment->nodes[i];
        if (salp__word_get(&node->state) != SALP__NODE_WAITS)
            continue;
        /* Without the latch, so the node may be another one's by now: who is rung for nothing looks again. */
        if (salp__node_is_ported(node))
            salp__chime_ring(&segment->participants[salp__node_slot(node) % SALP__PARTICIPANTS].doorbell);
        else
            salp__chime_ring(&node->chime);
    }
}

static int take_part(salp__shared *shared)
{
    uint64_t namespace;
    int error = salp__process_mark(salp__process_self(), &shared->identity);
    if (error == 0)
        error = salp__process_namespace(&namespace);
    if (error < 0)
        return error;
    if (namespace != shared->segment->namespace)
        return -EXDEV;
    int slot = take_slot(shared->segment, shared->identity);
    if (slot < 0) {
        (void)salp__bury_all_dead(shared); /* nobody has, since nobody waits */
        slot = take_slot(shared->segment, shared->identity);
    }
    if (slot < 0)
        return slot;
    shared->slot = (uint32_t)slot;
    announce(shared->segment);
    return 0;
}

/* What the parent's memory says of threads, tasks and watches is not about this process. */
static void forget(salp__shared *shared)
{
    salp__latch_release(&shared->tell_latch);
    salp__porter_forget(shared);
    shared->is_watched = false;
    atomic_store_explicit(&shared->joins_seen, 0, memory_order_relaxed);
    if (shared->kind->forget)
        shared->kind->forget(shared);
}

int salp__shared_join(salp__shared *shared)
{
    (void)salp__forks(); /* has them counted from now on */
    uint64_t here = salp__epoch_here(), joining = here - 1;
    for (unsigned tries = 0;; tries++) {
        /* acquire: as in salp__shared_is_here. */
        uint64_t seen = atomic_load_explicit(&shared->epoch, memory_order_acquire);
        if (seen == here)
            return 0;
        if (seen == joining)
            salp__pause(tries); /* another thread of this process is about to */
        else if (atomic_compare_exchange_strong_explicit(&shared->epoch, &seen, joining, memory_order_acquire,
                                                         memory_order_relaxed))
            break;
    }
    forget(shared);
    int error = take_part(shared);
    atomic_store_explicit(&shared->epoch, error < 0 ? 0 : here, memory_order_release);
    return error;
}

/* ---- going ---- */

static void free_nodes_locked(salp__shared *shared, uint32_t slot)
{
    salp__segment *segment = shared->segment;
    uint64_t used = salp__word_get(&segment->nodes_used);
    for (uint64_t i = 0; i < used; i++) {
        salp__node *node = &segment->nodes[i];
        if (salp__word_get(&node->state) == SALP__NODE_FREE || salp__node_slot(node) != slot)
            continue;
        if (shared->kind->lost_locked)
            shared->kind->lost_locked(shared, node);
        salp__node_free_locked(shared, node);
        salp__shared_commit(shared);
    }
}

static void free_slot_locked(salp__shared *shared, uint32_t slot)
{
    /* release: whoever takes it next finds nothing of us in it. */
    atomic_store_explicit(&shared->segment->participants[slot].identity, 0, memory_order_release);
    SALP__STEP();
}

static void settle_locked(salp__shared *shared)
{
    for (bool more = shared->kind->settle_locked != NULL; more;) {
        salp__wakes wakes = { 0 };
        more = shared->kind->settle_locked(shared, &wakes);
    }
    salp__ring_granted(shared); /* I4 */
}

void salp__bury_locked(salp__shared *shared, uint64_t identity)
{
    salp__segment *segment = shared->segment;
    uint64_t used = atomic_load_explicit(&segment->slots_used, memory_order_relaxed);
    for (uint32_t slot = 0; slot < used; slot++) {
        if (atomic_load_explicit(&segment->participants[slot].identity, memory_order_relaxed) != identity)
            continue;
        free_nodes_locked(shared, slot);
        shared->kind->bury_locked(shared, slot);
        free_slot_locked(shared, slot); /* I2 */
    }
    settle_locked(shared);
}

/* acquire: if it is not there any more, what was done under the latch before its slot was freed is seen, too. */
static bool takes_part(const salp__segment *segment, uint64_t identity)
{
    uint64_t used = atomic_load_explicit(&segment->slots_used, memory_order_relaxed);
    for (uint32_t slot = 0; slot < used; slot++) {
        if (atomic_load_explicit(&segment->participants[slot].identity, memory_order_acquire) == identity)
            return true;
    }
    return false;
}

void salp__bury(salp__shared *shared, uint64_t identity)
{
    /* relaxed: ordered by the slot. I5 */
    if (!takes_part(shared->segment, identity) &&
        atomic_load_explicit(&shared->segment->latch, memory_order_relaxed) == 0)
        return;
    salp__shared_latch(shared);
    salp__bury_locked(shared, identity);
    salp__shared_unlatch(shared);
}

bool salp__bury_if_dead(salp__shared *shared, uint64_t identity)
{
    if (identity == 0 || identity == shared->identity || !takes_part(shared->segment, identity) ||
        !salp__process_is_gone(identity))
        return false;
    salp__bury(shared, identity);
    return true;
}

bool salp__bury_all_dead(salp__shared *shared)
{
    uint64_t used = atomic_load_explicit(&shared->segment->slots_used, memory_order_relaxed);
    bool found = false;
    for (uint64_t slot = 0; slot < used; slot++)
        found |= salp__bury_if_dead(
            shared, atomic_load_explicit(&shared->segment->participants[slot].identity, memory_order_relaxed));
    return found;
}

void salp__shared_leave(salp__shared *shared)
{
    salp__shared_latch(shared);
    free_nodes_locked(shared, shared->slot);
    free_slot_locked(shared, shared->slot);
    salp__shared_unlatch(shared);
    atomic_store_explicit(&shared->epoch, 0, memory_order_relaxed);
}
