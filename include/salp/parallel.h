/*
 * salp/parallel.h - fork and join, at the cost of a call.
 *
 * A function that works on two halves forks one of them, works on the other
 * itself, and joins:
 *
 *     struct fib { salp_fork_job job; int n; long result; };
 *
 *     static long fib(salp_worker *worker, int n);
 *
 *     static void fib_taken(salp_worker *worker, salp_fork_job *job)
 *     {
 *         struct fib *f = (struct fib *)job;
 *         f->result = fib(worker, f->n);
 *     }
 *
 *     static long fib(salp_worker *worker, int n)
 *     {
 *         if (n < 2)
 *             return n;
 *         struct fib a = { .n = n - 1 };
 *         salp_fork(worker, &a.job, fib_taken);
 *         long b = fib(worker, n - 2);
 *         return b + (salp_join(worker, &a.job) ? a.result : fib(worker, n - 1));
 *     }
 *
 * A fork is a few stores: it says that somebody else may have this. Almost
 * always nobody wants it, join says so, and you make the call yourself, which
 * the compiler sees as an ordinary one. Only when a worker of the pool has
 * nothing to do does a part go to it, the oldest first, which in a recursion
 * is the largest. So work is cut as finely as you like, and shared out as
 * coarsely as possible.
 *
 * Rules
 *   - Every job that was forked is joined by the same function, before it
 *     returns, last in, first out. If one is left over, the run ends with
 *     -EINVAL; but whoever has taken it works on a frame that is gone.
 *   - Jobs may run in any order and at the same time. One must not wait for
 *     another but by joining it.
 *   - A worker that joins a job which another one runs helps it: it works on
 *     what belongs to that job, and on nothing else. So no foreign job runs on
 *     top of yours, and a mutex may be held across a join, unless jobs that
 *     you forked take it, too.
 *   - A job that was taken runs in another thread, or on top of a join: what
 *     belongs to a thread (its scopes, its variables) is not that of who has
 *     forked it.
 *   - Stacks are those of the threads: a recursion may be as deep as they are.
 *     There is no limit to the number of jobs.
 *   - In a fork of the program no job is joined that was forked before it.
 *
 * For engines of threads. With others the calls end with -ENOTSUP. Loops, sums and
 * sorts, which come along with this header, are in salp/loops.h.
 *
 * The way of sharing is lazy task creation (Mohr, Kranz, Halstead, 1991) with
 * leapfrogging (Wagner, Calder, 1993); docs/parallel.md tells more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_PARALLEL_H
#define SALP_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/loops.h>
#include <salp/pool.h>

SALP_BEGIN

typedef struct salp_worker salp_worker;
typedef struct salp_fork_job salp_fork_job;

/* What runs a job on the worker that has taken it. It finds its arguments, and leaves its result, behind the job. */
typedef void salp_fork_fn(salp_worker *worker, salp_fork_job *job);

/*
 * A job: first in a struct with its arguments and its result, which lies in the frame of who forks it (or wherever it
 * stays until it is joined). It need not be initialised. What is in it belongs to the calls below.
 */
struct salp_fork_job {
    uintptr_t salp__link;
    union {
        salp_fork_fn *salp__taken;
        int64_t salp__base;
    };
};

/* What fork and join touch of a worker; the rest is the library's. Changed only together with the names that end in _v1. */
struct salp_worker {
    salp_fork_job *salp__newest;
    uintptr_t salp__signal;
};

/* Not for use but by salp_join: the job may have been taken, or somebody wants one. */
SALP_API bool salp_join_signalled_v1(salp_worker *worker, salp_fork_job *job) __attribute__((cold));

/*
 * The compiler keeps the order of what is before and what is after. That is all: a thread that looks at another one's
 * jobs makes the processor do the rest (membarrier(2)).
 */
#define SALP__IN_ORDER() __asm__ volatile("" ::: "memory")
/* The same, also for the job, which nobody else may know yet. The register that has its address is of no use to the
   compiler afterwards: so it does not keep it for the join, which finds the job in its frame. */
#define SALP__IN_ORDER_WITH(address) __asm__ volatile("" : "+r"(address) : : "memory")

/* ThreadSanitizer knows nothing of that, and is shown atomic accesses. */
#ifdef __SANITIZE_THREAD__
#define SALP__SHOW_ATOMICS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SALP__SHOW_ATOMICS 1
#endif
#endif

