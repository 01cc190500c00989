/*
 * Nothing outlives salp map, whoever of it is killed, and however.
 *
 *     shell
 *       `- front    the process that the user has started: passes signals on, and ends as the runner did
 *            `- guard    in a session of its own; who is orphaned below becomes its child
 *                 `- runner    in the front's group; runs the jobs
 *                      |- job      each in a group of its own; who is orphaned in it becomes its child
 *                      `- job ...
 *
 * Linux hands the children of a process that has ended to the nearest ancestor that is a subreaper. So whatever jobs start, in
 * sessions of their own as well, is below the guard, and becomes its child when all between are gone. Killing its children
 * until it has none ends all of them, and nobody else.
 *
 * Who is gone             who sees it, and by what                        what happens
 * the runner              guard, SIGCHLD                                  it ends all below it, and ends as the runner did
 * the front               guard, PR_SET_PDEATHSIG; runner, end of line    the runner ends its jobs; the guard ends who is left,
 *                                                                         after five seconds the runner, too
 * the guard               front, SIGCHLD (and it is a subreaper, too)     the front ends all below it
 * front and runner        guard                                           the same: a signal to the whole group of the user's
 *                                                                         command (timeout -s KILL) does not reach the guard
 * front and guard         runner, end of line                             it ends its jobs' trees; those whom ended jobs have
 *                                                                         left behind live on
 * all three               nobody                                          jobs live on. Only the kernel could help (cgroup.kill)
 *
 * I1  The runner has ended when the guard does, unless that was killed; the guard has when the front does, likewise. So who
 *     waits for the front finds nothing left.
 * I2  The signals that the user sends are blocked in the front, which waits for them, and do nothing in the runner: a terminal
 *     sends them to both, kill(1) to the front alone, and each is to count once.
 * I3  An exit status is passed on only if the runner has said that it is at its end. A function that calls exit(0) in it must not
 *     look like a run in which all was done.
 * I4  Nobody waits for a process that cannot be killed for longer than five seconds.
 * I5  The guard is of another session than the runner, its child. Were it of the same one, the system would take it for somebody
 *     who can wake the runner's group, as a shell does, and Ctrl-Z would stop the group for ever where there is no such shell.
 *
 * Jobs that have ended by themselves may have left others behind, as `server &` does. These live until the runner ends. Then
 * they are asked to end, and killed after a second.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <salp/task.h>
#include <salp/time.h>

#include "map/options.h"
#include "map/process_table.h"

static const int64_t look_again = SALP_MILLISECONDS(20);
static const int64_t polite = SALP_SECONDS(1);
static const int64_t patience = SALP_SECONDS(5); /* I4 */

/* What the runner is told of by the line, and does nothing about itself. */
static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP };

enum {
    PASSED_ON = sizeof passed_on / sizeof *passed_on,
    ENOUGH = 3, /* signals of the user; the runner knows what to do about those before */
};

/* ---- ending all below ---- */

/* Returns how many children there are. */
static int signal_children(int number)
{
    struct map_process *table;
    int count = map_process_table_read(&table), children = 0;
    pid_t self = getpid();
    for (int i = 0; i < count; i++) {
        if (table[i].parent != self || table[i].ended)
            continue;
        kill(table[i].pid, number);
        if (number != SIGKILL)
            kill(table[i].pid, SIGCONT);
        children++;
    }
    free(table);
    return children;
}

/* Returns whether one has ended. */
static bool reap_children(bool *none)
{
    bool reaped = false;
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        reaped = true;
    *none = pid < 0 && errno == ECHILD;
    return reaped;
}

static void wait_for_child(void)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const struct timespec time = { .tv_nsec = look_again };
    (void)sigtimedwait(&child, NULL, &time);
}

/* SIGCHLD is blocked. Those below become children when their parents end: so in rounds, until there are none. */
static void end_children(bool politely)
{
    int64_t kill_at = politely ? salp_now() + polite : 0, give_up = salp_now() + polite + patience;
    int asked = 0;
    for (;;) {
        bool none, reaped = reap_children(&none);
        int64_t now = salp_now();
        if (none || now > give_up)
            return;
        if (reaped)
            give_up = now + polite + patience;
        bool kills = now >= kill_at;
        /* Who was asked is not asked again, as long as nobody has come up from below. */
        if (kills || reaped || asked == 0)
            asked = signal_children(kills ? SIGKILL : SIGTERM);
        wait_for_child();
    }
}

/* ---- ending as somebody else did ---- */

static _Noreturn void end_by(int number)
{
    sigset_t set;
    prctl(PR_SET_DUMPABLE, 0); /* whoever it was has left a core file */
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number);
}

static _Noreturn void end_as(int status)
{
    if (WIFSIGNALED(status))
        end_by(WTERMSIG(status));
    _exit(WEXITSTATUS(status));
}

/* ---- the guard ---- */

/* Waits for the runner; -1: the front has gone before. */
static int watch_runner(pid_t runner, pid_t front, const sigset_t *awaited)
{
    for (;;) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid == runner)
                return status;
        }
        if (getppid() != front)
            return -1;
        (void)sigwaitinfo(awaited, NULL);
    }
}

/* The runner sees the same, and ends its jobs in their way. As long as it does, there are two to see to it, should we be killed, too. */
static void let_end(pid_t runner)
{
    int64_t give_up = salp_now() + patience;
    while (salp_now() < give_up) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
            if (pid == runner)
                return;
        }
        wait_for_child();
    }
}

