/*
 * A mutex between processes: one word of shared memory, which says which process holds it, whether somebody waits, and
 * whether its last owner has died.
 *
 *   | 0 | <--unlock-- | owner | --somebody waits--> | owner + WANTED | --unlock--> handed over, or passed on
 *                         `--the owner dies--> | DIED, and WANTED if somebody waits | --lock--> | owner |, and -EOWNERDEAD
 *
 * It goes from one to the next as between threads (sync/mutex.c): it is left free and the one who has waited longest is
 * woken to try; if somebody was faster, he comes back to the front of the line and is handed it the next time. Which
 * thread or task of the owning process it is, and how often it has locked it, is known in that process alone.
 *
 * I1  The word is changed from free to owned, and from owned by us alone to free, by one compare-and-swap, without the
 *     latch. Everything else is done under the latch: WANTED, the line, handing over, what follows a death. While it is
 *     owned and WANTED, nobody changes it without the latch.
 * I2  While the line is not empty, the word has WANTED; or it is free, and somebody was woken to try, or will be: who has
 *     left it free granted the first one a try in the transaction before; if that one dies or gives up, settling grants
 *     another one (one too many does no harm: he tries in vain).
 * I3  Handing over changes the word and the line in one transaction. Passing on grants first, and then frees by one store:
 *     nobody may undo a word that others can take. Who dies in between owns it, and so the next one is told.
 * I4  An identity in the word is of a participant, and no other process will have it (shared/latch.h, I1). Burying it
 *     replaces it by DIED in one store.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared_mutex.h"

#include <errno.h>

#include "os/memory.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "task/scope.h"

/* Beside the identity of the owner, which leaves these two bits free. */
#define WANTED (UINT64_C(1) << 31)
#define DIED (UINT64_C(1) << 30)
#define OWNER (~(WANTED | DIED))

enum { LOOKS = 12 }; /* of a thread, before it sleeps: as in sync/mutex.c */
enum { WAS_PASSED }; /* which of a node's items: 1 if it has been woken to try, in vain */

typedef struct body {
    salp__word word;        /* I1; acquire when it is taken, release when it is given */
    salp__shared_line line; /* [latch, journal] */
    uint64_t recursive;     /* [const after open] */
} body;

struct salp__shared_mutex {
    salp__shared shared;
    _Atomic(salp__actor *) holder; /* who of this process holds it, or NULL [written by him] */
    int64_t depth;                 /* how often [holder] */
};

static body *body_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

/* ---- after a death ---- */

static void bury_locked(salp__shared *shared, uint32_t slot)
{
    body *b = body_of(shared);
    uint64_t dead = atomic_load_explicit(&shared->segment->participants[slot].identity, memory_order_relaxed);
    /* relaxed: if it is the dead one's, nobody else changes it. */
    if ((salp__word_get(&b->word) & OWNER) == dead)
        atomic_store_explicit(&b->word, DIED | WANTED, memory_order_release); /* I4 */
    SALP__STEP();
}

/* If it is free, somebody has to be awake to take it. I2 */
static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    body *b = body_of(shared);
    salp__node *next = salp__line_first_locked(shared, &b->line);
    if (next && (salp__word_get(&b->word) & OWNER) == 0) {
        salp__grant_locked(shared, next, -EAGAIN, wakes);
        salp__shared_commit(shared);
    }
    return false;
}

static void forget(salp__shared *shared)
{
    salp__shared_mutex *mutex = SALP__CONTAINER(shared, salp__shared_mutex, shared);
    atomic_store_explicit(&mutex->holder, NULL, memory_order_relaxed);
}

static const salp__shared_kind mutexes = {
    .number = SALP__SHARED_MUTEX,
    .body_size = sizeof(body),
    .bury_locked = bury_locked,
    .settle_locked = settle_locked,
    .forget = forget,
};

static void settle(salp__shared_mutex *mutex)
{
    salp__wakes wakes = { 0 };
    salp__shared_latch(&mutex->shared);
    settle_locked(&mutex->shared, &wakes);
    salp__shared_unlatch(&mutex->shared);
    salp__wakes_ring(&mutex->shared, &wakes);
}

/* ---- its life ---- */

int salp__shared_mutex_open(salp__shared_mutex **out, bool recursive)
{
    salp__shared_mutex *mutex = salp__allocate(sizeof *mutex);
    if (!mutex)
        return -ENOMEM;
    int error = salp__shared_open(&mutex->shared, &mutexes, sizeof(body));
    if (error < 0) {
        salp__free(mutex);
        return error;
    }
    body_of(&mutex->shared)->recursive = recursive;
    *out = mutex;
    return 0;
}

