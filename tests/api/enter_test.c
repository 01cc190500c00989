/*
 * Entering a pool with a job that forks: from where, beside what else, and how that ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "forks.h"

#include <sys/wait.h>

#include "pool/engine.h"
#include "pool/entrance.h"

/* ---- errors ---- */

static void wrong_arguments_are_refused(void **state)
{
    struct fib root = { .n = 1 };
    (void)state;
    salp_pool *pool = pool_of(1);
    assert_int_equal(salp_pool_enter(NULL, fib_taken, &root.job), -EINVAL);
    assert_int_equal(salp_pool_enter(pool, NULL, &root.job), -EINVAL);
    assert_int_equal(salp_pool_enter(pool, fib_taken, NULL), -EINVAL);
    assert_int_equal(salp_worker_end(NULL, -EIO), -EINVAL);
    salp_pool_close(pool);
}

static void other_engines_have_no_workers_that_fork(void **state)
{
    struct counted root = { .runs = 0 };
    (void)state;
    salp_pool *pool = open_pool(SALP_PROCESSES, 1);
    assert_int_equal(salp_pool_enter(pool, count_run, &root.job), -ENOTSUP);
    assert_int_equal(root.runs, 0);
    salp_pool_close(pool);
}

static void a_fork_of_the_program_does_not_enter(void **state)
{
    int status;
    struct counted root = { .runs = 0 };
    (void)state;
    salp_pool *pool = pool_of(2);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(salp_pool_enter(pool, count_run, &root.job) == SALP_EFORKED && root.runs == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(check_fib(pool, 10), 0);
    salp_pool_close(pool);
}

struct caller {
    salp_fork_job job;
    salp_pool *pool;
    atomic_int result;
    atomic_int over;
};

static void enter_as_callback(salp_future *future, void *arg)
{
    struct caller *c = arg;
    (void)future;
    atomic_store(&c->result, check_fib(c->pool, 1));
    atomic_store(&c->over, 1);
}

static void a_callback_of_the_pool_does_not_enter(void **state)
{
    int in = 3, out;
    salp_future *future;
    (void)state;
    salp_pool *pool = pool_of(1);
    struct caller c = { .pool = pool };
    assert_int_equal(salp_apply_async(&future, pool, job_square, &in, sizeof in, &out, sizeof out,
                                      &(salp_map_options){ .on_done = enter_as_callback, .on_done_arg = &c }),
                     0);
    assert_true(reaches(&c.over, 1));
    assert_int_equal(atomic_load(&c.result), SALP_EINSIDE);
    assert_int_equal(salp_future_wait(future), 0);
    salp_future_free(future);
    salp_pool_close(pool);
}

static void map_inside(salp_worker *worker, salp_fork_job *job)
{
    struct caller *c = (struct caller *)job;
    (void)worker;
    atomic_store(&c->result, check_squares(c->pool, 10, NULL));
}

static void a_job_that_forks_makes_no_map_in_its_pool(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    struct caller c = { .pool = pool };
    assert_int_equal(salp_pool_enter(pool, map_inside, &c.job), 0);
    assert_int_equal(atomic_load(&c.result), SALP_EINSIDE);
    salp_pool_close(pool);
}

static int enter_from_task(void *arg)
{
    struct caller *c = arg;
    atomic_store(&c->result, check_fib(c->pool, 5));
    return 0;
}

static void run_loop_inside(salp_worker *worker, salp_fork_job *job)
{
    (void)worker;
    EXPECT(salp_run(enter_from_task, job) == 0);
}

static void a_task_of_a_job_does_not_enter_its_pool(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(1);
    struct caller c = { .pool = pool };
    assert_int_equal(salp_pool_enter(pool, run_loop_inside, &c.job), 0);
    assert_int_equal(atomic_load(&c.result), SALP_EINSIDE);
    salp_pool_close(pool);
}

/* ---- from where ---- */

static int job_fib(const void *in, void *out, void *context)
{
    *(int *)out = check_fib(*(salp_pool **)context, *(const int *)in);
    return 0;
}

static void jobs_of_a_map_enter_their_pool(void **state)
{
    enum { COUNT = 40 };
    int in[COUNT], out[COUNT];
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        salp_pool *pool = pool_of(workers);
        for (int i = 0; i < COUNT; i++)
            in[i] = i % 18;
        assert_int_equal(salp_map(pool, job_fib, in, sizeof *in, out, sizeof *out, COUNT,
                                  &(salp_map_options){ .context = &pool, .context_size = sizeof(salp_pool *) }),
                         0);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(out[i], 0);
        salp_pool_close(pool);
    }
}

