/*
 * Sleeping on a 32-bit word, futex(2).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__FUTEX_H
#define SALP__FUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Sleeps while *word == expected, until woken or until `deadline` (monotonic, SALP_FOREVER: none).
 * Returns 0 when woken, -EAGAIN when the word differed, -EINTR after a signal, -ETIMEDOUT.
 * `shared`: other processes wait on or wake this word.
 */
int salp__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, bool shared);

/* Wakes up to `count` sleepers; returns how many. */
int salp__futex_wake(_Atomic uint32_t *word, int count, bool shared);

#endif
