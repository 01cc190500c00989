/* Fork and join: what is shared, with whom, and what it comes to. SPDX-License-Identifier: MIT */
#include "forks.h"

static void a_recursion_gives_what_it_gives_without_workers(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 4; workers++) {
        salp_pool *pool = pool_of(workers);
        for (int n = 0; n <= 22; n++)
            assert_int_equal(check_fib(pool, n), 0);
        salp_pool_close(pool);
    }
}

/* ---- a part goes to another thread ---- */

struct encounter {
    salp_fork_job job;
    atomic_int *here;
    int wanted;
    bool met;
};

/* So many are here at the same time. */
static void meet(salp_worker *worker, salp_fork_job *job)
{
    struct encounter *m = (struct encounter *)job;
    (void)worker;
    atomic_fetch_add(m->here, 1);
    m->met = reaches(m->here, m->wanted);
}

static void meet_forked(salp_worker *worker, salp_fork_job *job)
{
    struct encounter *m = (struct encounter *)job, other = { .here = m->here, .wanted = m->wanted };
    salp_fork(worker, &other.job, meet);
    meet(worker, job);
    m->met = salp_join(worker, &other.job) && other.met && m->met;
}

static void check_encounter(salp_pool *pool, salp_fork_fn *run, int wanted)
{
    atomic_int here = 0;
    struct encounter root = { .here = &here, .wanted = wanted };
    assert_int_equal(salp_pool_enter(pool, run, &root.job), 0);
    assert_true(root.met);
    assert_int_equal(atomic_load(&here), wanted);
}

static void a_job_is_taken_while_its_owner_comes_to_no_join(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(2);
    for (int i = 0; i < 20; i++)
        check_encounter(pool, meet_forked, 2);
    salp_pool_close(pool);
}

/* A plain look, through which the compiler sees that nobody looks at the list of jobs; ThreadSanitizer wants an atomic one. */
static bool is_set(const int *flag)
{
#ifdef SALP__SHOW_ATOMICS
    return __atomic_load_n(flag, __ATOMIC_RELAXED) != 0;
#else
    return *(const volatile int *)flag != 0;
#endif
}

struct flagged {
    salp_fork_job job;
    int set;
};

static void set_flag(salp_worker *worker, salp_fork_job *job)
{
    (void)worker;
    __atomic_store_n(&((struct flagged *)job)->set, 1, __ATOMIC_RELAXED);
}

/* Computes without a call until the job has been taken, or for very long. */
static void compute_beside(salp_worker *worker, salp_fork_job *job)
{
    struct flagged *root = (struct flagged *)job, beside = { .set = 0 };
    salp_fork(worker, &beside.job, set_flag);
    for (uint64_t i = 0; i < (UINT64_C(1) << 33) && !is_set(&beside.set); i++)
        ;
    root->set = salp_join(worker, &beside.job);
}

static void a_job_is_taken_while_its_owner_calls_nothing(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(2);
    struct flagged root = { .set = 0 };
    assert_int_equal(salp_pool_enter(pool, compute_beside, &root.job), 0);
    assert_true(root.set);
    salp_pool_close(pool);
}

/* Forks `count` jobs that wait for each other, joins them, and counts those that others ran. */
enum { MANY = 3 };

static void meet_many(salp_worker *worker, salp_fork_job *job)
{
    struct encounter *m = (struct encounter *)job, others[MANY];
    for (int i = 0; i < MANY; i++) {
        others[i] = (struct encounter){ .here = m->here, .wanted = m->wanted };
        salp_fork(worker, &others[i].job, meet);
    }
    meet(worker, job);
    for (int i = MANY; i-- > 0;)
        m->met = salp_join(worker, &others[i].job) && others[i].met && m->met;
}

static void every_worker_gets_a_job(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(MANY + 1);
    for (int i = 0; i < 10; i++)
        check_encounter(pool, meet_many, MANY + 1);
    salp_pool_close(pool);
}

/* Each is forked only when the one before is at work: so there is always somebody who looks. */
static void meet_one_after_another(salp_worker *worker, salp_fork_job *job)
{
    struct encounter *m = (struct encounter *)job, others[MANY];
    m->met = true;
    for (int i = 0; i < MANY; i++) {
        others[i] = (struct encounter){ .here = m->here, .wanted = m->wanted };
        salp_fork(worker, &others[i].job, meet);
        m->met = reaches(m->here, i + 1) && m->met;
    }
    atomic_fetch_add(m->here, 1);
    for (int i = MANY; i-- > 0;)
        m->met = salp_join(worker, &others[i].job) && others[i].met && m->met;
}

static void workers_come_for_jobs_that_are_forked_late(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(MANY + 1);
    for (int i = 0; i < 10; i++)
        check_encounter(pool, meet_one_after_another, MANY + 1);
    salp_pool_close(pool);
}

