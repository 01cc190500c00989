/* What follows from a change of a queue between processes; the header tells how. SPDX-License-Identifier: MIT */
#include "sync/shared_flow.h"

#include <errno.h>

#include "os/thread.h"
#include "sync/store.h"

static salp__shared_queue *queue_of(salp__shared *shared)
{
    return SALP__CONTAINER(shared, salp__shared_queue, shared);
}

/* ---- the latches ---- */

/* [latch] The side of those who get, if there is a belt: else the latch is both. */
static void latch_gets(salp__shared_queue *queue)
{
    if (salp__flow_has_belt(queue))
        salp__side_latch_locked(&queue->shared, &salp__flow_of(&queue->shared)->belt.out);
}

static void unlatch_gets(salp__shared_queue *queue)
{
    if (salp__flow_has_belt(queue))
        salp__side_unlatch(&salp__flow_of(&queue->shared)->belt.out);
}

void salp__flow_latch(salp__shared_queue *queue)
{
    salp__shared_latch(&queue->shared);
    latch_gets(queue);
}

void salp__flow_unlatch(salp__shared_queue *queue)
{
    unlatch_gets(queue);
    salp__shared_unlatch(&queue->shared);
}

/* ---- what is there ---- */

bool salp__flow_has_room(const salp__shared_queue *queue)
{
    const salp__flow *flow = salp__flow_of(&queue->shared);
    if (salp__flow_has_belt(queue))
        return salp__shared_belt_count(&flow->belt) < queue->store.room;
    return !salp__shared_store_full(&queue->store) ||
           (salp__shared_store_count(&queue->store) == 0 && !salp__shared_line_empty(&flow->getters));
}

bool salp__flow_has_items(const salp__shared_queue *queue)
{
    return salp__flow_count(queue) > 0 || !salp__shared_line_empty(&salp__flow_of(&queue->shared)->putters);
}

bool salp__flow_is_all_done(const salp__shared_queue *queue)
{
    const salp__flow *flow = salp__flow_of(&queue->shared);
    if (salp__flow_count(queue) > 0 || salp__word_get(&flow->cells.reads) > 0)
        return false;
    uint64_t used = atomic_load_explicit(&queue->shared.segment->slots_used, memory_order_relaxed);
    for (uint64_t slot = 0; slot < used; slot++) {
        if (salp__shared_belt_taken(&flow->belt, slot) > 0)
            return false;
    }
    return true;
}

/* ---- what follows ---- */

int salp__flow_join_result_locked(salp__shared *shared)
{
    salp__flow *flow = salp__flow_of(shared);
    if (salp__word_get(&flow->lost) == 0)
        return 0;
    salp__shared_set(shared, &flow->lost, 0);
    return -EOWNERDEAD;
}

void salp__flow_admit_locked(salp__shared_queue *queue, salp__wakes *wakes)
{
    salp__shared *shared = &queue->shared;
    salp__flow *flow = salp__flow_of(shared);
    salp__node *putter = salp__line_first_locked(shared, &flow->putters);
    uint64_t cell = salp__word_get(&putter->items[SALP__FLOW_CELL]), put = salp__word_get(&flow->belt.put);
    if (salp__flow_has_belt(queue)) {
        /* It has been full, so all of it has memory. */
        salp__item_copy(salp__shared_belt_slot(&queue->store, put), salp__cell_item(&queue->store, cell),
                        queue->store.item_size);
        salp__shared_set(shared, &flow->belt.put, put + 1);
        salp__cell_free_locked(&queue->store, cell);
    } else {
        salp__cell_list_locked(&queue->store, cell);
    }
    salp__grant_locked(shared, putter, 0, wakes);
    salp__shared_commit(shared);
}

/* Takes the first item off, in a cell. 0, or an error of salp__cell_take_locked, and nothing has changed. */
static int unlist_locked(salp__shared_queue *queue, uint64_t *cell)
{
    salp__shared_belt *belt = &salp__flow_of(&queue->shared)->belt;
    if (salp__shared_store_count(&queue->store) > 0) {
        *cell = salp__cell_unlist_locked(&queue->store);
        return 0;
    }
    int error = salp__cell_take_locked(&queue->store, cell);
    if (error < 0)
        return error;
    uint64_t got = salp__word_get(&belt->got);
    salp__item_copy(salp__cell_item(&queue->store, *cell), salp__shared_belt_slot(&queue->store, got),
                    queue->store.item_size);
    salp__shared_set(&queue->shared, &belt->got, got + 1);
    salp__shared_set(&queue->shared, &belt->since, salp__word_get(&belt->since) + 1); /* nobody has taken it yet */
    return 0;
}

/* The next item is for the one who has waited longest to get; or, if there is no memory for it, he hears of that. */
static void hand_locked(salp__shared_queue *queue, salp__wakes *wakes)
{
    salp__shared *shared = &queue->shared;
    salp__node *getter = salp__line_first_locked(shared, &salp__flow_of(shared)->getters);
    uint64_t cell;
    int error = unlist_locked(queue, &cell);
    if (error == 0) {
        salp__cell_hold_locked(&queue->store, cell, SALP__CELL_READ, salp__node_slot(getter));
        salp__shared_set(shared, &getter->items[SALP__FLOW_CELL], cell);
    }
    salp__grant_locked(shared, getter, error, wakes);
    salp__shared_commit(shared);
}

