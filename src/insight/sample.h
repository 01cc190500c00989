/*
 * The sample of salp_worth: some items are run in forks of this process, alone and beside each other, and timed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SAMPLE_H
#define SALP__SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/pool.h>

#include "insight/figures.h"
#include "insight/model.h"

/* What is to be sampled. */
typedef struct salp__work {
    salp_job *job;
    const void *in;
    size_t in_size;
    size_t out_size;
    size_t count;
    const void *context;
    size_t context_size;
    int processors;   /* that may be used */
    int workers_max;  /* 0: as many as the sample likes */
    int64_t budget;   /* nanoseconds */
    int64_t patience; /* beyond these */
} salp__work;

/* What was found. */
typedef struct salp__found {
    salp__figures alone;
    salp__stretches threads, processes;
    size_t sampled, failed;
    int crashes;
    size_t crash_index;
    int crash_signal;
    bool crash_beside, overdue;
} salp__found;

enum { SALP__CRASHES = 8 }; /* so many, and no more items are tried */

/* Waits; a scope ends it. Returns 0 or an error as salp_worth. */
int salp__sample(const salp__work *work, salp__found *found);

#endif
