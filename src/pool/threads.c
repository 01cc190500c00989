/*
 * The engine of threads.
 *
 * A call is a range of items, shared out in lanes (lockfree/lanes.h). It stands in a list under the engine's lock;
 * idle workers look there, join the first call that has something left, and take pieces without the lock until there
 * are none.
 *
 *   listed, active 0 --join--> active n --last one leaves, nothing left--> finished
 *
 * The thread that makes a synchronous call is one of its runners, unless the workers need an initializer. It begins at
 * once, so that a short map is done before a wake-up would have arrived. Whether it wakes the workers at all depends on
 * how long the job's items took the last time. That is a guess, and the items might even wait for each other; so such a
 * call is left to one runner only while a *lookout* exists (lookout.h): an idle worker that sleeps for some milliseconds
 * only, and then joins it and wakes the others.
 *
 * I1  A call is finished when it has no active runner and nothing is left in its lanes or it was stopped; both are
 *     judged under the lock, by the runner that leaves last or by whoever stops it.
 * I2  Runner k of a call is used by worker k alone, the last one by the caller: at most one thread at a time.
 * I3  Nothing of a call is touched after `finished` is set: a synchronous caller's frame may be gone. Callers sleep on
 *     bells of the engine, not of the call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/memory.h"
#include "os/thread.h"
#include "pool/engine.h"
#include "pool/entrance.h"
#include "pool/items.h"
#include "pool/lookout.h"
#include "task/park.h"
#include "task/seat.h"
#include "task/stuck.h"

typedef struct worker {
    struct engine *engine;
    int index;
    salp__thread thread; /* [lock] a worker that is replaced detaches itself */
    bool idle;           /* [lock] it sleeps, and then looks for calls */
} worker;

enum { BELLS = 16, INITIALIZER_TRIES = 5 };

typedef struct engine {
    salp_pool *pool;
    salp__staff staff;
    salp__lock lock;
    salp__bell work;          /* idle workers sleep here */
    salp__bell done[BELLS];   /* callers sleep here; which one depends on the call's address */
    salp__list calls;         /* [lock] not finished, oldest first */
    int living;               /* [lock] workers that have not ended */
    salp__seat ender;         /* [lock] called when `calls` is empty, and when no worker lives */
    bool closing;             /* [lock] workers end when there is nothing to do */
    bool stopping;            /* [lock] no call may begin */
    salp__entrance entrance;  /* for jobs that fork */
    void *initializer_arg;    /* [const after open] a copy, or NULL */
    int initializer_failures; /* [lock] in a row */
    salp__lookout lookout;    /* [lock] */
    int64_t last_call;        /* [lock] when it was begun */
    void *last_function;      /* [lock] of the last synchronous call, and how long its items took */
    int64_t last_item_time;   /* [lock] */
    _Atomic bool broken;      /* release: reason is written */
    char reason[160];
    worker workers[];
} engine;

static const int64_t brief = SALP_MICROSECONDS(30); /* not worth waking anybody for */

static salp__bell *bell_of(engine *e, const salp__call *call)
{
    return &e->done[(uintptr_t)call / sizeof *call % BELLS];
}

/* ---- joining and leaving a call ---- */

static bool has_work_locked(const engine *e, const salp__call *call)
{
    const salp__thread_call *state = &call->engine.threads;
    if (state->drained || state->active >= e->pool->options.workers)
        return false;
    return !(atomic_load_explicit(&state->signal, memory_order_relaxed) & SALP__STOP);
}

static salp__call *find_work_locked(engine *e)
{
    for (salp__list *node = e->calls.next; node != &e->calls; node = node->next) {
        salp__call *call = SALP__CONTAINER(node, salp__call, link);
        if (has_work_locked(e, call))
            return call;
    }
    return NULL;
}

/* Takes the call off the list when it is finished (I1). True for the one who has to tell. */
static bool finish_locked(engine *e, salp__call *call)
{
    salp__thread_call *state = &call->engine.threads;
    bool stopped = atomic_load_explicit(&state->signal, memory_order_relaxed) & SALP__STOP;
    if (state->active > 0 || !(stopped || state->drained) || !call->link.next)
        return false;
    salp__list_remove(&call->link);
    salp__seat_call_locked(&e->ender);
    return true;
}