/* The job of a nested run waits for one that was forked before it. */
struct outer {
    salp_fork_job job;
    salp_pool *pool;
    atomic_int *here;
    int result;
};

static void meet_from_nested_run(salp_worker *worker, salp_fork_job *job)
{
    struct outer *o = (struct outer *)job;
    struct encounter other = { .here = o->here, .wanted = 2 }, inner = other;
    salp_fork(worker, &other.job, meet);
    o->result = salp_pool_enter(o->pool, meet, &inner.job);
    if (!salp_join(worker, &other.job) || !other.met || !inner.met)
        o->result = -EILSEQ;
}

static void what_was_forked_before_a_nested_run_is_shared_during_it(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(2);
    for (int i = 0; i < 20; i++) {
        atomic_int here = 0;
        struct outer o = { .pool = pool, .here = &here };
        assert_int_equal(salp_pool_enter(pool, meet_from_nested_run, &o.job), 0);
        assert_int_equal(o.result, 0);
    }
    salp_pool_close(pool);
}

/* ---- somebody looks for jobs as long as there may be some ---- */

/* Those who have found nothing sleep by then, save for one, who looks every now and then. */
static void let_them_sleep(void)
{
    doze(SALP_MILLISECONDS(30));
}

struct leaving {
    salp_fork_job job;
    atomic_int may_leave;
};

static void stay(salp_worker *worker, salp_fork_job *job)
{
    (void)worker;
    reaches(&((struct leaving *)job)->may_leave, 1);
}

/* Forks one job while another guest is there, and one when that has left. They wait for each other. */
struct remaining {
    salp_fork_job job;
    struct leaving *other;
    struct guest *guest;
    bool met;
};

static void fork_before_and_after(salp_worker *worker, salp_fork_job *job)
{
    struct remaining *r = (struct remaining *)job;
    atomic_int here = 0;
    struct encounter before = { .here = &here, .wanted = 2 }, after = before;
    let_them_sleep();
    salp_fork(worker, &before.job, meet);
    r->met = reaches(&here, 1);
    atomic_store(&r->other->may_leave, 1);
    r->met = join_guest(r->guest) == 0 && r->met;
    salp_fork(worker, &after.job, meet);
    r->met = reaches(&here, 2) && r->met;
    r->met = salp_join(worker, &after.job) && after.met && r->met;
    r->met = salp_join(worker, &before.job) && before.met && r->met;
}

static void a_worker_comes_when_a_guest_has_left(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(3); /* as many as there are until then */
    for (int i = 0; i < 5; i++) {
        struct leaving other = { .may_leave = 0 };
        struct guest guest;
        struct remaining r = { .other = &other, .guest = &guest };
        start_guest(&guest, pool, stay, &other.job);
        assert_int_equal(salp_pool_enter(pool, fork_before_and_after, &r.job), 0);
        assert_true(r.met);
    }
    salp_pool_close(pool);
}

/* Forks a job when it may, and waits until somebody has begun it. */
struct asking {
    salp_fork_job job;
    atomic_int may_fork, here;
    bool met;
};

static void fork_when_told(salp_worker *worker, salp_fork_job *job)
{
    struct asking *a = (struct asking *)job;
    struct encounter one = { .here = &a->here, .wanted = 1 };
    reaches(&a->may_fork, 1);
    salp_fork(worker, &one.job, meet);
    a->met = reaches(&a->here, 1);
    salp_join(worker, &one.job);
}

static int pass_gate(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    return gate_pass(*(struct gate **)context);
}

static salp_future *begin_item(salp_pool *pool, struct gate *gate)
{
    static const char item;
    salp_future *future;
    const salp_map_options options = { .context = &gate, .context_size = sizeof gate };
    assert_int_equal(salp_map_async(&future, pool, pass_gate, &item, 1, NULL, 0, 1, &options), 0);
    assert_true(reaches(&gate->inside, 1));
    return future;
}

static void end_item(struct gate *gate, salp_future *future)
{
    atomic_store(&gate->open, 1);
    assert_int_equal(salp_future_wait(future), 0);
    salp_future_free(future);
}

/* One of two workers sleeps, and the one who looks every now and then is called away. */
static void a_worker_comes_when_another_one_works_on_a_map(void **state)
{
    (void)state;
    need_membarrier();
    salp_pool *pool = pool_of(2);
    for (int i = 0; i < 20; i++) {
        struct gate first = { .open = 0 }, second = first;
        struct asking a = { .may_fork = 0 };
        struct guest guest;
        start_guest(&guest, pool, fork_when_told, &a.job);
        let_them_sleep();
        end_item(&first, begin_item(pool, &first));
        doze(SALP_MILLISECONDS(1));
        salp_future *future = begin_item(pool, &second);
        doze(SALP_MILLISECONDS(1));
        atomic_store(&a.may_fork, 1);
        assert_int_equal(join_guest(&guest), 0);
        assert_true(a.met);
        end_item(&second, future);
    }
    salp_pool_close(pool);
}

