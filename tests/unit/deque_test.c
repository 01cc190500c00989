/* A work-stealing deque, by one thread that plays all of them. SPDX-License-Identifier: MIT */
#include "test.h"

#include "lockfree/deque.h"

static salp__deque deque;
static int things[3 * SALP__DEQUE_SIZE];

static void put(int first, int count)
{
    for (int i = first; i < first + count; i++)
        assert_true(salp__deque_put(&deque, &things[i]));
}

static int take(void)
{
    int *thing = salp__deque_take(&deque);
    return thing ? (int)(thing - things) : -1;
}

static int steal(void)
{
    int *thing = salp__deque_steal(&deque, INT64_MIN, NULL, NULL);
    return thing ? (int)(thing - things) : -1;
}

static void nothing_is_had_of_an_empty_one(void **state)
{
    (void)state;
    assert_true(salp__deque_is_empty(&deque));
    assert_int_equal(take(), -1);
    assert_int_equal(steal(), -1);
    assert_int_equal(salp__deque_room(&deque), SALP__DEQUE_SIZE);
    assert_int_equal(salp__deque_next(&deque), 0);
}

static void the_owner_takes_the_newest(void **state)
{
    (void)state;
    put(0, 2);
    assert_false(salp__deque_is_empty(&deque));
    assert_int_equal(salp__deque_next(&deque), 2);
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 0);
    assert_int_equal(take(), -1);
    assert_int_equal(salp__deque_next(&deque), 1); /* the last one is taken as a thief would */
    assert_int_equal(salp__deque_room(&deque), SALP__DEQUE_SIZE);
}

static void thieves_take_the_oldest(void **state)
{
    (void)state;
    put(0, 2);
    assert_int_equal(steal(), 0);
    assert_int_equal(steal(), 1);
    assert_int_equal(steal(), -1);
    assert_true(salp__deque_is_empty(&deque));
    assert_int_equal(salp__deque_next(&deque), 2);
    assert_int_equal(take(), -1);
    assert_int_equal(salp__deque_next(&deque), 2);
}

static void both_ends_meet(void **state)
{
    (void)state;
    put(0, 2);
    assert_int_equal(steal(), 0);
    assert_int_equal(take(), 1);
    assert_int_equal(take(), -1);
    assert_int_equal(steal(), -1);
    put(2, 1);
    assert_int_equal(steal(), 2);
}

static void a_full_one_takes_no_more(void **state)
{
    (void)state;
    put(0, SALP__DEQUE_SIZE);
    assert_int_equal(salp__deque_room(&deque), 0);
    assert_false(salp__deque_put(&deque, &things[SALP__DEQUE_SIZE]));
    assert_int_equal(steal(), 0);
    assert_int_equal(salp__deque_room(&deque), 1);
    put(SALP__DEQUE_SIZE, 1);
    assert_false(salp__deque_put(&deque, &things[0]));
    for (int i = SALP__DEQUE_SIZE; i > 0; i--)
        assert_int_equal(take(), i);
    assert_int_equal(take(), -1);
}

/* Its places are used again and again. */
static void it_goes_round(void **state)
{
    int stolen = 0, count = 3 * SALP__DEQUE_SIZE;
    (void)state;
    put(0, 1);
    for (int i = 1; i < count; i++) {
        put(i, 1);
        assert_int_equal(steal(), stolen++);
    }
    assert_int_equal(salp__deque_next(&deque), count);
    assert_int_equal(take(), count - 1);
    assert_int_equal(take(), -1);
}

static void a_thief_may_leave_what_is_older(void **state)
{
    (void)state;
    put(0, 2);
    assert_null(salp__deque_steal(&deque, 1, NULL, NULL));
    assert_ptr_equal(salp__deque_steal(&deque, 0, NULL, NULL), &things[0]);
    assert_ptr_equal(salp__deque_steal(&deque, 1, NULL, NULL), &things[1]);
}

/* Says no, or yes; before that, as if the owner had come between, takes so many. */
struct opinion {
    bool yes;
    int takes;
};

static bool ask(const void *arg)
{
    const struct opinion *o = arg;
    for (int i = 0; i < o->takes; i++)
        salp__deque_take(&deque);
    return o->yes;
}

static void a_thief_that_is_told_no_takes_nothing(void **state)
{
    (void)state;
    put(0, 1);
    assert_null(salp__deque_steal(&deque, 0, ask, &(struct opinion){ .yes = false }));
    assert_ptr_equal(salp__deque_steal(&deque, 0, ask, &(struct opinion){ .yes = true }), &things[0]);
}

static void a_thief_that_is_too_late_takes_nothing(void **state)
{
    (void)state;
    put(0, 1);
    assert_null(salp__deque_steal(&deque, 0, ask, &(struct opinion){ .yes = true, .takes = 1 }));
    put(1, 2);
    assert_ptr_equal(salp__deque_steal(&deque, 0, ask, &(struct opinion){ .yes = true, .takes = 1 }), &things[1]);
    assert_int_equal(take(), -1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("nothing is had of an empty one", nothing_is_had_of_an_empty_one),
        TEST("the owner takes the newest", the_owner_takes_the_newest),
        TEST("thieves take the oldest", thieves_take_the_oldest),
        TEST("both ends meet", both_ends_meet),
        TEST("a full one takes no more", a_full_one_takes_no_more),
        TEST("it goes round", it_goes_round),
        TEST("a thief may leave what is older", a_thief_may_leave_what_is_older),
        TEST("a thief that is told no takes nothing", a_thief_that_is_told_no_takes_nothing),
        TEST("a thief that is too late takes nothing", a_thief_that_is_too_late_takes_nothing),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
