/*
 * twin.h - plain twins: what the system itself charges for a round trip between two processes and
 * for a fork. They run inside the measuring program, in turn with what they are compared to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TWIN_H
#define BENCH_TWIN_H

#include <stdint.h>

/* A forked process that answers each post of one semaphore with a post of another. */
struct bench_echo;
struct bench_echo *bench_echo_new(void);                /* before the program has threads */
int64_t bench_echo_round_trip(struct bench_echo *echo); /* nanoseconds */
void bench_echo_free(struct bench_echo *echo);

/* Forks `count` times, one after the other: each child exits at once and is waited for. Nanoseconds in all. */
int64_t bench_forks(int count);

#endif
