/*
 * Tasks and groups.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <fenv.h>
#include <sys/wait.h>

static char trace[4096]; /* what tasks noted, in order */

static void note(const char *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
}

/* ---- running ---- */

static int return_number(void *arg)
{
    return *(int *)arg;
}

static void the_result_of_main_is_the_result_of_run(void **state)
{
    static int numbers[] = { 0, 7, -5, INT_MAX, INT_MIN };
    (void)state;
    for (size_t i = 0; i < LENGTH(numbers); i++)
        assert_int_equal(salp_run(return_number, &numbers[i]), numbers[i]);
    assert_int_equal(salp_run(NULL, NULL), -EINVAL);
}

static int run_again(void *arg)
{
    static int number = 3;
    (void)arg;
    return salp_run(return_number, &number);
}

static void a_task_cannot_run_a_loop_of_its_own(void **state)
{
    int number = 4;
    (void)state;
    assert_int_equal(salp_run(run_again, NULL), -EBUSY);
    assert_int_equal(salp_run(return_number, &number), 4);
}

static void *run_in_thread(void *arg)
{
    return (void *)(intptr_t)salp_run(return_number, arg);
}

static void each_thread_may_run_a_loop(void **state)
{
    pthread_t threads[8];
    int numbers[LENGTH(threads)];
    (void)state;
    for (size_t i = 0; i < LENGTH(threads); i++) {
        numbers[i] = (int)i;
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &numbers[i]), 0);
    }
    for (size_t i = 0; i < LENGTH(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((intptr_t)result, i);
    }
}

/* ---- order ---- */

static int note_twice(void *name)
{
    note(name);
    EXPECT(salp_yield() == 0);
    note(name);
    return 0;
}

static int take_turns(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, note_twice, "a") == 0);
    EXPECT(salp_go(&group, note_twice, "b") == 0);
    note("-");
    EXPECT(salp_yield() == 0);
    note("-");
    EXPECT(salp_go(&group, note_twice, "c") == 0);
    EXPECT(salp_group_close(&group) == 0);
    note(".");
    return 0;
}

static void tasks_take_turns_in_the_order_in_which_they_became_ready(void **state)
{
    (void)state;
    assert_int_equal(salp_run(take_turns, NULL), 0);
    assert_string_equal(trace, "-ab-abcc.");
}

static int nap(void *arg)
{
    EXPECT(salp_sleep(SALP_MILLISECONDS(*(int *)arg)) == 0);
    return 0;
}

/* The order in which they wake is for fault/timeout. */
static int nap_in_parallel(void *arg)
{
    static int milliseconds[] = { 30, 10, 20, 0, 40 };
    salp_group group;
    int64_t began = milliseconds_now();
    (void)arg;
    salp_group_open(&group);
    for (size_t i = 0; i < LENGTH(milliseconds); i++)
        EXPECT(salp_go(&group, nap, &milliseconds[i]) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(milliseconds_now() - began >= 39);
    return 0;
}

static void sleepers_sleep_as_long_as_they_want(void **state)
{
    (void)state;
    assert_int_equal(salp_run(nap_in_parallel, NULL), 0);
}

static atomic_bool over;

static int yield_for_ever(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        EXPECT(salp_yield() == 0);
    return 0;
}

static int end_it_soon(void *arg)
{
    (void)arg;
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0);
    atomic_store(&over, true);
    return 0;
}

static int yield_while_one_sleeps(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, yield_for_ever, NULL) == 0);
    EXPECT(salp_go(&group, end_it_soon, NULL) == 0);
    return salp_group_close(&group);
}

static void tasks_that_only_yield_hold_up_no_timer(void **state)
{
    (void)state;
    assert_int_equal(salp_run(yield_while_one_sleeps, NULL), 0);
}

/* ---- groups ---- */

static int count;

static int grow(void *arg)
{
    int depth = *(int *)arg - 1;
    salp_group group;
    count++;
    if (depth == 0)
        return 0;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, grow, &depth) == 0);
    EXPECT(salp_group_close(&group) == 0);
    return 0;
}

static void groups_nest(void **state)
{
    int depth = 8;
    (void)state;
    assert_int_equal(salp_run(grow, &depth), 0);
    assert_int_equal(count, (6561 - 1) / 2);
}

static int add_to_group(void *arg)
{
    salp_group *group = arg;
    if (++count < 10)
        EXPECT(salp_go(group, add_to_group, group) == 0);
    return 0;
}

static int let_tasks_start_tasks(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, add_to_group, &group) == 0);
    EXPECT(salp_group_close(&group) == 0);
    return count;
}

