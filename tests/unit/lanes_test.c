/*
 * Lanes, by one thread: every number is handed out once, in the order that each worker is promised.
 * What several threads do to them is in stress/lanes_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "lockfree/lanes.h"

enum { MOST = 9 };

static salp__lane lanes[MOST];

static salp__range lane(int i)
{
    uint64_t word = atomic_load(&lanes[i].word);
    return (salp__range){ .begin = (uint32_t)word, .end = (uint32_t)(word >> 32) };
}

static void set_lane(int i, uint32_t begin, uint32_t end)
{
    salp__lanes_split(&lanes[i], 1, (salp__range){ begin, end });
}

static void assert_range(salp__range range, uint32_t begin, uint32_t end)
{
    assert_int_equal(range.begin, begin);
    assert_int_equal(range.end, end);
}

/* Takes from home and asserts that [begin, end) was handed out. */
static void assert_take(int count, int home, uint32_t want, uint32_t begin, uint32_t end)
{
    salp__range taken = { 0 };
    assert_true(salp__lanes_take(lanes, count, home, want, &taken));
    assert_range(taken, begin, end);
}

/* ---- splitting ---- */

static void assert_fair_split(int count, uint32_t begin, uint32_t end)
{
    uint64_t size = (uint64_t)end - begin;
    uint64_t next = begin;
    salp__lanes_split(lanes, count, (salp__range){ begin, end });
    for (int i = 0; i < count; i++) {
        salp__range range = lane(i);
        assert_int_equal(range.begin, next);
        next = range.end;
        assert_in_range((uint64_t)range.end - range.begin, size / (uint64_t)count,
                        (size + (uint64_t)count - 1) / (uint64_t)count);
    }
    assert_int_equal(next, end);
    assert_int_equal(salp__lanes_left(lanes, count), size);
    assert_int_equal(salp__lanes_empty(lanes, count), size == 0);
}

static void a_range_is_split_evenly(void **state)
{
    (void)state;
    salp__lanes_split(lanes, 4, (salp__range){ 0, 12 });
    for (uint32_t i = 0; i < 4; i++)
        assert_range(lane((int)i), 3 * i, 3 * i + 3);
}

static void uneven_parts_differ_by_one_at_most(void **state)
{
    (void)state;
    for (int count = 1; count <= MOST; count++) {
        for (uint32_t size = 0; size <= 50; size++) {
            assert_fair_split(count, 0, size);
            assert_fair_split(count, 1000, 1000 + size);
        }
    }
}

static void large_numbers_are_split_like_small_ones(void **state)
{
    (void)state;
    for (int count = 1; count <= MOST; count++) {
        assert_fair_split(count, 0, UINT32_MAX);
        assert_fair_split(count, UINT32_MAX - 5, UINT32_MAX);
        assert_fair_split(count, UINT32_MAX / 2, UINT32_MAX);
        assert_fair_split(count, UINT32_MAX, UINT32_MAX);
    }
}

static void each_number_is_in_the_share_of_one_lane(void **state)
{
    static const salp__range ranges[] = { { 0, 1 },   { 0, 2 },    { 0, 7 },
                                          { 5, 105 }, { 0, 1000 }, { UINT32_MAX - 9, UINT32_MAX } };
    (void)state;
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        for (int count = 1; count < 20; count++) {
            uint32_t number = ranges[r].begin;
            for (int lane = 0; lane < count; lane++) {
                salp__range share = salp__lane_share(ranges[r], count, lane);
                assert_int_equal(share.begin, number);
                for (; number < share.end; number++)
                    assert_int_equal(salp__lane_of(ranges[r], count, number), lane);
            }
            assert_int_equal(number, ranges[r].end);
        }
    }
    assert_int_equal(salp__lane_of((salp__range){ 0, UINT32_MAX }, 3, UINT32_MAX - 1), 2);
}

static void nothing_is_taken_from_an_empty_range(void **state)
{
    static const salp__range empty[] = { { 0, 0 }, { 7, 7 }, { UINT32_MAX, UINT32_MAX }, { 5, 3 } };
    (void)state;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        salp__range taken = { 11, 22 };
        salp__lanes_split(lanes, 3, empty[i]);
        assert_true(salp__lanes_empty(lanes, 3));
        assert_int_equal(salp__lanes_left(lanes, 3), 0);
        assert_false(salp__lanes_take(lanes, 3, 1, 1, &taken));
        assert_range(taken, 11, 22);
    }
}