/*
 * Says that another worker may run `taken` with this job. Until the join the job, its arguments and its result must
 * stay where they are and untouched.
 * Threads: only the one that runs as this worker. Waits: no. Cannot fail.
 */
static inline void salp_fork(salp_worker *worker, salp_fork_job *job, salp_fork_fn *taken)
{
    job->salp__taken = taken;
    job->salp__link = (uintptr_t)worker->salp__newest;
    salp_fork_job *newest = job;
    SALP__IN_ORDER_WITH(newest);
#ifdef SALP__SHOW_ATOMICS
    __atomic_store_n(&worker->salp__newest, newest, __ATOMIC_RELEASE);
#else
    /* volatile: where nothing is called until the join, the compiler would leave it out, and nobody could find the job. */
    *(salp_fork_job *volatile *)&worker->salp__newest = newest;
#endif
}

/*
 * Joins the job that this worker forked last and has not joined yet.
 * Returns false when nobody has taken it: call the function yourself, now. true: it is over, and its result is in it.
 * When the run has been ended (salp_worker_end, a scope, the end of the pool), a job that nobody has begun is not run:
 * true, and its result is as you left it. So give results a value at the fork.
 * Threads: only the one that runs as this worker. Waits: for a worker that has taken it, whatever scopes say; meanwhile
 * it helps.
 */
static inline bool salp_join(salp_worker *worker, salp_fork_job *job)
{
#ifdef SALP__SHOW_ATOMICS
    uintptr_t link = __atomic_load_n(&job->salp__link, __ATOMIC_RELAXED);
    __atomic_store_n(&worker->salp__newest, (salp_fork_job *)link, __ATOMIC_RELEASE);
    uintptr_t signal = __atomic_load_n(&worker->salp__signal, __ATOMIC_RELAXED);
#else
    uintptr_t link = *(const volatile uintptr_t *)&job->salp__link;
    worker->salp__newest = (salp_fork_job *)link;
    SALP__IN_ORDER();
    uintptr_t signal = *(const volatile uintptr_t *)&worker->salp__signal;
#endif
    if (__builtin_expect(((link | signal) & 1) == 0, 1))
        return false;
    return salp_join_signalled_v1(worker, job);
}

/*
 * Runs a job in the pool: calls run(worker, job), in which jobs can be forked, and returns when that has returned.
 * A plain thread becomes a worker meanwhile. In a task, with a scope open, or when the pool has an initializer, one of
 * the pool's threads runs it. A job that runs in this pool already, of whatever call, may enter it again: that costs next
 * to nothing. (Of more than 256 plain threads in one pool at once the others work alone.)
 * Threads: any, and tasks; also jobs of this and other pools. Waits: yes; in a task only that waits. When a scope is
 * over, nothing more is begun (see salp_join), and what runs ends first. But a job that enters again looks at its scopes
 * only before.
 * Returns 0, or the error that ended the run: that of salp_worker_end; -ETIMEDOUT, -ECANCELED a scope is over;
 * -ECANCELED the pool was terminated; -EINVAL a job was forked and not joined; SALP_EBROKEN as below.
 * Errors (and nothing was run): -EINVAL pool, run or job is NULL; -ENOTSUP no engine of threads; -ENOMEM; SALP_ECLOSED;
 * SALP_EBROKEN see salp_pool_reason; SALP_EINSIDE called by a callback of this pool or of a loop, or by a task of a loop
 * that a job of this pool runs; SALP_EFORKED; -ETIMEDOUT, -ECANCELED a scope was over before.
 */
SALP_API int salp_pool_enter(salp_pool *pool, salp_fork_fn *run, salp_fork_job *job);

/*
 * Ends the run that the worker is in with this error, unless it has ended with one already: nothing more is begun, and
 * what runs ends first. Costs little more than nothing when it is not called.
 * Threads: the one that runs as this worker. Waits: no. Errors: -EINVAL worker is NULL, or error is not negative.
 */
SALP_API int salp_worker_end(salp_worker *worker, int error);

/* 0, or the error that has ended the run: then a job that takes long may return early. Threads: as above. Waits: no. */
SALP_API int salp_worker_ended(const salp_worker *worker);

SALP_END

#endif
