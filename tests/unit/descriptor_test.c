/*
 * Waiting for descriptors, in tasks and in plain threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <salp/task.h>

#include "os/epoll.h"
#include "os/file.h"
#include "task/descriptor.h"
#include "task/scope.h"

static int a[2], b[2];

static void open_pipes(void)
{
    EXPECT(pipe(a) == 0 && pipe(b) == 0);
}

static void close_pipes(void)
{
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
}

/* Runs `function` in a task, and in a plain thread. */
static void in_both(salp_fn *function)
{
    assert_int_equal(salp_run(function, NULL), 0);
    assert_int_equal(function(NULL), 0);
}

/* ---- what is ready ---- */

static int tells_which_are_ready(void *arg)
{
    (void)arg;
    open_pipes();
    EXPECT(write(b[1], "x", 1) == 1);
    salp__interest set[] = { { .fd = a[0], .events = SALP__POLL_IN },
                             { .fd = b[0], .events = SALP__POLL_IN },
                             { .fd = -1, .events = SALP__POLL_IN },
                             { .fd = a[1], .events = SALP__POLL_OUT } };
    EXPECT(salp__descriptors_wait(set, 4, SALP_FOREVER, "pipes") >= 1);
    EXPECT(set[0].came == 0 && set[2].came == 0 && (set[1].came == SALP__POLL_IN || set[3].came == SALP__POLL_OUT));
    close(b[1]);
    EXPECT(read(b[0], &(char){ 0 }, 1) == 1);
    EXPECT(salp__descriptor_wait(b[0], SALP__POLL_IN, "the end") & SALP__POLL_HANGUP);
    EXPECT(salp__descriptors_wait(set, 1, salp_now() + 1000, "time") == 0);
    close_pipes();
    EXPECT(salp__descriptor_wait(b[0], SALP__POLL_IN, "nothing") == -EBADF);
    return 0;
}

static void which_are_ready_is_told(void **state)
{
    (void)state;
    in_both(tells_which_are_ready);
}

static int finds_a_file_ready(void *arg)
{
    (void)arg;
    FILE *file = tmpfile();
    EXPECT(file && salp__descriptor_wait(fileno(file), SALP__POLL_IN, "a file") == SALP__POLL_IN);
    fclose(file);
    return 0;
}

static void a_file_is_always_ready(void **state)
{
    (void)state;
    in_both(finds_a_file_ready);
}

static int got;

static int wait_for_a(void *arg)
{
    (void)arg;
    EXPECT(salp__descriptor_wait(a[0], SALP__POLL_IN, "a pipe") == SALP__POLL_IN);
    got++;
    return 0;
}

static int two_wait_for_one(void *arg)
{
    salp_group group;
    open_pipes();
    got = 0;
    salp_group_open(&group);
    EXPECT(salp_go(&group, wait_for_a, arg) == 0 && salp_go(&group, wait_for_a, arg) == 0);
    EXPECT(salp_yield() == 0 && got == 0);
    EXPECT(write(a[1], "x", 1) == 1);
    EXPECT(salp_group_close(&group) == 0 && got == 2);
    close_pipes();
    return 0;
}

static void several_tasks_wait_for_one_descriptor(void **state)
{
    (void)state;
    assert_int_equal(salp_run(two_wait_for_one, NULL), 0);
}

/* ---- scopes ---- */

static int ends_with_its_scope(void *arg)
{
    (void)arg;
    salp_scope scope;
    open_pipes();
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp__descriptor_wait(a[0], SALP__POLL_IN, "a pipe") == -ETIMEDOUT);
    EXPECT(write(a[1], "x", 1) == 1);
    EXPECT(salp__descriptor_wait(a[0], SALP__POLL_IN, "a pipe") == -ETIMEDOUT); /* at once and every time */
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    close_pipes();
    return 0;
}

static void a_deadline_ends_it(void **state)
{
    (void)state;
    in_both(ends_with_its_scope);
}

