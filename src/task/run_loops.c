/*
 * Several loops, one to a thread, that begin and end together.
 *
 * I1  A scope of a loop's thread is cancelled by others only under the lock, and closed only under it: so it is open then.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/time.h>

#include "os/memory.h"
#include "os/thread.h"
#include "task/stuck.h"

typedef struct one {
    struct loops *loops;
    salp__thread thread;
    salp_scope scope;
    bool open; /* [lock] the scope */
} one;

typedef struct loops {
    salp__lock lock;
    salp_fn *function;
    void *arg;
    int count;       /* [const] */
    int left;        /* [lock] loops that have not ended */
    int failure;     /* [lock] the first, or 0 */
    bool canceled;   /* [lock] those that have not begun will not */
    salp__spot done; /* [lock] of who waits for all of them */
    one each[];
} loops;

static void cancel_locked(loops *l, int count)
{
    if (l->canceled)
        return;
    l->canceled = true;
    for (int i = 0; i < count; i++) {
        if (l->each[i].open)
            salp_scope_cancel(&l->each[i].scope); /* I1 */
    }
}

static bool begin(one *o)
{
    loops *l = o->loops;
    salp__lock_take(&l->lock);
    bool begins = !l->canceled;
    if (begins)
        salp_scope_open(&o->scope, SALP_FOREVER);
    o->open = begins;
    salp__lock_release(&l->lock);
    return begins;
}

static void end(one *o, int result)
{
    loops *l = o->loops;
    salp__lock_take(&l->lock);
    if (o->open)
        salp_scope_close(&o->scope); /* I1 */
    o->open = false;
    if (result < 0 && l->failure == 0) {
        l->failure = result;
        cancel_locked(l, l->count);
    }
    bool last = --l->left == 0;
    bool claimed = last && salp__claim(&l->done);
    salp__lock_release(&l->lock);
    if (claimed)
        salp__resume(&l->done); /* who waits joins this thread before he frees anything */
}

static void *run_one(void *arg)
{
    one *o = arg;
    int result = begin(o) ? salp__run_part(o->loops->function, o->loops->arg) : 0;
    end(o, result);
    return NULL;
}

/* Starts the threads. Returns how many were, and why not all. */
static int start_all(loops *l, int *error)
{
    int started = 0;
    for (*error = 0; started < l->count; started++) {
        one *o = &l->each[started];
        o->loops = l;
        *error = salp__thread_start(&o->thread, run_one, o);
        if (*error < 0)
            break;
    }
    return started;
}

/* salp__wait or salp__wait_through; and says so, if nothing but the loops can end it. */
static int wait_for_last(salp__waiter *waiter, bool through)
{
    const salp__actor *self = waiter->actor;
    bool stays = !self->task && (through || salp__scope_deadline(self) == SALP_FOREVER);
    salp__sleeper sleeper;
    int error = 0;
    if (stays)
        salp__sleeper_open(&sleeper, waiter);
    if (through)
        salp__wait_through(waiter);
    else
        error = salp__wait(waiter);
    if (stays)
        salp__sleeper_close(&sleeper);
    return error;
}

/* Waits until all have ended. Returns what has ended the caller's scopes meanwhile, or 0. */
static int wait_for_all(loops *l)
{
    int over = 0;
    salp__waiter waiter;
    for (bool through = false;;) {
        salp__lock_take(&l->lock);
        salp__waiter_open(&waiter, "its loops"); /* under the lock: until then nobody can claim it */
        l->done = salp__spot_of(&waiter);
        bool ended = l->left == 0;
        if (through)
            cancel_locked(l, l->count);
        salp__lock_release(&l->lock);
        if (ended)
            return over;
        int error = wait_for_last(&waiter, through);
        if (error == 0)
            return over;
        if (error != -EINTR) {
            over = salp__scope_feel(salp__self());
            through = true;
        }
    }
}

int salp_run_loops(int count, salp_fn *function, void *arg)
{
    if (!function || count < 1 || count > 4096)
        return -EINVAL;
    int error = salp__wait_refused();
    if (error == 0 && salp__cannot_wait())
        error = SALP_EINSIDE;
    if (error < 0)
        return error;
    loops *l = salp__allocate(sizeof *l + (size_t)count * sizeof(one));
    if (!l)
        return -ENOMEM;
    salp__lock_open(&l->lock);
    l->function = function;
    l->arg = arg;
    l->count = l->left = count;
    salp__waiter nobody = { .state = SALP__INTERRUPTED };
    l->done = salp__spot_of(&nobody); /* until somebody waits */
    int started = start_all(l, &error);
    salp__lock_take(&l->lock);
    l->left -= count - started;
    if (error < 0)
        cancel_locked(l, started);
    salp__lock_release(&l->lock);
    int over = wait_for_all(l);
    for (int i = 0; i < started; i++)
        salp__thread_join(l->each[i].thread);
    if (error == 0)
        error = over < 0 && (l->failure == 0 || l->failure == -ECANCELED) ? over : l->failure;
    salp__lock_close(&l->lock);
    salp__free(l);
    return error;
}
