/*
 * fib.c - a recursion on all processors.
 *
 *     cc fib.c $(pkg-config --cflags --libs salp) -o fib
 *     ./fib 35
 *
 * Each call forks one half and works on the other. Almost always nobody wants what was forked: then salp_join says so,
 * and the call is made as any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <salp.h>

struct fib {
    salp_fork_job job;
    int n;
    long result;
};

static long fib(salp_worker *worker, int n);

/* What runs if somebody takes it. */
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

/* Where it begins. A function of its own: so the compiler makes more of the calls in the recursion (docs/parallel.md). */
static void fib_root(salp_worker *worker, salp_fork_job *job)
{
    struct fib *f = (struct fib *)job;
    f->result = fib(worker, f->n);
}

int main(int argc, char **argv)
{
    struct fib root = { .n = argc > 1 ? atoi(argv[1]) : 30 };
    if (root.n < 0 || root.n > 90) {
        fprintf(stderr, "fib: a number from 0 to 90, please\n");
        return 1;
    }
    salp_pool *pool;
    int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_THREADS });
    if (error == 0) {
        error = salp_pool_enter(pool, fib_root, &root.job);
        salp_pool_close(pool);
    }
    if (error < 0) {
        fprintf(stderr, "fib: %s\n", salp_strerror(error));
        return 1;
    }
    printf("fib(%d) = %ld\n", root.n, root.result);
    return 0;
}
