/*
 * The items of a bounded queue, oldest first: a ring with an end for those who put and one for those who get.
 *
 * The two ends are used at the same time, by one thread each. Each end counts what went through it, ever, and remembers
 * how far the other one had come when it last looked: so it looks again only when the ring seems to be full or empty.
 *
 *     end.in:  if (salp__belt_has_room) salp__belt_put             end.out: if (salp__belt_has_item) salp__belt_get
 *
 * I1  An end changes itself alone. in.passed - out.passed items are there, at most `room`.
 * I2  An item is copied before `passed` counts it. So who finds it counted reads a whole item, or writes to a slot that
 *     nobody reads any more.
 * I3  A remembered number is at most too small: there may be more items, or more room, than it shows, never less.
 *
 * Threads: one at a time at each end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__BELT_H
#define SALP__BELT_H

#include <stdatomic.h>

#include "sync/store.h"

typedef struct salp__belt_end {
    size_t slot;           /* the next one */
    size_t seen;           /* `passed` of the other end, when this one last looked */
    _Atomic size_t passed; /* release, after the item was copied; acquire at the other end. I2 */
} salp__belt_end;

/* What both ends only read. */
typedef struct salp__belt {
    char *slots;
    size_t item_size;
    size_t room; /* slots */
} salp__belt;

/* `room`: at least 1. Returns 0 or -ENOMEM. Its ends are all zeros in the beginning. */
int salp__belt_open(salp__belt *belt, size_t item_size, size_t room);
void salp__belt_close(salp__belt *belt);

static inline size_t salp__belt_passed(const salp__belt_end *end)
{
    return atomic_load_explicit(&end->passed, memory_order_acquire);
}

/* At the end `end` itself. */
static inline void salp__belt_pass(const salp__belt *belt, salp__belt_end *end)
{
    if (++end->slot == belt->room)
        end->slot = 0;
    /* relaxed: our own. */
    size_t passed = atomic_load_explicit(&end->passed, memory_order_relaxed);
    atomic_store_explicit(&end->passed, passed + 1, memory_order_release);
}

/* ---- the end of those who put ---- */

static inline bool salp__belt_has_room(const salp__belt *belt, salp__belt_end *in, const salp__belt_end *out)
{
    /* relaxed: our own. */
    size_t passed = atomic_load_explicit(&in->passed, memory_order_relaxed);
    if (passed - in->seen < belt->room)
        return true;
    in->seen = salp__belt_passed(out);
    return passed - in->seen < belt->room;
}

/* There must be room. */
static inline void salp__belt_put(const salp__belt *belt, salp__belt_end *in, const void *item)
{
    salp__item_copy(belt->slots + in->slot * belt->item_size, item, belt->item_size);
    salp__belt_pass(belt, in);
}

/* ---- the end of those who get ---- */

static inline bool salp__belt_has_item(salp__belt_end *out, const salp__belt_end *in)
{
    /* relaxed: our own. */
    size_t passed = atomic_load_explicit(&out->passed, memory_order_relaxed);
    if (out->seen != passed)
        return true;
    out->seen = salp__belt_passed(in);
    return out->seen != passed;
}

/* There must be an item. */
static inline void salp__belt_get(const salp__belt *belt, salp__belt_end *out, void *item)
{
    salp__item_copy(item, belt->slots + out->slot * belt->item_size, belt->item_size);
    salp__belt_pass(belt, out);
}

#endif
