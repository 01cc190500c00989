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

#include "os/file.h"

/* How many arrays this process has opened so far. */
uint64_t salp__arrays_opened(void);

/* Where bytes lie. */
typedef struct salp__array_place {
    salp__file_identity memory; /* which another array may have, too */
    size_t offset;              /* in it */
    uint64_t number; /* of the array: it was the so-manieth. A process that was forked from this one after so many
                                   had been opened has them at the same address */
    bool stored;     /* it may be stored to */
} salp__array_place;

/* false: not all of them lie in one array that is open. */
bool salp__arrays_find(const void *data, size_t size, salp__array_place *place);

#endif
