/*
 * The engine of processes, in the program: opening, waiting, ending.
 *
 * The program gets no extra thread (but for asynchronous calls, see attendant.c) and no signal. A thread that waits for
 * a call sleeps on the call's bell, which a worker or the steward rings. Should the steward itself be killed, nobody
 * would ring; so who waits looks a few times a second whether it is alive.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/processes.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "pool/steward.h"
#include "shared/array.h"
#include "task/park.h"
#include "task/descriptor.h"
#include "task/task.h"

static const int64_t steward_patience = SALP_SECONDS(15); /* it takes 12 s at most to end everything: steward.c */

/* ---- has it ended? ---- */

static void wake_all(salp__process_engine *engine)
{
    for (int slot = 0; slot < SALP__SLOTS; slot++)
        salp__wake(&engine->control.shared->live[slot].bell, INT_MAX, true);
    salp__wake(&engine->control.shared->attend, INT_MAX, true);
}

/* The first reason stays. */
static int set_ended(salp__process_engine *engine, int error, const char *reason)
{
    salp__lock_take(&engine->lock);
    int ended = atomic_load_explicit(&engine->ended, memory_order_relaxed); /* the lock orders it */
    if (ended == 0) {
        snprintf(engine->reason, sizeof engine->reason, "%s", reason);
        /* release: pairs with the acquire in salp__processes_ended; the reason is then readable. */
        atomic_store_explicit(&engine->ended, error, memory_order_release);
        ended = error;
    }
    salp__lock_release(&engine->lock);
    salp__vacancy_end(engine);
    wake_all(engine);
    return ended;
}

static bool steward_gone(const salp__process_engine *engine)
{
    bool gone = false;
    return salp__poll(&engine->steward, &gone, 1, 0) > 0 && gone;
}

int salp__processes_ended(salp__process_engine *engine)
{
    int ended = atomic_load_explicit(&engine->ended, memory_order_acquire);
    if (ended < 0)
        return ended;
    const salp__records *records = engine->control.records;
    /* acquire: pairs with the release in the steward; the reason is then readable. */
    if (atomic_load_explicit(&records->broken, memory_order_acquire))
        return set_ended(engine, SALP_EBROKEN, records->reason);
    return 0;
}

int salp__processes_look(salp__process_engine *engine)
{
    int ended = salp__processes_ended(engine);
    if (ended < 0 || !steward_gone(engine))
        return ended;
    /* acquire: pairs with salp_pool_terminate, which has the steward end. */
    if (atomic_load_explicit(&engine->pool->phase, memory_order_acquire) != SALP__OPEN)
        return set_ended(engine, -ECANCELED, "the pool was terminated");
    return set_ended(engine, SALP_EBROKEN, "the pool's steward process was killed");
}

/* ---- calls ---- */

static int wait_until_over(salp__process_engine *engine, salp__call *call)
{
    salp__bell *bell = &engine->control.shared->live[call->engine.processes.slot].bell;
    int ended = 0;
    for (;;) {
        uint32_t seen = salp__bell_look(bell);
        if (salp__slot_done(engine, call))
            return salp__slot_end(engine, call, 0);
        ended = salp__processes_ended(engine);
        if (ended < 0)
            return salp__slot_end(engine, call, ended);
        salp__slot_serve(engine, call);
        int64_t deadline = salp__later(salp__slot_pause(call));
        /* A worker that was asleep takes longer to wake than we would look, and perhaps wants this very processor. */
        salp__patience patience = call->engine.processes.slept ? SALP__SLEEP : SALP__LOOK_FIRST;
        if (salp__park(bell, seen, deadline, true, patience) == -ETIMEDOUT)
            salp__processes_look(engine);
    }
}

static int run(salp_pool *pool, salp__call *call)
{
    salp__process_engine *engine = pool->state;
    int result = salp__slot_begin(engine, call, true);
    if (result < 0)
        return result;
    salp__inside_frame frame;
    salp__inside_enter(&frame, pool, true); /* progress and failures are told from here */
    result = wait_until_over(engine, call);
    salp__inside_leave(&frame);
    return result;
}

static int start(salp_pool *pool, salp__call *call)
{
    salp__process_engine *engine = pool->state;
    int error = salp__attendant_start(engine);
    if (error < 0)
        return error;
    bool may_wait = !salp__inside_callback(pool) && !salp__cannot_wait();
    error = salp__slot_begin(engine, call, may_wait);
    if (error < 0)
        return error;
    salp__attendant_take(engine, call);
    return 0;
}

static void cancel(salp_pool *pool, salp__call *call)
{
    salp__process_engine *engine = pool->state;
    salp__lock_take(&engine->lock);
    atomic_store_explicit(&call->engine.processes.override, -ECANCELED, memory_order_relaxed);
    /* Before it is in the attendant's list, it may have no slot; once it was taken off, the slot may be another call's. */
    if (call->link.next)
        salp__slot_stop(engine, call);
    salp__lock_release(&engine->lock);
}

/* ---- opening ---- */

