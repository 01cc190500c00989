/*
 * What a select can wait for: an object as seen by one of its cases.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SOURCE_H
#define SALP__SOURCE_H

#include "shared/segment.h"
#include "sync/line.h"

typedef struct salp__source {
    void *object; /* NULL: nothing, it never happens */
    salp__latch *latch;
    salp__latch *second;     /* of the same object, at a higher address; NULL: it has one */
    salp__list *line;        /* of those who wait for it */
    salp__latch *line_latch; /* that of the two which guards the line; who begins to wait has both */
    /* [both] Has it happen, with its result, if it can happen now. Who can go on by it is claimed, and is to be resumed
       without the latches. */
    bool (*try_locked)(void *object, void *item, int *result, salp__spot **woken);
    /* Of one between processes, instead of the latter three. */
    salp__shared *shared;     /* NULL: it is none */
    salp__shared_line *looks; /* where one is granted a look whenever it may happen */
    bool look_is_all;         /* who was granted one has it, with the result 0, whatever there is to be seen by then */
    bool (*may_happen)(void *object);
    int (*try_shared)(void *object, void *item); /* -EAGAIN: not now */
} salp__source;

static inline void salp__source_take(const salp__source *source)
{
    salp__latch_take(source->latch);
    if (source->second)
        salp__latch_take(source->second);
}

static inline void salp__source_release(const salp__source *source)
{
    if (source->second)
        salp__latch_release(source->second);
    salp__latch_release(source->latch);
}

#endif