/* ---- who joins helps, and only with what it waits for ---- */

struct helping {
    salp_fork_job job;
    pthread_mutex_t mutex; /* held across the join; all strange jobs take it */
    atomic_int begun;      /* the job that the first one waits for */
    atomic_int strange;    /* the strange run has forked */
    atomic_int helped;     /* the first one has come to help */
    atomic_int over;
    pthread_t first, helper;
    atomic_int wrong;
};

struct part {
    salp_fork_job job;
    struct helping *all;
    pthread_t thread;
};

static void expect_in(struct helping *h, bool so)
{
    atomic_fetch_add(&h->wrong, !so);
}

static void help(salp_worker *worker, salp_fork_job *job)
{
    struct helping *h = ((struct part *)job)->all;
    (void)worker;
    h->helper = pthread_self();
    atomic_store(&h->helped, 1);
}

/* Waits for one who runs what it has forked: while others are to be had as well. */
static void need_help(salp_worker *worker, salp_fork_job *job)
{
    struct helping *h = ((struct part *)job)->all;
    struct part part = { .all = h };
    atomic_store(&h->begun, 1);
    expect_in(h, reaches(&h->strange, 1));
    salp_fork(worker, &part.job, help);
    expect_in(h, reaches(&h->helped, 1));
    expect_in(h, salp_join(worker, &part.job));
    atomic_store(&h->over, 1);
}

static void join_one_in_need(salp_worker *worker, salp_fork_job *job)
{
    struct helping *h = (struct helping *)job;
    struct part part = { .all = h };
    h->first = pthread_self();
    expect_in(h, pthread_mutex_lock(&h->mutex) == 0);
    salp_fork(worker, &part.job, need_help);
    expect_in(h, reaches(&h->begun, 1));
    expect_in(h, salp_join(worker, &part.job));
    expect_in(h, pthread_mutex_unlock(&h->mutex) == 0);
}

/* On top of the join it would wait for itself. */
static void lock(salp_worker *worker, salp_fork_job *job)
{
    struct part *p = (struct part *)job;
    (void)worker;
    p->thread = pthread_self();
    expect_in(p->all, pthread_mutex_lock(&p->all->mutex) == 0);
    expect_in(p->all, pthread_mutex_unlock(&p->all->mutex) == 0);
}

enum { STRANGE = 40 };

static void fork_strange_jobs(salp_worker *worker, salp_fork_job *job)
{
    struct helping *h = ((struct part *)job)->all;
    struct part parts[STRANGE];
    for (int i = 0; i < STRANGE; i++) {
        parts[i] = (struct part){ .all = h };
        salp_fork(worker, &parts[i].job, lock);
    }
    atomic_store(&h->strange, 1);
    expect_in(h, reaches(&h->over, 1));
    for (int i = STRANGE; i-- > 0;) {
        if (!salp_join(worker, &parts[i].job))
            lock(worker, &parts[i].job);
        expect_in(h, !pthread_equal(parts[i].thread, h->first));
    }
}

static void who_joins_runs_nothing_but_what_it_waits_for(void **state)
{
    pthread_mutexattr_t kind;
    (void)state;
    assert_int_equal(pthread_mutexattr_init(&kind), 0);
    assert_int_equal(pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK), 0);
    need_membarrier();
    /* The first one and the one that it waits for are as many as there are workers: nobody else comes. */
    salp_pool *pool = pool_of(2);
    for (int i = 0; i < 10; i++) {
        struct helping h = { .begun = 0 };
        assert_int_equal(pthread_mutex_init(&h.mutex, &kind), 0);
        struct part strange = { .all = &h };
        struct guest first, second;
        start_guest(&first, pool, join_one_in_need, &h.job);
        assert_true(reaches(&h.begun, 1));
        start_guest(&second, pool, fork_strange_jobs, &strange.job);
        assert_int_equal(join_guest(&first), 0);
        assert_int_equal(join_guest(&second), 0);
        assert_int_equal(atomic_load(&h.wrong), 0);
        assert_true(pthread_equal(h.helper, h.first));
    }
    salp_pool_close(pool);
}

/* ---- many, and deep ---- */

struct flat {
    salp_fork_job job;
    struct counted *counted;
    int count;
};

static void fork_all(salp_worker *worker, salp_fork_job *job)
{
    struct flat *f = (struct flat *)job;
    for (int i = 0; i < f->count; i++)
        salp_fork(worker, &f->counted[i].job, count_run);
    for (int i = f->count; i-- > 0;) {
        if (!salp_join(worker, &f->counted[i].job))
            count_run(worker, &f->counted[i].job);
    }
}