static void fill_head(salp__process_engine *engine)
{
    const salp_pool_options *options = &engine->pool->options;
    salp__head *head = engine->control.head;
    head->start = options->start;
    salp__signals_blocked(&head->signals);
    head->items_per_worker = options->items_per_worker;
    head->item_timeout = options->item_timeout;
    head->memory_limit = options->memory_limit;
    head->retries = options->retries;
    head->initializer_arg = (uint64_t)(uintptr_t)options->initializer_arg;
}

static int place_initializer(salp__process_engine *engine)
{
    const salp_pool_options *options = &engine->pool->options;
    salp__head *head = engine->control.head;
    if (!options->initializer)
        return 0;
    if (options->start != SALP_FORK && options->initializer_arg && options->initializer_arg_size == 0)
        return -EINVAL;
    union {
        salp_fn *function;
        void *address;
    } initializer = { .function = options->initializer };
    int error = salp__slot_function(engine, initializer.address, &head->initializer);
    if (error < 0 || options->initializer_arg_size == 0)
        return error;
    uint64_t size = salp__pages(options->initializer_arg_size);
    head->initializer_copy.size = options->initializer_arg_size;
    error = salp__arena_take(engine, size, &head->initializer_copy.offset);
    if (error < 0)
        return error;
    return salp__file_write(engine->control.arena, options->initializer_arg, options->initializer_arg_size,
                            head->initializer_copy.offset);
}

static int fork_steward(salp__process_engine *engine, int program)
{
    pid_t pid = salp__process_fork();
    if (pid < 0)
        return pid;
    if (pid == 0)
        salp__steward_main(&engine->control, &(salp__steward_start){ .program = program, .door = engine->door });
    engine->steward_pid = pid;
    engine->steward = salp__process_watch(pid);
    if (engine->steward >= 0)
        return 0;
    salp__process_signal(pid, SIGKILL); /* its workers end with it */
    salp__process_reap(pid);
    return engine->steward;
}

/* Where nobody ends the waiting, by the bell: that is cheaper. */
static void wait_for_news(salp__process_engine *engine, uint32_t seen)
{
    salp__interest set[] = { { .fd = engine->door, .events = SALP__POLL_OUT },
                             { .fd = engine->steward, .events = SALP__POLL_IN } };
    const salp__actor *self = salp__self();
    int error = -ENOTSUP;
    if (self->task || (self->scope && !salp__cannot_wait()))
        error = salp__descriptors_wait(set, 2, SALP_FOREVER, "a pool to open");
    if (error < 0 && self->task)
        (void)salp_sleep(
            SALP_MILLISECONDS(1)); /* of scopes the caller knows; else there was no memory, or descriptor */
    else if (error < 0)
        salp__park(&engine->control.shared->opened, seen, salp__later(SALP__LIVENESS_INTERVAL), true, SALP__SLEEP);
}

/* Until the steward has started the workers, or cannot; or a scope is over. */
static int wait_until_opened(salp__process_engine *engine)
{
    for (;;) {
        uint32_t seen = salp__bell_look(&engine->control.shared->opened);
        /* acquire: pairs with the release in the steward. */
        int opened = atomic_load_explicit(&engine->control.records->opened, memory_order_acquire);
        if (opened != 0)
            return opened > 0 ? 0 : opened;
        if (steward_gone(engine))
            return SALP_EBROKEN;
        int over = salp__scope_feel(salp__self());
        if (over < 0)
            return over;
        wait_for_news(engine, seen);
    }
}

/* Whatever scopes say. It ends by itself; one that somebody has stopped is killed, and its workers end with it. */
static void wait_for_steward(salp__process_engine *engine)
{
    int64_t deadline = salp__later(steward_patience);
    while (!steward_gone(engine)) {
        salp__descriptor_wait_through(engine->steward, SALP__POLL_IN, deadline, "a pool to end");
        if (salp__now() < deadline)
            continue;
        salp__process_signal_watched(engine->steward, SIGKILL);
        deadline = SALP_FOREVER;
    }
    /* By its descriptor: the program may have reaped it itself, with its wait for anybody. */
    if (engine->steward_pid > 0)
        salp__process_reap_watched(engine->steward);
}

static void dismiss_steward(salp__process_engine *engine, uint32_t phase)
{
    /* release: pairs with the acquire in workers and steward. */
    atomic_store_explicit(&engine->control.shared->phase, phase, memory_order_release);
    salp__wake_idle(&engine->control, engine->control.head->workers);
    salp__eventfd_ring(engine->door);
    wait_for_steward(engine);
}

typedef struct launch {
    salp__process_engine *engine;
    int program; /* descriptor of this process */
    int error;
} launch;

/* Not on a task's stack: forked workers go on where they were forked, and their jobs need more. And every signal is
   blocked meanwhile: the steward must not run the program's handlers. */
static void launch_steward(void *arg)
{
    launch *l = arg;
    salp__process_engine *engine = l->engine;
    sigset_t signals;
    salp__signals_block(&signals);
    if (engine->pool->options.start == SALP_FORK)
        l->error = fork_steward(engine, l->program);
    else
        l->error =
            salp__spawn_steward(&engine->control, engine->door, l->program, &engine->steward_pid, &engine->steward);
    salp__signals_restore(&signals);
}

