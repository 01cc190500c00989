/* A work-stealing deque. SPDX-License-Identifier: MIT */
#include "lockfree/deque.h"

#include <stddef.h>

static void *_Atomic *item_at(salp__deque *deque, int64_t index)
{
    return &deque->items[(uint64_t)index % SALP__DEQUE_SIZE];
}

bool salp__deque_put(salp__deque *deque, void *item)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
    /* acquire: the thief that raised it has read the item that is overwritten now. */
    if (bottom - atomic_load_explicit(&deque->top, memory_order_acquire) >= SALP__DEQUE_SIZE)
        return false;
    atomic_store_explicit(item_at(deque, bottom), item, memory_order_relaxed);
    atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_release); /* I4 */
    return true;
}

void *salp__deque_take(salp__deque *deque)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed) - 1;
    if (atomic_load_explicit(&deque->top, memory_order_relaxed) > bottom)
        return NULL;                      /* top never falls */
    atomic_store(&deque->bottom, bottom); /* seq_cst, with the next one: I2 */
    int64_t top = atomic_load(&deque->top);
    if (top < bottom)
        return atomic_load_explicit(item_at(deque, bottom), memory_order_relaxed);
    void *item = NULL;
    if (top == bottom) {
        item = atomic_load_explicit(item_at(deque, bottom), memory_order_relaxed);
        if (!atomic_compare_exchange_strong(&deque->top, &top, top + 1))
            item = NULL; /* a thief was faster */
    }
    /* release: the empty deque's owner has nothing to say, but a thief that reads this bottom later must not see older
       items than one that reads the bottom before. */
    atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_release);
    return item;
}

void *salp__deque_steal(salp__deque *deque, int64_t from, bool (*valid)(const void *arg), const void *arg)
{
    int64_t top = atomic_load(&deque->top); /* seq_cst, with the next one: I2 */
    int64_t bottom = atomic_load(&deque->bottom);
    if (top >= bottom || top < from)
        return NULL;
    void *item = atomic_load_explicit(item_at(deque, top), memory_order_relaxed);
    if (valid && !valid(arg))
        return NULL;
    /* Its success orders our reading of the item before any put that reuses its place: see put. */
    return atomic_compare_exchange_strong(&deque->top, &top, top + 1) ? item : NULL;
}