static void workers_that_are_replaced_run_jobs_that_fork(void **state)
{
    enum { COUNT = 40 };
    int in[COUNT], out[COUNT];
    (void)state;
    salp_pool *pool = open_with(&(salp_pool_options){ .engine = SALP_THREADS, .workers = 2, .items_per_worker = 3 });
    for (int i = 0; i < COUNT; i++)
        in[i] = i % 18;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(salp_map(pool, job_fib, in, sizeof *in, out, sizeof *out, COUNT,
                                  &(salp_map_options){ .context = &pool, .context_size = sizeof(salp_pool *) }),
                         0);
        for (int k = 0; k < COUNT; k++)
            assert_int_equal(out[k], 0);
        assert_int_equal(check_fib(pool, 18), 0);
    }
    salp_pool_close(pool);
}

/* Two pools, of which jobs enter the other one by turns. */
struct tower {
    salp_fork_job job;
    salp_pool *pools[2];
    int height;
    int result;
};

static void build_tower(salp_worker *worker, salp_fork_job *job)
{
    struct tower *t = (struct tower *)job;
    struct fib f = { .n = 8 };
    struct tower above = { .pools = { t->pools[1], t->pools[0] }, .height = t->height - 1 };
    salp_fork(worker, &f.job, fib_taken);
    if (above.height > 0)
        t->result = salp_pool_enter(above.pools[0], build_tower, &above.job);
    if (!salp_join(worker, &f.job))
        fib_taken(worker, &f.job);
    if (t->result == 0)
        t->result = f.result == fib_of(8) ? above.result : -EILSEQ;
}

static void jobs_of_two_pools_enter_each_other(void **state)
{
    enum { THREADS = 4 };
    struct tower towers[THREADS];
    struct guest guests[THREADS];
    (void)state;
    salp_pool *one = pool_of(2), *other = pool_of(2);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < THREADS; i++) {
            towers[i] = (struct tower){ .pools = { i % 2 ? one : other, i % 2 ? other : one }, .height = 6 };
            start_guest(&guests[i], towers[i].pools[0], build_tower, &towers[i].job);
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(join_guest(&guests[i]), 0);
            assert_int_equal(towers[i].result, 0);
        }
    }
    salp_pool_close(one);
    salp_pool_close(other);
}

/* All of them are there at once. */
struct crowd {
    salp_fork_job job;
    struct gate *gate;
    int count;
    int result;
    struct fib fib;
};

static void meet_crowd(salp_worker *worker, salp_fork_job *job)
{
    struct crowd *c = (struct crowd *)job;
    c->result = gate_meet(c->gate, c->count);
    fib_taken(worker, &c->fib.job);
}

