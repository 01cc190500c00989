/*
 * The loop.
 *
 *   post --> inbox --.
 *   timers that are due --> ready queue --run--> ...
 *   soon ------------'
 *
 * A turn runs a bounded number of events, so that events which make others ready for ever hold up neither the timers
 * nor the inbox.
 *
 * I1  Who posts first puts the event into the inbox and then rings; the owner looks at the bell, then at the inbox, and
 *     sleeps only if the bell is as it was: no post is slept over. A ring costs a system call only when it sleeps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include <stddef.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/futex.h"

enum {
#ifdef SALP_HOSTILE
    EVENTS_PER_TURN = 2,
#else
    EVENTS_PER_TURN = 256,
#endif
};

void salp__loop_open(salp__loop *loop)
{
    *loop = (salp__loop){ .last = &loop->first };
}

void salp__loop_soon(salp__loop *loop, salp__event *event)
{
    event->next = NULL;
    *loop->last = event;
    loop->last = &event->next;
}

void salp__loop_post(salp__loop *loop, salp__event *event)
{
    /* relaxed: a proposal, checked by the compare-and-swap. */
    salp__event *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do
        event->next = head;
    while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &head, event, memory_order_release,
                                                  memory_order_relaxed)); /* release: pairs with take_inbox */
    salp__bell_ring(&loop->bell, 1, false);
}

static void take_first(salp__loop *loop)
{
    loop->first = loop->first->next;
    if (!loop->first)
        loop->last = &loop->first;
}

salp__event *salp__loop_take(salp__loop *loop, void (*kind)(salp__event *event))
{
    salp__event *event = loop->first;
    if (!event || event->run != kind || loop->budget <= 0)
        return NULL;
    loop->budget--;
    take_first(loop);
    return event;
}

void salp__timer_set(salp__loop *loop, salp__timer *timer, int64_t when, void (*fire)(salp__timer *timer))
{
    timer->fire = fire;
    salp__heap_insert(&loop->timers, &timer->node, when);
}

void salp__timer_cancel(salp__loop *loop, salp__timer *timer)
{
    if (salp__heap_holds(&timer->node))
        salp__heap_remove(&loop->timers, &timer->node);
}

/* ---- the phases of a turn ---- */

static void take_inbox(salp__loop *loop)
{
    /* relaxed: whoever has just posted has also rung, see I1. */
    if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
        return;
    /* acquire: pairs with the release in salp__loop_post; what the sender wrote is then readable. */
    salp__event *newest = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        salp__event *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        salp__event *next = oldest->next;
        salp__loop_soon(loop, oldest);
        oldest = next;
    }
}

static void fire_timers(salp__loop *loop)
{
    if (!loop->timers.root)
        return;
    int64_t now = salp__now();
    while (loop->timers.root && loop->timers.root->key <= now) {
        salp__timer *timer = (salp__timer *)loop->timers.root; /* the node is its first member */
        salp__heap_remove(&loop->timers, &timer->node);
        timer->fire(timer);
    }
}

static void run_ready(salp__loop *loop)
{
    loop->budget = EVENTS_PER_TURN;
    while (loop->first && loop->budget > 0) {
        salp__event *event = loop->first;
        loop->budget--;
        take_first(loop);
        event->run(event);
    }
}

static void sleep_until_wanted(salp__loop *loop, uint32_t seen)
{
    int64_t deadline = loop->timers.root ? loop->timers.root->key : SALP_FOREVER;
    salp__bell_wait(&loop->bell, seen, deadline, false);
}

void salp__loop_turn(salp__loop *loop)
{
    uint32_t seen = salp__bell_look(&loop->bell); /* before the inbox: I1 */
    take_inbox(loop);
    fire_timers(loop);
    if (loop->first)
        run_ready(loop);
    else
        sleep_until_wanted(loop, seen);
}