/* Ends the wait of the first in a line. false: nobody is in it. */
static bool tell_locked(salp__shared *shared, salp__shared_line *line, int result, salp__wakes *wakes)
{
    salp__node *node = salp__line_first_locked(shared, line);
    if (!node)
        return false;
    salp__grant_locked(shared, node, result, wakes);
    salp__shared_commit(shared);
    return true;
}

static bool tell_joiner_locked(salp__shared *shared, salp__wakes *wakes)
{
    salp__flow *flow = salp__flow_of(shared);
    if (salp__shared_line_empty(&flow->joiners) || !salp__flow_is_all_done(queue_of(shared)))
        return false;
    return tell_locked(shared, &flow->joiners, salp__flow_join_result_locked(shared), wakes);
}

/* One step. false: nothing follows any more. */
static bool settle_once_locked(salp__shared_queue *queue, salp__wakes *wakes)
{
    salp__shared *shared = &queue->shared;
    salp__flow *flow = salp__flow_of(shared);
    bool shut = salp__flow_is_shut(queue), some = salp__flow_count(queue) > 0;
    if (!shut && !salp__shared_line_empty(&flow->putters) && salp__flow_has_room(queue))
        salp__flow_admit_locked(queue, wakes);
    else if (some && !salp__shared_line_empty(&flow->getters))
        hand_locked(queue, wakes);
    else
        return (shut && (tell_locked(shared, &flow->putters, -EPIPE, wakes) ||
                         tell_locked(shared, &flow->getters, -EPIPE, wakes))) ||
               ((shut || salp__flow_has_items(queue)) && tell_locked(shared, &flow->get_looks, 0, wakes)) ||
               ((shut || salp__flow_has_room(queue)) && tell_locked(shared, &flow->put_looks, 0, wakes)) ||
               tell_joiner_locked(shared, wakes);
    return true;
}

/* [both] As settle_locked of salp__shared_kind. */
static bool settle_both(salp__shared_queue *queue, salp__wakes *wakes)
{
    while (!salp__wakes_full(wakes)) {
        if (!settle_once_locked(queue, wakes))
            return false;
    }
    return true;
}

static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    latch_gets(queue_of(shared));
    bool more = settle_both(queue_of(shared), wakes);
    unlatch_gets(queue_of(shared));
    return more;
}

static bool somebody_waits(const salp__flow *flow)
{
    return !(salp__shared_line_empty(&flow->getters) && salp__shared_line_empty(&flow->putters) &&
             salp__shared_line_empty(&flow->get_looks) && salp__shared_line_empty(&flow->put_looks) &&
             salp__shared_line_empty(&flow->joiners));
}

static void settle_slowly(salp__shared_queue *queue)
{
    for (bool more = true; more;) {
        salp__wakes wakes = { 0 };
        more = settle_both(queue, &wakes);
        salp__flow_unlatch(queue);
        salp__wakes_ring(&queue->shared, &wakes);
        if (more)
            salp__flow_latch(queue);
    }
}

void salp__flow_settle(salp__shared_queue *queue)
{
    if (somebody_waits(salp__flow_of(&queue->shared)))
        settle_slowly(queue);
    else
        salp__flow_unlatch(queue);
}

/* ---- after a death ---- */

static void bury_cell_locked(salp__shared_queue *queue, uint64_t cell, uint32_t slot)
{
    uint64_t hold = salp__word_get(&queue->store.cells[cell].hold);
    if (hold == (SALP__CELL_READ | slot))
        salp__cell_relist_locked(&queue->store, cell); /* I1 */
    else if (hold == (SALP__CELL_WRITTEN | slot))
        salp__cell_free_locked(&queue->store, cell);
    salp__shared_commit(&queue->shared);
}

void salp__flow_bury_locked(salp__shared_queue *queue, uint32_t slot)
{
    salp__shared *shared = &queue->shared;
    salp__flow *flow = salp__flow_of(shared);
    uint64_t used = salp__word_get(&flow->cells.used);
    for (uint64_t cell = queue->store.room; cell < used && salp__word_get(&flow->cells.held) > 0; cell++)
        bury_cell_locked(queue, cell, slot);
    if (salp__shared_belt_taken(&flow->belt, slot) > 0)
        salp__shared_set(shared, &flow->lost, 1);
    salp__shared_set(shared, &flow->belt.taken[slot], 0);
    if (salp__word_get(&flow->belt.taker) == (uint64_t)slot + 1)
        salp__shared_set(shared, &flow->belt.taker, 0);
    salp__shared_commit(shared);
}

static void bury_locked(salp__shared *shared, uint32_t slot)
{
    latch_gets(queue_of(shared));
    salp__flow_bury_locked(queue_of(shared), slot);
    unlatch_gets(queue_of(shared));
}

/* A joiner who was told of a loss, and has not heard it. */
static void lost_locked(salp__shared *shared, salp__node *node)
{
    if (salp__word_get(&node->state) == SALP__NODE_GRANTED && (int)salp__word_get(&node->result) == -EOWNERDEAD)
        salp__shared_set(shared, &salp__flow_of(shared)->lost, 1);
}

const salp__shared_kind salp__flow_kind = {
    .number = SALP__SHARED_QUEUE,
    .body_size = sizeof(salp__flow),
    .bury_locked = bury_locked,
    .lost_locked = lost_locked,
    .settle_locked = settle_locked,
};
