/*
 * An event count: sleep until something may have changed.
 *
 *     seen = salp__bell_look(bell);          the one who makes the change:
 *     if (the condition holds) go on;            make the condition hold;
 *     salp__bell_wait(bell, seen, deadline);     salp__bell_ring(bell, n);
 *     look again
 *
 * No wake-up is lost: a ring after the look changes the word, so the sleep ends at once or does not begin. Nobody is
 * woken by a system call when nobody sleeps.
 *
 * I1  `sleepers` is raised before the word is compared in the kernel, and read by the ringer after the word was
 *     raised; all four are sequentially consistent, so either the ringer sees the sleeper or the sleeper's compare
 *     sees the ring.
 * I2  A sleeper that is killed leaves `sleepers` too high: later rings make a system call for nothing, nothing else.
 * I3  `lookers` is never more than those who look and will see a ring that is made now. A ringer who counts on one
 *     takes him off, since he comes once, however often it rang; so it is lower when a look ends late, and then a
 *     sleeper is woken who need not have been.
 *
 * All zeros is a bell that nobody has rung. May lie in memory shared by processes.
 * The same idea: Fober, Orlarey, Letz, "Optimised Lock-Free FIFO Queue"; Vyukov's eventcount.
 *
 * Threads: any, on both sides.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__BELL_H
#define SALP__BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct salp__bell {
    _Atomic uint32_t rings;
    _Atomic uint32_t sleepers;
    _Atomic uint32_t lookers; /* who looks at the bell again and again, and so need not be woken, less those on whom a
                                 ringer counts already: see task/park.h */
} salp__bell;

uint32_t salp__bell_look(salp__bell *bell);

/* Returns 0 (rung, or spurious: look again) or -ETIMEDOUT. `shared`: between processes. */
int salp__bell_wait(salp__bell *bell, uint32_t seen, int64_t deadline, bool shared);

/* Rings, and wakes up to `count` sleepers, less those who are looking. */
void salp__bell_ring(salp__bell *bell, int count, bool shared);

/*
 * Says that the caller looks at the bell without sleeping, from before salp__bell_look_begin until after
 * salp__bell_look_end, and will not sleep on a value that it has seen before. So a ringer who finds n lookers knows
 * that n will come without being woken (I3). Not for a looker that may be killed.
 */
void salp__bell_look_begin(salp__bell *bell);
void salp__bell_look_end(salp__bell *bell);

#endif
