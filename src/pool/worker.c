/*
 * A worker process: finds calls that have something left, runs pieces of them, hands the results over.
 *
 *   claim:   [begin, end) of the lanes, by compare-and-swap
 *   run:     each result goes into the window, which outlives this process:   |r0|r1|r2|  |  |
 *   deliver: the stretch of results goes to the arena with pwrite, then its states
 *
 * Claims that are neighbours share one stretch, so that a system call is paid once for many short items. A stretch is
 * delivered when it is full, when the next claim is not its neighbour, or when it is older than half of what a claim
 * should last: also in the midst of a claim, since a chunk that the user chose may last for hours.
 *
 * This process may die at any instruction. What the steward then needs is in its place (control.h):
 *
 * I1  `sum` and `done` are stored after each item, in this order. So the steward, who computes the sum over the window,
 *     finds either `done` or `done + 1` results complete, and knows which.
 * I2  The place says BUSY only while claimed items of the stretch wait to be run, and item begin + done is the one that
 *     runs. A claim that was made and not yet written down has no state, and is found by the next epoch.
 * I3  A stretch stays HELD until its results and states are delivered; delivering twice is harmless.
 * I4  A process that a job forks has no business here: `mine` reads 0 in it, and it leaves before it touches anything
 *     shared. The window is not mapped in it, so a fork that goes on to write its result crashes, unheard.
 * I5  Descriptors are checked before they are written to: a job may have closed them and opened its own files under
 *     their numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/worker.h"

#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/crash.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "pool/pace.h"
#include "task/park.h"

/* What this process keeps for a slot from one call to the next: mappings stay good, since file offsets do. */
typedef struct view {
    salp__span mapped; /* part of the arena */
    const char *region;
    uint64_t ticket; /* of the call that `context` is a copy for */
    void *context;
} view;

typedef struct worker {
    salp__control *control;
    int index;
    salp__place *place;
    const int *mine; /* I4 */
    pid_t pid;
    salp__file_identity arena; /* I5 */
    size_t ran, limit; /* items; limit SIZE_MAX: none */
    view views[SALP__SLOTS];
    char *modules[SALP__MODULES]; /* load biases, found so far */
    char *own_results;            /* its own window, mapped */
    int *own_errors;

    /* The call that it is attached to. */
    int slot;
    const salp__params *params;
    salp__live *live;
    salp__function function;
    void *context;
    salp__window window;
    char *results; /* the window in use: its own, or one of the call's */
    int *errors;
    bool failed;            /* an item of the stretch did not return 0 */
    bool negative;          /* one returned a negative number */
    int64_t stretch_began;
    uint64_t piece; /* items to run between two looks at the clock */
} worker;

/* ---- the stretch ---- */

static void set_stage(worker *w, uint32_t stage)
{
    /* release: what the stage speaks of was stored before. The steward reads it after the death of this process, which
       orders everything; while it lives, a stale value only delays a time limit. */
    atomic_store_explicit(&w->place->stage, stage, memory_order_release);
}

static uint64_t get(const _Atomic uint64_t *own)
{
    return atomic_load_explicit(own, memory_order_relaxed); /* only this process writes it */
}

static void set(_Atomic uint64_t *own, uint64_t value)
{
    atomic_store_explicit(own, value, memory_order_relaxed); /* published by the stage or by `done` */
}

static void refuse(worker *w, int error)
{
    int32_t none = 0;
    /* relaxed: the first error stays; it is read after the call is done, which the state word orders. */
    atomic_compare_exchange_strong_explicit(&w->live->refused, &none, error, memory_order_relaxed, memory_order_relaxed);
    atomic_fetch_or_explicit(&w->live->signal, SALP__STOP, memory_order_relaxed);
}

/* Writes to the arena, unless a job has taken its descriptor away: then a new worker has to take over (I5). */
static int put(worker *w, const void *data, uint64_t size, uint64_t offset)
{
    int error = salp__file_write(w->control->arena, data, size, offset);
    if (error == -EBADF)
        salp__process_leave(SALP__EXIT_DESCRIPTORS);
    return error;
}

