/*
 * Tasks: their stacks, and who runs when.
 *
 *   | ready | --run--> | running | --suspend--> | suspended | --salp__task_ready--> | ready |
 *                          `--end--> its stack is used again, as soon as another one runs
 *
 * A task that waits or ends goes straight to the next one that is ready; only when there is none, or the loop's turn is
 * over, it goes back to the loop. The struct of a task lies at the upper end of its stack: starting one touches one page
 * and allocates nothing.
 *
 * I1  `current` is changed just before each switch, by the side that leaves.
 * I2  What ended is freed by the side that arrives: nobody can free the stack that he stands on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task.h"

#include <errno.h>

#include "base/assert.h"
#include "os/clock.h"
#include "task/fiber.h"
#include "task/switch.h"

/* A call goes out for a thread-local variable of a shared library, unless it is told that it may lie in the part that is
   there from the beginning. */
#define HERE static _Thread_local __attribute__((tls_model("initial-exec")))

HERE salp__runtime *runtime_here;
HERE salp__actor thread_here;

salp__runtime *salp__runtime_here(void)
{
    return runtime_here;
}

salp__actor *salp__self(void)
{
    return runtime_here && runtime_here->current ? &runtime_here->current->actor : salp__thread_self();
}

salp__actor *salp__thread_self(void)
{
    return &thread_here;
}

/* ---- switching ---- */

static void bury(salp__runtime *runtime)
{
    salp__task *task = runtime->ended;
    if (!task)
        return;
    runtime->ended = NULL;
    salp__fiber_close(task->fiber);
    salp__stack_give(&runtime->stacks, task->stack);
}

/* Has just come from another stack. */
static void arrive(salp__runtime *runtime, void *kept)
{
    const void *memory = NULL;
    size_t size = 0;
    salp__fiber_enter(kept, &memory, &size);
    if (runtime->left_loop) {
        runtime->left_loop = false;
        runtime->loop_memory = memory;
        runtime->loop_size = size;
    }
    bury(runtime);
}

/* From a task, or the loop (NULL), to another one. */
static void go(salp__runtime *runtime, salp__task *from, salp__task *to)
{
    void *kept = NULL;
    bool ends = from && runtime->ended == from;
    runtime->left_loop = !from;
    runtime->current = to; /* I1 */
    if (to)
        salp__fiber_leave(ends ? NULL : &kept, to->stack, to->stack_size, to->fiber);
    else
        salp__fiber_leave(ends ? NULL : &kept, runtime->loop_memory, runtime->loop_size, runtime->fiber);
    salp__switch(from ? &from->pointer : &runtime->pointer, to ? to->pointer : runtime->pointer);
    arrive(runtime, kept);
}

/* Run by the loop. */
static void resume(salp__event *event)
{
    salp__task *task = (salp__task *)event; /* its first member */
    go(task->runtime, NULL, task);
}

static salp__task *next_ready(salp__runtime *runtime)
{
    return (salp__task *)salp__loop_take(&runtime->loop, resume); /* likewise; NULL stays NULL */
}

void salp__task_suspend(salp__task *task)
{
    salp__task *next = next_ready(task->runtime);
    if (next != task)
        go(task->runtime, task, next);
}

void salp__task_ready(salp__task *task)
{
    if (task->runtime == runtime_here)
        salp__loop_soon(&task->runtime->loop, &task->event);
    else
        salp__loop_post(&task->runtime->loop, &task->event);
}

void salp__task_give_way(salp__task *task)
{
    salp__loop_soon(&task->runtime->loop, &task->event);
    salp__task_suspend(task);
}

int salp_yield(void)
{
    salp__actor *self = salp__self();
    if (self->task)
        salp__task_give_way(self->task);
    else
        salp__give_way();
    return salp__scope_feel(self);
}

/* ---- on the loop's stack ---- */

typedef struct loop_call {
    salp__event event;
    void (*function)(void *arg);
    void *arg;
    salp__task *task;
} loop_call;

static void call_on_loop(salp__event *event)
{
    loop_call *call = (loop_call *)event; /* its first member */
    call->function(call->arg);
    salp__task_ready(call->task);
}

void salp__on_large_stack(void (*function)(void *arg), void *arg)
{
    salp__task *task = salp__self()->task;
    if (!task) {
        function(arg);
        return;
    }
    loop_call call = { .event = { .run = call_on_loop }, .function = function, .arg = arg, .task = task };
    salp__loop_soon(&task->runtime->loop, &call.event);
    salp__task_suspend(task);
}

void salp__task_forget_all(void)
{
    runtime_here = NULL;
    thread_here = (salp__actor){ .inside = thread_here.inside };
}

/* ---- beginning and ending ---- */

static void live(void *arg)
{
    salp__task *task = arg;
    salp__runtime *runtime = task->runtime;
    arrive(runtime, NULL);
    int result = task->function(task->arg);
    salp__must(task->actor.scope == &task->group->scope); /* it has left a scope open, whose frame is gone */
    salp__list_remove(&task->link);
    salp__group_lost(task->group, result);
    runtime->ended = task;
    go(runtime, task, next_ready(runtime));
    __builtin_unreachable();
}

int salp__task_start(salp__runtime *runtime, salp__members *group, salp_fn *function, void *arg)
{
    void *stack;
    size_t size;
    int error = salp__stack_take(&runtime->stacks, &stack, &size);
    if (error < 0)
        return error;
    salp__fiber_clean(stack, size);
    size = (size - sizeof(salp__task)) / SALP__CACHE_LINE * SALP__CACHE_LINE;
    salp__task *task = (salp__task *)((char *)stack + size);
    *task = (salp__task){
        .event = { .run = resume },
        .actor = { .scope = &group->scope, .task = task, .inside = runtime->inside },
        .runtime = runtime,
        .pointer = salp__switch_prepare(stack, size, live, task),
        .stack = stack,
        .stack_size = size,
        .group = group,
        .function = function,
        .arg = arg,
        .fiber = salp__fiber_open(),
    };
    salp__list_append(&group->tasks, &task->link);
    salp__loop_soon(&runtime->loop, &task->event);
    return 0;
}

/* ---- running ---- */

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

int salp_run(salp_fn *main, void *arg)
{
    if (!main)
        return -EINVAL;
    if (runtime_here)
        return -EBUSY;
    salp__actor *thread = salp__thread_self();
    main_call call = { .function = main, .arg = arg };
    salp__members all = { .scope = { .outer = thread->scope, .deadline = SALP_FOREVER } };
    all.scope.group = &all;
    salp__list_open(&all.tasks);
    salp__runtime runtime = { .all = &all, .fiber = salp__fiber_here(), .inside = thread->inside };
    salp__loop_open(&runtime.loop);
    salp__stacks_open(&runtime.stacks);
    runtime_here = &runtime;
    set_running(thread, &runtime);
    int64_t deadline = salp__scope_deadline(thread);
    if (deadline != SALP_FOREVER)
        salp__timer_set(&runtime.loop, &runtime.deadline, deadline, look_at_deadline);
    int error = salp__task_start(&runtime, &all, run_main, &call);
    while (error == 0 && !salp__list_empty(&all.tasks))
        salp__loop_turn(&runtime.loop);
    bury(&runtime);
    salp__timer_cancel(&runtime.loop, &runtime.deadline);
    set_running(thread, NULL);
    salp__loop_close(&runtime.loop); /* cancellations that came too late: those who sent them wait */
    runtime_here = NULL;
    salp__stacks_close(&runtime.stacks);
    return error < 0 ? error : call.result;
}
