/* An event count; the header tells how it works. SPDX-License-Identifier: MIT */
#include "lockfree/bell.h"

#include <errno.h>

#include "os/futex.h"

uint32_t salp__bell_look(salp__bell *bell)
{
    /* seq_cst: ordered before the caller's look at its condition, and with I1. */
    return atomic_load(&bell->rings);
}

int salp__bell_wait(salp__bell *bell, uint32_t seen, int64_t deadline, bool shared)
{
    atomic_fetch_add(&bell->sleepers, 1); /* seq_cst: I1 */
    int result = salp__futex_wait(&bell->rings, seen, deadline, shared);
    /* relaxed: a count that is too high for a moment costs the ringer one system call. */
    atomic_fetch_sub_explicit(&bell->sleepers, 1, memory_order_relaxed);
    return result == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

/* Counts on up to `most` lookers, and takes them off: the next ring has to find others. */
static uint32_t take_lookers(salp__bell *bell, uint32_t most)
{
    uint32_t lookers = atomic_load(&bell->lookers), taken; /* seq_cst, all: I3 */
    do
        taken = lookers < most ? lookers : most;
    while (taken > 0 && !atomic_compare_exchange_weak(&bell->lookers, &lookers, lookers - taken));
    return taken;
}

void salp__bell_ring(salp__bell *bell, int count, bool shared)
{
    atomic_fetch_add(&bell->rings, 1); /* seq_cst: I1; also publishes the caller's change to who looks */
    count -= (int)take_lookers(bell, (uint32_t)count);
    if (count > 0 && atomic_load(&bell->sleepers) > 0) /* seq_cst: I1 */
        salp__futex_wake(&bell->rings, count, shared);
}

void salp__bell_look_begin(salp__bell *bell)
{
    atomic_fetch_add(&bell->lookers, 1);
}

void salp__bell_look_end(salp__bell *bell)
{
    uint32_t lookers = atomic_load(&bell->lookers);
    while (lookers > 0 && !atomic_compare_exchange_weak(&bell->lookers, &lookers, lookers - 1))
        continue;
}
