/*
 * How many items a worker claims at a time when the user did not say.
 *
 * A claim costs a fixed amount, so it should be large; but what is claimed cannot be shared out any more, so it should
 * be small. The worker aims at a length of time: it starts with one item, measures, and grows at most eightfold from
 * claim to claim. An item much longer than those before it would make the claim too long; therefore a worker that has
 * spent more than half a claim's time while another one is idle (SALP__HUNGRY) returns what it has not begun.
 *
 * Threads: one for each pace.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PACE_H
#define SALP__PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/time.h>

#include "os/clock.h"

enum { SALP__PACE_TARGET = SALP_MICROSECONDS(100) };

typedef struct salp__pace {
    uint32_t want;     /* units to claim next */
    bool fixed;        /* the user chose: always that many */
    int64_t began;     /* when the present claim was begun */
    size_t next_look;  /* item of the claim before which to look at the clock again, when somebody is hungry */
    int64_t item_time; /* nanoseconds, as last measured */
} salp__pace;

/* How many items a claim will have once their duration is known, and nobody is hungry. */
static inline size_t salp__pace_claim(int64_t item_time, size_t count)
{
    int64_t want = SALP__PACE_TARGET / (item_time < 1 ? 1 : item_time);
    return want < 1 ? 1 : (uint64_t)want > count ? count : (size_t)want;
}

/* `fixed`: units to claim each time; 0: to be found out. */
static inline void salp__pace_open(salp__pace *pace, uint32_t fixed)
{
    *pace = (salp__pace){ .want = fixed > 0 ? fixed : 1, .fixed = fixed > 0, .began = salp__now() };
}

static inline void salp__pace_begin(salp__pace *pace)
{
    pace->next_look = 0;
}

/* The claim ended after `items` items of `unit` items each. The next one begins. */
static inline void salp__pace_end(salp__pace *pace, size_t items, size_t unit)
{
    int64_t now = salp__now(), spent = now - pace->began;
    pace->began = now;
    if (items == 0)
        return;
    pace->item_time = spent / (int64_t)items;
    if (pace->fixed)
        return;
#ifdef SALP_HOSTILE
    (void)unit; /* a claim at every chance */
#else
    int64_t unit_time = spent * (int64_t)unit / (int64_t)items + 1;
    uint64_t want = (uint64_t)(SALP__PACE_TARGET / unit_time), most = (uint64_t)pace->want * 8;
    want = want < 1 ? 1 : want > most ? most : want;
    pace->want = want > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)want;
#endif
}

/* Somebody is hungry: whether this claim, `done` items of which have ended, has gone on for too long. */
static inline bool salp__pace_overdue(salp__pace *pace, size_t done)
{
    if (done < pace->next_look)
        return false;
    int64_t spent = salp__now() - pace->began;
    if (spent > SALP__PACE_TARGET / 2)
        return true;
    int64_t item_time = spent / (int64_t)(done + 1) + 1;
    pace->next_look = done + 1 + (size_t)(SALP__PACE_TARGET / 8 / item_time);
    return false;
}

#endif
