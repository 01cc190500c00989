/*
 * Whose jobs a thread of a pool takes first, and when it looks in vain; by one thread that plays all of them. And how it
 * waits for one that is kept from going on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/sleepers.h"

#include "os/topology.h"
#include "pool/crew.h"

enum { JOBS = 8, SEEKER = 0, FAR, NEAR, MEMBERS, MOST = 2 * JOBS };

struct offered {
    salp_fork_job job;
    int owner;
};

static salp__bell work;
static salp__crew *crew;
static salp__entry entries[MEMBERS];
static int order[MOST], taken; /* whose jobs were taken, one after the other */

/* All processors of this machine share a last-level cache. Before anybody has looked at the machine. */
static void pretend_caches(void)
{
    assert_int_equal(setenv("HWLOC_SYNTHETIC", "l3:2 core:1024 pu:1", 1), 0);
    assert_non_null(salp__topology_get());
    if (salp__topology_cache_here() < 0)
        test_skip("there is no hwloc, or more than 1024 processors");
}

static int count_offered(int owner)
{
    return (int)(SALP__DEQUE_SIZE - salp__deque_room(&salp__crew_member(crew, owner)->deque));
}

static void take(salp_worker *worker, salp_fork_job *job)
{
    (void)worker;
    order[taken++] = ((struct offered *)job)->owner;
}

static void offer(salp_worker *worker, salp_fork_job *root);

/* As this member, on top of what the thread is. */
static void be(int owner)
{
    struct offered root = { .owner = owner };
    salp__member_run(salp__crew_member(crew, owner), &entries[owner], offer, &root.job);
}

/* Has something to take. FAR is then NEAR, too, who lets the seeker have what both have offered. */
static void offer(salp_worker *worker, salp_fork_job *root)
{
    salp__member *self = salp__member_of(worker);
    int owner = ((struct offered *)root)->owner, here = salp__topology_cache_here();
    struct offered jobs[JOBS + 1];
    assert_int_equal(self->cache, here);
    self->cache = owner == FAR ? here + 1 : here;
    for (int i = 0; i <= JOBS; i++) {
        jobs[i].owner = owner;
        salp_fork(worker, &jobs[i].job, take);
    }
    worker->salp__signal = 1; /* as if somebody had asked: half of what is left goes to the others at the join */
    assert_false(salp_join(worker, &jobs[JOBS].job));
    assert_in_range(count_offered(owner), 1, JOBS / 2);
    if (owner == FAR) {
        be(NEAR);
    } else {
        int near = count_offered(NEAR), all = near + count_offered(FAR);
        for (int i = 0; i < all; i++) {
            assert_true(salp__crew_help(crew, SEEKER));
            assert_int_equal(order[i], i < near ? NEAR : FAR);
        }
    }
    for (int i = JOBS; i-- > 0;)
        salp_join(worker, &jobs[i].job);
}

static void who_has_the_same_cache_is_asked_first(void **state)
{
    (void)state;
    pretend_caches();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(salp__crew_open(&crew, MEMBERS, &work), 0);
        salp__crew_member(crew, SEEKER)->random = 2463534242u + (uint32_t)i;
        taken = 0;
        be(FAR);
        salp__crew_close(crew);
    }
}

static void run_nothing(salp_worker *worker, salp_fork_job *job)
{
    (void)worker;
    (void)job;
}

static void nest(salp_worker *worker, salp_fork_job *root)
{
    salp__member *self = salp__member_of(worker);
    salp__entry inner = { .outer = &entries[FAR] };
    struct offered jobs[2] = { { .owner = FAR }, { .owner = FAR } };
    (void)root;
    salp_fork(worker, &jobs[0].job, take);
    salp__member_run(self, &inner, run_nothing, NULL);
    assert_int_equal(count_offered(FAR), 1);
    assert_ptr_equal(self->barren, &jobs[0].job);
    salp_fork(worker, &jobs[1].job, take);
    assert_ptr_not_equal(self->barren, &jobs[1].job); /* this one is private */
    assert_false(salp_join(worker, &jobs[1].job));
    assert_false(salp_join(worker, &jobs[0].job));
    assert_null(self->barren); /* what has the same address next may be private */
}

static void nothing_is_seized_where_a_run_on_top_has_left_nothing(void **state)
{
    struct offered root = { .owner = FAR };
    (void)state;
    assert_int_equal(salp__crew_open(&crew, MEMBERS, &work), 0);
    salp__member_run(salp__crew_member(crew, FAR), &entries[FAR], nest, &root.job);
    salp__crew_close(crew);
}

/* ---- a thief that has a job, and has not yet said so ---- */

struct robbed {
    salp_fork_job job;
    _Atomic pid_t owner; /* his thread */
    atomic_int taken, joins;
    bool slept; /* the owner did, while it joined what was taken */
};

/* The first half of what a thief does; the rest when the owner has slept. */
static void *be_slow(void *arg)
{
    enum { OVER = 3 }; /* crew.c */
    struct robbed *r = arg;
    salp_fork_job *job;
    while (!(job = salp__deque_steal(&salp__crew_member(crew, FAR)->deque, INT64_MIN, NULL, NULL)))
        doze(SALP_MICROSECONDS(100));
    atomic_store(&r->taken, 1);
    reaches(&r->joins, 1);
    r->slept = sleepers_sleep_once(atomic_load(&r->owner));
    __atomic_store_n(&job->salp__link, OVER, __ATOMIC_RELEASE);
    return NULL;
}

static void join_what_was_taken(salp_worker *worker, salp_fork_job *root)
{
    struct robbed *r = (struct robbed *)root;
    struct offered older, newer;
    salp_fork(worker, &older.job, take);
    salp_fork(worker, &newer.job, take);
    worker->salp__signal = 1; /* as if somebody had asked */
    assert_false(salp_join(worker, &newer.job));
    assert_true(reaches(&r->taken, 1));
    atomic_store(&r->owner, gettid());
    atomic_store(&r->joins, 1);
    assert_true(salp_join(worker, &older.job));
}

/* Else one that the system prefers to its thief would keep that from ever going on. */
static void who_waits_for_a_thief_to_begin_sleeps(void **state)
{
    struct robbed r = { .taken = 0 };
    pthread_t thief;
    (void)state;
    assert_int_equal(salp__crew_open(&crew, MEMBERS, &work), 0);
    assert_int_equal(pthread_create(&thief, NULL, be_slow, &r), 0);
    salp__member_run(salp__crew_member(crew, FAR), &entries[FAR], join_what_was_taken, &r.job);
    assert_int_equal(pthread_join(thief, NULL), 0);
    assert_true(r.slept);
    salp__crew_close(crew);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("who has the same cache is asked first", who_has_the_same_cache_is_asked_first),
        TEST("nothing is seized where a run on top has left nothing",
             nothing_is_seized_where_a_run_on_top_has_left_nothing),
        TEST("who waits for a thief to begin sleeps", who_waits_for_a_thief_to_begin_sleeps),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