static void check_descriptors(worker *w)
{
    salp__file_identity now;
    if (!salp__file_identify(w->control->arena, &now) || now.inode != w->arena.inode || now.device != w->arena.device)
        salp__process_leave(SALP__EXIT_DESCRIPTORS);
}

static int put_states(worker *w, uint64_t begin, uint64_t count)
{
    static unsigned char states[SALP__WINDOW_ITEMS]; /* large for a stack; a worker is one thread */
    memset(states, SALP__RAN, count);
    for (uint64_t i = 0; w->failed && i < count; i++) {
        if (w->errors[i] != 0)
            states[i] = w->errors[i] < 0 ? SALP__FAILED : SALP__VALUE;
    }
    return put(w, states, count, w->params->states + begin);
}

static int put_runner(worker *w, uint64_t begin, uint64_t count)
{
    static int runners[SALP__WINDOW_ITEMS];
    for (uint64_t i = 0; i < count; i++)
        runners[i] = w->pid;
    return put(w, runners, count * sizeof *runners, w->params->runners + begin * sizeof *runners);
}

static uint64_t count_failed(const worker *w, uint64_t count)
{
    uint64_t failed = 0;
    for (uint64_t i = 0; w->negative && i < count; i++)
        failed += w->errors[i] < 0;
    return failed;
}

/* Hands the results over and begins an empty stretch. */
static void deliver(worker *w)
{
    uint64_t begin = get(&w->place->begin), done = get(&w->place->done);
    uint64_t size = salp__result_size(w->params);
    if (done > 0) {
        int error = 0;
        check_descriptors(w);
        if (size > 0)
            error = put(w, w->results, done * size, w->params->out.offset + begin * size);
        if (error == 0 && w->failed)
            error = put(w, w->errors, done * sizeof *w->errors, w->params->errors + begin * sizeof *w->errors);
        if (error == 0 && w->negative && w->params->reports)
            error = put_runner(w, begin, done);
        if (error == 0)
            error = put_states(w, begin, done);
        if (error < 0)
            refuse(w, error);
        /* relaxed: counts for progress. */
        atomic_fetch_add_explicit(&w->live->failed, count_failed(w, done), memory_order_relaxed);
        atomic_fetch_add_explicit(&w->live->done, done, memory_order_relaxed);
        if (w->negative && w->params->stops)
            atomic_fetch_or_explicit(&w->live->signal, SALP__STOP, memory_order_relaxed);
        if (w->failed)
            memset(w->errors, 0, done * sizeof *w->errors);
    }
    set_stage(w, SALP__IDLE);
    set(&w->place->done, 0);
    set(&w->place->limit, 0);
    set(&w->place->sum, 0);
    w->failed = w->negative = false;
}

static uint64_t room_in_stretch(const worker *w)
{
    return w->window.items - get(&w->place->done);
}

/* Makes the stretch ready for items from `begin` on; returns how many it can take, at most `count`. */
static uint64_t extend(worker *w, uint64_t begin, uint64_t count)
{
    uint64_t done = get(&w->place->done);
    if (done > 0 && (get(&w->place->begin) + done != begin || room_in_stretch(w) == 0)) {
        deliver(w);
        done = 0;
    }
    if (done == 0) {
        set(&w->place->begin, begin);
        w->stretch_began = salp__now();
    }
    uint64_t room = room_in_stretch(w);
    if (count > room)
        count = room;
    /* Jobs find zeros where their results go, not another item's. */
    memset(w->results + done * w->params->out.size, 0, count * w->params->out.size);
    set(&w->place->limit, done + count);
    return count;
}

/* ---- running ---- */

static int run_star(const worker *w, uint64_t index, void *out)
{
    const salp__params *params = w->params;
    const char *region = w->views[w->slot].region;
    const void *in[SALP_COLUMNS_MAX];
    for (uint32_t i = 0; i < params->column_count; i++) {
        const salp__span *column = &params->columns[i];
        in[i] = region + (column->offset - params->region.offset) + index * column->size;
    }
    return w->function.starjob(in, out, w->context);
}

