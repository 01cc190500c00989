/*
 * Waiting for the first of several things.
 *
 *   1. each case in its order: can it happen now?
 *   2. all latches are taken, in the order of their addresses, so that two selects do not wait for each other's, and an
 *      object's two one after the other, since nothing else lies between them; each case is asked once more, and if none
 *      can happen we take a spot in all lines, and let go of the latches;
 *   3. we wait: whoever claims us has one of the cases happen;
 *   4. our spots are taken off the other lines.
 *
 * Descriptors have neither latch nor line: a task's loop watches them during step 3, and claims us when one is ready. A
 * plain thread, whose waiter can only sleep on a word or in poll(2), runs a loop with a task for that.
 *
 * While we ask in step 2 we are in no line: nobody can claim us at the same time, and so exactly one case happens.
 * The same order is kept by Go's select (runtime/select.go).
 *
 * What lies between processes has a latch that is not held with others, and nobody there can claim us. So before step 2
 * we stand in the lines of these, where we are granted a look whenever they might happen (shared/line.h). If one might by
 * now, or a porter claims us for a look later on, we leave all lines and begin again. Whoever might still claim us for a
 * look when something else has happened must not find us gone: we claim ourselves, or go through with the wait that he
 * has just ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>

#include <salp/select.h>
#include <salp/task.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/file.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "sync/event.h"
#include "sync/future.h"
#include "sync/queue.h"
#include "task/descriptor.h"

/* What lies in a case while we wait. */
typedef struct choice {
    salp__spot spot;
    union {
        salp_case *next; /* in the order of the latches */
        uint64_t node;   /* of one between processes: index + 1; 0: it has none */
    };
    salp__interest interest; /* of a descriptor */
    bool shared;             /* between processes. One of this process's own may be gone when it has been chosen */
} choice;

_Static_assert(sizeof(choice) <= sizeof(((salp_case *)NULL)->salp__private), "the private part of a case");

static choice *choice_of(salp_case *c)
{
    return (choice *)c->salp__private;
}

static salp__source source_of(const salp_case *c)
{
    if (c->get)
        return salp__queue_get_source(c->get);
    if (c->put)
        return salp__queue_put_source(c->put);
    if (c->future)
        return salp__future_source(c->future);
    if (c->event)
        return salp__event_source(c->event);
    return (salp__source){ 0 };
}

static int check(const salp_case *c)
{
    int things = !!c->get + !!c->put + !!c->future + !!c->event + !!c->readable + (c->after != 0);
    if (things > 1 || ((c->get || c->put) && !c->item))
        return -EINVAL;
    if (c->readable && salp__may_poll(*c->readable) == -EBADF)
        return -EBADF;
    return c->future ? salp__future_may_wait(c->future) : 0;
}

static int check_all(const salp_case *cases, int count)
{
    if (count < 0 || (count > 0 && !cases))
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        int error = check(&cases[i]);
        if (error < 0)
            return error;
    }
    return 0;
}

/* ---- 1: now ---- */

/* [latch] Whether the case has happened. */
static bool try_locked(salp_case *c, const salp__source *source, salp__spot **woken)
{
    return source->try_locked(source->object, c->item, &c->result, woken);
}

static bool is_readable(salp_case *c)
{
    bool ready = false;
    c->result = 0;
    return salp__poll(c->readable, &ready, 1, 0) > 0 && ready;
}

/* The same of one between processes, without a latch. */
static bool try_shared(salp_case *c, const salp__source *source)
{
    int result = source->try_shared(source->object, c->item);
    if (result == -EAGAIN)
        return false;
    c->result = result;
    return true;
}

static int try_each(salp_case *cases, int count)
{
    for (int i = 0; i < count; i++) {
        if (cases[i].readable && is_readable(&cases[i]))
            return i;
        salp__source source = source_of(&cases[i]);
        if (source.shared && try_shared(&cases[i], &source))
            return i;
        if (!source.latch)
            continue;
        salp__spot *woken = NULL;
        salp__source_take(&source);
        bool happened = try_locked(&cases[i], &source, &woken);
        salp__source_release(&source);
        if (woken)
            salp__resume(woken);
        if (happened)
            return i;
    }
    return -EAGAIN;
}

/* The first of those that `time` ends, with how long from now. -EAGAIN: none. */
static int first_in_time(salp_case *cases, int count, int64_t *after)
{
    int first = -EAGAIN;
    *after = SALP_FOREVER;
    for (int i = 0; i < count; i++) {
        if (cases[i].after != 0 && (first < 0 || cases[i].after < *after)) {
            first = i;
            *after = cases[i].after;
        }
    }
    return first;
}

/* ---- 2: all latches ---- */

static const salp__latch *latch_of(const salp_case *c)
{
    return source_of(c).latch;
}

