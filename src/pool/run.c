/*
 * Running the items of a call, claim by claim. worker.c tells how it fits together, and of the invariants.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "os/clock.h"
#include "os/fault.h"
#include "pool/pace.h"
#include "pool/stretch.h"
#include "task/park.h"

/* Where the inputs of an item lie: I7 of control.h. */
static inline uintptr_t input_of(const salp__worker *w, uint32_t i, uint64_t index)
{
    const salp__params *params = w->params;
    uint64_t at = params->columns[i].offset + index * params->columns[i].size;
    if (params->columns_in_place >> i & 1)
        return at;
    return (uintptr_t)w->views[w->slot].region + (at - params->region.offset);
}

static int run_star(const salp__worker *w, uint64_t index, void *out)
{
    const void *in[SALP_COLUMNS_MAX];
    for (uint32_t i = 0; i < w->params->column_count; i++)
        in[i] = (const void *)input_of(w, i, index);
    return w->function.starjob(in, out, w->context);
}

/* Whether to go on after i items of those that were added, when there is a signal. */
static bool heed(const salp__worker *w, salp__pace *pace, uint32_t signal, uint64_t i)
{
    if (signal & SALP__STOP)
        return false;
    return i == 0 || w->params->unit > 1 || !salp__pace_overdue(pace, i);
}

static inline bool go_on(const salp__worker *w, salp__pace *pace, uint64_t i)
{
    /* relaxed: a request, not a message. */
    uint32_t signal = atomic_load_explicit(&w->live->signal, memory_order_relaxed);
    return SALP__LIKELY(signal == 0) || heed(w, pace, signal, i);
}

/* One more item of the stretch is complete, `done` in all: says so, in the order that I1 asks for. */
static inline void set_complete(salp__place *place, uint64_t done, uint64_t sum)
{
    SALP__STEP();
    salp__set(&place->sum, sum);
    SALP__STEP();
    /* release: after the sum, I1. */
    atomic_store_explicit(&place->done, done, memory_order_release);
    SALP__STEP();
}

/*
 * The loop that is run most: a few nanoseconds an item, so what is looked at after each is looked at together, and
 * `size` of a result is a constant in the copies for the common ones. Addresses are numbers, since there may be no
 * input or no result, and nothing may be added to NULL.
 */
static inline __attribute__((always_inline)) uint64_t run_jobs(salp__worker *w, salp__pace *pace, uint64_t begin,
                                                               uint64_t count, uint64_t size)
{
    const salp__params *params = w->params;
    const salp__span *column = &params->columns[0];
    const _Atomic uint32_t *signal = &w->live->signal;
    const volatile int *mine = w->mine;
    salp_job *job = w->function.job;
    salp__place *place = w->place;
    void *context = w->context;
    uint64_t first = salp__get(&place->done), end = first + count, done = first, sum = salp__get(&place->sum);
    uint64_t in_size = params->column_count > 0 ? column->size : 0;
    uintptr_t in = 0, out = size > 0 ? (uintptr_t)w->results + first * size : 0;
    if (params->column_count > 0)
        in = input_of(w, 0, begin);
    if (count == 0 || !go_on(w, pace, 0))
        return 0;
    while (done != end) {
        int result = job((const void *)in, (void *)out, context);
        /* relaxed: a request, not a message. */
        uint32_t seen = atomic_load_explicit(signal, memory_order_relaxed);
        if (SALP__UNLIKELY(((uint32_t)result | seen | ((uint32_t)*mine ^ 1)) != 0)) {
            salp__leave_if_forked(w);
            if (result != 0)
                salp__note_result(w, done, result);
            if ((result < 0 && params->stops) || (seen != 0 && !heed(w, pace, seen, done + 1 - first)))
                end = done + 1;
        }
        sum = salp__mix_result(sum, (const void *)out, size, result);
        set_complete(place, ++done, sum);
        in += in_size;
        out += size;
    }
    return done - first;
}

static uint64_t run_jobs_of_any_size(salp__worker *w, salp__pace *pace, uint64_t begin, uint64_t count)
{
    uint64_t size = w->params->out.size;
    switch (size) {
    case sizeof(uint32_t):
        return run_jobs(w, pace, begin, count, sizeof(uint32_t));
    case sizeof(uint64_t):
        return run_jobs(w, pace, begin, count, sizeof(uint64_t));
    default:
        return run_jobs(w, pace, begin, count, size);
    }
}

