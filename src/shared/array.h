/*
 * Arrays that are shared, as pools see them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ARRAY_H
#define SALP__ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many arrays this process has opened so far. */
uint64_t salp__arrays_opened(void);

/*
 * Whether all of these bytes lie in one array that is still open, and was among the first `opened`: then a process that
 * was forked from this one since has them at the same address. `stored`: and may store to them.
 */
bool salp__arrays_hold(const void *data, size_t size, uint64_t opened, bool stored);

#endif