/* A call that was stopped before anybody joined it, or has nothing left: for any worker to finish. */
static salp__call *sweep_locked(engine *e)
{
    for (salp__list *node = e->calls.next; node != &e->calls; node = node->next) {
        salp__call *call = SALP__CONTAINER(node, salp__call, link);
        if (finish_locked(e, call))
            return call;
    }
    return NULL;
}

static void announce(engine *e, salp__call *call)
{
    if (call->future) {
        int result = salp__items_conclude(call);
        salp__call_finish(call, result);
        return;
    }
    salp__bell *bell = bell_of(e, call);
    /* release: pairs with the acquire in wait_for; every item's result was written before. */
    atomic_store_explicit(&call->engine.threads.finished, true, memory_order_release);
    salp__wake(bell, INT_MAX, false);
}

static void return_rest(engine *e, salp__call *call, int index, size_t begin, size_t end)
{
    salp__thread_call *state = &call->engine.threads;
    salp__range rest = { .begin = (uint32_t)begin, .end = (uint32_t)end };
    bool returned = salp__lanes_return(state->lanes, index, rest);
    salp__must(returned); /* our lane is empty, or begins where this range ends: lanes I3 */
    atomic_fetch_and_explicit(&state->signal, ~(uint32_t)SALP__HUNGRY, memory_order_relaxed);
    salp__lock_take(&e->lock);
    state->drained = false;
    salp__lock_release(&e->lock);
    salp__wake(&e->work, 1, false);
}

static void wake_workers(engine *e, salp__call *call)
{
    salp__lock_take(&e->lock);
    bool wake = !call->engine.threads.woken;
    call->engine.threads.woken = true;
    salp__lock_release(&e->lock);
    if (wake)
        salp__wake(&e->work, e->pool->options.workers, false);
}

/* Takes and runs pieces of a call, at most `limit` items, until there are none. Returns how many items it ran. */
static size_t work(engine *e, salp__call *call, int index, size_t limit, int64_t alone_until, salp__pace *pace)
{
    salp__thread_call *state = &call->engine.threads;
    salp__runner *runner = &state->runners[index];
    salp__inside_frame frame;
    size_t ran = 0;
    bool drained = false;
    salp__inside_enter(&frame, e->pool, false);
    frame.worker = index < e->pool->options.workers ? index : -1;
    while (ran < limit && !(atomic_load_explicit(&state->signal, memory_order_relaxed) & SALP__STOP)) {
        salp__range units;
        size_t room = (limit - ran - 1) / state->units.size + 1;
        uint32_t want = room < pace->want ? (uint32_t)room : pace->want;
        if (!salp__lanes_take(state->lanes, state->runner_count, index, want, &units)) {
            drained = true;
            break;
        }
        size_t begin = units.begin * state->units.size, end = units.end * state->units.size;
        if (end > call->count)
            end = call->count;
        salp__pace_begin(pace);
        size_t stopped = salp__items_run(call, runner, pace, begin, end);
        ran += stopped - begin;
        atomic_fetch_add_explicit(&state->done, stopped - begin, memory_order_relaxed);
        if (stopped < end && state->units.size == 1)
            return_rest(e, call, index, stopped, end);
        salp__pace_end(pace, stopped - begin, state->units.size);
        if (alone_until > 0 && pace->began >= alone_until) {
            alone_until = 0;
            wake_workers(e, call);
        }
        if (call->future || index == e->pool->options.workers)
            salp__items_tell_progress(call, false);
    }
    salp__inside_leave(&frame);
    salp__lock_take(&e->lock);
    /* Somebody may have returned items since: then the lanes say so. */
    if (drained)
        state->drained = salp__lanes_empty(state->lanes, state->runner_count);
    salp__lock_release(&e->lock);
    return ran;
}

static void leave_call(engine *e, salp__call *call)
{
    salp__lock_take(&e->lock);
    call->engine.threads.active--;
    bool finished = finish_locked(e, call);
    salp__lock_release(&e->lock);
    if (finished)
        announce(e, call);
}

/* ---- workers ---- */

