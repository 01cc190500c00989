/*
 * A condition between processes: those who wait, in their order, and the wake-ups that are on their way.
 *
 *     | line | --signal, broadcast--> | owed to its participant | --the mutex is locked again--> done
 *                                             `--the participant dies--> | passed on |, to the next in the line
 *
 * Who is woken by a signal is to look at something that nobody else may look at. So until it has the mutex again the signal
 * is booked to its participant, and goes to the next one if that dies. Who dies later dies with the mutex, and whoever gets
 * that is told.
 *
 * I1  Who waits has a ticket, and tickets go up along the line. A broadcast is for all below the next ticket that there is
 *     to take; it wakes them some at a time, and if it dies in between, settling goes on.
 * I2  A signal is for one who waits for it, so it is given when nobody is left whom a broadcast has yet to wake.
 * I3  All is changed under the latch and by the journal; a grant and its booking in one transaction.
 *
 * The latch of the condition and that of the mutex are never held both (shared/latch.h): who waits takes his place in the
 * line, then unlocks the mutex, then sleeps, if he was not woken meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared_condition.h"

#include <errno.h>

#include "os/memory.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "sync/shared_mutex.h"
#include "task/scope.h"

enum { TICKET }; /* which of a node's items */

typedef struct body {
    salp__shared_line line;
    salp__word ticket;                   /* the next one */
    salp__word woken_below;              /* I1 */
    salp__word passed_on;                /* signals of the dead, for those who wait now */
    salp__word owed[SALP__PARTICIPANTS]; /* by slot: woken, and not yet back with the mutex */
} body;

struct salp__shared_condition {
    salp__shared shared;
};

static body *body_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

/* ---- waking ---- */

/* In a transaction, which it commits. I3 */
static void wake_locked(salp__shared *shared, salp__node *node, salp__wakes *wakes)
{
    salp__word *owed = &body_of(shared)->owed[salp__node_slot(node)];
    salp__shared_set(shared, owed, salp__word_get(owed) + 1);
    salp__grant_locked(shared, node, 0, wakes);
    salp__shared_commit(shared);
}

static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    body *b = body_of(shared);
    for (;;) {
        salp__node *first = salp__line_first_locked(shared, &b->line);
        uint64_t passed_on = salp__word_get(&b->passed_on);
        bool is_broadcast = first && salp__word_get(&first->items[TICKET]) < salp__word_get(&b->woken_below);
        if (!is_broadcast && passed_on == 0)
            return false;
        if (first && salp__wakes_full(wakes))
            return true;
        if (!is_broadcast) /* one of them; all of them, if there is nobody who waits */
            salp__shared_set(shared, &b->passed_on, first ? passed_on - 1 : 0);
        if (first)
            wake_locked(shared, first, wakes);
        else
            salp__shared_commit(shared);
    }
}

static void bury_locked(salp__shared *shared, uint32_t slot)
{
    body *b = body_of(shared);
    uint64_t owed = salp__word_get(&b->owed[slot]);
    if (owed == 0)
        return;
    salp__shared_set(shared, &b->passed_on, salp__word_get(&b->passed_on) + owed);
    salp__shared_set(shared, &b->owed[slot], 0);
    salp__shared_commit(shared);
}

static const salp__shared_kind conditions = {
    .number = SALP__SHARED_CONDITION,
    .body_size = sizeof(body),
    .bury_locked = bury_locked,
    .settle_locked = settle_locked,
};

/* ---- its life ---- */

int salp__shared_condition_open(salp__shared_condition **out)
{
    salp__shared_condition *condition = salp__allocate(sizeof *condition);
    if (!condition)
        return -ENOMEM;
    int error = salp__shared_open(&condition->shared, &conditions, sizeof(body));
    if (error < 0) {
        salp__free(condition);
        return error;
    }
    *out = condition;
    return 0;
}

int salp__shared_condition_attach(salp__shared_condition **out, int fd)
{
    salp__shared_condition *condition = salp__allocate(sizeof *condition);
    if (!condition)
        return -ENOMEM;
    int error = salp__shared_attach(&condition->shared, &conditions, fd);
    if (error < 0) {
        salp__free(condition);
        return error;
    }
    *out = condition;
    return 0;
}

void salp__shared_condition_close(salp__shared_condition *condition)
{
    salp__shared_close(&condition->shared);
    salp__free(condition);
}

int salp__shared_condition_fd(const salp__shared_condition *condition)
{
    return condition->shared.fd;
}

/* ---- its use ---- */

/* Takes a place in the line. */
static int stand_in_line(salp__shared *shared, salp__berth *berth)
{
    body *b = body_of(shared);
    salp__shared_latch(shared);
    int error = salp__berth_take_locked(shared, &b->line, false, berth, "a condition");
    if (error == 0) {
        uint64_t ticket = salp__word_get(&b->ticket);
        salp__shared_set(shared, &salp__berth_node(berth)->items[TICKET], ticket);
        salp__shared_set(shared, &b->ticket, ticket + 1);
        salp__shared_commit(shared);
    }
    salp__shared_unlatch(shared);
    return error;
}

/* It has reached the one whom it was for. */
static void arrive(salp__shared *shared)
{
    salp__shared_latch(shared);
    salp__word *owed = &body_of(shared)->owed[shared->slot];
    salp__shared_set(shared, owed, salp__word_get(owed) - 1);
    salp__shared_commit(shared);
    salp__shared_unlatch(shared);
}

int salp__shared_condition_wait(salp__shared_condition *condition, struct salp__shared_mutex *mutex)
{
    salp__shared *shared = &condition->shared;
    salp__berth berth;
    if (!salp__shared_mutex_is_mine(mutex))
        return -EPERM;
    int error = salp__wait_begin();
    if (error == 0)
        error = salp__shared_enter(shared);
    if (error == 0)
        error = stand_in_line(shared, &berth);
    if (error < 0)
        return error; /* before anything is given up */
    int64_t depth = salp__shared_mutex_give_up(mutex);
    salp__shared_latch(shared);
    error = salp__berth_wait(&berth);
    int told = salp__shared_mutex_take_back(mutex, depth);
    if (error == 0)
        arrive(shared);
    return told < 0 ? told : error;
}

int salp__shared_condition_signal(salp__shared_condition *condition)
{
    salp__shared *shared = &condition->shared;
    salp__wakes wakes = { 0 };
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch_settled(shared); /* I2 */
    salp__node *first = salp__line_first_locked(shared, &body_of(shared)->line);
    if (first)
        wake_locked(shared, first, &wakes);
    salp__shared_unlatch(shared);
    salp__wakes_ring(shared, &wakes);
    return 0;
}

int salp__shared_condition_broadcast(salp__shared_condition *condition)
{
    salp__shared *shared = &condition->shared;
    body *b = body_of(shared);
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    salp__shared_set(shared, &b->woken_below, salp__word_get(&b->ticket));
    salp__shared_commit(shared);
    salp__shared_settle(shared);
    return 0;
}
