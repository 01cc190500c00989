/*
 * The loop.
 *
 *   post --> inbox --.
 *   timers that are due --> ready queue --run--> ...
 *   descriptors -----'
 *   soon ------------'
 *
 * A turn runs a bounded number of events, so that events which make others ready for ever hold up neither the timers, nor
 * the descriptors, nor the inbox.
 *
 * The inbox is one word: the newest event, or a mark that says how the loop sleeps.
 *
 *   | 0: awake | --sleep--> | ASLEEP: on this word  | --post--> | event |                 then: wake the word
 *                           | POLLING: in its poller | --post--> | event + DOORBELL |     then: ring the doorbell
 *
 * I1  The owner sleeps only after it has exchanged an empty inbox for a mark: a post replaces the mark, so that none is
 *     slept over. Who has replaced it makes the one system call that wakes; while the loop is awake a post costs none.
 * I2  A poster touches nothing of the loop after its compare-and-swap: the event may be the last one that the loop runs.
 *     The wake-up of a word goes to an address. But the doorbell is a descriptor, whose number may be another file's when
 *     the loop is gone; so its ring is announced by DOORBELL, a bit of the event's address, and the owner waits for an
 *     announced ring before it runs anything. That costs nothing when the ring is what has woken it.
 * I3  At most one ring is announced at a time, and it is the only one: the doorbell is silent when the owner sleeps.
 *
 * Within a foreign loop (salp_loop_fd), control leaves with the mark POLLING, as if asleep; what makes an event ready from
 * outside of a turn sets the clock's descriptor to now. The foreign loop waits for both, the poller and the clock. The
 * clock is none of the poller's descriptors: so it tells also that the poller has to be asked once more (it refused to
 * wait for something), and our own sleeps know nothing of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/memory.h"
#include "os/thread.h"

/* What the inbox may hold that is no address of an event, and what is added to one. */
enum { ASLEEP = 1, POLLING = 2, DOORBELL = 4 };

/* Events that a turn runs: fewer when timers wait, which are looked at between turns. */
enum {
#ifdef SALP_HOSTILE
    EVENTS_PER_TURN = 2,
    EVENTS_BEFORE_TIMERS = 1,
    EVENTS_BEFORE_POLL = 3,
#else
    EVENTS_PER_TURN = 256,
    EVENTS_BEFORE_TIMERS = 16,
    EVENTS_BEFORE_POLL = 256,
#endif
};

SALP__NOW salp__loop *salp__loop_now;

salp_loop *salp_loop_current(void)
{
    return salp__loop_now;
}

void salp__loop_open(salp__loop *loop, salp_poller choice)
{
    *loop = (salp__loop){ .last = &loop->first, .choice = choice, .doorbell.fd = -1, .front = -1, .clock = -1 };
    salp__list_open(&loop->user_signals);
    salp__list_open(&loop->dependents);
    salp__list_open(&loop->ports);
    salp__calls_open(loop);
    salp__loop_now = loop;
}

/* ---- what is ready ---- */

void salp__loop_unpark(salp__loop *loop)
{
    if (!loop->parked)
        return;
    loop->parked = false;
    salp__clock_fd_set(loop->clock, 0);
}

/* The half of the word that tells ASLEEP from everything else: both our processors store it first. */
static _Atomic uint32_t *futex_of(salp__loop *loop)
{
    return (_Atomic uint32_t *)(void *)&loop->inbox;
}

void salp__loop_post(salp__loop *loop, salp__event *event)
{
    /* acquire, here and when the exchange fails: with POLLING comes the number of the doorbell. */
    uintptr_t head = atomic_load_explicit(&loop->inbox, memory_order_acquire), next;
    int doorbell;
    do {
        bool marked = head == ASLEEP || head == POLLING;
        event->next = marked ? NULL : (salp__event *)head;
        next = (uintptr_t)event | (head == POLLING ? DOORBELL : 0);
        doorbell = head == POLLING ? loop->doorbell.fd : -1; /* I2 */
    } while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &head, next, memory_order_acq_rel,
                                                    memory_order_acquire)); /* release: pairs with take_inbox */
    if (head == ASLEEP)
        salp__futex_wake(futex_of(loop), 1, false);
    else if (head == POLLING)
        salp__doorbell_ring(doorbell);
}