static void break_pool(engine *e, int error)
{
    salp__lock_take(&e->lock);
    if (!atomic_load_explicit(&e->broken, memory_order_relaxed)) {
        snprintf(e->reason, sizeof e->reason, "the initializer failed %d times in a row: %s (%d)", INITIALIZER_TRIES,
                 salp_strerror(error), error);
        atomic_store_explicit(&e->broken, true, memory_order_release);
    }
    salp__lock_release(&e->lock);
}

static bool initialize(engine *e)
{
    const salp_pool_options *options = &e->pool->options;
    while (options->initializer) {
        salp__inside_frame frame;
        salp__inside_enter(&frame, e->pool, false);
        int result = options->initializer(e->initializer_arg ? e->initializer_arg : options->initializer_arg);
        salp__inside_leave(&frame);
        salp__lock_take(&e->lock);
        e->initializer_failures = result < 0 ? e->initializer_failures + 1 : 0;
        bool hopeless = e->initializer_failures >= INITIALIZER_TRIES;
        salp__lock_release(&e->lock);
        if (result >= 0)
            break;
        if (hopeless) {
            break_pool(e, result);
            return false;
        }
    }
    return true;
}

static void stop_locked(salp__call *call, int result)
{
    if (call->engine.threads.override == 0)
        call->engine.threads.override = result;
    atomic_fetch_or_explicit(&call->engine.threads.signal, SALP__STOP, memory_order_relaxed);
}

/* Stops every call; finishes those that nobody runs. */
static void stop_all(engine *e, int result)
{
    for (;;) {
        salp__lock_take(&e->lock);
        for (salp__list *node = e->calls.next; node != &e->calls; node = node->next)
            stop_locked(SALP__CONTAINER(node, salp__call, link), result);
        salp__call *finished = sweep_locked(e);
        salp__lock_release(&e->lock);
        if (!finished)
            return;
        announce(e, finished);
    }
}

/* The lookout looks no more. A call that was left to one runner because of it may not be the one that it joins now. */
static void stand_down(engine *e)
{
    bool wake = false;
    salp__lock_take(&e->lock);
    salp__lookout_end(&e->lookout);
    salp__entrance_watch(&e->entrance, false);
    for (salp__list *node = e->calls.next; node != &e->calls; node = node->next) {
        salp__call *call = SALP__CONTAINER(node, salp__call, link);
        wake |= !call->engine.threads.woken;
        call->engine.threads.woken = true;
    }
    salp__lock_release(&e->lock);
    if (wake)
        salp__wake(&e->work, e->pool->options.workers, false);
}

/* Nothing to do since the bell was at `seen`: says so to those who have, and sleeps. [lock held on entry, released] */
static void idle_locked(engine *e, worker *self, uint32_t seen, salp__patience patience)
{
    for (salp__list *node = e->calls.next; node != &e->calls; node = node->next) {
        salp__call *call = SALP__CONTAINER(node, salp__call, link);
        if (call->engine.threads.drained)
            atomic_fetch_or_explicit(&call->engine.threads.signal, SALP__HUNGRY, memory_order_relaxed);
    }
    int64_t now = salp__now(), until = SALP_FOREVER;
    bool lively = salp__entrance_is_lively(&e->entrance, now, SALP__LOOKOUT_LASTS);
    bool lookout = salp__lookout_begin(&e->lookout, now, e->last_call, lively, &until);
    if (lookout)
        salp__entrance_watch(&e->entrance, true);
    self->idle = true;
    salp__lock_release(&e->lock);
    salp__park(&e->work, seen, until, false, patience);
    if (lookout)
        stand_down(e);
}

static void *worker_main(void *arg);

/* A fresh thread takes this worker's place. false: there is none to be had, so this one goes on. */
static bool replace(worker *self)
{
    engine *e = self->engine;
    salp__lock_take(&e->lock);
    salp__thread fresh;
    bool replaced = !e->closing && salp__thread_start(&fresh, worker_main, self) == 0;
    if (replaced) {
        salp__thread_detach(self->thread);
        self->thread = fresh; /* never once it is closing: stop_workers reads it without the lock */
    }
    salp__lock_release(&e->lock);
    return replaced;
}

