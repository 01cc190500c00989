/* Waiting for somebody who knows us; the header tells how. SPDX-License-Identifier: MIT */
#include "task/wait.h"

#include <errno.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/futex.h"
#include "task/park.h"
#include "task/scope.h"
#include "task/task.h"

void salp__waiter_open(salp__waiter *waiter)
{
    *waiter = (salp__waiter){ .actor = salp__self() };
}

static bool leave_waiting(salp__waiter *waiter, uint32_t state)
{
    uint32_t waiting = SALP__WAITING;
    /* acq_rel: whoever takes it out of `waiting` sees what was stored before, and is seen by who looks at the state. */
    return atomic_compare_exchange_strong_explicit(&waiter->state, &waiting, state, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* `task`: the waiter's, read before its state was changed; NULL: a plain thread, of which nothing may be touched now. */
static void let_go_on(salp__waiter *waiter, struct salp__task *task)
{
    if (task)
        salp__task_ready(task);
    else
        salp__futex_wake(&waiter->state, 1, false); /* I2 */
}

bool salp__claim(salp__waiter *waiter)
{
    return leave_waiting(waiter, SALP__CLAIMED);
}

void salp__resume(salp__waiter *waiter)
{
    struct salp__task *task = waiter->actor->task;
    /* release: pairs with the acquire in the wait of a thread; what was handed over is then readable. For a task its
       way into the ready queue does the same. */
    atomic_store_explicit(&waiter->state, SALP__WOKEN, memory_order_release);
    let_go_on(waiter, task);
}

void salp__claim_all(salp__list *waiters, salp__list *claimed)
{
    salp__list_open(claimed);
    while (!salp__list_empty(waiters)) {
        salp__waiter *waiter = SALP__CONTAINER(waiters->next, salp__waiter, link);
        salp__list_remove(&waiter->link);
        if (salp__claim(waiter))
            salp__list_append(claimed, &waiter->link);
    }
}

void salp__resume_all(salp__list *claimed)
{
    while (!salp__list_empty(claimed)) {
        salp__waiter *waiter = SALP__CONTAINER(claimed->next, salp__waiter, link);
        salp__list_remove(&waiter->link);
        salp__resume(waiter);
    }
}

void salp__interrupt(salp__waiter *waiter)
{
    struct salp__task *task = waiter->actor->task;
    if (leave_waiting(waiter, SALP__INTERRUPTED))
        let_go_on(waiter, task);
}

/* ---- tasks ---- */

static int wait_in_task(salp__waiter *waiter)
{
    salp__actor *actor = waiter->actor;
    int error = salp__scope_error(actor);
    if (error < 0 && leave_waiting(waiter, SALP__INTERRUPTED)) {
        salp__task_give_way(actor->task); /* as in salp__wait_refused */
        return error;
    }
    actor->waiting = waiter;
    salp__task_suspend(actor->task);
    actor->waiting = NULL;
    /* relaxed: ordered by the ready queue. */
    if (atomic_load_explicit(&waiter->state, memory_order_relaxed) == SALP__WOKEN)
        return 0;
    error = salp__scope_error(actor);
    return error < 0 ? error : -EINTR;
}

/* ---- plain threads ---- */

static void set_waiting(salp__actor *actor, salp__waiter *waiter)
{
    salp__lock_take(&actor->lock);
    actor->waiting = waiter;
    salp__lock_release(&actor->lock);
}

/* Sleeps until the state changes, or until the deadline. */
static uint32_t sleep_on(salp__waiter *waiter, int64_t deadline)
{
    /* acquire: pairs with the release in salp__resume. */
    uint32_t state = atomic_load_explicit(&waiter->state, memory_order_acquire);
    if (state == SALP__WAITING || state == SALP__CLAIMED) {
        salp__futex_wait(&waiter->state, state, deadline, false);
        state = atomic_load_explicit(&waiter->state, memory_order_acquire);
    }
    return state;
}

/* Returns 0, an error, or 1: its own deadline has passed, and nobody has claimed it. */
static int wait_in_thread(salp__waiter *waiter, int64_t own)
{
    salp__actor *actor = waiter->actor;
    int result;
    set_waiting(actor, waiter);
    if (own == SALP_FOREVER)
        salp__look_at(&waiter->state, SALP__WAITING); /* it may come sooner than a sleep and a wake take */
    for (;;) {
        int error = salp__scope_error(actor);
        bool due = own != SALP_FOREVER && salp__now() >= own;
        if ((error < 0 || due) && leave_waiting(waiter, SALP__INTERRUPTED)) {
            result = error < 0 ? error : 1;
            break;
        }
        int64_t scopes = salp__scope_deadline(actor), deadline = own < scopes ? own : scopes;
        uint32_t state = sleep_on(waiter, error < 0 || due ? SALP_FOREVER : deadline);
        if (state == SALP__WOKEN) {
            result = 0;
            break;
        }
        if (state == SALP__INTERRUPTED) {
            error = salp__scope_error(actor);
            result = error < 0 ? error : -EINTR;
            break;
        }
    }
    set_waiting(actor, NULL);
    return result;
}

/* ---- both ---- */

int salp__wait_refused(void)
{
    salp__actor *self = salp__self();
    if (salp__scope_error(self) == 0)
        return 0;
    /* One that tries again and again must not hold up those that it waits for. */
    if (self->task)
        salp__task_give_way(self->task);
    return salp__scope_feel(self);
}

int salp__wait(salp__waiter *waiter)
{
    return waiter->actor->task ? wait_in_task(waiter) : wait_in_thread(waiter, SALP_FOREVER);
}

void salp__wait_through(salp__waiter *waiter)
{
    if (waiter->actor->task) {
        salp__task_suspend(waiter->actor->task);
        return;
    }
    salp__look_at(&waiter->state, SALP__WAITING);
    while (sleep_on(waiter, SALP_FOREVER) != SALP__WOKEN)
        continue;
}

/* ---- sleeping ---- */

typedef struct sleeper {
    salp__timer timer;
    salp__waiter waiter;
} sleeper;

static void wake_sleeper(salp__timer *timer)
{
    sleeper *s = (sleeper *)timer; /* its first member */
    if (salp__claim(&s->waiter))
        salp__resume(&s->waiter);
}

static int sleep_in_task(salp__task *task, int64_t until)
{
    sleeper s = { 0 };
    salp__waiter_open(&s.waiter);
    if (until != SALP_FOREVER)
        salp__timer_set(&task->runtime->loop, &s.timer, until, wake_sleeper);
    int result = salp__wait(&s.waiter);
    salp__timer_cancel(&task->runtime->loop, &s.timer);
    return result;
}

int salp_sleep(int64_t nanoseconds)
{
    if (nanoseconds <= 0)
        return salp_yield();
    int64_t until = salp__later(nanoseconds);
    salp__actor *self = salp__self();
    for (;;) {
        int result;
        if (self->task) {
            result = sleep_in_task(self->task, until);
        } else {
            salp__waiter waiter;
            salp__waiter_open(&waiter);
            result = wait_in_thread(&waiter, until);
        }
        if (result != -EINTR)
            return result < 0 ? salp__scope_feel(self) : 0;
    }
}