static void more_threads_enter_than_there_is_room_for(void **state)
{
    enum { THREADS = 300, MOST = 256 };
    static struct crowd crowd[THREADS];
    static struct guest guests[THREADS];
    struct gate gate = { 0 };
    pthread_attr_t attributes;
    (void)state;
    assert_true(THREADS > MOST);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 256 << 10), 0);
    salp_pool *pool = pool_of(2);
    for (int i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){ .gate = &gate, .count = THREADS, .fib.n = 10 };
        guests[i] = (struct guest){ .pool = pool, .run = meet_crowd, .job = &crowd[i].job };
        assert_int_equal(pthread_create(&guests[i].thread, &attributes, be_guest, &guests[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(join_guest(&guests[i]), 0);
        assert_int_equal(crowd[i].result, 0);
        assert_int_equal(crowd[i].fib.result, fib_of(10));
    }
    assert_int_equal(check_fib(pool, 15), 0);
    salp_pool_close(pool);
    pthread_attr_destroy(&attributes);
}

static _Thread_local int initialized;

static int initialize_thread(void *arg)
{
    (void)arg;
    initialized = 1;
    return 0;
}

struct leaves {
    salp_fork_job job;
    int depth;
    atomic_int *wrong;
};

static void look_whether_initialized(salp_worker *worker, salp_fork_job *job)
{
    struct leaves *l = (struct leaves *)job, other = { .depth = l->depth - 1, .wrong = l->wrong }, mine = other;
    if (!initialized)
        atomic_fetch_add(l->wrong, 1);
    if (l->depth == 0)
        return;
    salp_fork(worker, &other.job, look_whether_initialized);
    look_whether_initialized(worker, &mine.job);
    if (!salp_join(worker, &other.job))
        look_whether_initialized(worker, &other.job);
}

static void all_runs_in_threads_that_were_initialized(void **state)
{
    atomic_int wrong = 0;
    (void)state;
    salp_pool *pool =
        open_with(&(salp_pool_options){ .engine = SALP_THREADS, .workers = 3, .initializer = initialize_thread });
    for (int i = 0; i < 20; i++) {
        struct leaves root = { .depth = 8, .wrong = &wrong };
        assert_int_equal(salp_pool_enter(pool, look_whether_initialized, &root.job), 0);
        assert_int_equal(atomic_load(&wrong), 0);
    }
    salp_pool_close(pool);
}

static int fail_to_initialize(void *arg)
{
    (void)arg;
    return -EIO;
}

static void a_broken_pool_is_not_entered(void **state)
{
    struct counted root = { .runs = 0 };
    (void)state;
    salp_pool *pool =
        open_with(&(salp_pool_options){ .engine = SALP_THREADS, .workers = 2, .initializer = fail_to_initialize });
    assert_int_equal(salp_pool_enter(pool, count_run, &root.job), SALP_EBROKEN);
    assert_int_equal(root.runs, 0);
    salp_pool_close(pool);
}

/* ---- in a task ---- */

struct in_loop {
    salp_pool *pool;
    struct endless endless;
    salp_scope scope;
};

static int open_gate(void *arg)
{
    struct in_loop *l = arg;
    while (atomic_load(&l->endless.begun) == 0)
        EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
    atomic_store(&l->endless.may_end, 1);
    return 0;
}

static int enter_beside_other_task(void *arg)
{
    struct in_loop *l = arg;
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, open_gate, l) == 0);
    EXPECT(salp_pool_enter(l->pool, wait_for_end, &l->endless.job) == 0);
    EXPECT(l->endless.ended == 0);
    EXPECT(check_fib(l->pool, 18) == 0);
    return salp_group_close(&group);
}

static void only_the_task_waits_that_enters(void **state)
{
    (void)state;
    struct in_loop l = { .pool = pool_of(1) };
    assert_int_equal(salp_run(enter_beside_other_task, &l), 0);
    salp_pool_close(l.pool);
}

/* ---- ends ---- */

struct ended {
    salp_fork_job job;
    salp_pool *pool;
    struct counted before, after;
    int inner;
};

static void end_run(salp_worker *worker, salp_fork_job *job)
{
    struct ended *e = (struct ended *)job;
    salp_fork(worker, &e->before.job, count_run);
    EXPECT(salp_worker_ended(worker) == 0);
    EXPECT(salp_worker_end(worker, 0) == -EINVAL);
    EXPECT(salp_worker_end(worker, -EDOM) == 0);
    EXPECT(salp_worker_end(worker, -EIO) == 0); /* the first one counts */
    EXPECT(salp_worker_ended(worker) == -EDOM);
    salp_fork(worker, &e->after.job, count_run);
    EXPECT(salp_join(worker, &e->after.job));
    EXPECT(salp_join(worker, &e->before.job));
}

/* With one worker there is nobody who could have taken one before. */
static void nothing_is_begun_of_a_run_that_was_ended(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(1);
    for (int i = 0; i < 10; i++) {
        struct ended e = { .pool = pool };
        assert_int_equal(salp_pool_enter(pool, end_run, &e.job), -EDOM);
        assert_int_equal(e.before.runs, 0);
        assert_int_equal(e.after.runs, 0);
        assert_int_equal(check_fib(pool, 12), 0);
    }
    salp_pool_close(pool);
}