/* The last thing that it does. [lock held on entry, released] */
static void end_worker_locked(engine *e)
{
    e->living--;
    salp__seat_call_locked(&e->ender);
    salp__lock_release(&e->lock);
}

static void *worker_main(void *arg)
{
    worker *self = arg;
    engine *e = self->engine;
    size_t limit = e->pool->options.items_per_worker, ran = 0;
    if (!initialize(e)) {
        stop_all(e, SALP_EBROKEN);
        salp__entrance_end(&e->entrance, SALP_EBROKEN, false);
        salp__lock_take(&e->lock);
        end_worker_locked(e);
        return NULL;
    }
    salp__patience patience = SALP__SLEEP;
    for (;;) {
        uint32_t seen = salp__bell_look(&e->work); /* whatever comes from now on ends its sleep */
        salp__lock_take(&e->lock);
        self->idle = false;               /* before it does anything */
        if (patience == SALP__LOOK_FIRST) /* it comes from something that it has found */
            salp__lookout_found(&e->lookout);
        salp__call *finished = sweep_locked(e);
        if (finished) {
            salp__lock_release(&e->lock);
            announce(e, finished);
            continue;
        }
        salp__call *call = find_work_locked(e);
        if (!call) {
            if (e->closing)
                break;
            salp__lock_release(&e->lock);
            bool served = salp__entrance_serve(&e->entrance, e->pool, self->index);
            if (!served) {
                salp__lock_take(&e->lock);
                idle_locked(e, self, seen, patience);
            }
            patience = served ? SALP__LOOK_FIRST : SALP__SLEEP;
            continue;
        }
        call->engine.threads.active++;
        bool wake = !call->engine.threads.woken;
        call->engine.threads.woken = true;
        salp__lock_release(&e->lock);
        if (wake)
            salp__wake(&e->work, e->pool->options.workers, false);
        else
            salp__entrance_summon(&e->entrance); /* it may have been the lookout */
        salp__pace pace;
        salp__pace_open(&pace, call->engine.threads.units.fixed);
        ran += work(e, call, self->index, limit > 0 ? limit - ran : SIZE_MAX, 0, &pace);
        leave_call(e, call);
        patience = SALP__LOOK_FIRST;
        if (limit > 0 && ran >= limit) {
            if (replace(self))
                return NULL;
            ran = 0;
        }
    }
    end_worker_locked(e);
    return NULL;
}

/* ---- calls ---- */

/* Allocates the lanes, the runners and their contexts, in one block. */
static int prepare(engine *e, salp__call *call)
{
    salp__thread_call *state = &call->engine.threads;
    int count = e->pool->options.workers + 1;
    size_t context = (call->options.context_size + 15) / 16 * 16;
    size_t each = sizeof(salp__runner) + sizeof(salp__lane) + context, size;
    if (__builtin_mul_overflow(each, (size_t)count, &size))
        return -ENOMEM;
    char *block = salp__allocate(size + SALP__CACHE_LINE);
    if (!block)
        return -ENOMEM;
    /* The block is aligned by hand; its true start is kept as the pointer that is freed. */
    uintptr_t aligned = ((uintptr_t)block + SALP__CACHE_LINE - 1) / SALP__CACHE_LINE * SALP__CACHE_LINE;
    *state = (salp__thread_call){
        .units = salp__units_of(call->count, call->options.chunk, e->pool->options.items_per_worker > 0),
        .block = block,
        .runners = (salp__runner *)aligned,
        .lanes = (salp__lane *)(aligned + (size_t)count * sizeof(salp__runner)),
        .runner_count = count,
    };
    char *contexts = (char *)(state->lanes + count);
    for (int i = 0; i < count; i++) {
        salp__runner *runner = &state->runners[i];
        runner->failed_index = SIZE_MAX;
        runner->context = call->options.context;
        if (context > 0) {
            runner->context = contexts + (size_t)i * context;
            memcpy(runner->context, call->options.context, call->options.context_size);
        }
    }
    for (size_t i = 0; call->options.errors && i < call->count; i++)
        call->options.errors[i] = -ECANCELED; /* of items that are not run after all */
    salp__lanes_split(state->lanes, count, (salp__range){ .end = state->units.count });
    return 0;
}

