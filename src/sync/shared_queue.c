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
 * Short items of a queue with a bound, in the order FIFO, do not go through cells while nobody waits. They lie on a belt
 * (sync/shared_belt.h), at whose ends are two latches: that of the object for puts, and one of gets, so that the two sides
 * do not wait for each other. As in sync/queue.c:
 *
 *   who puts:  alone with the latch:   copy the item onto the belt -- count it        or with both: as above
 *   who gets:  alone with that of gets: copy the item off the belt -- count it        or with both: as above
 *
 * I1  An item is the queue's from the commit that lists its cell, or the store that counts it as put, until the commit
 *     that frees the cell, or the store that counts it as got, after it has been copied out whole. Who dies before the one
 *     has put nothing: one message is lost, the one that was being written. Who dies before the other has taken nothing:
 *     it is still there, or burying puts the cell back, in front of the belt.
 * I2  When the latches are free and nobody is about to settle: somebody waits to get only while nothing is there; to put,
 *     only while as many are there as the capacity says, or, with capacity 0, while nobody waits to get. What came
 *     back from the dead may be more than the capacity; of the belt it is not part.
 * I3  Who waits to put has written his item into a cell. So he is granted that it was listed, with nothing left to do for him.
 * I4  What a participant has taken and not done is counted for it (I4 of the belt). The work on all items is done when none
 *     is there, none is being read, and nobody has taken any.
 * I5  Who puts with his latch alone sees everything that follows from a put: those who wait to get, in a call or a select,
 *     stand in line under that latch. Who gets with his alone sees everything that follows from a get: who waits to put, or
 *     for the work to be done, stands in line under both; a select that waits to put has taken the latch of gets since it
 *     stood there, and before it looked (may_put); what lies in front of the belt changes under both. Nodes are also taken
 *     off a line under the object's latch alone, by those who give up, or of the dead: whoever still sees one, or does not,
 *     is right either way.
 * I6  Both latches are taken in the order latch, latch of gets; all that is changed then goes by the object's journal, or
 *     is the one store of the belt. Who finds the holder of the latter dead takes the former first (shared/side.h), and with
 *     it undoes what the dead one had begun with both.
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
#include "shared/participants.h"
#include "sync/shared_flow.h"
#include "sync/store.h"
#include "task/scope.h"

/* ---- its life ---- */

int salp__shared_queue_open(salp__shared_queue **out, const salp_queue_options *options)
{
    size_t size = salp__shared_store_size(sizeof(salp__flow), options);
    if (size == 0)
        return -ENOMEM;
    salp__shared_queue *queue = salp__allocate(sizeof *queue);
    if (!queue)
        return -ENOMEM;
    int error = salp__shared_open(&queue->shared, &salp__flow_kind, size);
    if (error < 0) {
        salp__free(queue);
        return error;
    }
    salp__shared_store_begin(&salp__flow_of(&queue->shared)->cells, options);
    salp__must(salp__shared_store_view(&queue->store, &queue->shared, sizeof(salp__flow), options) == 0);
    *out = queue;
    return 0;
}

int salp__shared_queue_attach(salp__shared_queue **out, int fd, const salp_queue_options *options)
{
    salp__shared_queue *queue = salp__allocate(sizeof *queue);
    if (!queue)
        return -ENOMEM;
    int error = salp__shared_look(&queue->shared, &salp__flow_kind, fd);
    if (error < 0)
        goto free_queue;
    error = salp__shared_store_view(&queue->store, &queue->shared, sizeof(salp__flow), options);
    if (error == 0 && !salp__shared_belt_fits(&salp__flow_of(&queue->shared)->belt))
        error = -EINVAL;
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
        salp__flow_latch(queue);
        salp__flow_bury_locked(queue, shared->slot);
        salp__flow_settle(queue);
    }
    salp__shared_close(shared);
    salp__free(queue);
}

int salp__shared_queue_fd(const salp__shared_queue *queue)
{
    return queue->shared.fd;
}

/* ---- before a wait ---- */

static void relax(int times)
{
    for (int i = 0; i < times; i++)
        salp__relax();
}

/* A thread looks for a while: it may be there sooner than a sleep and a wake take. Each look fetches a line away from who is
   about to write to it: so there is some time before the next one, in which there come to be several items, or room for
   them. An answer to what we have put just now takes as long, too. */
