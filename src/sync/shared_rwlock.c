/*
 * A reader-writer lock between processes: which participant writes, and how often each one reads.
 *
 * Who comes while somebody waits, waits behind him; who unlocks lets in the first of the line, and with a reader all readers
 * up to the next writer. Which thread or task of the writing process it is, is known in that process alone.
 *
 * I1  All is changed under the latch and by the journal; to be let in, and to be off the line, in one transaction.
 * I2  When the latch is free, the first of the line cannot be let in; or somebody is about to let in more, or has died or
 *     given up, and it is settled then.
 * I3  When a writer has died, `spoilt` says so until one who was told has written: everybody who is let in meanwhile is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared_rwlock.h"

#include <errno.h>

#include "os/memory.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "task/scope.h"

enum { WRITES }; /* which of a node's items: 1 if it waits to write */

typedef struct body {
    salp__word writer;  /* slot + 1; 0: nobody writes */
    salp__word readers; /* all that there are */
    salp__word spoilt;  /* I3 */
    salp__shared_line line;
    salp__word reading[SALP__PARTICIPANTS]; /* by slot: how many of `readers` are its */
} body;

struct salp__shared_rwlock {
    salp__shared shared;
    _Atomic(salp__actor *) writer; /* who of this process writes, or NULL [written by him] */
};

static body *body_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

/* ---- going in and out ---- */

/* [latch] Whether one more may be in, apart from those who wait. */
static bool has_room_locked(const salp__shared *shared, bool writes)
{
    const body *b = body_of(shared);
    return salp__word_get(&b->writer) == 0 && (!writes || salp__word_get(&b->readers) == 0);
}

/* In a transaction of the caller's. Returns 0, or -EOWNERDEAD: he is to be told. I3 */
static int enter_locked(salp__shared *shared, bool writes, uint32_t slot)
{
    body *b = body_of(shared);
    if (writes) {
        salp__shared_set(shared, &b->writer, slot + 1);
    } else {
        salp__shared_set(shared, &b->readers, salp__word_get(&b->readers) + 1);
        salp__shared_set(shared, &b->reading[slot], salp__word_get(&b->reading[slot]) + 1);
    }
    return salp__word_get(&b->spoilt) ? -EOWNERDEAD : 0;
}

/* The same the other way: so many readers of a participant, or the writer, who leaves it spoilt or not. */
static void leave_reading_locked(salp__shared *shared, uint32_t slot, uint64_t count)
{
    body *b = body_of(shared);
    salp__shared_set(shared, &b->readers, salp__word_get(&b->readers) - count);
    salp__shared_set(shared, &b->reading[slot], salp__word_get(&b->reading[slot]) - count);
}

static void leave_writing_locked(salp__shared *shared, bool spoilt)
{
    body *b = body_of(shared);
    salp__shared_set(shared, &b->writer, 0);
    salp__shared_set(shared, &b->spoilt, spoilt);
}

static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    for (;;) {
        salp__node *first = salp__line_first_locked(shared, &body_of(shared)->line);
        if (!first || !has_room_locked(shared, salp__word_get(&first->items[WRITES])))
            return false;
        if (salp__wakes_full(wakes))
            return true;
        int told = enter_locked(shared, salp__word_get(&first->items[WRITES]), salp__node_slot(first));
        salp__grant_locked(shared, first, told, wakes);
        salp__shared_commit(shared);
    }
}

static void bury_locked(salp__shared *shared, uint32_t slot)
{
    const body *b = body_of(shared);
    if (salp__word_get(&b->writer) == slot + 1)
        leave_writing_locked(shared, true);
    leave_reading_locked(shared, slot, salp__word_get(&b->reading[slot]));
    salp__shared_commit(shared);
}

static void forget(salp__shared *shared)
{
    salp__shared_rwlock *rwlock = SALP__CONTAINER(shared, salp__shared_rwlock, shared);
    atomic_store_explicit(&rwlock->writer, NULL, memory_order_relaxed);
}

static const salp__shared_kind rwlocks = {
    .number = SALP__SHARED_RWLOCK,
    .body_size = sizeof(body),
    .bury_locked = bury_locked,
    .settle_locked = settle_locked,
    .forget = forget,
};

/* ---- its life ---- */

int salp__shared_rwlock_open(salp__shared_rwlock **out)
{
    salp__shared_rwlock *rwlock = salp__allocate(sizeof *rwlock);
    if (!rwlock)
        return -ENOMEM;
    int error = salp__shared_open(&rwlock->shared, &rwlocks, sizeof(body));
    if (error < 0) {
        salp__free(rwlock);
        return error;
    }
    *out = rwlock;
    return 0;
}