static void note_result(worker *w, uint64_t position, int result)
{
    w->errors[position] = result;
    w->failed = true;
    w->negative |= result < 0;
}

/* Whether to go on after i items of those that were added, when there is a signal. */
static bool heed(const worker *w, salp__pace *pace, uint32_t signal, uint64_t i)
{
    if (signal & SALP__STOP)
        return false;
    return i == 0 || w->params->unit > 1 || !salp__pace_overdue(pace, i);
}

static inline bool go_on(const worker *w, salp__pace *pace, uint64_t i)
{
    /* relaxed: a request, not a message. */
    uint32_t signal = atomic_load_explicit(&w->live->signal, memory_order_relaxed);
    return SALP__LIKELY(signal == 0) || heed(w, pace, signal, i);
}

static inline void leave_if_forked(const worker *w)
{
    if (SALP__UNLIKELY(!*(volatile const int *)w->mine))
        salp__process_leave(0); /* I4 */
}

/* The item at `position` of the stretch is complete: says so, in the order that I1 asks for. */
static inline void set_complete(salp__place *place, uint64_t position, uint64_t sum)
{
    set(&place->sum, sum);
    /* release: after the sum, I1. */
    atomic_store_explicit(&place->done, position + 1, memory_order_release);
}

/* The loop that is run most, with what it needs in registers. */
static uint64_t run_jobs(worker *w, salp__pace *pace, uint64_t begin, uint64_t count)
{
    const salp__params *params = w->params;
    const salp__span *column = &params->columns[0];
    salp_job *job = w->function.job;
    salp__place *place = w->place;
    void *context = w->context;
    uint64_t in_size = 0, size = params->out.size, position = get(&place->done), sum = get(&place->sum);
    const char *in = NULL;
    char *out = size > 0 ? w->results + position * size : NULL;
    bool stops = params->stops;
    if (params->column_count > 0) {
        in_size = column->size;
        in = w->views[w->slot].region + (column->offset - params->region.offset) + begin * in_size;
    }
    for (uint64_t i = 0; i < count; i++, position++) {
        if (!go_on(w, pace, i))
            return i;
        int result = job(in, out, context);
        leave_if_forked(w);
        if (SALP__UNLIKELY(result != 0))
            note_result(w, position, result);
        sum = salp__mix_result(sum, position, out, size, result);
        set_complete(place, position, sum);
        if (SALP__UNLIKELY(result < 0) && stops)
            return i + 1;
        if (in)
            in += in_size;
        if (out)
            out += size;
    }
    return count;
}

static uint64_t run_stars(worker *w, salp__pace *pace, uint64_t begin, uint64_t count)
{
    uint64_t size = w->params->out.size, position = get(&w->place->done), sum = get(&w->place->sum);
    for (uint64_t i = 0; i < count; i++, position++) {
        if (!go_on(w, pace, i))
            return i;
        char *out = size > 0 ? w->results + position * size : NULL;
        int result = run_star(w, begin + i, out);
        leave_if_forked(w);
        if (result != 0)
            note_result(w, position, result);
        sum = salp__mix_result(sum, position, out, size, result);
        set_complete(w->place, position, sum);
        if (result < 0 && w->params->stops)
            return i + 1;
    }
    return count;
}

/* Runs the items that were added to the stretch. Returns how many; fewer when it was asked to stop or to give some up. */
static uint64_t run_items(worker *w, salp__pace *pace, uint64_t begin, uint64_t count)
{
    set_stage(w, SALP__BUSY);
    uint64_t ran = w->params->kind == SALP__JOB ? run_jobs(w, pace, begin, count) : run_stars(w, pace, begin, count);
    set(&w->place->limit, get(&w->place->done));
    set_stage(w, SALP__HELD);
    w->ran += ran;
    return ran;
}

