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
 * I5  Descriptors are checked before they are written to or mapped: a job may have closed them and opened its own files under
 *     their numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/worker.h"

#include <errno.h>
#include <string.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/crash.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "pool/stretch.h"
#include "task/park.h"

/* ---- coming to a call ---- */

static int find_function(salp__worker *w, const salp__function_ref *ref, void **address)
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

static int map_region(salp__worker *w)
{
    salp__view *v = &w->views[w->slot];
    const salp__span *region = &w->params->region;
    if (region->size == 0 || (v->region && v->mapped.offset == region->offset && v->mapped.size == region->size))
        return 0;
    salp__unmap((void *)(uintptr_t)v->region, v->mapped.size);
    v->region = NULL;
    salp__check_descriptors(w); /* a job may have put a file of its own in the arena's place: I5 */
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

static int take_context(salp__worker *w)
{
    const salp__params *params = w->params;
    salp__view *v = &w->views[w->slot];
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

static int map_window(salp__worker *w)
{
    w->window = salp__window_of(w->control, w->params, w->index);
    w->results = w->own_results;
    w->errors = w->own_errors;
    if (w->params->windows.size == 0)
        return 0;
    salp__check_descriptors(w);
    void *address;
    int error = salp__map_file(&address, w->control->arena, w->window.offset, w->params->windows.size, true);
    if (error < 0)
        return error;
    salp__keep_from_forks(address, w->params->windows.size);
    w->results = address;
    w->errors = (int *)((char *)address + w->window.bytes);
    return 0;
}

static void unmap_window(salp__worker *w)
{
    if (w->results != w->own_results)
        salp__unmap(w->results, w->params->windows.size);
    w->results = w->own_results;
}

/* Runs what is left of the call in a slot. false: there was nothing to attach to. */
static bool visit(salp__worker *w, int slot)
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
        salp__refuse(w, error);
    else if (w->params->kind == SALP__MESSAGE)
        salp__run_message(w);
    else
        salp__run_call(w);
    unmap_window(w);
    if (salp__stopped(w))
        salp__not_runnable(w);
    salp__detach(w->control, w->place);
    return true;
}

/* ---- the life of a worker ---- */

/* The oldest call with something to claim, or -1. */
static int pick(const salp__worker *w)
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
static void be_hungry(const salp__worker *w)
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

static const int64_t hurry = SALP_MICROSECONDS(50); /* to look for work before it sleeps pays off for shorter pauses */

static salp__worker self; /* large, and one to a process */

static _Noreturn void serve(salp__worker *w)
{
    salp__shared *shared = w->control->shared;
    bool worked = false, hurried = true; /* hurried: the last pause was a short one, so the next may be */
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
        int64_t began = salp__now();
        salp__idle(w->control, w->place, seen, worked && hurried);
        hurried = salp__now() - began < hurry;
        worked = false;
    }
}

static int open_worker(salp__worker *w, const salp__worker_start *start)
{
    salp__control *control = start->control;
    salp__head *head = control->head;
    *w = (salp__worker){
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
    salp__crash_watch(&w->place->note);
    salp__protect_from_writing(head, head->shared);
    salp__protect_from_all(control->records, head->modules - head->records);
    salp__protect_from_writing(control->modules, head->details - head->modules);
    salp__protect_from_all((char *)head + head->details, head->windows - head->details);
    control->records = NULL;
    return 0;
}

static int initialize(salp__worker *w)
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

/* What calls functions of the program. */
static int work(void *arg)
{
    const salp__worker_start *start = arg;
    int error = initialize(&self);
    /* Once more: a change of user or group, as an initializer may make, takes the mark away. */
    if (!salp__process_end_with(start->steward))
        salp__process_leave(SALP__EXIT_CLOSED);
    if (error < 0) {
        atomic_store_explicit(&self.place->start_error, error, memory_order_relaxed); /* read after our death */
        end(SALP__EXIT_INITIALIZER);
    }
    atomic_store_explicit(&self.place->ready, 1, memory_order_relaxed);                 /* likewise */
    atomic_fetch_add_explicit(&self.control->shared->readied, 1, memory_order_relaxed); /* only compared with itself */
    serve(&self);
}

void salp__worker_main(const salp__worker_start *start)
{
    salp__fault_enter(SALP__WORKER);
    if (!salp__process_end_with(start->steward))
        salp__process_leave(SALP__EXIT_CLOSED);
    salp__process_own_group(0);
    if (open_worker(&self, start) < 0)
        salp__process_leave(SALP__EXIT_START);
    salp__crash_watch_exit();
    salp__signals_return_children(start->children);
    salp__signals_restore(start->signals);
    end(salp__crash_call(work, (void *)(uintptr_t)start)); /* a job may call pthread_exit */
}