void salp__loop_send(salp__loop *loop, salp__event *event)
{
    if (loop == salp__loop_now)
        salp__loop_soon(loop, event);
    else
        salp__loop_post(loop, event);
}

/* ---- timers ---- */

static int64_t first_timer(const salp__loop *loop)
{
    return loop->timers.root ? loop->timers.root->key : SALP_FOREVER;
}

void salp__timer_set(salp__loop *loop, salp__timer *timer, int64_t when, void (*fire)(salp__timer *timer))
{
    timer->fire = fire;
    /* Not before those that are due already: one that is set in the past again and again would hold them up for ever. */
    if (when < loop->fired)
        when = loop->fired;
    salp__heap_insert(&loop->timers, &timer->node, when);
    if (loop->parked && first_timer(loop) == when)
        salp__clock_fd_set(loop->clock, when);
}

void salp__timer_cancel(salp__loop *loop, salp__timer *timer)
{
    if (salp__heap_holds(&timer->node))
        salp__heap_remove(&loop->timers, &timer->node);
}

/* ---- descriptors ---- */

static int open_poller(salp__loop *loop)
{
    const char *wish = loop->choice == SALP_POLLER_BEST ? getenv("SALP_POLLER") : NULL;
    bool epoll = loop->choice == SALP_POLLER_EPOLL || (wish && strcmp(wish, "epoll") == 0);
    bool uring = loop->choice == SALP_POLLER_IO_URING || (wish && strcmp(wish, "io_uring") == 0);
    int error = epoll ? -ENOTSUP : salp__poller_uring.open(&loop->poller);
    if (error < 0 && !uring)
        error = salp__poller_epoll.open(&loop->poller);
    if (error < 0)
        return uring && error != -ENOMEM && error != -EMFILE && error != -ENFILE ? -ENOTSUP : error;
    loop->doorbell = (salp__watch){ .fd = salp__doorbell_open(), .events = SALP__POLL_IN };
    error = loop->doorbell.fd < 0 ? loop->doorbell.fd : loop->poller->type->add(loop->poller, &loop->doorbell);
    if (error < 0) {
        loop->poller->type->close(loop->poller);
        salp__file_close(loop->doorbell.fd);
        loop->doorbell.fd = -1;
        loop->poller = NULL;
    }
    return error;
}

static void close_poller(salp__loop *loop)
{
    if (!loop->poller)
        return;
    loop->poller->type->remove(loop->poller, &loop->doorbell);
    salp__file_close(loop->front);
    salp__file_close(loop->clock);
    loop->poller->type->close(loop->poller);
    loop->poller = NULL;
    salp__file_close(loop->doorbell.fd);
}

int salp__loop_need_poller(salp__loop *loop)
{
    return loop->poller ? 0 : open_poller(loop);
}

/* A request that is made between two turns has to be known to the kernel before a foreign loop waits. */
static void tell_poller(salp__loop *loop)
{
    if (loop->parked && !loop->poller->type->prepare(loop->poller))
        salp__loop_unpark(loop); /* the next turn tries again */
}

int salp__loop_watch(salp__loop *loop, salp__watch *watch)
{
    int error = salp__loop_need_poller(loop);
    if (error == 0)
        error = loop->poller->type->add(loop->poller, watch);
    if (error == 0) {
        loop->watches++;
        tell_poller(loop);
    }
    return error;
}

int salp__loop_rewatch(salp__loop *loop, salp__watch *watch)
{
    int error = loop->poller->type->change(loop->poller, watch);
    if (error == 0)
        tell_poller(loop);
    return error;
}

void salp__loop_unwatch(salp__loop *loop, salp__watch *watch)
{
    loop->poller->type->remove(loop->poller, watch);
    loop->watches--;
}

int salp__loop_operate(salp__loop *loop, salp__operation *operation)
{
    int error = salp__loop_need_poller(loop);
    if (error < 0)
        return error;
    if (!loop->poller->type->start)
        return -ENOTSUP;
    error = loop->poller->type->start(loop->poller, operation);
    if (error == 0) {
        loop->watches++;
        tell_poller(loop);
    }
    return error;
}

/* ---- the phases of a turn ---- */

