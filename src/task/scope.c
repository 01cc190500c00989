/*
 * Scopes: who is inside, and ending it for all of them. The header tells how they hang together.
 *
 * To end a scope is to set `ended` and to interrupt everybody who waits inside: its actor, the tasks of groups that are
 * open inside, the tasks of theirs, and so on; but nobody behind a shield. The walk uses a list and no recursion, since
 * it may run on a small stack. It takes those first who were started last: of many that sleep equally long these are the
 * leaves in the heap of timers, each of which is taken off in a few steps; the first would be its root again and again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/scope.h"

#include <errno.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/memory.h"
#include "task/task.h"

_Static_assert(sizeof(salp__scope) <= sizeof(salp_scope), "the public size of a scope");
_Static_assert(sizeof(salp__members) <= sizeof(salp_group), "the public size of a group");

/* ---- who is inside ---- */

static void doom_members(salp__list *doomed, salp__scope *scope)
{
    if (!scope->group)
        return;
    salp__list *tasks = &scope->group->tasks;
    for (salp__list *node = tasks->next; node != tasks; node = node->next)
        salp__list_append(doomed, &SALP__CONTAINER(node, salp__task, link)->doomed);
}

/* Interrupts an actor inside of `limit`, and adds the tasks of its groups inside to the list. */
static void interrupt_within(salp__list *doomed, salp__actor *actor, const salp__scope *limit)
{
    salp__scope *from = actor->scope;
    bool shielded = false;
    for (salp__scope *scope = actor->scope; scope != limit; scope = scope->outer) {
        if (scope->shield) {
            from = scope->outer;
            shielded = true;
        }
    }
    if (!shielded && actor->waiting)
        salp__interrupt(actor->waiting);
    for (salp__scope *scope = from; scope != limit; scope = scope->outer)
        doom_members(doomed, scope);
}

static void interrupt_doomed(salp__list *doomed)
{
    while (!salp__list_empty(doomed)) {
        salp__task *task = SALP__CONTAINER(doomed->previous, salp__task, doomed);
        salp__list_remove(&task->doomed);
        interrupt_within(doomed, &task->actor, &task->group->scope);
    }
}

static void interrupt_all(salp__scope *scope)
{
    salp__list doomed;
    salp__list_open(&doomed);
    interrupt_within(&doomed, scope->actor, scope);
    doom_members(&doomed, scope);
    interrupt_doomed(&doomed);
}

void salp__scope_collect(salp__runtime *runtime, salp__list *tasks)
{
    salp__list_open(tasks);
    doom_members(tasks, &runtime->all->scope);
    /* Those of the groups that are open in a task come behind all that were found before. */
    for (salp__list *node = tasks->next; node != tasks; node = node->next) {
        salp__task *task = SALP__CONTAINER(node, salp__task, doomed);
        for (salp__scope *scope = task->actor.scope; scope != &task->group->scope; scope = scope->outer)
            doom_members(tasks, scope);
    }
}

/* ---- ending ---- */

static bool set_ended(salp__scope *scope, int error)
{
    int none = 0;
    /* release: pairs with the acquire in find_ended; who sees it also sees that a cancellation is under way, I3. */
    return atomic_compare_exchange_strong_explicit(&scope->ended, &none, error, memory_order_release,
                                                   memory_order_relaxed);
}

/* Whether the scope ends what its actor waits for: no shield lies between. */
static bool reaches(const salp__scope *scope, const salp__actor *actor)
{
    for (const salp__scope *each = actor->scope; each && each != scope; each = each->outer) {
        if (each->shield)
            return false;
    }
    return true;
}

/* Of a plain thread, from any. Has `event` run by the loop that it runs, if there is one. false: there is none. */
static bool end_of_thread(salp__scope *scope, int error, salp__event *event)
{
    salp__actor *actor = scope->actor;
    bool posted = false;
    salp__latch_take(&actor->latch);
    if (set_ended(scope, error)) {
        /* While it waits, its scopes stay as they are. */
        if (actor->waiting && reaches(scope, actor))
            salp__interrupt(actor->waiting);
        if (actor->runtime && event) {
            salp__loop_post(&actor->runtime->loop, event);
            posted = true;
        }
    }
    salp__latch_release(&actor->latch);
    return posted;
}

