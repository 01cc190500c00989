/*
 * A work-stealing deque of fixed size: one owner, any number of thieves.
 *
 *                 top                       bottom
 *      ... stolen  | oldest ... ... ... newest |  free ...
 *                  ^                           ^
 *        thieves take from here        the owner puts and takes here
 *
 * From: Chase, Lev, "Dynamic Circular Work-Stealing Deque" (SPAA 2005), and, for the orders of memory, Lê, Pop, Cohen,
 * Zappa Nardelli, "Correct and Efficient Work-Stealing for Weak Memory Models" (PPoPP 2013). Ours does not grow: what
 * does not fit stays with the owner, who loses nothing by it. So no array is ever replaced under a thief. And it stands
 * on sequentially consistent accesses where the paper has fences, since ThreadSanitizer understands those.
 *
 * I1  top never falls. What was at index i when top was i is taken by the one whose compare-and-swap raises top from i
 *     to i + 1; there is one such, thief or owner.
 * I2  The owner takes the newest without a compare-and-swap only if, after it has lowered bottom, it still finds top
 *     below it. A thief reads top and then bottom, the owner writes bottom and then reads top, all four sequentially
 *     consistent: so of an owner and a thief who want the same last item, one at least sees the other, and then both
 *     use the compare-and-swap.
 * I3  An index below bottom is not written while top has not passed it: the owner puts only at bottom, and only if top
 *     is less than a round below. So a thief whose compare-and-swap succeeds has read the item that was at top all the
 *     time between: if bottom had fallen to top in between, I2 had raised top.
 * I4  What the owner wrote before a put is seen by whoever takes the item: bottom is stored with release, and read with
 *     acquire by the thief before it reads the item.
 *
 * tests/model/deque.pml is the model, with what breaks when one of the accesses is moved or weakened.
 *
 * Threads: put and take: the owner. steal, is_empty: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__DEQUE_H
#define SALP__DEQUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

enum {
#ifdef SALP_HOSTILE
    SALP__DEQUE_SIZE = 2,
#else
    SALP__DEQUE_SIZE = 256, /* a power of two */
#endif
};

typedef struct salp__deque {
    _Alignas(SALP__CACHE_LINE) _Atomic int64_t top;
    _Alignas(SALP__CACHE_LINE) _Atomic int64_t bottom;
    _Alignas(SALP__CACHE_LINE) void *_Atomic items[SALP__DEQUE_SIZE]; /* relaxed: I3, I4 */
} salp__deque;

/* false: it is full. */
bool salp__deque_put(salp__deque *deque, void *item);

/* The newest item, or NULL. */
void *salp__deque_take(salp__deque *deque);

/*
 * The oldest item if its index is not below `from`, or NULL: there is none, or somebody else was faster. `valid` is asked
 * after the item was read, and before it is taken: if it says no, nothing is taken.
 */
void *salp__deque_steal(salp__deque *deque, int64_t from, bool (*valid)(const void *arg), const void *arg);

/* The index that the next put will use. */
static inline int64_t salp__deque_next(const salp__deque *deque)
{
    return atomic_load_explicit(&deque->bottom, memory_order_relaxed); /* the owner's own */
}

/* How many puts will succeed at least. The owner. */
static inline size_t salp__deque_room(const salp__deque *deque)
{
    /* relaxed: top only rises, and put looks itself. */
    return (size_t)(SALP__DEQUE_SIZE -
                    (salp__deque_next(deque) - atomic_load_explicit(&deque->top, memory_order_relaxed)));
}

/* May be out of date when it returns. */
static inline bool salp__deque_is_empty(const salp__deque *deque)
{
    /* relaxed: a hint. */
    return atomic_load_explicit(&deque->top, memory_order_relaxed) >=
           atomic_load_explicit(&deque->bottom, memory_order_relaxed);
}

#endif