static int check_broken(const engine *e)
{
    /* acquire: pairs with break_pool. */
    return atomic_load_explicit(&e->broken, memory_order_acquire) ? SALP_EBROKEN : 0;
}

/* Puts the call into the list. Returns SALP_EBROKEN or SALP_ECLOSED when it is too late for that. */
static int enlist_locked(engine *e, salp__call *call)
{
    int error = check_broken(e);
    if (error == 0 && e->stopping)
        error = SALP_ECLOSED;
    if (error == 0)
        salp__list_append(&e->calls, &call->link);
    return error;
}

static int wait_for(engine *e, salp__call *call)
{
    salp__bell *bell = bell_of(e, call);
    for (;;) {
        uint32_t seen = salp__bell_look(bell);
        /* acquire: pairs with the release in announce. */
        if (atomic_load_explicit(&call->engine.threads.finished, memory_order_acquire))
            return salp__items_conclude(call);
        int64_t deadline = call->options.on_progress ? salp__later(SALP__PROGRESS_INTERVAL) : SALP_FOREVER;
        salp__park(bell, seen, deadline, false, SALP__LOOK_FIRST);
        salp__items_tell_progress(call, false);
    }
}

static int run_alone_or_not(engine *e, salp__call *call)
{
    salp__thread_call *state = &call->engine.threads;
    int64_t now = salp__now();
    salp__lock_take(&e->lock);
    int error = enlist_locked(e, call);
    bool known = e->last_function == call->function.address;
    bool alone = known && e->lookout.naps && e->last_item_time * (int64_t)call->count < brief;
    int others = e->pool->options.workers - 1;
    state->active = 1;
    state->woken = !alone;
    e->last_call = now;
    salp__lock_release(&e->lock);
    if (error < 0) {
        salp__free(state->block);
        return error;
    }
    if (!alone && state->units.count > 1 && others > 0)
        salp__wake(&e->work, state->units.count - 1 < (uint32_t)others ? (int)state->units.count - 1 : others, false);

    salp__pace pace;
    salp__pace_open(&pace, call->engine.threads.units.fixed);
    work(e, call, e->pool->options.workers, SIZE_MAX, alone ? now + brief : 0, &pace);
    salp__lock_take(&e->lock);
    e->last_function = call->function.address;
    e->last_item_time = pace.item_time;
    state->active--;
    bool finished = finish_locked(e, call);
    salp__lock_release(&e->lock);
    return finished ? salp__items_conclude(call) : wait_for(e, call);
}

static int run(salp_pool *pool, salp__call *call)
{
    engine *e = pool->state;
    int error = prepare(e, call);
    if (error < 0)
        return error;
    /* The caller's thread was not initialized and cannot be replaced. */
    if (!pool->options.initializer && pool->options.items_per_worker == 0)
        return run_alone_or_not(e, call);
    salp__lock_take(&e->lock);
    error = enlist_locked(e, call);
    call->engine.threads.woken = true;
    salp__lock_release(&e->lock);
    if (error < 0) {
        salp__free(call->engine.threads.block);
        return error;
    }
    salp__wake(&e->work, pool->options.workers, false);
    return wait_for(e, call);
}

static int start(salp_pool *pool, salp__call *call)
{
    engine *e = pool->state;
    int error = prepare(e, call);
    if (error < 0)
        return error;
    uint32_t units = call->engine.threads.units.count;
    salp__lock_take(&e->lock);
    error = enlist_locked(e, call);
    call->engine.threads.woken = true;
    e->last_call = salp__now();
    salp__lock_release(&e->lock);
    if (error < 0) {
        salp__free(call->engine.threads.block);
        return error;
    }
    int workers = pool->options.workers;
    salp__wake(&e->work, units < (uint32_t)workers ? (int)units : workers, false);
    return 0;
}

static void cancel(salp_pool *pool, salp__call *call)
{
    engine *e = pool->state;
    salp__lock_take(&e->lock);
    if (call->link.next)
        stop_locked(call, -ECANCELED);
    salp__lock_release(&e->lock);
    /* A call that nobody has joined is finished by the worker that finds it so; this one may not, since it holds the
       future. */
    salp__wake(&e->work, 1, false);
}