static void a_task_may_start_others_in_its_own_group(void **state)
{
    (void)state;
    assert_int_equal(salp_run(let_tasks_start_tasks, NULL), 10);
}

static int sleep_until_cancelled(void *arg)
{
    int result = salp_sleep(SALP_FOREVER);
    (void)arg;
    EXPECT(result == -ECANCELED);
    EXPECT(salp_sleep(NEVER_SEEN) == -ECANCELED); /* again and again */
    EXPECT(salp_yield() == -ECANCELED);
    count++;
    return result;
}

static int fail_soon(void *arg)
{
    (void)arg;
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0);
    return -EILSEQ;
}

static int fail_among_others(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 5; i++)
        EXPECT(salp_go(&group, sleep_until_cancelled, NULL) == 0);
    EXPECT(salp_go(&group, fail_soon, NULL) == 0);
    EXPECT(salp_sleep(NEVER_SEEN) == -ECANCELED); /* the body of the group is inside too */
    EXPECT(salp_go(&group, return_number, &count) == -ECANCELED);
    EXPECT(salp_group_close(&group) == -EILSEQ);
    EXPECT(count == 5);
    EXPECT(salp_sleep(1) == 0);
    return 0;
}

static void the_first_failure_cancels_the_others_and_is_returned(void **state)
{
    (void)state;
    assert_int_equal(salp_run(fail_among_others, NULL), 0);
}

static int leaves; /* that have begun */

static int branch(void *arg)
{
    int depth = *(int *)arg;
    salp_group group;
    int child = depth - 1, result;
    if (depth == 0) {
        leaves++;
        return sleep_until_cancelled(NULL);
    }
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, branch, &child) == 0);
    result = salp_group_close(&group);
    EXPECT(result == -ECANCELED);
    return result;
}

static int cancel_a_tree(void *arg)
{
    int depth = 5;
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, branch, &depth) == 0);
    while (leaves < 243)
        EXPECT(salp_yield() == 0);
    EXPECT(count == 0);
    salp_group_cancel(&group);
    EXPECT(salp_group_close(&group) == -ECANCELED);
    return count;
}

static void a_cancellation_reaches_the_whole_tree(void **state)
{
    (void)state;
    assert_int_equal(salp_run(cancel_a_tree, NULL), 243);
}

static int go_nowhere(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, NULL, NULL) == -EINVAL);
    EXPECT(salp_go(NULL, return_number, NULL) == -EINVAL);
    EXPECT(salp_go_with(NULL, return_number, NULL, &(salp_task_options){ .name = "none" }) == -EINVAL);
    EXPECT(salp_group_close(&group) == 0);
    return 0;
}

static void what_cannot_be_started_is_refused(void **state)
{
    salp_group group;
    int number = 1;
    (void)state;
    assert_int_equal(salp_run(go_nowhere, NULL), 0);
    salp_group_open(&group); /* in a plain thread */
    assert_int_equal(salp_go(&group, return_number, &number), -EPERM);
    assert_int_equal(salp_group_close(&group), 0);
}

static int close_anothers_group(void *group)
{
    EXPECT(salp_group_close(group) == -EINVAL);
    return -EDOM;
}

static int close_in_vain(void *arg)
{
    salp_group group;
    (void)arg;
    EXPECT(salp_group_close(NULL) == -EINVAL);
    salp_group_open(&group);
    EXPECT(salp_go(&group, close_anothers_group, &group) == 0);
    EXPECT(salp_group_close(&group) == -EDOM);
    EXPECT(salp_group_close(&group) == -EINVAL);
    return 0;
}

static void a_group_is_closed_once_by_whoever_has_opened_it(void **state)
{
    (void)state;
    assert_int_equal(salp_run(close_in_vain, NULL), 0);
}

/* ---- many, and much ---- */

static int spawn_many(void *arg)
{
    salp_group group;
    int number = 0, wanted = *(int *)arg;
    salp_group_open(&group);
    for (int i = 0; i < wanted; i++)
        EXPECT(salp_go(&group, return_number, &number) == 0);
    return salp_group_close(&group);
}

static void many_tasks_at_once_and_one_after_another(void **state)
{
    int wanted = test_scale(20000);
    (void)state;
    for (int round = 0; round < 3; round++)
        assert_int_equal(salp_run(spawn_many, &wanted), 0);
}

