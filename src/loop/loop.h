/*
 * The loop: events that are ready, timers, descriptors, and what other threads send.
 *
 * It does not know tasks: it runs events, and a task's resumption is one.
 *
 * Threads: a loop belongs to the thread that turns it; only salp__loop_post is for others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LOOP_H
#define SALP__LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/loop.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/list.h"
#include "lockfree/latch.h"
#include "loop/poller.h"
#include "os/pretend.h"

/* Something to run once. Lives in the object that it is about, and is in one queue at a time. */
typedef struct salp__event {
    struct salp__event *next;
    void (*run)(struct salp__event *event);
} salp__event;

/* Something to run at a time; in the midst of a turn, so it must be short. */
typedef struct salp__timer {
    salp__heap_node node;
    void (*fire)(struct salp__timer *timer);
} salp__timer;

/* What salp_loop_call has sent: calls.c. What other threads write to lies apart from what the loop does. */
typedef struct salp__calls {
    salp__event event;              /* stands for all of them */
    struct salp__call_block *taken; /* those that the loop has, some of which may have been made [owner] */
    unsigned made;                  /* of the first block that was taken [owner] */
    bool lately;                    /* some were made since the loop has slept [owner] */
    char apart[SALP__CACHE_LINE];
    salp__latch latch;
    bool sent;                             /* the event is under way [latch] */
    struct salp__call_block *first, *last; /* calls that the loop has not taken [latch] */
    struct salp__call_block *spare;        /* empty blocks, one or a few [latch] */
    char apart_also[SALP__CACHE_LINE];
} salp__calls;

/* What floors above have that ends with the loop. */
typedef struct salp__dependent {
    salp__list link;
    void (*end)(struct salp__dependent *dependent); /* takes it off the list */
} salp__dependent;

typedef struct salp_loop {
    salp__event *first;   /* ready, oldest first [owner] */
    salp__event **last;   /* [owner] */
    int budget;           /* events that this turn may still run [owner] */
    int64_t clock_now;    /* the time at the beginning of this turn, by a coarse clock [owner] */
    int unpolled;         /* events that were run since the descriptors were looked at [owner] */
    int64_t fired;        /* when timers were looked at the last time [owner] */
    bool turning;         /* [owner] */
    bool closing;         /* what users have asked for is not done any more [owner] */
    bool parked;          /* a foreign loop waits for `clock` and the poller [owner] */
    salp__heap timers;    /* [owner] */
    salp_poller choice;   /* which poller it gets [const after open] */
    salp__poller *poller; /* NULL: no descriptor was watched yet [owner] */
    int watches;          /* descriptors that the poller watches for others [owner] */
    salp__watch doorbell; /* rung by who posts to a loop that sleeps in its poller */
    int front;            /* what a foreign loop waits for: the poller, and the clock; -1: it is in none [owner] */
    int clock;            /* readable when it is time, or something is ready; -1 likewise [owner] */
    _Atomic uintptr_t
        inbox; /* events, newest first, or a mark; release in post, acquire when it is taken: I1 in loop.c */

    /* What users have asked for: calls.c, callbacks.c, watches.c, signals.c. */
    salp__calls calls;
    char *lent;                             /* memory that floors above lend each other; freed at the end [owner] */
    salp__list dependents;                  /* told when it is closed, before all else [owner] */
    salp__list ports;                       /* that its poller knows: port.c [owner] */
    struct salp__user_watch **user_watches; /* by descriptor; NULL: not watched [owner] */
    size_t user_watch_room;                 /* [owner] */
    salp__list user_signals;                /* [owner] */
} salp__loop;

extern SALP__NOW salp__loop *salp__loop_now;

/* The loop of this thread, or NULL. */
static inline salp__loop *salp__loop_here(void)
{
    return salp__loop_now;
}

/* Opens it, as the loop of this thread, which has none. */
void salp__loop_open(salp__loop *loop, salp_poller choice);

/* Runs what is ready and what was sent; takes timers off that are still set. Nobody may post any more. */
void salp__loop_close(salp__loop *loop);

/* One turn: takes what was sent, fires timers that are due, looks at descriptors; sleeps if there was nothing, until `deadline`
   at most (0: not at all); runs the events that are ready. */