/* In a later epoch: the next run of items in [begin, end) that have no state. */
static bool skip_done(const worker *w, uint64_t *begin, uint64_t *end)
{
    const volatile char *states = w->views[w->slot].region + (w->params->states - w->params->region.offset);
    while (*begin < *end && states[*begin] != SALP__UNDONE)
        ++*begin;
    uint64_t stop = *begin;
    while (stop < *end && states[stop] == SALP__UNDONE)
        stop++;
    *end = stop;
    return *begin < stop;
}

static bool stopped(const worker *w)
{
    return atomic_load_explicit(&w->live->signal, memory_order_relaxed) & SALP__STOP;
}

/* After a piece of a claim: hands over what is old, and finds the size of the next one. */
static void look_at_clock(worker *w, int64_t began)
{
    int64_t now = salp__now();
    if (now - began < SALP__PACE_TARGET / 4)
        w->piece *= 2;
    else if (now - began > SALP__PACE_TARGET / 2 && w->piece > 1)
        w->piece /= 2;
    if (w->piece > SALP__WINDOW_ITEMS)
        w->piece = SALP__WINDOW_ITEMS;
    if (now - w->stretch_began > SALP__PACE_TARGET / 2)
        deliver(w);
}

/* Runs [begin, end). Returns where it stopped. */
static uint64_t run_range(worker *w, salp__pace *pace, uint64_t begin, uint64_t end)
{
    while (begin < end && !stopped(w)) {
        uint64_t left = end - begin, count = extend(w, begin, left < w->piece ? left : w->piece);
        int64_t began = count < left ? salp__now() : 0;
        salp__pace_begin(pace);
        uint64_t ran = run_items(w, pace, begin, count);
        begin += ran;
        if (w->negative && w->params->stops)
            deliver(w); /* says so to the others */
        if (ran < count)
            break;
        if (count < left)
            look_at_clock(w, began);
    }
    return begin;
}

static void return_rest(worker *w, uint64_t begin, uint64_t end)
{
    salp__range rest = { .begin = (uint32_t)begin, .end = (uint32_t)end };
    atomic_fetch_add(&w->live->returned, 1); /* seq_cst, both: see salp__drained */
    bool returned = salp__lanes_return(salp__lanes_of(w->control, w->slot), w->index, rest);
    atomic_fetch_add(&w->live->returned, 1);
    salp__must(returned); /* our lane is empty, or begins where this range ends: lanes I3 */
    atomic_fetch_and_explicit(&w->live->signal, ~(uint32_t)SALP__HUNGRY, memory_order_relaxed);
    atomic_fetch_or_explicit(&w->control->shared->runnable, 1UL << w->slot, memory_order_relaxed);
    salp__wake_idle(w->control, 1);
}

/* A claim of a later epoch: whatever in it has no state. */
static uint64_t redo_range(worker *w, salp__pace *pace, uint64_t begin, uint64_t end)
{
    while (begin < end) {
        uint64_t stop = end;
        if (!skip_done(w, &begin, &stop))
            return end;
        uint64_t reached = run_range(w, pace, begin, stop);
        if (reached < stop)
            return reached;
        begin = stop;
    }
    return end;
}

/* There is nothing to claim; but somebody, or the steward with another epoch, may just have filled the lanes and set the
   bit, so we look again after we have cleared it. seq_cst: whoever fills later sets the bit after us. */
static void not_runnable(worker *w)
{
    atomic_fetch_and(&w->control->shared->runnable, ~(1UL << w->slot));
    if (!stopped(w) && !salp__lanes_empty(salp__lanes_of(w->control, w->slot), (int)w->control->head->workers))
        atomic_fetch_or(&w->control->shared->runnable, 1UL << w->slot);
}