int salp__shared_rwlock_attach(salp__shared_rwlock **out, int fd)
{
    salp__shared_rwlock *rwlock = salp__allocate(sizeof *rwlock);
    if (!rwlock)
        return -ENOMEM;
    int error = salp__shared_attach(&rwlock->shared, &rwlocks, fd);
    if (error < 0) {
        salp__free(rwlock);
        return error;
    }
    *out = rwlock;
    return 0;
}

void salp__shared_rwlock_close(salp__shared_rwlock *rwlock)
{
    salp__shared *shared = &rwlock->shared;
    if (salp__shared_is_here(shared)) {
        /* Closing it while it is held is as dying with it. */
        salp__shared_latch(shared);
        bury_locked(shared, shared->slot);
        salp__shared_settle(shared);
    }
    salp__shared_close(shared);
    salp__free(rwlock);
}

int salp__shared_rwlock_fd(const salp__shared_rwlock *rwlock)
{
    return rwlock->shared.fd;
}

/* ---- locking ---- */

static bool is_writer(const salp__shared_rwlock *rwlock, const salp__actor *self)
{
    /* relaxed: only we ourselves make it ours. */
    return atomic_load_explicit(&rwlock->writer, memory_order_relaxed) == self;
}

/* [no latch] He has it: 0 or -EOWNERDEAD, which is returned. */
static int note_lock(salp__shared_rwlock *rwlock, bool writes, salp__actor *self, int told)
{
    if (writes)
        atomic_store_explicit(&rwlock->writer, self, memory_order_relaxed);
    return told;
}

/* [latch held on entry; released, unless it is -EBUSY] 0 or -EOWNERDEAD: he has it. */
static int take(salp__shared_rwlock *rwlock, bool writes, salp__actor *self)
{
    salp__shared *shared = &rwlock->shared;
    if (!has_room_locked(shared, writes) || !salp__shared_line_empty(&body_of(shared)->line))
        return -EBUSY;
    int told = enter_locked(shared, writes, shared->slot);
    salp__shared_commit(shared);
    salp__shared_unlatch(shared);
    return note_lock(rwlock, writes, self, told);
}

/* [latch held on entry, released] */
static int stand_in_line(salp__shared_rwlock *rwlock, bool writes, salp__actor *self)
{
    salp__shared *shared = &rwlock->shared;
    salp__berth berth;
    int error = salp__berth_take_locked(shared, &body_of(shared)->line, false, &berth,
                                        writes ? "a lock for writing" : "a lock for reading");
    if (error < 0) {
        salp__shared_unlatch(shared);
        return error;
    }
    salp__shared_set(shared, &salp__berth_node(&berth)->items[WRITES], writes);
    salp__shared_commit(shared);
    error = salp__berth_wait(&berth);
    if (error == 0)
        return note_lock(rwlock, writes, self, berth.result);
    salp__shared_latch(shared);
    salp__shared_settle(shared); /* for those who were only waiting behind him: I2 */
    return error;
}

int salp__shared_rwlock_lock(salp__shared_rwlock *rwlock, bool writes)
{
    salp__actor *self = salp__self();
    int error = salp__wait_begin();
    if (error == 0)
        error = salp__shared_enter(&rwlock->shared);
    if (error < 0)
        return error;
    if (is_writer(rwlock, self))
        return -EDEADLK;
    salp__shared_latch(&rwlock->shared);
    int result = take(rwlock, writes, self);
    return result == -EBUSY ? stand_in_line(rwlock, writes, self) : result;
}

/* Without waiting. */
static int try(salp__shared_rwlock *rwlock, bool writes, salp__actor *self)
{
    salp__shared_latch(&rwlock->shared);
    int result = take(rwlock, writes, self);
    if (result == -EBUSY)
        salp__shared_unlatch(&rwlock->shared);
    return result;
}

int salp__shared_rwlock_try_lock(salp__shared_rwlock *rwlock, bool writes)
{
    salp__actor *self = salp__self();
    int error = salp__shared_enter(&rwlock->shared);
    if (error < 0)
        return error;
    if (is_writer(rwlock, self))
        return -EDEADLK;
    int result = try(rwlock, writes, self);
    /* Those who are in the way, in it or in the line, may all be dead, and then nobody watches. */
    return result == -EBUSY && salp__bury_all_dead(&rwlock->shared) ? try(rwlock, writes, self) : result;
}

/* ---- unlocking ---- */

int salp__shared_rwlock_unlock(salp__shared_rwlock *rwlock)
{
    salp__shared *shared = &rwlock->shared;
    const body *b = body_of(shared);
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    if (is_writer(rwlock, salp__self())) {
        atomic_store_explicit(&rwlock->writer, NULL, memory_order_relaxed);
        leave_writing_locked(shared, false);
    } else if (salp__word_get(&b->reading[shared->slot]) > 0) {
        leave_reading_locked(shared, shared->slot, 1);
    } else {
        salp__shared_unlatch(shared);
        return -EPERM;
    }
    salp__shared_commit(shared);
    salp__shared_settle(shared);
    return 0;
}
