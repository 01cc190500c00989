/* Operations of tasks. SPDX-License-Identifier: MIT */
#include "stream/operation.h"

#include <errno.h>

#include "os/process.h"
#include "stream/stream.h"
#include "task/scope.h"
#include "task/task.h"

bool salp__can_operate(const salp__port *port)
{
    const salp__task *task = salp__self()->task;
    if (!task || port->forks != salp__forks() || salp__loop_need_poller(&task->runtime->loop) < 0)
        return false;
    return task->runtime->loop.poller->type->start != NULL;
}

static void resume(salp__operation *operation)
{
    salp__spot *spot = operation->arg;
    salp__loop_operated(salp__loop_here());
    if (salp__claim(spot))
        salp__resume(spot);
}

/* The wait was interrupted. */
static int64_t give_up(salp__loop *loop, salp__operation *operation, const char *what, int error)
{
    if (!operation->finished) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, what);
        salp__spot spot = salp__spot_of(&waiter);
        operation->arg = &spot;
        loop->poller->type->stop(loop->poller, operation);
        salp__wait_through(&waiter);
    }
    if (operation->result != -ECANCELED)
        return operation->result;
    if (error == -EINTR)
        return -EAGAIN;
    int over = salp__scope_feel(salp__self());
    return over < 0 ? over : error;
}

int64_t salp__operate(salp__operation *operation, const char *what)
{
    salp__loop *loop = salp__loop_here();
    int error = salp__wait_begin(); /* else it might be done before it is stopped, again and again */
    if (error < 0)
        return error;
    salp__waiter waiter;
    salp__waiter_open(&waiter, what);
    salp__spot spot = salp__spot_of(&waiter);
    operation->finished = false;
    operation->done = resume;
    operation->arg = &spot;
    if (salp__loop_operate(loop, operation) < 0)
        return -ENOBUFS;
    error = salp__wait(&waiter);
    int64_t result = error == 0 ? operation->result : give_up(loop, operation, what, error);
    return result == -EINTR ? -EAGAIN : result;
}
