/*
 * salp_worth, while calls of the system and allocations fail one by one, here and in its forks: each run ends with success or
 * with an error that is documented, and leaves no process, no descriptor and no memory behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "os/fault.h"

enum { COUNT = 200 };

static int inputs[COUNT], results[COUNT];

static int square(const void *in, void *out, void *context)
{
    int x = *(const int *)in;
    (void)context;
    *(int *)out = x * x;
    return 0;
}

static int ask(int64_t budget, salp_worth_report *report)
{
    int context = 0;
    return salp_worth(square, inputs, sizeof *inputs, results, sizeof *results, COUNT,
                      &(salp_worth_options){ .context = &context, .context_size = sizeof context, .budget = budget },
                      report);
}

static bool is_documented(int result)
{
    return result == 0 || result == -ENOMEM || result == -ENOSPC || result == -EAGAIN || result == -EMFILE;
}

/* What pools cost is known before: tests/fault/pool_test.c has what can fail there. */
static void sweep(salp__role role)
{
    salp_worth_report report;
    assert_int_equal(ask(0, &report), 0);
    int descriptors = test_count_descriptors(), result;
    long number = 0;
    bool fired;
    do {
        salp__fault_arm(role, ++number);
        result = ask(SALP_MILLISECONDS(1), &report);
        fired = salp__fault_fired();
        salp__fault_arm(role, 0);
        if (result != 0)
            print_message("role %d, call %ld fails: %s\n", (int)role, number, salp_strerror(result));
        assert_true(is_documented(result) && (fired || result == 0));
        if (result == 0)
            assert_true(report.plan_count >= 2 && report.crashes == 0 && report.sampled <= COUNT);
        assert_int_equal(test_count_descriptors(), descriptors);
        assert_int_equal(test_count_children(getpid()), 0);
    } while (fired);
    assert_int_equal(result, 0);
    assert_true(number > 2);
}

static void failing_calls_of_the_program_are_told(void **state)
{
    (void)state;
    sweep(SALP__PROGRAM);
}

static void failing_calls_of_the_forks_are_told_or_do_without(void **state)
{
    (void)state;
    sweep(SALP__WORKER);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_PROCESSES("failing calls of the program are told", failing_calls_of_the_program_are_told),
        TEST_PROCESSES("failing calls of the forks are told, or they do without",
                       failing_calls_of_the_forks_are_told_or_do_without),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