/* ---- taking ---- */

static void a_worker_takes_its_own_lane_from_the_front(void **state)
{
    (void)state;
    salp__lanes_split(lanes, 3, (salp__range){ 100, 130 });
    assert_take(3, 1, 1, 110, 111);
    assert_take(3, 1, 3, 111, 114);
    assert_take(3, 1, 2, 114, 116);
    assert_range(lane(0), 100, 110);
    assert_range(lane(1), 116, 120);
    assert_range(lane(2), 120, 130);
    assert_int_equal(salp__lanes_left(lanes, 3), 24);
}

static void others_take_from_the_back_of_the_fullest_lane(void **state)
{
    (void)state;
    set_lane(0, 0, 0);
    set_lane(1, 10, 14);
    set_lane(2, 20, 28);
    set_lane(3, 30, 36);
    assert_take(4, 0, 3, 25, 28);
    assert_range(lane(2), 20, 25);
    assert_take(4, 0, 2, 34, 36); /* now lane 3 is the fullest */
    assert_take(4, 0, 2, 23, 25);
    assert_range(lane(0), 0, 0);
    assert_range(lane(1), 10, 14);
    assert_range(lane(2), 20, 23);
    assert_range(lane(3), 30, 34);
}

/* Whatever a worker wants: half of what is there, rounded up, is the most it gets. */
static void a_piece_is_at_most_half_of_the_lane(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 40; size++) {
        for (uint32_t want = 1; want <= size + 1; want++) {
            uint32_t most = size - size / 2, given = want < most ? want : most;
            set_lane(0, 500, 500 + size);
            set_lane(1, 0, 0);
            assert_take(2, 0, want, 500, 500 + given);
            assert_range(lane(0), 500 + given, 500 + size);

            set_lane(0, 500, 500 + size);
            assert_take(2, 1, want, 500 + size - given, 500 + size);
            assert_range(lane(0), 500, 500 + size - given);
        }
    }
    set_lane(0, 0, 100);
    assert_take(1, 0, UINT32_MAX, 0, 50);
}

/* Everything is handed out, once, whoever takes and however much is wanted. */
static void takers_get_each_number_once(void **state)
{
    enum { SIZE = 3000 };
    static unsigned char handed[SIZE];
    unsigned random = 4711;
    (void)state;
    for (int round = 0; round < 100; round++) {
        int count = 1 + round % MOST;
        uint64_t left = SIZE;
        salp__range taken;
        memset(handed, 0, sizeof handed);
        salp__lanes_split(lanes, count, (salp__range){ 1, SIZE + 1 });
        while (salp__lanes_take(lanes, count, rand_r(&random) % count, 1 + (uint32_t)rand_r(&random) % 90, &taken)) {
            assert_true(taken.begin < taken.end && taken.begin >= 1 && taken.end <= SIZE + 1);
            for (uint32_t i = taken.begin; i < taken.end; i++)
                handed[i - 1]++;
            left -= taken.end - taken.begin;
            assert_int_equal(salp__lanes_left(lanes, count), left);
            assert_int_equal(salp__lanes_empty(lanes, count), left == 0);
        }
        assert_int_equal(left, 0);
        for (int i = 0; i < SIZE; i++)
            assert_int_equal(handed[i], 1);
    }
}

/* The largest range there is, in the largest pieces: each front begins where the last one ended. */
static void numbers_up_to_the_largest_are_handed_out(void **state)
{
    salp__range taken;
    uint64_t next = 0;
    int pieces = 0;
    (void)state;
    set_lane(0, 0, UINT32_MAX);
    for (; salp__lanes_take(lanes, 1, 0, UINT32_MAX, &taken); pieces++) {
        assert_int_equal(taken.begin, next);
        assert_true(taken.end > taken.begin);
        next = taken.end;
    }
    assert_int_equal(next, UINT32_MAX);
    assert_int_equal(pieces, 32);

    /* The same from the back. */
    set_lane(0, 0, UINT32_MAX);
    set_lane(1, 0, 0);
    while (salp__lanes_take(lanes, 2, 1, UINT32_MAX, &taken)) {
        assert_int_equal(taken.end, next);
        assert_true(taken.end > taken.begin);
        next = taken.begin;
    }
    assert_int_equal(next, 0);
}

