/*
 * The loop: events that are ready, timers, and what other threads send.
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
#include <stdint.h>

#include "base/heap.h"

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

typedef struct salp__loop {
    salp__event *first;      /* ready, oldest first [owner] */
    salp__event **last;      /* [owner] */
    int budget;              /* events that this turn may still run [owner] */
    salp__heap timers;       /* [owner] */
    _Atomic uintptr_t inbox; /* events, newest first, or SALP__LOOP_ASLEEP; release in post, acquire when it is taken */
} salp__loop;

/* What the inbox of a sleeping loop holds; no address of an event. */
enum { SALP__LOOP_ASLEEP = 1 };

void salp__loop_open(salp__loop *loop);

/* Runs what is ready and what was sent. Nobody may post any more, and no timer be set. */
void salp__loop_close(salp__loop *loop);

/* One turn: takes what was sent, fires timers that are due, runs the events that are ready, or else sleeps. */
void salp__loop_turn(salp__loop *loop);

/* Has the event run in this turn or the next. */
void salp__loop_soon(salp__loop *loop, salp__event *event);

/* The same from any thread. Wakes the loop if it sleeps. The loop may be gone as soon as the event has run, also before
   this returns. */
void salp__loop_post(salp__loop *loop, salp__event *event);

/* The next event that is ready, if it is of this kind and the turn is not over: taken off, for who runs it himself. */
salp__event *salp__loop_take(salp__loop *loop, void (*kind)(salp__event *event));

void salp__timer_set(salp__loop *loop, salp__timer *timer, int64_t when, void (*fire)(salp__timer *timer));
void salp__timer_cancel(salp__loop *loop, salp__timer *timer); /* also when it is not set */

#endif
