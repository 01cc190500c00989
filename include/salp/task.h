/*
 * salp/task.h - tasks, groups and scopes: straight-line code for many things at once.
 *
 * A task is a function with a stack of its own, run by the loop of one thread.
 * It keeps the processor until it waits, yields or ends; then the next task
 * that is ready goes on. So code between two waits needs no lock against the
 * other tasks of its loop. A task stays in its thread.
 *
 *     static int hello(void *name) { ... salp_sleep(SALP_SECONDS(1)); ... return 0; }
 *
 *     static int all(void *arg)
 *     {
 *         salp_group group;
 *         salp_group_open(&group);
 *         for (int i = 0; i < 3; i++)
 *             salp_go(&group, hello, names[i]);
 *         return salp_group_close(&group);      // waits for all of them
 *     }
 *
 *     int result = salp_run(all, NULL);
 *
 * No task outlives the group that it was started in. No call takes a time-out:
 * a scope does, and every call inside that waits ends with -ETIMEDOUT when it
 * is over, at once and every time until the scope is closed. Cancellation is
 * the same with -ECANCELED. Scopes work in tasks and in plain threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_TASK_H
#define SALP_TASK_H

#include <stddef.h>
#include <stdint.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/time.h>

SALP_BEGIN

/* ---- running ---- */

/*
 * Runs a loop in this thread, with a task that calls main(arg), until that has
 * returned. Returns its result. Tasks begin with the floating-point modes of the
 * caller.
 *
 * Threads: any that does not run a loop already (-EBUSY), so not a task.
 * Waits: yes; scopes that this thread has opened around it reach into its tasks.
 * Errors: -EINVAL: no main; -EBUSY; -ENOMEM: no memory for the loop or the stack.
 */
SALP_API int salp_run(salp_fn *main, void *arg);

/* For salp_run_with. All zeros are the defaults. */
typedef struct salp_run_options {
    size_t stack_size; /* bytes of each task's stack, of which up to 3 KiB are Salp's; 0: 64 KiB. At most 1 GiB */
    /*
     * Called by the loop, as a callback, after a task has kept the processor for longer than so many nanoseconds (0: is
     * not looked at) and has given it up. The name is cut at 63 bytes.
     */
    int64_t slow;
    void (*on_slow)(const char *name, int64_t nanoseconds, void *arg);
    /*
     * Called when all tasks wait for each other, with a text of many lines that says where; it is gone afterwards.
     */
    void (*on_deadlock)(const char *text, void *arg);
    void *arg; /* for both */
} salp_run_options;

/*
 * salp_run with options. NULL: none.
 *
 * Deadlocks: when every task waits, no timer is set, no descriptor or signal is
 * watched, and the program has no other thread that could wake one of them, then
 * all waits of the run end with SALP_EDEADLK, and so does the run. Threads of pools
 * that have nothing to do cannot wake anybody. (Of other threads Salp cannot know
 * what they will do, and says nothing, also when they sleep. A program with threads
 * is looked at when nothing has happened for 100 ms, and again after ever longer.)
 *
 * Errors: as salp_run; -EINVAL: stack_size is too large, slow is negative, or
 * without on_slow; SALP_EDEADLK.
 */
SALP_API int salp_run_with(salp_fn *main, void *arg, const salp_run_options *options);

/*
 * Runs loops in `loops` threads, with main(arg) once in each, and waits for all.
 * They share nothing but what main gives them; a task stays in its loop. The
 * first main that fails cancels the others.
 *
 * Returns the first failure, or 0. Threads: any; in a task only that task waits.
 * Scopes around the call reach into the loops. When the tasks of all loops wait for
 * each other, each loop ends as in salp_run_with.
 * Errors: -EINVAL: no main, or loops is not 1 to 4096; SALP_EINSIDE: called by a
 * callback of a loop; -ECANCELED, -ETIMEDOUT; SALP_EDEADLK; -EAGAIN, -ENOMEM: a thread
 * could not be started: those that were are cancelled and waited for.
 */
SALP_API int salp_run_loops(int loops, salp_fn *main, void *arg);

/*
 * Lets the tasks that are ready go first. Returns 0, -ECANCELED or -ETIMEDOUT.
 * In a plain thread: lets other threads go first.
 */
SALP_API int salp_yield(void);

/*
 * Sleeps for so many nanoseconds; zero or less: yields. Returns 0, -ECANCELED
 * or -ETIMEDOUT. Threads: tasks, and plain threads.
 */
