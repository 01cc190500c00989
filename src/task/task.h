/*
 * Tasks, and the runtime of a loop that has some.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__TASK_H
#define SALP__TASK_H

#include <salp/time.h>

#include "loop/loop.h"
#include "task/scope.h"
#include "task/stack.h"

typedef struct salp__task {
    salp__event event; /* its resumption */
    salp__actor actor;
    struct salp__runtime *runtime;
    void *pointer;     /* of its stack, while it does not run */
    void *stack;       /* lower end */
    size_t stack_size; /* below this struct */
    size_t room;       /* of the stack, with this struct */
    const char *name;  /* or NULL */
    int64_t born;      /* on the loop's clock */
    bool begun;
    salp__members *group;
    salp__list link;   /* in its group */
    salp__list doomed; /* in the list of those to be cancelled */
    salp_fn *function;
    void *arg;
    void *fiber; /* what a sanitizer knows it by */
} salp__task;

/* Something to be done on a task's stack, while it waits. */
typedef struct salp__visit {
    void (*function)(void *arg); /* NULL: nothing */
    void *arg;
    salp__task *from; /* who has sent the visitor; NULL: the loop */
} salp__visit;

/* One to a thread that runs a loop. */
typedef struct salp__runtime {
    salp__loop loop; /* first, so that a loop with tasks is known as one */
    salp__stacks stacks;
    salp__members *all;      /* holds the first task */
    salp__timer deadline;    /* of the scopes of the thread */
    salp__task *current;     /* NULL: the loop itself */
    salp__task *ended;       /* its stack can be used again as soon as another one runs */
    void *pointer;           /* of the loop's own stack, while a task runs */
    const void *loop_memory; /* that stack, as a sanitizer tells */
    size_t loop_size;
    bool left_loop; /* the switch under way leaves it */
    salp__visit visit;
    salp_run_options options;
    _Atomic int guests; /* tasks of salp_loop_go that have not begun */
    salp__event slow;   /* the report of a task that has kept the processor too long */
    int64_t slow_for;   /* 0: there is none to report */
    char slow_name[64];
    int64_t resumed;    /* when the running task got the processor; only if slow ones are reported */
    uint64_t control;   /* words of the floating-point units that tasks begin with: as they were when the run began */
    int deadlocks;      /* how often it was found that nobody can go on */
    bool part;          /* of salp_run_loops [const] */
    salp__event nudge;  /* does nothing, but the loop wakes up for it */
    const void *inside; /* what the thread was inside when it began: its tasks are, too */
    void *fiber;
} salp__runtime;

extern SALP__NOW salp__runtime *salp__runtime_now;

/* The runtime of this thread, or NULL. */
static inline salp__runtime *salp__runtime_here(void)
{
    return salp__runtime_now;
}

/* Makes a task that is suspended go on: any thread. */
void salp__task_ready(salp__task *task);

/* Starts a task in a group, which it enters. Returns 0 or -ENOMEM. */
int salp__task_start(salp__runtime *runtime, salp__members *group, salp_fn *function, void *arg,
                     const salp_task_options *options);

/* Calls function(arg) on the stack of a task that waits. It must not wait. On the loop's stack. */
void salp__task_visit(salp__task *task, void (*function)(void *arg), void *arg);

/* The runtime of this thread begins and ends; tasks are inside of `all`, which is inside of `outer`. */
void salp__runtime_open(salp__runtime *runtime, salp__members *all, salp__scope *outer, const salp_run_options *options,
                        salp_poller poller);
void salp__runtime_close(salp__runtime *runtime);

/* All tasks, in a list by their `doomed` links. */
void salp__scope_collect(salp__runtime *runtime, salp__list *tasks);

/* How long nothing has to have happened to a loop before it is asked whether all is stuck. */
enum {
#ifdef SALP_HOSTILE
    SALP__STUCK_PAUSE = SALP_MILLISECONDS(1),
#else
    SALP__STUCK_PAUSE = SALP_MILLISECONDS(100),
#endif
};

/* salp_run, in a loop of salp_run_loops. */
int salp__run_part(salp_fn *main, void *arg);

/* All tasks wait, and nothing can wake them: reports it, and ends their waits. false: none was left to end. */
bool salp__deadlock(salp__runtime *runtime);

/* A task has left its group, with this result. */
void salp__group_lost(salp__members *group, int result);

/* Calls function(arg) where there is room: a task's call is made by its loop, on the thread's own stack. */
void salp__on_large_stack(void (*function)(void *arg), void *arg);

/* In a fork that is to be a process of its own: no task and no scope of the program is its business. */
void salp__task_forget_all(void);

/* Lets others run until somebody makes this task ready; or lets those run that are. */
void salp__task_suspend(salp__task *task);
void salp__task_give_way(salp__task *task);

#endif
