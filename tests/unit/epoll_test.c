/*
 * Waiting where epoll_pwait2 is not to be had: an old kernel, an emulator, a filter of system calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os/clock.h"
#include "os/epoll.h"

/* What the system does with epoll_pwait2 from now on; the strictest of several verdicts counts. */
static bool judge_precise_waits(unsigned verdict)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, verdict),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static int wait_precisely(void)
{
    return (int)syscall(SYS_epoll_pwait2, -1, NULL, 0, NULL, NULL, 0);
}

/* Waits for nothing until a time, and for what is there. */
static bool waits_well(void)
{
    int epoll = salp__epoll_open(), doorbell = salp__doorbell_open(), here;
    int64_t deadline = salp__later(SALP_MICROSECONDS(1500));
    salp__readiness ready[2];
    bool well = epoll >= 0 && doorbell >= 0 && salp__epoll_add(epoll, doorbell, SALP__POLL_IN, &here) == 0;
    well = well && salp__epoll_wait(epoll, ready, 2, deadline) == 0 && salp__now() >= deadline;
    salp__doorbell_ring(doorbell);
    well = well && salp__epoll_wait(epoll, ready, 2, SALP_FOREVER) == 1 && ready[0].what == &here;
    well = well && salp__epoll_wait(epoll, ready, 2, 0) == 1;
    close(doorbell);
    close(epoll);
    return well;
}

/* How a fork ends in which this is done. */
static int end_of_fork(bool asks)
{
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(asks ? wait_precisely() : waits_well() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void ask_once(int error)
{
    if (!judge_precise_waits(SECCOMP_RET_ERRNO | (unsigned)error))
        test_skip("system call filters are not available");
    assert_true(wait_precisely() == -1 && errno == error);
    assert_true(waits_well());
    /* From here on, whoever asks once more is killed. */
    assert_true(judge_precise_waits(SECCOMP_RET_KILL_PROCESS));
    int status = end_of_fork(true);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    assert_true(waits_well());
    assert_int_equal(end_of_fork(false), 0);
}

static void a_kernel_without_precise_waits_is_asked_once(void **state)
{
    (void)state;
    ask_once(ENOSYS);
}

static void a_filter_that_refuses_precise_waits_is_asked_once(void **state)
{
    (void)state;
    ask_once(EPERM);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a kernel without precise waits is asked once", a_kernel_without_precise_waits_is_asked_once),
        TEST("a filter that refuses precise waits is asked once", a_filter_that_refuses_precise_waits_is_asked_once),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
