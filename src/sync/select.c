/*
 * Waiting for the first of several things.
 *
 *   1. each case in its order: can it happen now?
 *   2. all latches are taken, in the order of their addresses, so that two selects do not wait for each other's; each case
 *      is asked once more, and if none can happen we take a spot in all lines, and let go of the latches;
 *   3. we wait: whoever claims us has one of the cases happen;
 *   4. our spots are taken off the other lines.
 *
 * While we ask in step 2 we are in no line: nobody can claim us at the same time, and so exactly one case happens.
 * The same order is kept by Go's select (runtime/select.go).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>

#include <salp/select.h>

#include "os/clock.h"
#include "sync/event.h"
#include "sync/future.h"
#include "sync/queue.h"

/* What lies in a case while we wait. */
typedef struct choice {
    salp__spot spot;
    salp_case *next; /* in the order of the latches */
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
    int things = !!c->get + !!c->put + !!c->future + !!c->event + (c->after != 0);
    if (things > 1 || ((c->get || c->put) && !c->item))
        return -EINVAL;
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

static int try_each(salp_case *cases, int count)
{
    for (int i = 0; i < count; i++) {
        salp__source source = source_of(&cases[i]);
        if (!source.object)
            continue;
        salp__spot *woken = NULL;
        salp__latch_take(source.latch);
        bool happened = try_locked(&cases[i], &source, &woken);
        salp__latch_release(source.latch);
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
            salp__latch_take(source.latch);
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
        salp__latch_release(source.latch);
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
        if (source.object && try_locked(&cases[i], &source, &woken))
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

/* ---- 3 and 4 ---- */

/* `chosen`: is in no line any more, and its object may be gone. */
static void leave_lines(salp_case *first, const salp__spot *chosen)
{
    for (salp_case *c = first; c; c = choice_of(c)->next) {
        if (&choice_of(c)->spot != chosen)
            salp__line_leave(source_of(c).latch, &choice_of(c)->spot);
    }
}

/* The index of the case by which the waiter was claimed. */
static int chosen_case(salp_case *cases, salp_case *first, const salp__waiter *waiter)
{
    for (salp_case *c = first; c; c = choice_of(c)->next) {
        if (&choice_of(c)->spot != waiter->chosen)
            continue;
        c->result = c->future ? salp_future_wait(c->future) : waiter->chosen->result;
        return (int)(c - cases);
    }
    __builtin_unreachable();
}

static int wait_for_first(salp_case *cases, int count, int in_time, int64_t until)
{
    salp_case *first = sort(cases, count);
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, "one of several things");
        int chosen = try_or_enter(cases, count, first, &waiter);
        if (chosen >= 0)
            return chosen;
        int result = salp__wait_until(&waiter, until);
        leave_lines(first, waiter.chosen);
        if (result == 0)
            return chosen_case(cases, first, &waiter);
        if (result == 1) {
            cases[in_time].result = 0;
            return in_time;
        }
        if (result != -EINTR)
            return salp__wait_end(waiter.actor, result);
    }
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
    return wait_for_first(cases, count, in_time, in_time >= 0 ? salp__later(after) : SALP_FOREVER);
}