int salp__shared_mutex_attach(salp__shared_mutex **out, int fd)
{
    salp__shared_mutex *mutex = salp__allocate(sizeof *mutex);
    if (!mutex)
        return -ENOMEM;
    int error = salp__shared_attach(&mutex->shared, &mutexes, fd);
    if (error < 0) {
        salp__free(mutex);
        return error;
    }
    *out = mutex;
    return 0;
}

void salp__shared_mutex_close(salp__shared_mutex *mutex)
{
    salp__shared *shared = &mutex->shared;
    /* Closing it while it is held is as dying with it. */
    if (salp__shared_is_here(shared) && atomic_load_explicit(&mutex->holder, memory_order_relaxed)) {
        salp__shared_latch(shared);
        bury_locked(shared, shared->slot);
        salp__shared_unlatch(shared);
        settle(mutex);
    }
    salp__shared_close(shared);
    salp__free(mutex);
}

int salp__shared_mutex_fd(const salp__shared_mutex *mutex)
{
    return mutex->shared.fd;
}

/* ---- locking ---- */

static bool is_owner(const salp__shared_mutex *mutex, const salp__actor *self)
{
    /* relaxed: only we ourselves make it ours. */
    return atomic_load_explicit(&mutex->holder, memory_order_relaxed) == self;
}

static void note_owner(salp__shared_mutex *mutex, salp__actor *self)
{
    atomic_store_explicit(&mutex->holder, self, memory_order_relaxed);
    mutex->depth = 1;
}

/* 0 or -EOWNERDEAD: it is ours now. -EBUSY: somebody else's. */
static int take_if_free(salp__shared_mutex *mutex, salp__actor *self)
{
    body *b = body_of(&mutex->shared);
    uint64_t seen = 0;
    do {
        /* WANTED stays: passed on, and nobody's yet, whoever comes first may have it. */
        if (atomic_compare_exchange_strong_explicit(&b->word, &seen, mutex->shared.identity | (seen & WANTED),
                                                    memory_order_acquire, memory_order_relaxed)) {
            SALP__STEP();
            note_owner(mutex, self);
            return seen & DIED ? -EOWNERDEAD : 0;
        }
    } while ((seen & OWNER) == 0);
    return -EBUSY;
}

/* The same; of one that is ours already: 0 or -EDEADLK. */
static int take(salp__shared_mutex *mutex, salp__actor *self)
{
    int result = take_if_free(mutex, self);
    if (result != -EBUSY || !is_owner(mutex, self))
        return result;
    if (!body_of(&mutex->shared)->recursive)
        return -EDEADLK;
    mutex->depth++;
    return 0;
}

/* [latch] As take_if_free; -EBUSY: and now it is WANTED. */
static int take_or_want(salp__shared_mutex *mutex, salp__actor *self)
{
    body *b = body_of(&mutex->shared);
    for (;;) {
        int result = take_if_free(mutex, self);
        if (result != -EBUSY)
            return result;
        uint64_t seen = salp__word_get(&b->word);
        /* relaxed: nothing is handed over by it. */
        if ((seen & OWNER) != 0 && atomic_compare_exchange_strong_explicit(&b->word, &seen, seen | WANTED,
                                                                           memory_order_relaxed, memory_order_relaxed))
            return -EBUSY;
    }
}

/* A thread looks at it for a while: it may be free sooner than a sleep and a wake take. -EBUSY: it was not. */
static int look_for(salp__shared_mutex *mutex, salp__actor *self)
{
    int result = -EBUSY;
    for (unsigned tries = 0; !self->task && tries < LOOKS && result == -EBUSY; tries++) {
        salp__pause(tries);
        /* relaxed: a hint. */
        if ((salp__word_get(&body_of(&mutex->shared)->word) & OWNER) == 0)
            result = take_if_free(mutex, self);
    }
    return result;
}

/* Waits in the line; `passed`: in front of it, and is handed the mutex. -EBUSY: it was passed on to us, to try. */
static int stand_in_line(salp__shared_mutex *mutex, salp__actor *self, bool passed, bool through)
{
    salp__shared *shared = &mutex->shared;
    salp__berth berth;
    salp__shared_latch(shared);
    int result = take_or_want(mutex, self);
    if (result == -EBUSY) {
        result = salp__berth_take_locked(shared, &body_of(shared)->line, passed, &berth, "a mutex");
        if (result == 0) {
            salp__shared_set(shared, &salp__berth_node(&berth)->items[WAS_PASSED], passed);
            salp__shared_commit(shared);
        }
        if (result == 0 && through) {
            salp__berth_wait_through(&berth);
        } else if (result == 0) {
            result = salp__berth_wait(&berth);
        } else {
            salp__shared_unlatch(shared);
        }
        if (result == 0 && berth.result == -EAGAIN)
            return -EBUSY;
        if (result == 0)
            note_owner(mutex, self);
        return result;
    }
    salp__shared_unlatch(shared);
    return result;
}

