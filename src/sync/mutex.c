/*
 * A mutex that is handed over: who unlocks it makes the one who has waited longest its owner, so nobody overtakes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"

struct salp_mutex {
    salp__line line;
    salp__actor *owner; /* [lock] NULL: nobody */
    uint64_t depth;     /* [lock] how often the owner has locked it */
    bool recursive;     /* [const after open] */
};

int salp_mutex_open(salp_mutex **out, const salp_mutex_options *options)
{
    static const salp_mutex_options defaults;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    if (options->shared)
        return -ENOTSUP;
    salp_mutex *mutex = salp__allocate(sizeof *mutex);
    if (!mutex)
        return -ENOMEM;
    salp__line_open(&mutex->line);
    mutex->recursive = options->recursive;
    *out = mutex;
    return 0;
}

/* 0: it is the caller's now. -EBUSY: somebody else's. */
static int take_locked(salp_mutex *mutex, salp__actor *self)
{
    if (mutex->owner == self && !mutex->recursive)
        return -EDEADLK;
    if (mutex->owner && mutex->owner != self)
        return -EBUSY;
    mutex->owner = self;
    mutex->depth++;
    return 0;
}

int salp_mutex_lock(salp_mutex *mutex)
{
    if (!mutex)
        return -EINVAL;
    for (;;) {
        int error = salp__line_begin(&mutex->line);
        if (error < 0)
            return error;
        error = take_locked(mutex, salp__self());
        if (error != -EBUSY) {
            salp__line_end(&mutex->line);
            return error;
        }
        error = salp__line_wait(&mutex->line);
        if (error != -EINTR)
            return error;
    }
}

int salp_mutex_try_lock(salp_mutex *mutex)
{
    if (!mutex)
        return -EINVAL;
    salp__lock_take(&mutex->line.lock);
    int error = take_locked(mutex, salp__self());
    salp__lock_release(&mutex->line.lock);
    return error;
}

int salp_mutex_unlock(salp_mutex *mutex)
{
    if (!mutex)
        return -EINVAL;
    salp__waiter *next = NULL;
    salp__lock_take(&mutex->line.lock);
    bool mine = mutex->owner == salp__self();
    if (mine && --mutex->depth == 0) {
        next = salp__line_next_locked(&mutex->line);
        mutex->owner = next ? next->actor : NULL;
        mutex->depth = next ? 1 : 0;
    }
    salp__lock_release(&mutex->line.lock);
    if (next)
        salp__resume(next);
    return mine ? 0 : -EPERM;
}

void salp_mutex_close(salp_mutex *mutex)
{
    if (!mutex)
        return;
    salp__line_close(&mutex->line);
    salp__free(mutex);
}
