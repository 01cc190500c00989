/* Waiting for somebody who knows us; the header tells how. SPDX-License-Identifier: MIT */
#include "task/wait.h"

#include <errno.h>

#include <salp/error.h>
#include <salp/time.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/thread.h"
#include "task/park.h"
#include "task/scope.h"
#include "task/task.h"

void salp__waiter_open(salp__waiter *waiter, const char *what)
{
    *waiter = (salp__waiter){ .actor = salp__self(), .what = what };
}

/* ---- the other side ---- */

static bool leave_waiting(salp__waiter *waiter, uint32_t state)
{
    /* relaxed: a proposal, checked by the compare-and-swap. */
    uint32_t seen = atomic_load_explicit(&waiter->state, memory_order_relaxed);
    /* acq_rel: whoever takes it out of `waiting` sees what was stored before, and is seen by who looks at the state. */
    while ((seen & ~SALP__SLEEPING) == SALP__WAITING) {
        if (atomic_compare_exchange_weak_explicit(&waiter->state, &seen, (seen & SALP__SLEEPING) | state,
                                                  memory_order_acq_rel, memory_order_relaxed))
            return true;
    }
    return false;
}

bool salp__claim(salp__spot *spot)
{
    if (!leave_waiting(spot->waiter, SALP__CLAIMED))
        return false;
    spot->waiter->chosen = spot;
    return true;
}

void salp__resume(salp__spot *spot)
{
    salp__waiter *waiter = spot->waiter;
    salp__task *task = waiter->actor->task;
    if (task) {
        /* relaxed: its way into the ready queue orders it. */
        atomic_store_explicit(&waiter->state, SALP__WOKEN, memory_order_relaxed);
        salp__task_ready(task);
        return;
    }
    /* release: pairs with the acquire in the wait of a thread; what was handed over is then readable. */
    if (atomic_exchange_explicit(&waiter->state, SALP__WOKEN, memory_order_release) & SALP__SLEEPING)
        salp__futex_wake(&waiter->state, 1, false); /* I2 */
}

void salp__claim_all(salp__list *line, salp__list *claimed)
{
    salp__list_open(claimed);
    while (!salp__list_empty(line)) {
        salp__spot *spot = SALP__CONTAINER(line->next, salp__spot, link);
        salp__list_remove(&spot->link);
        if (salp__claim(spot))
            salp__list_append(claimed, &spot->link);
    }
}

void salp__resume_all(salp__list *claimed)
{
    while (!salp__list_empty(claimed)) {
        salp__spot *spot = SALP__CONTAINER(claimed->next, salp__spot, link);
        salp__list_remove(&spot->link);
        salp__resume(spot);
    }
}

void salp__interrupt(salp__waiter *waiter)
{
    salp__task *task = waiter->actor->task;
    if (!leave_waiting(waiter, SALP__INTERRUPTED))
        return;
    if (task) {
        salp__task_ready(task);
        return;
    }
    salp__futex_wake(&waiter->state, 1, false); /* I2; rare enough not to ask whether it sleeps */
    if (waiter->chime)
        salp__chime_ring(waiter->chime); /* I4 */
    if (waiter->actor->bell >= 0)
        salp__eventfd_ring(waiter->actor->bell); /* I3 */
}

/* ---- tasks ---- */

typedef struct alarm {
    salp__timer timer;
    salp__waiter *waiter;
    bool rung;
} alarm;

static void ring(salp__timer *timer)
{
    alarm *a = (alarm *)timer; /* its first member */
    a->rung = true;
    salp__interrupt(a->waiter);
}

static void suspend(salp__waiter *waiter)
{
    salp__actor *actor = waiter->actor;
    actor->what = waiter->what;
    actor->since = actor->task->runtime->loop.clock_now;
    salp__task_suspend(actor->task);
    actor->what = NULL;
}

static int wait_in_task(salp__waiter *waiter)
{
    salp__actor *actor = waiter->actor;
    int error = salp__scope_error(actor);
    if (error < 0 && leave_waiting(waiter, SALP__INTERRUPTED)) {
        salp__task_give_way(actor->task); /* as in salp__wait_refused */
        return error;
    }
    actor->waiting = waiter;
    suspend(waiter);
    actor->waiting = NULL;
    /* relaxed: ordered by the ready queue. */
    if (atomic_load_explicit(&waiter->state, memory_order_relaxed) == SALP__WOKEN)
        return 0;
    error = salp__scope_error(actor);
    return error < 0 ? error : -EINTR;
}