static void take_inbox(salp__loop *loop)
{
    /* relaxed: what is posted just now is for the next turn. */
    if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) == 0)
        return;
    /* acquire: pairs with the release in salp__loop_post; what the sender wrote is then readable. */
    uintptr_t head = atomic_exchange_explicit(&loop->inbox, 0, memory_order_acquire);
    if (head == ASLEEP || head == POLLING)
        return;
    salp__event *oldest = NULL;
    while (head) {
        if (head & DOORBELL)
            salp__doorbell_wait(loop->doorbell.fd); /* I2 */
        salp__event *event = (salp__event *)(head & ~(uintptr_t)DOORBELL);
        head = (uintptr_t)event->next;
        event->next = oldest;
        oldest = event;
    }
    while (oldest) {
        salp__event *next = oldest->next;
        salp__loop_soon(loop, oldest);
        oldest = next;
    }
}

void salp__loop_drop(salp__loop *loop, salp__event *event)
{
    salp__loop_unpark(loop); /* the mark goes with what was sent */
    take_inbox(loop);
    for (salp__event **link = &loop->first; *link; link = &(*link)->next) {
        if (*link != event)
            continue;
        *link = event->next;
        if (!*link)
            loop->last = link;
        return;
    }
}

/* Those that are set meanwhile have to wait for the next turn. */
static bool fire_timers(salp__loop *loop)
{
    bool fired = false;
    if (!loop->timers.root)
        return false;
    int64_t now = salp__now();
    uint64_t newest = loop->timers.insertions;
    loop->fired = now;
    while (loop->timers.root && loop->timers.root->key <= now && loop->timers.root->number <= newest) {
        salp__timer *timer = (salp__timer *)loop->timers.root; /* the node is its first member */
        salp__heap_remove(&loop->timers, &timer->node);
        timer->fire(timer);
        fired = true;
    }
    return fired;
}

/* Without waiting; not each time, since it may cost more than many events. `sleeps`: the turn goes to sleep, and looks then. */
static void look_at_descriptors(salp__loop *loop, bool sleeps)
{
    /* Within a foreign loop always: what is not taken now would have it call us once more. */
    bool foreign = loop->front >= 0;
    if (!foreign && (loop->watches == 0 || sleeps || (loop->first && loop->unpolled < EVENTS_BEFORE_POLL)))
        return;
    loop->unpolled = 0;
    loop->poller->type->wait(loop->poller, 0);
}

/* At least one. */
static void run_ready(salp__loop *loop)
{
    int budget = loop->timers.root ? EVENTS_BEFORE_TIMERS : EVENTS_PER_TURN;
    loop->budget = budget;
    do {
        salp__event *event = salp__loop_take_first(loop);
        event->run(event);
    } while (loop->first && salp__loop_goes_on(loop));
    loop->unpolled += budget - loop->budget;
}

static bool mark(salp__loop *loop, uintptr_t how)
{
    uintptr_t empty = 0;
    /* release: with POLLING goes the number of the doorbell. I1 */
    return atomic_compare_exchange_strong_explicit(&loop->inbox, &empty, how, memory_order_release,
                                                   memory_order_relaxed);
}

/* After a call from elsewhere it looks a while longer: who has sent one often sends more at once, but is back from waking us
   only after we have made the first. That is short beside what a sleep and a wake take. It does not give way meanwhile: where
   many want the processor, it would come back later than one who sleeps. */
static void look_for_more_calls(salp__loop *loop, int64_t deadline)
{
    enum { LOOKS = 16 };
    if (!loop->calls.lately || salp__alone())
        return;
    loop->calls.lately = false;
    int64_t end = salp__later(SALP_MICROSECONDS(5));
    if (deadline < end)
        end = deadline;
    do {
        for (int i = 0; i < LOOKS; i++) {
            /* relaxed: a hint. */
            if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) != 0)
                return;
            salp__relax();
        }
    } while (salp__now() < end);
}

static void sleep_until_wanted(salp__loop *loop, int64_t deadline)
{
    if (first_timer(loop) < deadline)
        deadline = first_timer(loop);
    loop->unpolled = 0;
    look_for_more_calls(loop, deadline);
    if (loop->watches > 0) {
        if (mark(loop, POLLING))
            loop->poller->type->wait(loop->poller, deadline);
    } else if (mark(loop, ASLEEP)) {
        salp__futex_wait(futex_of(loop), ASLEEP, deadline, false);
    }
    take_inbox(loop); /* and the mark */
}

