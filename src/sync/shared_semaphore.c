/*
 * A semaphore between processes: how many units there are, and how many each participant has.
 *
 *     | total = value + held[0] + held[1] + ... |
 *
 * I1  All is changed under the latch. What counts is `total` and `held`: each change of these is one store, or one
 *     transaction of the journal. So each unit is in one place, whenever somebody dies.
 * I2  `value` follows from them. It is stored after them, so that nobody need count; if somebody dies in between, it is
 *     counted anew. So to take a unit and to give it back are two stores each, without the journal.
 * I3  When the latch is free, there is no unit, or nobody waits. (Who adds some commits that, and then hands them out one by
 *     one; if he dies in between, settling goes on.)
 *
 * What a participant has taken is booked to it until it releases as many. At its death what is booked comes back. Who has
 * nothing booked and releases adds new units.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared_semaphore.h"

#include <errno.h>

#include "os/memory.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "task/scope.h"

enum { LOOKS = 12 }; /* of a thread, before it sleeps: as in sync/semaphore.c */

typedef struct body {
    salp__word value; /* I2 */
    salp__shared_line line;
    uint64_t most; /* [const after open] */
    salp__word total;
    salp__word held[SALP__PARTICIPANTS]; /* by slot */
} body;

struct salp__shared_semaphore {
    salp__shared shared;
};

static body *body_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

/* ---- giving out, and back ---- */

/* One word of those that are not changed by the journal. release: in this order, for the compiler: as in shared/journal.h. */
static inline void store_locked(salp__word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
    SALP__STEP();
}

/* One unit becomes a participant's; in a transaction of the caller's. */
static void book_locked(salp__shared *shared, uint32_t slot)
{
    body *b = body_of(shared);
    salp__word *held = &b->held[slot];
    salp__journal_set_both(salp__shared_journal(shared), &b->value, salp__word_get(&b->value) - 1, held,
                           salp__word_get(held) + 1);
}

static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    body *b = body_of(shared);
    while (salp__word_get(&b->value) > 0 && !salp__shared_line_empty(&b->line)) {
        if (salp__wakes_full(wakes))
            return true;
        salp__node *next = salp__line_first_locked(shared, &b->line);
        book_locked(shared, salp__node_slot(next));
        salp__grant_locked(shared, next, 0, wakes);
        salp__shared_commit(shared);
    }
    return false;
}

/* All that is booked to a participant is no more, save for so many units, which are there again. */
static void unbook_locked(salp__shared *shared, uint32_t slot, uint64_t back)
{
    body *b = body_of(shared);
    salp__journal *journal = salp__shared_journal(shared);
    uint64_t gone = salp__word_get(&b->held[slot]) - back;
    salp__journal_set_both(journal, &b->total, salp__word_get(&b->total) - gone, &b->held[slot], 0);
    salp__journal_set(journal, &b->value, salp__word_get(&b->value) + back);
    salp__shared_commit(shared);
}

/* What comes back from the dead one. Others may have released in its stead: with what all others have it is never more than
   the most. */
static void bury_locked(salp__shared *shared, uint32_t slot)
{
    const body *b = body_of(shared);
    uint64_t held = salp__word_get(&b->held[slot]), others = salp__word_get(&b->total) - held;
    uint64_t room = others < b->most ? b->most - others : 0;
    unbook_locked(shared, slot, held < room ? held : room);
}

/* I2 */
static void mend_locked(salp__shared *shared)
{
    body *b = body_of(shared);
    uint64_t value = salp__word_get(&b->total);
    uint64_t slots = atomic_load_explicit(&shared->segment->slots_used, memory_order_relaxed);
    for (uint64_t slot = 0; slot < slots; slot++)
        value -= salp__word_get(&b->held[slot]);
    store_locked(&b->value, value);
}

static const salp__shared_kind semaphores = {
    .number = SALP__SHARED_SEMAPHORE,
    .body_size = sizeof(body),
    .mend_locked = mend_locked,
    .bury_locked = bury_locked,
    .settle_locked = settle_locked,
};

/* ---- its life ---- */

int salp__shared_semaphore_open(salp__shared_semaphore **out, unsigned value, unsigned most)
{
    salp__shared_semaphore *semaphore = salp__allocate(sizeof *semaphore);
    if (!semaphore)
        return -ENOMEM;
    int error = salp__shared_open(&semaphore->shared, &semaphores, sizeof(body));
    if (error < 0) {
        salp__free(semaphore);
        return error;
    }
    body *b = body_of(&semaphore->shared);
    atomic_init(&b->value, value);
    atomic_init(&b->total, value);
    b->most = most;
    *out = semaphore;
    return 0;
}

int salp__shared_semaphore_attach(salp__shared_semaphore **out, int fd)
{
    salp__shared_semaphore *semaphore = salp__allocate(sizeof *semaphore);
    if (!semaphore)
        return -ENOMEM;
    int error = salp__shared_attach(&semaphore->shared, &semaphores, fd);
    if (error < 0) {
        salp__free(semaphore);
        return error;
    }
    *out = semaphore;
    return 0;
}

