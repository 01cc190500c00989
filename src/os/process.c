/* Processes. SPDX-License-Identifier: MIT */
#include "os/process.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/thread.h"

pid_t salp__process_self(void)
{
    return getpid();
}

unsigned salp__forks_counted;

static void count_fork(void)
{
    salp__forks_counted++;
}

static void begin_counting(void)
{
    salp__after_fork(count_fork);
}

unsigned salp__forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    salp__must(pthread_once(&once, begin_counting) == 0);
    return salp__forks_counted;
}

/* ---- processes as numbers ---- */

/* The state of a process, and when it began, in ticks since the system did. */
static int look_up(pid_t pid, char *state, uint64_t *began)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int length = salp__file_text(path, text, sizeof text);
    if (length < 0)
        return length;
    const char *fields = strrchr(text, ')'); /* the name before it may hold anything */
    static const char format[] = " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64;
    return fields && sscanf(fields + 1, format, state, began) == 2 ? 0 : -ENOENT;
}

int salp__process_mark(pid_t pid, uint64_t *mark)
{
    char state;
    uint64_t began;
    int error = look_up(pid, &state, &began);
    if (error < 0)
        return error;
    *mark = (uint64_t)(uint32_t)began << 32 | (uint32_t)pid;
    return 0;
}

bool salp__process_is_gone(uint64_t mark)
{
    pid_t pid = salp__process_of_mark(mark);
    int watch = salp__process_watch(pid);
    if (watch == -ESRCH)
        return true;
    bool watched = watch >= 0, ended = watched && salp__process_has_ended(watch);
    salp__file_close(watch);
    if (ended)
        return true;
    char state;
    uint64_t began;
    if (look_up(pid, &state, &began) < 0)
        return !watched && kill(pid, 0) < 0 && errno == ESRCH;
    if ((uint32_t)began != (uint32_t)(mark >> 32))
        return true; /* somebody else has the number now */
    return !watched && (state == 'Z' || state == 'X');
}

int salp__process_namespace(uint64_t *number)
{
    SALP__FAULT(-EMFILE);
    struct stat status;
    if (stat("/proc/self/ns/pid", &status) < 0)
        return -errno;
    *number = status.st_ino;
    return 0;
}

pid_t salp__process_fork(void)
{
    SALP__FAULT(-EAGAIN);
    pid_t pid = fork();
    return pid < 0 ? -errno : pid;
}

extern char **environ;

static int count_environment(void)
{
    int count = 0;
    while (environ && environ[count])
        count++;
    return count;
}

pid_t salp__process_spawn_self(const char *variable, const int keep[], int count)
{
    SALP__FAULT(-EAGAIN);
    int inherited = count_environment();
    const char **environment = calloc((size_t)inherited + 2, sizeof *environment);
    if (!environment)
        return -ENOMEM;
    environment[0] = variable;
    memcpy(environment + 1, environ, (size_t)inherited * sizeof *environment);

    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        goto free_environment;
    /* A descriptor duplicated onto itself loses its close-on-exec mark, in the child alone. */
    for (int i = 0; i < count && error == 0; i++)
        error = posix_spawn_file_actions_adddup2(&actions, keep[i], keep[i]);
    pid_t pid = -1;
    char *const argv[] = { program_invocation_name, NULL };
    if (error == 0)
        error = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, (char *const *)environment);
    posix_spawn_file_actions_destroy(&actions);
free_environment:
    free(environment);
    return error != 0 ? -error : pid;
}

void salp__process_leave(int status)
{
    _exit(status);
}

int salp__process_watch(pid_t pid)
{
    SALP__FAULT(-EMFILE);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno; /* a thread has the number, but no process */
    return fd;
}

void salp__process_signal(pid_t pid, int number)
{
    (void)kill(pid, number);
}

void salp__process_signal_group(pid_t group, int number)
{
    (void)kill(-group, number);
}

int salp__process_send_watched(int watch, int number)
{
    return syscall(SYS_pidfd_send_signal, watch, number, NULL, 0) < 0 ? -errno : 0;
}

void salp__process_signal_watched(int watch, int number)
{
    (void)salp__process_send_watched(watch, number);
}

bool salp__process_freeze(pid_t pid, int64_t nanoseconds)
{
    if (kill(pid, SIGSTOP) < 0)
        return false;
    int64_t deadline = salp__later(nanoseconds);
    do {
        siginfo_t info = { 0 };
        if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT) < 0)
            return false;
        if (info.si_pid == pid)
            return info.si_code == CLD_STOPPED;
        salp__give_way();
    } while (salp__now() < deadline);
    return false;
}

bool salp__process_end_with(pid_t parent)
{
    salp__must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    /* The mark is not retroactive: a parent that ended before it was set sends nothing. */
    return getppid() == parent;
}

void salp__process_adopt_orphans(void)
{
    /* EINVAL: an emulator of system calls that has none. What jobs leave behind is then init's. */
    salp__must(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 || errno == EINVAL);
}

void salp__process_own_group(pid_t pid)
{
    /* Parent and child both do this, and the first one wins: the other's failure (gone, a session leader) is none. */
    (void)setpgid(pid, 0);
}

pid_t salp__process_group(void)
{
    return getpgrp();
}

void salp__process_join_group(pid_t group)
{
    (void)setpgid(0, group); /* EPERM: it is gone, or of another session */
}

pid_t salp__process_parent(void)
{
    return getppid();
}

