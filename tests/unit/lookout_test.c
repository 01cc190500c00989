/*
 * How often the lookout of a pool looks. The clock is an argument, so all is counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "pool/lookout.h"

static const int64_t start = SALP_SECONDS(1);

/* Lets idle threads be the lookout, one after the other, who find nothing, until `end`, or until there is none any more.
   Something comes each `interval` until `last`. Returns how often somebody looked. */
static int count_looks(salp__lookout *lookout, int64_t interval, int64_t last, int64_t end)
{
    int looks = 0;
    int64_t now = start, until;
    while (now < end) {
        int64_t came = now < last ? now - (now - start) % interval : last;
        if (!salp__lookout_begin(lookout, now, came, false, &until))
            break;
        now = until;
        salp__lookout_end(lookout);
        looks++;
    }
    return looks;
}

static void what_comes_each_millisecond_is_looked_after_each_eight(void **state)
{
    salp__lookout lookout = { 0 };
    (void)state;
    int64_t last = start + SALP_MILLISECONDS(1000);
    assert_int_equal(count_looks(&lookout, SALP_MILLISECONDS(1), last, last), 128); /* 1 + 2 + 4 + 125 times 8 */
}

static void a_lookout_that_has_found_something_looks_again_soon(void **state)
{
    salp__lookout lookout = { 0 };
    int64_t until;
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(salp__lookout_begin(&lookout, start, start, false, &until));
        salp__lookout_end(&lookout);
    }
    assert_int_equal(until - start, SALP__NAP_LAST);
    salp__lookout_found(&lookout);
    assert_true(salp__lookout_begin(&lookout, start, start, false, &until));
    assert_int_equal(until - start, SALP__NAP_FIRST);
}

static void an_idle_pool_is_looked_after_a_few_times_more(void **state)
{
    salp__lookout lookout = { 0 };
    (void)state;
    assert_int_equal(count_looks(&lookout, 1, start, INT64_MAX), 4); /* after 1, 3, 7 and 15 milliseconds */
}

static void there_is_one_at_a_time(void **state)
{
    salp__lookout lookout = { 0 };
    int64_t until;
    (void)state;
    assert_true(salp__lookout_begin(&lookout, start, start, false, &until));
    assert_false(salp__lookout_begin(&lookout, start, start, false, &until));
    assert_false(salp__lookout_begin(&lookout, start, start, true, &until));
    salp__lookout_end(&lookout);
    assert_true(salp__lookout_begin(&lookout, start, start, false, &until));
}

static void what_is_still_there_is_looked_after_however_old_it_is(void **state)
{
    salp__lookout lookout = { 0 };
    int64_t until, later = start + SALP_SECONDS(100);
    (void)state;
    assert_false(salp__lookout_begin(&lookout, later, start, false, &until));
    assert_true(salp__lookout_begin(&lookout, later, start, true, &until));
    assert_int_equal(until - later, SALP__NAP_FIRST);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("what comes each millisecond is looked after each eight",
             what_comes_each_millisecond_is_looked_after_each_eight),
        TEST("a lookout that has found something looks again soon",
             a_lookout_that_has_found_something_looks_again_soon),
        TEST("an idle pool is looked after a few times more", an_idle_pool_is_looked_after_a_few_times_more),
        TEST("there is one at a time", there_is_one_at_a_time),
        TEST("what is still there is looked after however old it is",
             what_is_still_there_is_looked_after_however_old_it_is),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
