/*
 * An event between processes: a word that says whether it has happened, and those who wait for that.
 *
 * I1  `set` is changed by one store, under the latch. It does not go through the journal: others read it without the latch,
 *     and nobody may undo what they have seen.
 * I2  While it is set, all in the line are to be granted: by who has set it, some at a time; if he has died, by who buries
 *     him; or by who wants to clear it, which is done only when the line is empty. So everybody who waited when it was set
 *     goes on.
 *
 * A dead process has nothing of it that could come back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared_event.h"

#include <errno.h>

#include "os/memory.h"
#include "shared/line.h"
#include "shared/participants.h"
#include "task/scope.h"

typedef struct body {
    salp__word set; /* I1; release in change, acquire where it is asked for */
    salp__shared_line line;
} body;

struct salp__shared_event {
    salp__shared shared;
};

static body *body_of(const salp__shared *shared)
{
    return salp__shared_body(shared);
}

/* I2 */
static bool settle_locked(salp__shared *shared, salp__wakes *wakes)
{
    body *b = body_of(shared);
    while (salp__word_get(&b->set) && !salp__shared_line_empty(&b->line)) {
        if (salp__wakes_full(wakes))
            return true;
        salp__grant_locked(shared, salp__line_first_locked(shared, &b->line), 0, wakes);
        salp__shared_commit(shared);
    }
    return false;
}

static void bury_locked(salp__shared *shared, uint32_t slot)
{
    (void)shared;
    (void)slot;
}

static const salp__shared_kind events = {
    .number = SALP__SHARED_EVENT,
    .body_size = sizeof(body),
    .bury_locked = bury_locked,
    .settle_locked = settle_locked,
};

/* ---- its life ---- */

int salp__shared_event_open(salp__shared_event **out, bool set)
{
    salp__shared_event *event = salp__allocate(sizeof *event);
    if (!event)
        return -ENOMEM;
    int error = salp__shared_open(&event->shared, &events, sizeof(body));
    if (error < 0) {
        salp__free(event);
        return error;
    }
    atomic_init(&body_of(&event->shared)->set, set);
    *out = event;
    return 0;
}

int salp__shared_event_attach(salp__shared_event **out, int fd)
{
    salp__shared_event *event = salp__allocate(sizeof *event);
    if (!event)
        return -ENOMEM;
    int error = salp__shared_attach(&event->shared, &events, fd);
    if (error < 0) {
        salp__free(event);
        return error;
    }
    *out = event;
    return 0;
}

void salp__shared_event_close(salp__shared_event *event)
{
    salp__shared_close(&event->shared);
    salp__free(event);
}

int salp__shared_event_fd(const salp__shared_event *event)
{
    return event->shared.fd;
}

/* ---- its use ---- */

/* [latch] */
static void change_locked(salp__shared *shared, bool set)
{
    SALP__STEP();
    atomic_store_explicit(&body_of(shared)->set, set, memory_order_release);
    SALP__STEP();
}

int salp__shared_event_set(salp__shared_event *event)
{
    salp__shared *shared = &event->shared;
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch(shared);
    change_locked(shared, true);
    salp__shared_settle(shared);
    return 0;
}

int salp__shared_event_clear(salp__shared_event *event)
{
    salp__shared *shared = &event->shared;
    int error = salp__shared_enter(shared);
    if (error < 0)
        return error;
    salp__shared_latch_settled(shared); /* I2 */
    change_locked(shared, false);
    salp__shared_unlatch(shared);
    return 0;
}

bool salp__shared_event_is_set(const salp__shared_event *event)
{
    /* acquire: what was done before it was set can be read. */
    return atomic_load_explicit(&body_of(&event->shared)->set, memory_order_acquire);
}

int salp__shared_event_wait(salp__shared_event *event)
{
    salp__shared *shared = &event->shared;
    salp__berth berth;
    int error = salp__wait_begin();
    if (error == 0)
        error = salp__shared_enter(shared);
    if (error < 0 || salp__shared_event_is_set(event))
        return error;
    salp__shared_latch(shared);
    if (!salp__shared_event_is_set(event)) {
        error = salp__berth_take_locked(shared, &body_of(shared)->line, false, &berth, "an event");
        if (error == 0) {
            salp__shared_commit(shared);
            return salp__berth_wait(&berth);
        }
    }
    salp__shared_unlatch(shared);
    return error;
}

/* ---- for selects ---- */

static bool may_happen(void *object)
{
    return salp__shared_event_is_set(object);
}

static int try_shared(void *object, void *item)
{
    (void)item;
    return salp__shared_event_is_set(object) ? 0 : -EAGAIN;
}

salp__source salp__shared_event_source(salp__shared_event *event)
{
    return (salp__source){
        .object = event,
        .shared = &event->shared,
        .looks = &body_of(&event->shared)->line,
        .look_is_all = true, /* though it may have been cleared at once */
        .may_happen = may_happen,
        .try_shared = try_shared,
    };
}
