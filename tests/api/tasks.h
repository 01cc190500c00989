/*
 * What tests that run in tasks share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASKS_H
#define TASKS_H

#include "jobs.h"

#include <salp/task.h>

/* A deadline that no test lives to see. */
#define NEVER_SEEN SALP_SECONDS(1000000)

static inline int64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Lets the other tasks go on until they wait: they may give way some times before. */
static inline void let_others_wait(void)
{
    for (int i = 0; i < 100; i++)
        EXPECT(salp_yield() == 0);
}

/* Runs `function` in a task, and in a plain thread. */
static inline void in_both(salp_fn *function)
{
    assert_int_equal(salp_run(function, NULL), 0);
    assert_int_equal(function(NULL), 0);
}

/* A thread that calls a function, by itself or in a loop of its own. */
struct thread_call {
    salp_fn *function;
    void *arg;
    bool in_loop;
    pthread_t thread;
};

static inline void *call_in_thread(void *arg)
{
    const struct thread_call *c = arg;
    EXPECT((c->in_loop ? salp_run(c->function, c->arg) : c->function(c->arg)) == 0);
    return NULL;
}

static inline void start_thread(struct thread_call *c, bool in_loop, salp_fn *function, void *arg)
{
    *c = (struct thread_call){ .function = function, .arg = arg, .in_loop = in_loop };
    EXPECT(pthread_create(&c->thread, NULL, call_in_thread, c) == 0);
}

/* Waits for all of them. */
static inline void join_threads(const struct thread_call calls[], int count)
{
    for (int i = 0; i < count; i++)
        EXPECT(pthread_join(calls[i].thread, NULL) == 0);
}

/* A thread that cancels a scope as soon as a count is reached. */
struct canceller {
    salp_scope *scope;
    atomic_int *count;
    int wanted;
    pthread_t thread;
};

static inline void *wait_and_cancel(void *arg)
{
    struct canceller *c = arg;
    EXPECT(reaches(c->count, c->wanted));
    salp_scope_cancel(c->scope);
    return NULL;
}

/* Opens the scope. */
static inline void cancel_at(struct canceller *c, salp_scope *scope, atomic_int *count, int wanted)
{
    *c = (struct canceller){ .scope = scope, .count = count, .wanted = wanted };
    salp_scope_open(scope, SALP_FOREVER);
    EXPECT(pthread_create(&c->thread, NULL, wait_and_cancel, c) == 0);
}

/* Closes it, and expects that something in it was cancelled. */
static inline void was_cancelled(struct canceller *c)
{
    EXPECT(pthread_join(c->thread, NULL) == 0);
    EXPECT(salp_scope_close(c->scope) == -ECANCELED);
}

#endif
