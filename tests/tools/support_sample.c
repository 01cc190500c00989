/*
 * Tests that go wrong in every way that tests/support is to notice; support_test runs them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void *volatile lost;

static void passes(void **state)
{
    (void)state;
    printf("said by a test that passes\n");
    assert_int_equal(2 * 2, 4);
    assert_true(test_scale(100) >= 10);
    assert_int_equal(test_scale(1), 1);
}

static void fails(void **state)
{
    (void)state;
    printf("said by a test that fails\n");
    assert_int_equal(0x123, 0x456);
}

static void skips(void **state)
{
    (void)state;
    test_skip("this machine has no wings");
}

static void crashes(void **state)
{
    (void)state;
    raise(SIGSEGV);
}

static void exits(void **state)
{
    (void)state;
    exit(0);
}

static void fork_returns(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0)
        return;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void hangs(void **state)
{
    (void)state;
    pid_t parent = getpid();
    if (fork() == 0) {
        setsid(); /* out of the test's process group and session: still found */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
    }
    for (;;)
        pause();
}

static void leaves_a_process(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        /* A grandchild in a session of its own, whose parent is gone: a daemon. */
        if (fork() == 0) {
            setsid();
            for (;;)
                pause();
        }
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void leaves_a_process_that_ends(void **state)
{
    (void)state;
    if (fork() == 0) {
        usleep(100000);
        _exit(0);
    }
}

static void leaves_a_descriptor(void **state)
{
    (void)state;
    assert_true(open("/dev/zero", O_RDONLY) >= 0);
}

static void keeps_a_descriptor(void **state)
{
    (void)state;
    test_keeps_descriptors(1);
    assert_true(open("/dev/zero", O_RDONLY) >= 0);
}

static void *sleep_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void leaves_a_thread(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_for_ever, NULL), 0);
    pthread_detach(thread);
}

static void leaves_shared_memory(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "/salp-support-sample-%d", getpid());
    int fd = shm_open(name, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void leaks_memory(void **state)
{
    (void)state;
    lost = malloc(1234);
    lost = NULL;
}

static void engines_differ(void **state)
{
    assert_int_equal(test_engine(state), SALP_PROCESSES);
}

static void has_no_engine(void **state)
{
    test_engine(state);
}

static void counts(void **state)
{
    (void)state;
    int before = test_count_descriptors();
    int fd = open("/dev/zero", O_RDONLY);
    assert_int_equal(test_count_descriptors(), before + 1);
    close(fd);
    assert_int_equal(test_count_descriptors(), before);

    int ends[2];
    pid_t grandchild;
    assert_int_equal(test_count_children(getpid()), 0);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t own = fork() == 0 ? getpid() : 0;
        if (own)
            (void)!write(ends[1], &own, sizeof own);
        for (;;)
            pause();
    }
    assert_int_equal(read(ends[0], &grandchild, sizeof grandchild), sizeof grandchild);
    assert_int_equal(test_count_children(getpid()), 2);
    assert_int_equal(test_count_children(pid), 1);
    assert_false(test_gone(pid, SALP_MILLISECONDS(5)));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(test_gone(pid, SALP_SECONDS(10)));
    /* The grandchild has moved up, out of this tree. */
    assert_int_equal(test_count_children(getpid()), 0);
    assert_false(test_gone(grandchild, 0));
    kill(grandchild, SIGKILL);
    assert_true(test_gone(grandchild, SALP_SECONDS(10)));
    close(ends[0]);
    close(ends[1]);
}

/* An orphan that was killed is reaped by the test's parent, so it is gone and not a zombie. */
static void orphans_go(void **state)
{
    (void)state;
    int ends[2];
    pid_t orphan;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        orphan = fork();
        if (orphan == 0)
            for (;;)
                pause();
        (void)!write(ends[1], &orphan, sizeof orphan);
        _exit(0);
    }
    assert_int_equal(read(ends[0], &orphan, sizeof orphan), sizeof orphan);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(test_gone(orphan, 0));
    kill(orphan, SIGKILL);
    assert_true(test_gone(orphan, SALP_SECONDS(10)));
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("passes", passes),
        TEST("fails", fails),
        TEST("skips", skips),
        TEST("crashes", crashes),
        TEST("exits with status 0", exits),
        TEST("returns in a fork", fork_returns),
        TEST_LIMIT("hangs", hangs, 1),
        TEST("leaves a process", leaves_a_process),
        TEST("leaves one that ends", leaves_a_process_that_ends),
        TEST("leaves a descriptor", leaves_a_descriptor),
        TEST("keeps a descriptor", keeps_a_descriptor),
        TEST("leaves a thread", leaves_a_thread),
        TEST("leaves shared memory", leaves_shared_memory),
        TEST("leaks memory", leaks_memory),
        TEST_ENGINES("engines differ", engines_differ),
        TEST("has no engine", has_no_engine),
        TEST("counts", counts),
        TEST("orphans go", orphans_go),
    };
    test_grace_seconds = 2;
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
