/*
 * Queues between processes that are killed at the n-th step of what they do with them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef QUEUE_VICTIMS_H
#define QUEUE_VICTIMS_H

#include "victims.h"

#include <salp/queue.h>

enum { ROOM = 3, LONG = 5000 };

static salp_queue *queue; /* that is looked at */

/* Items are as long as `item_size` says; each byte says which one it is. */
static size_t item_size;
static salp_order order;

/* What the victim has read, in memory that outlives it. */
static unsigned char *read_by_victim;

static inline int by_value(const void *a, const void *b)
{
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

static inline void open_queue(size_t capacity)
{
    CHECK(salp_queue_open(&queue, &(salp_queue_options){ .shared = true,
                                                         .item_size = item_size,
                                                         .capacity = capacity,
                                                         .order = order,
                                                         .compare = order == SALP_PRIORITY ? by_value : NULL }) == 0);
    memset(board, 0, sizeof *board);
}

static inline int put(int value)
{
    unsigned char item[LONG];
    memset(item, value, item_size);
    return salp_queue_put(queue, item);
}

/* The value, or an error. */
static inline int value_of(int error, const unsigned char *item)
{
    for (size_t i = 1; error == 0 && i < item_size; i++)
        EXPECT(item[i] == item[0]); /* else it is torn */
    return error < 0 ? error : item[0];
}

static inline int get(void)
{
    unsigned char item[LONG];
    int error = salp_queue_get(queue, item);
    return value_of(error, item);
}

static inline int try_get(void)
{
    unsigned char item[LONG];
    int error = salp_queue_try_get(queue, item);
    return value_of(error, item);
}

/* Who really waits buries the dead, if there is anybody to bury. */
static inline void bury_all(const salp__segment *segment)
{
    for (int64_t time = SALP_MICROSECONDS(20); participants_of(segment) > 1; time *= 2) {
        salp_scope scope;
        CHECK(time < patience());
        salp_scope_open(&scope, time);
        CHECK(get() == -ETIMEDOUT);
        (void)salp_scope_close(&scope);
    }
    CHECK(waiting_in(segment) == 0 && segment->latch == 0 && segment->journal.count == 0);
}

/* All is over, and all others are gone: the queue is empty, and as new. Whether a dead one had taken an item, and had not
   said that it was done. */
static inline bool queue_is_well(bool died, size_t capacity)
{
    salp__segment *segment = look_into(salp_queue_fd(queue));
    bury_all(segment);
    look_away(segment);
    int joined = salp_queue_join(queue);
    CHECK(joined == 0 || (died && joined == -EOWNERDEAD));
    CHECK(salp_queue_join(queue) == 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < capacity; i++)
            CHECK(put(7) == 0);
        for (size_t i = 0; i < capacity; i++)
            CHECK(try_get() == 7 && salp_queue_done(queue) == 0);
        CHECK(try_get() == -EAGAIN);
    }
    CHECK(salp_queue_join(queue) == 0);
    salp_queue_close(queue);
    return joined == -EOWNERDEAD;
}

#endif