static void end_inner_run(salp_worker *worker, salp_fork_job *job)
{
    struct ended *e = (struct ended *)job;
    struct ended inner = { .pool = e->pool };
    struct counted own = { .runs = 0 };
    salp_fork(worker, &own.job, count_run);
    e->inner = salp_pool_enter(e->pool, end_run, &inner.job);
    EXPECT(inner.before.runs == 0 && inner.after.runs == 0);
    EXPECT(salp_worker_ended(worker) == 0);
    if (!salp_join(worker, &own.job))
        count_run(worker, &own.job);
    EXPECT(own.runs == 1);
    EXPECT(check_fib(e->pool, 12) == 0);
}

static void the_end_of_a_nested_run_is_not_that_of_the_outer_one(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(1);
    struct ended e = { .pool = pool };
    assert_int_equal(salp_pool_enter(pool, end_inner_run, &e.job), 0);
    assert_int_equal(e.inner, -EDOM);
    salp_pool_close(pool);
}

/* Some of a tree ends its run: all who are in it come to an end, and another run goes on. */
struct felled {
    salp_fork_job job;
    int depth;
    atomic_int *leaves;
};

static void fell(salp_worker *worker, salp_fork_job *job)
{
    struct felled *f = (struct felled *)job;
    struct felled one = { .depth = f->depth - 1, .leaves = f->leaves }, other = one;
    if (f->depth == 0) {
        if (atomic_fetch_add(f->leaves, 1) == 100)
            salp_worker_end(worker, -EXDEV);
        return;
    }
    salp_fork(worker, &one.job, fell);
    fell(worker, &other.job);
    if (!salp_join(worker, &one.job))
        fell(worker, &one.job);
}

static void a_run_ends_early_in_all_threads(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(4);
    for (int i = 0; i < 50; i++) {
        atomic_int leaves = 0;
        struct felled root = { .depth = 20, .leaves = &leaves };
        assert_int_equal(salp_pool_enter(pool, fell, &root.job), -EXDEV);
        assert_true(atomic_load(&leaves) > 100);
        /* What had begun goes on to its next join: a leaf or two of each who took part, and never all. */
        assert_true(atomic_load(&leaves) < 1 << 20);
        assert_int_equal(check_fib(pool, 12), 0);
    }
    salp_pool_close(pool);
}

static int enter_until_cancelled(void *arg)
{
    struct in_loop *l = arg;
    struct canceller c;
    l->endless = (struct endless){ .begun = 0 };
    cancel_at(&c, &l->scope, &l->endless.begun, 1);
    EXPECT(salp_pool_enter(l->pool, wait_for_end, &l->endless.job) == -ECANCELED);
    EXPECT(l->endless.begun == 1 && l->endless.ended == -ECANCELED);
    was_cancelled(&c);
    return 0;
}

static int enter_until_late(void *arg)
{
    struct in_loop *l = arg;
    salp_scope scope;
    l->endless = (struct endless){ .begun = 0 };
    salp_scope_open(&scope, SALP_MILLISECONDS(2));
    EXPECT(salp_pool_enter(l->pool, wait_for_end, &l->endless.job) == -ETIMEDOUT);
    EXPECT(l->endless.begun == 0 || l->endless.ended == -ETIMEDOUT);
    EXPECT(salp_pool_enter(l->pool, wait_for_end, &l->endless.job) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return 0;
}

static void a_scope_ends_a_run(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 2; workers++) {
        struct in_loop l = { .pool = pool_of(workers) };
        for (int i = 0; i < 5; i++) {
            assert_int_equal(enter_until_cancelled(&l), 0);
            assert_int_equal(salp_run(enter_until_cancelled, &l), 0);
            assert_int_equal(enter_until_late(&l), 0);
            assert_int_equal(salp_run(enter_until_late, &l), 0);
        }
        assert_int_equal(check_fib(l.pool, 12), 0);
        salp_pool_close(l.pool);
    }
}

