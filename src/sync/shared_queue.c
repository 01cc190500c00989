/*
 * Queues between processes.
 *
 *   who puts:  take a cell -- write the item into it -- list it, or stand in line with it    -- settle
 *   who gets:  unlist a cell, or be handed one       -- read the item from it -- free the cell -- settle
 *
 * What is short is copied in the same transaction. What is long is copied without the latch, while the cell is held, so
 * that nobody else has to wait for that.
 *
 * Whatever follows from a change, for those who wait, is done by settle_locked alone, one transaction after the other, until
 * nothing follows any more. It is also what follows a death: so it does not matter who of them dies, or when.
 *
 * I1  An item is the queue's from the commit that lists its cell until the commit that frees it, after it has been
 *     copied out whole. Who dies before the one has put nothing: one message is lost, the one that was being written. Who
 *     dies before the other has taken nothing: burying puts the cell back, in front.
 * I2  When the latch is free and nobody is about to settle: somebody waits to get only while nothing is listed; to put, only
 *     while as many are listed as the capacity says, or, with capacity 0, while nobody waits to get.
 * I3  Who waits to put has written his item. So he is granted that it was listed, with nothing left to do for him.
 * I4  `taken` of a participant is how many it has taken and not done. The work on all items is done when none is listed,
 *     none is being read, and nobody has taken any.
 *
 * A select stands in lines of its own and is granted a look, whenever it might succeed; and it is not taken for somebody
 * who waits to put or to get. So what it is granted it need not give back, and each of those who look may be too late.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared_queue.h"

#include <errno.h>
#include <string.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/memory.h"
#include "os/thread.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "sync/shared_store.h"
#include "sync/store.h"
#include "task/scope.h"

enum {
#ifdef SALP_HOSTILE
    SHORT = 64,
#else
    SHORT = 2048, /* bytes that are copied sooner than the latch is taken twice */
#endif
};

typedef struct body {
    salp__cells cells; /* first: shared_store.h */
    salp__shared_line getters;
    salp__shared_line putters;
    salp__shared_line get_looks; /* selects */
    salp__shared_line put_looks;
    salp__shared_line joiners;
    salp__word shut;
    salp__word lost;                      /* somebody has died with work that was not done, and no join was told */
    salp__word taken[SALP__PARTICIPANTS]; /* I4, by slot */
} body;

enum { CELL }; /* which of a node's items: what it puts, or was handed */

struct salp__shared_queue {
    salp__shared shared; /* first */
    salp__shared_store store;
};

static body *body_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

static salp__shared_queue *queue_of(salp__shared *shared)
{
    return SALP__CONTAINER(shared, salp__shared_queue, shared);
}

static void add(salp__shared *shared, salp__word *word, int64_t change)
{
    salp__shared_set(shared, word, salp__word_get(word) + (uint64_t)change);
}

/* ---- what follows from a change ---- */

static bool is_shut(const body *b)
{
    return salp__word_get(&b->shut) != 0;
}

/* Whether an item that is put now is the queue's at once. I2 */
static bool has_room(const salp__shared_queue *queue)
{
    const body *b = body_of(&queue->shared);
    return !salp__shared_store_full(&queue->store) ||
           (salp__shared_store_count(&queue->store) == 0 && !salp__shared_line_empty(&b->getters));
}

/* Whether there is something to get: with capacity 0 it is what somebody waits to put. */
static bool has_items(const salp__shared_queue *queue)
{
    return salp__shared_store_count(&queue->store) > 0 || !salp__shared_line_empty(&body_of(&queue->shared)->putters);
}

static bool is_all_done(const salp__shared *shared)
{
    const body *b = body_of(shared);
    if (salp__word_get(&b->cells.count) > 0 || salp__word_get(&b->cells.reads) > 0)
        return false;
    uint64_t used = atomic_load_explicit(&shared->segment->slots_used, memory_order_relaxed);
    for (uint64_t slot = 0; slot < used; slot++) {
        if (salp__word_get(&b->taken[slot]) > 0)
            return false;
    }
    return true;
}

/* What a join is told. */
static int join_result_locked(salp__shared *shared)
{
    body *b = body_of(shared);
    if (salp__word_get(&b->lost) == 0)
        return 0;
    salp__shared_set(shared, &b->lost, 0);
    return -EOWNERDEAD;
}