void salp__shared_semaphore_close(salp__shared_semaphore *semaphore)
{
    salp__shared *shared = &semaphore->shared;
    if (salp__shared_is_here(shared)) {
        /* Leaving in order is no death: what was taken stays so. */
        salp__shared_latch(shared);
        unbook_locked(shared, shared->slot, 0);
        salp__shared_unlatch(shared);
    }
    salp__shared_close(shared);
    salp__free(semaphore);
}

int salp__shared_semaphore_fd(const salp__shared_semaphore *semaphore)
{
    return semaphore->shared.fd;
}

/* ---- its use ---- */

/* [latch] */
static bool take_locked(salp__shared *shared)
{
    body *b = body_of(shared);
    salp__word *held = &b->held[shared->slot];
    uint64_t value = salp__word_get(&b->value);
    if (value == 0)
        return false;
    store_locked(held, salp__word_get(held) + 1); /* I2 */
    store_locked(&b->value, value - 1);
    return true;
}

static bool take(salp__shared *shared)
{
    salp__shared_latch(shared);
    bool taken = take_locked(shared);
    salp__shared_unlatch(shared);
    return taken;
}

/* A thread looks for one that may be released sooner than a sleep and a wake take. */
static bool look_for(salp__shared *shared)
{
    if (salp__self()->task)
        return false; /* its loop has better things to do */
    for (unsigned tries = 0; tries < LOOKS; tries++) {
        salp__pause(tries);
        if (salp__word_get(&body_of(shared)->value) > 0 && take(shared))
            return true;
    }
    return false;
}

/* Not in the frame of those who need not wait. */
static __attribute__((noinline)) int wait_for(salp__shared *shared)
{
    salp__berth berth;
    if (look_for(shared))
        return 0;
    salp__shared_latch(shared);
    if (take_locked(shared)) {
        salp__shared_unlatch(shared);
        return 0;
    }
    int error = salp__berth_take_locked(shared, &body_of(shared)->line, false, &berth, "a semaphore");
    if (error < 0) {
        salp__shared_unlatch(shared);
        return error;
    }
    salp__shared_commit(shared);
    return salp__berth_wait(&berth);
}

int salp__shared_semaphore_acquire(salp__shared_semaphore *semaphore)
{
    salp__shared *shared = &semaphore->shared;
    int error = salp__wait_begin();
    if (error == 0)
        error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    return SALP__LIKELY(take(shared)) ? 0 : wait_for(shared);
}

/* Those that have units and are dead, if nobody waits who would have noticed. */
static bool bury_holders(salp__shared *shared)
{
    uint64_t slots = atomic_load_explicit(&shared->segment->slots_used, memory_order_relaxed);
    bool found = false;
    for (uint64_t slot = 0; slot < slots; slot++) {
        const salp__participant *participant = &shared->segment->participants[slot];
        /* relaxed, both: hints. */
        if (salp__word_get(&body_of(shared)->held[slot]) > 0)
            found |= salp__bury_if_dead(shared, atomic_load_explicit(&participant->identity, memory_order_relaxed));
    }
    return found;
}

int salp__shared_semaphore_try_acquire(salp__shared_semaphore *semaphore)
{
    salp__shared *shared = &semaphore->shared;
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    return take(shared) || (bury_holders(shared) && take(shared)) ? 0 : -EAGAIN;
}

/* What the caller has booked comes off that first; who has no more adds new units. [latch] I2 */
static void give_back_locked(salp__shared *shared, uint64_t count)
{
    body *b = body_of(shared);
    salp__word *held = &b->held[shared->slot];
    uint64_t before = salp__word_get(held), total = salp__word_get(&b->total);
    if (SALP__LIKELY(before >= count)) {
        store_locked(held, before - count);
    } else {
        salp__journal_set_both(salp__shared_journal(shared), &b->total, total + (count - before), held, 0);
        salp__shared_commit(shared);
    }
    store_locked(&b->value, salp__word_get(&b->value) + count);
}

/* To those who wait. [latch held on entry, released] */
static __attribute__((noinline)) void give_out(salp__shared *shared)
{
    for (;; salp__shared_latch(shared)) {
        salp__wakes wakes = { 0 };
        bool more = settle_locked(shared, &wakes);
        salp__shared_unlatch(shared);
        salp__wakes_ring(shared, &wakes);
        if (!more)
            return;
    }
}

int salp__shared_semaphore_release(salp__shared_semaphore *semaphore, unsigned count)
{
    salp__shared *shared = &semaphore->shared;
    body *b = body_of(shared);
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    bool fits = count <= b->most - salp__word_get(&b->value);
    if (fits && count > 0)
        give_back_locked(shared, count);
    if (SALP__LIKELY(salp__shared_line_empty(&b->line)))
        salp__shared_unlatch(shared);
    else
        give_out(shared);
    return fits ? 0 : -EOVERFLOW;
}
