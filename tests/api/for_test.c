/*
 * Loops over indices and tiles: each index once, whatever the sizes, grains and workers; errors, ends, and loops in
 * loops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

static salp_pool *pool_of(int workers)
{
    salp_pool *pool;
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .workers = workers }), 0);
    return pool;
}

/* ---- each index once ---- */

struct tally {
    size_t begin, grain;
    size_t end;
    unsigned char *counts; /* from begin on */
    atomic_int bad;        /* pieces that should not be so */
};

static int count_each(size_t begin, size_t end, void *arg)
{
    struct tally *t = arg;
    if (begin >= end || begin < t->begin || end > t->end)
        atomic_fetch_add(&t->bad, 1);
    if (t->grain > 0 && ((begin - t->begin) % t->grain != 0 || (end - begin != t->grain && end != t->end)))
        atomic_fetch_add(&t->bad, 1);
    for (size_t i = begin; i < end; i++)
        t->counts[i - t->begin]++; /* a race, for ThreadSanitizer, if two come to one index */
    return 0;
}

static void each_index_is_run_once(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 2, 3, 7, 14, 64, 65, 1000, 100003 };
    static const size_t grains[] = { 0, 1, 2, 7, 1000, SIZE_MAX };
    unsigned char *seen = malloc(100003);
    assert_non_null(seen);
    for (int workers = 1; workers <= 5; workers += 2) {
        salp_pool *pool = pool_of(workers);
        for (size_t c = 0; c < LENGTH(counts); c++) {
            for (size_t g = 0; g < LENGTH(grains); g++) {
                size_t count = counts[c] < (size_t)test_scale(100003) ? counts[c] : (size_t)test_scale(100003);
                struct tally t = { .begin = 5 * c, .end = 5 * c + count, .grain = grains[g], .counts = seen };
                memset(seen, 0, count);
                assert_int_equal(
                    salp_for(pool, t.begin, t.end, count_each, &t, &(salp_for_options){ .grain = grains[g] }), 0);
                assert_int_equal(t.bad, 0);
                for (size_t i = 0; i < count; i++)
                    if (seen[i] != 1)
                        fail_msg("count %zu, grain %zu: index %zu was run %d times", count, grains[g], i, seen[i]);
            }
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
    free(seen);
}

static int never_called(size_t begin, size_t end, void *arg)
{
    (void)begin, (void)end, (void)arg;
    abort();
}

static int sees_the_ends(size_t begin, size_t end, void *arg)
{
    atomic_int *found = arg;
    if (begin == 0)
        atomic_fetch_or(found, 1);
    if (end == SIZE_MAX)
        atomic_fetch_or(found, 2);
    return 0;
}

static void the_largest_range_is_run(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    atomic_int found = 0;
    assert_int_equal(
        salp_for(pool, 0, SIZE_MAX, sees_the_ends, &found, &(salp_for_options){ .grain = SIZE_MAX / 100 + 1 }), 0);
    assert_int_equal(found, 3);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void arguments_are_checked(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    assert_int_equal(salp_for(pool, 7, 7, never_called, NULL, NULL), 0);
    assert_int_equal(salp_for(NULL, 0, 7, never_called, NULL, NULL), -EINVAL);
    assert_int_equal(salp_for(pool, 0, 7, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(salp_for(pool, 8, 7, never_called, NULL, NULL), -EINVAL);
    assert_int_equal(salp_pool_terminate(pool), 0);
    assert_int_equal(salp_for(pool, 0, 7, never_called, NULL, NULL), SALP_ECLOSED);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_pool_of_processes_runs_no_loop(void **state)
{
    (void)state;
    salp_pool *pool;
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 1 }), 0);
    assert_int_equal(salp_for(pool, 0, 7, never_called, NULL, NULL), -ENOTSUP);
    assert_int_equal(salp_for(pool, 7, 7, never_called, NULL, NULL), -ENOTSUP);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- sharing ---- */

struct company {
    atomic_int here;
    int wanted;
};

static _Thread_local const struct company *joined;

/* Goes on until so many threads have come. */
static int wait_for_company(size_t begin, size_t end, void *arg)
{
    struct company *c = arg;
    (void)begin, (void)end;
    if (joined != c) {
        joined = c;
        atomic_fetch_add(&c->here, 1);
    }
    doze(SALP_MICROSECONDS(10));
    return atomic_load(&c->here) == c->wanted ? -EDOM : 0;
}

static void every_worker_takes_part(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 4; workers++) {
        struct company by_one = { .wanted = workers }, chosen = { .wanted = workers };
        salp_pool *pool = pool_of(workers);
        assert_int_equal(salp_for(pool, 0, SIZE_MAX, wait_for_company, &by_one, &(salp_for_options){ .grain = 1 }),
                         -EDOM);
        assert_int_equal(salp_for(pool, 0, SIZE_MAX, wait_for_company, &chosen, NULL), -EDOM);
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

/* The first piece is at it until somebody else has run the last one: it is to be had meanwhile. */
static int wait_for_the_last(size_t begin, size_t end, void *arg)
{
    struct company *c = arg;
    if (begin == 0)
        return reaches(&c->here, 1) ? 0 : -ETIME;
    if (end == 1000)
        atomic_fetch_add(&c->here, 1);
    return 0;
}

struct long_first {
    salp_fork_job job;
    salp_pool *pool;
    size_t grain;
    int result;
};

static void loop_with_a_long_first(salp_worker *worker, salp_fork_job *job)
{
    struct long_first *l = (struct long_first *)job;
    struct company last = { 0 };
    (void)worker;
    l->result = salp_for(l->pool, 0, 1000, wait_for_the_last, &last, &(salp_for_options){ .grain = l->grain });
}

static void what_lies_behind_a_long_piece_is_run_by_others(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    for (size_t grain = 0; grain <= 2; grain++) {
        /* In a job, so that a thread has been woken before: the loop wakes nobody while the first piece lasts. */
        struct long_first root = { .pool = pool, .grain = grain };
        assert_int_equal(salp_pool_enter(pool, loop_with_a_long_first, &root.job), 0);
        assert_int_equal(root.result, 0);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- pieces ---- */

static int compute_some(size_t begin, size_t end, void *arg)
{
    for (size_t i = begin; i < end; i++)
        __asm__ volatile("" ::: "memory");
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static void pieces_that_are_chosen_are_not_the_smallest(void **state)
{
    (void)state;
#ifdef SALP_HOSTILE
    test_skip("pieces are kept small");
#endif
    salp_pool *pool = pool_of(1);
    atomic_int pieces = 0;
    int64_t began = clock_now();
    assert_int_equal(salp_for(pool, 0, 4000000, compute_some, &pieces, NULL), 0);
    /* 5 microseconds are aimed at. Whatever holds the thread up, makes them longer. */
    assert_true(clock_now() - began >= pieces * SALP_MICROSECONDS(1) / 2);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- errors ---- */

struct failing {
    size_t first, second; /* these fail */
    size_t count;
    unsigned char *ran;
};

static int fail_at_two(size_t begin, size_t end, void *arg)
{
    struct failing *f = arg;
    for (size_t i = begin; i < end; i++) {
        if (i == f->first)
            return -EDOM;
        if (i == f->second)
            return -ERANGE;
        f->ran[i] = 1;
    }
    return 1; /* no error */
}

static void the_first_error_ends_the_loop_as_a_plain_one(void **state)
{
    (void)state;
    size_t count = (size_t)test_scale(20000);
    unsigned char *ran = malloc(count);
    assert_non_null(ran);
    for (int workers = 1; workers <= 4; workers++) {
        salp_pool *pool = pool_of(workers);
        for (size_t k = 0; k < 40; k++) {
            struct failing f = { .first = k * count / 40, .second = count - 1 - k, .count = count, .ran = ran };
            memset(ran, 0, count);
            if (f.first > f.second)
                continue;
            assert_int_equal(salp_for(pool, 0, count, fail_at_two, &f, &(salp_for_options){ .grain = k % 3 * 5 }),
                             -EDOM);
            for (size_t i = 0; i < f.first; i++)
                if (!ran[i])
                    fail_msg("%zu was not run, though the first error is at %zu", i, f.first);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
    free(ran);
}

static int fail_and_count(size_t begin, size_t end, void *arg)
{
    (void)begin, (void)end;
    atomic_fetch_add((atomic_int *)arg, 1);
    return -EDOM;
}

static void nothing_behind_an_error_is_begun(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(1);
    atomic_int calls = 0;
    assert_int_equal(salp_for(pool, 0, 1000000, fail_and_count, &calls, NULL), -EDOM);
    /* One that waits for work may have begun a part before the first one failed, or two; nobody begins all of them. */
    assert_true(calls < 1000);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- loops in loops, in jobs, in maps, in tasks ---- */

struct nest {
    salp_pool *pool;
    salp_pool *other; /* for the inner loops; else the same */
    atomic_int runs;
};

enum { OUTER = 20, INNER = 30 };

static int count_runs(size_t begin, size_t end, void *arg)
{
    atomic_fetch_add((atomic_int *)arg, (int)(end - begin));
    return 0;
}

static int run_inner(size_t begin, size_t end, void *arg)
{
    struct nest *n = arg;
    for (size_t i = begin; i < end; i++) {
        int error = salp_for(n->other ? n->other : n->pool, 0, INNER, count_runs, &n->runs,
                             &(salp_for_options){ .grain = i % 3 });
        if (error < 0)
            return error;
    }
    return 0;
}

static int run_outer(void *arg)
{
    struct nest *n = arg;
    return salp_for(n->pool, 0, OUTER, run_inner, n, NULL);
}

static void loops_run_in_loops(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(3), *other = pool_of(2);
    for (int i = 0; i < 50; i++) {
        struct nest same = { .pool = pool }, across = { .pool = pool, .other = other };
        assert_int_equal(run_outer(&same), 0);
        assert_int_equal(same.runs, OUTER * INNER);
        assert_int_equal(run_outer(&across), 0);
        assert_int_equal(across.runs, OUTER * INNER);
    }
    assert_int_equal(salp_pool_close(other), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int run_deep(size_t begin, size_t end, void *arg)
{
    struct nest *n = arg;
    for (size_t i = begin; i < end; i++) {
        int error = run_outer(n);
        if (error < 0)
            return error;
    }
    return 0;
}

struct nest_job {
    salp_fork_job job;
    struct nest *nest;
    int result;
};

static void run_outer_forked(salp_worker *worker, salp_fork_job *job)
{
    struct nest_job *j = (struct nest_job *)job;
    (void)worker;
    j->result = run_outer(j->nest);
}

static void fork_two_loops(salp_worker *worker, salp_fork_job *job)
{
    struct nest_job *j = (struct nest_job *)job, right = { .nest = j->nest };
    salp_fork(worker, &right.job, run_outer_forked);
    j->result = run_outer(j->nest);
    if (!salp_join(worker, &right.job))
        run_outer_forked(worker, &right.job);
    j->result = j->result < 0 ? j->result : right.result;
}

static int map_a_loop(const void *in, void *out, void *context)
{
    (void)in, (void)out;
    return run_outer(context);
}

static void loops_run_in_jobs_and_in_maps(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(3);
    struct nest nest = { .pool = pool };
    assert_int_equal(salp_for(pool, 0, 5, run_deep, &nest, NULL), 0);
    assert_int_equal(nest.runs, 5 * OUTER * INNER);
    nest.runs = 0;
    struct nest_job root = { .nest = &nest };
    assert_int_equal(salp_pool_enter(pool, fork_two_loops, &root.job), 0);
    assert_int_equal(root.result, 0);
    assert_int_equal(nest.runs, 2 * OUTER * INNER);
    nest.runs = 0;
    assert_int_equal(salp_map(pool, map_a_loop, NULL, 0, NULL, 0, 10, &(salp_map_options){ .context = &nest }), 0);
    assert_int_equal(nest.runs, 10 * OUTER * INNER);
    assert_int_equal(salp_pool_close(pool), 0);
}

enum { TASKS = 10, THREADS = 4 };

static int run_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < TASKS; i++)
        EXPECT(salp_go(&group, run_outer, arg) == 0);
    return salp_group_close(&group);
}

static void loops_run_in_tasks_and_in_many_threads(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    struct nest nest = { .pool = pool };
    struct thread_call calls[THREADS];
    for (int i = 0; i < THREADS; i++)
        start_thread(&calls[i], i % 2, i % 2 ? run_in_tasks : run_outer, &nest);
    join_threads(calls, THREADS);
    assert_int_equal(nest.runs, (THREADS / 2 + THREADS / 2 * TASKS) * OUTER * INNER);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- ends ---- */

struct endless {
    salp_pool *pool;
    salp_scope *scope;
    atomic_int runs;
    int result;
};

/* Pieces of a loop that nobody lives to see the end of. */
static int cancel_after_some(size_t begin, size_t end, void *arg)
{
    struct endless *e = arg;
    (void)begin, (void)end;
    if (atomic_fetch_add(&e->runs, 1) == 10 && e->scope)
        salp_scope_cancel(e->scope);
    doze(SALP_MICROSECONDS(10));
    return 0;
}

static int loop_in_a_scope(void *arg)
{
    struct endless *e = arg;
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    e->scope = &scope;
    e->result = salp_for(e->pool, 0, SIZE_MAX, cancel_after_some, e, &(salp_for_options){ .grain = 1 });
    salp_scope_close(&scope);
    return 0;
}

static int loop_in_a_scope_that_is_over(void *arg)
{
    struct endless *e = arg;
    salp_scope scope;
    salp_scope_open(&scope, 0);
    e->result = salp_for(e->pool, 0, 1, never_called, NULL, NULL);
    salp_scope_close(&scope);
    return 0;
}

/* Opens a scope itself, and is no task: so nobody waits for it who could look. */
static int loop_in_a_scope_in_a_piece(size_t begin, size_t end, void *arg)
{
    (void)begin, (void)end;
    return loop_in_a_scope(arg);
}

static int loop_that_is_over_in_a_piece(size_t begin, size_t end, void *arg)
{
    (void)begin, (void)end;
    return loop_in_a_scope_that_is_over(arg);
}

static int map_a_scope(const void *in, void *out, void *context)
{
    (void)in, (void)out;
    return loop_in_a_scope(context);
}

static void a_scope_ends_a_loop(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    for (int i = 0; i < 10; i++) {
        struct endless here = { .pool = pool }, task = here, piece = here, item = here;
        assert_int_equal(loop_in_a_scope(&here), 0);
        assert_int_equal(here.result, -ECANCELED);
        assert_int_equal(salp_run(loop_in_a_scope, &task), 0);
        assert_int_equal(task.result, -ECANCELED);
        assert_int_equal(salp_for(pool, 0, 1, loop_in_a_scope_in_a_piece, &piece, NULL), 0);
        assert_int_equal(piece.result, -ECANCELED);
        assert_int_equal(salp_map(pool, map_a_scope, NULL, 0, NULL, 0, 1, &(salp_map_options){ .context = &item }), 0);
        assert_int_equal(item.result, -ECANCELED);
        assert_int_equal(loop_in_a_scope_that_is_over(&here), 0);
        assert_int_equal(here.result, -ETIMEDOUT);
        assert_int_equal(salp_for(pool, 0, 1, loop_that_is_over_in_a_piece, &piece, NULL), 0);
        assert_int_equal(piece.result, -ETIMEDOUT);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static int loop_with_a_deadline_in_a_piece(size_t begin, size_t end, void *arg)
{
    struct endless *e = arg;
    (void)begin, (void)end;
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(3));
    e->result = salp_for(e->pool, 0, SIZE_MAX, cancel_after_some, e, NULL);
    salp_scope_close(&scope);
    return 0;
}

static void a_deadline_ends_a_loop_in_a_piece(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    struct endless e = { .pool = pool };
    assert_int_equal(salp_for(pool, 0, 1, loop_with_a_deadline_in_a_piece, &e, NULL), 0);
    assert_int_equal(e.result, -ETIMEDOUT);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void *terminate_soon(void *arg)
{
    struct endless *e = arg;
    EXPECT(reaches(&e->runs, 20));
    EXPECT(salp_pool_terminate(e->pool) == 0);
    return NULL;
}

static void a_termination_ends_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct endless e = { .pool = pool_of(2) };
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, terminate_soon, &e), 0);
        assert_int_equal(salp_for(e.pool, 0, SIZE_MAX, cancel_after_some, &e, NULL), -ECANCELED);
        pthread_join(thread, NULL);
        assert_int_equal(salp_for(e.pool, 0, 1, never_called, NULL, NULL), SALP_ECLOSED);
        assert_int_equal(salp_pool_close(e.pool), 0);
    }
}

struct ending_job {
    salp_fork_job job;
    struct endless *loop;
};

static void end_in_another_job(salp_worker *worker, salp_fork_job *job)
{
    struct ending_job *j = (struct ending_job *)job;
    if (reaches(&j->loop->runs, 10))
        salp_worker_end(worker, -EDOM);
}

static void loop_beside_an_end(salp_worker *worker, salp_fork_job *job)
{
    struct ending_job *j = (struct ending_job *)job, other = { .loop = j->loop };
    salp_fork(worker, &other.job, end_in_another_job);
    j->loop->result = salp_for(j->loop->pool, 0, SIZE_MAX, cancel_after_some, j->loop, NULL);
    salp_join(worker, &other.job);
}

static void the_end_of_a_run_ends_loops_in_it(void **state)
{
    (void)state;
    struct endless e = { .pool = pool_of(2) };
    struct ending_job root = { .loop = &e };
    assert_int_equal(salp_pool_enter(e.pool, loop_beside_an_end, &root.job), -EDOM);
    assert_int_equal(e.result, -EDOM);
    assert_int_equal(salp_pool_close(e.pool), 0);
}

/* ---- nothing to do ---- */

static int never_tiled(const salp_tile *tile, void *arg)
{
    (void)tile;
    return never_called(0, 0, arg);
}

static int never_folded(size_t begin, size_t end, void *result, void *arg)
{
    (void)result;
    return never_called(begin, end, arg);
}

static int never_scanned(size_t begin, size_t end, void *sum, bool last, void *arg)
{
    (void)sum, (void)last;
    return never_called(begin, end, arg);
}

static void never_combined(void *result, const void *right, void *arg)
{
    (void)result, (void)right;
    never_called(0, 0, arg);
}

static int never_compared(const void *a, const void *b, void *arg)
{
    (void)a, (void)b;
    return never_called(0, 0, arg);
}

/* Each call with nothing to do, which is to return this. */
static bool all_return(salp_pool *pool, int expected)
{
    static const salp_tile nowhere = { 3, 3, 0, 9 };
    static const salp_reduce_options fixed = { .deterministic = true };
    int one = 7, sum = 5;
    return salp_for(pool, 3, 3, never_called, NULL, NULL) == expected &&
           salp_for_tiles(pool, &nowhere, never_tiled, NULL, NULL) == expected &&
           salp_reduce(pool, 3, 3, sizeof sum, never_folded, never_combined, &sum, NULL, NULL) == expected &&
           salp_reduce(pool, 3, 3, sizeof sum, never_folded, never_combined, &sum, NULL, &fixed) == expected &&
           salp_scan(pool, 3, 3, sizeof sum, never_scanned, never_combined, &sum, NULL, NULL) == expected &&
           salp_sort(pool, NULL, 0, sizeof one, never_compared, NULL) == expected &&
           salp_sort(pool, &one, 1, sizeof one, never_compared, NULL) == expected && sum == 5 && one == 7;
}

static int loops_of_nothing_in_scopes(void *arg)
{
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(all_return(arg, 0));
    salp_scope_cancel(&scope);
    EXPECT(all_return(arg, -ECANCELED));
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    salp_scope_open(&scope, 0);
    EXPECT(all_return(arg, -ETIMEDOUT));
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(all_return(arg, 0));
    return 0;
}

static int loops_of_nothing_in_a_piece(size_t begin, size_t end, void *arg)
{
    (void)begin, (void)end;
    return loops_of_nothing_in_scopes(arg);
}

static int map_loops_of_nothing(const void *in, void *out, void *context)
{
    (void)in, (void)out;
    return loops_of_nothing_in_scopes(context);
}

struct idle_job {
    salp_fork_job job;
    salp_pool *pool;
};

static void loops_of_nothing_behind_an_end(salp_worker *worker, salp_fork_job *job)
{
    salp_pool *pool = ((struct idle_job *)job)->pool;
    EXPECT(all_return(pool, 0));
    EXPECT(salp_worker_end(worker, -EDOM) == 0);
    EXPECT(all_return(pool, -EDOM));
}

static void loops_of_nothing_in_a_callback(void *arg)
{
    EXPECT(all_return(arg, SALP_EINSIDE));
}

static int calls_back_loops_of_nothing(void *arg)
{
    EXPECT(salp_loop_call(salp_loop_current(), loops_of_nothing_in_a_callback, arg) == 0);
    return loops_of_nothing_in_scopes(arg);
}

static int loops_of_nothing_in_a_fork(void *arg)
{
    return all_return(arg, SALP_EFORKED) ? 0 : 1;
}

static void a_loop_of_nothing_ends_as_any_other(void **state)
{
    (void)state;
    salp_process *fork;
    int status = -1;
    salp_pool *pool = pool_of(2);
    struct idle_job root = { .pool = pool };
    assert_int_equal(loops_of_nothing_in_scopes(pool), 0);
    assert_int_equal(salp_run(calls_back_loops_of_nothing, pool), 0);
    assert_int_equal(salp_for(pool, 0, 1, loops_of_nothing_in_a_piece, pool, NULL), 0);
    assert_int_equal(salp_map(pool, map_loops_of_nothing, NULL, 0, NULL, 0, 1, &(salp_map_options){ .context = pool }),
                     0);
    assert_int_equal(salp_pool_enter(pool, loops_of_nothing_behind_an_end, &root.job), -EDOM);
    assert_int_equal(salp_process_start(&fork, loops_of_nothing_in_a_fork, pool, NULL), 0);
    assert_int_equal(salp_process_wait(fork, &status), 0);
    assert_int_equal(salp_process_close(fork), 0);
    assert_int_equal(status, 0);
    assert_int_equal(salp_pool_terminate(pool), 0);
    assert_true(all_return(pool, SALP_ECLOSED));
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- tiles ---- */

enum { SIDE = 150 };

struct field {
    salp_tile whole;
    salp_tile_options wanted;
    unsigned char seen[SIDE][SIDE];
    atomic_int bad;
};

static bool is_cut_well(size_t begin, size_t end, size_t from, size_t to, size_t wanted)
{
    if (begin >= end || begin < from || end > to)
        return false;
    return wanted == 0 || ((begin - from) % wanted == 0 && (end - begin == wanted || end == to));
}

static int see_tile(const salp_tile *tile, void *arg)
{
    struct field *f = arg;
    const salp_tile *w = &f->whole;
    if (!is_cut_well(tile->row, tile->row_end, w->row, w->row_end, f->wanted.rows) ||
        !is_cut_well(tile->column, tile->column_end, w->column, w->column_end, f->wanted.columns))
        atomic_fetch_add(&f->bad, 1);
    for (size_t row = tile->row; row < tile->row_end; row++) {
        for (size_t column = tile->column; column < tile->column_end; column++)
            f->seen[row][column]++;
    }
    return 0;
}

static void each_place_is_in_one_tile(void **state)
{
    (void)state;
    static const salp_tile wholes[] = {
        { 0, SIDE, 0, SIDE }, { 3, 4, 0, SIDE }, { 0, SIDE, 149, 150 },
        { 10, 27, 5, 99 },    { 7, 7, 0, 5 },    { 0, 5, 7, 7 },
    };
    static const salp_tile_options sizes[] = { { 0, 0 },  { 1, 1 },   { 7, 0 },
                                               { 0, 11 }, { 13, 64 }, { SIZE_MAX, SIZE_MAX } };
    salp_pool *pool = pool_of(3);
    struct field *f = malloc(sizeof *f);
    assert_non_null(f);
    for (size_t w = 0; w < LENGTH(wholes); w++) {
        for (size_t s = 0; s < LENGTH(sizes); s++) {
            memset(f, 0, sizeof *f);
            f->whole = wholes[w];
            f->wanted = sizes[s];
            assert_int_equal(salp_for_tiles(pool, &f->whole, see_tile, f, &f->wanted), 0);
            assert_int_equal(f->bad, 0);
            for (size_t row = 0; row < SIDE; row++) {
                for (size_t column = 0; column < SIDE; column++) {
                    int inside = row >= f->whole.row && row < f->whole.row_end && column >= f->whole.column &&
                                 column < f->whole.column_end;
                    assert_int_equal(f->seen[row][column], inside);
                }
            }
        }
    }
    free(f);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int fail_in_tile(const salp_tile *tile, void *arg)
{
    (void)arg;
    return tile->row == 20 ? -EDOM : tile->row > 20 ? -ERANGE : 0;
}

static void tiles_are_checked_and_may_fail(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    salp_tile whole = { 0, SIDE, 0, SIDE }, turned = { 5, 4, 0, 1 }, huge = { 0, SIZE_MAX, 0, SIZE_MAX };
    assert_int_equal(salp_for_tiles(pool, NULL, fail_in_tile, NULL, NULL), -EINVAL);
    assert_int_equal(salp_for_tiles(NULL, &whole, fail_in_tile, NULL, NULL), -EINVAL);
    assert_int_equal(salp_for_tiles(pool, &whole, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(salp_for_tiles(pool, &turned, fail_in_tile, NULL, NULL), -EINVAL);
    assert_int_equal(salp_for_tiles(pool, &huge, fail_in_tile, NULL, NULL), -EINVAL);
    assert_int_equal(salp_for_tiles(pool, &whole, fail_in_tile, NULL, &(salp_tile_options){ .rows = 10 }), -EDOM);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each index is run once", each_index_is_run_once),
        TEST("the largest range is run", the_largest_range_is_run),
        TEST("arguments are checked", arguments_are_checked),
        TEST_PROCESSES("a pool of processes runs no loop", a_pool_of_processes_runs_no_loop),
        TEST("every worker takes part", every_worker_takes_part),
        TEST("what lies behind a long piece is run by others", what_lies_behind_a_long_piece_is_run_by_others),
        TEST("pieces that are chosen are not the smallest", pieces_that_are_chosen_are_not_the_smallest),
        TEST("the first error ends the loop as a plain one", the_first_error_ends_the_loop_as_a_plain_one),
        TEST("nothing behind an error is begun", nothing_behind_an_error_is_begun),
        TEST("loops run in loops", loops_run_in_loops),
        TEST("loops run in jobs and in maps", loops_run_in_jobs_and_in_maps),
        TEST("loops run in tasks and in many threads", loops_run_in_tasks_and_in_many_threads),
        TEST("a scope ends a loop", a_scope_ends_a_loop),
        TEST("a deadline ends a loop in a piece", a_deadline_ends_a_loop_in_a_piece),
        TEST("a termination ends loops", a_termination_ends_loops),
        TEST("the end of a run ends loops in it", the_end_of_a_run_ends_loops_in_it),
        TEST_PROCESSES("a loop of nothing ends as any other", a_loop_of_nothing_ends_as_any_other),
        TEST("each place is in one tile", each_place_is_in_one_tile),
        TEST("tiles are checked and may fail", tiles_are_checked_and_may_fail),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