/* The item of the one who has waited longest to put is the queue's. I3 */
static void admit_locked(salp__shared_queue *queue, salp__wakes *wakes)
{
    salp__node *putter = salp__line_first_locked(&queue->shared, &body_of(&queue->shared)->putters);
    salp__cell_list_locked(&queue->store, salp__word_get(&putter->items[CELL]));
    salp__grant_locked(&queue->shared, putter, 0, wakes);
    salp__shared_commit(&queue->shared);
}

/* The next item is for the one who has waited longest to get. */
static void hand_locked(salp__shared_queue *queue, salp__wakes *wakes)
{
    salp__shared *shared = &queue->shared;
    salp__node *getter = salp__line_first_locked(shared, &body_of(shared)->getters);
    uint64_t cell = salp__cell_unlist_locked(&queue->store);
    salp__cell_hold_locked(&queue->store, cell, SALP__CELL_READ, salp__node_slot(getter));
    salp__shared_set(shared, &getter->items[CELL], cell);
    salp__grant_locked(shared, getter, 0, wakes);
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
    body *b = body_of(shared);
    if (salp__shared_line_empty(&b->joiners) || !is_all_done(shared))
        return false;
    return tell_locked(shared, &b->joiners, join_result_locked(shared), wakes);
}

/* One step. false: nothing follows any more. */
static bool settle_once_locked(salp__shared_queue *queue, salp__wakes *wakes)
{
    salp__shared *shared = &queue->shared;
    body *b = body_of(shared);
    bool shut = is_shut(b), listed = salp__shared_store_count(&queue->store) > 0;
    if (!shut && !salp__shared_line_empty(&b->putters) && has_room(queue))
        admit_locked(queue, wakes);
    else if (listed && !salp__shared_line_empty(&b->getters))
        hand_locked(queue, wakes);
    else
        return (shut &&
                (tell_locked(shared, &b->putters, -EPIPE, wakes) || tell_locked(shared, &b->getters, -EPIPE, wakes))) ||
               ((shut || has_items(queue)) && tell_locked(shared, &b->get_looks, 0, wakes)) ||
               ((shut || has_room(queue)) && tell_locked(shared, &b->put_looks, 0, wakes)) ||
               tell_joiner_locked(shared, wakes);
    return true;
}

static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    while (!salp__wakes_full(wakes)) {
        if (!settle_once_locked(queue_of(shared), wakes))
            return false;
    }
    return true;
}

static bool somebody_waits(const body *b)
{
    return !(salp__shared_line_empty(&b->getters) && salp__shared_line_empty(&b->putters) &&
             salp__shared_line_empty(&b->get_looks) && salp__shared_line_empty(&b->put_looks) &&
             salp__shared_line_empty(&b->joiners));
}

static void settle_slowly(salp__shared *shared)
{
    for (bool more = true; more;) {
        salp__wakes wakes = { 0 };
        more = settle_locked(shared, &wakes);
        salp__shared_unlatch(shared);
        salp__wakes_ring(shared, &wakes);
        if (more)
            salp__shared_latch(shared);
    }
}

