/*
 * The stretch: results that a worker has and has not handed over. worker.c tells of its invariants.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/stretch.h"

#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/fault.h"

void salp__refuse(salp__worker *w, int error)
{
    int32_t none = 0;
    /* relaxed: the first error stays; it is read after the call is done, which the state word orders. */
    atomic_compare_exchange_strong_explicit(&w->live->refused, &none, error, memory_order_relaxed,
                                            memory_order_relaxed);
    atomic_fetch_or_explicit(&w->live->signal, SALP__STOP, memory_order_relaxed);
}

int salp__put(salp__worker *w, const void *data, uint64_t size, uint64_t offset)
{
    SALP__STEP();
    int error = salp__file_write(w->control->arena, data, size, offset);
    if (error == -EBADF)
        salp__process_leave(SALP__EXIT_DESCRIPTORS);
    return error;
}

void salp__check_descriptors(salp__worker *w)
{
    salp__file_identity now;
    if (!salp__file_identify(w->control->arena, &now) || now.inode != w->arena.inode || now.device != w->arena.device)
        salp__process_leave(SALP__EXIT_DESCRIPTORS);
}

static int put_states(salp__worker *w, uint64_t begin, uint64_t count)
{
    static unsigned char states[SALP__WINDOW_ITEMS]; /* large for a stack; a worker is one thread */
    memset(states, SALP__RAN, count);
    for (uint64_t i = 0; w->failed && i < count; i++) {
        if (w->errors[i] != 0)
            states[i] = w->errors[i] < 0 ? SALP__FAILED : SALP__VALUE;
    }
    return salp__put(w, states, count, w->params->states + begin);
}

static int put_runner(salp__worker *w, uint64_t begin, uint64_t count)
{
    static int runners[SALP__WINDOW_ITEMS];
    for (uint64_t i = 0; i < count; i++)
        runners[i] = w->pid;
    return salp__put(w, runners, count * sizeof *runners, w->params->runners + begin * sizeof *runners);
}

static uint64_t count_failed(const salp__worker *w, uint64_t count)
{
    uint64_t failed = 0;
    for (uint64_t i = 0; w->negative && i < count; i++)
        failed += w->errors[i] < 0;
    return failed;
}

static int put_results(salp__worker *w, uint64_t begin, uint64_t count)
{
    uint64_t size = salp__result_size(w->params);
    if (size == 0)
        return 0;
    if (!w->params->out_in_place)
        return salp__put(w, w->results, count * size, w->params->out.offset + begin * size);
    SALP__STEP();
    salp__results_store(w->params, begin, count, w->results, w->errors);
    return 0;
}

/* The short way. false: it has to be the long one. */
static bool put_single(salp__worker *w)
{
    salp__single *single = &w->live->single;
    uint64_t size = w->params->out.size;
    uint64_t ticket = atomic_load_explicit(&w->place->attached, memory_order_relaxed) / SALP__SLOTS;
    if (!w->params->single || w->failed)
        return false;
    SALP__STEP();
    memcpy(single->bytes, w->results, size);
    single->sum = salp__single_sum(w->results, ticket, size); /* not of what may have been changed already */
    SALP__STEP();
    /* release: pairs with the acquire of the steward; for the program, the state of the call orders it. */
    atomic_store_explicit(&single->there, 1, memory_order_release);
    return true;
}

void salp__stretch_deliver(salp__worker *w)
{
    uint64_t begin = salp__get(&w->place->begin), done = salp__get(&w->place->done);
    if (done > 0 && put_single(w)) {
        atomic_fetch_add_explicit(&w->live->done, done, memory_order_relaxed); /* for progress */
    } else if (done > 0) {
        salp__check_descriptors(w);
        int error = put_results(w, begin, done);
        if (error == 0 && w->failed)
            error = salp__put(w, w->errors, done * sizeof *w->errors, w->params->errors + begin * sizeof *w->errors);
        if (error == 0 && w->negative && w->params->reports)
            error = put_runner(w, begin, done);
        if (error == 0)
            error = put_states(w, begin, done);
        if (error < 0)
            salp__refuse(w, error);
        SALP__STEP();
        /* relaxed: counts for progress. */
        atomic_fetch_add_explicit(&w->live->failed, count_failed(w, done), memory_order_relaxed);
        atomic_fetch_add_explicit(&w->live->done, done, memory_order_relaxed);
        if (w->negative && w->params->stops)
            atomic_fetch_or_explicit(&w->live->signal, SALP__STOP, memory_order_relaxed);
        if (w->failed)
            memset(w->errors, 0, done * sizeof *w->errors);
    }
    salp__set_stage(w, SALP__IDLE);
    SALP__STEP();
    salp__set(&w->place->done, 0);
    SALP__STEP();
    salp__set(&w->place->limit, 0);
    SALP__STEP();
    salp__set(&w->place->sum, 0);
    SALP__STEP();
    w->failed = w->negative = false;
}

static uint64_t room_in_stretch(const salp__worker *w)
{
    return w->window.items - salp__get(&w->place->done);
}

uint64_t salp__stretch_extend(salp__worker *w, uint64_t begin, uint64_t count)
{
    uint64_t done = salp__get(&w->place->done);
    if (done > 0 && (salp__get(&w->place->begin) + done != begin || room_in_stretch(w) == 0)) {
        salp__stretch_deliver(w);
        done = 0;
    }
    if (done == 0) {
        salp__set(&w->place->begin, begin);
        w->stretch_began = salp__now();
    }
    uint64_t room = room_in_stretch(w);
    if (count > room)
        count = room;
    /* Jobs find zeros where their results go, not another item's. */
    memset(w->results + done * w->params->out.size, 0, count * w->params->out.size);
    SALP__STEP();
    salp__set(&w->place->limit, done + count);
    SALP__STEP();
    return count;
}
