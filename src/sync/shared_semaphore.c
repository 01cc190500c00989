/*
 * A semaphore between processes: how many units there are, and how many each participant has.
 *
 * I1  All is changed under the latch and by the journal: a unit goes from `value` to `held` of a participant, or back, in
 *     one transaction. So each unit is in one place, whenever somebody dies.
 * I2  When the latch is free, there is no unit, or nobody waits. (Who adds some commits that, and then hands them out one by
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
    salp__word value;
    salp__shared_line line;
    uint64_t most;                       /* [const after open] */
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

/* One unit becomes a participant's. */
static void book_locked(salp__shared *shared, uint32_t slot)
{
    body *b = body_of(shared);
    salp__word *held = &b->held[slot];
    salp__journal_set_both(salp__shared_journal(shared), &b->value, salp__word_get(&b->value) - 1, held,
                           salp__word_get(held) + 1);
}

/* Up to `returned` of them come off what is booked to it, and `added` are there again. */
static void unbook_locked(salp__shared *shared, uint32_t slot, uint64_t returned, uint64_t added)
{
    body *b = body_of(shared);
    salp__word *held = &b->held[slot];
    uint64_t before = salp__word_get(held);
    salp__journal_set_both(salp__shared_journal(shared), &b->value, salp__word_get(&b->value) + added, held,
                           before > returned ? before - returned : 0);
    salp__shared_commit(shared);
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

/* What comes back from the dead one. Others may have released in its stead: with what all others have it is never more than
   the most. */
static void bury_locked(salp__shared *shared, uint32_t slot)
{
    const body *b = body_of(shared);
    uint64_t held = salp__word_get(&b->held[slot]), others = salp__word_get(&b->value);
    uint64_t slots = atomic_load_explicit(&shared->segment->slots_used, memory_order_relaxed);
    for (uint64_t i = 0; i < slots; i++)
        others += i == slot ? 0 : salp__word_get(&b->held[i]);
    uint64_t room = others < b->most ? b->most - others : 0;
    unbook_locked(shared, slot, held, held < room ? held : room);
}

static const salp__shared_kind semaphores = {
    .number = SALP__SHARED_SEMAPHORE,
    .body_size = sizeof(body),
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
        unbook_locked(shared, shared->slot, UINT64_MAX, 0);
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
    if (salp__word_get(&body_of(shared)->value) == 0)
        return false;
    book_locked(shared, shared->slot);
    salp__shared_commit(shared);
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

static int stand_in_line(salp__shared *shared)
{
    salp__berth berth;
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
    return take(shared) || look_for(shared) ? 0 : stand_in_line(shared);
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

/* To those who wait. [latch held on entry, released] */
static void give_out(salp__shared *shared)
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
        unbook_locked(shared, shared->slot, count, count);
    if (salp__shared_line_empty(&b->line))
        salp__shared_unlatch(shared);
    else
        give_out(shared);
    return fits ? 0 : -EOVERFLOW;
}