/* The pool's only thread is taken: this one never begins. */
static void a_scope_ends_a_wait_for_a_thread_of_the_pool(void **state)
{
    struct endless first = { .begun = 0 };
    struct counted second = { .runs = 0 };
    struct guest g;
    salp_scope scope;
    (void)state;
    salp_pool *pool =
        open_with(&(salp_pool_options){ .engine = SALP_THREADS, .workers = 1, .initializer = initialize_nothing });
    start_guest(&g, pool, wait_for_end, &first.job);
    assert_true(reaches(&first.begun, 1));
    salp_scope_open(&scope, SALP_MILLISECONDS(2));
    assert_int_equal(salp_pool_enter(pool, count_run, &second.job), -ETIMEDOUT);
    assert_int_equal(salp_scope_close(&scope), -ETIMEDOUT);
    assert_int_equal(second.runs, 0);
    atomic_store(&first.may_end, 1);
    assert_int_equal(join_guest(&g), 0);
    assert_int_equal(salp_pool_enter(pool, count_run, &second.job), 0);
    assert_int_equal(second.runs, 1);
    salp_pool_close(pool);
}

static void a_termination_ends_runs(void **state)
{
    enum { THREADS = 3 };
    (void)state;
    for (int initializer = 0; initializer < 2; initializer++) {
        struct endless endless[THREADS] = { 0 };
        struct counted late = { .runs = 0 };
        struct guest guests[THREADS];
        salp_pool *pool = open_with(&(salp_pool_options){
            .engine = SALP_THREADS, .workers = 1, .initializer = initializer ? initialize_nothing : NULL });
        for (int i = 0; i < THREADS; i++)
            start_guest(&guests[i], pool, wait_for_end, &endless[i].job);
        /* With an initializer the only thread runs one of them, and the others wait for it. */
        for (int i = 0; i < THREADS && !initializer; i++)
            assert_true(reaches(&endless[i].begun, 1));
        salp_pool_terminate(pool);
        for (int i = 0; i < THREADS; i++) {
            int result = join_guest(&guests[i]);
            assert_true(result == -ECANCELED || (initializer && result == SALP_ECLOSED));
            assert_true(endless[i].begun == 0 || endless[i].ended == -ECANCELED);
        }
        assert_int_equal(salp_pool_enter(pool, count_run, &late.job), SALP_ECLOSED);
        assert_int_equal(late.runs, 0);
        salp_pool_close(pool);
    }
}

/* The only thread of the pool is through with one run while those that wait are still to be told. */
static void nothing_is_begun_in_the_midst_of_a_termination(void **state)
{
    struct endless first = { .begun = 0 };
    struct counted second = { .runs = 0 };
    struct guest runs, waits;
    (void)state;
    salp_pool *pool =
        open_with(&(salp_pool_options){ .engine = SALP_THREADS, .workers = 1, .initializer = initialize_nothing });
    salp__entrance *entrance = pool->engine->entrance(pool);
    start_guest(&runs, pool, wait_for_end, &first.job);
    assert_true(reaches(&first.begun, 1));
    start_guest(&waits, pool, count_run, &second.job);
    assert_true(reaches(&entrance->waiting, 1));

    salp__lock_take(&entrance->lock);
    entrance->closed = -ECANCELED; /* as salp__entrance_end begins */
    salp__lock_release(&entrance->lock);
    atomic_store(&first.may_end, 1);
    assert_int_equal(join_guest(&runs), 0);
    while (atomic_load(&entrance->work->sleepers) == 0 && second.runs == 0)
        doze(SALP_MICROSECONDS(200));
    salp_pool_terminate(pool);
    assert_int_equal(join_guest(&waits), -ECANCELED);
    assert_int_equal(second.runs, 0);
    salp_pool_close(pool);
}

static void *close_pool(void *pool)
{
    salp_pool_close(pool);
    return NULL;
}

static void a_pool_that_is_closed_lets_runs_end(void **state)
{
    struct endless e = { .begun = 0 };
    struct guest g;
    pthread_t closer;
    (void)state;
    salp_pool *pool = pool_of(2);
    start_guest(&g, pool, wait_for_end, &e.job);
    assert_true(reaches(&e.begun, 1));
    assert_int_equal(pthread_create(&closer, NULL, close_pool, pool), 0);
    atomic_store(&e.may_end, 1);
    assert_int_equal(join_guest(&g), 0);
    assert_int_equal(pthread_join(closer, NULL), 0);
    assert_int_equal(e.ended, 0);
}