static void look_for(const salp__shared_queue *queue, bool (*is_there)(const salp__shared_queue *queue))
{
    const int64_t looking = SALP_MICROSECONDS(20);
    enum { FIRST = 8, BETWEEN = 2, NEAR = 32 };
    if (salp__self()->task || is_there(queue) || salp__flow_is_shut(queue))
        return;
    relax(FIRST);
    int64_t end = salp__later(looking);
    do {
        for (int i = 0; i < NEAR; i++) {
            if (is_there(queue) || salp__flow_is_shut(queue))
                return;
            relax(BETWEEN);
        }
        salp__give_way();
    } while (salp__now() < end);
}

/* [both held on entry, released; commits what is under way] Stands in a line, with a cell, and waits. */
static int stand_in_line(salp__shared_queue *queue, salp__shared_line *line, uint64_t cell, salp__berth *berth,
                         const char *what)
{
    salp__shared *shared = &queue->shared;
    int error = salp__berth_take_locked(shared, line, false, berth, what);
    if (error == 0)
        salp__shared_set(shared, &salp__berth_node(berth)->items[SALP__FLOW_CELL], cell);
    salp__shared_commit(shared);
    salp__flow_settle(queue); /* with capacity 0 a select may have waited for us */
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    error = salp__berth_wait(berth);
    return error < 0 ? error : berth->result;
}

/* ---- putting ---- */

static int refusal(const salp__shared_queue *queue, bool wait)
{
    if (salp__flow_is_shut(queue))
        return -EPIPE;
    return wait || salp__flow_has_room(queue) ? 0 : -EAGAIN;
}

static void drop_cell(salp__shared_queue *queue, uint64_t cell)
{
    salp__cell_free_locked(&queue->store, cell);
    salp__shared_commit(&queue->shared);
}

/* [both; what is long, on no belt: without the latch meanwhile] A cell with the item in it. What is short: in a transaction
   that is still under way. What is long: held. */
static int write_item_locked(salp__shared_queue *queue, const void *item, bool wait, uint64_t *cell)
{
    salp__shared *shared = &queue->shared;
    size_t size = queue->store.item_size;
    int error = salp__cell_take_locked(&queue->store, cell);
    if (error < 0 || size <= SALP__SHORT) {
        if (error == 0)
            salp__item_copy(salp__cell_item(&queue->store, *cell), item, size);
        return error;
    }
    salp__cell_hold_locked(&queue->store, *cell, SALP__CELL_WRITTEN, shared->slot);
    salp__shared_commit(shared);
    salp__flow_unlatch(queue);
    SALP__STEP();
    memcpy(salp__cell_item(&queue->store, *cell), item, size);
    salp__flow_latch(queue);
    error = refusal(queue, wait);
    if (error < 0)
        drop_cell(queue, *cell);
    return error;
}

/* [both held on entry, released] Waits until the item in the cell is the queue's. */
static int wait_to_put(salp__shared_queue *queue, uint64_t cell)
{
    salp__shared *shared = &queue->shared;
    salp__berth berth;
    if (salp__word_get(&queue->store.cells[cell].hold) == 0)
        salp__cell_hold_locked(&queue->store, cell, SALP__CELL_WRITTEN, shared->slot);
    int result = stand_in_line(queue, &salp__flow_of(shared)->putters, cell, &berth, "room in a queue");
    if (result < 0) {
        salp__shared_latch(shared);
        drop_cell(queue, cell);
        salp__shared_unlatch(shared);
    }
    return result;
}

/* [both] Onto the belt, which has room. */
static int put_on_belt(salp__shared_queue *queue, const void *item)
{
    salp__shared_belt *belt = &salp__flow_of(&queue->shared)->belt;
    int error = salp__belt_back_locked(&queue->store, salp__word_get(&belt->put));
    if (error == 0)
        salp__shared_belt_put(&queue->store, belt, item);
    return error;
}

static int put(salp__shared_queue *queue, const void *item, bool wait)
{
    uint64_t cell;
    salp__flow_latch(queue);
    int error = refusal(queue, wait);
    if (error == 0 && salp__flow_has_belt(queue) && salp__flow_has_room(queue)) {
        error = put_on_belt(queue, item);
    } else if (error == 0) {
        error = write_item_locked(queue, item, wait, &cell);
        if (error == 0 && !salp__flow_has_room(queue))
            return wait_to_put(queue, cell);
        if (error == 0) {
            salp__cell_list_locked(&queue->store, cell);
            salp__shared_commit(&queue->shared);
        }
    }
    salp__flow_settle(queue);
    return error;
}