void salp__process_rename(const char *name)
{
    (void)prctl(PR_SET_NAME, name); /* an emulator may refuse it */
}

int salp__process_ended(salp__ending *ending)
{
    siginfo_t info = { 0 };
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return errno == ECHILD ? -ECHILD : 0;
    if (info.si_pid == 0)
        return 0;
    bool exited = info.si_code == CLD_EXITED;
    *ending = (salp__ending){
        .pid = info.si_pid,
        .signal = exited ? 0 : info.si_status,
        .exit_status = exited ? info.si_status : -1,
    };
    return 1;
}

void salp__process_reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

void salp__process_reap_watched(int watch)
{
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)watch, &info, WEXITED) < 0 && errno == EINTR)
        continue;
}

/* ---- children that are watched ---- */

static int64_t nanoseconds(struct timeval time)
{
    return time.tv_sec * SALP_SECONDS(1) + time.tv_usec * SALP_MICROSECONDS(1);
}

/* Of one that somebody else has reaped: Linux 6.15 keeps it for those who have a descriptor. */
static int ask_for_end(int watch, salp__account *account)
{
    struct {
        uint64_t mask, cgroup;
        uint32_t pid, group, parent, identities[8];
        int32_t status;
    } info = { .mask = 1 << 3 }; /* struct pidfd_info, PIDFD_INFO_EXIT, which Debian 12's headers do not have */
    const unsigned long get_info = _IOWR(0xff, 11, info);
    if (ioctl(watch, get_info, &info) < 0 || !(info.mask & 1 << 3))
        return -ECHILD;
    *account = (salp__account){
        .signal = WIFSIGNALED(info.status) ? WTERMSIG(info.status) : 0,
        .exit_status = WIFEXITED(info.status) ? WEXITSTATUS(info.status) : -1,
    };
    return 1;
}

int salp__process_take(int watch, salp__account *account)
{
    siginfo_t info = { 0 };
    struct rusage usage;
    /* Not the C library's waitid, which does not tell the usage. */
    while (syscall(SYS_waitid, P_PIDFD, watch, &info, WEXITED | WNOHANG, &usage) < 0) {
        if (errno == ECHILD)
            return ask_for_end(watch, account);
        salp__must(errno == EINTR);
    }
    if (info.si_pid == 0)
        return 0;
    bool exited = info.si_code == CLD_EXITED;
    *account = (salp__account){
        .signal = exited ? 0 : info.si_status,
        .exit_status = exited ? info.si_status : -1,
        .user = nanoseconds(usage.ru_utime),
        .system = nanoseconds(usage.ru_stime),
        .peak_memory = usage.ru_maxrss * INT64_C(1024),
    };
    return 1;
}

void salp__process_await(int watch)
{
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)watch, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
}

bool salp__process_has_ended(int watch)
{
    struct pollfd polled = { .fd = watch, .events = POLLIN };
    return poll(&polled, 1, 0) > 0;
}

void salp__process_signal_led(int watch, pid_t leader, int number)
{
    enum { TO_GROUP = 1 << 2 }; /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */
    if (syscall(SYS_pidfd_send_signal, watch, number, NULL, TO_GROUP) < 0 && errno != ESRCH)
        (void)kill(-leader, number);
}

/* ---- about processes ---- */

int salp__process_children(pid_t pids[], int max)
{
    char text[16384];
    if (salp__file_text("/proc/thread-self/children", text, sizeof text) < 0)
        return 0;
    int count = 0;
    char *end, *at = text;
    while (count < max) {
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        pids[count++] = (pid_t)pid;
        at = end;
    }
    return count;
}

int salp__process_readable(pid_t pid, const void *address)
{
    char byte;
    struct iovec here = { .iov_base = &byte, .iov_len = 1 };
    struct iovec there = { .iov_base = (void *)(uintptr_t)address, .iov_len = 1 };
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) == 1)
        return 1;
    return errno == EFAULT ? 0 : -errno;
}

int64_t salp__process_own_memory(pid_t pid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    int length = salp__file_text(path, text, sizeof text);
    if (length < 0)
        return length;
    int64_t size, resident, shared;
    if (sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNd64, &size, &resident, &shared) != 3)
        return -EIO;
    return (resident - shared) * sysconf(_SC_PAGESIZE);
}

uint64_t salp__process_memory_kills(void)
{
    char text[16384];
    if (salp__file_text("/proc/vmstat", text, sizeof text) < 0)
        return 0;
    const char *line = strstr(text, "\noom_kill ");
    return line ? strtoull(line + strlen("\noom_kill "), NULL, 10) : 0;
}

void salp__signals_block(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    salp__must(pthread_sigmask(SIG_SETMASK, &all, before) == 0);
}

void salp__signals_restore(const sigset_t *before)
{
    salp__must(pthread_sigmask(SIG_SETMASK, before, NULL) == 0);
}

void salp__signals_blocked(sigset_t *blocked)
{
    salp__must(pthread_sigmask(SIG_SETMASK, NULL, blocked) == 0);
}

void salp__signals_own_children(struct sigaction *before)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    salp__must(sigaction(SIGCHLD, &action, before) == 0);
}

void salp__signals_return_children(const struct sigaction *before)
{
    salp__must(sigaction(SIGCHLD, before, NULL) == 0);
}

int salp__signals_watch_children(void)
{
    SALP__FAULT(-EMFILE);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void salp__signals_drain(int fd)
{
    struct signalfd_siginfo info[8];
    while (read(fd, info, sizeof info) > 0)
        continue;
}