static int wait_in_task_until(salp__waiter *waiter, int64_t until)
{
    if (until == SALP_FOREVER)
        return wait_in_task(waiter);
    salp__loop *loop = &waiter->actor->task->runtime->loop;
    alarm a = { .waiter = waiter };
    salp__timer_set(loop, &a.timer, until, ring);
    int result = wait_in_task(waiter);
    salp__timer_cancel(loop, &a.timer);
    return result == -EINTR && a.rung ? 1 : result;
}

/* ---- plain threads ---- */

static void set_waiting(salp__actor *actor, salp__waiter *waiter)
{
    if (!actor->scope)
        return; /* nobody can end it, so nobody looks */
    salp__latch_take(&actor->latch);
    actor->waiting = waiter;
    salp__latch_release(&actor->latch);
}

/* Whether it has been made to go on, or is just about to be. */
static bool is_over(uint32_t state)
{
    return state == SALP__WOKEN || state == SALP__INTERRUPTED;
}

/* Sleeps until the state changes, or until the deadline. Returns the state without the mark. */
static uint32_t sleep_on(salp__waiter *waiter, int64_t deadline)
{
    /* acquire: pairs with the release in salp__resume. */
    uint32_t seen = atomic_load_explicit(&waiter->state, memory_order_acquire);
    while (!is_over(seen & ~SALP__SLEEPING)) {
        /* acquire: it may just have become `woken`; nothing is handed over by the mark itself. I2 */
        if (seen & SALP__SLEEPING ||
            atomic_compare_exchange_weak_explicit(&waiter->state, &seen, seen | SALP__SLEEPING, memory_order_acquire,
                                                  memory_order_acquire)) {
            salp__futex_wait(&waiter->state, seen | SALP__SLEEPING, deadline, false);
            seen = atomic_load_explicit(&waiter->state, memory_order_acquire);
            break;
        }
    }
    return seen & ~SALP__SLEEPING;
}

/* ---- plain threads that wait for descriptors ---- */

static void drop_in_fork(void)
{
    salp__bell_drop(salp__thread_self()); /* else parent and child would answer for each other */
}

void salp__bell_drop(salp__actor *actor)
{
    salp__file_close(actor->bell);
    actor->bell = -1;
}

static void hang_bell(salp__actor *actor)
{
    if (!actor->scope || actor->bell >= 0)
        return;
    static _Atomic bool told;
    if (!atomic_exchange(&told, true))
        salp__after_fork(drop_in_fork);
    int bell = salp__eventfd_open();
    actor->bell = bell < 0 ? -1 : bell;
}

typedef struct polling {
    salp__pollee *set;
    int count;
} polling;

/* The same as sleep_on, with what is ready written into the set; that is nothing else than to be woken. */
static uint32_t sleep_in_poll(salp__waiter *waiter, const polling *waited, int64_t deadline)
{
    salp__actor *actor = waiter->actor;
    salp__pollee set[SALP__MAX_POLLEES];
    int count = waited->count;
    for (int i = 0; i < count; i++)
        set[i] = waited->set[i];
    set[count++] = (salp__pollee){ .fd = actor->bell, .events = SALP__POLL_IN };
    int64_t soon = salp__later(SALP_MILLISECONDS(10));
    if (actor->scope && actor->bell < 0 && soon < deadline)
        deadline = soon; /* there was no descriptor left for a bell */
    bool ready = false;
    if (salp__poll_for(set, count, deadline) > 0) {
        for (int i = 0; i < waited->count; i++) {
            waited->set[i].came = set[i].came;
            ready = ready || set[i].came != 0;
        }
        if (set[waited->count].came != 0)
            salp__eventfd_drain(actor->bell);
    }
    if (ready && leave_waiting(waiter, SALP__WOKEN))
        return SALP__WOKEN;
    /* acquire: as in sleep_on. */
    return atomic_load_explicit(&waiter->state, memory_order_acquire) & ~(uint32_t)SALP__SLEEPING;
}

