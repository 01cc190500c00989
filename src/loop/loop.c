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
 * I1  The owner sleeps only after it has exchanged an empty inbox for the mark `asleep`, and on this very word: a post
 *     replaces the mark, so that none is slept over. Who has replaced it makes the one system call that wakes; while
 *     the loop is awake a post costs none.
 * I2  A poster touches nothing of the loop after its compare-and-swap: the event may be the last one that the loop runs.
 *     The wake-up that follows goes to an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include <stddef.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/futex.h"

/* Events that a turn runs: fewer when timers wait, which are looked at between turns. */
enum {
#ifdef SALP_HOSTILE
    EVENTS_PER_TURN = 2,
    EVENTS_BEFORE_TIMERS = 1,
#else
    EVENTS_PER_TURN = 256,
    EVENTS_BEFORE_TIMERS = 8,
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

/* The half of the word that tells `asleep` from everything else: both our processors store it first. */
static _Atomic uint32_t *futex_of(salp__loop *loop)
{
    return (_Atomic uint32_t *)(void *)&loop->inbox;
}

void salp__loop_post(salp__loop *loop, salp__event *event)
{
    /* relaxed: a proposal, checked by the compare-and-swap. */
    uintptr_t head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do
        event->next = head == SALP__LOOP_ASLEEP ? NULL : (salp__event *)head;
    while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &head, (uintptr_t)event, memory_order_release,
                                                  memory_order_relaxed)); /* release: pairs with take_inbox */
    if (head == SALP__LOOP_ASLEEP)
        salp__futex_wake(futex_of(loop), 1, false); /* I2 */
}

/* Whether the turn runs another event. Not when somebody has sent something: that may be what all wait for. */
static bool goes_on(const salp__loop *loop)
{
    /* relaxed: a hint, the next turn looks properly. */
    return loop->budget > 0 && atomic_load_explicit(&loop->inbox, memory_order_relaxed) == 0;
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
    if (!event || event->run != kind || !goes_on(loop))
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
    /* relaxed: what is posted just now is for the next turn. */
    if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) == 0)
        return;
    /* acquire: pairs with the release in salp__loop_post; what the sender wrote is then readable. */
    uintptr_t head = atomic_exchange_explicit(&loop->inbox, 0, memory_order_acquire);
    salp__event *newest = head == SALP__LOOP_ASLEEP ? NULL : (salp__event *)head, *oldest = NULL;
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

/* At least one. */
static void run_ready(salp__loop *loop)
{
    loop->budget = loop->timers.root ? EVENTS_BEFORE_TIMERS : EVENTS_PER_TURN;
    do {
        salp__event *event = loop->first;
        loop->budget--;
        take_first(loop);
        event->run(event);
    } while (loop->first && goes_on(loop));
}

static void sleep_until_wanted(salp__loop *loop)
{
    int64_t deadline = loop->timers.root ? loop->timers.root->key : SALP_FOREVER;
    uintptr_t empty = 0;
    /* relaxed: nothing is handed over by it. I1 */
    if (atomic_compare_exchange_strong_explicit(&loop->inbox, &empty, SALP__LOOP_ASLEEP, memory_order_relaxed,
                                                memory_order_relaxed))
        salp__futex_wait(futex_of(loop), SALP__LOOP_ASLEEP, deadline, false);
}

void salp__loop_turn(salp__loop *loop)
{
    take_inbox(loop);
    fire_timers(loop);
    if (loop->first)
        run_ready(loop);
    else
        sleep_until_wanted(loop);
}

void salp__loop_close(salp__loop *loop)
{
    take_inbox(loop);
    while (loop->first)
        run_ready(loop);
}