static int use_stack(void *arg)
{
    volatile char much[40 * 1024];
    (void)arg;
    for (size_t i = 0; i < sizeof much; i += 512)
        much[i] = (char)i;
    EXPECT(salp_yield() == 0);
    for (size_t i = 0; i < sizeof much; i += 512)
        EXPECT(much[i] == (char)i);
    return 0;
}

static int use_stacks(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 50; i++)
        EXPECT(salp_go(&group, use_stack, NULL) == 0);
    return salp_group_close(&group);
}

static void each_task_has_a_stack_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(salp_run(use_stacks, NULL), 0);
}

static __attribute__((noinline)) int dig(volatile char *above, int depth)
{
    volatile char here[1024];
    here[0] = above ? above[0] : 1;
    return depth > 0 ? dig(here, depth - 1) + here[0] : 0;
}

static int overflow(void *arg)
{
    (void)arg;
    return dig(NULL, 1000);
}

static int run_and_overflow(void *arg)
{
    (void)arg;
    return salp_run(overflow, NULL);
}

static void a_stack_that_overflows_is_a_crash_and_not_another_tasks_memory(void **state)
{
    (void)state;
    if (test_sanitized())
        test_skip("a sanitizer has its own say about stacks");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run_and_overflow(NULL));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

/* ---- what a switch has to keep ---- */

static int round_upward(void *arg)
{
    (void)arg;
    EXPECT(fegetround() == FE_TONEAREST);
    fesetround(FE_UPWARD);
    EXPECT(salp_yield() == 0);
    EXPECT(fegetround() == FE_UPWARD);
    return 0;
}

static int keep_rounding(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, round_upward, NULL) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(fegetround() == FE_TONEAREST);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(fegetround() == FE_TONEAREST);
    return 0;
}

static void a_tasks_way_of_rounding_is_its_own(void **state)
{
    (void)state;
    assert_int_equal(salp_run(keep_rounding, NULL), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
}

static int compute(void *arg)
{
    double a = *(int *)arg, b = a + 0.5, c = a * 3, d = a / 7;
    long e = (long)a, f = e + 1, g = e + 2, h = e + 3, i = e + 4, j = e + 5;
    for (int k = 0; k < 100; k++) {
        a += 1, b += 2, c += 3, d += 4, e += 5, f += 6, g += 7, h += 8, i += 9, j += 10;
        EXPECT(salp_yield() == 0);
    }
    int n = *(int *)arg;
    EXPECT(a == n + 100.0 && b == n + 200.5 && c == n * 3.0 + 300 && d == n / 7.0 + 400);
    EXPECT(e == n + 500 && f == n + 601 && g == n + 702 && h == n + 803 && i == n + 904 && j == n + 1005);
    return 0;
}

static int compute_in_parallel(void *arg)
{
    static int numbers[20];
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 20; i++) {
        numbers[i] = i * 1000;
        EXPECT(salp_go(&group, compute, &numbers[i]) == 0);
    }
    return salp_group_close(&group);
}

static void registers_survive_a_switch(void **state)
{
    (void)state;
    assert_int_equal(salp_run(compute_in_parallel, NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("the result of main is the result of run", the_result_of_main_is_the_result_of_run),
        TEST("a task cannot run a loop of its own", a_task_cannot_run_a_loop_of_its_own),
        TEST("each thread may run a loop", each_thread_may_run_a_loop),
        TEST("tasks take turns in the order in which they became ready",
             tasks_take_turns_in_the_order_in_which_they_became_ready),
        TEST("sleepers sleep as long as they want", sleepers_sleep_as_long_as_they_want),
        TEST("tasks that only yield hold up no timer", tasks_that_only_yield_hold_up_no_timer),
        TEST("groups nest", groups_nest),
        TEST("a task may start others in its own group", a_task_may_start_others_in_its_own_group),
        TEST("the first failure cancels the others and is returned",
             the_first_failure_cancels_the_others_and_is_returned),
        TEST("a cancellation reaches the whole tree", a_cancellation_reaches_the_whole_tree),
        TEST("what cannot be started is refused", what_cannot_be_started_is_refused),
        TEST("a group is closed once, by whoever has opened it", a_group_is_closed_once_by_whoever_has_opened_it),
        TEST("many tasks at once and one after another", many_tasks_at_once_and_one_after_another),
        TEST("each task has a stack of its own", each_task_has_a_stack_of_its_own),
        TEST("a stack that overflows is a crash and not another task's memory",
             a_stack_that_overflows_is_a_crash_and_not_another_tasks_memory),
        TEST("a task's way of rounding is its own", a_tasks_way_of_rounding_is_its_own),
        TEST("registers survive a switch", registers_survive_a_switch),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
