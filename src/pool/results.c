/*
 * What the items of a call have left, brought to where the user wants it when the call is over.
 *
 *   region of the slot:   | ... | states | results | ... | errors | runners |
 *                                            |               |
 *   the user's:                         call->out     options.errors
 *
 * I1  An item is judged by its state alone: results and errors of an item without one are of an earlier call, or of a worker
 *     that died.
 * I2  An item that has not succeeded leaves its place in `out` untouched; `errors` gets a value for every item.
 * I3  Where all went well, there is one comparison for each piece of items, and one copy of all their results; the errors, in
 *     a hole of the file, are not even read. That is the common case, and long maps spend their time here.
 *
 * The states are in our memory, where workers can only write by a system call. The errors are read by one, too: their pages
 * are holes until somebody fails, and a hole that is mapped would take memory when it is looked at.
 *
 * Two results come by other ways: that of a call with a single item may lie in salp__live, and the answer to a message has a
 * room of its own, since its length is known late.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "os/file.h"
#include "pool/processes.h"

enum { PIECE = 1024 }; /* items that are judged together */

typedef struct collection {
    salp__process_engine *engine;
    salp__call *call;
    const salp__params *params;
    const char *states;
    const char *results;    /* NULL: they are where they are wanted */
    int undone;             /* the error of an item that was not run */
    salp__outcome *outcome; /* so far */
} collection;

/* ---- results that come by other ways ---- */

/* A damaged result: its item has failed. */
static void note_damage(const salp__process_engine *engine, const salp__params *params, char *memory)
{
    int values[] = { SALP_EDAMAGED, 0 }; /* and by whom is not known */
    uint64_t offsets[] = { params->errors, params->runners };
    for (int i = 0; i < 2; i++) {
        if (salp__file_write(engine->control.arena, &values[i], sizeof values[i], offsets[i]) < 0)
            return; /* it counts as not run, which is an error too */
    }
    memory[params->states] = SALP__FAILED;
}

/* Puts a result that came the short way where all others are. */
static void adopt_single(const salp__process_engine *engine, const salp__call *call)
{
    const salp__slot *s = &engine->slots[call->engine.processes.slot];
    const salp__params *params = &engine->control.head->params[call->engine.processes.slot];
    const salp__single *single = &engine->control.shared->live[call->engine.processes.slot].single;
    char *memory = s->memory - s->offset;
    /* relaxed: ordered by the state of the call. The steward may have taken the result from the window instead. */
    if (!params->single || !atomic_load_explicit(&single->there, memory_order_relaxed) ||
        memory[params->states] != SALP__UNDONE)
        return;
    salp__single copy;
    memcpy(copy.bytes, single->bytes, sizeof copy.bytes);
    if (salp__single_sum(copy.bytes, s->ticket, call->out_size) != single->sum) {
        note_damage(engine, params, memory);
        return;
    }
    memcpy(memory + params->out.offset, copy.bytes, call->out_size);
    memory[params->states] = SALP__RAN;
}

static int read_answer(const salp__process_engine *engine, const salp__call *call)
{
    const salp__live *live = &engine->control.shared->live[call->engine.processes.slot];
    uint64_t size = atomic_load_explicit(&live->answer_size, memory_order_relaxed); /* published by the state */
    int error = salp_buffer_reserve(call->answer, size);
    if (error == 0 && size > 0)
        error = salp__file_read(engine->control.arena, (char *)call->answer->data + call->answer->size, size,
                                atomic_load_explicit(&live->answer_offset, memory_order_relaxed));
    if (error == 0)
        call->answer->size += size;
    return error;
}

/* ---- all others ---- */

static void copy_results(const collection *c, uint64_t begin, uint64_t count)
{
    uint64_t size = c->call->out_size;
    if (size > 0 && count > 0 && c->results)
        memcpy((char *)c->call->out + begin * size, c->results + begin * size, count * size);
}

/* Items [begin, begin + count), of which some have failed, were not run, or have values. */
static int collect_piece(collection *c, uint64_t begin, uint64_t count)
{
    salp__outcome *outcome = c->outcome;
    int values[PIECE];
    int error = salp__file_read(c->engine->control.arena, values, count * sizeof *values,
                                c->params->errors + begin * sizeof *values);
    if (error < 0)
        return error;
    for (uint64_t i = 0; i < count; i++) {
        unsigned char state = (unsigned char)c->states[begin + i];
        if (state == SALP__UNDONE)
            values[i] = c->undone;
        else if (state == SALP__RAN)
            values[i] = 0;
        if (state == SALP__RAN || state == SALP__VALUE)
            copy_results(c, begin + i, 1);
        outcome->ran += state != SALP__UNDONE;
        if ((state == SALP__FAILED || state == SALP__REPORTED) && outcome->first_error == 0)
            outcome->first_error = values[i] < 0 ? values[i] : SALP_EDAMAGED;
        if (c->call->options.errors)
            c->call->options.errors[begin + i] = values[i];
    }
    return salp__failures_tell_own(c->engine, c->call, begin, count);
}

static bool all_ran(const char *states, uint64_t count)
{
    static const char ran[PIECE] = { [0 ... PIECE - 1] = SALP__RAN };
    return memcmp(states, ran, count) == 0;
}

static int collect(collection *c)
{
    uint64_t count = c->call->count, smooth = 0; /* results from `smooth` on are good and not yet copied */
    for (uint64_t at = 0; at < count; at += PIECE) {
        uint64_t piece = count - at < PIECE ? count - at : PIECE;
        if (all_ran(c->states + at, piece)) {
            c->outcome->ran += piece;
            if (c->call->options.errors)
                memset(c->call->options.errors + at, 0, piece * sizeof(int));
            continue;
        }
        copy_results(c, smooth, at - smooth);
        smooth = at + piece;
        int error = collect_piece(c, at, piece);
        if (error < 0)
            return error;
    }
    copy_results(c, smooth, count > smooth ? count - smooth : 0);
    return 0;
}

int salp__results_collect(salp__process_engine *engine, salp__call *call, int undone, salp__outcome *outcome)
{
    const salp__params *params = &engine->control.head->params[call->engine.processes.slot];
    const salp__slot *s = &engine->slots[call->engine.processes.slot];
    const char *memory = s->memory - s->offset;
    collection c = {
        .engine = engine,
        .call = call,
        .params = params,
        .states = memory + params->states,
        .results = params->out_in_place ? NULL : memory + params->out.offset,
        .undone = undone,
        .outcome = outcome,
    };
    *outcome = (salp__outcome){ 0 };
    adopt_single(engine, call);
    int error = collect(&c);
    if (error == 0 && call->kind == SALP__MESSAGE && outcome->ran > 0)
        error = read_answer(engine, call);
    return error;
}