static void all_lanes_together_may_hold_more_than_one_could(void **state)
{
    (void)state;
    for (int i = 0; i < MOST; i++)
        set_lane(i, 0, UINT32_MAX);
    assert_int_equal(salp__lanes_left(lanes, MOST), (uint64_t)MOST * UINT32_MAX);
    assert_false(salp__lanes_empty(lanes, MOST));
}

/* ---- returning ---- */

static void the_rest_of_a_piece_goes_back_to_the_front(void **state)
{
    salp__range taken;
    (void)state;
    salp__lanes_split(lanes, 2, (salp__range){ 0, 40 });
    assert_true(salp__lanes_take(lanes, 2, 0, 8, &taken));
    assert_range(taken, 0, 8);
    assert_true(salp__lanes_return(lanes, 0, (salp__range){ 3, 8 }));
    assert_range(lane(0), 3, 20);
    assert_range(lane(1), 20, 40);
    assert_take(2, 0, 1, 3, 4);
}

static void a_range_that_is_no_neighbour_is_not_returned(void **state)
{
    static const salp__range strangers[] = { { 0, 3 }, { 0, 5 }, { 20, 25 }, { 19, 25 }, { 30, 40 }, { 4, 7 } };
    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        set_lane(0, 6, 20);
        assert_false(salp__lanes_return(lanes, 0, strangers[i]));
        assert_range(lane(0), 6, 20);
    }
    assert_true(salp__lanes_return(lanes, 0, (salp__range){ 4, 6 }));
    assert_range(lane(0), 4, 20);
}

static void an_empty_lane_takes_any_range_back(void **state)
{
    salp__range taken;
    (void)state;
    set_lane(0, 9, 9);
    set_lane(1, 100, 110);
    assert_true(salp__lanes_take(lanes, 2, 0, 5, &taken)); /* from the other one's back */
    assert_range(taken, 105, 110);
    assert_true(salp__lanes_return(lanes, 0, (salp__range){ 107, 110 }));
    assert_range(lane(0), 107, 110);
    assert_range(lane(1), 100, 105);
    assert_int_equal(salp__lanes_left(lanes, 2), 8);

    set_lane(0, 0, 0);
    assert_true(salp__lanes_return(lanes, 0, (salp__range){ UINT32_MAX - 1, UINT32_MAX }));
    assert_range(lane(0), UINT32_MAX - 1, UINT32_MAX);
    assert_false(salp__lanes_empty(lanes, 1));
}

static void what_was_returned_is_there_for_the_others(void **state)
{
    salp__range taken;
    (void)state;
    set_lane(0, 0, 1);
    set_lane(1, 0, 0);
    assert_take(2, 0, 1, 0, 1);
    assert_false(salp__lanes_take(lanes, 2, 1, 1, &taken));
    assert_true(salp__lanes_return(lanes, 0, (salp__range){ 0, 1 }));
    assert_take(2, 1, 1, 0, 1);
    assert_true(salp__lanes_empty(lanes, 2));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a range is split evenly", a_range_is_split_evenly),
        TEST("parts of an uneven split differ by one at most", uneven_parts_differ_by_one_at_most),
        TEST("large numbers are split like small ones", large_numbers_are_split_like_small_ones),
        TEST("each number is in the share of one lane", each_number_is_in_the_share_of_one_lane),
        TEST("nothing is taken from an empty range", nothing_is_taken_from_an_empty_range),
        TEST("a worker takes its own lane from the front", a_worker_takes_its_own_lane_from_the_front),
        TEST("others take from the back of the fullest lane", others_take_from_the_back_of_the_fullest_lane),
        TEST("a piece is at most half of the lane", a_piece_is_at_most_half_of_the_lane),
        TEST("takers get each number once", takers_get_each_number_once),
        TEST("numbers up to the largest are handed out", numbers_up_to_the_largest_are_handed_out),
        TEST("all lanes together may hold more than one could", all_lanes_together_may_hold_more_than_one_could),
        TEST("the rest of a piece goes back to the front", the_rest_of_a_piece_goes_back_to_the_front),
        TEST("a range that is no neighbour is not returned", a_range_that_is_no_neighbour_is_not_returned),
        TEST("an empty lane takes any range back", an_empty_lane_takes_any_range_back),
        TEST("what was returned is there for the others", what_was_returned_is_there_for_the_others),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
