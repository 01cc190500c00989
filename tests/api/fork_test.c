/* Fork and join. SPDX-License-Identifier: MIT */
#include "tasks.h"

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
static long fib_of(int n)
{
    long a = 0, b = 1;
    for (int i = 0; i < n; i++) {
        long next = a + b;
        a = b;
        b = next;
    }
    return a;
}

static salp_pool *pool_of(int workers)
{
    salp_pool *pool;
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .workers = workers }), 0);
    return pool;
}

static void a_recursion_gives_what_it_gives_without_workers(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 4; workers++) {
        salp_pool *pool = pool_of(workers);
        for (int n = 0; n <= 22; n++) {
            struct fib root = { .n = n };
            assert_int_equal(salp_pool_enter(pool, fib_taken, &root.job), 0);
            assert_int_equal(root.result, fib_of(n));
        }
        salp_pool_close(pool);
    }
}

/* ---- a part goes to another thread ---- */

struct encounter {
    salp_fork_job job;
    atomic_int *here;
    bool met;
};

/* Both are here at the same time. */
static void meet(salp_worker *worker, salp_fork_job *job)
{
    struct encounter *m = (struct encounter *)job;
    (void)worker;
    atomic_fetch_add(m->here, 1);
    m->met = reaches(m->here, 2);
}

static void meet_forked(salp_worker *worker, salp_fork_job *job)
{
    struct encounter *m = (struct encounter *)job, other = { .here = m->here };
    salp_fork(worker, &other.job, meet);
    meet(worker, job);
    m->met = salp_join(worker, &other.job) && other.met && m->met;
}

static void a_job_is_taken_while_its_owner_comes_to_no_join(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    for (int i = 0; i < 20; i++) {
        atomic_int here = 0;
        struct encounter root = { .here = &here };
        assert_int_equal(salp_pool_enter(pool, meet_forked, &root.job), 0);
        assert_true(root.met);
    }
    salp_pool_close(pool);
}

/* Forks `count` jobs that wait for each other, joins them, and counts those that others ran. */
enum { MANY = 3 };

static void meet_many(salp_worker *worker, salp_fork_job *job)
{
    struct encounter *m = (struct encounter *)job, others[MANY];
    for (int i = 0; i < MANY; i++) {
        others[i] = (struct encounter){ .here = m->here };
        salp_fork(worker, &others[i].job, meet);
    }
    m->met = true;
    atomic_fetch_add(m->here, 1);
    m->met = reaches(m->here, MANY + 1);
    for (int i = MANY; i-- > 0;)
        m->met = salp_join(worker, &others[i].job) && m->met;
}

static void every_worker_gets_a_job(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(MANY + 1);
    for (int i = 0; i < 10; i++) {
        atomic_int here = 0;
        struct encounter root = { .here = &here };
        assert_int_equal(salp_pool_enter(pool, meet_many, &root.job), 0);
        assert_true(root.met);
    }
    salp_pool_close(pool);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a recursion gives what it gives without workers", a_recursion_gives_what_it_gives_without_workers),
        TEST("a job is taken while its owner comes to no join", a_job_is_taken_while_its_owner_comes_to_no_join),
        TEST("every worker gets a job", every_worker_gets_a_job),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