/* Whether a scope around a task is known to be over. (To look at clocks here would end scopes in the midst of a walk.) */
static bool is_inside_ended(const salp__actor *actor)
{
    for (const salp__scope *scope = actor->scope; scope; scope = scope->outer) {
        /* acquire: as in find_ended. */
        if (atomic_load_explicit(&scope->ended, memory_order_acquire) < 0)
            return true;
        if (scope->shield)
            break;
    }
    return false;
}

void salp__scope_look(salp__runtime *runtime)
{
    salp__list tasks;
    int64_t now = salp__now();
    for (salp__scope *scope = runtime->all->scope.outer; scope; scope = scope->outer) {
        if (scope->deadline <= now)
            set_ended(scope, -ETIMEDOUT);
    }
    salp__scope_collect(runtime, &tasks);
    while (!salp__list_empty(&tasks)) {
        salp__task *task = SALP__CONTAINER(tasks.previous, salp__task, doomed);
        salp__list_remove(&task->doomed);
        if (task->actor.waiting && is_inside_ended(&task->actor))
            salp__interrupt(task->actor.waiting);
    }
}

void salp__scope_end(salp__scope *scope, int error)
{
    if (scope->actor->task) {
        if (set_ended(scope, error))
            interrupt_all(scope);
        return;
    }
    end_of_thread(scope, error, NULL);
    if (salp__runtime_here())
        salp__scope_look(salp__runtime_here());
}

void salp__scope_end_run(salp__runtime *runtime, int error)
{
    if (set_ended(&runtime->all->scope, error))
        salp__scope_look(runtime);
}

int salp__scope_end_each(salp__runtime *runtime, int error)
{
    salp__list tasks;
    int ended = 0;
    salp__scope_collect(runtime, &tasks);
    while (!salp__list_empty(&tasks)) {
        salp__task *task = SALP__CONTAINER(tasks.next, salp__task, doomed);
        salp__list_remove(&task->doomed);
        ended += set_ended(task->actor.scope, error);
        if (task->actor.waiting)
            salp__interrupt(task->actor.waiting);
    }
    return ended;
}

static void end_in_time(salp__timer *timer)
{
    salp__scope_end(SALP__CONTAINER(timer, salp__scope, timer), -ETIMEDOUT);
}

/* The outermost scope that is over, up to a shield: that is how far the work has to be given up. */
static salp__scope *find_ended(const salp__actor *actor)
{
    salp__scope *found = NULL;
    for (salp__scope *scope = actor->scope; scope; scope = scope->outer) {
        /* acquire: pairs with the release in set_ended, I3. */
        bool ended = atomic_load_explicit(&scope->ended, memory_order_acquire) < 0;
        if (!ended && scope->deadline != SALP_FOREVER && salp__now() >= scope->deadline) {
            salp__scope_end(scope, -ETIMEDOUT); /* I1: not only noted, since others may wait inside */
            ended = true;
        }
        if (ended)
            found = scope;
        if (scope->shield)
            break;
    }
    return found;
}

int salp__scope_error_now(salp__actor *actor)
{
    const salp__scope *found = find_ended(actor);
    return found ? atomic_load_explicit(&found->ended, memory_order_relaxed) : 0;
}

int salp__scope_feel_now(salp__actor *actor)
{
    salp__scope *found = find_ended(actor);
    if (!found)
        return 0;
    found->felt = true;
    return atomic_load_explicit(&found->ended, memory_order_relaxed);
}

int64_t salp__scope_deadline(const salp__actor *actor)
{
    int64_t first = SALP_FOREVER;
    for (const salp__scope *scope = actor->scope; scope; scope = scope->outer) {
        if (scope->deadline < first)
            first = scope->deadline;
        if (scope->shield)
            break;
    }
    return first;
}

/* ---- entering and leaving ---- */

void salp__scope_enter(salp__scope *scope, int64_t timeout, bool shield)
{
    salp__actor *self = salp__self();
    scope->outer = self->scope;
    scope->actor = self;
    scope->group = NULL;
    scope->timer.node.number = 0; /* is not set; the rest of it is of no interest then */
    scope->deadline = timeout == SALP_FOREVER ? SALP_FOREVER : salp__later(timeout > 0 ? timeout : 0);
    atomic_init(&scope->ended, 0);
    atomic_init(&scope->cancels, 0);
    scope->shield = shield;
    scope->felt = false;
    if (timeout <= 0)
        scope->ended = -ETIMEDOUT;
    else if (self->task && scope->deadline != SALP_FOREVER)
        salp__timer_set(&self->task->runtime->loop, &scope->timer, scope->deadline, end_in_time);
    self->scope = scope;
}

