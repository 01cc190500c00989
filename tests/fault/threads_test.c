/*
 * Pools of threads, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sweep.h"

static const salp_pool_options plain = { .engine = SALP_THREADS, .workers = 3 };

static void a_map_survives(void **state)
{
    (void)state;
    run_sweep(&plain, SALP__PROGRAM, use_map);
}

static void a_starmap_survives(void **state)
{
    (void)state;
    run_sweep(&plain, SALP__PROGRAM, use_starmap);
}

static void an_asynchronous_call_survives(void **state)
{
    (void)state;
    run_sweep(&plain, SALP__PROGRAM, use_async);
}

static void a_message_survives(void **state)
{
    (void)state;
    run_sweep(&plain, SALP__PROGRAM, use_message);
}

static void an_imap_survives(void **state)
{
    (void)state;
    run_sweep(&plain, SALP__PROGRAM, use_imap);
}

static void use_nothing(salp_pool *pool)
{
    (void)pool;
}

/* As many workers as processors: what tells their number may be unreadable. */
static void a_pool_without_a_number_of_workers_survives(void **state)
{
    (void)state;
    run_sweep(&(salp_pool_options){ .engine = SALP_THREADS }, SALP__PROGRAM, use_nothing);
}

static atomic_int initialized;

static int initialize(void *arg)
{
    atomic_fetch_add(&initialized, 1);
    return *(const int *)arg == 42 ? 0 : -EILSEQ;
}

static void use_several_maps(salp_pool *pool)
{
    for (int i = 0; i < 3; i++)
        use_map(pool);
}

/* Workers that are replaced after a few items, and need an initializer. A thread that cannot be started is no error
   then: the old one goes on. */
static void workers_that_are_replaced_survive(void **state)
{
    int arg = 42;
    (void)state;
    run_sweep(&(salp_pool_options){ .engine = SALP_THREADS,
                                    .workers = 2,
                                    .items_per_worker = 20,
                                    .initializer = initialize,
                                    .initializer_arg = &arg,
                                    .initializer_arg_size = sizeof arg },
              SALP__PROGRAM, use_several_maps);
    assert_true(atomic_load(&initialized) > 0);
}

/* A recursion that forks, by this thread and by jobs of a map. */
struct leaves {
    salp_fork_job job;
    int depth;
    int count;
};

static void count_leaves(salp_worker *worker, salp_fork_job *job)
{
    struct leaves *l = (struct leaves *)job;
    struct leaves one = { .depth = l->depth - 1 }, other = one;
    l->count = 1;
    if (l->depth == 0)
        return;
    salp_fork(worker, &one.job, count_leaves);
    count_leaves(worker, &other.job);
    if (!salp_join(worker, &one.job))
        count_leaves(worker, &one.job);
    l->count = one.count + other.count;
}

static int job_fork(const void *in, void *out, void *context)
{
    struct leaves root = { .depth = 6 };
    (void)in;
    int result = salp_pool_enter(*(salp_pool **)context, count_leaves, &root.job);
    *(int *)out = root.count;
    return result;
}

static int all_leaves(int i)
{
    (void)i;
    return 1 << 6;
}

static void use_forks(salp_pool *pool)
{
    enum { JOBS = 8 };
    int out[JOBS], errors[JOBS];
    struct leaves root = { .depth = 8 };
    int result = judge("enter", salp_pool_enter(pool, count_leaves, &root.job));
    SWEEP_CHECK(root.count == (result < 0 ? 0 : 1 << 8), "enter: %d leaves\n", root.count);
    for (int i = 0; i < JOBS; i++)
        out[i] = errors[i] = UNTOUCHED;
    result = salp_map(pool, job_fork, NULL, 0, out, sizeof *out, JOBS,
                      &(salp_map_options){ .errors = errors, .context = &pool, .context_size = sizeof(salp_pool *) });
    check_items("map of forks", judge("map of forks", result), out, errors, JOBS, all_leaves);
}

