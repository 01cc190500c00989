/*
 * measure.h - what the C programs of this benchmark share.
 *
 * All programs, the one in Go too, have cases of the same names that do the same work, each in the way that is usual
 * there. A case does a number of operations a few times over; after a first time, for warmth, it prints a line
 * "CASE PICOSECONDS" for each, where the time is that of one operation.
 *
 *   yield                                two in turn, `count` changes from one to the other
 *   spawn tasks=1|100                    so many are started, and waited for together
 *   queue capacity=0|1024 on=...         `count` items go through a queue: producers=1 consumers=1
 *   echo                                 `count` round trips over two queues of capacity 1
 *   mutex on=...                         `count` times lock, count, unlock, by one
 *   contend on=...                       the same by two at once, for milliseconds=50
 *   call calls=100000 bursts=1           so many calls into the loop of another thread, which sleeps before each burst
 *   sleepers                             `count` of them, until all are cancelled
 *   timers                               `count` of them are set, then cancelled
 *   idle                                 `count` sleep; says so, and ends after milliseconds=10000
 *
 * A program that never had a second thread needs no atomic operations, which the C library and Salp know. So there is
 * one, which sleeps, unless alone=1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

#include "common/program.h"

/* The names of all arguments, for bench_main. */
extern const char *const bench_known[];

/* Starts the second thread, once. bench_repeat does. */
void bench_not_alone(void);

/* Does `count` operations, checks their results, and returns the nanoseconds that they took. */
typedef int64_t bench_run(long count, void *arg);

/* Calls it once and then times=5 times, with count=, and prints the picoseconds of one operation each time. */
void bench_repeat(const char *name, bench_run *run, long count, void *arg);

/* Calls body(arg, number) in so many threads, together; nanoseconds from the first's beginning to the last's end. */
typedef void bench_body(void *arg, int number);
int64_t bench_on_threads(int count, bench_body *body, void *arg);

/* Ends the program unless they are equal. */
void bench_expect(const char *what, int64_t found, int64_t expected);
/* 0 + 1 + ... + (count - 1) */
int64_t bench_sum(long count);

/* Bytes of memory that this process has, with its page tables. */
int64_t bench_resident(void);

/* How often the thread has gone to sleep. */
int64_t bench_sleeps_of(int thread);

/* A time in milliseconds between one hour and two: some numbers that are the same in all programs. */
int64_t bench_later(uint64_t *state);

#endif
