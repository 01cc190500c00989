/*
 * The model of salp_worth: from measured numbers to plans. No system calls, no clock, no luck.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__MODEL_H
#define SALP__MODEL_H

#include <salp/worth.h>

#include "insight/figures.h"

enum { SALP__STRETCHES = 16 };

/* How much longer items take when so many workers are at it, in rising order of workers. (1, 1) goes without saying. */
typedef struct salp__stretches {
    int count;
    int workers[SALP__STRETCHES];
    double times[SALP__STRETCHES];
} salp__stretches;

/* Adds one, in its place. One that does not fit is left out. */
void salp__stretches_add(salp__stretches *stretches, int workers, double times);

/*
 * Fills in the rest of a report of which are there: count, in_size, out_size, kept; sampled, crashes and what belongs to
 * them; data, cache_level, processors, capacity, others; threads, processes. `alone` are the figures of an item.
 */
void salp__model(salp_worth_report *report, const salp__figures *alone, const salp__stretches *threads,
                 const salp__stretches *processes, int workers_max);

/* The numbers of workers that are worth a plan, rising, into counts[]: all up to 16, then in steps of a quarter; how many. For work that
   waits they go on beyond the processors. */
int salp__model_ladder(int processors, size_t count, bool waits, int workers_max, int counts[], int room);

/* Below this part of its time on a processor, work is said to wait. */
#define SALP__WAITS 0.7

/* Stretched by more than this, items are in each other's way. */
#define SALP__CROWDED 1.3

#endif