/* I3 */
static void wait_for_cancels(const salp__actor *self, salp__scope *scope)
{
    /* acquire: pairs with the release of who has cancelled; it touches the scope no more. */
    for (unsigned tries = 0; atomic_load_explicit(&scope->cancels, memory_order_acquire) > 0; tries++) {
        if (self->task)
            salp__task_give_way(self->task); /* the loop has to run what was posted */
        salp__pause(tries);
    }
}

static void remove_innermost(salp__actor *self)
{
    salp__scope *scope = self->scope;
    wait_for_cancels(self, scope);
    if (self->task)
        salp__timer_cancel(&self->task->runtime->loop, &scope->timer);
    self->scope = scope->outer;
    if (!self->task && !self->scope && self->bell >= 0)
        salp__bell_drop(self);
}

bool salp__scope_is_mine(const salp__scope *scope)
{
    const salp__actor *self = salp__self();
    for (const salp__scope *each = self->scope; each; each = each->outer) {
        if (each == scope)
            return scope->actor == self;
    }
    return false;
}

int salp__scope_leave(salp__scope *scope)
{
    salp__actor *self = salp__self();
    if (!salp__scope_is_mine(scope))
        return -EINVAL;
    int misuse = 0;
    while (self->scope != scope) {
        /* Left open inside. Its tasks may not outlive it. */
        misuse = -EINVAL;
        if (self->scope->group)
            salp_group_close((salp_group *)self->scope->group);
        else
            remove_innermost(self);
    }
    remove_innermost(self);
    if (misuse < 0)
        return misuse;
    return scope->felt ? atomic_load_explicit(&scope->ended, memory_order_relaxed) : 0;
}

/* ---- the public face ---- */

void salp_scope_open(salp_scope *scope, int64_t timeout)
{
    salp__scope_enter((salp__scope *)scope, timeout, false);
}

void salp_scope_shield(salp_scope *scope, int64_t timeout)
{
    salp__scope_enter((salp__scope *)scope, timeout, true);
}

int salp_scope_close(salp_scope *scope)
{
    return salp__scope_leave((salp__scope *)scope);
}

typedef struct remote {
    salp__event event;
    salp__scope *scope;
    salp__spot sender; /* its waiter is NULL: nobody waits, and this is freed */
} remote;

static void end_from_afar(salp__event *event)
{
    remote *r = (remote *)event; /* its first member */
    if (r->scope->actor->task)
        salp__scope_end(r->scope, -ECANCELED);
    else
        salp__scope_look(salp__runtime_here());
    atomic_fetch_sub_explicit(&r->scope->cancels, 1, memory_order_release); /* I3 */
    if (!r->sender.waiter)
        salp__free(r);
    else if (salp__claim(&r->sender))
        salp__resume(&r->sender);
}

/* Has the scope's loop carry it out. false: there is none, and it has been. */
static bool send(remote *r)
{
    salp__actor *actor = r->scope->actor;
    r->event.run = end_from_afar;
    if (!actor->task)
        return end_of_thread(r->scope, -ECANCELED, &r->event);
    salp__loop_post(&actor->task->runtime->loop, &r->event);
    return true;
}

void salp_scope_cancel(salp_scope *opaque)
{
    salp__scope *scope = (salp__scope *)opaque;
    salp__actor *actor = scope->actor;
    if (actor->task ? actor->task->runtime == salp__runtime_here() : actor == salp__thread_self()) {
        salp__scope_end(scope, -ECANCELED);
        return;
    }
    /* relaxed: it is open, and its owner sees this before what we do now ends anything. I3 */
    atomic_fetch_add_explicit(&scope->cancels, 1, memory_order_relaxed);
    salp__waiter waiter;
    salp__waiter_open(&waiter, "a cancellation");
    remote here = { .scope = scope, .sender = salp__spot_of(&waiter) };
    /* A callback does not wait: two loops that cancel something of each other's would wait for ever. */
    remote *apart = salp__cannot_wait() ? salp__allocate(sizeof *apart) : NULL;
    if (apart)
        apart->scope = scope;
    bool sent = send(apart ? apart : &here);
    if (!sent) {
        atomic_fetch_sub_explicit(&scope->cancels, 1, memory_order_release);
        salp__free(apart);
    } else if (!apart) {
        salp__wait_through(&waiter);
    }
}
