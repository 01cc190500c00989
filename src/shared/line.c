/* Those who wait for a shared object; the header tells how. SPDX-License-Identifier: MIT */
#include "shared/line.h"

#include <errno.h>

#include <salp/error.h>
#include <salp/time.h>

#include "os/clock.h"
#include "shared/deaths.h"
#include "shared/participants.h"
#include "shared/porter.h"
#include "task/scope.h"
#include "task/task.h"

#define PORTER (UINT32_C(1) << 31) /* added to a slot, in salp__wakes */

_Static_assert(SALP__NODES < (UINT64_C(1) << 31), "a node is no porter");

/* ---- the links ---- */

static uint64_t number_of(const salp__shared *shared, const salp__node *node)
{
    return (uint64_t)(node - shared->segment->nodes) + 1;
}

static salp__node *node_of(const salp__shared *shared, uint64_t number)
{
    return &shared->segment->nodes[number - 1];
}

/* Puts it between two neighbours, 0 for none. */
static void link_between(salp__shared *shared, salp__shared_line *line, salp__node *node, uint64_t previous,
                         uint64_t next)
{
    uint64_t number = number_of(shared, node);
    salp__shared_set(shared, &node->next, next);
    salp__shared_set(shared, &node->previous, previous);
    salp__shared_set(shared, &node->line, (uint64_t)((char *)line - (char *)shared->segment));
    salp__shared_set(shared, previous ? &node_of(shared, previous)->next : &line->first, number);
    salp__shared_set(shared, next ? &node_of(shared, next)->previous : &line->last, number);
}

void salp__line_append_locked(salp__shared *shared, salp__shared_line *line, salp__node *node)
{
    link_between(shared, line, node, salp__word_get(&line->last), 0);
}

void salp__line_prepend_locked(salp__shared *shared, salp__shared_line *line, salp__node *node)
{
    link_between(shared, line, node, 0, salp__word_get(&line->first));
}

void salp__line_remove_locked(salp__shared *shared, salp__node *node)
{
    uint64_t distance = salp__word_get(&node->line);
    if (distance == 0)
        return;
    salp__shared_line *line = (salp__shared_line *)((char *)shared->segment + distance);
    uint64_t next = salp__word_get(&node->next), previous = salp__word_get(&node->previous);
    salp__shared_set(shared, previous ? &node_of(shared, previous)->next : &line->first, next);
    salp__shared_set(shared, next ? &node_of(shared, next)->previous : &line->last, previous);
    salp__shared_set(shared, &node->line, 0);
}

/* ---- nodes ---- */

/* One that is free, or NULL. */
static salp__node *take_node(salp__shared *shared)
{
    salp__segment *segment = shared->segment;
    uint64_t free = salp__word_get(&segment->nodes_free);
    if (free) {
        salp__shared_set(shared, &segment->nodes_free, salp__word_get(&node_of(shared, free)->next));
        return node_of(shared, free);
    }
    uint64_t used = salp__word_get(&segment->nodes_used);
    if (used == SALP__NODES)
        return NULL;
    salp__shared_set(shared, &segment->nodes_used, used + 1);
    return &segment->nodes[used];
}

void salp__node_free_locked(salp__shared *shared, salp__node *node)
{
    salp__segment *segment = shared->segment;
    salp__line_remove_locked(shared, node);
    salp__shared_set(shared, &node->state, SALP__NODE_FREE);
    salp__shared_set(shared, &node->next, salp__word_get(&segment->nodes_free));
    salp__shared_set(shared, &segment->nodes_free, number_of(shared, node));
}

/* ---- granting ---- */

