/*
 * salp.h - the cases of task-salp, and what they share. measure.h says what each case does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SALP_H
#define BENCH_SALP_H

#include <salp/task.h>

#include "measure.h"

/* Ends the program if a call failed. In line, as calls of a few nanoseconds are measured. */
static inline void bench_ok(const char *call, int error)
{
    if (error < 0)
        bench_fail("%s: %s", call, salp_strerror(error));
}

/* Calls salp_run. */
void bench_in_task(salp_fn *function, void *arg);

/* In salp.c. */
void bench_case_yield(void);
void bench_case_spawn(void);
void bench_case_sleepers(void);
void bench_case_idle(void);
/* In calls.c. */
void bench_case_call(void);
void bench_case_timers(void);
/* In locks.c. */
void bench_case_mutex(void);
void bench_case_contend(void);
/* In queues.c. */
void bench_case_queue(void);
void bench_case_echo(void);

#endif
