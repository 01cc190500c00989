/*
 * Executing another program.
 *
 * fork copies the tables of all pages; a child that executes another program at once needs none of them. This one is made
 * by clone(2) with CLONE_VM | CLONE_VFORK, as posix_spawn does: it borrows the whole memory of the program while the
 * thread that makes it stands still, until it has executed the other program or ended. posix_spawn itself cannot set a
 * reaper of orphans, close all descriptors but some, or tell the pidfd.
 *
 *   parent                       child, on a stack in the parent's frame
 *   signals blocked
 *   clone, stands still          signals as by default, group, folder, descriptors
 *                                signals allowed; execve: the new program
 *   goes on                        or: stores the error, ends
 *   signals as before
 *
 * I1  The child calls nothing but the kernel, by syscall(2): no lock of the C library, which another thread may hold; no
 *     point at which the parent's thread could be cancelled; no wrapper of a sanitizer. The parent's errno, which it
 *     shares, is put back.
 * I2  No signal reaches the child before its handlers are gone: they would run in the parent's memory. So all are blocked
 *     before, those of the C library (setuid in another thread, cancellation) as well.
 * I3  The child writes to its stack and to `error` in the parent's frame, and to nothing else.
 * I4  Its stack lies in the parent's frame, which stays until the child has gone: memory that is mapped for each child
 *     would cost each a page fault and an unmapping.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/fault.h"
#include "os/memory.h"

/* clone by the name that sanitizers do not put themselves in the way of: they would take it for a fork. */
extern int __clone(int (*function)(void *arg), void *stack, int flags, void *arg, ...);

/* Of what the child runs: nothing is looked at or noted, since the notes would be those of the parent's thread. */
#ifdef __clang__
#define BARE __attribute__((disable_sanitizer_instrumentation, no_sanitize("address", "thread", "undefined")))
#else
#define BARE __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

enum {
    /* The deepest frames are those of clone, and of syscall and errno, which are bound: the parent has used both. */
    STACK = 1024,
    LAST_SIGNAL = 64,
    KERNEL_SET = 8, /* bytes of the kernel's set of signals */
};

typedef struct child {
    const salp__spawn *spawn;
    int error; /* written by the child */
} child;

/* ---- the child ---- */

/* What the kernel says: 0 or more, or a negative error. */
BARE static long outcome(long result)
{
    return result < 0 ? -errno : result;
}

/* Not clone3's CLONE_CLEAR_SIGHAND, which would spare the calls: it leaves those alone that the program ignores. */
BARE static void reset_signals(void)
{
    static const uint64_t by_default[8]; /* the kernel's struct sigaction, which is shorter; zeros are SIG_DFL */
    for (int number = 1; number <= LAST_SIGNAL; number++)
        (void)syscall(SYS_rt_sigaction, number, by_default, NULL,
                      KERNEL_SET); /* SIGKILL and SIGSTOP are not to be set */
}

BARE static void allow_signals(void)
{
    static const uint64_t none;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SET);
}

/* 0, 1 and 2 become what they are to be. */
BARE static long set_standard(const salp__spawn *spawn)
{
    int from[3];
    long result = 0;
    /* What lies where another one goes to is moved out of the way first. */
    for (int i = 0; i < 3 && result >= 0; i++) {
        from[i] = spawn->standard[i];
        if (from[i] < 3 && from[i] != i) {
            result = outcome(syscall(SYS_fcntl, from[i], F_DUPFD_CLOEXEC, 3));
            from[i] = (int)result;
        }
    }
    for (int i = 0; i < 3 && result >= 0; i++) {
        if (from[i] == i)
            result = outcome(syscall(SYS_fcntl, i, F_SETFD, 0));
        else
            result = outcome(syscall(SYS_dup3, from[i], i, 0));
    }
    return result;
}

BARE static void close_range_of(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    /* A kernel before 5.9, or a filter that does not know the call. */
    struct rlimit limit;
    long result = syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    for (rlim_t fd = first; result == 0 && fd <= last && fd < limit.rlim_cur; fd++)
        (void)syscall(SYS_close, (int)fd);
}

/* Those that are kept survive execve, all others above 2 are closed. */
BARE static long keep_others(const salp__spawn *spawn)
{
    long result = 0;
    unsigned next = 3;
    for (int i = 0; i < spawn->keep_count && result >= 0; i++) {
        unsigned fd = (unsigned)spawn->keep[i];
        result = outcome(syscall(SYS_fcntl, fd, F_SETFD, 0));
        if (fd >= next) {
            close_range_of(next, fd - 1);
            next = fd + 1;
        }
    }
    close_range_of(next, ~0U);
    return result;
}

/* Returns only if there is nothing to execute. */
BARE static long execute(const salp__spawn *spawn)
{
    long error = -ENOENT;
    bool refused = false;
    for (const char *const *path = spawn->paths; *path; path++) {
        error = outcome(syscall(SYS_execve, *path, spawn->argv, spawn->environment));
        refused |= error == -EACCES;
        if (error != -EACCES && error != -ENOENT && error != -ENOTDIR && error != -ENAMETOOLONG && error != -ELOOP)
            return error; /* it is there */
    }
    return refused ? -EACCES : error;
}

BARE static long prepare(const salp__spawn *spawn)
{
    long result = 0;
    reset_signals();
    if (spawn->own_group)
        result = outcome(syscall(SYS_setpgid, 0, 0));
    if (spawn->adopts_orphans)
        (void)syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* an emulator may have none */
    if (result >= 0)
        result = set_standard(spawn);
    if (result >= 0)
        result = keep_others(spawn);
    if (result >= 0 && spawn->cwd)
        result = outcome(syscall(SYS_chdir, spawn->cwd));
    allow_signals();
    return result;
}

BARE _Noreturn static int run_child(void *arg)
{
    child *self = arg;
    long error = prepare(self->spawn);
    if (error >= 0)
        error = execute(self->spawn);
    self->error = (int)error; /* I3 */
    for (;;)
        (void)syscall(SYS_exit_group, 127);
}

/* ---- the parent ---- */

/* I2: by the kernel, since the C library leaves its own signals out. */
static void block_signals(uint64_t *before)
{
    static const uint64_t all = ~UINT64_C(0);
    salp__must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, before, KERNEL_SET) == 0);
}

static void restore_signals(const uint64_t *before)
{
    salp__must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, KERNEL_SET) == 0);
}

/* It has stored an error and ends: nobody is to see its zombie. */
static void reap(int watch)
{
    siginfo_t info;
    while (syscall(SYS_waitid, P_PIDFD, watch, &info, WEXITED, NULL) < 0 && errno == EINTR)
        continue; /* ECHILD: the program has all its children reaped by the system, or does so itself */
    (void)close(watch);
}

pid_t salp__spawn_start(const salp__spawn *spawn, int *watch)
{
    SALP__FAULT(-EAGAIN);
    _Alignas(16) char stack[STACK]; /* I4 */
    child self = { .spawn = spawn };
    int fd = -1, kept = errno;
    uint64_t before;
    block_signals(&before);
    pid_t pid = __clone(run_child, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &self, &fd);
    if (pid < 0)
        pid = -errno;
    restore_signals(&before);
    /* volatile: the compiler does not know that somebody else has written to it. */
    int error = *(volatile int *)&self.error;
    if (pid > 0 && error < 0) {
        reap(fd);
        pid = error;
    }
    if (pid > 0)
        *watch = fd;
    errno = kept; /* I1 */
    return pid;
}
