/*
 * Those who wait for a shared object, in the order in which they came; threads and tasks of all its participants.
 *
 *     who waits                                          who grants
 *     salp__shared_latch                                 salp__shared_latch
 *     if (it can be had at once) take it, commit, ...    salp__wakes wakes = { 0 };
 *     error = salp__berth_take_locked(...)               node = salp__line_first_locked(shared, &line)
 *     (more words of the same transaction)               salp__shared_set(...)  it is the node's participant's now
 *     salp__shared_commit                                salp__grant_locked(shared, node, 0, &wakes)
 *     error = salp__berth_wait(&berth)  releases the     salp__shared_commit
 *             latch; 0: berth.result, berth.items        salp__shared_unlatch
 *                                                        salp__wakes_ring(shared, &wakes)
 *
 * I1  A node is in `line` while it waits; a granted one of a thread is in none, of a task in its participant's `granted`
 *     until its porter has seen it. Free ones are linked by `next` alone.
 * I2  Whether it was granted is decided under the latch, and told there: a chime is a hint (lockfree/chime.h). So what is
 *     granted changes together with the object, in one transaction, and who waits sees no grant that might be undone.
 * I3  Who has committed a grant owes a wake. If he dies first, burying him rings for all that are granted.
 * I4  A scope that is over takes the node off, unless it was granted: then the wait ends with what was granted.
 *
 * Who waits for one of several objects (salp_select) cannot be granted anything by two of them at a time. So he is granted
 * a look: a node that is granted with a result by which it knows that nothing was taken for it. Who does not use his look
 * hands it on, by settling the object (salp__shared_kind).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_LINE_H
#define SALP__SHARED_LINE_H

#include "shared/latch.h"
#include "shared/segment.h"

/* One who waits: in his frame. */
typedef struct salp__berth {
    salp__shared *shared;
    salp__waiter waiter; /* his own, unless `spot` is of another one */
    salp__spot own;
    salp__spot *spot; /* by which a porter makes him go on */
    const char *what;
    uint32_t node; /* index */
    bool ported;
    bool through;      /* scopes do not end it */
    int result;        /* what it was granted with */
    uint64_t items[3]; /* what the node had then */
} salp__berth;

/*
 * [latch; in a transaction of the caller's] Takes a node, and puts it at the end of the line, or in front. `what`: what is
 * waited for, in words. Errors, and nothing was changed: SALP_EINSIDE a callback of a loop; -EAGAIN all 65,536 nodes are
 * taken.
 */
int salp__berth_take_locked(salp__shared *shared, salp__shared_line *line, bool front, salp__berth *berth,
                            const char *what);

/* The same for one who waits elsewhere, and is made to go on by this spot: a select. He uses salp__berth_leave. Errors as
   above, and -EAGAIN, -ENOMEM: there is no porter and none could be started. */
int salp__berth_lend_locked(salp__shared *shared, salp__shared_line *line, salp__berth *berth, salp__spot *spot);

/* The node of a berth, while it is held. */
static inline salp__node *salp__berth_node(const salp__berth *berth)
{
    return &berth->shared->segment->nodes[berth->node];
}

/*
 * [latch held on entry, released; the transaction committed] Waits. 0: it was granted, and the node is given back.
 * Otherwise it is, too, and nothing was granted: -ECANCELED, -ETIMEDOUT; -EMFILE, -ENFILE, -ENOMEM, -EAGAIN: those whose
 * death would have to be noticed cannot be watched, or no thread could be started.
 */
int salp__berth_wait(salp__berth *berth);

/* The same, whatever scopes say, and without the errors of watching: without a watch it looks itself, every now and then. */
void salp__berth_wait_through(salp__berth *berth);

/* [no latch] Of one who may not give up, and whom nobody would tell: the dead are buried, the others of his loop run, and some
   time passes. Then he looks again. */
void salp__look_after_others(salp__shared *shared);

/* [no latch] What a select does after it was lent, before it sleeps: as in salp__berth_wait. */
int salp__berth_watch(salp__berth *berth);

/* [no latch] Gives the node back. true: it was granted. */
bool salp__berth_leave(salp__berth *berth);

/* ---- granting ---- */

typedef struct salp__wakes {
    uint32_t count;
    uint32_t whom[SALP__WAKES]; /* a node, or PORTER + a slot */
} salp__wakes;

static inline bool salp__wakes_full(const salp__wakes *wakes)
{
    return wakes->count == SALP__WAKES;
}

/* [latch] Who has waited longest, or NULL. */
static inline salp__node *salp__line_first_locked(const salp__shared *shared, const salp__shared_line *line)
{
    uint64_t first = salp__word_get(&line->first);
    return first == 0 ? NULL : &shared->segment->nodes[first - 1];
}

static inline bool salp__shared_line_empty(const salp__shared_line *line)
{
    return salp__word_get(&line->first) == 0;
}

/* [latch] The one who waits behind this one, or NULL. */
static inline salp__node *salp__line_next_node_locked(const salp__shared *shared, const salp__node *node)
{
    uint64_t next = salp__word_get(&node->next);
    return next == 0 ? NULL : &shared->segment->nodes[next - 1];
}

/* [latch; in a transaction of the caller's] Takes it off its line: its wait is to end with `result`. The caller commits, then
   rings. Not if `wakes` is full. */
void salp__grant_locked(salp__shared *shared, salp__node *node, int result, salp__wakes *wakes);

/* [no latch] */
void salp__wakes_ring(salp__shared *shared, const salp__wakes *wakes);

/* [latch held on entry, released] Grants what can be granted, as the object's kind says, and rings. It lets go of the latch
   in between if those are many. */
void salp__shared_settle(salp__shared *shared);

/* The latch, when nothing is left to grant: of one who grants to many, or has died before he could. */
void salp__shared_latch_settled(salp__shared *shared);

/* ---- for this folder ---- */

/* [latch; in a transaction of the caller's] */
void salp__line_append_locked(salp__shared *shared, salp__shared_line *line, salp__node *node);
void salp__line_prepend_locked(salp__shared *shared, salp__shared_line *line, salp__node *node);
void salp__line_remove_locked(salp__shared *shared, salp__node *node); /* from the one that it is in, if any */
void salp__node_free_locked(salp__shared *shared, salp__node *node);

/* Rings for all that are granted, whoever owes it. I3 */
void salp__ring_granted(salp__shared *shared);

#endif
