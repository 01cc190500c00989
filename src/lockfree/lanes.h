/*
 * A range of numbers, shared out among workers in pieces.
 *
 *      lane 0            lane 1            lane 2
 *     [b    e)          [b    e)          [b    e)
 *      ^    ^
 *      |    `- everybody else takes from the back, when his own lane is empty
 *      `- its own worker takes from the front
 *
 * Each worker has a lane of its own, so that taking costs one compare-and-swap on a line that nobody else touches and
 * the pieces of one worker are neighbours. Who runs out takes a piece from the back of the fullest lane, at most half
 * of it. A worker that took more than it could chew (the items turned out to be long, and somebody is idle) returns
 * the rest to its own lane.
 *
 * I1  A lane is one 64-bit word: begin in the low half, end in the high half. The word says all that is unclaimed in
 *     it, so a compare-and-swap that succeeds on an equal word is right however often the word changed in between.
 * I2  Each number is handed out once, unless it is returned by the one who holds it.
 * I3  Only its own worker moves a lane's begin, or fills it again.
 *
 * It does not know what a dead taker held: whoever uses it between processes finds out by other means (see
 * pool/steward.c).
 *
 * Threads: any number of takers; split while nobody takes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LANES_H
#define SALP__LANES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"

typedef struct salp__lane {
    _Alignas(SALP__CACHE_LINE) _Atomic uint64_t word;
} salp__lane;

typedef struct salp__range {
    uint32_t begin;
    uint32_t end;
} salp__range;

/* Shares [begin, end) out evenly. */
void salp__lanes_split(salp__lane lanes[], int count, salp__range range);

/* What a lane gets of it; and the lane that gets a number of it. */
salp__range salp__lane_share(salp__range range, int count, int lane);
int salp__lane_of(salp__range range, int count, uint32_t number);

/* Takes up to `want` numbers (at least 1). false: there are none. */
bool salp__lanes_take(salp__lane lanes[], int count, int home, uint32_t want, salp__range *taken);

/* Returns the last part of what was taken from lane `home` or, when that lane is empty, of anything that was taken.
   false: the lane holds something that is not next to it (the caller keeps the range). */
bool salp__lanes_return(salp__lane lanes[], int home, salp__range range);

bool salp__lanes_empty(const salp__lane lanes[], int count);

/* How many numbers nobody has taken, roughly. */
uint64_t salp__lanes_left(const salp__lane lanes[], int count);

#endif