/* With the latch of puts alone, if nothing follows from it. false: that cannot be seen with it, or is not so. I5 */
static bool put_alone(salp__shared_queue *queue, const void *item)
{
    salp__shared *shared = &queue->shared;
    salp__flow *flow = salp__flow_of(shared);
    salp__shared_latch(shared);
    bool can = !salp__flow_is_shut(queue) && salp__shared_line_empty(&flow->getters) &&
               salp__shared_line_empty(&flow->get_looks) && salp__shared_belt_has_room(&queue->store, &flow->belt) &&
               salp__belt_is_backed(&queue->store, salp__word_get(&flow->belt.put));
    if (can)
        salp__shared_belt_put(&queue->store, &flow->belt, item);
    salp__shared_unlatch(shared);
    return can;
}

int salp__shared_queue_put(salp__shared_queue *queue, const void *item, bool wait)
{
    int error = wait ? salp__wait_begin() : 0;
    if (error == 0)
        error = salp__shared_enter(&queue->shared);
    if (error < 0)
        return error;
    if (salp__flow_has_belt(queue) && put_alone(queue, item))
        return 0;
    if (wait)
        look_for(queue, salp__flow_has_room);
    return salp__flow_has_belt(queue) && put_alone(queue, item) ? 0 : put(queue, item, wait);
}

/* ---- getting ---- */

/* [both] The item was copied out of the cell. I1 */
static void take_locked(salp__shared_queue *queue, uint64_t cell)
{
    salp__shared *shared = &queue->shared;
    salp__cell_free_locked(&queue->store, cell);
    salp__word *taken = &salp__flow_of(shared)->belt.taken[shared->slot];
    salp__shared_set(shared, taken, salp__word_get(taken) + 1);
    salp__shared_commit(shared);
    salp__shared_store_trim_locked(&queue->store);
}

/* Of a cell that is held. */
static void read_held(salp__shared_queue *queue, uint64_t cell, void *item)
{
    SALP__STEP();
    salp__item_copy(item, salp__cell_item(&queue->store, cell), queue->store.item_size);
    salp__flow_latch(queue);
    take_locked(queue, cell);
    salp__flow_settle(queue);
}

/* [both held on entry, released] There is one. */
static void take_next(salp__shared_queue *queue, void *item)
{
    if (salp__shared_store_count(&queue->store) == 0) {
        salp__shared_belt_get(&queue->store, &salp__flow_of(&queue->shared)->belt, item);
        salp__flow_settle(queue);
        return;
    }
    uint64_t cell = salp__cell_unlist_locked(&queue->store);
    if (queue->store.item_size <= SALP__SHORT) {
        salp__item_copy(item, salp__cell_item(&queue->store, cell), queue->store.item_size);
        take_locked(queue, cell);
        salp__flow_settle(queue);
        return;
    }
    salp__cell_hold_locked(&queue->store, cell, SALP__CELL_READ, queue->shared.slot);
    salp__shared_commit(&queue->shared);
    salp__flow_settle(queue); /* there is room now */
    read_held(queue, cell, item);
}

/* [both held on entry, released] Waits until it is handed an item. */
static int wait_to_get(salp__shared_queue *queue, void *item)
{
    salp__berth berth;
    int result = stand_in_line(queue, &salp__flow_of(&queue->shared)->getters, 0, &berth, "an item of a queue");
    if (result == 0)
        read_held(queue, berth.items[SALP__FLOW_CELL], item);
    return result;
}

static int get(salp__shared_queue *queue, void *item, bool wait)
{
    salp__shared *shared = &queue->shared;
    salp__wakes wakes;
    wakes.count = 0;
    salp__flow_latch(queue);
    bool shut = salp__flow_is_shut(queue);
    if (!shut && salp__flow_count(queue) == 0 && salp__flow_has_items(queue))
        salp__flow_admit_locked(queue, &wakes); /* with capacity 0 */
    if (salp__flow_count(queue) > 0) {
        take_next(queue, item);
        salp__wakes_ring(shared, &wakes);
        return 0;
    }
    if (wait && !shut)
        return wait_to_get(queue, item);
    salp__flow_unlatch(queue);
    return shut ? -EPIPE : -EAGAIN;
}

/* The same of put_alone. */
static bool get_alone(salp__shared_queue *queue, void *item)
{
    salp__flow *flow = salp__flow_of(&queue->shared);
    salp__side_latch(&queue->shared, &flow->belt.out);
    bool can = salp__shared_line_empty(&flow->putters) && salp__shared_line_empty(&flow->put_looks) &&
               salp__shared_store_count(&queue->store) == 0 && salp__shared_belt_has_item(&flow->belt);
    if (can)
        salp__shared_belt_get(&queue->store, &flow->belt, item);
    salp__side_unlatch(&flow->belt.out);
    return can;
}

