/*
 * Jobs that fork, at random: trees of any shape by several threads in one pool, some of whose jobs sleep, so that what
 * they have forked is taken out of their hands. Each node is visited once, and the trees that are ended come to an end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { THREADS = 4, MOST = 5 };

struct forest {
    salp_pool *pool;
    bool sleepy;
    atomic_long visited;
};

struct node {
    salp_fork_job job;
    struct forest *forest;
    uint32_t random;
    int height;
    long size; /* of the tree below, as it was counted */
};

static uint32_t next(uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

/* What the parallel one has to come to. */
static long count_nodes(uint32_t random, int height)
{
    long size = 1;
    int children = height > 0 ? (int)(next(&random) % (MOST + 1)) : 0;
    for (int i = 0; i < children; i++)
        size += count_nodes(next(&random) | 1, height - 1);
    return size;
}

static void visit(salp_worker *worker, salp_fork_job *job);

/* A subtree: by a job, or by entering once more. */
static void visit_here(salp_worker *worker, struct node *n)
{
    if (n->random % 16 != 0)
        visit(worker, &n->job);
    else if (salp_pool_enter(n->forest->pool, visit, &n->job) < 0)
        n->size = -1000000;
}

static void visit(salp_worker *worker, salp_fork_job *job)
{
    struct node *n = (struct node *)job, children[MOST];
    uint32_t random = n->random;
    int count = n->height > 0 ? (int)(next(&random) % (MOST + 1)) : 0;
    long size = 1;
    for (int i = 0; i < count; i++) {
        children[i] = (struct node){ .forest = n->forest, .random = next(&random) | 1, .height = n->height - 1 };
        if (i + 1 < count)
            salp_fork(worker, &children[i].job, visit);
    }
    atomic_fetch_add_explicit(&n->forest->visited, 1, memory_order_relaxed);
    uint32_t whim = next(&random) % 1024;
    if (n->forest->sleepy && whim == 0)
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL); /* what it has forked is seized meanwhile */
    else if (n->forest->sleepy && whim < 8)
        sched_yield();
    for (int i = count; i-- > 0;) {
        if (i + 1 == count || !salp_join(worker, &children[i].job))
            visit_here(worker, &children[i]);
        size += children[i].size;
    }
    n->size = size;
}

struct planter {
    struct forest *forest;
    int rounds;
    uint32_t random;
    int wrong;
    pthread_t thread;
};

static void *plant(void *arg)
{
    struct planter *p = arg;
    for (int i = 0; i < p->rounds; i++) {
        struct node root = { .forest = p->forest, .random = next(&p->random) | 1, .height = (int)(p->random % 9) };
        if (salp_pool_enter(p->forest->pool, visit, &root.job) < 0 ||
            root.size != count_nodes(root.random, root.height))
            p->wrong++;
    }
    return NULL;
}

static void plant_all(int workers, bool sleepy, int rounds)
{
    struct forest forest = { .sleepy = sleepy };
    struct planter planters[THREADS];
    assert_int_equal(salp_pool_open(&forest.pool, &(salp_pool_options){ .workers = workers }), 0);
    for (int i = 0; i < THREADS; i++) {
        planters[i] = (struct planter){ .forest = &forest, .rounds = rounds, .random = (uint32_t)(77 * i + 1) };
        assert_int_equal(pthread_create(&planters[i].thread, NULL, plant, &planters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(planters[i].thread, NULL), 0);
        assert_int_equal(planters[i].wrong, 0);
    }
    salp_pool_close(forest.pool);
}

static void trees_are_visited_whole(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 6; workers++)
        plant_all(workers, false, test_slow() ? 30 : 1000);
}

static void trees_with_jobs_that_sleep_are_visited_whole(void **state)
{
    (void)state;
    for (int workers = 2; workers <= 6; workers += 2)
        plant_all(workers, true, test_slow() ? 20 : 500);
}

/* ---- runs that end early ---- */

struct felled {
    salp_fork_job job;
    int depth;
    atomic_int *leaves;
    int end_at;
};

static void fell(salp_worker *worker, salp_fork_job *job)
{
    struct felled *f = (struct felled *)job;
    struct felled one = { .depth = f->depth - 1, .leaves = f->leaves, .end_at = f->end_at }, other = one;
    if (f->depth == 0) {
        if (atomic_fetch_add(f->leaves, 1) == f->end_at)
            salp_worker_end(worker, -EXDEV);
        return;
    }
    salp_fork(worker, &one.job, fell);
    fell(worker, &other.job);
    if (!salp_join(worker, &one.job))
        fell(worker, &one.job);
}

static void *fell_some(void *arg)
{
    struct planter *p = arg;
    for (int i = 0; i < p->rounds; i++) {
        atomic_int leaves = 0;
        int depth = 10, end_at = (int)(next(&p->random) % 2048);
        struct felled root = { .depth = depth, .leaves = &leaves, .end_at = end_at };
        int result = salp_pool_enter(p->forest->pool, fell, &root.job);
        bool ended = end_at < 1 << depth;
        if (result != (ended ? -EXDEV : 0) || (!ended && leaves != 1 << depth) || (ended && leaves <= end_at))
            p->wrong++;
    }
    return NULL;
}

static void runs_that_end_early_leave_the_others_alone(void **state)
{
    struct forest forest = { .sleepy = false };
    struct planter planters[THREADS];
    (void)state;
    assert_int_equal(salp_pool_open(&forest.pool, &(salp_pool_options){ .workers = 5 }), 0);
    for (int i = 0; i < THREADS; i++) {
        planters[i] =
            (struct planter){ .forest = &forest, .rounds = test_slow() ? 200 : 5000, .random = (uint32_t)(i + 1) };
        assert_int_equal(pthread_create(&planters[i].thread, NULL, fell_some, &planters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(planters[i].thread, NULL), 0);
        assert_int_equal(planters[i].wrong, 0);
    }
    salp_pool_close(forest.pool);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("trees are visited whole", trees_are_visited_whole, 60),
        TEST_LIMIT("trees with jobs that sleep are visited whole", trees_with_jobs_that_sleep_are_visited_whole, 60),
        TEST_LIMIT("runs that end early leave the others alone", runs_that_end_early_leave_the_others_alone, 60),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
