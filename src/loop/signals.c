/*
 * Signals that users have told by a loop.
 *
 * The handler, which may run in any thread and at any moment, posts the signal's event to its loop.
 *
 * I1  A signal that comes while its event is under way is not posted again; it is told once more than needed at most, never
 *     less: `posted` is taken back before the function is called.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>

#include "loop/loop.h"
#include "os/signal.h"
#include "os/thread.h"

typedef struct catch
{
    salp__catcher catcher;
    salp__event event;
    salp__list link;             /* in the loop's list [owner] */
    _Atomic(salp__loop *) owner; /* who has it; NULL: no loop */
    _Atomic bool posted;         /* I1 */
    salp_signal_fn *function;    /* [owner] */
    void *arg;                   /* [owner] */
}
catch;

static catch catches[SALP__SIGNALS];

static void tell(salp__event *event)
{
    catch *c = SALP__CONTAINER(event, catch, event);
    /* seq_cst: what the signal stood for is looked at by the function, after this. I1 */
    atomic_store(&c->posted, false);
    c->function((int)(c - catches), c->arg);
}

/* In the handler. */
static void came(salp__catcher *catcher, int number)
{
    catch *c = (catch *)catcher; /* its first member */
    (void)number;
    if (!atomic_exchange(&c->posted, true))
        salp__loop_post(atomic_load(&c->owner), &c->event);
}

static void give_up(salp_loop *loop, catch *c)
{
    salp__signal_let_go((int)(c - catches), &c->catcher);
    if (atomic_load(&c->posted))
        salp__loop_drop(loop, &c->event);
    atomic_store(&c->posted, false);
    salp__list_remove(&c->link);
    atomic_store(&c->owner, NULL); /* the last: now it may be another loop's */
}

/* In a fork the loops are another process's. */
static void forget_in_fork(void)
{
    for (int i = 0; i < SALP__SIGNALS; i++)
        atomic_store(&catches[i].owner, NULL);
}

static void watch_forks(void)
{
    static _Atomic bool watched;
    if (!atomic_exchange(&watched, true))
        salp__after_fork(forget_in_fork);
}

static int begin(salp_loop *loop, catch *c, salp_signal_fn *function, void *arg)
{
    salp_loop *nobody = NULL;
    if (!atomic_compare_exchange_strong(&c->owner, &nobody, loop))
        return -EBUSY;
    watch_forks();
    c->catcher.came = came;
    c->event.run = tell;
    c->function = function;
    c->arg = arg;
    int error = salp__signal_catch((int)(c - catches), &c->catcher);
    if (error < 0) {
        atomic_store(&c->owner, NULL);
        return error;
    }
    salp__list_append(&loop->user_signals, &c->link);
    return 0;
}

int salp_loop_signal(salp_loop *loop, int number, salp_signal_fn *function, void *arg)
{
    if (!loop || number <= 0 || number >= SALP__SIGNALS)
        return -EINVAL;
    if (loop != salp__loop_here())
        return -EPERM;
    catch *c = &catches[number];
    bool mine = atomic_load(&c->owner) == loop;
    if (!function) {
        if (mine)
            give_up(loop, c);
        return mine ? 0 : -ENOENT;
    }
    if (!mine)
        return begin(loop, c, function, arg);
    c->function = function;
    c->arg = arg;
    return 0;
}

void salp__signals_close(salp__loop *loop)
{
    while (!salp__list_empty(&loop->user_signals))
        give_up(loop, SALP__CONTAINER(loop->user_signals.next, catch, link));
}
