/* What a pool remembers of functions. SPDX-License-Identifier: MIT */
#include "test.h"

#include "pool/history.h"

enum { FIRST = 0x1000, OTHER = 0x1010, SAME_PLACE = FIRST + 16 * SALP__HISTORY_PLACES };

static void nothing_is_known_of_what_has_not_run(void **state)
{
    salp__history history = { 0 };
    (void)state;
    assert_true(salp__history_guess(&history, FIRST, 1) < 0);
    salp__history_note(&history, FIRST, 1, 1000);
    assert_true(salp__history_guess(&history, OTHER, 1) < 0);
    assert_true(salp__history_guess(&history, SAME_PLACE, 1) < 0);
}

static void the_last_time_counts(void **state)
{
    salp__history history = { 0 };
    (void)state;
    salp__history_note(&history, FIRST, 1, 1000);
    salp__history_note(&history, OTHER, 1, 7);
    salp__history_note(&history, FIRST, 1, 50);
    assert_true(salp__history_guess(&history, FIRST, 1) == 50);
    assert_true(salp__history_guess(&history, OTHER, 1) == 7);
}

static void more_take_longer(void **state)
{
    salp__history history = { 0 };
    (void)state;
    salp__history_note(&history, FIRST, 1000, 500); /* half a nanosecond each */
    assert_true(salp__history_guess(&history, FIRST, 10) == 5);
    assert_true(salp__history_guess(&history, FIRST, 1000000) == 500000);
    assert_true(salp__history_guess(&history, FIRST, SIZE_MAX) > 1e18);
}

static void what_has_the_same_place_drives_out(void **state)
{
    salp__history history = { 0 };
    (void)state;
    salp__history_note(&history, FIRST, 1, 1000);
    salp__history_note(&history, SAME_PLACE, 1, 2000);
    assert_true(salp__history_guess(&history, FIRST, 1) < 0);
    assert_true(salp__history_guess(&history, SAME_PLACE, 1) == 2000);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("nothing is known of what has not run", nothing_is_known_of_what_has_not_run),
        TEST("the last time counts", the_last_time_counts),
        TEST("more take longer", more_take_longer),
        TEST("what has the same place drives out", what_has_the_same_place_drives_out),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
