/*
 * Slots that are free, and the line of those who wait for one.
 *
 *     who has a slot                       who wants one
 *     salp__vacancy_give:                  salp__vacancy_take:
 *       the first in the line gets it,       a free one, rather one that its workers have left
 *       else it is free                      else into the line; it is handed over
 *                                            waits until its workers have left it
 *
 * I1  None is free while anybody waits: so nobody overtakes who is in the line.
 * I2  Who ends the pool stores the error, then sets `over` and empties the line under the latch. So who comes to the line
 *     later finds `over`, and who was there is woken; both find the error.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "pool/processes.h"
#include "sync/line.h"

/* A worker may still be on its way out of the slot's last call: control.h, I3. */
static bool is_left(const salp__process_engine *engine, int slot)
{
    uint64_t ticket = engine->slots[slot].ticket;
    return ticket == 0 || salp__unattended(&engine->control, slot, ticket);
}

/* Rather one that is left; `left`: only such a one. -1: there is none. */
static int take_free_locked(salp__process_engine *engine, bool left)
{
    int found = -1;
    for (uint64_t rest = engine->vacancy.free; rest != 0; rest &= rest - 1) {
        int slot = __builtin_ctzl(rest);
        if (is_left(engine, slot)) {
            found = slot;
            break;
        }
        if (found < 0 && !left)
            found = slot;
    }
    if (found >= 0)
        engine->vacancy.free &= ~(1UL << found);
    return found;
}

/* A slot that may not be left yet, or an error. */
static int take_in_turn(salp__process_engine *engine, bool wait)
{
    salp__vacancy *vacancy = &engine->vacancy;
    for (;;) {
        int error = salp__processes_ended(engine);
        if (error < 0)
            return error;
        salp__latch_take(&vacancy->latch);
        int slot = take_free_locked(engine, !wait);
        if (slot < 0 && wait && !vacancy->over)
            error = salp__line_wait(&vacancy->latch, &vacancy->line, "a place in a pool", &slot);
        else
            salp__latch_release(&vacancy->latch);
        if (slot >= 0)
            return slot;
        if (!wait)
            return -EAGAIN;
        if (error < 0 && error != -EINTR)
            return error;
    }
}

/* Nobody rings when a worker has left, since that takes it microseconds. */
static int wait_until_left(salp__process_engine *engine, int slot)
{
    enum { PAUSES = 5, PATIENCE = 100 };
    for (unsigned tries = 0; !is_left(engine, slot); tries++) {
        /* The steward deals with one that died on its way, if it lives. */
        int error = tries % PATIENCE < PATIENCE - 1 ? salp__processes_ended(engine) : salp__processes_look(engine);
        if (error == 0 && tries < PAUSES)
            salp__pause(tries);
        else if (error == 0)
            error = salp_sleep(SALP_MICROSECONDS(50));
        if (error < 0)
            return error;
    }
    return 0;
}

void salp__vacancy_open(salp__process_engine *engine)
{
    salp__list_open(&engine->vacancy.line);
    engine->vacancy.free = UINT64_MAX;
}

int salp__vacancy_take(salp__process_engine *engine, bool wait)
{
    int slot = take_in_turn(engine, wait);
    int error = slot >= 0 && wait ? wait_until_left(engine, slot) : 0;
    if (error < 0) {
        salp__vacancy_give(engine, slot);
        return error;
    }
    return slot;
}

void salp__vacancy_give(salp__process_engine *engine, int slot)
{
    salp__vacancy *vacancy = &engine->vacancy;
    salp__latch_take(&vacancy->latch);
    salp__spot *spot = salp__line_next_locked(&vacancy->line);
    if (spot)
        *(int *)spot->item = slot;
    else
        vacancy->free |= 1UL << slot;
    salp__latch_release(&vacancy->latch);
    if (spot)
        salp__resume(spot);
}

void salp__vacancy_end(salp__process_engine *engine)
{
    salp__list woken;
    salp__latch_take(&engine->vacancy.latch);
    engine->vacancy.over = true;
    salp__claim_all(&engine->vacancy.line, &woken);
    salp__latch_release(&engine->vacancy.latch);
    salp__resume_all(&woken);
}
