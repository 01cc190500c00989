/*
 * Calls of a pool of processes, seen from the program.
 *
 *   region of a slot:  | context | column 0 | column 1 | ... | states | results | tries | errors | runners |
 *                                                                                      (holes until written)
 *
 * The program copies the inputs in (long ones while the workers run already, see salp__params), the workers map the
 * region read-only, and put results, states and errors in with pwrite. At the end the program copies the results out
 * (results.c). What an item left is judged by its state alone, so results and errors need not be cleared between calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lockfree/lanes.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "pool/processes.h"
#include "shared/array.h"
#include "task/park.h"

enum {
    REGION_MIN = 64 * 1024,
    PAGES_AT_ONCE = 4 * 1024 * 1024, /* bytes that the system gives or takes in one go: less than a millisecond */
#ifdef SALP_HOSTILE
    LONG_INPUT = 32,
    ROUND = 16,
#else
    LONG_INPUT = 1024 * 1024, /* bytes: they are copied in while workers run already */
    ROUND = 64 * 1024,        /* bytes of one lane */
#endif
};

static const uint64_t region_kept = 256UL << 20; /* bytes that stay allocated between calls */

/* ---- functions ---- */

/* In the table of modules, which the workers read: its index + 1. */
static int64_t enter_module(salp__process_engine *engine, const salp__module *module)
{
    salp__control *control = &engine->control;
    for (uint32_t i = 0; i < engine->module_count; i++) {
        salp__module *known = &control->modules[i];
        if (strcmp(known->path, module->path) == 0 && known->build_id_size == module->build_id_size &&
            memcmp(known->build_id, module->build_id, module->build_id_size) == 0)
            return i + 1;
    }
    if (engine->module_count == SALP__MODULES)
        return -ENOSPC;
    uint64_t offset = control->head->modules + engine->module_count * sizeof *module;
    int error = salp__file_reserve(control->arena, offset, sizeof *module);
    if (error < 0)
        return error;
    control->modules[engine->module_count] = *module;
    return ++engine->module_count;
}

int salp__slot_function(salp__process_engine *engine, void *address, salp__function_ref *ref)
{
    if (engine->modules) {
        /* Workers were forked from us: what was code then is code there. */
        if (!salp__module_map_holds(engine->modules, address))
            return SALP_EUNKNOWN;
        *ref = (salp__function_ref){ .place = (uint64_t)(uintptr_t)address };
        return 0;
    }
    salp__module module;
    uint64_t offset;
    if (salp__module_of(address, &module, &offset) < 0)
        return SALP_EUNKNOWN;
    salp__lock_take(&engine->lock);
    int64_t index = enter_module(engine, &module);
    salp__lock_release(&engine->lock);
    if (index < 0)
        return (int)index;
    *ref = (salp__function_ref){ .place = offset, .module = (uint32_t)index };
    return 0;
}

/* ---- taking and giving slots ---- */

static int take_slot(salp__process_engine *engine, salp__call *call, bool wait)
{
    int slot = salp__vacancy_take(engine, wait);
    if (slot < 0)
        return slot;
    /* relaxed: no two get the same; the state of the call publishes it. */
    engine->slots[slot].ticket = atomic_fetch_add_explicit(&engine->tickets, 1, memory_order_relaxed) + 1;
    call->engine.processes.slot = slot;
    return 0;
}

static void give_slot(salp__process_engine *engine, const salp__call *call)
{
    salp__slot *s = &engine->slots[call->engine.processes.slot];
    if (s->reserved > region_kept) {
        salp__file_punch(engine->control.arena, s->offset, s->size);
        s->reserved = 0;
    }
    salp__vacancy_give(engine, call->engine.processes.slot);
}

/* ---- regions ---- */

int salp__arena_take(salp__process_engine *engine, uint64_t size, uint64_t *offset)
{
    salp__lock_take(&engine->lock);
    *offset = engine->arena_end;
    int error = salp__file_extend(engine->control.arena, engine->arena_end + size);
    if (error == 0)
        engine->arena_end += size;
    salp__lock_release(&engine->lock);
    return error;
}

