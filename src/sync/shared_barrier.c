/*
 * A barrier between processes: how many have come, and which processes have.
 *
 *     | meeting | --the last one comes--> | leaving: WELL |   --all are gone--> | meeting | again
 *          `--a party dies, gives up, ...--> | leaving: IN_VAIN | --'           and now it is broken, unless it was mended
 *
 * I1  What sends those who wait away is one transaction: `leaving` says with what, nobody has come any more, and `meeting`
 *     counts up. They are then granted one by one. Who comes to the barrier finishes that first: so all in the line are of
 *     the same meeting.
 * I2  Who leaves the line by himself breaks the barrier, if it is still the same meeting. Before he has done so, there are
 *     fewer in the line than have come: so the last one looks how many there are, and breaks it himself.
 * I3  A process that has come, this time or before, and has not closed the barrier since, is one whom the others wait for:
 *     its death breaks it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared_barrier.h"

#include <errno.h>

#include <salp/error.h>

#include "os/memory.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "task/scope.h"

enum { NOBODY, WELL, IN_VAIN }; /* who is leaving, and how */
enum { PLACE };                 /* which of a node's items: how many came before */

typedef struct body {
    salp__shared_line line;
    salp__word come; /* so many have, to this meeting */
    salp__word meeting;
    salp__word leaving; /* I1 */
    salp__word broken;
    uint64_t parties;                        /* [const after open] */
    salp__word has_come[SALP__PARTICIPANTS]; /* by slot: it is one of the parties. I3 */
} body;

struct salp__shared_barrier {
    salp__shared shared;
};

static body *body_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

/* ---- going on ---- */

/* In a transaction, which it commits. I1 */
static void send_away_locked(salp__shared *shared, int how, bool broken)
{
    body *b = body_of(shared);
    salp__shared_set(shared, &b->leaving, (uint64_t)how);
    salp__shared_set(shared, &b->broken, broken);
    salp__shared_set(shared, &b->come, 0);
    salp__shared_set(shared, &b->meeting, salp__word_get(&b->meeting) + 1);
    salp__shared_commit(shared);
}

static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    body *b = body_of(shared);
    uint64_t leaving = salp__word_get(&b->leaving);
    if (leaving == NOBODY)
        return false;
    while (!salp__shared_line_empty(&b->line)) {
        if (salp__wakes_full(wakes))
            return true;
        salp__node *first = salp__line_first_locked(shared, &b->line);
        salp__grant_locked(shared, first, leaving == WELL ? (int)salp__word_get(&first->items[PLACE]) : SALP_EBROKEN,
                           wakes);
        salp__shared_commit(shared);
    }
    salp__shared_set(shared, &b->leaving, NOBODY);
    salp__shared_commit(shared);
    return false;
}

static void bury_locked(salp__shared *shared, uint32_t slot)
{
    body *b = body_of(shared);
    if (!salp__word_get(&b->has_come[slot]))
        return;
    salp__shared_set(shared, &b->has_come[slot], false);
    /* Those who are just leaving after a meeting have met: for them it is too late to be broken. */
    if (salp__word_get(&b->leaving) == WELL) {
        salp__shared_set(shared, &b->broken, true);
        salp__shared_commit(shared);
    } else {
        send_away_locked(shared, IN_VAIN, true);
    }
}

static const salp__shared_kind barriers = {
    .number = SALP__SHARED_BARRIER,
    .body_size = sizeof(body),
    .bury_locked = bury_locked,
    .settle_locked = settle_locked,
};

/* ---- its life ---- */

int salp__shared_barrier_open(salp__shared_barrier **out, unsigned parties)
{
    salp__shared_barrier *barrier = salp__allocate(sizeof *barrier);
    if (!barrier)
        return -ENOMEM;
    int error = salp__shared_open(&barrier->shared, &barriers, sizeof(body));
    if (error < 0) {
        salp__free(barrier);
        return error;
    }
    body_of(&barrier->shared)->parties = parties;
    *out = barrier;
    return 0;
}

