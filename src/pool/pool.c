/*
 * Opening, closing and ending a pool: what is the same for every engine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>

#include <salp/pool.h>

#include "os/memory.h"
#include "os/processors.h"
#include "pool/engine.h"
#include "task/task.h"

void salp__inside_enter(salp__inside_frame *frame, const salp_pool *pool, bool callback)
{
    salp__actor *self = salp__self();
    *frame = (salp__inside_frame){ .pool = pool, .outer = self->inside, .callback = callback, .worker = -1 };
    self->inside = frame;
}

void salp__inside_leave(salp__inside_frame *frame)
{
    salp__self()->inside = frame->outer;
}

const salp__inside_frame *salp__inside_of(const salp_pool *pool)
{
    const salp__inside_frame *frame = salp__self()->inside;
    while (frame && frame->pool != pool)
        frame = frame->outer;
    return frame;
}

bool salp__inside(const salp_pool *pool)
{
    return salp__inside_of(pool) != NULL;
}

bool salp__inside_callback(const salp_pool *pool)
{
    const salp__inside_frame *frame = salp__inside_of(pool);
    return frame && frame->callback;
}

static const salp__engine *engine_of(salp_engine engine)
{
    switch (engine) {
    case SALP_THREADS:
        return &salp__threads;
    case SALP_PROCESSES:
        return &salp__processes;
    case SALP_CLUSTER:
        break;
    }
    return NULL;
}

static int check_options(const salp_pool_options *options)
{
    if (options->engine < SALP_THREADS || options->engine > SALP_CLUSTER)
        return -EINVAL;
    if (options->start < SALP_FORK || options->start > SALP_SPAWN)
        return -EINVAL;
    if (options->workers < 0 || options->workers > SALP_WORKERS_MAX)
        return -EINVAL;
    if (options->item_timeout < 0 || options->retries < 0)
        return -EINVAL;
    if (options->initializer_arg_size > 0 && !options->initializer_arg)
        return -EINVAL;
    if (options->engine == SALP_CLUSTER)
        return -ENOTSUP;
    /* A thread cannot be ended from outside, and has no memory of its own. */
    if (options->engine == SALP_THREADS && (options->item_timeout > 0 || options->memory_limit > 0))
        return -ENOTSUP;
    return 0;
}

int salp_pool_open(salp_pool **out, const salp_pool_options *options)
{
    static const salp_pool_options defaults;
    if (!out)
        return -EINVAL;
    if (!options)
        options = &defaults;
    int error = check_options(options);
    if (error == 0)
        error = salp__wait_refused();
    if (error < 0)
        return error;

    salp_pool *pool = salp__allocate(sizeof *pool);
    if (!pool)
        return -ENOMEM;
    pool->engine = engine_of(options->engine);
    pool->options = *options;
    if (pool->options.workers == 0) {
        int usable = salp__processors_usable();
        pool->options.workers = usable < SALP_WORKERS_MAX ? usable : SALP_WORKERS_MAX;
    }
    void *mine;
    error = salp__map_wiped_on_fork(&mine, sizeof(int));
    if (error < 0)
        goto free_pool;
    *(int *)mine = 1;
    pool->mine = mine;
    salp__lock_open(&pool->lock);
    salp__list_open(&pool->waiters);
    error = pool->engine->open(pool);
    if (error < 0)
        goto close_lock;
    *out = pool;
    return 0;

close_lock:
    salp__lock_close(&pool->lock);
    salp__unmap(mine, sizeof(int));
free_pool:
    salp__free(pool);
    return error;
}

static bool has_no_calls(const salp_pool *pool)
{
    return pool->calls == 0;
}

static bool is_terminated(const salp_pool *pool)
{
    /* relaxed: under the lock, as the change. */
    return atomic_load_explicit(&pool->phase, memory_order_relaxed) == SALP__TERMINATED;
}

/* Whatever scopes say. */
static void wait_until(salp_pool *pool, bool (*reached_locked)(const salp_pool *pool))
{
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, "calls of a pool");
        salp__spot spot = salp__spot_of(&waiter);
        salp__lock_take(&pool->lock);
        bool reached = reached_locked(pool);
        if (!reached)
            salp__list_append(&pool->waiters, &spot.link);
        salp__lock_release(&pool->lock);
        if (reached)
            return;
        salp__wait_through(&waiter);
    }
}

/* [lock held on entry, released] The pool may be gone afterwards: nothing of it is touched once they go on. */
void salp__pool_wake_locked(salp_pool *pool)
{
    salp__list woken;
    salp__claim_all(&pool->waiters, &woken);
    salp__lock_release(&pool->lock);
    salp__resume_all(&woken);
}

int salp__pool_begin(salp_pool *pool)
{
    salp__lock_take(&pool->lock);
    /* acquire: pairs with salp_pool_terminate, so that a call begun after it sees it. */
    bool open = atomic_load_explicit(&pool->phase, memory_order_acquire) == SALP__OPEN;
    if (open)
        pool->calls++;
    salp__lock_release(&pool->lock);
    return open ? 0 : SALP_ECLOSED;
}

void salp__pool_end(salp_pool *pool)
{
    salp__lock_take(&pool->lock);
    if (--pool->calls == 0)
        salp__pool_wake_locked(pool);
    else
        salp__lock_release(&pool->lock);
}

int salp_pool_close(salp_pool *pool)
{
    if (!pool)
        return 0;
    if (!*pool->mine)
        return SALP_EFORKED;
    if (salp__inside(pool))
        return SALP_EINSIDE;
    wait_until(pool, has_no_calls);
    pool->engine->close(pool);
    salp__lock_close(&pool->lock);
    salp__unmap((void *)(uintptr_t)pool->mine, sizeof(int));
    salp__free(pool);
    return 0;
}

int salp_pool_terminate(salp_pool *pool)
{
    if (!pool)
        return -EINVAL;
    if (!*pool->mine)
        return SALP_EFORKED;
    if (salp__inside(pool))
        return SALP_EINSIDE;
    int open = SALP__OPEN;
    /* acq_rel: whoever begins a call later sees the phase; only one thread terminates. */
    if (atomic_compare_exchange_strong_explicit(&pool->phase, &open, SALP__TERMINATING, memory_order_acq_rel,
                                                memory_order_acquire)) {
        pool->engine->terminate(pool);
        salp__lock_take(&pool->lock);
        atomic_store_explicit(&pool->phase, SALP__TERMINATED, memory_order_release);
        salp__pool_wake_locked(pool);
        return 0;
    }
    /* Another thread is at it: this call, too, promises that the workers are gone when it returns. */
    wait_until(pool, is_terminated);
    return 0;
}

int salp__pool_ended(const salp_pool *pool)
{
    /* acquire: pairs with salp_pool_terminate. */
    if (atomic_load_explicit(&pool->phase, memory_order_acquire) != SALP__OPEN)
        return -ECANCELED;
    return pool->engine->reason(pool)[0] != '\0' ? SALP_EBROKEN : 0;
}

int salp_pool_workers(const salp_pool *pool)
{
    return pool ? pool->options.workers : -EINVAL;
}

const char *salp_pool_reason(const salp_pool *pool)
{
    return pool ? pool->engine->reason(pool) : "";
}
