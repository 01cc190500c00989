/*
 * A result that somebody will have.
 *
 *     pending --settle, resolve, cancel--> resolved
 *
 * I1  `result` is written once, under the lock, before `resolved` is set (release) and the bell rung.
 * I2  The owner's object is used only under the lock and only while pending, so the owner may free it as soon as
 *     settle has returned.
 * I3  Memory goes with the last hold: one for the user's handle, one for the owner while it is pending.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/future.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>

#include <salp/error.h>
#include <salp/time.h>

#include "base/assert.h"
#include "os/memory.h"
#include "os/thread.h"
#include "task/park.h"

struct salp_future {
    salp__lock lock;
    _Atomic int holds;
    _Atomic bool resolved; /* release in finish, acquire in salp_future_ready: makes result readable */
    int result;            /* [lock until resolved, then const] */
    salp__bell bell;
    const salp__future_owner *owner; /* [lock] NULL: the user's own, or resolved */
    void *object;                    /* [lock] */
    bool owned;                      /* [const after open] only its owner resolves it */
};

static int open_future(salp_future **out, const salp__future_owner *owner, void *object, int holds)
{
    salp_future *future = salp__allocate(sizeof *future);
    if (!future)
        return -ENOMEM;
    salp__lock_open(&future->lock);
    atomic_init(&future->holds, holds);
    future->owner = owner;
    future->object = object;
    future->owned = owner != NULL;
    *out = future;
    return 0;
}

int salp__future_open(salp_future **future, const salp__future_owner *owner, void *object)
{
    return open_future(future, owner, object, 2);
}

static void drop(salp_future *future)
{
    /* acq_rel: whoever drops last must see what the others did before they let go. */
    if (atomic_fetch_sub_explicit(&future->holds, 1, memory_order_acq_rel) > 1)
        return;
    salp__lock_close(&future->lock);
    salp__free(future);
}

static void finish_locked(salp_future *future, int result)
{
    future->result = result;
    future->owner = NULL;
    future->object = NULL;
    /* release: pairs with the acquire in salp_future_ready; without it a reader might see an old result. */
    atomic_store_explicit(&future->resolved, true, memory_order_release);
}

void salp__future_settle(salp_future *future, int result, salp_done_fn *done, void *arg)
{
    salp__lock_take(&future->lock);
    finish_locked(future, result);
    salp__lock_release(&future->lock);
    salp__wake(&future->bell, INT_MAX, false);
    if (done)
        done(future, arg);
    drop(future);
}

int salp_future_open(salp_future **future)
{
    return future ? open_future(future, NULL, NULL, 1) : -EINVAL;
}

static int resolve(salp_future *future, int result)
{
    /* A hold of our own: who waits may see the result and free the future before we have rung the bell. Relaxed: the
       caller's handle keeps the count above zero meanwhile. */
    atomic_fetch_add_explicit(&future->holds, 1, memory_order_relaxed);
    salp__lock_take(&future->lock);
    /* relaxed: the lock orders it. */
    bool late = atomic_load_explicit(&future->resolved, memory_order_relaxed);
    if (!late)
        finish_locked(future, result);
    salp__lock_release(&future->lock);
    if (!late)
        salp__wake(&future->bell, INT_MAX, false);
    drop(future);
    return late ? -EALREADY : 0;
}

int salp_future_resolve(salp_future *future, int result)
{
    if (!future || future->owned)
        return -EINVAL;
    return resolve(future, result);
}

bool salp_future_ready(const salp_future *future)
{
    /* acquire: pairs with the release in finish_locked. */
    return future && atomic_load_explicit(&future->resolved, memory_order_acquire);
}

static int may_wait(salp_future *future)
{
    salp__lock_take(&future->lock);
    int error = future->owner ? future->owner->may_wait(future->object) : 0;
    salp__lock_release(&future->lock);
    return error;
}

int salp_future_wait(salp_future *future)
{
    if (!future)
        return -EINVAL;
    int error = salp_future_ready(future) ? 0 : may_wait(future);
    if (error < 0)
        return error;
    for (;;) {
        uint32_t seen = salp__bell_look(&future->bell);
        if (salp_future_ready(future))
            return future->result;
        salp__park(&future->bell, seen, SALP_FOREVER, false, SALP__LOOK_FIRST);
    }
}

int salp_future_cancel(salp_future *future)
{
    if (!future)
        return -EINVAL;
    if (!future->owned)
        return resolve(future, -ECANCELED);
    salp__lock_take(&future->lock);
    int result = future->owner ? future->owner->cancel(future->object) : -EALREADY;
    salp__lock_release(&future->lock);
    return result;
}

void salp_future_free(salp_future *future)
{
    if (future)
        drop(future);
}