/* What a dead one was reading is there to be got. Whether there was any. */
static bool bury_readers(salp__shared_queue *queue)
{
    const salp__segment *segment = queue->shared.segment;
    const salp__cells *words = queue->store.words;
    bool buried = false;
    /* Without the latch: whoever holds one now is asked whether he lives, and buried under it. */
    for (uint64_t cell = queue->store.room; cell < salp__word_get(&words->used) && salp__word_get(&words->reads) > 0;
         cell++) {
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
    if (salp__flow_has_belt(queue) && get_alone(queue, item))
        return 0;
    if (wait)
        look_for(queue, salp__flow_has_items);
    if (salp__flow_has_belt(queue) && get_alone(queue, item))
        return 0;
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

static bool may_put(void *object)
{
    salp__shared_queue *queue = object;
    salp__flow *flow = salp__flow_of(&queue->shared);
    if (salp__flow_has_belt(queue)) {
        /* Who gets now with his latch alone sees us in the line, or we see what he has done. I5 */
        salp__side_latch(&queue->shared, &flow->belt.out);
        salp__side_unlatch(&flow->belt.out);
    }
    return salp__flow_has_room(queue) || salp__flow_is_shut(queue);
}

static bool may_get(void *object)
{
    const salp__shared_queue *queue = object;
    return salp__flow_has_items(queue) || salp__flow_is_shut(queue);
}

salp__source salp__shared_queue_get_source(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    return (salp__source){ .object = queue,
                           .shared = shared,
                           .looks = &salp__flow_of(shared)->get_looks,
                           .may_happen = may_get,
                           .try_shared = try_get };
}

salp__source salp__shared_queue_put_source(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    return (salp__source){ .object = queue,
                           .shared = shared,
                           .looks = &salp__flow_of(shared)->put_looks,
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
    salp__flow_latch(queue);
    salp__shared_set(shared, &salp__flow_of(shared)->shut, 1);
    salp__shared_commit(shared);
    salp__flow_settle(queue);
    return 0;
}

/* [latch of gets] Where an item that was taken is booked: to ourselves, or else to whoever has taken one. NULL: nobody has. */
static salp__word *booked_locked(const salp__shared *shared)
{
    salp__shared_belt *belt = &salp__flow_of(shared)->belt;
    if (salp__shared_belt_taken(belt, shared->slot) > 0)
        return &belt->taken[shared->slot];
    uint64_t used = atomic_load_explicit(&shared->segment->slots_used, memory_order_relaxed);
    for (uint64_t slot = 0; slot < used; slot++) {
        if (salp__shared_belt_taken(belt, slot) > 0)
            return &belt->taken[slot];
    }
    return NULL;
}

/* [latch of gets] Whether there was any. */
static bool unbook_locked(const salp__shared *shared)
{
    salp__word *booked = booked_locked(shared);
    if (!booked)
        return false;
    SALP__STEP();
    atomic_store_explicit(booked, salp__word_get(booked) - 1, memory_order_release); /* one store: no journal */
    SALP__STEP();
    return true;
}

int salp__shared_queue_done(salp__shared_queue *queue)
{
    salp__shared *shared = &queue->shared;
    salp__flow *flow = salp__flow_of(shared);
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    if (salp__flow_has_belt(queue))
        salp__side_latch(shared, &flow->belt.out);
    else
        salp__shared_latch(shared);
    bool booked = unbook_locked(shared);
    bool follows = !salp__shared_line_empty(&flow->joiners); /* I5 */
    if (salp__flow_has_belt(queue))
        salp__side_unlatch(&flow->belt.out);
    else
        salp__shared_unlatch(shared);
    if (follows) {
        salp__flow_latch(queue);
        salp__flow_settle(queue);
    }
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
    salp__flow_latch(queue);
    if (!salp__flow_is_all_done(queue))
        return stand_in_line(queue, &salp__flow_of(shared)->joiners, 0, &berth, "the work on a queue's items");
    result = salp__flow_join_result_locked(shared);
    salp__shared_commit(shared);
    salp__flow_unlatch(queue);
    return result;
}

size_t salp__shared_queue_count(salp__shared_queue *queue)
{
    if (salp__shared_enter(&queue->shared) < 0)
        return 0;
    if (!salp__flow_has_belt(queue))
        return salp__flow_count(queue); /* relaxed: as of some moment */
    salp__side *gets = &salp__flow_of(&queue->shared)->belt.out;
    salp__side_latch(&queue->shared, gets);
    size_t count = salp__flow_count(queue); /* those who put may go on, so it was right when it was asked */
    salp__side_unlatch(gets);
    return count;
}
