/*
 * Conditions. Who waits is in the line before the mutex is unlocked, so a signal made with the mutex held finds him.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"
#include "sync/mutex.h"

struct salp_condition {
    salp__latch latch;
    salp__list line; /* [latch] */
};

int salp_condition_open(salp_condition **out, const salp_condition_options *options)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (options && options->shared)
        return -ENOTSUP;
    salp_condition *condition = salp__allocate(sizeof *condition);
    if (!condition)
        return -ENOMEM;
    salp__list_open(&condition->line);
    *out = condition;
    return 0;
}

void salp_condition_close(salp_condition *condition)
{
    salp__free(condition);
}

int salp_condition_wait(salp_condition *condition, salp_mutex *mutex)
{
    if (!condition || !mutex)
        return -EINVAL;
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
    salp__list woken;
    salp__latch_take(&condition->latch);
    salp__claim_all(&condition->line, &woken);
    salp__latch_release(&condition->latch);
    salp__resume_all(&woken);
    return 0;
}
