/*
 * What tests of jobs that fork share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FORKS_H
#define FORKS_H

#include "tasks.h"

#include <linux/membarrier.h>

struct fib {
    salp_fork_job job;
    int n;
    long result;
};

static long fib(salp_worker *worker, int n);

static void fib_taken(salp_worker *worker, salp_fork_job *job)
{
    struct fib *f = (struct fib *)job;
    f->result = fib(worker, f->n);
}

static long fib(salp_worker *worker, int n)
{
    if (n < 2)
        return n;
    struct fib a = { .n = n - 1 };
    salp_fork(worker, &a.job, fib_taken);
    long b = fib(worker, n - 2);
    return b + (salp_join(worker, &a.job) ? a.result : fib(worker, n - 1));
}

/* The n-th number, by a loop. */
static inline long fib_of(int n)
{
    long a = 0, b = 1;
    for (int i = 0; i < n; i++) {
        long next = a + b;
        a = b;
        b = next;
    }
    return a;
}

/* Enters, and says whether it gives what it should. */
static inline int check_fib(salp_pool *pool, int n)
{
    struct fib root = { .n = n };
    int error = salp_pool_enter(pool, fib_taken, &root.job);
    return error < 0 ? error : root.result == fib_of(n) ? 0 : -EILSEQ;
}

static inline salp_pool *pool_of(int workers)
{
    return open_pool(SALP_THREADS, workers);
}

/* Only with it do jobs go to others whose owner comes to no join: tests of that wait for ever without. */
static inline void need_membarrier(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0)
        test_skip("there is no membarrier(2)");
}

/* A thread that enters a pool. */
struct guest {
    salp_pool *pool;
    salp_fork_fn *run;
    salp_fork_job *job;
    int result;
    pthread_t thread;
};

static inline void *be_guest(void *arg)
{
    struct guest *g = arg;
    g->result = salp_pool_enter(g->pool, g->run, g->job);
    return NULL;
}

static inline void start_guest(struct guest *g, salp_pool *pool, salp_fork_fn *run, salp_fork_job *job)
{
    *g = (struct guest){ .pool = pool, .run = run, .job = job };
    assert_int_equal(pthread_create(&g->thread, NULL, be_guest, g), 0);
}

static inline int join_guest(struct guest *g)
{
    assert_int_equal(pthread_join(g->thread, NULL), 0);
    return g->result;
}

/* A job that begins, and ends when its run was ended, or when it may. */
struct endless {
    salp_fork_job job;
    atomic_int begun;
    atomic_int may_end;
    int ended; /* what has ended the run, or -EBUSY: patience */
};

static inline void wait_for_end(salp_worker *worker, salp_fork_job *job)
{
    struct endless *e = (struct endless *)job;
    int64_t stop = clock_now() + patience();
    atomic_fetch_add(&e->begun, 1);
    e->ended = -EBUSY;
    while (clock_now() < stop && e->ended == -EBUSY) {
        int ended = salp_worker_ended(worker);
        if (ended < 0 || atomic_load(&e->may_end))
            e->ended = ended;
        else
            doze(SALP_MICROSECONDS(200));
    }
}

/* Counts that it was run. */
struct counted {
    salp_fork_job job;
    int runs;
};

static inline void count_run(salp_worker *worker, salp_fork_job *job)
{
    (void)worker;
    ((struct counted *)job)->runs++;
}

#endif