static bool has_no_call_locked(const void *state)
{
    const engine *e = state;
    return salp__list_empty(&e->calls);
}

static void terminate(salp_pool *pool)
{
    engine *e = pool->state;
    salp__lock_take(&e->lock);
    e->stopping = true;
    salp__lock_release(&e->lock);
    stop_all(e, -ECANCELED);
    salp__entrance_end(&e->entrance, -ECANCELED, true);
    salp__seat_wait_through(&e->ender, &e->lock, has_no_call_locked, e);
}

static bool is_deserted_locked(const void *state)
{
    const engine *e = state;
    return e->living == 0;
}

static void stop_workers(engine *e, int count)
{
    salp__lock_take(&e->lock);
    e->closing = true;
    salp__lock_release(&e->lock);
    salp__wake(&e->work, INT_MAX, false);
    salp__seat_wait_through(&e->ender, &e->lock, is_deserted_locked, e); /* then a join is over at once */
    for (int i = 0; i < count; i++)
        salp__thread_join(e->workers[i].thread);
}

/* One that was woken and finds no call sleeps again. */
static int count_quiet_locked(const salp__staff *staff)
{
    engine *e = SALP__CONTAINER(staff, engine, staff);
    int quiet = 0;
    if (!salp__list_empty(&e->calls) || !salp__entrance_is_quiet(&e->entrance))
        return 0;
    for (int i = 0; i < e->pool->options.workers; i++)
        quiet += e->workers[i].idle;
    return quiet;
}

static void close_engine(salp_pool *pool)
{
    engine *e = pool->state;
    salp__staff_close(&e->staff);
    stop_workers(e, pool->options.workers);
    salp__entrance_close(&e->entrance);
    salp__lock_close(&e->lock);
    salp__free(e->initializer_arg);
    salp__free(e);
}

static salp__entrance *entrance_of(salp_pool *pool)
{
    engine *e = pool->state;
    return &e->entrance;
}

static const char *reason(const salp_pool *pool)
{
    const engine *e = pool->state;
    return check_broken(e) < 0 ? e->reason : "";
}

static int copy_initializer_arg(engine *e, const salp_pool_options *options)
{
    if (options->initializer_arg_size == 0)
        return 0;
    e->initializer_arg = salp__allocate(options->initializer_arg_size);
    if (!e->initializer_arg)
        return -ENOMEM;
    memcpy(e->initializer_arg, options->initializer_arg, options->initializer_arg_size);
    return 0;
}

static int open_engine(salp_pool *pool)
{
    int count = pool->options.workers;
    engine *e = salp__allocate(sizeof *e + (size_t)count * sizeof *e->workers);
    if (!e)
        return -ENOMEM;
    int error = copy_initializer_arg(e, &pool->options);
    if (error < 0)
        goto free_engine;
    e->pool = pool;
    salp__lock_open(&e->lock);
    salp__list_open(&e->calls);
    salp__entrance_open(&e->entrance, count, &e->work);
    e->ender.what = "workers of a pool";
    pool->state = e;
    for (int i = 0; i < count; i++) {
        e->workers[i] = (worker){ .engine = e, .index = i };
        /* Under the lock: a worker that replaces itself at once must find its own handle stored. */
        salp__lock_take(&e->lock);
        error = salp__thread_start(&e->workers[i].thread, worker_main, &e->workers[i]);
        e->living += error == 0;
        salp__lock_release(&e->lock);
        if (error < 0) {
            stop_workers(e, i);
            goto close_lock;
        }
    }
    e->staff = (salp__staff){ .lock = &e->lock, .quiet_locked = count_quiet_locked };
    salp__staff_open(&e->staff);
    return 0;

close_lock:
    salp__entrance_close(&e->entrance);
    salp__lock_close(&e->lock);
    salp__free(e->initializer_arg);
free_engine:
    salp__free(e);
    return error;
}

const salp__engine salp__threads = {
    .open = open_engine,
    .run = run,
    .start = start,
    .cancel = cancel,
    .terminate = terminate,
    .close = close_engine,
    .reason = reason,
    .entrance = entrance_of,
};
