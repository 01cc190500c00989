/*
 * plain.h - what process-plain measures: what the system and the C library have, used as plainly as can be.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "messages.h"

/* ---- links ---- */

/* pipe: a pipe for each direction. socket: a pair of Unix stream sockets. In pipes.c. */
extern const struct bench_link bench_pipe_link, bench_socket_link;
/* ring: a ring for each direction in shared memory. slot: a single slot, for round trips alone. In rings.c. */
extern const struct bench_link bench_ring_link, bench_slot_link;

/* ---- cases ---- */

void bench_case_copy(void);  /* in rings.c */
void bench_case_start(void); /* in starts.c */
void bench_case_lock(void);  /* in plain_locks.c */

/* ---- futexes, between processes ---- */

static inline void bench_futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static inline void bench_futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#endif
