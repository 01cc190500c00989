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
#include <stdio.h>

#include "base/assert.h"
#include "os/clock.h"
#include "task/fiber.h"
#include "task/switch.h"

SALP__NOW salp__runtime *salp__runtime_now;
SALP__NOW salp__actor salp__thread_now = { .bell = -1 };
SALP__NOW salp__actor *salp__task_now;

/* ---- switching ---- */

static void bury(salp__runtime *runtime)
{
    salp__task *task = runtime->ended;
    if (!task)
        return;
    runtime->ended = NULL;
    salp__fiber_close(task->fiber);
    salp__stack_give(&runtime->stacks, task->stack, task->room);
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

/* On the loop's stack, since it does what it likes. */
static void report_slow(salp__event *event)
{
    salp__runtime *runtime = SALP__CONTAINER(event, salp__runtime, slow);
    int64_t kept = runtime->slow_for;
    runtime->slow_for = 0;
    runtime->options.on_slow(runtime->slow_name, kept, runtime->options.arg);
}

/* The task has kept the processor until now. */
static void look_how_long(salp__runtime *runtime, const salp__task *task)
{
    int64_t now = salp__now(), kept = now - runtime->resumed;
    runtime->resumed = now;
    if (!task || kept <= runtime->options.slow || runtime->slow_for > 0)
        return;
    runtime->slow_for = kept;
    runtime->slow.run = report_slow;
    snprintf(runtime->slow_name, sizeof runtime->slow_name, "%s", task->name ? task->name : "");
    salp__loop_soon(&runtime->loop, &runtime->slow);
}

/* Is about to leave a stack, for ever if `kept` is NULL. Returns the pointer of the other one. */
static void *leave(salp__runtime *runtime, const salp__task *from, salp__task *to, void **kept)
{
    if (runtime->options.slow > 0)
        look_how_long(runtime, from);
    runtime->left_loop = !from;
    runtime->current = to; /* I1 */
    salp__task_now = to ? &to->actor : NULL;
    if (to)
        salp__fiber_leave(kept, to->stack, to->stack_size, to->fiber);
    else
        salp__fiber_leave(kept, runtime->loop_memory, runtime->loop_size, runtime->fiber);
    return to ? to->pointer : runtime->pointer;
}

/* From a task, or the loop (NULL), to another one. */
static void go(salp__runtime *runtime, salp__task *from, salp__task *to)
{
    void *kept = NULL;
    void *pointer = leave(runtime, from, to, &kept);
    salp__switch(from ? &from->pointer : &runtime->pointer, pointer);
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
    salp__runtime *runtime = task->runtime;
    salp__task *next = next_ready(runtime);
    if (next != task)
        go(runtime, task, next);
    else if (runtime->options.slow > 0)
        look_how_long(runtime, task);
    while (SALP__UNLIKELY(runtime->visit.function != NULL)) {
        salp__visit visit = runtime->visit;
        runtime->visit.function = NULL;
        visit.function(visit.arg);
        go(runtime, task, NULL);
    }
}

void salp__task_visit(salp__task *task, void (*function)(void *arg), void *arg)
{
    salp__runtime *runtime = task->runtime;
    runtime->visit = (salp__visit){ .function = function, .arg = arg };
    go(runtime, NULL, task);
}

void salp__task_ready(salp__task *task)
{
    if (task->runtime == salp__runtime_now)
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
    salp__loop_now = NULL;
    salp__task_now = NULL;
    salp__runtime_now = NULL;
    salp__bell_drop(&salp__thread_now);
    salp__thread_now = (salp__actor){ .inside = salp__thread_now.inside, .bell = -1 };
}

/* ---- beginning and ending ---- */

static void live(void *arg)
{
    salp__task *task = arg;
    salp__runtime *runtime = task->runtime;
    arrive(runtime, NULL);
    task->begun = true;
    int result = task->function(task->arg);
    salp__must(task->actor.scope == &task->group->scope); /* it has left a scope open, whose frame is gone */
    salp__list_remove(&task->link);
    salp__group_lost(task->group, result);
    runtime->ended = task;
    salp__switch_last(leave(runtime, task, next_ready(runtime), NULL));
}

int salp__task_start(salp__runtime *runtime, salp__members *group, salp_fn *function, void *arg,
                     const salp_task_options *options)
{
    void *stack;
    size_t room;
    int error = salp__stack_take(&runtime->stacks, options ? options->stack_size : 0, &stack, &room);
    if (error < 0)
        return error;
    salp__fiber_clean(stack, room);
    size_t size = (room - sizeof(salp__task)) / SALP__CACHE_LINE * SALP__CACHE_LINE;
    salp__task *task = (salp__task *)((char *)stack + size);
    /* One by one: to clear all of it first would take as long as the rest of this. What is not set belongs to threads, or is
       set before it is read. */
    task->event.run = resume;
    task->actor.scope = &group->scope;
    task->actor.waiting = NULL;
    task->actor.what = NULL;
    task->actor.task = task;
    task->actor.inside = runtime->inside;
    task->runtime = runtime;
    task->pointer = salp__switch_prepare(stack, size, live, task, runtime->control);
    task->stack = stack;
    task->stack_size = size;
    task->room = room;
    task->name = options ? options->name : NULL;
    task->born = runtime->loop.clock_now;
    task->begun = false;
    task->group = group;
    task->function = function;
    task->arg = arg;
    task->fiber = salp__fiber_open();
    salp__list_append(&group->tasks, &task->link);
    salp__loop_soon(&runtime->loop, &task->event);
    return 0;
}

/* ---- the runtime ---- */

void salp__runtime_open(salp__runtime *runtime, salp__members *all, salp__scope *outer, const salp_run_options *options,
                        salp_poller poller)
{
    *all = (salp__members){ .scope = { .outer = outer, .deadline = SALP_FOREVER } };
    all->scope.group = all;
    salp__list_open(&all->tasks);
    *runtime = (salp__runtime){ .all = all,
                                .fiber = salp__fiber_here(),
                                .inside = salp__thread_self()->inside,
                                .control = salp__switch_control() };
    if (options)
        runtime->options = *options;
    salp__loop_open(&runtime->loop, poller);
    runtime->loop.clock_now = salp__now_about();
    salp__stacks_open(&runtime->stacks, runtime->options.stack_size);
    salp__runtime_now = runtime;
}

void salp__runtime_close(salp__runtime *runtime)
{
    bury(runtime);
    salp__loop_close(&runtime->loop); /* cancellations that came too late: those who sent them wait */
    salp__runtime_now = NULL;
    salp__stacks_close(&runtime->stacks);
}