static void run_call(worker *w)
{
    const salp__params *params = w->params;
    salp__lane *lanes = salp__lanes_of(w->control, w->slot);
    /* seq_cst: after we are attached, see salp__recover. */
    bool redo = atomic_load(&w->live->redo);
    salp__pace pace;
    salp__pace_open(&pace, params->fixed);
    w->piece = 1;
    while (!stopped(w) && w->ran < w->limit) {
        salp__range units;
        uint64_t room = (w->limit - w->ran - 1) / params->unit + 1;
        uint32_t want = room < pace.want ? (uint32_t)room : pace.want;
        if (!salp__lanes_take(lanes, (int)w->control->head->workers, w->index, want, &units)) {
            not_runnable(w);
            break;
        }
        uint64_t begin = units.begin * params->unit, end = units.end * params->unit;
        if (end > params->count)
            end = params->count;
        uint64_t ran = w->ran;
        uint64_t reached = redo ? redo_range(w, &pace, begin, end) : run_range(w, &pace, begin, end);
        if (reached < end && !stopped(w) && params->unit == 1)
            return_rest(w, reached, end);
        salp__pace_end(&pace, w->ran - ran, params->unit);
        if (get(&w->place->done) > 0 && pace.began - w->stretch_began > SALP__PACE_TARGET / 2)
            deliver(w);
    }
    deliver(w);
}

/* ---- messages ---- */

static int wait_for_room(worker *w, uint64_t size)
{
    salp__live *live = w->live;
    atomic_store(&live->answer_needs, size);
    salp__tell(w->control, w->slot, w->params->attended);
    for (;;) {
        uint32_t seen = salp__bell_look(&live->room);
        /* acquire: pairs with the program's release; room_offset is then readable. */
        if (atomic_load_explicit(&live->room_size, memory_order_acquire) >= size)
            return 0;
        if (stopped(w))
            return -ECANCELED;
        salp__park(&live->room, seen, SALP_FOREVER, true, SALP__LOOK_FIRST);
    }
}

static int put_answer(worker *w, const salp_buffer *answer)
{
    uint64_t offset = w->params->out.offset;
    if (answer->size > w->params->out.size) {
        int error = wait_for_room(w, answer->size);
        if (error < 0)
            return error;
        offset = atomic_load_explicit(&w->live->room_offset, memory_order_relaxed); /* published by room_size */
    }
    int error = put(w, answer->data, answer->size, offset);
    /* relaxed: published by the state of the call. */
    atomic_store_explicit(&w->live->answer_offset, offset, memory_order_relaxed);
    atomic_store_explicit(&w->live->answer_size, answer->size, memory_order_relaxed);
    return error;
}

static void run_message(worker *w)
{
    const salp__params *params = w->params;
    salp__range units;
    bool taken = !stopped(w) && salp__lanes_take(salp__lanes_of(w->control, w->slot), (int)w->control->head->workers,
                                                 w->index, 1, &units);
    not_runnable(w);
    if (!taken)
        return;
    const char *region = w->views[w->slot].region;
    salp_bytes in = { .size = params->columns[0].size };
    if (in.size > 0)
        in.data = region + (params->columns[0].offset - params->region.offset);
    salp_buffer answer = { 0 };
    set(&w->place->begin, 0);
    set(&w->place->limit, 1);
    set_stage(w, SALP__BUSY);
    int result = w->function.bytes_job(in, &answer, w->context);
    if (!*(volatile const int *)w->mine)
        salp__process_leave(0);
    check_descriptors(w);
    int error = put_answer(w, &answer);
    salp_buffer_free(&answer);
    w->ran++;
    if (error < 0) {
        refuse(w, error);
    } else {
        if (result != 0)
            note_result(w, 0, result);
        set(&w->place->sum, salp__mix_result(0, 0, NULL, 0, result));
        set(&w->place->done, 1);
    }
    set_stage(w, SALP__HELD);
    deliver(w);
}

/* ---- coming to a call ---- */

static int find_function(worker *w, const salp__function_ref *ref, void **address)
{
    if (ref->module == 0) {
        *address = (void *)(uintptr_t)ref->place;
        return 0;
    }
    char **base = &w->modules[ref->module - 1];
    if (!*base) {
        void *found;
        int error = salp__module_resolve(&w->control->modules[ref->module - 1], ref->place, &found);
        if (error < 0)
            return error == -ENOMEM ? error : SALP_EUNKNOWN;
        *base = (char *)found - ref->place;
    }
    *address = *base + ref->place;
    return 0;
}

