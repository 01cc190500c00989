/*
 * mergesort.h - the sequential twin of salp_sort: the same steps in turn, without forks, scopes and the clock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MERGESORT_H
#define BENCH_MERGESORT_H

#include <stddef.h>

typedef int bench_compare_fn(const void *a, const void *b, void *arg);

/* Ends the program if there is no memory for a second array. */
void bench_mergesort(int *items, size_t count, bench_compare_fn *compare, void *arg);

#endif
