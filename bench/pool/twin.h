/*
 * twin.h - plain twins: what the system itself charges for a round trip between two processes and
 * for a fork. They run inside the measuring program, in turn with what they are compared to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TWIN_H
#define BENCH_TWIN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A forked process that answers each post of one semaphore with a post of another. Left alone, the two soon share a
 * processor, which is the cheapest way to talk. One that is `far` stays on another processor than its caller, who is
 * held on the first one between bench_stay_near() and bench_stay_free(): the price of waking another processor.
 */
struct bench_echo;
struct bench_echo *bench_echo_new(bool far);            /* before the program has threads */
int64_t bench_echo_round_trip(struct bench_echo *echo); /* nanoseconds */
void bench_echo_free(struct bench_echo *echo);

void bench_stay_near(void);
void bench_stay_free(void);

/* Forks `count` times, one after the other: each child exits at once and is waited for. Nanoseconds in all. */
int64_t bench_forks(int count);

#endif