static int map_region(worker *w)
{
    view *v = &w->views[w->slot];
    const salp__span *region = &w->params->region;
    if (region->size == 0 || (v->region && v->mapped.offset == region->offset && v->mapped.size == region->size))
        return 0;
    salp__unmap((void *)(uintptr_t)v->region, v->mapped.size);
    v->region = NULL;
    void *address;
    int error = salp__map_file(&address, w->control->arena, region->offset, region->size, false);
    if (error == -EBADF)
        salp__process_leave(SALP__EXIT_DESCRIPTORS);
    if (error < 0)
        return error;
    v->region = address;
    v->mapped = *region;
    return 0;
}

static int take_context(worker *w)
{
    const salp__params *params = w->params;
    view *v = &w->views[w->slot];
    uint64_t ticket = atomic_load_explicit(&w->place->attached, memory_order_relaxed) / SALP__SLOTS;
    if (params->context.size == 0) {
        w->context = (void *)(uintptr_t)params->context_pointer;
        return 0;
    }
    if (v->ticket != ticket) {
        salp__free(v->context);
        v->ticket = 0;
        v->context = salp__allocate(params->context.size);
        if (!v->context)
            return -ENOMEM;
        memcpy(v->context, v->region + (params->context.offset - params->region.offset), params->context.size);
        v->ticket = ticket;
    }
    w->context = v->context;
    return 0;
}

static int map_window(worker *w)
{
    w->window = salp__window_of(w->control, w->params, w->index);
    w->results = w->own_results;
    w->errors = w->own_errors;
    if (w->params->windows.size == 0)
        return 0;
    void *address;
    int error = salp__map_file(&address, w->control->arena, w->window.offset, w->params->windows.size, true);
    if (error < 0)
        return error;
    salp__keep_from_forks(address, w->params->windows.size);
    w->results = address;
    w->errors = (int *)((char *)address + w->window.bytes);
    return 0;
}

static void unmap_window(worker *w)
{
    if (w->results != w->own_results)
        salp__unmap(w->results, w->params->windows.size);
    w->results = w->own_results;
}

/* Runs what is left of the call in a slot. false: there was nothing to attach to. */
static bool visit(worker *w, int slot)
{
    w->slot = slot;
    w->params = &w->control->head->params[slot];
    w->live = &w->control->shared->live[slot];
    if (!salp__attach(w->control, w->place, slot))
        return false;
    int error = find_function(w, &w->params->function, &w->function.address);
    if (error == 0)
        error = map_region(w);
    if (error == 0)
        error = take_context(w);
    if (error == 0)
        error = map_window(w);
    if (error < 0)
        refuse(w, error);
    else if (w->params->kind == SALP__MESSAGE)
        run_message(w);
    else
        run_call(w);
    unmap_window(w);
    if (stopped(w))
        not_runnable(w);
    salp__detach(w->control, w->place);
    return true;
}

/* ---- the life of a worker ---- */

/* The oldest call with something to claim, or -1. */
static int pick(const worker *w)
{
    /* acquire: pairs with the program's release when it begins a call. */
    uint64_t slots = atomic_load_explicit(&w->control->shared->runnable, memory_order_acquire), oldest = UINT64_MAX;
    int picked = -1;
    for (; slots != 0; slots &= slots - 1) {
        int slot = __builtin_ctzl(slots);
        uint64_t ticket = salp__running(w->control, slot);
        if (ticket != 0 && ticket < oldest) {
            oldest = ticket;
            picked = slot;
        }
    }
    return picked;
}

/* Tells those who hold much that somebody holds nothing. */
static void be_hungry(const worker *w)
{
    uint64_t slots = atomic_load_explicit(&w->control->shared->running, memory_order_relaxed); /* a hint */
    for (; slots != 0; slots &= slots - 1)
        atomic_fetch_or_explicit(&w->control->shared->live[__builtin_ctzl(slots)].signal, SALP__HUNGRY,
                                 memory_order_relaxed);
}

static _Noreturn void end(int status)
{
    salp__flush_output();
    salp__process_leave(status);
}

