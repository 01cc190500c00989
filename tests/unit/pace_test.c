/*
 * The pace of claims. The clock cannot be stopped, so each test asks only for what holds however late a thread is: the
 * beginning of a claim is set back or the number of its items is made huge, until delays of seconds change nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "pool/pace.h"

enum { A_BILLION = 1000000000 };

#ifdef SALP_HOSTILE
static const bool hostile = true; /* every claim is of one unit */
#else
static const bool hostile = false;
#endif

static const int64_t long_ago = SALP_SECONDS(1);

static void the_first_claim_is_of_one_unit(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    assert_int_equal(pace.want, 1);
}

static void claims_of_short_items_grow_eightfold(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    static const uint32_t expected[] = { 8, 64, 512 };
    for (int i = 0; i < 3; i++) {
        salp__pace_end(&pace, A_BILLION, 1);
        assert_int_equal(pace.want, hostile ? 1 : expected[i]);
    }
}

static void claims_stay_near_their_target(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    for (int i = 0; i < 40; i++) {
        /* A microsecond for each item, at least. */
        uint32_t before = pace.want;
        pace.began = salp__now() - (int64_t)before * SALP_MICROSECONDS(1);
        salp__pace_end(&pace, before, 1);
        assert_in_range(pace.want, 1, SALP__PACE_TARGET / SALP_MICROSECONDS(1));
        assert_true(pace.want <= (uint64_t)before * 8);
    }
}

static void claims_shrink_to_one_when_items_are_long(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    pace.want = hostile ? 1 : 100000;
    pace.began = salp__now() - long_ago;
    salp__pace_end(&pace, 10, 1);
    assert_int_equal(pace.want, 1);
    assert_true(pace.item_time >= long_ago / 10);
}

static void units_are_counted_not_items(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    pace.want = hostile ? 1 : 1000;
    pace.began = salp__now() - long_ago;
    /* An item takes a microsecond, so a unit takes a second. */
    salp__pace_end(&pace, 1000000, 1000000);
    assert_int_equal(pace.want, 1);
    assert_true(pace.item_time >= SALP_MICROSECONDS(1));
}

static void a_chosen_number_stays(void **state)
{
    static const uint32_t chosen[] = { 1, 7, UINT32_MAX };
    salp__pace pace;
    (void)state;
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        salp__pace_open(&pace, chosen[i]);
        assert_int_equal(pace.want, chosen[i]);
        for (int k = 0; k < 10; k++) {
            salp__pace_end(&pace, A_BILLION, 1);
            assert_int_equal(pace.want, chosen[i]);
        }
        pace.began = salp__now() - long_ago;
        salp__pace_end(&pace, 1, 1);
        assert_int_equal(pace.want, chosen[i]);
        assert_true(pace.item_time >= long_ago); /* measured all the same */
    }
}

static void claims_never_grow_past_what_a_lane_can_count(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    pace.want = hostile ? 1 : UINT32_MAX;
    salp__pace_end(&pace, A_BILLION, 1);
    assert_in_range(pace.want, 1, UINT32_MAX / 8);
}

static void a_claim_without_items_changes_nothing_but_the_clock(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    pace.want = 17;
    pace.item_time = 23;
    pace.began = salp__now() - long_ago;
    salp__pace_end(&pace, 0, 1);
    assert_int_equal(pace.want, 17);
    assert_int_equal(pace.item_time, 23);
    assert_true(salp__now() - pace.began < long_ago);
}

static void a_claim_that_took_too_long_is_overdue(void **state)
{
    salp__pace pace;
    (void)state;
    salp__pace_open(&pace, 0);
    salp__pace_begin(&pace);
    pace.began = salp__now() - SALP__PACE_TARGET;
    assert_true(salp__pace_overdue(&pace, 0));
    assert_true(salp__pace_overdue(&pace, 100));
}

static void a_young_claim_is_not_overdue_and_not_looked_at_for_a_while(void **state)
{
    salp__pace pace;
    bool overdue = true;
    (void)state;
    /* A thread that is held up between the two clocks is rightly told that it is late: it tries again. */
    for (int i = 0; i < 1000 && overdue; i++) {
        salp__pace_open(&pace, 0);
        salp__pace_begin(&pace);
        overdue = salp__pace_overdue(&pace, 1000);
    }
    assert_false(overdue);
    assert_true(pace.next_look > 1000);
    /* Until then the clock is not looked at, or it would tell that the claim is late. */
    pace.began = salp__now() - long_ago;
    for (size_t done = 1001; done < pace.next_look && done < 2000; done++)
        assert_false(salp__pace_overdue(&pace, done));
    assert_false(salp__pace_overdue(&pace, pace.next_look - 1));
    assert_true(salp__pace_overdue(&pace, pace.next_look));
    /* The next claim is looked at from its first item on. */
    salp__pace_begin(&pace);
    assert_true(salp__pace_overdue(&pace, 0));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("the first claim is of one unit", the_first_claim_is_of_one_unit),
        TEST("claims of short items grow eightfold", claims_of_short_items_grow_eightfold),
        TEST("claims stay near their target", claims_stay_near_their_target),
        TEST("claims shrink to one when items are long", claims_shrink_to_one_when_items_are_long),
        TEST("units are counted, not items", units_are_counted_not_items),
        TEST("a chosen number stays", a_chosen_number_stays),
        TEST("claims never grow past what a lane can count", claims_never_grow_past_what_a_lane_can_count),
        TEST("a claim without items changes nothing but the clock",
             a_claim_without_items_changes_nothing_but_the_clock),
        TEST("a claim that took too long is overdue", a_claim_that_took_too_long_is_overdue),
        TEST("a young claim is not overdue, and not looked at for a while",
             a_young_claim_is_not_overdue_and_not_looked_at_for_a_while),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
