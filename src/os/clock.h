/* The monotonic clock, in nanoseconds. SPDX-License-Identifier: MIT */
#ifndef SALP__CLOCK_H
#define SALP__CLOCK_H

#include <stdint.h>

int64_t salp__now(void);

/* The same to some milliseconds, and cheaper. */
int64_t salp__now_about(void);

/* How long the calling thread was on a processor. */
int64_t salp__thread_cpu(void);

/* Now plus a length of time, SALP_FOREVER when that is past the end of time. */
int64_t salp__later(int64_t nanoseconds);

/* Lets this thread sleep; may end early when a signal arrives. */
void salp__doze(int64_t nanoseconds);

/* Tells the processor that this is a spin; tells the system that others may run. */
void salp__relax(void);
void salp__give_way(void);

#endif