static _Noreturn void serve(worker *w)
{
    salp__shared *shared = w->control->shared;
    bool worked = false;
    for (;;) {
        uint32_t seen = salp__bell_look(&shared->work);
        /* acquire: after it, no call of the pool is under way. */
        if (atomic_load_explicit(&shared->phase, memory_order_acquire) != SALP__WORKING)
            end(SALP__EXIT_CLOSED);
        int slot = pick(w);
        if (slot >= 0 && visit(w, slot)) {
            if (w->ran >= w->limit)
                end(SALP__EXIT_RETIRED);
            worked = true;
            continue;
        }
        if (slot >= 0)
            continue; /* it ended meanwhile, or another one began */
        be_hungry(w);
        salp__idle(w->control, w->place, seen, worked);
        worked = false;
    }
}

static int open_worker(worker *w, const salp__worker_start *start)
{
    salp__control *control = start->control;
    salp__head *head = control->head;
    *w = (worker){
        .control = control,
        .index = start->index,
        .place = &control->places[start->index],
        .pid = salp__process_self(),
        .limit = head->items_per_worker > 0 ? head->items_per_worker : SIZE_MAX,
    };
    salp__window window = salp__window_of(control, &(salp__params){ 0 }, start->index);
    void *address;
    int error = salp__map_wiped_on_fork(&address, sizeof(int));
    if (error < 0)
        return error;
    *(int *)address = 1;
    w->mine = address;
    error = salp__map_file(&address, control->arena, window.offset, salp__pages(salp__window_size()), true);
    if (error < 0)
        return error;
    salp__keep_from_forks(address, salp__pages(salp__window_size()));
    w->own_results = address;
    w->own_errors = (int *)((char *)address + window.bytes);
    if (start->successor)
        memset(w->own_errors, 0, SALP__WINDOW_ITEMS * sizeof *w->own_errors);
    if (!salp__file_identify(control->arena, &w->arena))
        return -EBADF;
    error = salp__crash_watch(&w->place->note);
    if (error < 0)
        return error;
    salp__protect_from_writing(head, head->shared);
    salp__protect_from_all(control->records, head->modules - head->records);
    salp__protect_from_writing(control->modules, head->windows - head->modules);
    control->records = NULL;
    return 0;
}

static int initialize(worker *w)
{
    const salp__head *head = w->control->head;
    if (head->initializer.place == 0 && head->initializer.module == 0)
        return 0;
    void *address, *arg = (void *)(uintptr_t)head->initializer_arg;
    int error = find_function(w, &head->initializer, &address);
    if (error < 0)
        return error;
    if (head->initializer_copy.size > 0) {
        arg = salp__allocate(head->initializer_copy.size);
        if (!arg)
            return -ENOMEM;
        error = salp__file_read(w->control->arena, arg, head->initializer_copy.size, head->initializer_copy.offset);
        if (error < 0)
            return error;
    }
    union {
        void *address;
        salp_fn *function;
    } initializer = { .address = address };
    return initializer.function(arg);
}

void salp__worker_main(const salp__worker_start *start)
{
    static worker w; /* large, and one to a process */
    salp__fault_enter(SALP__WORKER);
    if (!salp__process_end_with(start->steward))
        salp__process_leave(SALP__EXIT_CLOSED);
    salp__process_own_group(0);
    if (open_worker(&w, start) < 0)
        salp__process_leave(SALP__EXIT_START);
    salp__crash_watch_exit();
    salp__signals_return_children(start->children);
    salp__signals_restore(start->signals);
    int error = initialize(&w);
    /* Once more: a change of user or group, as an initializer may make, takes the mark away. */
    if (!salp__process_end_with(start->steward))
        salp__process_leave(SALP__EXIT_CLOSED);
    if (error < 0) {
        atomic_store_explicit(&w.place->start_error, error, memory_order_relaxed); /* read after our death */
        end(SALP__EXIT_INITIALIZER);
    }
    atomic_store_explicit(&w.place->ready, 1, memory_order_relaxed); /* likewise */
    atomic_fetch_add_explicit(&w.control->shared->readied, 1, memory_order_relaxed); /* only compared with itself */
    serve(&w);
}
