/*
 * Where workers collect results before they hand them over, and the sum by which it is known whether a crash has
 * overwritten any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "os/memory.h"
#include "pool/call.h"
#include "pool/control.h"

enum { WORKERS = 3 };

static salp__control control;

static void open_control(void)
{
    assert_int_equal(salp__control_open(&control, WORKERS), 0);
}

/* ---- windows ---- */

/* The parameters of a call with results of a size, as the program makes them: large ones get windows of their own. */
static salp__params params_for(uint64_t size)
{
    salp__params params = { .kind = SALP__JOB, .out.size = size };
    if (size > SALP__WINDOW_BYTES) {
        params.windows.offset = control.head->regions + salp__pages(1);
        params.windows.size = salp__pages(size) + salp__pages(sizeof(int));
    }
    return params;
}

static void results_fit_into_windows_of_their_own(void **state)
{
    static const uint64_t sizes[] = {
        0,
        1,
        2,
        3,
        4,
        8,
        63,
        64,
        65,
        SALP__WINDOW_BYTES / 2,
        SALP__WINDOW_BYTES - 1,
        SALP__WINDOW_BYTES,
        SALP__WINDOW_BYTES + 1,
        1000000,
        (uint64_t)1 << 40,
    };
    (void)state;
    open_control();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        salp__params params = params_for(sizes[i]);
        uint64_t begin = params.windows.size > 0 ? params.windows.offset : control.head->windows;
        for (int worker = 0; worker < WORKERS; worker++) {
            salp__window window = salp__window_of(&control, &params, worker);
            assert_in_range(window.items, 1, SALP__WINDOW_ITEMS);
            assert_true(window.items * sizes[i] <= window.bytes);
            assert_int_equal(window.bytes % sizeof(int), 0);
            assert_int_equal(window.offset % salp__pages(1), 0);
            assert_true(window.offset >= begin); /* behind the last worker's */
            begin = window.offset + window.bytes + window.items * sizeof(int);
        }
        if (params.windows.size == 0)
            assert_true(begin <= control.head->regions);
        else
            assert_true(begin <= params.windows.offset + WORKERS * params.windows.size);
    }
    salp__control_close(&control);
}

static void windows_hold_as_many_results_as_fit(void **state)
{
    salp__params params;
    (void)state;
    open_control();
    params = params_for(0);
    assert_int_equal(salp__window_of(&control, &params, 0).items, SALP__WINDOW_ITEMS);
    params = params_for(SALP__WINDOW_BYTES / 2);
    assert_int_equal(salp__window_of(&control, &params, 0).items, 2);
    params = params_for(SALP__WINDOW_BYTES / 2 + 1);
    assert_int_equal(salp__window_of(&control, &params, 0).items, 1);
    params = params_for(SALP__WINDOW_BYTES);
    assert_int_equal(salp__window_of(&control, &params, 0).items, 1);
    params = params_for(SALP__WINDOW_BYTES + 1);
    assert_int_equal(salp__window_of(&control, &params, 0).items, 1);
    params = params_for(1);
    params.kind = SALP__MESSAGE;
    assert_int_equal(salp__window_of(&control, &params, 0).items, 1);
    salp__control_close(&control);
}

/* ---- the sum ---- */

enum { SUMMED = 130 };

static void fill(unsigned char bytes[], size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
}

static void equal_bytes_have_equal_sums(void **state)
{
    unsigned char bytes[SUMMED], moved[SUMMED + 8];
    (void)state;
    fill(bytes, sizeof bytes);
    for (size_t size = 0; size <= SUMMED; size++) {
        uint64_t sum = salp__mix_bytes(size, bytes, size);
        for (size_t shift = 0; shift < 8; shift++) {
            memset(moved, (int)shift, sizeof moved);
            memcpy(moved + shift, bytes, size);
            assert_int_equal(salp__mix_bytes(size, moved + shift, size), sum);
        }
    }
}

static void a_flipped_bit_changes_the_sum(void **state)
{
    unsigned char bytes[SUMMED];
    (void)state;
    fill(bytes, sizeof bytes);
    for (size_t size = 1; size <= SUMMED; size++) {
        uint64_t sum = salp__mix_bytes(1, bytes, size);
        for (size_t bit = 0; bit < size * 8; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_int_not_equal(salp__mix_bytes(1, bytes, size), sum);
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        for (int bit = 0; bit < 64; bit++)
            assert_int_not_equal(salp__mix_bytes(1 ^ (uint64_t)1 << bit, bytes, size), sum);
    }
}

/* The sum over several results, as a worker and the steward make it. */
static uint64_t sum_results(const void *results, uint64_t size, const int errors[], int count)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum = salp__mix_result(sum, (const char *)results + (uint64_t)i * size, size, errors[i]);
    return sum;
}

static void a_changed_result_changes_the_sum_over_all(void **state)
{
    enum { COUNT = 5 };
    unsigned char results[COUNT * 64];
    (void)state;
    for (uint64_t size = 0; size <= 64; size++) {
        int errors[COUNT] = { 0, 0, 7, 0, -EIO };
        fill(results, sizeof results);
        uint64_t sum = sum_results(results, size, errors, COUNT);
        assert_int_equal(sum_results(results, size, errors, COUNT), sum);
        for (uint64_t bit = 0; bit < COUNT * size * 8; bit++) {
            results[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_int_not_equal(sum_results(results, size, errors, COUNT), sum);
            results[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        for (int i = 0; i < COUNT; i++) {
            errors[i] ^= 64;
            assert_int_not_equal(sum_results(results, size, errors, COUNT), sum);
            errors[i] ^= 64;
        }
        if (size > 0)
            assert_int_not_equal(sum_results(results, size, errors, COUNT - 1), sum);
    }
}

static void changed_places_change_the_sum(void **state)
{
    static const int none[2] = { 0 };
    uint32_t small[2] = { 1, 2 }, swapped_small[2] = { 2, 1 };
    uint64_t large[2] = { 1, 2 }, swapped_large[2] = { 2, 1 };
    (void)state;
    assert_int_not_equal(sum_results(small, 4, none, 2), sum_results(swapped_small, 4, none, 2));
    assert_int_not_equal(sum_results(large, 8, none, 2), sum_results(swapped_large, 8, none, 2));
    assert_int_not_equal(salp__mix_bytes(0, large, 16), salp__mix_bytes(0, swapped_large, 16));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("results fit into windows of their own", results_fit_into_windows_of_their_own),
        TEST("windows hold as many results as fit", windows_hold_as_many_results_as_fit),
        TEST("equal bytes have equal sums", equal_bytes_have_equal_sums),
        TEST("a flipped bit changes the sum", a_flipped_bit_changes_the_sum),
        TEST("a changed result changes the sum over all", a_changed_result_changes_the_sum_over_all),
        TEST("changed places change the sum", changed_places_change_the_sum),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
