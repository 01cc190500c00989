/*
 * Barriers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <salp/sync.h>

static salp_barrier *barrier;
static _Atomic int phase_count[100], last_ones;

static int meet_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        phase_count[i]++;
        int mine = salp_barrier_wait(barrier);
        EXPECT(mine >= 0 && mine < 8);
        EXPECT(phase_count[i] == 8); /* nobody has gone on before all were there */
        last_ones += mine == 7;
    }
    return 0;
}

static int three_meet(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, meet_often, arg) == 0);
    return salp_group_close(&group);
}

static void *loop_of_three(void *arg)
{
    EXPECT(salp_run(three_meet, arg) == 0);
    return NULL;
}

static void *one_meets(void *arg)
{
    meet_often(arg);
    return NULL;
}

static void nobody_passes_a_barrier_before_all_have_come(void **state)
{
    (void)state;
    pthread_t threads[4];
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 8 }), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? loop_of_three : one_meets, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(last_ones, 100);
    salp_barrier_close(barrier);
}

static int comes(void *arg)
{
    int *result = arg;
    *result = salp_barrier_wait(barrier);
    return 0;
}

static int breaking(void *arg)
{
    (void)arg;
    salp_group group;
    int results[2];
    salp_scope scope;
    EXPECT(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 3 }) == 0);
    for (int way = 0; way < 4; way++) {
        salp_group_open(&group);
        EXPECT(salp_go(&group, comes, &results[0]) == 0 && salp_go(&group, comes, &results[1]) == 0);
        if (way == 1)
            EXPECT(salp_yield() == 0); /* they are there */
        salp_scope_open(&scope, way == 3 ? SALP_MILLISECONDS(1) : SALP_FOREVER);
        if (way < 2)
            EXPECT(salp_barrier_break(barrier) == 0);
        else if (way == 2)
            salp_scope_cancel(&scope);
        if (way < 2)
            EXPECT(salp_barrier_wait(barrier) == SALP_EBROKEN);
        else if (way == 2)
            EXPECT(salp_barrier_wait(barrier) == -ECANCELED);
        else
            EXPECT(salp_sleep(SALP_MILLISECONDS(5)) == -ETIMEDOUT && salp_barrier_wait(barrier) == -ETIMEDOUT);
        EXPECT(salp_scope_close(&scope) == (way < 2 ? 0 : way == 2 ? -ECANCELED : -ETIMEDOUT));
        EXPECT(salp_group_close(&group) == 0);
        EXPECT(results[0] == SALP_EBROKEN && results[1] == SALP_EBROKEN);
        EXPECT(salp_barrier_wait(barrier) == SALP_EBROKEN); /* until it is mended */
        EXPECT(salp_barrier_reset(barrier) == 0);
    }
    salp_group_open(&group);
    EXPECT(salp_go(&group, comes, &results[0]) == 0 && salp_go(&group, comes, &results[1]) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_barrier_wait(barrier) == 2);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(results[0] == 0 && results[1] == 1);
    salp_barrier_close(barrier);
    return 0;
}

static void who_gives_up_at_a_barrier_breaks_it_for_the_others(void **state)
{
    (void)state;
    assert_int_equal(salp_run(breaking, NULL), 0);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    assert_int_equal(salp_barrier_open(NULL, &(salp_barrier_options){ .parties = 1 }), -EINVAL);
    assert_int_equal(salp_barrier_open(&barrier, NULL), -EINVAL);
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ 0 }), -EINVAL);
    assert_null(barrier);
    assert_int_equal(salp_barrier_wait(NULL), -EINVAL);
    assert_int_equal(salp_barrier_break(NULL), -EINVAL);
    assert_int_equal(salp_barrier_reset(NULL), -EINVAL);
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 1 }), 0);
    assert_int_equal(salp_barrier_wait(barrier), 0); /* a party of one */
    salp_barrier_close(barrier);
    salp_barrier_close(NULL);
}

static salp_scope outer;

static int meets_behind_a_shield(void *arg)
{
    (void)arg;
    EXPECT(salp_barrier_wait(barrier) >= 0);
    return 0;
}

static int cancels_outside(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, meets_behind_a_shield, arg) == 0);
    EXPECT(salp_yield() == 0);
    salp_scope_cancel(&outer); /* reaches nobody here */
    EXPECT(salp_barrier_wait(barrier) >= 0);
    return salp_group_close(&group);
}

static void a_scope_that_reaches_nobody_breaks_nothing(void **state)
{
    salp_scope shield;
    (void)state;
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 2 }), 0);
    salp_scope_open(&outer, SALP_FOREVER);
    salp_scope_shield(&shield, SALP_FOREVER);
    assert_int_equal(salp_run(cancels_outside, NULL), 0);
    assert_int_equal(salp_scope_close(&shield), 0);
    assert_int_equal(salp_scope_close(&outer), 0);
    salp_barrier_close(barrier);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("nobody passes a barrier before all have come", nobody_passes_a_barrier_before_all_have_come),
        TEST("who gives up at a barrier breaks it for the others", who_gives_up_at_a_barrier_breaks_it_for_the_others),
        TEST("misuse is refused", misuse_is_refused),
        TEST("a scope that reaches nobody breaks nothing", a_scope_that_reaches_nobody_breaks_nothing),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
