/*
 * What a range that is spread does with the error of a join.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/forks.h"

#include "pool/spread.h"

struct joining {
    salp_fork_job job;
    salp__spread spread;
    salp_pool *pool;
    atomic_int behind; /* the piece behind the first one has been run */
    int result;
};

/* The first piece is at it until somebody else has run what lies behind it. */
static int run_piece_apart(const salp__spread *spread, size_t begin, size_t end, void *part)
{
    struct joining *j = SALP__CONTAINER(spread, struct joining, spread);
    (void)end, (void)part;
    if (begin == 0)
        return reaches(&j->behind, 1) ? 0 : -ETIME;
    atomic_fetch_add(&j->behind, 1);
    return 0;
}

static int fail_to_join(const salp__spread *spread, size_t begin, size_t end, void *left, const void *right)
{
    (void)spread, (void)begin, (void)end, (void)left, (void)right;
    return -EDOM;
}

static void spread_two(salp_worker *worker, salp_fork_job *job)
{
    struct joining *j = (struct joining *)job;
    (void)worker;
    j->spread = (salp__spread){ .end = 2, .grain = 1, .piece = run_piece_apart, .join = fail_to_join };
    j->result = salp__spread_run(&j->spread, j->pool);
}

static void what_lies_behind_a_join_that_fails_is_not_begun(void **state)
{
    struct joining j = { .pool = pool_of(2) };
    (void)state;
    need_membarrier();
    assert_int_equal(salp_pool_enter(j.pool, spread_two, &j.job), 0);
    assert_int_equal(j.result, -EDOM);
    assert_int_equal(j.spread.first_failed, 1); /* whoever is at work behind it stops there */
    assert_int_equal(salp_pool_close(j.pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("what lies behind a join that fails is not begun", what_lies_behind_a_join_that_fails_is_not_begun),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
