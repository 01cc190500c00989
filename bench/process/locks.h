/*
 * locks.h - the case of locks, over whatever locks: mutexes, and semaphores of one unit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LOCKS_H
#define BENCH_LOCKS_H

#include "measure.h"

/* What is counted under a lock, in memory that both sides share. */
struct bench_contest {
    void *lock;
    bool alone;     /* by=1: side 1 does nothing */
    long counted;   /* under the lock */
    long claims[2]; /* the same, by what each side says that it has done */
};

struct bench_lock {
    const char *name; /* of=NAME */
    enum bench_sides sides;
    void *(*open)(void);
    bench_side *side; /* bench_fight with its two functions */
    void (*close)(void *lock);
};

/* Runs lock. The kinds that the program has; one without a name ends the list. */
void bench_lock_case(const struct bench_lock kinds[]);

/*
 * A side of the contest: locks, counts and unlocks until time is over. In line, so that the calls are direct, as in any
 * program: they take a few nanoseconds.
 */
typedef void bench_lock_call(void *lock);

static inline __attribute__((always_inline)) struct bench_done
bench_fight(bench_lock_call *lock, bench_lock_call *unlock, struct bench_contest *contest, int side, int64_t until)
{
    struct bench_done done = { 0 };
    if (side == 1 && contest->alone)
        return done;
    volatile long *counted = &contest->counted;
    for (; done.count == 0 || done.count % 256 != 0 || bench_now() < until; done.count++) {
        lock(contest->lock);
        ++*counted;
        unlock(contest->lock);
    }
    contest->claims[side] += done.count;
    return done;
}

#endif
