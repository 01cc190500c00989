/*
 * The attendant: the thread of the program that looks after asynchronous calls on processes. It is started for the
 * first such call and ends with the pool; a pool that is used synchronously has none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>

#include "os/clock.h"
#include "pool/processes.h"
#include "task/park.h"

/* The first call in the list that has come to its end, taken off the list. */
static salp__call *take_ended(salp__process_engine *engine, int ended)
{
    salp__call *found = NULL;
    salp__lock_take(&engine->lock);
    for (salp__list *node = engine->attended.next; node != &engine->attended && !found; node = node->next) {
        salp__call *call = SALP__CONTAINER(node, salp__call, link);
        if (ended < 0 || salp__slot_done(engine, call))
            found = call;
    }
    if (found)
        salp__list_remove(&found->link);
    salp__lock_release(&engine->lock);
    return found;
}

/* Serves those that go on. Calls are added at the end and taken off by this thread alone, so the walk needs the lock
   for each step only. Returns how long it may sleep, or SALP_FOREVER when there is nothing to look after. */
static int64_t serve_all(salp__process_engine *engine)
{
    int64_t pause = SALP_FOREVER;
    salp__lock_take(&engine->lock);
    salp__list *node = engine->attended.next;
    salp__lock_release(&engine->lock);
    while (node != &engine->attended) {
        salp__call *call = SALP__CONTAINER(node, salp__call, link);
        salp__slot_serve(engine, call);
        int64_t wanted = salp__slot_pause(call);
        pause = wanted < pause ? wanted : pause;
        salp__lock_take(&engine->lock);
        node = node->next;
        salp__lock_release(&engine->lock);
    }
    return pause;
}

static void *attend(void *arg)
{
    salp__process_engine *engine = arg;
    salp__bell *bell = &engine->control.shared->attend;
    salp__inside_frame frame;
    /* What is called from here are the user's callbacks. */
    salp__inside_enter(&frame, engine->pool, true);
    for (;;) {
        uint32_t seen = salp__bell_look(bell);
        int ended = salp__processes_ended(engine);
        salp__call *call;
        while ((call = take_ended(engine, ended)) != NULL)
            salp__call_finish(call, salp__slot_end(engine, call, salp__slot_done(engine, call) ? 0 : ended));
        int64_t pause = serve_all(engine);
        salp__lock_take(&engine->lock);
        bool ends = engine->attendant_ends && salp__list_empty(&engine->attended);
        if (ends) {
            engine->attendant_over = true;
            salp__seat_call_locked(&engine->closer);
        }
        engine->attendant_idle = !ends && salp__list_empty(&engine->attended);
        salp__lock_release(&engine->lock);
        if (ends)
            break;
        int woken = salp__park(bell, seen, salp__later(pause), true, SALP__LOOK_FIRST);
        salp__lock_take(&engine->lock);
        engine->attendant_idle = false; /* before it does anything */
        salp__lock_release(&engine->lock);
        if (woken == -ETIMEDOUT)
            salp__processes_look(engine);
    }
    salp__inside_leave(&frame);
    return NULL;
}

int salp__attendant_start(salp__process_engine *engine)
{
    int error = 0;
    salp__lock_take(&engine->lock);
    if (!engine->attendant_started) {
        error = salp__thread_start(&engine->attendant, attend, engine);
        engine->attendant_started = error == 0;
    }
    salp__lock_release(&engine->lock);
    return error;
}

void salp__attendant_take(salp__process_engine *engine, salp__call *call)
{
    salp__lock_take(&engine->lock);
    salp__list_append(&engine->attended, &call->link);
    if (atomic_load_explicit(&call->engine.processes.override, memory_order_relaxed) < 0)
        salp__slot_stop(engine, call); /* it was cancelled while it was begun */
    salp__lock_release(&engine->lock);
    /* It may have ended before it was in the list. */
    salp__wake(&engine->control.shared->attend, 1, true);
}

/* Whatever it is woken for, it finds nothing to do without a call. */
int salp__attendant_quiet_locked(const salp__staff *staff)
{
    const salp__process_engine *engine = SALP__CONTAINER(staff, salp__process_engine, staff);
    return engine->attendant_idle && salp__list_empty(&engine->attended);
}

static bool is_over_locked(const void *state)
{
    const salp__process_engine *engine = state;
    return engine->attendant_over;
}

void salp__attendant_end(salp__process_engine *engine)
{
    salp__lock_take(&engine->lock);
    bool started = engine->attendant_started;
    engine->attendant_ends = true;
    salp__lock_release(&engine->lock);
    if (!started)
        return;
    salp__wake(&engine->control.shared->attend, INT_MAX, true);
    salp__seat_wait_through(&engine->closer, &engine->lock, is_over_locked, engine); /* then a join is over at once */
    salp__thread_join(engine->attendant);
}