static int wait_for(salp__shared_mutex *mutex, salp__actor *self, bool through)
{
    for (bool passed = false;;) {
        int result = look_for(mutex, self);
        if (result == -EBUSY)
            result = stand_in_line(mutex, self, passed, through);
        if (result == -EBUSY) {
            passed = true;
        } else if (result == -EAGAIN && through) {
            salp__look_after_others(&mutex->shared); /* there is no place in the line, and we may not give up */
        } else {
            if (result < 0 && result != -EOWNERDEAD && passed)
                settle(mutex); /* the try that we were granted is for the next one: I2 */
            return result;
        }
    }
}

int salp__shared_mutex_lock(salp__shared_mutex *mutex)
{
    salp__actor *self = salp__self();
    int error = salp__wait_begin();
    if (error == 0)
        error = salp__shared_enter(&mutex->shared);
    if (error < 0)
        return error;
    error = take(mutex, self);
    return error == -EBUSY ? wait_for(mutex, self, false) : error;
}

int salp__shared_mutex_try_lock(salp__shared_mutex *mutex)
{
    salp__shared *shared = &mutex->shared;
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    error = take(mutex, salp__self());
    uint64_t owner = salp__word_get(&body_of(shared)->word) & OWNER;
    if (error == -EBUSY && salp__bury_if_dead(shared, owner))
        error = take(mutex, salp__self());
    return error;
}

/* ---- unlocking ---- */

/* It is wanted. */
static void let_next(salp__shared_mutex *mutex)
{
    salp__shared *shared = &mutex->shared;
    body *b = body_of(shared);
    salp__wakes wakes = { 0 };
    uint64_t word = 0;
    salp__shared_latch(shared);
    salp__node *next = salp__line_first_locked(shared, &b->line);
    if (next && salp__line_next_node_locked(shared, next))
        word = WANTED;
    if (next && salp__word_get(&next->items[WAS_PASSED])) {
        const salp__participant *owner = &shared->segment->participants[salp__node_slot(next)];
        word |= atomic_load_explicit(&owner->identity, memory_order_relaxed);
        salp__shared_set(shared, &b->word, word);
        salp__grant_locked(shared, next, 0, &wakes);
        salp__shared_commit(shared);
    } else {
        if (next) {
            salp__grant_locked(shared, next, -EAGAIN, &wakes);
            salp__shared_commit(shared);
        }
        SALP__STEP();
        /* release: pairs with the acquire of who takes it. I3 */
        atomic_store_explicit(&b->word, word, memory_order_release);
    }
    salp__shared_unlatch(shared);
    salp__wakes_ring(shared, &wakes);
}

static void give(salp__shared_mutex *mutex)
{
    uint64_t seen = mutex->shared.identity;
    atomic_store_explicit(&mutex->holder, NULL, memory_order_relaxed);
    SALP__STEP();
    if (!atomic_compare_exchange_strong_explicit(&body_of(&mutex->shared)->word, &seen, 0, memory_order_release,
                                                 memory_order_relaxed))
        let_next(mutex);
    SALP__STEP();
}

int salp__shared_mutex_unlock(salp__shared_mutex *mutex)
{
    if (!salp__shared_mutex_is_mine(mutex))
        return -EPERM;
    if (--mutex->depth == 0)
        give(mutex);
    return 0;
}

/* ---- for conditions ---- */

bool salp__shared_mutex_is_mine(salp__shared_mutex *mutex)
{
    /* In a fork, what the handle says of its owner is about the parent. */
    return salp__shared_is_here(&mutex->shared) && is_owner(mutex, salp__self());
}

int64_t salp__shared_mutex_give_up(salp__shared_mutex *mutex)
{
    int64_t depth = mutex->depth;
    give(mutex);
    return depth;
}

int salp__shared_mutex_take_back(salp__shared_mutex *mutex, int64_t depth)
{
    salp__actor *self = salp__self();
    int result = take(mutex, self);
    if (result == -EBUSY)
        result = wait_for(mutex, self, true);
    mutex->depth = depth;
    return result;
}
