/*
 * The ways in which a job can end its worker: what is reported, and that nothing else is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults.h"

#include "base/sanitizer.h"

/* Frame 0 is the function that crashed, not the handler that saw it. */
static bool first_frame_names(const char *backtrace, const char *function)
{
    const char *end = strchr(backtrace, '\n'), *name = strstr(backtrace, function);

    return strncmp(backtrace, "#0 ", 3) == 0 && name && (!end || name < end);
}

/* File and line can only be told when the program was built with them. */
static bool has_lines(void)
{
    FILE *file = fopen("/proc/self/exe", "re");
    static const char wanted[] = ".debug_line";
    size_t matched = 0;
    int c;

    if (!file)
        return false;
    while (matched < sizeof wanted && (c = getc(file)) != EOF)
        matched = c == wanted[matched] ? matched + 1 : c == wanted[0];
    fclose(file);
    return matched == sizeof wanted;
}

static void check_frames(const char *backtrace)
{
    int frame = 0;

    for (const char *line = backtrace; *line; frame++) {
        char number[16];
        const char *end = strchr(line, '\n');

        snprintf(number, sizeof number, "#%d ", frame);
        assert_int_equal(strncmp(line, number, strlen(number)), 0);
        line = end ? end + 1 : line + strlen(line);
    }
    assert_in_range(frame, 1, SALP_BACKTRACE_MAX);
}

static void a_bad_access_is_reported_with_its_address_and_function(void **state)
{
    salp_failure failure;
    const char *backtrace;

    (void)state;
    backtrace = check_fault(BAD_ACCESS, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, SIGSEGV);
    assert_int_equal(failure.exit_status, -1);
    assert_ptr_equal(failure.address, BAD_ADDRESS);
    if (!first_frame_names(backtrace, "access_badly"))
        fail_msg("not in the first line: %s", backtrace);
    assert_non_null(strstr(backtrace, "job_fault"));
    assert_non_null(strstr(backtrace, "failure_test"));
    if (has_lines())
        assert_non_null(strstr(backtrace, "faults.h:"));
    check_frames(backtrace);
}

static void an_overflow_of_the_stack_is_reported(void **state)
{
    salp_failure failure;
    const char *backtrace;

    (void)state;
    backtrace = check_fault(DEEP_RECURSION, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, SIGSEGV);
    assert_non_null(failure.address);
    assert_true(first_frame_names(backtrace, "recurse"));
    check_frames(backtrace);
}

static void a_page_without_a_file_is_reported_as_a_bus_error(void **state)
{
    salp_failure failure;

    (void)state;
    check_fault(BAD_PAGE, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, SIGBUS);
    assert_ptr_equal(failure.address, fault_notes->address);
}

static void a_division_by_zero_is_reported(void **state)
{
    (void)state;
#if defined __x86_64__ || defined __i386__
    salp_failure failure;
    const char *backtrace = check_fault(DIVISION, SALP_ECRASHED, &failure);

    assert_int_equal(failure.signal, SIGFPE);
    assert_non_null(failure.address);
    assert_true(first_frame_names(backtrace, "divide"));
#else
    test_skip("a division by zero is no fault on this processor");
#endif
}

static void an_illegal_instruction_is_reported(void **state)
{
    (void)state;
#if defined __x86_64__ || defined __i386__ || defined __aarch64__
    salp_failure failure;
    const char *backtrace = check_fault(BAD_INSTRUCTION, SALP_ECRASHED, &failure);

    assert_int_equal(failure.signal, SIGILL);
    assert_non_null(failure.address);
    assert_true(first_frame_names(backtrace, "execute_badly"));
#else
    test_skip("no illegal instruction is known for this processor");
#endif
}

static void check_signal(enum fault fault, int number)
{
    salp_failure failure;

    check_fault(fault, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, number);
    assert_null(failure.address);
    assert_int_equal(failure.exit_status, -1);
}

static void an_abort_is_reported(void **state)
{
    (void)state;
    check_signal(ABORT, SIGABRT);
}

static void a_kill_from_inside_is_reported(void **state)
{
    (void)state;
    check_signal(KILL, SIGKILL);
}

static void a_termination_is_reported(void **state)
{
    (void)state;
    check_signal(TERMINATE, SIGTERM);
}

static void a_crash_with_all_signals_blocked_is_reported(void **state)
{
    salp_failure failure;

    (void)state;
    check_fault(BAD_ACCESS_DEAF, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, SIGSEGV);
}

static void a_crash_in_a_thread_of_the_job_is_reported(void **state)
{
    salp_failure failure;

    (void)state;
    check_fault(BAD_THREAD, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, SIGSEGV);
    assert_ptr_equal(failure.address, BAD_ADDRESS);
}

static void check_exit(enum fault fault, int status)
{
    salp_failure failure;
    const char *backtrace = check_fault(fault, SALP_ECRASHED, &failure);

    assert_int_equal(failure.signal, 0);
    assert_int_equal(failure.exit_status, status);
    assert_null(failure.address);
    assert_string_equal(backtrace, "");
}

