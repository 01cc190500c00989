/*
 * Where the items of a queue between processes lie: cells of shared memory, and which of them come next.
 *
 *     | free |  --take-->  | in work |  --list-->  | listed |  --unlist-->  | in work |  --free-->  | free |
 *                                         ^                                      |
 *                                         `---------------- relist --------------'
 *
 * A cell that is in work longer than the latch is held is *held*: it says for which participant, and whether something
 * is written into it or read from it. So who buries a participant finds its cells. Cells are linked; those of
 * SALP_PRIORITY stand in a heap of their numbers instead, since an item never moves.
 *
 * There are more cells than the capacity: who waits to put has written his item already, and who takes one may still be
 * reading it. Cells that were never used are holes of the memory. Of short items, the one that was freed last is used next;
 * long ones go round, through some MiB at least.
 *
 * Short items of a queue with a bound, in the order FIFO, lie on a belt (sync/shared_belt.h), whose slots are the first
 * cells. The others are for those who wait then, and listed is what comes before the belt: what a dead process was handed.
 *
 * All of these are called under the latch, and change words by the journal: the caller commits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_STORE_H
#define SALP__SHARED_STORE_H

#include <salp/queue.h>

#include "shared/segment.h"

enum {
#ifdef SALP_HOSTILE
    SALP__SHORT = 64,
#else
    SALP__SHORT = 2048, /* bytes that are copied sooner than a latch is taken twice */
#endif
};

/* What lies in the memory, beside the items. */
typedef struct salp__cell {
    salp__word link; /* the next free or listed one: index + 1 */
    salp__word hold; /* SALP__CELL_... + the participant's slot; 0: free or listed */
    /* Of SALP_PRIORITY: how many were put before. Else, of one that was held to be read: how many had been, with it; 0: it
       was never. */
    salp__word age;
} salp__cell;

#define SALP__CELL_WRITTEN (UINT64_C(1) << 32)
#define SALP__CELL_READ (UINT64_C(2) << 32)

/* At the beginning of the queue's body, with zeros for an empty one. */
typedef struct salp__cells {
    salp__word count;     /* listed: items that the queue holds */
    salp__word first;     /* the one that comes next: index + 1; not of a heap */
    salp__word last;      /* of SALP_FIFO, while there is one */
    salp__word free;      /* the first free one: index + 1 */
    salp__word free_last; /* while there is one */
    salp__word used;      /* cells from here on were never used */
    salp__word held;
    salp__word reads; /* how many of the held ones are read from */
    salp__word ages;
    uint64_t backed;      /* items have memory up to this byte [latch] */
    uint64_t belt_backed; /* the same of the slots of the belt [latch] */
    uint64_t item_size;   /* [const after open, these five] */
    uint64_t capacity;
    uint64_t cells;
    uint64_t order;
    uint64_t room; /* cells that are slots of the belt, the first ones; 0: there is no belt */
} salp__cells;

/* One process's view of it; the same in its forks. */
typedef struct salp__shared_store {
    salp__shared *shared;
    salp__cells *words;
    salp__cell *cells;
    salp__word *heap;
    char *items;
    size_t item_size;
    size_t stride; /* from one item to the next */
    uint64_t room; /* of the belt; 0: there is none */
    int (*compare)(const void *a, const void *b);
    salp_order order;
    bool grows;
} salp__shared_store;

/* Bytes of the body, which begins with `head` bytes, the first of them a salp__cells. 0: too many. */
size_t salp__shared_store_size(size_t head, const salp_queue_options *options);

/* Describes a new store in its memory. */
void salp__shared_store_begin(salp__cells *words, const salp_queue_options *options);

/* Makes the view. -EINVAL: the words do not fit the body, or `options` (NULL: whatever it is) says something else. */
int salp__shared_store_view(salp__shared_store *store, salp__shared *shared, size_t head,
                            const salp_queue_options *options);

static inline void *salp__cell_item(const salp__shared_store *store, uint64_t cell)
{
    return store->items + cell * store->stride;
}

static inline uint64_t salp__shared_store_count(const salp__shared_store *store)
{
    return salp__word_get(&store->words->count);
}

static inline bool salp__shared_store_full(const salp__shared_store *store)
{
    return salp__shared_store_count(store) >= store->words->capacity;
}

/* Memory for the slot of the belt that is put into next, and then for ever: `put` have been. 0 or -ENOMEM. */
int salp__belt_back_locked(salp__shared_store *store, uint64_t put);

static inline bool salp__belt_is_backed(const salp__shared_store *store, uint64_t put)
{
    return put >= store->room || (put + 1) * store->stride <= store->words->belt_backed;
}

/* A free one. Errors: -EAGAIN there is none left; -ENOMEM no memory for it. */
int salp__cell_take_locked(salp__shared_store *store, uint64_t *cell);

/* Its item is not needed any more. */
void salp__cell_free_locked(salp__shared_store *store, uint64_t cell);

/* `what`: one of SALP__CELL_..., instead of what it is held for now, if it is. */
void salp__cell_hold_locked(salp__shared_store *store, uint64_t cell, uint64_t what, uint32_t slot);

/* Its item is the queue's from now on. */
void salp__cell_list_locked(salp__shared_store *store, uint64_t cell);

/* It was held to be read, and comes back to where it was: in front, in the order in which they were taken. */
void salp__cell_relist_locked(salp__shared_store *store, uint64_t cell);

/* The next one; there is one. */
uint64_t salp__cell_unlist_locked(salp__shared_store *store);

/* No transaction is under way. Of a store that grows and is empty: gives its memory back, if that is much. */
void salp__shared_store_trim_locked(salp__shared_store *store);

#endif
