/*
 * Reader-writer locks. Who comes while somebody waits, waits behind him; who unlocks lets in the first of the line, and
 * with a reader all readers up to the next writer.
 *
 * One between processes is another thing behind the same handle: sync/shared_rwlock.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"
#include "sync/shared_rwlock.h"

struct salp_rwlock {
    salp__latch latch;
    unsigned readers;            /* [latch] */
    salp__actor *writer;         /* [latch] */
    salp__list line;             /* [latch] of a writer, `item` is not NULL */
    salp__shared_rwlock *shared; /* between processes: then nothing else here is used; or NULL [const after open] */
};

int salp_rwlock_open(salp_rwlock **out, const salp_rwlock_options *options)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_rwlock *rwlock = salp__allocate(sizeof *rwlock);
    if (!rwlock)
        return -ENOMEM;
    int error = options && options->shared ? salp__shared_rwlock_open(&rwlock->shared) : 0;
    if (error < 0) {
        salp__free(rwlock);
        return error;
    }
    salp__list_open(&rwlock->line);
    *out = rwlock;
    return 0;
}

int salp_rwlock_attach(salp_rwlock **out, int fd)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_rwlock *rwlock = salp__allocate(sizeof *rwlock);
    if (!rwlock)
        return -ENOMEM;
    int error = salp__shared_rwlock_attach(&rwlock->shared, fd);
    if (error < 0) {
        salp__free(rwlock);
        return error;
    }
    *out = rwlock;
    return 0;
}

int salp_rwlock_fd(const salp_rwlock *rwlock)
{
    return rwlock && rwlock->shared ? salp__shared_rwlock_fd(rwlock->shared) : -EINVAL;
}

void salp_rwlock_close(salp_rwlock *rwlock)
{
    if (rwlock && rwlock->shared)
        salp__shared_rwlock_close(rwlock->shared);
    salp__free(rwlock);
}

/* [latch] Whether one more may be in, apart from those who wait. */
static bool has_room(const salp_rwlock *rwlock, bool writes)
{
    return !rwlock->writer && (!writes || rwlock->readers == 0);
}

/* [latch] */
static void enter(salp_rwlock *rwlock, bool writes, salp__actor *actor)
{
    if (writes)
        rwlock->writer = actor;
    else
        rwlock->readers++;
}

/* [latch held on entry, released] Lets in who can be. */
static void let_in(salp_rwlock *rwlock)
{
    salp__list woken;
    salp__list_open(&woken);
    while (!salp__list_empty(&rwlock->line)) {
        salp__spot *spot = SALP__CONTAINER(rwlock->line.next, salp__spot, link);
        if (!has_room(rwlock, spot->item) || (!spot->item && rwlock->readers == UINT_MAX))
            break;
        salp__list_remove(&spot->link);
        if (!salp__claim(spot))
            continue;
        enter(rwlock, spot->item, spot->waiter->actor);
        salp__list_append(&woken, &spot->link);
    }
    salp__latch_release(&rwlock->latch);
    salp__resume_all(&woken);
}

/* [latch] 0, or why not. */
static int try_locked(salp_rwlock *rwlock, bool writes, salp__actor *self)
{
    if (rwlock->writer == self)
        return -EDEADLK;
    if (!has_room(rwlock, writes) || !salp__list_empty(&rwlock->line))
        return -EBUSY;
    if (!writes && rwlock->readers == UINT_MAX)
        return -EAGAIN;
    enter(rwlock, writes, self);
    return 0;
}

/* [latch held on entry, released] */
static int wait_for(salp_rwlock *rwlock, bool writes)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter, writes ? "a lock for writing" : "a lock for reading");
    salp__spot spot = { .waiter = &waiter, .item = writes ? rwlock : NULL };
    salp__list_append(&rwlock->line, &spot.link);
    salp__latch_release(&rwlock->latch);
    int error = salp__wait(&waiter);
    if (error == 0)
        return 0;
    salp__latch_take(&rwlock->latch);
    if (spot.link.next)
        salp__list_remove(&spot.link);
    let_in(rwlock); /* those who were only waiting behind him */
    return salp__wait_end(waiter.actor, error);
}

static int lock(salp_rwlock *rwlock, bool writes)
{
    if (!rwlock)
        return -EINVAL;
    if (rwlock->shared)
        return salp__shared_rwlock_lock(rwlock->shared, writes);
    for (;;) {
        int error = salp__line_begin(&rwlock->latch);
        if (error < 0)
            return error;
        error = try_locked(rwlock, writes, salp__self());
        if (error != -EBUSY) {
            salp__latch_release(&rwlock->latch);
            return error;
        }
        error = wait_for(rwlock, writes);
        if (error != -EINTR)
            return error;
    }
}

int salp_rwlock_lock_read(salp_rwlock *rwlock)
{
    return lock(rwlock, false);
}

int salp_rwlock_lock_write(salp_rwlock *rwlock)
{
    return lock(rwlock, true);
}

static int try_lock(salp_rwlock *rwlock, bool writes)
{
    if (!rwlock)
        return -EINVAL;
    if (rwlock->shared)
        return salp__shared_rwlock_try_lock(rwlock->shared, writes);
    salp__latch_take(&rwlock->latch);
    int error = try_locked(rwlock, writes, salp__self());
    salp__latch_release(&rwlock->latch);
    return error;
}

int salp_rwlock_try_lock_read(salp_rwlock *rwlock)
{
    return try_lock(rwlock, false);
}

int salp_rwlock_try_lock_write(salp_rwlock *rwlock)
{
    return try_lock(rwlock, true);
}

int salp_rwlock_unlock(salp_rwlock *rwlock)
{
    if (!rwlock)
        return -EINVAL;
    if (rwlock->shared)
        return salp__shared_rwlock_unlock(rwlock->shared);
    salp__latch_take(&rwlock->latch);
    if (rwlock->writer == salp__self()) {
        rwlock->writer = NULL;
    } else if (!rwlock->writer && rwlock->readers > 0) {
        rwlock->readers--;
    } else {
        salp__latch_release(&rwlock->latch);
        return -EPERM;
    }
    let_in(rwlock);
    return 0;
}
