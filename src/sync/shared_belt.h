/*
 * The short items of a bounded queue between processes, oldest first: a ring with an end for those who put and one for
 * those who get, which do not disturb each other. As in sync/belt.h, and so that either may die at any instruction.
 *
 *     [latch]     salp__shared_belt_has_room, then _put: copy the item in  -- count it, by one store
 *     [out.latch] salp__shared_belt_has_item, then _get: copy the item out -- count it, by one store
 *
 * I1  `put` is changed under the object's latch, `got` under that of the side `out`; under both either, also by the object's
 *     journal. put - got items are there, at most `room`.
 * I2  An item is copied before `put` counts it, and copied out before `got` does. So who dies before that one store has done
 *     nothing, and after it all: one message is lost at most, the one that was being written.
 * I3  What an end has seen of the other one is at most too small, even less than its own: there may be more items, or more
 *     room, than it shows. No transaction is under way when it looks (the words of one are changed under both latches), so it sees nothing that
 *     would be undone.
 * I4  What a participant has taken and not done is `taken` of its slot, and, while it is the `taker`, what has been got since
 *     `since`. So who gets several in turn books nothing but `got`; who is not the taker first has it booked that he is,
 *     in the side's journal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_BELT_H
#define SALP__SHARED_BELT_H

#include "shared/side.h"
#include "sync/shared_store.h"
#include "sync/store.h"

typedef struct salp__shared_belt {
    alignas(128) salp__word put;          /* ever; release, after the item was copied; acquire at the other end */
    salp__word got_seen;                  /* [latch] */
    alignas(128) salp__word got;          /* the same of `put` */
    salp__word put_seen;                  /* [out] */
    salp__word taker;                     /* [out] slot + 1; 0: nobody */
    salp__word since;                     /* [out] */
    salp__word taken[SALP__PARTICIPANTS]; /* [out] by slot; what is less than 0 is made up for by I4 */
    salp__side out;
} salp__shared_belt;

/* The words may be anybody's: none of them leads out of the belt. */
static inline bool salp__shared_belt_fits(const salp__shared_belt *belt)
{
    return salp__word_get(&belt->taker) <= SALP__PARTICIPANTS &&
           salp__word_get(&belt->out.journal.count) <= SALP__NOTES;
}

/* How many are there: under both latches, and else a hint. */
static inline uint64_t salp__shared_belt_count(const salp__shared_belt *belt)
{
    /* acquire: `put` is not older, so it is not less. */
    uint64_t got = atomic_load_explicit(&belt->got, memory_order_acquire);
    return salp__word_get(&belt->put) - got;
}

static inline char *salp__shared_belt_slot(const salp__shared_store *store, uint64_t number)
{
    return salp__cell_item(store, number % store->room);
}

static inline void salp__shared_belt_note(salp__word *seen, uint64_t passed)
{
    /* relaxed: for those with the same latch. */
    atomic_store_explicit(seen, passed, memory_order_relaxed);
}

/* ---- [latch] ---- */

/* Also whether the slot has memory: salp__belt_back_locked. */
static inline bool salp__shared_belt_has_room(const salp__shared_store *store, salp__shared_belt *belt)
{
    uint64_t put = salp__word_get(&belt->put);
    if (put - salp__word_get(&belt->got_seen) < store->room)
        return true;
    /* acquire: who has got it reads it no more. I2 */
    salp__shared_belt_note(&belt->got_seen, atomic_load_explicit(&belt->got, memory_order_acquire));
    return put - salp__word_get(&belt->got_seen) < store->room;
}

/* There must be room, and memory. */
static inline void salp__shared_belt_put(const salp__shared_store *store, salp__shared_belt *belt, const void *item)
{
    uint64_t put = salp__word_get(&belt->put);
    salp__item_copy(salp__shared_belt_slot(store, put), item, store->item_size);
    SALP__STEP();
    atomic_store_explicit(&belt->put, put + 1, memory_order_release); /* I2 */
    SALP__STEP();
}

/* ---- [out] ---- */

static inline bool salp__shared_belt_has_item(salp__shared_belt *belt)
{
    uint64_t got = salp__word_get(&belt->got);
    if (salp__word_get(&belt->put_seen) > got)
        return true;
    /* acquire: the item. I2 */
    salp__shared_belt_note(&belt->put_seen, atomic_load_explicit(&belt->put, memory_order_acquire));
    return salp__word_get(&belt->put_seen) > got;
}

/* What a participant has taken and not done. I4 */
static inline int64_t salp__shared_belt_taken(const salp__shared_belt *belt, uint64_t slot)
{
    uint64_t run =
        salp__word_get(&belt->taker) == slot + 1 ? salp__word_get(&belt->got) - salp__word_get(&belt->since) : 0;
    return (int64_t)(salp__word_get(&belt->taken[slot]) + run);
}

/* From now on gets are this participant's. */
static inline void salp__shared_belt_be_taker(salp__shared_belt *belt, uint64_t slot)
{
    salp__journal *journal = &belt->out.journal;
    uint64_t taker = salp__word_get(&belt->taker);
    if (taker == slot + 1)
        return;
    if (taker > 0)
        salp__journal_set(journal, &belt->taken[taker - 1], (uint64_t)salp__shared_belt_taken(belt, taker - 1));
    salp__journal_set_both(journal, &belt->taker, slot + 1, &belt->since, salp__word_get(&belt->got));
    salp__journal_commit(journal);
}

/* There must be one. */
static inline void salp__shared_belt_get(const salp__shared_store *store, salp__shared_belt *belt, void *item)
{
    uint64_t got = salp__word_get(&belt->got);
    salp__shared_belt_be_taker(belt, store->shared->slot);
    salp__item_copy(item, salp__shared_belt_slot(store, got), store->item_size);
    SALP__STEP();
    atomic_store_explicit(&belt->got, got + 1, memory_order_release); /* I2 */
    SALP__STEP();
}

#endif
