/*
 * What the sample of salp_worth has found, in numbers, and the statistics that make them. No system calls, no clock.
 *
 * Items are measured in groups: some that follow each other and take about 20 microseconds together, or a single longer
 * one. A salp__group is one of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__FIGURES_H
#define SALP__FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some items that were run one after the other. */
typedef struct salp__group {
    int64_t wall; /* nanoseconds */
    int64_t cpu;  /* of these on a processor */
    uint32_t items;
    bool cold; /* the first in its part of the data */
} salp__group;

/* What a number of groups say of an item, in nanoseconds. */
typedef struct salp__figures {
    size_t groups; /* that count: of short items the cold ones do not, nor those before it became faster */
    size_t items;
    double mean;
    double error;       /* standard error of the mean; 0: not known, of less than two groups */
    double quantile[9]; /* of groups, a tenth to nine tenths */
    double most;        /* 95 of 100 */
    double longest;
    double cold; /* mean of the cold ones; 0: none */
    double busy; /* cpu / wall */
} salp__figures;

/* Of groups in the order in which they were run; sorts them. `on_processor`: the time that counts is that on a processor, so that others who take it away do not. */
void salp__figures_make(salp__figures *figures, salp__group groups[], size_t count, bool on_processor);

/* A few items take much of the time: the longest twentieth is more than three times as long as the middle. */
bool salp__figures_skewed(const salp__figures *figures);

/*
 * How many times as long an item takes in `beside` as in `alone`; 1 when the difference may be chance, and never less. Of
 * skewed items the quantiles are compared, since the mean depends on how many of the long ones each has met.
 */
double salp__figures_stretch(const salp__figures *alone, const salp__figures *beside);

#endif