/* ---- nobody is woken for what is brief ---- */

/* As if there were a lookout, and `run` had lasted so long the last time. */
static void pretend(salp__entrance *entrance, salp_fork_fn *run, int64_t lasted)
{
    salp__entrance_watch(entrance, true);
    salp__history_note(&entrance->history, (uintptr_t)run, 1, lasted);
}

static void a_run_that_is_known_to_be_brief_wakes_nobody(void **state)
{
    struct fib root = { .n = 5 };
    (void)state;
    salp_pool *pool = pool_of(4);
    salp__entrance *entrance = pool->engine->entrance(pool);
    for (int i = 0; i < 100; i++) {
        /* Nobody has been woken yet, so nobody else says whether there is a lookout. */
        pretend(entrance, fib_taken, 0);
        assert_int_equal(salp_pool_enter(pool, fib_taken, &root.job), 0);
        assert_int_equal(salp__bell_look(entrance->work), 0);
    }
    assert_int_equal(root.result, fib_of(5));

    salp__history_note(&entrance->history, (uintptr_t)fib_taken, 0, 0); /* forgotten; another one was brief */
    pretend(entrance, count_run, 0);
    assert_int_equal(salp_pool_enter(pool, fib_taken, &root.job), 0);
    assert_int_not_equal(salp__bell_look(entrance->work), 0);
    salp_pool_close(pool);
}

static void somebody_is_woken_for_what_takes_long(void **state)
{
    struct fib root = { .n = 5 };
    (void)state;
    salp_pool *pool = pool_of(4);
    salp__entrance *entrance = pool->engine->entrance(pool);
    pretend(entrance, fib_taken, SALP_SECONDS(1));
    assert_int_equal(salp_pool_enter(pool, fib_taken, &root.job), 0);
    assert_int_not_equal(salp__bell_look(entrance->work), 0);
    /* How long it took this time. */
    assert_true(salp__history_guess(&entrance->history, (uintptr_t)fib_taken, 1) != (double)SALP_SECONDS(1));
    salp_pool_close(pool);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("wrong arguments are refused", wrong_arguments_are_refused),
        TEST_PROCESSES("other engines have no workers that fork", other_engines_have_no_workers_that_fork),
        TEST("a fork of the program does not enter", a_fork_of_the_program_does_not_enter),
        TEST("a callback of the pool does not enter", a_callback_of_the_pool_does_not_enter),
        TEST("a job that forks makes no map in its pool", a_job_that_forks_makes_no_map_in_its_pool),
        TEST("a task of a job does not enter its pool", a_task_of_a_job_does_not_enter_its_pool),
        TEST("jobs of a map enter their pool", jobs_of_a_map_enter_their_pool),
        TEST("workers that are replaced run jobs that fork", workers_that_are_replaced_run_jobs_that_fork),
        TEST("jobs of two pools enter each other", jobs_of_two_pools_enter_each_other),
        TEST("more threads enter than there is room for", more_threads_enter_than_there_is_room_for),
        TEST("all runs in threads that were initialized", all_runs_in_threads_that_were_initialized),
        TEST("a broken pool is not entered", a_broken_pool_is_not_entered),
        TEST("only the task waits that enters", only_the_task_waits_that_enters),
        TEST("nothing is begun of a run that was ended", nothing_is_begun_of_a_run_that_was_ended),
        TEST("the end of a nested run is not that of the outer one",
             the_end_of_a_nested_run_is_not_that_of_the_outer_one),
        TEST("a run ends early in all threads", a_run_ends_early_in_all_threads),
        TEST("a scope ends a run", a_scope_ends_a_run),
        TEST("a scope ends a wait for a thread of the pool", a_scope_ends_a_wait_for_a_thread_of_the_pool),
        TEST("a termination ends runs", a_termination_ends_runs),
        TEST("nothing is begun in the midst of a termination", nothing_is_begun_in_the_midst_of_a_termination),
        TEST("a pool that is closed lets runs end", a_pool_that_is_closed_lets_runs_end),
        TEST("a run that is known to be brief wakes nobody", a_run_that_is_known_to_be_brief_wakes_nobody),
        TEST("somebody is woken for what takes long", somebody_is_woken_for_what_takes_long),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
