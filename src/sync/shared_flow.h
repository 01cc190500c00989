/*
 * What lies in the memory of a queue between processes, and what follows from each change of it.
 *
 * A call takes the latches, changes something in one transaction, and lets go of them by salp__flow_settle. That looks what
 * follows for those who wait, one transaction after the other, until nothing follows any more: somebody who waits to put has
 * his item listed, somebody who waits to get is handed one, a select may look, a join is over. The same is what follows a
 * death. sync/shared_queue.c tells why it is right; the invariants are those there.
 *
 * [both]: the latch and that of the belt's side `out` are held; of a queue without a belt, the latch alone is both.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_FLOW_H
#define SALP__SHARED_FLOW_H

#include "shared/line.h"
#include "sync/shared_belt.h"
#include "sync/shared_queue.h"
#include "sync/shared_store.h"

typedef struct salp__flow {
    salp__cells cells; /* first: shared_store.h */
    salp__shared_line getters;
    salp__shared_line putters;
    salp__shared_line get_looks; /* selects */
    salp__shared_line put_looks;
    salp__shared_line joiners;
    salp__word shut;
    salp__word lost; /* somebody has died with work that was not done, and no join was told */
    salp__shared_belt belt;
} salp__flow;

enum { SALP__FLOW_CELL }; /* which of a node's items: what it puts, or was handed */

struct salp__shared_queue {
    salp__shared shared; /* first */
    salp__shared_store store;
};

extern const salp__shared_kind salp__flow_kind;

static inline salp__flow *salp__flow_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

/* ---- the latches ---- */

static inline bool salp__flow_has_belt(const salp__shared_queue *queue)
{
    return queue->store.room > 0;
}

/* [no latch] Takes both. */
void salp__flow_latch(salp__shared_queue *queue);

/* [both held on entry, released] Nothing has changed that somebody might wait for. */
void salp__flow_unlatch(salp__shared_queue *queue);

/* [both held on entry, released] Has happen what follows, and rings. */
void salp__flow_settle(salp__shared_queue *queue);

/* ---- what is there: under both latches, and else a hint ---- */

static inline uint64_t salp__flow_count(const salp__shared_queue *queue)
{
    return salp__shared_store_count(&queue->store) + salp__shared_belt_count(&salp__flow_of(&queue->shared)->belt);
}

static inline bool salp__flow_is_shut(const salp__shared_queue *queue)
{
    return salp__word_get(&salp__flow_of(&queue->shared)->shut) != 0;
}

/* Whether an item that is put now is the queue's at once. I2 */
bool salp__flow_has_room(const salp__shared_queue *queue);

/* Whether there is something to get: with capacity 0 it is what somebody waits to put. */
bool salp__flow_has_items(const salp__shared_queue *queue);

bool salp__flow_is_all_done(const salp__shared_queue *queue);

/* ---- changes ---- */

/* [both; in a transaction of the caller's] What a join is told. */
int salp__flow_join_result_locked(salp__shared *shared);

/* [both] The item of the one who has waited longest to put is the queue's. I3 */
void salp__flow_admit_locked(salp__shared_queue *queue, salp__wakes *wakes);

/* [both] What a participant had comes back, or is booked as lost. */
void salp__flow_bury_locked(salp__shared_queue *queue, uint32_t slot);

#endif
