/*
 * Conditions. Who waits is in the line before the mutex is unlocked, so a signal made with the mutex held finds him.
 * One between processes is another thing behind the same handle: sync/shared_condition.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"
#include "sync/mutex.h"
#include "sync/shared_condition.h"
#include "sync/shared_mutex.h"

struct salp_condition {
    salp__latch latch;
    salp__list line;                /* [latch] */
    salp__shared_condition *shared; /* between processes: then nothing else here is used; or NULL [const after open] */
};

int salp_condition_open(salp_condition **out, const salp_condition_options *options)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_condition *condition = salp__allocate(sizeof *condition);
    if (!condition)
        return -ENOMEM;
    int error = options && options->shared ? salp__shared_condition_open(&condition->shared) : 0;
    if (error < 0) {
        salp__free(condition);
        return error;
    }
    salp__list_open(&condition->line);
    *out = condition;
    return 0;
}

int salp_condition_attach(salp_condition **out, int fd)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_condition *condition = salp__allocate(sizeof *condition);
    if (!condition)
        return -ENOMEM;
    int error = salp__shared_condition_attach(&condition->shared, fd);
    if (error < 0) {
        salp__free(condition);
        return error;
    }
    *out = condition;
    return 0;
}

int salp_condition_fd(const salp_condition *condition)
{
    return condition && condition->shared ? salp__shared_condition_fd(condition->shared) : -EINVAL;
}

void salp_condition_close(salp_condition *condition)
{
    if (condition && condition->shared)
        salp__shared_condition_close(condition->shared);
    salp__free(condition);
}

int salp_condition_wait(salp_condition *condition, salp_mutex *mutex)
{
    if (!condition || !mutex)
        return -EINVAL;
    salp__shared_mutex *shared = salp__mutex_shared(mutex);
    if (!shared != !condition->shared)
        return -EINVAL;
    if (shared)
        return salp__shared_condition_wait(condition->shared, shared);
    if (!salp__mutex_is_mine(mutex))
        return -EPERM;
    if (salp__cannot_wait())
        return SALP_EINSIDE; /* before anything is given up */
    int error = salp__line_begin(&condition->latch);
    if (error < 0)
        return error;
    salp__waiter waiter;
    salp__waiter_open(&waiter, "a condition");
    salp__spot spot = salp__spot_of(&waiter);
    salp__list_append(&condition->line, &spot.link);
    salp__latch_release(&condition->latch);
    int64_t depth = salp__mutex_give_up(mutex);
    error = salp__line_wait_at(&condition->latch, &spot);
    salp__mutex_take_back(mutex, depth);
    return error == -EINTR ? 0 : error;
}

int salp_condition_signal(salp_condition *condition)
{
    if (!condition)
        return -EINVAL;
    if (condition->shared)
        return salp__shared_condition_signal(condition->shared);
    salp__latch_take(&condition->latch);
    salp__spot *next = salp__line_next_locked(&condition->line);
    salp__latch_release(&condition->latch);
    if (next)
        salp__resume(next);
    return 0;
}

int salp_condition_broadcast(salp_condition *condition)
{
    if (!condition)
        return -EINVAL;
    if (condition->shared)
        return salp__shared_condition_broadcast(condition->shared);
    salp__list woken;
    salp__latch_take(&condition->latch);
    salp__claim_all(&condition->line, &woken);
    salp__latch_release(&condition->latch);
    salp__resume_all(&woken);
    return 0;
}
