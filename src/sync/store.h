/*
 * Where the items of a queue lie: a ring, a stack, or a heap.
 *
 * Items are copied in and out. The memory of a bounded store is there from the beginning; another one grows, and shrinks
 * again when most of it is empty.
 *
 * Threads: one at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__STORE_H
#define SALP__STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <salp/queue.h>

typedef struct salp__store {
    char *slots;
    size_t item_size;
    size_t stride;    /* bytes of a slot: of a heap, the item and the number of its insertion */
    size_t room;      /* slots */
    size_t count;     /* items */
    size_t first;     /* of a ring: the slot of the oldest */
    uint64_t numbers; /* of a heap: items that were ever put */
    salp_order order;
    bool grows;
    int (*compare)(const void *a, const void *b);
} salp__store;

/* Fills in what follows from the options. Returns 0 or -ENOMEM. */
int salp__store_open(salp__store *store, const salp_queue_options *options);
void salp__store_close(salp__store *store);

/* The sizes that most items have are copied without a call. */
static inline void salp__item_copy(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, size);
}

/* The same two as those below, for what is not a bounded ring. */
int salp__store_put_slowly(salp__store *store, const void *item);
void salp__store_get_slowly(salp__store *store, void *item);

static inline bool salp__store_is_ring(const salp__store *store)
{
    return store->order == SALP_FIFO && !store->grows;
}

/* Returns 0, or -ENOMEM: it could not grow. A bounded one must not be full. */
static inline int salp__store_put(salp__store *store, const void *item)
{
    if (!salp__store_is_ring(store))
        return salp__store_put_slowly(store, item);
    size_t at = store->first + store->count++;
    if (at >= store->room)
        at -= store->room;
    salp__item_copy(store->slots + at * store->stride, item, store->item_size);
    return 0;
}

/* It must not be empty. */
static inline void salp__store_get(salp__store *store, void *item)
{
    if (!salp__store_is_ring(store)) {
        salp__store_get_slowly(store, item);
        return;
    }
    salp__item_copy(item, store->slots + store->first * store->stride, store->item_size);
    if (++store->first == store->room)
        store->first = 0;
    store->count--;
}

#endif
