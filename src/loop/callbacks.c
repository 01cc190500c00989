/*
 * Functions that users have called by a loop: soon, or at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "loop/loop.h"
#include "os/memory.h"

/* ---- soon ---- */

typedef struct call {
    salp__event event;
    salp_call_fn *function;
    void *arg;
} call;

static void run_call(salp__event *event)
{
    call *c = (call *)event; /* its first member */
    salp_call_fn *function = c->function;
    void *arg = c->arg;
    salp__free(c);
    if (!salp__loop_here()->closing)
        function(arg);
}

/* `c` comes from an allocation that may have failed; it is the first member of what is sent. */
static int send(salp_loop *loop, call *c, void (*run)(salp__event *event), salp_call_fn *function, void *arg)
{
    if (!c)
        return -ENOMEM;
    c->event.run = run;
    c->function = function;
    c->arg = arg;
    salp__loop_send(loop, &c->event);
    return 0;
}

int salp_loop_call(salp_loop *loop, salp_call_fn *function, void *arg)
{
    if (!loop || !function)
        return -EINVAL;
    return send(loop, salp__allocate(sizeof(call)), run_call, function, arg);
}

/* ---- at a time ---- */

typedef struct timed_call {
    call call;
    salp__timer timer;
    int64_t when;
} timed_call;

static void fire_call(salp__timer *timer)
{
    run_call(&SALP__CONTAINER(timer, timed_call, timer)->call.event);
}

static void set_call(salp__event *event)
{
    timed_call *c = (timed_call *)event; /* its first member's first */
    salp__timer_set(salp__loop_here(), &c->timer, c->when, fire_call);
}

int salp_loop_call_at(salp_loop *loop, int64_t when, salp_call_fn *function, void *arg)
{
    if (!loop || !function)
        return -EINVAL;
    timed_call *c = salp__allocate(sizeof *c);
    if (c)
        c->when = when;
    return send(loop, c ? &c->call : NULL, set_call, function, arg);
}

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