/* And the backtrace ends where the task began. */
static void a_crash_in_a_task_of_the_job_is_reported(void **state)
{
    salp_failure failure;
    const char *backtrace;

    (void)state;
    backtrace = check_fault(BAD_TASK, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, SIGSEGV);
    assert_ptr_equal(failure.address, BAD_ADDRESS);
    if (!first_frame_names(backtrace, "access_badly"))
        fail_msg("not in the first line: %s", backtrace);
    assert_non_null(strstr(backtrace, "access_badly_in_task"));
    const char *start = strstr(backtrace, "salp__switch_begin");
    if (!start || strchr(start, '#'))
        fail_msg("it does not end in salp__switch_begin: %s", backtrace);
    check_frames(backtrace);
}

static void a_job_that_exits_is_reported_with_its_status(void **state)
{
    (void)state;
    check_exit(EXIT_3, 3);
    check_exit(EXIT_NOW_4, 4);
    check_exit(EXIT_NOW_0, 0);
}

static void a_job_that_ends_its_thread_is_reported(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer has a thread of its own, so the process does not end with its last one");
#endif
    check_exit(EXIT_THREAD, 0);
}

/* The process does not end by itself then, and nobody would ever hear of the item. */
static void a_job_that_ends_its_thread_beside_another_one_is_reported(void **state)
{
    (void)state;
    check_exit(EXIT_THREAD_OF_TWO, 0);
}

static void a_job_that_writes_to_its_input_crashes(void **state)
{
    salp_failure failure;

    (void)state;
    check_fault(WRITE_INPUT, SALP_ECRASHED, &failure);
    assert_int_equal(failure.signal, SIGSEGV);
    assert_ptr_equal(failure.address, fault_notes->address);
}

static int job_crash_at_own_address(const void *in, void *out, void *context)
{
    uintptr_t address = 0x100000 + (uintptr_t) * (const int *)in * 16;

    (void)out;
    (void)context;
    *(volatile int *)address = 1;
    return 0;
}

enum { MANY = 500 };

struct many {
    salp_failure each[MANY];
    int told[MANY];
    int with_backtrace;
    bool odd;
};

static void note_one_of_many(const salp_failure *failure, void *arg)
{
    struct many *many = arg;

    if (failure->index >= MANY) {
        many->odd = true;
        return;
    }
    many->each[failure->index] = *failure;
    many->told[failure->index]++;
    many->with_backtrace += strstr(failure->backtrace, "job_crash_at_own_address") != NULL;
}

/* All of them crash, so that each takes its worker along: nobody gives up, and nothing is mixed up. */
static void crashes_of_all_items_are_each_told_with_their_own_details(void **state)
{
    static int in[MANY], errors[MANY];
    static struct many many;
    const int count = test_scale(MANY);
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);

    (void)state;
    for (int i = 0; i < count; i++)
        in[i] = i;
    for (size_t chunk = 0; chunk < 200; chunk += 100) {
        memset(&many, 0, sizeof many);
        assert_int_equal(
            salp_map(pool, job_crash_at_own_address, in, sizeof *in, NULL, 0, (size_t)count,
                     &(salp_map_options){
                         .errors = errors, .chunk = chunk, .on_failure = note_one_of_many, .on_failure_arg = &many }),
            SALP_ECRASHED);
        assert_false(many.odd);
        for (int i = 0; i < count; i++) {
            assert_int_equal(errors[i], SALP_ECRASHED);
            assert_int_equal(many.told[i], 1);
            assert_int_equal(many.each[i].error, SALP_ECRASHED);
            assert_int_equal(many.each[i].signal, SIGSEGV);
            assert_int_equal(many.each[i].exit_status, -1);
            assert_ptr_equal(many.each[i].address, (void *)(0x100000 + (uintptr_t)i * 16));
            assert_true(many.each[i].worker > 0);
        }
        assert_int_equal(many.with_backtrace, count);
    }
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a bad access is reported with its address and function",
             a_bad_access_is_reported_with_its_address_and_function),
        TEST("an overflow of the stack is reported", an_overflow_of_the_stack_is_reported),
        TEST("a page without a file is reported as a bus error", a_page_without_a_file_is_reported_as_a_bus_error),
        TEST("a division by zero is reported", a_division_by_zero_is_reported),
        TEST("an illegal instruction is reported", an_illegal_instruction_is_reported),
        TEST("an abort is reported", an_abort_is_reported),
        TEST("a kill from inside is reported", a_kill_from_inside_is_reported),
        TEST("a termination is reported", a_termination_is_reported),
        TEST("a crash with all signals blocked is reported", a_crash_with_all_signals_blocked_is_reported),
        TEST("a crash in a thread of the job is reported", a_crash_in_a_thread_of_the_job_is_reported),
        TEST("a crash in a task of the job is reported", a_crash_in_a_task_of_the_job_is_reported),
        TEST("a job that exits is reported with its status", a_job_that_exits_is_reported_with_its_status),
        TEST("a job that ends its thread is reported", a_job_that_ends_its_thread_is_reported),
        TEST("a job that ends its thread beside another one is reported",
             a_job_that_ends_its_thread_beside_another_one_is_reported),
        TEST("a job that writes to its input crashes", a_job_that_writes_to_its_input_crashes),
        TEST_LIMIT("crashes of all items are each told with their own details",
                   crashes_of_all_items_are_each_told_with_their_own_details, 60),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