void salp__grant_locked(salp__shared *shared, salp__node *node, int result, salp__wakes *wakes)
{
    salp__must(!salp__wakes_full(wakes));
    uint32_t slot = salp__node_slot(node);
    salp__line_remove_locked(shared, node);
    salp__shared_set(shared, &node->state, SALP__NODE_GRANTED);
    salp__shared_set(shared, &node->result, (uint64_t)(int64_t)result);
    if (salp__node_is_ported(node)) {
        salp__line_append_locked(shared, &shared->segment->participants[slot].granted, node);
        wakes->whom[wakes->count++] = PORTER | slot;
    } else {
        wakes->whom[wakes->count++] = (uint32_t)(number_of(shared, node) - 1);
    }
}

void salp__wakes_ring(salp__shared *shared, const salp__wakes *wakes)
{
    for (uint32_t i = 0; i < wakes->count; i++) {
        uint32_t slot = wakes->whom[i] & ~PORTER;
        SALP__STEP();
        if (!(wakes->whom[i] & PORTER))
            salp__chime_ring(&shared->segment->nodes[wakes->whom[i]].chime);
        else if (slot == shared->slot)
            salp__porter_deliver(shared); /* our own tasks: no need to wake a thread for it */
        else
            salp__chime_ring(&shared->segment->participants[slot].doorbell);
        SALP__STEP();
    }
}

void salp__ring_granted(salp__shared *shared)
{
    salp__segment *segment = shared->segment;
    uint64_t nodes = salp__word_get(&segment->nodes_used);
    for (uint64_t i = 0; i < nodes; i++) {
        salp__node *node = &segment->nodes[i];
        if (salp__word_get(&node->state) == SALP__NODE_GRANTED && !salp__node_is_ported(node))
            salp__chime_ring(&node->chime);
    }
    uint64_t slots = atomic_load_explicit(&segment->slots_used, memory_order_relaxed);
    for (uint64_t slot = 0; slot < slots; slot++) {
        salp__participant *participant = &segment->participants[slot];
        if (!salp__shared_line_empty(&participant->granted))
            salp__chime_ring(&participant->doorbell);
    }
}

void salp__shared_settle(salp__shared *shared)
{
    for (bool more = true; more;) {
        salp__wakes wakes = { 0 };
        more = shared->kind->settle_locked(shared, &wakes);
        salp__shared_unlatch(shared);
        salp__wakes_ring(shared, &wakes);
        if (more)
            salp__shared_latch(shared);
    }
}

void salp__shared_latch_settled(salp__shared *shared)
{
    for (;;) {
        salp__wakes wakes = { 0 };
        salp__shared_latch(shared);
        bool more = shared->kind->settle_locked(shared, &wakes);
        if (!more && wakes.count == 0)
            return;
        salp__shared_unlatch(shared);
        salp__wakes_ring(shared, &wakes);
    }
}

/* ---- who waits ---- */

static int take_berth(salp__shared *shared, salp__shared_line *line, bool front, salp__berth *berth)
{
    salp__node *node = take_node(shared);
    if (!node)
        return -EAGAIN;
    berth->shared = shared;
    berth->node = (uint32_t)(number_of(shared, node) - 1);
    /* Not by the journal: of a node that is free these say nothing. */
    atomic_store_explicit(&node->who, shared->slot | (berth->ported ? SALP__NODE_PORTED : 0), memory_order_relaxed);
    salp__chime_silence(&node->chime);
    salp__shared_set(shared, &node->state, SALP__NODE_WAITS);
    if (front)
        salp__line_prepend_locked(shared, line, node);
    else
        salp__line_append_locked(shared, line, node);
    return 0;
}

int salp__berth_take_locked(salp__shared *shared, salp__shared_line *line, bool front, salp__berth *berth,
                            const char *what)
{
    if (salp__cannot_wait())
        return SALP_EINSIDE;
    *berth = (salp__berth){ .what = what, .ported = salp__self()->task };
    berth->own = salp__spot_of(&berth->waiter);
    berth->spot = &berth->own;
    return take_berth(shared, line, front, berth);
}