/* [latch held on entry, released] */
static void settle_and_unlatch(salp__shared *shared)
{
    if (somebody_waits(body_of(shared)))
        settle_slowly(shared);
    else
        salp__shared_unlatch(shared);
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

static void bury_locked(salp__shared *shared, uint32_t slot)
{
    salp__shared_queue *queue = queue_of(shared);
    body *b = body_of(shared);
    uint64_t used = salp__word_get(&b->cells.used);
    for (uint64_t cell = 0; cell < used && salp__word_get(&b->cells.held) > 0; cell++)
        bury_cell_locked(queue, cell, slot);
    if (salp__word_get(&b->taken[slot]) > 0) {
        salp__shared_set(shared, &b->lost, 1);
        salp__shared_set(shared, &b->taken[slot], 0);
        salp__shared_commit(shared);
    }
}

/* A joiner who was told of a loss, and has not heard it. */
static void lost_locked(salp__shared *shared, salp__node *node)
{
    if (salp__word_get(&node->state) == SALP__NODE_GRANTED && (int)salp__word_get(&node->result) == -EOWNERDEAD)
        salp__shared_set(shared, &body_of(shared)->lost, 1);
}

static const salp__shared_kind queues = {
    .number = SALP__SHARED_QUEUE,
    .body_size = sizeof(body),
    .bury_locked = bury_locked,
    .lost_locked = lost_locked,
    .settle_locked = settle_locked,
};

/* ---- its life ---- */

int salp__shared_queue_open(salp__shared_queue **out, const salp_queue_options *options)
{
    size_t size = salp__shared_store_size(sizeof(body), options);
    if (size == 0)
        return -ENOMEM;
    salp__shared_queue *queue = salp__allocate(sizeof *queue);
    if (!queue)
        return -ENOMEM;
    int error = salp__shared_open(&queue->shared, &queues, size);
    if (error < 0) {
        salp__free(queue);
        return error;
    }
    salp__shared_store_begin(&body_of(&queue->shared)->cells, options);
    salp__must(salp__shared_store_view(&queue->store, &queue->shared, sizeof(body), options) == 0);
    *out = queue;
    return 0;
}

int salp__shared_queue_attach(salp__shared_queue **out, int fd, const salp_queue_options *options)
{
    salp__shared_queue *queue = salp__allocate(sizeof *queue);
    if (!queue)
        return -ENOMEM;
    int error = salp__shared_look(&queue->shared, &queues, fd);
    if (error < 0)
        goto free_queue;
    error = salp__shared_store_view(&queue->store, &queue->shared, sizeof(body), options);
    if (error == 0)
        error = salp__shared_enter(&queue->shared);
    if (error < 0)
        goto close_shared;
    *out = queue;
    return 0;
close_shared:
    salp__shared_close(&queue->shared);
free_queue:
    salp__free(queue);
    return error;
}

void salp__shared_queue_close(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    /* What it has taken and not done nobody else would do: as after a death. */
    if (salp__shared_is_here(shared)) {
        salp__shared_latch(shared);
        bury_locked(shared, shared->slot);
        settle_and_unlatch(shared);
    }
    salp__shared_close(shared);
    salp__free(queue);
}

int salp__shared_queue_fd(const salp__shared_queue *queue)
{
    return queue->shared.fd;
}

/* ---- before a wait ---- */

/* A thread looks for a while: it may be there sooner than a sleep and a wake take. */
static void look_for(const salp__shared_queue *queue, bool (*is_there)(const salp__shared_queue *queue))
{
    const int64_t looking = SALP_MICROSECONDS(20);
    enum { NEAR = 64 };
    const body *b = body_of(&queue->shared);
    if (salp__self()->task || is_there(queue) || is_shut(b))
        return;
    int64_t end = salp__later(looking);
    do {
        for (int i = 0; i < NEAR; i++) {
            salp__relax();
            if (is_there(queue) || is_shut(b))
                return;
        }
        salp__give_way();
    } while (salp__now() < end);
}

/* [latch held on entry, released; commits what is under way] Stands in a line, with a cell, and waits. */
static int stand_in_line(salp__shared *shared, salp__shared_line *line, uint64_t cell, salp__berth *berth,
                         const char *what)
{
    int error = salp__berth_take_locked(shared, line, false, berth, what);
    if (error == 0)
        salp__shared_set(shared, &salp__berth_node(berth)->items[CELL], cell);
    salp__shared_commit(shared);
    settle_and_unlatch(shared); /* with capacity 0 a select may have waited for us */
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    error = salp__berth_wait(berth);
    return error < 0 ? error : berth->result;
}

/* ---- putting ---- */

static int refusal(const salp__shared_queue *queue, bool wait)
{
    if (is_shut(body_of(&queue->shared)))
        return -EPIPE;
    return wait || has_room(queue) ? 0 : -EAGAIN;
}

static void drop_cell(salp__shared_queue *queue, uint64_t cell)
{
    salp__cell_free_locked(&queue->store, cell);
    salp__shared_commit(&queue->shared);
}

/* [latch] A cell with the item in it. What is short: in a transaction that is still under way. What is long: held. */
static int write_item_locked(salp__shared_queue *queue, const void *item, bool wait, uint64_t *cell)
{
    salp__shared *shared = &queue->shared;
    size_t size = queue->store.item_size;
    int error = refusal(queue, wait);
    if (error == 0)
        error = salp__cell_take_locked(&queue->store, cell);
    if (error < 0 || size <= SHORT) {
        if (error == 0)
            salp__item_copy(salp__cell_item(&queue->store, *cell), item, size);
        return error;
    }
    salp__cell_hold_locked(&queue->store, *cell, SALP__CELL_WRITTEN, shared->slot);
    salp__shared_commit(shared);
    salp__shared_unlatch(shared);
    SALP__STEP();
    memcpy(salp__cell_item(&queue->store, *cell), item, size);
    salp__shared_latch(shared);
    error = refusal(queue, wait);
    if (error < 0)
        drop_cell(queue, *cell);
    return error;
}

/* [latch held on entry, released] Waits until the item in the cell is the queue's. */
static int wait_to_put(salp__shared_queue *queue, uint64_t cell)
{
    salp__shared *shared = &queue->shared;
    salp__berth berth;
    if (salp__word_get(&queue->store.cells[cell].hold) == 0)
        salp__cell_hold_locked(&queue->store, cell, SALP__CELL_WRITTEN, shared->slot);
    int result = stand_in_line(shared, &body_of(shared)->putters, cell, &berth, "room in a queue");
    if (result < 0) {
        salp__shared_latch(shared);
        drop_cell(queue, cell);
        salp__shared_unlatch(shared);
    }
    return result;
}

static int put(salp__shared_queue *queue, const void *item, bool wait)
{
    salp__shared *shared = &queue->shared;
    uint64_t cell;
    salp__shared_latch(shared);
    int error = write_item_locked(queue, item, wait, &cell);
    if (error == 0 && !has_room(queue))
        return wait_to_put(queue, cell);
    if (error == 0) {
        salp__cell_list_locked(&queue->store, cell);
        salp__shared_commit(shared);
    }
    settle_and_unlatch(shared);
    return error;
}

int salp__shared_queue_put(salp__shared_queue *queue, const void *item, bool wait)
{
    int error = wait ? salp__wait_begin() : 0;
    if (error == 0)
        error = salp__shared_enter(&queue->shared);
    if (error < 0)
        return error;
    if (wait)
        look_for(queue, has_room);
    return put(queue, item, wait);
}

/* ---- getting ---- */

/* [latch] The item was copied out of the cell. I1 */
static void take_locked(salp__shared_queue *queue, uint64_t cell)
{
    salp__shared *shared = &queue->shared;
    salp__cell_free_locked(&queue->store, cell);
    add(shared, &body_of(shared)->taken[shared->slot], 1);
    salp__shared_commit(shared);
    salp__shared_store_trim_locked(&queue->store);
}

/* Of a cell that is held. */
static void read_held(salp__shared_queue *queue, uint64_t cell, void *item)
{
    SALP__STEP();
    salp__item_copy(item, salp__cell_item(&queue->store, cell), queue->store.item_size);
    salp__shared_latch(&queue->shared);
    take_locked(queue, cell);
    settle_and_unlatch(&queue->shared);
}

/* [latch held on entry, released] One is listed. */
static void take_next(salp__shared_queue *queue, void *item)
{
    salp__shared *shared = &queue->shared;
    uint64_t cell = salp__cell_unlist_locked(&queue->store);
    if (queue->store.item_size <= SHORT) {
        salp__item_copy(item, salp__cell_item(&queue->store, cell), queue->store.item_size);
        take_locked(queue, cell);
        settle_and_unlatch(shared);
        return;
    }
    salp__cell_hold_locked(&queue->store, cell, SALP__CELL_READ, shared->slot);
    salp__shared_commit(shared);
    settle_and_unlatch(shared); /* there is room now */
    read_held(queue, cell, item);
}

/* [latch held on entry, released] Waits until it is handed an item. */
static int wait_to_get(salp__shared_queue *queue, void *item)
{
    salp__berth berth;
    int result = stand_in_line(&queue->shared, &body_of(&queue->shared)->getters, 0, &berth, "an item of a queue");
    if (result == 0)
        read_held(queue, berth.items[CELL], item);
    return result;
}

static int get(salp__shared_queue *queue, void *item, bool wait)
{
    salp__shared *shared = &queue->shared;
    salp__wakes wakes;
    wakes.count = 0;
    salp__shared_latch(shared);
    bool shut = is_shut(body_of(shared));
    if (!shut && salp__shared_store_count(&queue->store) == 0 && has_items(queue))
        admit_locked(queue, &wakes); /* with capacity 0 */
    if (salp__shared_store_count(&queue->store) > 0) {
        take_next(queue, item);
        salp__wakes_ring(shared, &wakes);
        return 0;
    }
    if (wait && !shut)
        return wait_to_get(queue, item);
    salp__shared_unlatch(shared);
    return shut ? -EPIPE : -EAGAIN;
}

/* What a dead one was reading is there to be got. Whether there was any. */
static bool bury_readers(salp__shared_queue *queue)
{
    const salp__segment *segment = queue->shared.segment;
    const salp__cells *words = queue->store.words;
    bool buried = false;
    /* Without the latch: whoever holds one now is asked whether he lives, and buried under it. */
    for (uint64_t cell = 0; cell < salp__word_get(&words->used) && salp__word_get(&words->reads) > 0; cell++) {
        uint64_t hold = salp__word_get(&queue->store.cells[cell].hold);
        if (hold & SALP__CELL_READ)
            buried |=
                salp__bury_if_dead(&queue->shared, atomic_load_explicit(&segment->participants[(uint32_t)hold].identity,
                                                                        memory_order_relaxed));
    }
    return buried;
}

int salp__shared_queue_get(salp__shared_queue *queue, void *item, bool wait)
{
    int error = wait ? salp__wait_begin() : 0;
    if (error == 0)
        error = salp__shared_enter(&queue->shared);
    if (error < 0)
        return error;
    if (wait)
        look_for(queue, has_items);
    error = get(queue, item, wait);
    return (error == -EAGAIN || error == -EPIPE) && bury_readers(queue) ? get(queue, item, wait) : error;
}

/* ---- for selects ---- */

static int try_put(void *queue, void *item)
{
    return salp__shared_queue_put(queue, item, false);
}

static int try_get(void *queue, void *item)
{
    return salp__shared_queue_get(queue, item, false);
}

static bool may_put(const void *queue)
{
    return has_room(queue) || is_shut(body_of(&((const salp__shared_queue *)queue)->shared));
}

static bool may_get(const void *queue)
{
    return has_items(queue) || is_shut(body_of(&((const salp__shared_queue *)queue)->shared));
}

salp__source salp__shared_queue_get_source(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    return (salp__source){ .object = queue,
                           .shared = shared,
                           .looks = &body_of(shared)->get_looks,
                           .may_happen = may_get,
                           .try_shared = try_get };
}

salp__source salp__shared_queue_put_source(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    return (salp__source){ .object = queue,
                           .shared = shared,
                           .looks = &body_of(shared)->put_looks,
                           .may_happen = may_put,
                           .try_shared = try_put };
}

/* ---- the end of it ---- */

int salp__shared_queue_shutdown(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    salp__shared_set(shared, &body_of(shared)->shut, 1);
    salp__shared_commit(shared);
    settle_and_unlatch(shared);
    return 0;
}

/* Where an item that was taken is booked: to ourselves, or else to whoever has taken one. NULL: nobody has. */
static salp__word *booked_locked(const salp__shared *shared)
{
    body *b = body_of(shared);
    if (salp__word_get(&b->taken[shared->slot]) > 0)
        return &b->taken[shared->slot];
    uint64_t used = atomic_load_explicit(&shared->segment->slots_used, memory_order_relaxed);
    for (uint64_t slot = 0; slot < used; slot++) {
        if (salp__word_get(&b->taken[slot]) > 0)
            return &b->taken[slot];
    }
    return NULL;
}

int salp__shared_queue_done(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    salp__word *booked = booked_locked(shared);
    if (booked) {
        add(shared, booked, -1);
        salp__shared_commit(shared);
    }
    settle_and_unlatch(shared);
    return booked ? 0 : -EINVAL;
}

int salp__shared_queue_join(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    salp__berth berth;
    int result = salp__wait_begin();
    if (result == 0)
        result = salp__shared_enter(shared);
    if (result < 0)
        return result;
    salp__shared_latch(shared);
    if (!is_all_done(shared))
        return stand_in_line(shared, &body_of(shared)->joiners, 0, &berth, "the work on a queue's items");
    result = join_result_locked(shared);
    salp__shared_commit(shared);
    salp__shared_unlatch(shared);
    return result;
}

size_t salp__shared_queue_count(salp__shared_queue *queue)
{
    if (salp__shared_enter(&queue->shared) < 0)
        return 0;
    /* relaxed: as of some moment. */
    return salp__shared_store_count(&queue->store);
}