SALP_API int salp_sleep(int64_t nanoseconds);

/* ---- scopes ---- */

/*
 * A part of a function that has a deadline, or can be cancelled. Lives on the
 * caller's stack and is closed by the task or thread that has opened it, the
 * innermost one first. Deadlines nest: the tightest one wins.
 */
typedef struct salp_scope {
    void *salp__private[16];
} salp_scope;

/* `timeout`: nanoseconds from now, SALP_FOREVER: none. Zero or less: it is over at once. */
SALP_API void salp_scope_open(salp_scope *scope, int64_t timeout);

/*
 * The same for clean-up: what is inside is not cancelled by the scopes outside,
 * nor ended by their deadlines. Give it a timeout of its own.
 */
SALP_API void salp_scope_shield(salp_scope *scope, int64_t timeout);

/*
 * Cancels: every call inside that waits, now or later, ends with -ECANCELED, in
 * the task that opened the scope and in the tasks of groups opened inside.
 *
 * Threads: any, when the scope is open; closing it waits for cancellations that
 * are under way. From another loop or thread it returns when the cancellation has
 * been carried out, so it may wait; a callback of a loop does not.
 */
SALP_API void salp_scope_cancel(salp_scope *scope);

/*
 * Closes. Returns -ETIMEDOUT or -ECANCELED when the scope has ended a call
 * inside (its own deadline, its own cancellation: not those of a scope around
 * it), else 0. Waits: no.
 *
 * Errors: -EINVAL: it is not open here; or scopes were left open inside. Those are
 * closed with it, if their frames still exist: leaving a function with a scope open
 * is an error that cannot be undone, and a task that ends so is a trap.
 */
SALP_API int salp_scope_close(salp_scope *scope);

/* ---- groups ---- */

/* Tasks that are waited for together. A group is a scope too, without a deadline. */
typedef struct salp_group {
    void *salp__private[26];
} salp_group;

/* Threads: tasks only, since the tasks of a group belong to the opener's loop. In a plain thread salp_go says so. */
SALP_API void salp_group_open(salp_group *group);

/*
 * Starts a task that calls function(arg). It begins when the caller waits, yields
 * or ends. Threads: tasks of the group's loop, while the group is open: its owner,
 * or the tasks in it. Waits: no.
 *
 * When the function returns a negative number, it has failed: the first failure
 * of a group cancels the others, and what its owner waits for, until he closes it.
 * A task that could not be started is no failure: look at the result of salp_go.
 *
 * Errors: -EINVAL: no group, or no function; -EPERM: not called from a task of
 * the group's loop; -ECANCELED: the group was cancelled, or a task of it has
 * failed; -ENOMEM: no memory for a stack, or the system has no more room for its
 * guard (vm.max_map_count).
 */
SALP_API int salp_go(salp_group *group, salp_fn *function, void *arg);

typedef struct salp_task_options {
    const char *name;  /* for reports; must stay until the task has ended */
    size_t stack_size; /* bytes; 0: as the run's. One that is larger is mapped for this task alone */
} salp_task_options;

/* salp_go with options. NULL: none. Errors: as salp_go; -EINVAL: stack_size is above 1 GiB. */
SALP_API int salp_go_with(salp_group *group, salp_fn *function, void *arg, const salp_task_options *options);

/* As salp_scope_cancel. */
SALP_API void salp_group_cancel(salp_group *group);

/*
 * Waits until all tasks of the group have ended, whatever happens, and closes
 * it. A scope around it that is over, or cancelled, ends the tasks; they may take
 * their time to clean up, and are waited for.
 *
 * Returns the first failure of a task, or 0; -EINVAL as salp_scope_close. A task that
 * was cancelled, or was past a deadline, and returns -ECANCELED or -ETIMEDOUT for
 * that, has failed so.
 */
SALP_API int salp_group_close(salp_group *group);

/* ---- looking at them ---- */

/*
 * Writes a text to the descriptor: all tasks of this thread's loop, with their
 * names, what they wait for, for how long, how old they are, and their stacks.
 * Times are of some milliseconds' precision.
 *
 * Threads: tasks, and callbacks of loops. In a task, those that are ready go first.
 * Waits: no; writes as write(2) does. It reads debug information from files, so it
 * takes its time. A stack that is nearly full is not shown.
 * Errors: -EPERM: this thread has no loop; -EBADF, -EIO, ...: of writing; -ENOMEM.
 */
SALP_API int salp_task_dump(int fd);

SALP_END

#endif