static salp_case *merge(salp_case *a, salp_case *b)
{
    salp_case *first = NULL, **last = &first;
    while (a && b) {
        salp_case **less = latch_of(b) < latch_of(a) ? &b : &a;
        *last = *less;
        last = &choice_of(*less)->next;
        *less = *last;
    }
    *last = a ? a : b;
    return first;
}

/* The cases that have an object, in the order of the latches' addresses. */
static salp_case *sort(salp_case *cases, int count)
{
    if (count > 1)
        return merge(sort(cases, count / 2), sort(cases + count / 2, count - count / 2));
    if (count == 0 || !latch_of(cases))
        return NULL;
    choice_of(cases)->next = NULL;
    return cases;
}

/* Several cases may have the same latch: they are neighbours. */
static void take_latches(salp_case *first)
{
    const salp__latch *last = NULL;
    for (salp_case *c = first; c; c = choice_of(c)->next) {
        salp__source source = source_of(c);
        if (source.latch != last)
            salp__source_take(&source);
        last = source.latch;
    }
}

static void release_latches(salp_case *first)
{
    for (salp_case *c = first; c;) {
        salp__source source = source_of(c);
        do /* before the last one is released: the object may be gone then */
            c = choice_of(c)->next;
        while (c && latch_of(c) == source.latch);
        salp__source_release(&source);
    }
}

/* Has a case happen and returns its index; or -EAGAIN, and the waiter is in all lines. */
static int try_or_enter(salp_case *cases, int count, salp_case *first, salp__waiter *waiter)
{
    salp__spot *woken = NULL;
    int chosen = -EAGAIN;
    take_latches(first);
    for (int i = 0; i < count && chosen < 0; i++) {
        salp__source source = source_of(&cases[i]);
        if (source.latch && try_locked(&cases[i], &source, &woken))
            chosen = i;
    }
    for (salp_case *c = first; c && chosen < 0; c = choice_of(c)->next) {
        salp__spot *spot = &choice_of(c)->spot;
        *spot = (salp__spot){ .waiter = waiter, .item = c->item };
        salp__list_append(source_of(c).line, &spot->link);
    }
    release_latches(first);
    if (woken)
        salp__resume(woken);
    return chosen;
}

/* ---- what lies between processes ---- */

/* Notes which cases are; whether any is. */
static bool note_shared(salp_case *cases, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++)
        any |= choice_of(&cases[i])->shared = source_of(&cases[i]).shared != NULL;
    return any;
}

static int enter_shared(salp_case *c, const salp__source *source, salp__waiter *waiter)
{
    salp__berth berth;
    int error = salp__shared_enter(source->shared);
    if (error < 0)
        return error;
    choice_of(c)->spot = salp__spot_of(waiter);
    salp__shared_latch(source->shared);
    error = salp__berth_lend_locked(source->shared, source->looks, &berth, &choice_of(c)->spot);
    salp__shared_commit(source->shared);
    salp__shared_unlatch(source->shared);
    if (error < 0)
        return error;
    choice_of(c)->node = (uint64_t)berth.node + 1;
    return salp__berth_watch(&berth);
}

/* 0: the waiter is in the lines of all. -EINTR: one of them may happen now. Or another error. */
static int enter_all_shared(salp_case *cases, int count, salp__waiter *waiter)
{
    for (int i = 0; i < count; i++) {
        if (choice_of(&cases[i])->shared)
            choice_of(&cases[i])->node = 0;
    }
    for (int i = 0; i < count; i++) {
        salp__source source = source_of(&cases[i]);
        int error = source.shared ? enter_shared(&cases[i], &source, waiter) : 0;
        if (error == 0 && source.shared && source.may_happen(source.object))
            error = -EINTR;
        if (error < 0)
            return error;
    }
    return 0;
}

/* The first of them that has happened, since it was granted to us; or -EAGAIN. */
static int leave_all_shared(salp_case *cases, int count)
{
    int happened = -EAGAIN;
    for (int i = 0; i < count; i++) {
        if (!choice_of(&cases[i])->shared || choice_of(&cases[i])->node == 0)
            continue;
        salp__source source = source_of(&cases[i]);
        salp__berth berth = { .shared = source.shared, .node = (uint32_t)choice_of(&cases[i])->node - 1 };
        if (salp__berth_leave(&berth) && source.look_is_all && happened < 0)
            happened = i;
    }
    return happened;
}

/* Nobody claims it any more. It is in no line of this process's own. */
static void retire(salp__waiter *waiter)
{
    salp__spot nobody = salp__spot_of(waiter);
    if (!salp__claim(&nobody))
        salp__wait_through(waiter);
}

/* ---- 3 and 4 ---- */

/* `chosen`: is in no line any more, and its object may be gone. */
static void leave_lines(salp_case *first, const salp__spot *chosen)
{
    for (salp_case *c = first; c; c = choice_of(c)->next) {
        if (&choice_of(c)->spot != chosen)
            salp__line_leave(source_of(c).line_latch, &choice_of(c)->spot);
    }
}

