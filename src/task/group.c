/*
 * Groups: tasks that are waited for together.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/task.h>

#include "task/task.h"

void salp_group_open(salp_group *opaque)
{
    salp__members *group = (salp__members *)opaque;
    group->failure = 0;
    group->closer = NULL;
    salp__scope_enter(&group->scope, SALP_FOREVER, false);
    group->scope.group = group;
    salp__list_open(&group->tasks);
}

int salp_go(salp_group *group, salp_fn *function, void *arg)
{
    return salp_go_with(group, function, arg, NULL);
}

int salp_go_with(salp_group *opaque, salp_fn *function, void *arg, const salp_task_options *options)
{
    salp__members *group = (salp__members *)opaque;
    if (!group || !function || (options && options->stack_size > SALP__STACK_MOST))
        return -EINVAL;
    salp__task *owner = group->scope.actor->task;
    salp__runtime *runtime = salp__runtime_here();
    if (!owner || owner->runtime != runtime || !runtime->current)
        return -EPERM;
    /* relaxed: set on this very thread. */
    if (atomic_load_explicit(&group->scope.ended, memory_order_relaxed) < 0)
        return -ECANCELED;
    return salp__task_start(runtime, group, function, arg, options);
}

void salp_group_cancel(salp_group *group)
{
    salp_scope_cancel((salp_scope *)group);
}

/* A task of the group has ended. */
void salp__group_lost(salp__members *group, int result)
{
    if (result < 0 && group->failure == 0) {
        group->failure = result;
        if (group->scope.actor)
            salp__scope_end(&group->scope, -ECANCELED);
    }
    salp__task *closer = group->closer;
    if (salp__list_empty(&group->tasks) && closer) {
        group->closer = NULL;
        salp__task_ready(closer);
    }
}

int salp_group_close(salp_group *opaque)
{
    salp__members *group = (salp__members *)opaque;
    if (!group || !salp__scope_is_mine(&group->scope)) /* a task of the group would wait for itself */
        return -EINVAL;
    while (!salp__list_empty(&group->tasks)) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, "its group");
        group->closer = waiter.actor->task; /* nobody else ends this wait, so it need not be claimed */
        salp__wait_through(&waiter);
    }
    int error = salp__scope_leave(&group->scope);
    if (group->failure < 0)
        return group->failure;
    return error == -EINVAL ? error : 0;
}
