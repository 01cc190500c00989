/*
 * work.h - what every program of the pool benchmark does, in the same words.
 *
 * Salp, OpenMP and the plain loop run the same two jobs on the same inputs: x * x, for items that
 * cost next to nothing, and a chain of arithmetic that can be made as long as one likes and whose
 * result can nevertheless be checked at once (bench_check). All three call the job through a pointer
 * that the compiler cannot see through.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/program.h"

typedef int bench_job(const void *in, void *out, void *context);

/* A set of inputs, its results and the job for them. */
struct bench_work {
    bench_job *job;
    size_t count;
    void *in;
    size_t in_size;
    void *out;
    size_t out_size;
};

/*
 * From the arguments:
 *   items=squares      int -> int, x * x
 *   items=spin         chains of `nanoseconds` each on average, `iterations` of them in a microsecond;
 *                      skewed=100: one item in 16, spread by chance, takes 100 times as long as the others
 *   count=             how many
 */
struct bench_work bench_work_new(void);
/* Wipes the results, so that the next run cannot live on those of the last. */
void bench_work_reset(struct bench_work *work);
/* Ends the program unless every result is right. */
void bench_work_check(const struct bench_work *work);
void bench_work_free(struct bench_work *work);

/* The jobs. */
int bench_square(const void *in, void *out, void *context);
int bench_spin(const void *in, void *out, void *context);

/* The input of bench_spin; its result is a uint64_t. */
struct bench_chain {
    uint64_t seed;
    uint64_t length;
};

/* What bench_spin must write for an input, in a time that does not depend on its length. */
uint64_t bench_spin_expected(const struct bench_chain *chain);

#endif
