/*
 * Tasks of a loop that were started from anywhere, each with a future.
 *
 * I1  What starts a task, and what cancels it, are two events of the loop. The struct is freed by the later one of the
 *     task's end and the cancellation, which is only asked for while the future has no result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/loop.h>

#include "os/memory.h"
#include "sync/future.h"
#include "task/task.h"

typedef struct guest {
    salp__event start;
    salp__event cancel;
    salp_scope scope;    /* of its task, while it runs */
    salp_loop *loop;     /* [const] */
    salp_future *future; /* or NULL */
    salp_fn *function;
    void *arg;
    bool begun;    /* [owner: loop] */
    bool ended;    /* [owner: loop] */
    bool canceled; /* before it has begun, or since [owner: loop] */
    bool asked;    /* the event of the cancellation is under way [latch of the future; read after it was settled] */
} guest;

static void finish(guest *g, int result)
{
    g->ended = true;
    if (g->future)
        salp__future_settle(g->future, result, NULL, NULL);
    if (!g->asked || g->canceled)
        salp__free(g); /* I1 */
}

static int run(void *arg)
{
    guest *g = arg;
    salp_scope_open(&g->scope, SALP_FOREVER);
    g->begun = true;
    if (g->canceled)
        salp_scope_cancel(&g->scope);
    int result = g->function(g->arg);
    g->begun = false;
    salp_scope_close(&g->scope);
    finish(g, result);
    return 0; /* a failure is for the future, and no reason to cancel others */
}

static void start(salp__event *event)
{
    guest *g = SALP__CONTAINER(event, guest, start);
    salp__runtime *runtime = salp__runtime_here();
    atomic_fetch_sub_explicit(&runtime->guests, 1, memory_order_relaxed);
    int error = runtime->loop.closing ? -ECANCELED : salp__task_start(runtime, runtime->all, run, g, NULL);
    if (error < 0)
        finish(g, error);
}

static void cancel(salp__event *event)
{
    guest *g = SALP__CONTAINER(event, guest, cancel);
    g->canceled = true;
    if (g->ended)
        salp__free(g); /* I1 */
    else if (g->begun)
        salp_scope_cancel(&g->scope);
}

/* Under the latch of the future. */
static int ask_to_cancel(void *object)
{
    guest *g = object;
    if (!g->asked) {
        g->asked = true;
        g->cancel.run = cancel;
        salp__loop_send(g->loop, &g->cancel);
    }
    return 0;
}

static int may_wait(const void *object)
{
    (void)object;
    return 0;
}

static const salp__future_owner owner = { .cancel = ask_to_cancel, .may_wait = may_wait };

int salp_loop_go(salp_loop *loop, salp_fn *function, void *arg, salp_future **future)
{
    if (future)
        *future = NULL;
    if (!loop || !function)
        return -EINVAL;
    guest *g = salp__allocate(sizeof *g);
    if (!g)
        return -ENOMEM;
    g->start.run = start;
    g->loop = loop;
    g->function = function;
    g->arg = arg;
    if (future) {
        int error = salp__future_open(future, &owner, g);
        if (error < 0) {
            salp__free(g);
            return error;
        }
        g->future = *future;
    }
    /* relaxed: the loop is not closed while this call lasts. Its runtime begins with the loop. */
    atomic_fetch_add_explicit(&((salp__runtime *)loop)->guests, 1, memory_order_relaxed);
    salp__loop_send(loop, &g->start);
    return 0;
}
