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

/* Returns 0, or -ENOMEM: it could not grow. A bounded one must not be full. */
int salp__store_put(salp__store *store, const void *item);

/* It must not be empty. */
void salp__store_get(salp__store *store, void *item);

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

#endif