static _Noreturn void guard(pid_t front, pid_t runner, map_guard_last *last, void *arg)
{
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGUSR1);
    int status = watch_runner(runner, front, &awaited);
    if (status == -1)
        let_end(runner);
    end_children(status != -1 && !WIFSIGNALED(status));
    last(arg);
    if (status == -1)
        _exit(MAP_EXIT_ERROR);
    end_as(status);
}

/* Who keeps what others wait for the end of. */
static void let_go_of_standard(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        close(null);
}

/* In the runner: nobody is to be killed with the front's group who guards it. */
static void wait_until_apart(const int apart[2])
{
    char none;
    close(apart[1]);
    while (read(apart[0], &none, 1) < 0 && errno == EINTR)
        ;
    close(apart[0]);
}

/* In the guard, whose signals are all blocked. Returns in the runner. */
static void divide(pid_t front, atomic_bool *finished, map_guard_last *last, void *arg)
{
    int apart[2];
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    pid_t runner = pipe2(apart, O_CLOEXEC) < 0 ? -1 : fork();
    if (runner == 0) {
        wait_until_apart(apart);
        return;
    }
    if (runner < 0) {
        fprintf(stderr, "salp map: it cannot be guarded: %s\n", strerror(errno));
        *finished = true;
        _exit(MAP_EXIT_ERROR);
    }
    (void)setsid(); /* I5 */
    close(apart[0]);
    close(apart[1]);
    prctl(PR_SET_NAME, "salp-guard");
    let_go_of_standard();
    guard(front, runner, last, arg);
}

/* ---- the front ---- */

/* What jobs end by when the user ends them, or when nobody reads what they write: that of the runner is ours. */
static bool is_usual(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGPIPE;
}

static _Noreturn void leave(int status, bool finished, map_guard_last *last, void *arg)
{
    if (WIFEXITED(status) ? finished : is_usual(WTERMSIG(status)))
        end_as(status);
    end_children(false);
    last(arg);
    if (WIFEXITED(status))
        fprintf(stderr, "salp map: it was ended by exit(%d) in the midst of its work; so were all jobs\n",
                WEXITSTATUS(status));
    else
        fprintf(stderr, "salp map: it was ended by SIG%s; so were all jobs\n", sigabbrev_np(WTERMSIG(status)));
    _exit(MAP_EXIT_ERROR);
}

/* The user does not want to wait any longer. */
static _Noreturn void leave_now(int number, map_guard_last *last, void *arg)
{
    end_children(false);
    last(arg);
    end_by(number);
}

static _Noreturn void front(pid_t guard_pid, int line, const atomic_bool *finished, const sigset_t *awaited,
                            map_guard_last *last, void *arg)
{
    for (int sent = 0;;) {
        int status, number = sigwaitinfo(awaited, NULL);
        if (number == SIGCHLD && waitpid(guard_pid, &status, WNOHANG) == guard_pid)
            leave(status, *finished, last, arg);
        if (number <= 0 || number == SIGCHLD)
            continue;
        if (++sent == ENOUGH)
            leave_now(number, last, arg);
        const char byte = (char)number;
        (void)!write(line, &byte, 1);
    }
}

/* ---- all of it ---- */

/* Of what is passed on, those that this program was not told to ignore, as nohup does; and SIGCHLD. */
static void choose_signals(sigset_t *awaited)
{
    sigemptyset(awaited);
    for (int i = 0; i < PASSED_ON; i++) {
        struct sigaction now;
        if (sigaction(passed_on[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(awaited, passed_on[i]);
    }
    sigaddset(awaited, SIGCHLD);
    signal(SIGCHLD, SIG_DFL); /* who has started us may ignore it, which we would inherit: nobody could be waited for */
}

/* I2 */
static void become_runner(const sigset_t *before)
{
    for (int i = 0; i < PASSED_ON; i++)
        signal(passed_on[i], SIG_IGN);
    sigprocmask(SIG_SETMASK, before, NULL);
}

int map_guard_enter(struct map_guard *made, map_guard_last *last, void *arg)
{
    int line[2];
    sigset_t awaited, all, before;
    atomic_bool *finished = mmap(NULL, sizeof *finished, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (finished == MAP_FAILED)
        return -errno;
    if (pipe2(line, O_CLOEXEC | O_NONBLOCK) < 0) {
        int error = -errno;
        munmap(finished, sizeof *finished);
        return error;
    }
    choose_signals(&awaited);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t self = getpid(), pid = fork();
    if (pid > 0) {
        close(line[0]);
        sigset_t others = before;
        for (int i = 0; i < PASSED_ON; i++)
            sigaddset(&others, passed_on[i]);
        sigaddset(&others, SIGCHLD);
        sigprocmask(SIG_SETMASK, &others, NULL);
        front(pid, line[1], finished, &awaited, last, arg);
    }
    int error = pid < 0 ? -errno : 0;
    if (pid == 0) {
        close(line[1]);
        divide(self, finished, last, arg);
        made->front = self;
        made->line = line[0];
        made->finished = finished;
        become_runner(&before);
        return 0;
    }
    close(line[0]);
    close(line[1]);
    munmap(finished, sizeof *finished);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return error;
}

void map_guard_finish(const struct map_guard *guard)
{
    if (guard->finished)
        *guard->finished = true;
}
