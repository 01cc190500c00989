/*
 * Processes: making, watching and ending them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PROCESS_H
#define SALP__PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

pid_t salp__process_self(void);

/* fork. Returns the child's pid, 0 in the child, -EAGAIN or -ENOMEM. */
pid_t salp__process_fork(void);

/* How often a process has been forked on the way from the program's first one to this one, since it was asked first. */
unsigned salp__forks(void);
/* The same, once it was asked. */
extern unsigned salp__forks_counted;

/*
 * A process as a number that no other one has had or will have: `pid` in the lower half, of which the two upmost bits are 0,
 * and in the upper half when it began. Never 0. Errors: -ENOENT it is gone, or /proc is not there; -EMFILE.
 */
int salp__process_mark(pid_t pid, uint64_t *mark);
static inline pid_t salp__process_of_mark(uint64_t mark)
{
    return (pid_t)(mark & 0x3fffffff);
}

/* Whether it has ended, also if nobody has reaped it yet. false if that cannot be found out. */
bool salp__process_is_gone(uint64_t mark);

/* In which namespace of processes this one is: where numbers of processes are the same. Errors: -ENOENT, -EMFILE. */
int salp__process_namespace(uint64_t *number);

/*
 * Executes this program anew, with one more environment variable ("NAME=value") and the descriptors of keep[] open
 * under their numbers. The parent's memory is not copied. Returns the pid or a negative error.
 */
pid_t salp__process_spawn_self(const char *variable, const int keep[], int count);

/* Ends this process without running what the program registered for exit. */
_Noreturn void salp__process_leave(int status);

/* A descriptor that can be read once the process has ended. */
int salp__process_watch(pid_t pid);

/* Sends a signal; a process that is gone is no error. */
void salp__process_signal(pid_t pid, int number);
void salp__process_signal_group(pid_t group, int number);

/* The same for a process that is watched: by its descriptor, so that nobody else can be meant. */
void salp__process_signal_watched(int watch, int number);
int salp__process_send_watched(int watch, int number); /* -ESRCH, -EINVAL, -EPERM */

/* Stops the process and waits, at most so long, until it stands still. false: it did not (it sits in the kernel), or
   it is gone. */
bool salp__process_freeze(pid_t pid, int64_t nanoseconds);

/* This process gets SIGKILL when its parent ends. false: the parent has ended already. */
bool salp__process_end_with(pid_t parent);

/* Orphaned descendants become children of this process, not of init. */
void salp__process_adopt_orphans(void);

/* Puts a process (0: this one) into a group of its own: a Ctrl-C at the terminal is not for it. */
void salp__process_own_group(pid_t pid);

/* The group of this process; and enters that of another one of the same session, if it is still there. */
pid_t salp__process_group(void);
void salp__process_join_group(pid_t group);

pid_t salp__process_parent(void);

/* What ps and top call this process: the first 15 bytes of it. */
void salp__process_rename(const char *name);

typedef struct salp__ending {
    pid_t pid;
    int signal;      /* that ended it, or 0 */
    int exit_status; /* or -1 */
} salp__ending;

/* A child that has ended, left as a zombie: its pid and group cannot be reused yet. 1, 0: none has, -ECHILD: there are
   no children. */
int salp__process_ended(salp__ending *ending);

/* Takes the zombie away; waits for the end when it has not ended. A child that somebody else reaped is no error. */
void salp__process_reap(pid_t pid);
/* The same for a child that is watched, whoever has its number now. */
void salp__process_reap_watched(int watch);

/* How a child has ended, and what it has used. */
typedef struct salp__account {
    int signal;      /* that ended it, or 0 */
    int exit_status; /* or -1 */
    int64_t user;    /* nanoseconds of processor time; 0 for both if somebody else has reaped it */
    int64_t system;
    int64_t peak_memory; /* bytes; not less than this process had when it executed the child: Linux counts that in */
} salp__account;

/* Reaps a child that is watched, if it has ended. 1: it was; 0: it has not ended; -ECHILD: somebody else has reaped it, and
   how it ended cannot be found out (since Linux 6.15 it can). */
int salp__process_take(int watch, salp__account *account);

/* Sleeps until a child that is watched has ended, or somebody else has reaped it. */
void salp__process_await(int watch);

/* Whether a process that is watched has ended. */
bool salp__process_has_ended(int watch);

/* Sends a signal to the group that a process leads, which is watched; not if nobody is left in it. Before Linux 6.9 only as
   long as the leader has not been reaped. */
void salp__process_signal_led(int watch, pid_t leader, int number);

/* The children of this process. Returns how many were written to pids[]; at most max. */
int salp__process_children(pid_t pids[], int max);

/* Whether a byte of another process's memory can be read: 1, 0, or a negative error when we may not ask. */
int salp__process_readable(pid_t pid, const void *address);

/* Bytes of memory that belong to the process alone (resident, not backed by a file), or a negative error. */
int64_t salp__process_own_memory(pid_t pid);

/* How many processes the kernel has ended for lack of memory; 0 where it does not say. */
uint64_t salp__process_memory_kills(void);

/* Blocks every signal in this thread. */
void salp__signals_block(sigset_t *before);
void salp__signals_restore(const sigset_t *before);
void salp__signals_blocked(sigset_t *blocked); /* which ones this thread has blocked */
/* SIGCHLD as the system delivers it by default, so that children can be waited for. */
void salp__signals_own_children(struct sigaction *before);
void salp__signals_return_children(const struct sigaction *before);
/* A descriptor that can be read when a child has ended; SIGCHLD must be blocked. */
int salp__signals_watch_children(void);
void salp__signals_drain(int fd);

#endif