void salp__loop_turn(salp__loop *loop, int64_t deadline);

/* Sleeps until something was sent or until `deadline`, and takes nothing: it stays in the inbox. The loop is idle. */
void salp__loop_doze(salp__loop *loop, int64_t deadline);

/* Any thread: whether something was sent that the loop has not taken. */
bool salp__loop_was_sent_to(const salp__loop *loop);

/* Whether nothing but another thread or a signal could ever wake it, as things are. */
bool salp__loop_is_idle(const salp__loop *loop);

/* Around turns within a foreign loop: what the foreign loop waits for is made true. Returns whether there is more to do. */
bool salp__loop_park(salp__loop *loop);

/* Opens the poller that was chosen, now. Errors: as salp_loop_open. */
int salp__loop_need_poller(salp__loop *loop);

/* From outside of a turn: has the foreign loop call us, if there is one that waits for us. */
void salp__loop_unpark(salp__loop *loop);

/* Has the event run in this turn or the next. */
static inline void salp__loop_soon(salp__loop *loop, salp__event *event)
{
    if (salp__comes_first() && loop->first) {
        event->next = loop->first;
        loop->first = event;
    } else {
        event->next = NULL;
        *loop->last = event;
        loop->last = &event->next;
    }
    if (SALP__UNLIKELY(loop->parked))
        salp__loop_unpark(loop);
}

/* The same from any thread, or a handler of a signal. Wakes the loop if it sleeps. The loop may be gone as soon as the event
   has run, also before this returns. */
void salp__loop_post(salp__loop *loop, salp__event *event);

/* One of both. */
void salp__loop_send(salp__loop *loop, salp__event *event);

/* Takes an event off that was sent or is ready, wherever it is. Takes as long as many are ready. */
void salp__loop_drop(salp__loop *loop, salp__event *event);

/* Whether the turn runs another event. Not when somebody has sent something: that may be what all wait for. */
static inline bool salp__loop_goes_on(const salp__loop *loop)
{
    /* relaxed: a hint, the next turn looks properly. */
    return loop->budget > 0 && atomic_load_explicit(&loop->inbox, memory_order_relaxed) == 0;
}

/* The next event that is ready: there is one. */
static inline salp__event *salp__loop_take_first(salp__loop *loop)
{
    salp__event *event = loop->first;
    loop->budget--;
    loop->first = event->next;
    if (!loop->first)
        loop->last = &loop->first;
    return event;
}

/* The next event that is ready, if it is of this kind and the turn is not over: taken off, for who runs it himself. */
static inline salp__event *salp__loop_take(salp__loop *loop, void (*kind)(salp__event *event))
{
    const salp__event *event = loop->first;
    if (!event || event->run != kind || !salp__loop_goes_on(loop))
        return NULL;
    return salp__loop_take_first(loop);
}

void salp__timer_set(salp__loop *loop, salp__timer *timer, int64_t when, void (*fire)(salp__timer *timer));
void salp__timer_cancel(salp__loop *loop, salp__timer *timer); /* also when it is not set */

/* Watches fd for events until salp__loop_unwatch. It has to be one that can be (salp__may_poll). Errors: as salp_loop_watch. */
int salp__loop_watch(salp__loop *loop, salp__watch *watch);
int salp__loop_rewatch(salp__loop *loop, salp__watch *watch); /* its events are others now */
void salp__loop_unwatch(salp__loop *loop, salp__watch *watch);

/* Has the poller do something; what it calls when it is done first calls salp__loop_operated. -ENOTSUP: it cannot, and there
   are watches for it; or another error, and nothing was started. */
int salp__loop_operate(salp__loop *loop, salp__operation *operation);
static inline void salp__loop_operated(salp__loop *loop)
{
    loop->watches--;
}

/* Parts of opening and closing. */
void salp__calls_open(salp__loop *loop);
void salp__calls_close(salp__loop *loop);
void salp__callbacks_close(salp__loop *loop);
void salp__watches_close(salp__loop *loop);
void salp__ports_close(salp__loop *loop);
void salp__signals_close(salp__loop *loop);

#endif