static void forks_survive(void **state)
{
    (void)state;
    run_sweep(&plain, SALP__PROGRAM, use_forks);
}

/* Threads of the pool run what is entered with. */
static void forks_with_an_initializer_survive(void **state)
{
    int arg = 42;
    (void)state;
    run_sweep(&(salp_pool_options){ .engine = SALP_THREADS,
                                    .workers = 2,
                                    .initializer = initialize,
                                    .initializer_arg = &arg,
                                    .initializer_arg_size = sizeof arg },
              SALP__PROGRAM, use_forks);
}

/* ---- loops ---- */

/* More than lies on the stack. */
struct large {
    uint64_t sum;
    char filling[2000];
};

enum { INDICES = 2000 };

/* Long enough for somebody to come. */
static int add_indices(size_t begin, size_t end, void *result, void *arg)
{
    (void)arg;
    for (size_t i = begin; i < end; i++) {
        *(uint64_t *)result += i;
        for (int64_t stop = salp_now() + SALP_MICROSECONDS(1); salp_now() < stop;)
            continue;
    }
    return 0;
}

static void add_sums(void *result, const void *right, void *arg)
{
    (void)arg;
    *(uint64_t *)result += *(const uint64_t *)right;
}

static int scan_indices(size_t begin, size_t end, void *sum, bool last, void *arg)
{
    (void)last;
    return add_indices(begin, end, sum, arg);
}

static int compare_numbers(const void *a, const void *b, void *arg)
{
    (void)arg;
    return *(const int *)a - *(const int *)b;
}

static bool is_allowed(int result)
{
    return result == 0 || result == -ENOMEM || result == -EAGAIN;
}

static void use_loops(salp_pool *pool)
{
    uint64_t wanted = (uint64_t)INDICES * (INDICES - 1) / 2;
    for (int i = 0; i < 4; i++) {
        struct large large = { 0 };
        int result = salp_reduce(pool, 0, INDICES, sizeof large, add_indices, add_sums, &large, NULL,
                                 &(salp_reduce_options){ .grain = i & 2, .deterministic = i & 1 });
        sweep.errors += result < 0;
        SWEEP_CHECK(is_allowed(result), "reduce: %d", result);
        SWEEP_CHECK(result < 0 || large.sum == wanted, "reduce: wrong");
    }
    uint64_t sum = 0;
    int result = salp_scan(pool, 0, INDICES, sizeof sum, scan_indices, add_sums, &sum, NULL, NULL);
    sweep.errors += result < 0;
    SWEEP_CHECK(is_allowed(result), "scan: %d", result);
    SWEEP_CHECK(result < 0 || sum == wanted, "scan: wrong");
    int numbers[INDICES];
    for (int i = 0; i < INDICES; i++)
        numbers[i] = INDICES - i;
    result = salp_sort(pool, numbers, INDICES, sizeof *numbers, compare_numbers, NULL);
    sweep.errors += result < 0;
    SWEEP_CHECK(is_allowed(result), "sort: %d", result);
    for (int i = 0; i < INDICES; i++)
        SWEEP_CHECK(numbers[i] == (result < 0 ? INDICES - i : i + 1), "sort: %d is wrong", i);
}

static void loops_survive(void **state)
{
    (void)state;
    run_sweep(&plain, SALP__PROGRAM, use_loops);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a map survives", a_map_survives),
        TEST("a starmap survives", a_starmap_survives),
        TEST("an asynchronous call survives", an_asynchronous_call_survives),
        TEST("a message survives", a_message_survives),
        TEST("an imap survives", an_imap_survives),
        TEST("a pool without a number of workers survives", a_pool_without_a_number_of_workers_survives),
        TEST("workers that are replaced survive", workers_that_are_replaced_survive),
        TEST("forks survive", forks_survive),
        TEST("forks with an initializer survive", forks_with_an_initializer_survive),
        TEST_LIMIT("loops survive", loops_survive, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