/* The index of the case by which the waiter was claimed. -EAGAIN: for a look. */
static int chosen_case(salp_case *cases, int count, const salp__waiter *waiter)
{
    int i = 0;
    while (i < count - 1 && &choice_of(&cases[i])->spot != waiter->chosen)
        i++;
    salp_case *c = &cases[i];
    if (choice_of(c)->shared)
        return -EAGAIN;
    c->result = c->future ? salp_future_wait(c->future) : waiter->chosen->result;
    return i;
}

/* Returns 0 or an error; *watched: so many cases were looked at. */
static int watch_descriptors(salp_case *cases, int count, salp__waiter *waiter, int *watched)
{
    int error = 0, i = 0;
    for (; i < count && error == 0; i += error == 0) {
        choice *own = choice_of(&cases[i]);
        if (!cases[i].readable)
            continue;
        own->spot = salp__spot_of(waiter);
        own->interest = (salp__interest){ .fd = *cases[i].readable, .events = SALP__POLL_IN, .spot = &own->spot };
        error = salp__interest_watch(waiter, &own->interest);
    }
    *watched = i;
    return error;
}

static void unwatch_descriptors(salp_case *cases, int watched, const salp__waiter *waiter)
{
    for (int i = 0; i < watched; i++) {
        if (cases[i].readable)
            salp__interest_unwatch(waiter, &choice_of(&cases[i])->interest);
    }
}

/* Returns as salp__wait_until. */
static int wait_for_claim(salp_case *cases, int count, salp__waiter *waiter, int64_t until)
{
    int watched;
    int error = watch_descriptors(cases, count, waiter, &watched);
    /* Somebody may have claimed us already, and then goes on to make us ready: so we wait in any case. */
    int result = salp__wait_until(waiter, error < 0 ? 0 : until);
    unwatch_descriptors(cases, watched, waiter);
    return result == 1 && error < 0 ? error : result;
}

static int wait_for_first(salp_case *cases, int count, int in_time, int64_t until)
{
    salp_case *first = sort(cases, count);
    bool any_shared = note_shared(cases, count);
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, "one of several things");
        int result = any_shared ? enter_all_shared(cases, count, &waiter) : 0;
        int chosen = result == 0 ? try_or_enter(cases, count, first, &waiter) : -EAGAIN;
        if (result == 0 && chosen < 0) {
            result = wait_for_claim(cases, count, &waiter, until);
            leave_lines(first, waiter.chosen);
            if (result == 0)
                chosen = chosen_case(cases, count, &waiter);
        } else if (any_shared) {
            retire(&waiter);
        }
        int happened = any_shared ? leave_all_shared(cases, count) : -EAGAIN;
        if (chosen < 0 && (result == 1 || happened >= 0)) {
            chosen = happened >= 0 ? happened : in_time; /* what has happened goes before time and scopes */
            cases[chosen].result = 0;
            return chosen;
        }
        if (result < 0 && result != -EINTR)
            return salp__wait_end(waiter.actor, result);
        if (chosen < 0 && any_shared)
            chosen = try_each(cases, count);
        if (chosen >= 0)
            return chosen;
    }
}

/* ---- a plain thread with descriptors ---- */

typedef struct selecting {
    salp_case *cases;
    int count;
    int in_time;
    int64_t until;
    int result;
} selecting;

static int wait_in_task(void *arg)
{
    selecting *s = arg;
    s->result = wait_for_first(s->cases, s->count, s->in_time, s->until);
    return 0;
}

static bool needs_loop(const salp_case *cases, int count)
{
    bool needs = false;
    for (int i = 0; i < count; i++)
        needs |= cases[i].readable != NULL;
    return needs && !salp__self()->task;
}

static int wait_in_run(salp_case *cases, int count, int in_time, int64_t until)
{
    selecting s = { .cases = cases, .count = count, .in_time = in_time, .until = until };
    if (salp__cannot_wait())
        return SALP_EINSIDE;
    int error = salp_run(wait_in_task, &s);
    return error < 0 ? error : s.result;
}

int salp_select(salp_case *cases, int count)
{
    int error = check_all(cases, count);
    if (error == 0)
        error = salp__wait_refused();
    if (error < 0)
        return error;
    int chosen = try_each(cases, count);
    if (chosen >= 0)
        return chosen;
    int64_t after;
    int in_time = first_in_time(cases, count, &after);
    if (in_time >= 0 && after < 0) {
        cases[in_time].result = 0;
        return in_time;
    }
    int64_t until = in_time >= 0 ? salp__later(after) : SALP_FOREVER;
    return needs_loop(cases, count) ? wait_in_run(cases, count, in_time, until)
                                    : wait_for_first(cases, count, in_time, until);
}
