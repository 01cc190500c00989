/*
 * measure.h - what the C programs of this benchmark share: two sides that work together, for a while.
 *
 * All programs, the one in Python too, have cases of the same names that do the same work:
 *
 *   start how=...                        processes are started and waited for, one after the other; the program that
 *                                        starts them has resident=0 MiB of memory beside its own
 *   stream over=... size=8 capacity=...  messages from one process to another, with so many on the way at most
 *   echo over=... size=8 pause=0         round trips between two processes; with a pause of so many microseconds before
 *                                        each, in which both fall asleep
 *   lock of=... by=1                     lock, count, unlock: by one, or by=2 at once
 *   copy size=... capacity=...           what a message costs that one process copies in and another copies out, if
 *                                        neither ever waits for the other
 *
 * A case works for milliseconds=50, times=3 over; after a first time, for warmth, it prints a line "CASE PICOSECONDS"
 * for each, where the time is that of one process, message, round trip or lock. Sizes are in bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/program.h"

/* The names of all arguments, for bench_main. */
extern const char *const bench_known[];

/* ---- one, or two sides ---- */

/* Works until bench_now() says `until`, but once at least; how often. */
typedef long bench_work(void *arg, int64_t until);
void bench_alone(const char *name, bench_work *work, void *arg);

/* What a side did in one time: how many of what is measured, and how long that took; 0: as long as both worked. */
struct bench_done {
    long count; /* 0 on one side, or else once at least */
    int64_t nanoseconds;
};

/* Side 0 or side 1 of the work; `until` as above. */
typedef struct bench_done bench_side(void *arg, int side, int64_t until);

enum bench_sides {
    BENCH_PROCESSES, /* two children of this program */
    BENCH_THREADS,
};

/*
 * Runs both sides at once, each held on a processor of its own where this program may use two (near=1: both on one), and
 * prints what one of what they did took. Ends the program when a side fails.
 */
void bench_both(const char *name, enum bench_sides sides, bench_side *side, void *arg);

/* Whether this program may use two processors: waiting awake makes no sense on one. */
bool bench_two_processors(void);

/* ---- memory and checks ---- */

/* Zeroed memory that children forked later share. Its pages are there when they are used. */
void *bench_shared(size_t size);
void bench_unshare(void *memory, size_t size);

/* resident=0 MiB of memory that really is there, from malloc. */
char *bench_resident(void);

/* Ends the program unless they are equal. In line, as it is done for each message. */
static inline void bench_expect(const char *what, int64_t found, int64_t expected)
{
    if (found != expected)
        bench_fail("%s: %lld and not %lld", what, (long long)found, (long long)expected);
}

#endif
