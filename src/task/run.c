/*
 * Running: a loop with tasks, from the first one to the last.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "os/clock.h"
#include "os/memory.h"
#include "os/thread.h"
#include "task/stuck.h"

/* ---- one run ---- */

typedef struct main_call {
    salp_fn *function;
    void *arg;
    int result;
} main_call;

static int run_main(void *arg)
{
    main_call *call = arg;
    call->result = call->function(call->arg);
    return 0;
}

static void look_at_deadline(salp__timer *timer)
{
    salp__scope_look(SALP__CONTAINER(timer, salp__runtime, deadline));
}

/* From now on, or no longer, scopes of this thread reach into the loop: scope.h, I2. */
static void set_running(salp__actor *thread, salp__runtime *runtime)
{
    salp__latch_take(&thread->latch);
    thread->runtime = runtime;
    salp__latch_release(&thread->latch);
}

/* Also those that other threads have started and that have not begun. */
static bool has_tasks(const salp__runtime *runtime)
{
    /* relaxed: who starts one holds the loop, and so does not do it when this is the end. */
    return !salp__list_empty(&runtime->all->tasks) || atomic_load_explicit(&runtime->guests, memory_order_relaxed) > 0;
}

static void turn(salp__runtime *runtime, int64_t deadline)
{
    /* To give one back takes as long as many events, and a turn may have no more than 16 of these. */
    enum { WHILE_BUSY = 1, WHILE_IDLE = 256 };
    salp__stacks_trim(&runtime->stacks, runtime->loop.first ? WHILE_BUSY : WHILE_IDLE);
    salp__loop_turn(&runtime->loop, runtime->stacks.surplus ? 0 : deadline); /* it sleeps when all is tidy */
}

/* Whether all is stuck. Sleeps, until that is so or something has happened. */
static bool is_deadlock(salp__runtime *runtime)
{
    if (!salp__loop_is_idle(&runtime->loop))
        return false;
    if (salp__alone())
        return true;
    /* Threads come and go, and it takes its time to ask: only a loop to which nothing has happened for a while does. */
    int64_t until;
    do {
        until = salp__later(SALP__STUCK_PAUSE);
        turn(runtime, until);
        if (!salp__loop_is_idle(&runtime->loop) || !has_tasks(runtime))
            return false;
    } while (salp__now() < until);
    return salp__stuck(runtime);
}

static void run_all(salp__runtime *runtime)
{
    bool asked = false; /* nothing has happened since */
    while (has_tasks(runtime)) {
        bool idle = salp__loop_is_idle(&runtime->loop);
        if (idle && !asked) {
            /* Again at once, as long as waits can be ended: there may be shields, one in another. */
            asked = !is_deadlock(runtime) || !salp__deadlock(runtime);
            continue; /* it may have been the last task that ended meanwhile */
        }
        asked = idle;
        turn(runtime, SALP_FOREVER);
    }
}

static bool is_valid(const salp_run_options *options)
{
    return !options ||
           (options->stack_size <= SALP__STACK_MOST && options->slow >= 0 && (options->slow == 0 || options->on_slow));
}

static int run(salp_fn *main, void *arg, const salp_run_options *options, bool part)
{
    if (!main || !is_valid(options))
        return -EINVAL;
    if (salp__loop_here())
        return -EBUSY;
    salp__actor *thread = salp__thread_self();
    main_call call = { .function = main, .arg = arg };
    salp__members all;
    salp__runtime runtime;
    salp__runtime_open(&runtime, &all, thread->scope, options, SALP_POLLER_BEST);
    runtime.part = part;
    set_running(thread, &runtime);
    int64_t deadline = salp__scope_deadline(thread);
    if (deadline != SALP_FOREVER)
        salp__timer_set(&runtime.loop, &runtime.deadline, deadline, look_at_deadline);
    int error = salp__task_start(&runtime, &all, run_main, &call, &(salp_task_options){ .name = "main" });
    if (error == 0)
        run_all(&runtime);
    salp__timer_cancel(&runtime.loop, &runtime.deadline);
    set_running(thread, NULL);
    salp__runtime_close(&runtime);
    if (error == 0 && runtime.deadlocks > 0)
        error = SALP_EDEADLK;
    return error < 0 ? error : call.result;
}

int salp_run_with(salp_fn *main, void *arg, const salp_run_options *options)
{
    return run(main, arg, options, false);
}

int salp_run(salp_fn *main, void *arg)
{
    return run(main, arg, NULL, false);
}

int salp__run_part(salp_fn *main, void *arg)
{
    return run(main, arg, NULL, true);
}

/* ---- a loop of one's own ---- */

typedef struct own {
    salp__runtime runtime; /* whose first member is the loop */
    salp__members all;
} own;

int salp_loop_open(salp_loop **out, const salp_loop_options *options)
{
    salp_poller poller = options ? options->poller : SALP_POLLER_BEST;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (poller < SALP_POLLER_BEST || poller > SALP_POLLER_IO_URING)
        return -EINVAL;
    if (salp__loop_here())
        return -EBUSY;
    own *o = salp__allocate(sizeof *o);
    if (!o)
        return -ENOMEM;
    salp__runtime_open(&o->runtime, &o->all, NULL, NULL, poller);
    int error = poller == SALP_POLLER_BEST ? 0 : salp__loop_need_poller(&o->runtime.loop);
    if (error < 0) {
        salp__runtime_close(&o->runtime);
        salp__free(o);
        return error;
    }
    *out = &o->runtime.loop;
    return 0;
}

static int check(const salp_loop *loop)
{
    if (!loop)
        return -EINVAL;
    return loop == salp__loop_here() ? 0 : -EPERM;
}

int salp_loop_turn(salp_loop *loop, int64_t timeout)
{
    int error = check(loop);
    if (error == 0 && loop->turning)
        error = -EBUSY;
    if (error < 0)
        return error;
    turn(&((own *)loop)->runtime, timeout > 0 ? salp__later(timeout) : 0);
    return salp__loop_park(loop);
}

void salp_loop_close(salp_loop *loop)
{
    if (check(loop) < 0 || loop->turning)
        return;
    own *o = (own *)loop;
    salp__loop_unpark(loop);
    salp__scope_end_run(&o->runtime, -ECANCELED);
    while (has_tasks(&o->runtime))
        salp__loop_turn(loop, SALP_FOREVER);
    salp__runtime_close(&o->runtime);
    salp__free(o);
}