static uint64_t run_stars(salp__worker *w, salp__pace *pace, uint64_t begin, uint64_t count)
{
    uint64_t size = w->params->out.size, done = salp__get(&w->place->done), sum = salp__get(&w->place->sum);
    for (uint64_t i = 0; i < count; i++) {
        if (!go_on(w, pace, i))
            return i;
        char *out = size > 0 ? w->results + done * size : NULL;
        int result = run_star(w, begin + i, out);
        salp__leave_if_forked(w);
        if (result != 0)
            salp__note_result(w, done, result);
        sum = salp__mix_result(sum, out, size, result);
        set_complete(w->place, ++done, sum);
        if (result < 0 && w->params->stops)
            return i + 1;
    }
    return count;
}

/* Runs the items that were added to the stretch. Returns how many; fewer when it was asked to stop or to give some up. */
static uint64_t run_items(salp__worker *w, salp__pace *pace, uint64_t begin, uint64_t count)
{
    salp__set_stage(w, SALP__BUSY);
    SALP__STEP();
    uint64_t ran =
        w->params->kind == SALP__JOB ? run_jobs_of_any_size(w, pace, begin, count) : run_stars(w, pace, begin, count);
    salp__set(&w->place->limit, salp__get(&w->place->done));
    SALP__STEP();
    salp__set_stage(w, SALP__HELD);
    w->ran += ran;
    return ran;
}

/* In a later epoch: the next run of items in [begin, end) that have no state. */
static bool skip_done(const salp__worker *w, uint64_t *begin, uint64_t *end)
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

/* After a piece of a claim: hands over what is old, and finds the size of the next one. */
static void look_at_clock(salp__worker *w, int64_t began)
{
    int64_t now = salp__now();
    if (now - began < SALP__PACE_TARGET / 4)
        w->piece *= 2;
    else if (now - began > SALP__PACE_TARGET / 2 && w->piece > 1)
        w->piece /= 2;
    if (w->piece > SALP__WINDOW_ITEMS)
        w->piece = SALP__WINDOW_ITEMS;
    if (now - w->stretch_began > SALP__PACE_TARGET / 2)
        salp__stretch_deliver(w);
}

/* Runs [begin, end). Returns where it stopped. */
static uint64_t run_range(salp__worker *w, salp__pace *pace, uint64_t begin, uint64_t end)
{
    while (begin < end && !salp__stopped(w)) {
        uint64_t left = end - begin, count = salp__stretch_extend(w, begin, left < w->piece ? left : w->piece);
        int64_t began = count < left ? salp__now() : 0;
        salp__pace_begin(pace);
        uint64_t ran = run_items(w, pace, begin, count);
        begin += ran;
        if (w->negative && w->params->stops)
            salp__stretch_deliver(w); /* says so to the others */
        if (ran < count)
            break;
        if (count < left)
            look_at_clock(w, began);
    }
    return begin;
}

/* Waits until the inputs of the units are there. false: the call was stopped first. The time is not the items'. */
static bool wait_for_inputs(const salp__worker *w, salp__pace *pace, salp__range units)
{
    const salp__params *params = w->params;
    if (params->round == 0)
        return true;
    /* A claim lies in one lane. */
    salp__range all = { .end = params->units };
    int lanes = (int)w->control->head->workers, lane = salp__lane_of(all, lanes, units.begin);
    uint64_t begin = salp__lane_share(all, lanes, lane).begin * params->unit, end = units.end * params->unit;
    uint64_t rounds = (end - begin + params->round - 1) / params->round;
    salp__live *live = w->live;
    for (;;) {
        uint32_t seen = salp__bell_look(&live->room);
        /* acquire: pairs with the program's release. */
        if (atomic_load_explicit(&live->filled, memory_order_acquire) >= rounds)
            return true;
        if (salp__stopped(w))
            return false;
        salp__park(&live->room, seen, SALP_FOREVER, true, SALP__LOOK_FIRST);
        pace->began = salp__now();
    }
}

static void return_rest(salp__worker *w, uint64_t begin, uint64_t end)
{
    salp__range rest = { .begin = (uint32_t)begin, .end = (uint32_t)end };
    atomic_fetch_add(&w->live->returned, 1); /* seq_cst, both: see salp__drained */
    SALP__STEP();
    bool returned = salp__lanes_return(salp__lanes_of(w->control, w->slot), w->index, rest);
    SALP__STEP();
    atomic_fetch_add(&w->live->returned, 1);
    salp__must(returned); /* our lane is empty, or begins where this range ends: lanes I3 */
    atomic_fetch_and_explicit(&w->live->signal, ~(uint32_t)SALP__HUNGRY, memory_order_relaxed);
    SALP__STEP();
    atomic_fetch_or_explicit(&w->control->shared->runnable, 1UL << w->slot, memory_order_relaxed);
    salp__wake_idle(w->control, 1);
}