int salp__shared_barrier_attach(salp__shared_barrier **out, int fd)
{
    salp__shared_barrier *barrier = salp__allocate(sizeof *barrier);
    if (!barrier)
        return -ENOMEM;
    int error = salp__shared_attach(&barrier->shared, &barriers, fd);
    if (error < 0) {
        salp__free(barrier);
        return error;
    }
    *out = barrier;
    return 0;
}

void salp__shared_barrier_close(salp__shared_barrier *barrier)
{
    salp__shared *shared = &barrier->shared;
    if (salp__shared_is_here(shared)) {
        /* Leaving in order is no death: it is not a party any more. I3 */
        salp__shared_latch(shared);
        salp__shared_set(shared, &body_of(shared)->has_come[shared->slot], false);
        salp__shared_commit(shared);
        salp__shared_unlatch(shared);
    }
    salp__shared_close(shared);
    salp__free(barrier);
}

int salp__shared_barrier_fd(const salp__shared_barrier *barrier)
{
    return barrier->shared.fd;
}

/* ---- its use ---- */

/* [latch; nobody is leaving] I2 */
static bool all_are_there_locked(const salp__shared *shared)
{
    const body *b = body_of(shared);
    uint64_t there = 0;
    for (const salp__node *node = salp__line_first_locked(shared, &b->line); node;
         node = salp__line_next_node_locked(shared, node))
        there++;
    return there == b->parties - 1;
}

/* [latch held on entry, released] The last one has come. */
static int let_all_go(salp__shared *shared)
{
    body *b = body_of(shared);
    int last = (int)salp__word_get(&b->come);
    bool complete = all_are_there_locked(shared);
    salp__shared_set(shared, &b->has_come[shared->slot], true);
    send_away_locked(shared, complete ? WELL : IN_VAIN, !complete);
    salp__shared_settle(shared);
    return complete ? last : SALP_EBROKEN;
}

/* I2 */
static void break_meeting(salp__shared *shared, uint64_t meeting)
{
    salp__shared_latch(shared);
    if (salp__word_get(&body_of(shared)->meeting) == meeting)
        send_away_locked(shared, IN_VAIN, true);
    salp__shared_settle(shared);
}

/* [latch held on entry, released] */
static int meet(salp__shared *shared)
{
    body *b = body_of(shared);
    salp__berth berth;
    uint64_t come = salp__word_get(&b->come), meeting = salp__word_get(&b->meeting);
    int error = salp__berth_take_locked(shared, &b->line, false, &berth, "a barrier");
    if (error < 0) {
        salp__shared_unlatch(shared); /* it has not come */
        return error;
    }
    salp__shared_set(shared, &salp__berth_node(&berth)->items[PLACE], come);
    salp__shared_set(shared, &b->come, come + 1);
    salp__shared_set(shared, &b->has_come[shared->slot], true);
    salp__shared_commit(shared);
    error = salp__berth_wait(&berth);
    if (error == 0)
        return berth.result;
    break_meeting(shared, meeting);
    return error;
}

int salp__shared_barrier_wait(salp__shared_barrier *barrier)
{
    salp__shared *shared = &barrier->shared;
    const body *b = body_of(shared);
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch_settled(shared);        /* I1 */
    if (salp__scope_error(salp__self()) < 0) { /* a party that will not come */
        send_away_locked(shared, IN_VAIN, true);
        salp__shared_settle(shared);
        return salp__wait_refused();
    }
    if (salp__word_get(&b->broken)) {
        salp__shared_unlatch(shared);
        return SALP_EBROKEN;
    }
    return salp__word_get(&b->come) == b->parties - 1 ? let_all_go(shared) : meet(shared);
}

int salp__shared_barrier_reset(salp__shared_barrier *barrier, bool broken)
{
    salp__shared *shared = &barrier->shared;
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    if (!broken)
        (void)salp__bury_all_dead(shared); /* else their deaths would break it again when they are noticed */
    salp__shared_latch_settled(shared);    /* I1 */
    send_away_locked(shared, IN_VAIN, broken);
    salp__shared_settle(shared);
    return 0;
}
