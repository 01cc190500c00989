/*
 * Calls that users send to a loop.
 *
 *   salp_loop_call --> | block |->| block | sent --take all--> | block |->| block | taken --make--> ...
 *
 * They lie in blocks behind a latch, in their order. One event stands for all: who finds that it is not under way sends
 * it. So a burst costs neither an allocation for each call nor a place in the inbox, and wakes the loop once.
 *
 * I1  While there is a call that the loop has not made, the event is under way: it is sent, or ready, or the loop runs it;
 *     or somebody is just about to send it. `sent` says so, and only the loop makes it false, when it has found nothing.
 * I2  Who does not send the event touches nothing of the loop after he has released the latch; who does, after he has sent
 *     it: the loop makes none of the calls before, since it comes here by the event only. So a call may be the last
 *     thing that the loop does.
 *
 * Memory is taken from the system without the latch, and a block that is empty again is kept, so that calls now and then
 * need none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "loop/loop.h"
#include "os/memory.h"

enum {
#ifdef SALP_HOSTILE
    CALLS = 2,
#else
    CALLS = 63, /* of a block, which is a kilobyte with its link */
#endif
};

typedef struct call {
    salp_call_fn *function;
    void *arg;
} call;

typedef struct salp__call_block {
    struct salp__call_block *next;
    unsigned count;
    call calls[CALLS];
} block;

/* ---- sending ---- */

static bool has_room(const block *b)
{
    return b && b->count < CALLS;
}

/* [latch] Where the next call goes to; NULL: there is no memory here. */
static block *block_locked(salp__calls *calls)
{
    if (has_room(calls->last))
        return calls->last;
    block *fresh = calls->spare;
    if (!fresh)
        return NULL;
    calls->spare = fresh->next;
    fresh->next = NULL;
    fresh->count = 0;
    *(calls->last ? &calls->last->next : &calls->first) = fresh;
    calls->last = fresh;
    return fresh;
}

static void keep_locked(salp__calls *calls, block *empty)
{
    empty->next = calls->spare;
    calls->spare = empty;
}

/* Takes the latch. Returns a block with room; NULL, and without the latch: no memory. */
static block *take_with_room(salp__calls *calls)
{
    block *room;
    salp__latch_take(&calls->latch);
    while (!(room = block_locked(calls))) {
        salp__latch_release(&calls->latch);
        block *fresh = salp__allocate_raw(sizeof *fresh);
        if (!fresh)
            return NULL;
        salp__latch_take(&calls->latch);
        keep_locked(calls, fresh); /* somebody else may have had the same idea meanwhile */
    }
    return room;
}

int salp_loop_call(salp_loop *loop, salp_call_fn *function, void *arg)
{
    if (!loop || !function)
        return -EINVAL;
    salp__calls *calls = &loop->calls;
    block *room = take_with_room(calls);
    if (!room)
        return -ENOMEM;
    room->calls[room->count++] = (call){ .function = function, .arg = arg };
    bool sent = calls->sent;
    calls->sent = true;
    salp__latch_release(&calls->latch);
    if (!sent)
        salp__loop_send(loop, &calls->event); /* I2 */
    return 0;
}

/* ---- making them ---- */

/* Frees a block of which all calls are made, or keeps it. Returns the one behind it. */
static block *done_with(salp__calls *calls, block *done)
{
    block *next = done->next;
    salp__latch_take(&calls->latch);
    bool keep = !calls->spare;
    if (keep)
        keep_locked(calls, done);
    salp__latch_release(&calls->latch);
    if (!keep)
        salp__free(done);
    return next;
}

/* false: nothing was sent, and the event is not under way any more. I1 */
static bool take_all(salp__calls *calls)
{
    salp__latch_take(&calls->latch);
    calls->taken = calls->first;
    calls->first = calls->last = NULL;
    calls->sent = calls->taken != NULL;
    salp__latch_release(&calls->latch);
    return calls->taken != NULL;
}

/* As many as events, of which this is one, may run in a turn. */
static void make_calls(salp__event *event)
{
    salp__loop *loop = SALP__CONTAINER(event, salp__loop, calls.event);
    salp__calls *calls = &loop->calls;
    calls->lately = true;
    while (calls->taken || take_all(calls)) {
        const block *b = calls->taken;
        while (calls->made < b->count) {
            call next = b->calls[calls->made++];
            if (!loop->closing)
                next.function(next.arg);
            if (!salp__loop_goes_on(loop)) {
                salp__loop_soon(loop, event);
                return;
            }
            loop->budget--;
        }
        calls->taken = done_with(calls, calls->taken);
        calls->made = 0;
    }
}

void salp__calls_open(salp__loop *loop)
{
    loop->calls.event.run = make_calls;
}

void salp__calls_close(salp__loop *loop)
{
    while (loop->calls.spare) {
        block *b = loop->calls.spare;
        loop->calls.spare = b->next;
        salp__free(b);
    }
}
