/*
 * A result that somebody will have.
 *
 *     pending --settle, resolve, cancel--> resolved
 *
 * I1  `result` is written once, under the latch, before `resolved` is set (release) and the waiters are woken.
 * I2  The owner's object is used only under the latch and only while pending, so the owner may free it as soon as
 *     settle has returned.
 * I3  Memory goes with the last hold: one for the user's handle, one for the owner while it is pending.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/future.h"

#include <errno.h>
#include <stddef.h>

#include <salp/error.h>
#include <salp/time.h>

#include "base/assert.h"
#include "os/memory.h"

struct salp_future {
    salp__latch latch;
    _Atomic int holds;
    _Atomic bool resolved;           /* release in finish, acquire in salp_future_ready: makes result readable */
    int result;                      /* [latch until resolved, then const] */
    salp__list line;                 /* [latch] of those who wait */
    const salp__future_owner *owner; /* [latch] NULL: the user's own, or resolved */
    void *object;                    /* [latch] */
    bool owned;                      /* [const after open] only its owner resolves it */
};

static int open_future(salp_future **out, const salp__future_owner *owner, void *object, int holds)
{
    salp_future *future = salp__allocate(sizeof *future);
    if (!future)
        return -ENOMEM;
    salp__list_open(&future->line);
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
    salp__free(future);
}

/* Those who wait and are not interrupted move to `woken`; who calls this lets them go on, without the latch. */
static void finish_locked(salp_future *future, int result, salp__list *woken)
{
    future->result = result;
    future->owner = NULL;
    future->object = NULL;
    /* release: pairs with the acquire in salp_future_ready; without it a reader might see an old result. */
    atomic_store_explicit(&future->resolved, true, memory_order_release);
    salp__claim_all(&future->line, woken);
}

void salp__future_settle(salp_future *future, int result, salp_done_fn *done, void *arg)
{
    salp__list woken;
    salp__latch_take(&future->latch);
    finish_locked(future, result, &woken);
    salp__latch_release(&future->latch);
    salp__resume_all(&woken);
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
    /* A hold of our own: who looks may see the result and free the future before we have let go of the latch. Relaxed:
       the caller's handle keeps the count above zero meanwhile. */
    atomic_fetch_add_explicit(&future->holds, 1, memory_order_relaxed);
    salp__latch_take(&future->latch);
    /* relaxed: the latch orders it. */
    bool late = atomic_load_explicit(&future->resolved, memory_order_relaxed);
    salp__list woken;
    if (!late)
        finish_locked(future, result, &woken);
    salp__latch_release(&future->latch);
    if (!late)
        salp__resume_all(&woken);
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

int salp__future_may_wait(salp_future *future)
{
    if (salp_future_ready(future))
        return 0;
    salp__latch_take(&future->latch);
    int error = future->owner ? future->owner->may_wait(future->object) : 0;
    salp__latch_release(&future->latch);
    return error;
}

/* false: it is resolved. */
static bool begin_waiting(salp_future *future, salp__waiter *waiter, salp__spot *spot)
{
    salp__waiter_open(waiter, "a future");
    *spot = salp__spot_of(waiter);
    salp__latch_take(&future->latch);
    bool waits = !salp_future_ready(future);
    if (waits)
        salp__list_append(&future->line, &spot->link);
    salp__latch_release(&future->latch);
    return waits;
}

int salp_future_wait(salp_future *future)
{
    if (!future)
        return -EINVAL;
    int error = salp__future_may_wait(future);
    if (error < 0)
        return error;
    for (;;) {
        salp__waiter waiter;
        salp__spot spot;
        if (!begin_waiting(future, &waiter, &spot))
            return future->result;
        error = salp__wait(&waiter);
        if (error < 0)
            salp__line_leave(&future->latch, &spot);
        if (salp_future_ready(future))
            return future->result; /* though a scope is over as well: it has ended nothing */
        if (error < 0 && error != -EINTR)
            return salp__wait_end(waiter.actor, error);
    }
}

void salp__future_wait_through(salp_future *future)
{
    salp__waiter waiter;
    salp__spot spot;
    if (begin_waiting(future, &waiter, &spot))
        salp__wait_through(&waiter);
}

static bool try_locked(void *object, void *item, int *result, salp__spot **woken)
{
    const salp_future *future = object;
    (void)item;
    (void)woken;
    *result = future->result;
    return salp_future_ready(future);
}

salp__source salp__future_source(salp_future *future)
{
    return (salp__source){ .object = future,
                           .latch = &future->latch,
                           .line = &future->line,
                           .line_latch = &future->latch,
                           .try_locked = try_locked };
}

int salp_future_cancel(salp_future *future)
{
    if (!future)
        return -EINVAL;
    if (!future->owned)
        return resolve(future, -ECANCELED);
    salp__latch_take(&future->latch);
    int result = future->owner ? future->owner->cancel(future->object) : -EALREADY;
    salp__latch_release(&future->latch);
    return result;
}

void salp_future_free(salp_future *future)
{
    if (future)
        drop(future);
}