/* Of a region, how much the system is to give or take next. */
static uint64_t next_pages(salp__call *call, uint64_t left)
{
    salp__spell_rest(&call->engine.processes.spell);
    return left < PAGES_AT_ONCE ? left : PAGES_AT_ONCE;
}

static void give_memory(salp__process_engine *engine, salp__call *call, uint64_t offset, uint64_t size)
{
    for (uint64_t at = 0, piece; at < size; at += piece) {
        piece = next_pages(call, size - at);
        salp__file_punch(engine->control.arena, offset + at, piece);
    }
}

/* All of it or nothing. */
static int reserve(salp__process_engine *engine, salp__call *call, uint64_t offset, uint64_t size)
{
    for (uint64_t at = 0, piece; at < size; at += piece) {
        piece = next_pages(call, size - at);
        int error = salp__file_reserve(engine->control.arena, offset + at, piece);
        if (error < 0) {
            give_memory(engine, call, offset, at);
            return error;
        }
    }
    return 0;
}

static void drop_region(salp__process_engine *engine, salp__call *call, salp__slot *s)
{
    salp__unmap(s->memory, s->size);
    give_memory(engine, call, s->offset, s->size);
    s->memory = NULL;
    s->size = s->reserved = 0;
}

/* A region of at least `size` bytes, the first `stored` of which the program can store to. */
static int prepare_region(salp__process_engine *engine, salp__call *call, salp__slot *s, uint64_t size, uint64_t stored)
{
    int error;
    if (s->size < size) {
        drop_region(engine, call, s);
        uint64_t rounded = REGION_MIN;
        while (rounded < size)
            rounded *= 2;
        error = salp__arena_take(engine, rounded, &s->offset);
        if (error < 0)
            return error;
        void *memory;
        error = salp__map_file(&memory, engine->control.arena, s->offset, rounded, true);
        if (error < 0)
            return error;
        s->memory = memory;
        s->size = rounded;
    }
    if (s->reserved < stored) {
        error = reserve(engine, call, s->offset + s->reserved, stored - s->reserved);
        if (error < 0)
            return error;
        s->reserved = stored;
    }
    return 0;
}

static bool is_in_place(const salp__params *params, int column)
{
    return params->columns_in_place >> column & 1;
}

