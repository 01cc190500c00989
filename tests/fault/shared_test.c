/*
 * Shared arrays, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <salp/shared.h>

#include "os/fault.h"

static int use(void)
{
    salp_shared *shared, *other;
    int error = salp_shared_array(&shared, 3000000, 3);
    if (error < 0) {
        assert_null(shared);
        return error;
    }
    memset(salp_shared_data(shared), 1, 9000000);
    error = salp_shared_attach(&other, salp_shared_fd(shared));
    if (error < 0)
        assert_null(other);
    salp_shared_close(other);
    salp_shared_close(shared);
    return error;
}

static void each_call_succeeds_or_says_why_not(void **state)
{
    (void)state;
    long number = 0;
    bool fired;
    do {
        int descriptors = test_count_descriptors();
        salp__fault_arm(SALP__PROGRAM, ++number);
        int result = use();
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        assert_int_equal(test_count_descriptors(), descriptors);
        if (result != 0 && !(fired && (result == -ENOMEM || result == -EMFILE)))
            fail_msg("when call %ld failed: %s", number, salp_strerror(result));
    } while (fired);
    assert_true(number > 8);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each call succeeds or says why not", each_call_succeeds_or_says_why_not),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
