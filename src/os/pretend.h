/*
 * Another time and another order, in the build that tests faults; nothing in every other.
 *
 * Time: in the thread that asks for it the clock stands, but for a nanosecond each time that it is read; a wait until a
 * deadline ends at once, and the clock jumps to it. So an hour of time-outs takes no time, however slow or busy the machine
 * is, and their order is exact. In every other thread time is real, and nothing that another one does is waited for until
 * a deadline: pools and whatever else hands times from thread to thread have no place in such a test.
 *
 * Order: what becomes ready in the thread that asks for it may come before what was ready already, as a seed says. The
 * same seed gives the same order, so that a failure can be seen again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PRETEND_H
#define SALP__PRETEND_H

#include <stdbool.h>
#include <stdint.h>

#ifdef SALP_FAULTS
void salp__pretend_time(void);           /* from now on */
void salp__pretend_order(uint64_t seed); /* 0: as it is */

int64_t salp__pretended_now(int64_t real); /* what the clock shows */
bool salp__skips_to(int64_t deadline);     /* whether the wait is over, since the clock has jumped there */
bool salp__comes_first(void);              /* whether what becomes ready now overtakes */
#else
static inline int64_t salp__pretended_now(int64_t real)
{
    return real;
}

static inline bool salp__skips_to(int64_t deadline)
{
    (void)deadline;
    return false;
}

static inline bool salp__comes_first(void)
{
    return false;
}
#endif

#endif