static bool overlap(uintptr_t a, size_t a_size, uintptr_t b, size_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* The same of memory that has two addresses here. */
static bool overlap_in_memory(const salp__array_place *a, size_t a_size, const salp__array_place *b, size_t b_size)
{
    return a->memory.inode == b->memory.inode && a->memory.device == b->memory.device &&
           overlap(a->offset, a_size, b->offset, b_size);
}

/* What the workers find where the program has it. I7 of control.h */
static void find_in_place(const salp__process_engine *engine, const salp__call *call, salp__params *params)
{
    salp__array_place out, in;
    size_t out_size = call->out_size * call->count;
    if (call->kind == SALP__MESSAGE || engine->arrays == 0)
        return;
    params->out_in_place =
        out_size > 0 && salp__arrays_find(call->out, out_size, &out) && out.stored && out.number <= engine->arrays;
    for (int i = 0; i < call->column_count; i++) {
        const salp_column *column = &call->columns[i];
        size_t size = column->size * call->count;
        bool found = salp__arrays_find(column->data, size, &in);
        if (found && in.number <= engine->arrays)
            params->columns_in_place |= 1U << i;
        if (params->out_in_place && (overlap((uintptr_t)column->data, size, (uintptr_t)call->out, out_size) ||
                                     (found && overlap_in_memory(&in, size, &out, out_size))))
            params->out_in_place = false;
    }
}

static uint64_t place_next(uint64_t *end, uint64_t size)
{
    uint64_t at = (*end + 63) / 64 * 64;
    *end = at + size;
    return at;
}

/* Where everything lies in the region: offsets from its start. `stored`: bytes that have to be backed by memory. */
static uint64_t lay_out(const salp__call *call, const salp__head *head, salp__params *params, uint64_t *stored)
{
    bool retries = head->retries > 0;
    uint64_t end = 0, count = call->count;
    params->context = (salp__span){ place_next(&end, call->options.context_size), call->options.context_size };
    for (int i = 0; i < call->column_count; i++) {
        const salp_column *column = &call->columns[i];
        uint64_t at = is_in_place(params, i) ? (uintptr_t)column->data : place_next(&end, column->size * count);
        params->columns[i] = (salp__span){ at, column->size };
    }
    params->states = place_next(&end, count);
    uint64_t out_size = call->kind == SALP__MESSAGE ? SALP__ANSWER_ROOM : call->out_size;
    uint64_t out_at = params->out_in_place ? (uintptr_t)call->out : place_next(&end, out_size * count);
    params->out = (salp__span){ out_at, out_size };
    params->tries = retries ? place_next(&end, count) : end;
    *stored = end;
    params->errors = place_next(&end, count * sizeof(int));
    params->runners = place_next(&end, count * sizeof(int));
    if (call->kind != SALP__MESSAGE && out_size > SALP__WINDOW_BYTES) {
        uint64_t window = salp__pages(out_size) + salp__pages(sizeof(int));
        end = salp__pages(end);
        params->windows = (salp__span){ end, window };
        end += window * head->workers;
    }
    return end;
}

static void shift(const salp__call *call, salp__params *params, uint64_t offset)
{
    params->context.offset += offset;
    for (int i = 0; i < call->column_count; i++)
        params->columns[i].offset += is_in_place(params, i) ? 0 : offset;
    params->states += offset;
    params->out.offset += params->out_in_place ? 0 : offset;
    params->errors += offset;
    params->runners += offset;
    params->tries += offset;
    params->windows.offset += offset;
}

static void prepare_items(salp__call *call, const salp__params *params, const salp__slot *s, bool retries)
{
    salp__spell *spell = &call->engine.processes.spell;
    salp__spell_copy(spell, s->memory + params->context.offset, call->options.context, call->options.context_size);
    salp__spell_fill(spell, s->memory + params->states, SALP__UNDONE, call->count);
    if (retries)
        salp__spell_fill(spell, s->memory + params->tries, 0, call->count);
}

/* ---- inputs ---- */

/* Long inputs are copied in rounds, a piece of each lane in each, so that the workers begin with the first. */
static uint64_t round_of(const salp__call *call, const salp__params *params)
{
    uint64_t size = 0;
    for (int i = 0; i < call->column_count; i++)
        size += is_in_place(params, i) ? 0 : call->columns[i].size;
    if (size * call->count < LONG_INPUT)
        return 0;
    return size < ROUND ? ROUND / size : 1;
}

static void copy_items(salp__call *call, const salp__params *params, const salp__slot *s, uint64_t begin, uint64_t end)
{
    char *memory = s->memory - s->offset;
    for (int i = 0; i < call->column_count && begin < end; i++) {
        uint64_t size = call->columns[i].size;
        if (is_in_place(params, i))
            continue;
        salp__spell_copy(&call->engine.processes.spell, memory + params->columns[i].offset + begin * size,
                         (const char *)call->columns[i].data + begin * size, (end - begin) * size);
    }
}

/* Copies one round. false: there was nothing left to copy. */
static bool copy_round(const salp__process_engine *engine, salp__call *call, uint64_t round)
{
    int slot = call->engine.processes.slot, lanes = (int)engine->control.head->workers;
    const salp__params *params = &engine->control.head->params[slot];
    bool copied = false;
    for (int i = 0; i < lanes; i++) {
        salp__range share = salp__lane_share((salp__range){ .end = params->units }, lanes, i);
        uint64_t begin = share.begin * params->unit + round * params->round, end = share.end * params->unit;
        if (end > params->count)
            end = params->count;
        if (begin + params->round < end)
            end = begin + params->round;
        copy_items(call, params, &engine->slots[slot], begin, end);
        copied |= begin < end;
    }
    return copied;
}

/* What the workers need to begin. */
static void copy_first(const salp__process_engine *engine, salp__call *call)
{
    int slot = call->engine.processes.slot;
    if (engine->control.head->params[slot].round > 0)
        copy_round(engine, call, 0);
    else
        copy_items(call, &engine->control.head->params[slot], &engine->slots[slot], 0, call->count);
}

/* Whether nobody wants the rest any more: its caller is about to cancel it. */
static bool is_given_up(const salp__call *call)
{
    return call->awaited && salp__scope_error(salp__self()) < 0;
}

/* The rest, while they run. */
static void copy_rest(salp__process_engine *engine, salp__call *call)
{
    int slot = call->engine.processes.slot;
    salp__live *live = &engine->control.shared->live[slot];
    uint64_t round = 1;
    if (engine->control.head->params[slot].round == 0)
        return;
    while (copy_round(engine, call, round)) {
        round++;
        /* release: pairs with the acquire in the worker; the inputs are then readable. */
        atomic_store_explicit(&live->filled, round, memory_order_release);
        salp__wake(&live->room, INT_MAX, true);
        /* relaxed: a request. Whoever waits for inputs that do not come is woken to see it, or has no pool any more. */
        bool stopped = atomic_load_explicit(&live->signal, memory_order_relaxed) & SALP__STOP;
        if (stopped || salp__processes_ended(engine) < 0) {
            salp__wake(&live->room, INT_MAX, true);
            return;
        }
        if (is_given_up(call))
            return; /* they wait until it is stopped */
    }
    atomic_store_explicit(&live->filled, UINT64_MAX, memory_order_release); /* likewise */
    salp__wake(&live->room, INT_MAX, true);
}

/* ---- beginning ---- */

static int check_start(const salp__process_engine *engine, const salp__call *call)
{
    const void *context = call->options.context;
    if (!context || call->options.context_size > 0)
        return 0;
    /* A pointer means nothing in workers that do not come from our memory. */
    if (engine->pool->options.start != SALP_FORK)
        return -EINVAL;
    /* The steward's memory is ours as it was when the workers were started. Where the system does not let us look (0 is
       "cannot be read", an error is "not allowed to ask"), a wrong pointer is a crash of the item. */
    return salp__process_readable(engine->steward_pid, context) == 0 ? SALP_EUNKNOWN : 0;
}

static void publish(salp__process_engine *engine, salp__call *call)
{
    salp__control *control = &engine->control;
    int slot = call->engine.processes.slot;
    salp__live *live = &control->shared->live[slot];
    const salp__params *params = &control->head->params[slot];
    salp__slot_records *records = &control->records->slots[slot];
    salp__lanes_split(salp__lanes_of(control, slot), (int)control->head->workers,
                      (salp__range){ .end = params->units });
    /* relaxed, all: nobody is attached; the state below publishes them. */
    atomic_store_explicit(&live->suspect, 0, memory_order_relaxed);
    atomic_store_explicit(&live->refused, 0, memory_order_relaxed);
    atomic_store_explicit(&live->redo, 0, memory_order_relaxed);
    atomic_store_explicit(&live->filled, 1, memory_order_relaxed);
    atomic_store_explicit(&live->answer_needs, 0, memory_order_relaxed);
    atomic_store_explicit(&live->room_size, 0, memory_order_relaxed);
    atomic_store_explicit(&live->answer_size, 0, memory_order_relaxed);
    atomic_store_explicit(&live->single.there, 0, memory_order_relaxed);
    atomic_store_explicit(&live->signal, 0, memory_order_relaxed);
    atomic_store_explicit(&live->done, 0, memory_order_relaxed);
    atomic_store_explicit(&live->failed, 0, memory_order_relaxed);
    atomic_store_explicit(&records->read, atomic_load_explicit(&records->written, memory_order_relaxed),
                          memory_order_relaxed);
    /* seq_cst: pairs with salp__attach. */
    atomic_store(&live->state, salp__state(engine->slots[slot].ticket, SALP__RUNNING));
    atomic_fetch_or_explicit(&control->shared->running, 1UL << slot, memory_order_relaxed);
    atomic_fetch_or_explicit(&control->shared->runnable, 1UL << slot, memory_order_release);
    uint32_t workers = control->head->workers;
    call->engine.processes.slept = salp__wake_idle(control, params->units < workers ? params->units : workers);
    if (control->head->item_timeout > 0 || control->head->memory_limit > 0)
        salp__eventfd_ring(engine->door);
}

static int describe(salp__process_engine *engine, salp__call *call)
{
    int slot = call->engine.processes.slot;
    salp__params *params = &engine->control.head->params[slot];
    salp__slot *s = &engine->slots[slot];
    salp__units units = salp__units_of(call->count, call->options.chunk, engine->control.head->items_per_worker > 0);
    *params = (salp__params){
        .kind = call->kind,
        .column_count = (uint32_t)call->column_count,
        .count = call->count,
        .unit = units.size,
        .units = units.count,
        .fixed = units.fixed,
        .single = call->count == 1 && call->kind != SALP__MESSAGE && call->out_size <= SALP__SINGLE_BYTES,
        .stops = !call->options.errors,
        .reports = salp__call_reports(call),
        .attended = call->future != NULL,
        .context_pointer = (uint64_t)(uintptr_t)call->options.context,
    };
    int error = salp__slot_function(engine, call->function.address, &params->function);
    if (error < 0)
        return error;
    find_in_place(engine, call, params);
    params->single = params->single && !params->out_in_place;
    uint64_t stored, size = lay_out(call, engine->control.head, params, &stored);
    error = prepare_region(engine, call, s, size, stored);
    if (error < 0)
        return error;
    prepare_items(call, params, s, engine->control.head->retries > 0);
    shift(call, params, s->offset);
    params->region = (salp__span){ s->offset, s->size };
    params->round = round_of(call, params);
    copy_first(engine, call);
    return 0;
}

int salp__slot_begin(salp__process_engine *engine, salp__call *call, bool wait)
{
    int error = check_start(engine, call);
    if (error < 0)
        return error;
    error = take_slot(engine, call, wait);
    if (error < 0)
        return error;
    error = describe(engine, call);
    if (error < 0) {
        give_slot(engine, call);
        return error;
    }
    publish(engine, call);
    copy_rest(engine, call);
    return 0;
}

/* ---- in between ---- */

static salp__live *live_of(const salp__process_engine *engine, const salp__call *call)
{
    return &engine->control.shared->live[call->engine.processes.slot];
}

bool salp__slot_done(const salp__process_engine *engine, const salp__call *call)
{
    uint64_t ticket = engine->slots[call->engine.processes.slot].ticket;
    /* seq_cst: pairs with the compare-and-swap in salp__finish; all results are then in the arena. */
    return atomic_load(&live_of(engine, call)->state) == salp__state(ticket, SALP__DONE);
}

void salp__slot_stop(salp__process_engine *engine, salp__call *call)
{
    int slot = call->engine.processes.slot;
    salp__live *live = live_of(engine, call);
    atomic_fetch_or(&live->signal, SALP__STOP); /* seq_cst: a worker that attaches after our look sees it */
    salp__wake(&live->room, INT_MAX, true);
    /* Nobody may be attached, and then nobody else would find out that it is over. */
    salp__finish(&engine->control, slot, engine->slots[slot].ticket, false);
}

/* Room for an answer of so many bytes, from the slot's own or, when that is too small, a larger one that it keeps. */
static int take_room(salp__process_engine *engine, salp__slot *s, uint64_t needs)
{
    if (s->room_size < needs) {
        uint64_t size = REGION_MIN;
        while (size < needs)
            size *= 2;
        if (s->room_size > 0)
            salp__file_punch(engine->control.arena, s->room_offset, s->room_size);
        s->room_size = 0;
        int error = salp__arena_take(engine, size, &s->room_offset);
        if (error < 0)
            return error;
        s->room_size = size;
    }
    return salp__file_reserve(engine->control.arena, s->room_offset, salp__pages(needs));
}

static void make_room(salp__process_engine *engine, salp__call *call)
{
    salp__process_call *state = &call->engine.processes;
    salp__slot *s = &engine->slots[state->slot];
    salp__live *live = live_of(engine, call);
    uint64_t needs = atomic_load(&live->answer_needs);
    if (needs == 0 || state->room >= needs)
        return;
    int error = take_room(engine, s, needs);
    if (error < 0) {
        int32_t none = 0;
        atomic_compare_exchange_strong(&live->refused, &none, error);
        salp__slot_stop(engine, call);
        return;
    }
    state->room = needs;
    atomic_store_explicit(&live->room_offset, s->room_offset, memory_order_relaxed); /* published by the next */
    atomic_store_explicit(&live->room_size, needs, memory_order_release);
    salp__wake(&live->room, 1, true);
}

static void tell_progress(salp__process_engine *engine, salp__call *call)
{
    salp__process_call *state = &call->engine.processes;
    if (!call->options.on_progress)
        return;
    int64_t now = salp__now();
    size_t done = atomic_load_explicit(&live_of(engine, call)->done, memory_order_relaxed);
    if (done > call->count)
        done = call->count; /* a death may have been counted twice */
    if (now - state->progress_at < SALP__PROGRESS_INTERVAL || done <= state->progress_told)
        return;
    state->progress_at = now;
    state->progress_told = done;
    call->options.on_progress(done, call->count, call->options.on_progress_arg);
}

void salp__slot_serve(salp__process_engine *engine, salp__call *call)
{
    if (call->kind == SALP__MESSAGE)
        make_room(engine, call);
    if (salp__call_reports(call))
        salp__failures_tell(engine, call);
    tell_progress(engine, call);
}

int64_t salp__slot_pause(const salp__call *call)
{
    return call->options.on_progress ? SALP__PROGRESS_INTERVAL : SALP__LIVENESS_INTERVAL;
}

/* ---- the end ---- */

static void free_room(salp__process_engine *engine, const salp__process_call *state)
{
    const salp__slot *s = &engine->slots[state->slot];
    if (state->room > 0)
        salp__file_punch(engine->control.arena, s->room_offset, s->room_size);
}

int salp__slot_end(salp__process_engine *engine, salp__call *call, int ended)
{
    int slot = call->engine.processes.slot;
    salp__live *live = live_of(engine, call);
    atomic_fetch_and_explicit(&engine->control.shared->running, ~(1UL << slot), memory_order_relaxed);
    if (salp__call_reports(call))
        salp__failures_tell(engine, call);
    int refused = atomic_load_explicit(&live->refused, memory_order_relaxed);
    int stopped = ended < 0 ? ended : refused;
    if (stopped == 0)
        stopped = atomic_load_explicit(&call->engine.processes.override, memory_order_relaxed);
    salp__outcome outcome;
    int error = salp__results_collect(engine, call, stopped < 0 ? stopped : -ECANCELED, &outcome);
    if (call->options.on_progress)
        call->options.on_progress(outcome.ran, call->count, call->options.on_progress_arg);
    free_room(engine, &call->engine.processes);
    give_slot(engine, call);
    /* A worker that came late and could not get its memory refuses a call that the others have already run. */
    bool refused_in_vain = stopped < 0 && stopped == refused && ended == 0 && outcome.ran == call->count;
    if (stopped < 0 && !refused_in_vain)
        return stopped;
    if (error < 0 || outcome.first_error < 0)
        return error < 0 ? error : outcome.first_error;
    return outcome.ran < call->count ? -ECANCELED
                                     : 0; /* somebody has stopped it who had no right to: never a success */
}