void salp__loop_turn(salp__loop *loop, int64_t deadline)
{
    loop->turning = true;
    loop->clock_now = salp__now_about();
    take_inbox(loop);
    bool fired = fire_timers(loop);
    look_at_descriptors(loop, !loop->first && !fired && deadline > 0);
    if (!loop->first && !fired && deadline > 0) {
        sleep_until_wanted(loop, deadline);
        fire_timers(loop);
    }
    if (loop->first)
        run_ready(loop);
    loop->turning = false;
}

void salp__loop_doze(salp__loop *loop, int64_t deadline)
{
    uintptr_t asleep = ASLEEP;
    if (!mark(loop, ASLEEP))
        return;
    salp__futex_wait(futex_of(loop), ASLEEP, deadline, false);
    /* relaxed: what has taken the mark's place is looked at by who takes it. I1 */
    atomic_compare_exchange_strong_explicit(&loop->inbox, &asleep, 0, memory_order_relaxed, memory_order_relaxed);
}

bool salp__loop_was_sent_to(const salp__loop *loop)
{
    /* acquire: as in salp__loop_post; nothing that it leads to is looked at. */
    uintptr_t head = atomic_load_explicit(&loop->inbox, memory_order_acquire);
    return head != 0 && head != ASLEEP && head != POLLING;
}

bool salp__loop_is_idle(const salp__loop *loop)
{
    /* relaxed: a hint; who posts later makes it untrue. */
    return !loop->first && !loop->timers.root && loop->watches == 0 && salp__list_empty(&loop->user_signals) &&
           atomic_load_explicit(&loop->inbox, memory_order_relaxed) == 0;
}

void salp__loop_close(salp__loop *loop)
{
    loop->closing = true;
    while (!salp__list_empty(&loop->dependents)) {
        salp__dependent *dependent = SALP__CONTAINER(loop->dependents.next, salp__dependent, link);
        dependent->end(dependent);
    }
    salp__signals_close(loop);
    salp__watches_close(loop);
    salp__ports_close(loop);
    loop->parked = false;
    do { /* what is run may let others send something, the last time */
        take_inbox(loop);
        while (loop->first)
            run_ready(loop);
        /* relaxed: who may still send does so before what we have just run tells him otherwise. */
    } while (atomic_load_explicit(&loop->inbox, memory_order_relaxed) != 0);
    salp__calls_close(loop);
    salp__callbacks_close(loop);
    close_poller(loop);
    salp__free(loop->lent);
    salp__loop_now = NULL;
}

/* ---- within a foreign loop ---- */

bool salp__loop_park(salp__loop *loop)
{
    if (loop->front < 0)
        return loop->first != NULL;
    bool more = loop->first || !mark(loop, POLLING);
    salp__clock_fd_set(loop->clock, more ? 0 : first_timer(loop));
    loop->parked = !more;
    if (!loop->poller->type->prepare(loop->poller)) {
        salp__loop_unpark(loop);
        more = true;
    }
    return more;
}

static int open_front(salp__loop *loop)
{
    int error, clock = salp__clock_fd_open(), front = salp__epoll_open();
    if (clock < 0 || front < 0) {
        error = clock < 0 ? clock : front;
        goto close;
    }
    error = salp__epoll_add(front, clock, SALP__POLL_IN, NULL);
    if (error == 0)
        error = salp__epoll_add(front, loop->poller->type->fd(loop->poller), SALP__POLL_IN, NULL);
    if (error < 0)
        goto close;
    loop->clock = clock;
    loop->front = front;
    salp__clock_fd_set(clock, 0); /* for what is ready already; the first turn finds out */
    return 0;
close:
    salp__file_close(front);
    salp__file_close(clock);
    return error;
}

int salp_loop_fd(salp_loop *loop)
{
    if (!loop)
        return -EINVAL;
    if (loop != salp__loop_now)
        return -EPERM;
    int error = salp__loop_need_poller(loop);
    if (error == 0 && loop->front < 0)
        error = open_front(loop);
    return error < 0 ? error : loop->front;
}
