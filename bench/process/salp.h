/*
 * salp.h - what process-salp measures.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SALP_H
#define BENCH_SALP_H

#include <salp/error.h>

#include "measure.h"
#include "messages.h"

/* Ends the program if a call failed. In line, as calls of a few nanoseconds are
 * measured. */
static inline void bench_ok(const char *call, int error)
{
    if (error < 0)
        bench_fail("%s: %s", call, salp_strerror(error));
}

/* queue: a shared queue for each direction. pipe: a pipe of Salp's. In
 * salp_links.c. */
extern const struct bench_link bench_salp_queue_link, bench_salp_pipe_link;

void bench_case_start(void); /* in salp_starts.c */
void bench_case_lock(void);  /* in salp_locks.c */

#endif