int salp__berth_lend_locked(salp__shared *shared, salp__shared_line *line, salp__berth *berth, salp__spot *spot)
{
    int error = salp__porter_start(shared);
    if (error < 0)
        return error;
    *berth = (salp__berth){ .spot = spot, .ported = true };
    error = take_berth(shared, line, false, berth);
    if (error == 0)
        salp__porter_expect(shared, berth->node, spot);
    return error;
}

static bool is_granted_locked(const salp__berth *berth)
{
    return salp__word_get(&salp__berth_node(berth)->state) == SALP__NODE_GRANTED;
}

/* Returns whether it was granted. I4 */
static bool give_back_locked(salp__berth *berth)
{
    salp__node *node = salp__berth_node(berth);
    bool granted = is_granted_locked(berth);
    berth->result = (int)salp__word_get(&node->result);
    for (int i = 0; i < 3; i++)
        berth->items[i] = salp__word_get(&node->items[i]);
    salp__node_free_locked(berth->shared, node);
    salp__shared_commit(berth->shared);
    return granted;
}

/* From now on it can be made to go on. Errors: there is no porter. */
static int arm_locked(salp__berth *berth)
{
    salp__waiter_open(&berth->waiter, berth->what);
    if (!berth->ported) {
        salp__chime_silence(&salp__berth_node(berth)->chime);
        return 0;
    }
    int error = salp__porter_start(berth->shared);
    if (error == 0)
        salp__porter_expect(berth->shared, berth->node, berth->spot);
    return error;
}

/* 0: somebody says that it was granted. */
static int sleep_in_line(salp__berth *berth)
{
    salp__chime *chime = &salp__berth_node(berth)->chime;
    if (!berth->through)
        return berth->ported ? salp__wait(&berth->waiter) : salp__wait_chime(&berth->waiter, chime);
    if (berth->ported)
        salp__wait_through(&berth->waiter);
    else
        salp__wait_chime_through(chime);
    return 0;
}

void salp__look_after_others(salp__shared *shared)
{
    (void)salp__bury_all_dead(shared);
    salp__task *task = salp__self()->task;
    if (task)
        salp__task_give_way(task);
    salp__doze(SALP_MILLISECONDS(1));
}

/* It could be made to go on, and does not wait: nobody does that any more. */
static void disarm(salp__berth *berth)
{
    if (berth->ported && !salp__claim(berth->spot))
        salp__wait_through(&berth->waiter); /* somebody is just about to */
}

/* Each round begins with the latch. */
static int wait_in_line(salp__berth *berth)
{
    salp__shared *shared = berth->shared;
    for (int error = 0;; salp__shared_latch(shared)) {
        if (error == 0 && !is_granted_locked(berth))
            error = arm_locked(berth);
        if (is_granted_locked(berth) || (error < 0 && !berth->through)) {
            bool granted = give_back_locked(berth);
            salp__shared_unlatch(shared);
            return granted ? 0 : error;
        }
        salp__shared_unlatch(shared);
        bool armed = error == 0;
        if (armed)
            error = salp__deaths_watch(shared);
        if (error == 0)
            error = sleep_in_line(berth);
        else if (armed)
            disarm(berth);
        if (berth->ported)
            salp__porter_expect(shared, berth->node, NULL);
        if (error < 0 && berth->through)
            salp__look_after_others(shared);
        if (error == -EINTR || berth->through)
            error = 0; /* again, in the same place */
    }
}

int salp__berth_wait(salp__berth *berth)
{
    int error = wait_in_line(berth);
    return error < 0 ? salp__wait_end(salp__self(), error) : 0;
}

void salp__berth_wait_through(salp__berth *berth)
{
    berth->through = true;
    (void)wait_in_line(berth);
}

int salp__berth_watch(salp__berth *berth)
{
    return salp__deaths_watch(berth->shared);
}

bool salp__berth_leave(salp__berth *berth)
{
    salp__porter_expect(berth->shared, berth->node, NULL);
    salp__shared_latch(berth->shared);
    bool granted = give_back_locked(berth);
    salp__shared_unlatch(berth->shared);
    return granted;
}