/* A claim of a later epoch: whatever in it has no state. */
static uint64_t redo_range(salp__worker *w, salp__pace *pace, uint64_t begin, uint64_t end)
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
void salp__not_runnable(salp__worker *w)
{
    atomic_fetch_and(&w->control->shared->runnable, ~(1UL << w->slot));
    SALP__STEP();
    if (!salp__stopped(w) && !salp__lanes_empty(salp__lanes_of(w->control, w->slot), (int)w->control->head->workers))
        atomic_fetch_or(&w->control->shared->runnable, 1UL << w->slot);
}

void salp__run_call(salp__worker *w)
{
    const salp__params *params = w->params;
    salp__lane *lanes = salp__lanes_of(w->control, w->slot);
    /* seq_cst: after we are attached, see salp__recover. */
    bool redo = atomic_load(&w->live->redo);
    salp__pace pace;
    salp__pace_open(&pace, params->fixed);
    w->piece = 1;
    while (!salp__stopped(w) && w->ran < w->limit) {
        salp__range units;
        uint64_t room = (w->limit - w->ran - 1) / params->unit + 1;
        uint32_t want = room < pace.want ? (uint32_t)room : pace.want;
        if (!salp__lanes_take(lanes, (int)w->control->head->workers, w->index, want, &units)) {
            salp__not_runnable(w);
            break;
        }
        SALP__STEP();
        if (!wait_for_inputs(w, &pace, units))
            break;
        uint64_t begin = units.begin * params->unit, end = units.end * params->unit;
        if (end > params->count)
            end = params->count;
        uint64_t ran = w->ran;
        uint64_t reached = redo ? redo_range(w, &pace, begin, end) : run_range(w, &pace, begin, end);
        if (reached < end && !salp__stopped(w) && params->unit == 1)
            return_rest(w, reached, end);
        salp__pace_end(&pace, w->ran - ran, params->unit);
        if (salp__get(&w->place->done) > 0 && pace.began - w->stretch_began > SALP__PACE_TARGET / 2)
            salp__stretch_deliver(w);
    }
    salp__stretch_deliver(w);
}

/* ---- messages ---- */

static int wait_for_room(salp__worker *w, uint64_t size)
{
    salp__live *live = w->live;
    atomic_store(&live->answer_needs, size);
    SALP__STEP();
    salp__tell(w->control, w->slot, w->params->attended);
    for (;;) {
        uint32_t seen = salp__bell_look(&live->room);
        /* acquire: pairs with the program's release; room_offset is then readable. */
        if (atomic_load_explicit(&live->room_size, memory_order_acquire) >= size)
            return 0;
        if (salp__stopped(w))
            return -ECANCELED;
        salp__park(&live->room, seen, SALP_FOREVER, true, SALP__LOOK_FIRST);
    }
}

static int put_answer(salp__worker *w, const salp_buffer *answer)
{
    uint64_t offset = w->params->out.offset;
    if (answer->size > w->params->out.size) {
        int error = wait_for_room(w, answer->size);
        if (error < 0)
            return error;
        offset = atomic_load_explicit(&w->live->room_offset, memory_order_relaxed); /* published by room_size */
    }
    int error = salp__put(w, answer->data, answer->size, offset);
    SALP__STEP();
    /* relaxed: published by the state of the call. */
    atomic_store_explicit(&w->live->answer_offset, offset, memory_order_relaxed);
    atomic_store_explicit(&w->live->answer_size, answer->size, memory_order_relaxed);
    return error;
}

void salp__run_message(salp__worker *w)
{
    const salp__params *params = w->params;
    salp__range units;
    bool taken = !salp__stopped(w) && salp__lanes_take(salp__lanes_of(w->control, w->slot),
                                                       (int)w->control->head->workers, w->index, 1, &units);
    salp__not_runnable(w);
    if (!taken)
        return;
    const char *region = w->views[w->slot].region;
    salp_bytes in = { .size = params->columns[0].size };
    if (in.size > 0)
        in.data = region + (params->columns[0].offset - params->region.offset);
    salp_buffer answer = { 0 };
    SALP__STEP();
    salp__set(&w->place->begin, 0);
    salp__set(&w->place->limit, 1);
    salp__set_stage(w, SALP__BUSY);
    int result = w->function.bytes_job(in, &answer, w->context);
    salp__leave_if_forked(w);
    salp__check_descriptors(w);
    int error = put_answer(w, &answer);
    salp_buffer_free(&answer);
    w->ran++;
    if (error < 0) {
        salp__refuse(w, error);
    } else {
        if (result != 0)
            salp__note_result(w, 0, result);
        SALP__STEP();
        salp__set(&w->place->sum, salp__mix_result(0, NULL, 0, result));
        SALP__STEP();
        salp__set(&w->place->done, 1);
    }
    SALP__STEP();
    salp__set_stage(w, SALP__HELD);
    salp__stretch_deliver(w);
}
