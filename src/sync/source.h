/*
 * What a select can wait for: an object as seen by one of its cases.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SOURCE_H
#define SALP__SOURCE_H

#include "sync/line.h"

typedef struct salp__source {
    void *object; /* NULL: nothing, it never happens */
    salp__latch *latch;
    salp__list *line; /* of those who wait for it */
    /* [latch] Has it happen, with its result, if it can happen now. Who can go on by it is claimed, and is to be resumed
       without the latch. */
    bool (*try_locked)(void *object, void *item, int *result, salp__spot **woken);
} salp__source;

#endif