static void many_jobs_are_forked_one_after_another(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        salp_pool *pool = pool_of(workers);
        struct flat f = { .count = test_slow() ? 5000 : 100000 };
        f.counted = calloc((size_t)f.count, sizeof *f.counted);
        assert_non_null(f.counted);
        assert_int_equal(salp_pool_enter(pool, fork_all, &f.job), 0);
        for (int i = 0; i < f.count; i++)
            assert_int_equal(f.counted[i].runs, 1);
        free(f.counted);
        salp_pool_close(pool);
    }
}

struct deep {
    salp_fork_job job;
    int depth;
    long sum;
};

static void add_depth(salp_worker *worker, salp_fork_job *job)
{
    struct deep *d = (struct deep *)job;
    (void)worker;
    d->sum = d->depth;
}

/* The sum of all depths, each of which is a job of its own. */
static long add_depths(salp_worker *worker, int depth)
{
    if (depth == 0)
        return 0;
    struct deep d = { .depth = depth };
    salp_fork(worker, &d.job, add_depth);
    long below = add_depths(worker, depth - 1);
    if (!salp_join(worker, &d.job))
        add_depth(worker, &d.job);
    return below + d.sum;
}

static void go_deep(salp_worker *worker, salp_fork_job *job)
{
    struct deep *d = (struct deep *)job;
    d->sum = add_depths(worker, d->depth);
}

static void a_recursion_is_as_deep_as_the_stack(void **state)
{
    pthread_attr_t attributes;
    (void)state;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, (size_t)256 << 20), 0);
    for (int workers = 1; workers <= 3; workers++) {
        salp_pool *pool = pool_of(workers);
        /* ThreadSanitizer has a stack of its own, of 65536 calls. */
        struct deep d = { .depth = test_slow() ? 5000 : 100000 };
        struct guest g = { .pool = pool, .run = go_deep, .job = &d.job };
        assert_int_equal(pthread_create(&g.thread, &attributes, be_guest, &g), 0);
        assert_int_equal(join_guest(&g), 0);
        assert_int_equal(d.sum, (long)d.depth * (d.depth + 1) / 2);
        salp_pool_close(pool);
    }
    pthread_attr_destroy(&attributes);
}

/* ---- a rule is broken ---- */

static struct counted forgotten, forgotten_too; /* whoever runs them does no harm */

static void fork_and_forget(salp_worker *worker, salp_fork_job *job)
{
    (void)job;
    salp_fork(worker, &forgotten.job, count_run);
}

/* What is left over is under what is joined. */
static void forget_one_below(salp_worker *worker, salp_fork_job *job)
{
    struct fib f = { .n = 12 };
    (void)job;
    salp_fork(worker, &forgotten.job, count_run);
    salp_fork(worker, &forgotten_too.job, count_run);
    fib_taken(worker, &f.job);
    salp_join(worker, &forgotten_too.job);
}

static void a_job_that_is_not_joined_ends_the_run(void **state)
{
    static salp_fork_fn *const forgetful[] = { fork_and_forget, forget_one_below };
    (void)state;
    salp_pool *pool = pool_of(1);
    for (size_t i = 0; i < LENGTH(forgetful); i++) {
        salp_fork_job root;
        assert_int_equal(salp_pool_enter(pool, forgetful[i], &root), -EINVAL);
        assert_int_equal(check_fib(pool, 15), 0);
    }
    salp_pool_close(pool);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a recursion gives what it gives without workers", a_recursion_gives_what_it_gives_without_workers),
        TEST("a job is taken while its owner comes to no join", a_job_is_taken_while_its_owner_comes_to_no_join),
        TEST("every worker gets a job", every_worker_gets_a_job),
        TEST("workers come for jobs that are forked late", workers_come_for_jobs_that_are_forked_late),
        TEST("what was forked before a nested run is shared during it",
             what_was_forked_before_a_nested_run_is_shared_during_it),
        TEST("a worker comes when a guest has left", a_worker_comes_when_a_guest_has_left),
        TEST("a worker comes when another one works on a map", a_worker_comes_when_another_one_works_on_a_map),
        TEST("who joins runs nothing but what it waits for", who_joins_runs_nothing_but_what_it_waits_for),
        TEST("many jobs are forked one after another", many_jobs_are_forked_one_after_another),
        TEST("a recursion is as deep as the stack", a_recursion_is_as_deep_as_the_stack),
        TEST("a job that is not joined ends the run", a_job_that_is_not_joined_ends_the_run),
        TEST("a job is taken while its owner calls nothing", a_job_is_taken_while_its_owner_calls_nothing),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
