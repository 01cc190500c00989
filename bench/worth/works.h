/*
 * works.h - the kinds of work that predictions are checked with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WORKS_H
#define BENCH_WORKS_H

#include <stdbool.h>
#include <stddef.h>

typedef int bench_job(const void *in, void *out, void *context);

struct bench_work {
    bench_job *job;
    void *in;
    size_t in_size;
    void *out;
    size_t out_size;
    size_t count;
    bool crashes; /* not to be run in this process */
};

/* One by its name (kinds are listed at the end of works.c), with inputs and room for results; ends the program if there is none. */
struct bench_work bench_work_new(const char *kind);
void bench_work_free(struct bench_work *work);

/* Wipes the results; and ends the program unless every item that does not crash has its result. */
void bench_work_reset(struct bench_work *work);
void bench_work_check(const struct bench_work *work);

#endif
