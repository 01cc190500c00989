/*
 * Processes, while calls of the system and allocations fail one by one, in the program and in the process: each run ends with
 * success or with an error that is documented, and leaves no process, no descriptor and no memory behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "page.h"
#include "test.h"

#include <signal.h>
#include <sys/wait.h>

#include <salp/process.h>
#include <salp/select.h>
#include <salp/task.h>

#include "os/fault.h"

#define PLAN "SALP_TEST_PLAN"

/* Before the library's own constructor diverts a copy: it comes last. */
__attribute__((constructor)) static void find_plan(void)
{
    void *page = page_found(PLAN);
    if (page)
        salp__fault_share(page);
}

static salp_start start_now;
static salp__role role_now;
static int children; /* before: the server */

static bool is_documented(int result)
{
    return result == 0 || result == -ENOMEM || result == -EMFILE || result == -EAGAIN || result == -ENOSPC ||
           result == SALP_EUNKNOWN;
}

/* Runs it until no call is left to fail. */
static void sweep(salp_fn *function)
{
    int descriptors = test_count_descriptors(), result;
    long number = 0;
    bool fired;
    do {
        salp__fault_arm(role_now, ++number);
        result = function(NULL);
        fired = salp__fault_fired();
        salp__fault_arm(role_now, 0);
        if (result != 0)
            print_message("start %d, role %d, call %ld fails: %s\n", (int)start_now, (int)role_now, number,
                          salp_strerror(result));
        assert_true(is_documented(result) && (fired || result == 0));
        /* A server that is in doubt is given up: then its two are missing until the next start. */
        int now = test_count_descriptors();
        assert_true(now == descriptors || (start_now == SALP_SERVER && now == descriptors - 2));
        assert_true(test_count_children(getpid()) <= children);
    } while (fired);
    assert_int_equal(result, 0);
    /* In a fork that is no daemon there is nothing that could fail. */
    assert_true(number > (role_now == SALP__PROGRAM ? 3 : start_now == SALP_FORK ? 0 : 1));
}

static int in_task(void *function)
{
    return ((salp_fn *)function)(NULL);
}

/* The same in a task; what the loop needs fails, too. */
static salp_fn *inner;

static int run_in_task(void *arg)
{
    (void)arg;
    return salp_run(in_task, (void *)inner);
}

static void sweep_each(salp_fn *function)
{
    int plan = page_hand_on(PLAN);
    find_plan();
    inner = function;
    test_keeps_descriptors(2);
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++) {
        if (start_now == SALP_SERVER) {
            assert_int_equal(function(NULL), 0); /* the server stays */
            children = 1;
        }
        for (role_now = SALP__PROGRAM; role_now <= SALP__WORKER; role_now++) {
            if (role_now == SALP__STEWARD)
                continue;
            sweep(function);
            sweep(run_in_task);
        }
    }
    close(plan);
}

/* ---- what is done ---- */

struct order {
    int number;
    int writing;
};

static int write_number(void *arg)
{
    const struct order *order = arg;
    return write(order->writing, &order->number, sizeof order->number) == sizeof order->number ? order->number : 99;
}

static int run_one(void *arg)
{
    int ends[2], number = 0;
    salp_process *process;
    salp_process_ending status;
    (void)arg;
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    struct order order = { .number = 42, .writing = ends[1] };
    int result = salp_process_start(&process, write_number, &order,
                                    &(salp_process_options){ .start = start_now,
                                                             .name = "faulty",
                                                             .daemon = true,
                                                             .argument_size = sizeof order,
                                                             .descriptors = &ends[1],
                                                             .descriptor_count = 1 });
    close(ends[1]);
    if (result == 0) {
        result = salp_process_wait_ending(process, &status);
        if (result == 0 && status.result != 42) {
            result = status.result; /* it could not begin */
            EXPECT(result < 0 && status.exit_status == 1 && role_now == SALP__WORKER);
        } else if (result == 0) {
            EXPECT(status.exit_status == 42 && read(ends[0], &number, sizeof number) == sizeof number && number == 42);
        }
        EXPECT(salp_process_close(process) == 0);
    } else {
        EXPECT(process == NULL);
    }
    close(ends[0]);
    return result;
}

static void a_process_survives(void **state)
{
    (void)state;
    sweep_each(run_one);
}

static int return_seven(void *arg)
{
    (void)arg;
    return 7;
}

static int wait_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg != NULL;
}

/* However little there is, it ends. */
static int close_one(void *arg)
{
    salp_process *process;
    (void)arg;
    int result = salp_process_start(&process, wait_for_ever, NULL, &(salp_process_options){ .start = start_now });
    if (result == 0) {
        pid_t pid = salp_process_pid(process);
        EXPECT(salp_process_close(process) == 0);
        EXPECT(test_gone(pid, SALP_SECONDS(20)));
    }
    return result;
}

static void closing_survives(void **state)
{
    (void)state;
    sweep_each(close_one);
}

/* Who cannot wait for it says so, and it is there all the same. */
static int select_one(void *arg)
{
    salp_process *process;
    (void)arg;
    int result = salp_process_start(&process, return_seven, NULL, &(salp_process_options){ .start = start_now });
    if (result < 0)
        return result;
    int fd = salp_process_fd(process), seconds = test_slow() ? 200 : 20;
    salp_case cases[] = { { .readable = &fd }, { .after = SALP_SECONDS(seconds) } };
    result = salp_select(cases, 2);
    EXPECT(result < 0 || (result == 0 && cases[0].result == 0));
    EXPECT(salp_process_close(process) == 0);
    return result;
}

static void a_select_survives(void **state)
{
    (void)state;
    sweep_each(select_one);
}

static __attribute__((noinline, no_sanitize("address", "undefined"))) void touch_badly(volatile int *where)
{
    *where = 1;
    (*where)++;
}

static int crash(void *arg)
{
    (void)arg;
    touch_badly((volatile int *)(uintptr_t)0x123450);
    return 0;
}

/* The text may be missing, nothing else. */
static int describe_one(void *arg)
{
    salp_process *process;
    salp_process_ending status;
    (void)arg;
    int result = salp_process_start(&process, crash, NULL, &(salp_process_options){ .start = start_now });
    if (result < 0)
        return result;
    result = salp_process_wait_ending(process, &status);
    if (result == 0 && status.signal == 0) {
        result = status.result;
        EXPECT(result < 0 && role_now == SALP__WORKER);
    } else if (result == 0) {
        EXPECT(status.signal == SIGSEGV && status.address == (void *)(uintptr_t)0x123450);
        const char *text = salp_process_backtrace(process);
        EXPECT(strstr(text, "touch_badly") || salp__fault_fired());
    }
    EXPECT(salp_process_close(process) == 0);
    return result;
}

static void a_crash_survives(void **state)
{
    (void)state;
    sweep_each(describe_one);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("a process survives", a_process_survives, 60),
        TEST_LIMIT("closing survives", closing_survives, 60),
        TEST_LIMIT("a select survives", a_select_survives, 60),
        TEST_LIMIT("a crash survives", a_crash_survives, 60),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