static int write_later(void *arg)
{
    (void)arg;
    got = 1;
    EXPECT(write(a[1], "x", 1) == 1);
    return 0;
}

static int waits_through_its_scope(void *arg)
{
    salp_scope scope;
    salp_group group;
    open_pipes();
    got = 0;
    if (arg) {
        salp_group_open(&group);
        EXPECT(salp_go(&group, write_later, NULL) == 0);
    }
    salp_scope_open(&scope, 0);
    salp__descriptor_wait_through(b[0], SALP__POLL_IN, salp_now() + 1000, "nothing"); /* ends in time */
    EXPECT(arg || write_later(NULL) == 0);
    salp__descriptor_wait_through(a[0], SALP__POLL_IN, SALP_FOREVER, "a pipe");
    EXPECT(got == 1 && read(a[0], &(char){ 0 }, 1) == 1);
    EXPECT(salp_scope_close(&scope) == 0); /* it has ended nothing */
    EXPECT(!arg || salp_group_close(&group) == 0);
    close_pipes();
    return 0;
}

static void one_that_has_to_be_waited_for_is(void **state)
{
    (void)state;
    assert_int_equal(salp_run(waits_through_its_scope, a), 0);
    assert_int_equal(waits_through_its_scope(NULL), 0);
}

static salp_scope scopes[2];
static _Atomic int open_scopes;

/* Waits in a scope that others cancel, again and again. */
static void *wait_in_scope(void *arg)
{
    int times = test_scale(2000);
    for (int i = 0; i < times; i++) {
        salp_scope_open(&scopes[0], SALP_FOREVER);
        open_scopes = 1;
        EXPECT(salp__descriptor_wait(a[0], SALP__POLL_IN, "a pipe") == -ECANCELED);
        EXPECT(salp_scope_close(&scopes[0]) == -ECANCELED);
    }
    return arg;
}

static void another_thread_ends_it(void **state)
{
    (void)state;
    pthread_t thread;
    int times = test_scale(2000);
    open_pipes();
    assert_int_equal(pthread_create(&thread, NULL, wait_in_scope, NULL), 0);
    for (int i = 0; i < times; i++) {
        while (!atomic_exchange(&open_scopes, 0))
            sched_yield();
        for (int looks = i % 40; looks > 0; looks--) /* sometimes before it sleeps, sometimes after */
            sched_yield();
        salp_scope_cancel(&scopes[0]);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_pipes();
}

static void it_ends_also_when_no_descriptor_is_left(void **state)
{
    (void)state;
    pthread_t thread;
    struct rlimit before, none;
    open_pipes();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_in_scope, NULL), 0);
    for (int i = 0; i < test_scale(2000); i++) {
        while (!atomic_exchange(&open_scopes, 0))
            sched_yield();
        salp_scope_cancel(&scopes[0]);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close_pipes();
}

static void nothing_is_open_when_the_scopes_are_closed(void **state)
{
    (void)state;
    int before = test_count_descriptors();
    salp_scope_open(&scopes[0], SALP_FOREVER);
    open_pipes();
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(salp__descriptor_wait(a[0], SALP__POLL_IN, "a pipe"), SALP__POLL_IN);
    assert_int_equal(salp_scope_close(&scopes[0]), 0);
    close_pipes();
    assert_int_equal(test_count_descriptors(), before);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("which are ready is told", which_are_ready_is_told),
        TEST("a file is always ready", a_file_is_always_ready),
        TEST("several tasks wait for one descriptor", several_tasks_wait_for_one_descriptor),
        TEST("one that has to be waited for is", one_that_has_to_be_waited_for_is),
        TEST("a deadline ends it", a_deadline_ends_it),
        TEST("another thread ends it", another_thread_ends_it),
        TEST("it ends also when no descriptor is left", it_ends_also_when_no_descriptor_is_left),
        TEST("nothing is open when the scopes are closed", nothing_is_open_when_the_scopes_are_closed),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
