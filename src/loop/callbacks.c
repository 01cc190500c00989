/*
 * Functions that users have called by a loop at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "loop/loop.h"
#include "os/memory.h"

/* ---- for good ---- */

typedef struct timed_call {
    salp__event event;
    salp__timer timer;
    int64_t when;
    salp_call_fn *function;
    void *arg;
} timed_call;

static void fire_call(salp__timer *timer)
{
    timed_call *c = SALP__CONTAINER(timer, timed_call, timer);
    salp_call_fn *function = c->function;
    void *arg = c->arg;
    salp__free(c);
    function(arg);
}

static void set_call(salp__event *event)
{
    timed_call *c = (timed_call *)event; /* its first member */
    salp__timer_set(salp__loop_here(), &c->timer, c->when, fire_call);
}

int salp_loop_call_at(salp_loop *loop, int64_t when, salp_call_fn *function, void *arg)
{
    if (!loop || !function)
        return -EINVAL;
    timed_call *c = salp__allocate(sizeof *c);
    if (!c)
        return -ENOMEM;
    c->event.run = set_call;
    c->when = when;
    c->function = function;
    c->arg = arg;
    salp__loop_send(loop, &c->event);
    return 0;
}

/* ---- to be taken back ---- */

typedef struct user_timer {
    salp__timer timer;
    salp_call_fn *function;
    void *arg;
} user_timer;

_Static_assert(sizeof(user_timer) <= sizeof(salp_timer), "the public size of a timer");

static void fire_user(salp__timer *timer)
{
    user_timer *t = (user_timer *)timer; /* its first member */
    t->function(t->arg);                 /* which may free it */
}

static int check(salp_loop *loop, salp_timer *timer)
{
    if (!loop || !timer)
        return -EINVAL;
    return loop == salp__loop_here() ? 0 : -EPERM;
}

int salp_timer_set(salp_loop *loop, salp_timer *opaque, int64_t when, salp_call_fn *function, void *arg)
{
    user_timer *t = (user_timer *)opaque;
    int error = check(loop, opaque);
    if (error < 0 || !function)
        return error < 0 ? error : -EINVAL;
    salp__timer_cancel(loop, &t->timer);
    t->function = function;
    t->arg = arg;
    salp__timer_set(loop, &t->timer, when, fire_user);
    return 0;
}

int salp_timer_cancel(salp_loop *loop, salp_timer *opaque)
{
    int error = check(loop, opaque);
    if (error == 0)
        salp__timer_cancel(loop, &((user_timer *)opaque)->timer);
    return error;
}

/* ---- the end ---- */

void salp__callbacks_close(salp__loop *loop)
{
    while (loop->timers.root) {
        salp__timer *timer = (salp__timer *)loop->timers.root; /* the node is its first member */
        salp__timer_cancel(loop, timer);
        if (timer->fire == fire_call)
            salp__free(SALP__CONTAINER(timer, timed_call, timer));
    }
}