/* ---- plain threads that wait for another process ---- */

static uint32_t sleep_on_chime(salp__waiter *waiter, int64_t deadline)
{
    if (salp__chime_sleep(waiter->chime, deadline) && leave_waiting(waiter, SALP__WOKEN))
        return SALP__WOKEN;
    /* acquire: as in sleep_on. */
    return atomic_load_explicit(&waiter->state, memory_order_acquire) & ~(uint32_t)SALP__SLEEPING;
}

/* ---- plain threads, whatever they wait for ---- */

/* Until it is made to go on, or until the deadline; SALP__WAITING: something else has ended the sleep. */
static uint32_t sleep_until(salp__waiter *waiter, const polling *waited, int64_t deadline)
{
    if (waited)
        return sleep_in_poll(waiter, waited, deadline);
    return waiter->chime ? sleep_on_chime(waiter, deadline) : sleep_on(waiter, deadline);
}

static void look_first(const salp__waiter *waiter)
{
    if (waiter->chime)
        salp__look_at(&waiter->chime->word, SALP__CHIME_SILENT);
    else
        salp__look_at(&waiter->state, SALP__WAITING);
}

static int wait_in_thread(salp__waiter *waiter, int64_t own, const polling *waited)
{
    salp__actor *actor = waiter->actor;
    int result;
    if (salp__runtime_here() && leave_waiting(waiter, SALP__INTERRUPTED)) {
        int error = salp__scope_error(actor);
        return error < 0 ? error : SALP_EINSIDE; /* all its tasks would wait with it */
    }
    set_waiting(actor, waiter);
    if (own == SALP_FOREVER && !waited)
        look_first(waiter); /* it may come sooner than a sleep and a wake take */
    for (;;) {
        int error = salp__scope_error(actor);
        bool due = own != SALP_FOREVER && salp__now() >= own;
        if ((error < 0 || due) && leave_waiting(waiter, SALP__INTERRUPTED)) {
            result = error < 0 ? error : 1;
            break;
        }
        int64_t scopes = salp__scope_deadline(actor), deadline = own < scopes ? own : scopes;
        /* Over, and not by us: somebody else has taken it out of `waiting`. */
        uint32_t state = error < 0 || due ? sleep_on(waiter, SALP_FOREVER) : sleep_until(waiter, waited, deadline);
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

bool salp__cannot_wait(void)
{
    return salp__runtime_here() && !salp__self()->task;
}

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

int salp__wait_until(salp__waiter *waiter, int64_t until)
{
    return waiter->actor->task ? wait_in_task_until(waiter, until) : wait_in_thread(waiter, until, NULL);
}

int salp__wait(salp__waiter *waiter)
{
    return waiter->actor->task ? wait_in_task(waiter) : wait_in_thread(waiter, SALP_FOREVER, NULL);
}

int salp__wait_polling(salp__waiter *waiter, salp__pollee set[], int count, int64_t until)
{
    salp__must(count < SALP__MAX_POLLEES);
    hang_bell(waiter->actor);
    return wait_in_thread(waiter, until, &(polling){ .set = set, .count = count });
}

int salp__wait_chime(salp__waiter *waiter, salp__chime *chime)
{
    waiter->chime = chime;
    return wait_in_thread(waiter, SALP_FOREVER, NULL);
}

void salp__wait_chime_through(salp__chime *chime)
{
    salp__look_at(&chime->word, SALP__CHIME_SILENT);
    while (!salp__chime_sleep(chime, SALP_FOREVER))
        continue;
}

void salp__wait_through(salp__waiter *waiter)
{
    if (waiter->actor->task) {
        suspend(waiter);
        return;
    }
    salp__look_at(&waiter->state, SALP__WAITING);
    while (sleep_on(waiter, SALP_FOREVER) != SALP__WOKEN)
        continue;
}

/* ---- sleeping ---- */

int salp_sleep(int64_t nanoseconds)
{
    if (nanoseconds <= 0)
        return salp_yield();
    int64_t until = salp__later(nanoseconds);
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, "time");
        int result = salp__wait_until(&waiter, until);
        if (result == 1)
            return 0;
        if (result == SALP_EINSIDE)
            return result;
        if (result != -EINTR)
            return salp__scope_feel(waiter.actor);
    }
}