static int start_steward(salp__process_engine *engine)
{
    int program = salp__process_watch(salp__process_self());
    if (program < 0)
        return program;
    int high = salp__file_move_high(program);
    if (high < 0) {
        salp__file_close(program);
        return high;
    }
    launch l = { .engine = engine, .program = high };
    if (engine->pool->options.start == SALP_SERVER)
        l.error = salp__serve_steward(&engine->control, engine->door, high, &engine->steward);
    else
        salp__on_large_stack(launch_steward, &l);
    salp__file_close(high);
    if (l.error < 0) {
        /* There may be a steward that we were not told of. release: as in dismiss_steward. */
        atomic_store_explicit(&engine->control.shared->phase, SALP__ENDING, memory_order_release);
        salp__eventfd_ring(engine->door);
        return l.error;
    }
    int error = wait_until_opened(engine);
    if (error == 0)
        return 0;
    dismiss_steward(engine, SALP__ENDING);
    salp__file_close(engine->steward);
    return error;
}

static int open_door(salp__process_engine *engine)
{
    int door = salp__eventfd_open();
    if (door < 0)
        return door;
    engine->door = salp__file_move_high(door);
    if (engine->door < 0) {
        salp__file_close(door);
        return engine->door;
    }
    salp__eventfd_fill(engine->door); /* until the steward has opened the pool */
    return 0;
}

/* All that the steward finds when it begins. */
static int furnish(salp__process_engine *engine)
{
    int error = salp__control_open(&engine->control, (uint32_t)engine->pool->options.workers);
    if (error < 0)
        return error;
    engine->arena_end = engine->control.head->regions;
    error = open_door(engine);
    if (error == 0 && engine->pool->options.start == SALP_FORK) {
        engine->arrays = salp__arrays_opened();
        error = salp__modules_snapshot(&engine->modules);
    }
    if (error < 0)
        return error;
    fill_head(engine);
    return place_initializer(engine);
}

/* The same backwards, also of what is half there. */
static void clear_out(salp__process_engine *engine)
{
    salp__module_map_free(engine->modules);
    salp__file_close(engine->door);
    salp__control_close(&engine->control);
}

typedef struct furnishing {
    salp__process_engine *engine;
    int error;
} furnishing;

static void furnish_on_large_stack(void *arg)
{
    furnishing *f = arg;
    f->error = furnish(f->engine);
}

static int open_engine(salp_pool *pool)
{
    salp__process_engine *engine = salp__allocate(sizeof *engine);
    if (!engine)
        return -ENOMEM;
    engine->pool = pool;
    engine->control.arena = engine->door = -1;
    engine->closer.what = "a thread of a pool";
    salp__lock_open(&engine->lock);
    salp__lock_open(&engine->telling);
    salp__list_open(&engine->attended);
    salp__vacancy_open(engine);
    furnishing f = { .engine = engine };
    salp__on_large_stack(furnish_on_large_stack, &f);
    int error = f.error < 0 ? f.error : start_steward(engine);
    if (error < 0)
        goto clear_out;
    engine->staff = (salp__staff){ .lock = &engine->lock, .quiet_locked = salp__attendant_quiet_locked };
    salp__staff_open(&engine->staff);
    pool->state = engine;
    return 0;

clear_out:
    clear_out(engine);
    salp__lock_close(&engine->telling);
    salp__lock_close(&engine->lock);
    salp__free(engine);
    return error;
}

/* ---- ending ---- */

static void terminate(salp_pool *pool)
{
    salp__process_engine *engine = pool->state;
    /* Before anybody waits in vain: who wakes finds the pool ended. The workers may still be running jobs, but nobody
       copies results out of a call that did not end by itself before they are gone. */
    dismiss_steward(engine, SALP__ENDING);
    set_ended(engine, -ECANCELED, "the pool was terminated");
}

static void close_engine(salp_pool *pool)
{
    salp__process_engine *engine = pool->state;
    salp__staff_close(&engine->staff);
    salp__attendant_end(engine);
    if (atomic_load_explicit(&pool->phase, memory_order_acquire) == SALP__OPEN)
        dismiss_steward(engine, SALP__CLOSING);
    salp__file_close(engine->steward);
    for (int slot = 0; slot < SALP__SLOTS; slot++)
        salp__unmap(engine->slots[slot].memory, engine->slots[slot].size);
    salp__symbols_close(engine->symbols);
    salp__lock_close(&engine->telling);
    salp__lock_close(&engine->lock);
    clear_out(engine);
    salp__free(engine);
}

static const char *reason(const salp_pool *pool)
{
    salp__process_engine *engine = pool->state;
    return salp__processes_ended(engine) == SALP_EBROKEN ? engine->reason : "";
}

const salp__engine salp__processes = {
    .open = open_engine,
    .run = run,
    .start = start,
    .cancel = cancel,
    .terminate = terminate,
    .close = close_engine,
    .reason = reason,
};
