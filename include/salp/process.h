/*
 * salp/process.h - a function in a process of its own.
 *
 *     static int work(void *arg) { ... return 0; }
 *     ...
 *     salp_process *process;
 *     int status;
 *     int error = salp_process_start(&process, work, &job, &(salp_process_options){ .argument_size = sizeof job });
 *     if (error == 0) {
 *         error = salp_process_wait(process, &status);       // 0 to 255, or -SIGSEGV and the like
 *         salp_process_close(process);
 *     }
 *
 * How the function's process ends
 *   When the function returns, what it has written with stdio is flushed, and the process ends; so it does when the function
 *   calls exit or pthread_exit, also in a task. What this program has registered with atexit is meant for this program, and
 *   is not called there. A function that returns 0 to 255 gives its process that exit status; more than 255 becomes
 *   255, and a negative error 1: so that nothing but 0 reads as success, as a shell or Python would have it. The result as it was is in
 *   salp_process_ending.
 *   A process that crashes tells which signal, at which address, and where (salp_process_backtrace).
 *
 * What the program should know
 *   Each process has a pidfd here; Salp has no handler for SIGCHLD. A program may have its own, ignore that signal, or reap
 *   all its children: how a process has ended is known all the same if its function has returned or a fault has ended it, or
 *   on Linux 6.15 and later; else the calls that should tell end with -ECHILD.
 *   A process lives on when this program ends, unless it is a daemon. It has this program's process group, so that
 *   Ctrl-C at the terminal is for both.
 *   Inside, it may open runs, pools and processes of its own. What was opened before a fork is this program's: calls with it
 *   end with SALP_EFORKED where that can be told; see docs/process.md.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_PROCESS_H
#define SALP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/time.h>

SALP_BEGIN

/* Where processes come from: those of this header, and the workers of a pool (salp/pool.h). */
typedef enum salp_start {
    SALP_FORK = 0, /* from this process, as it is then: memory, open files, working directory */
    SALP_SERVER,   /* from a clean copy of this program, started once and kept for all: safe and cheap in programs with
                      many threads or much memory */
    SALP_SPAWN,    /* from a clean copy of this program, started for this one */
} salp_start;
/*
 * For SALP_SERVER and SALP_SPAWN the program is executed anew and stopped before main: constructors have run, main has not;
 * of what is open only standard input, output and error stay, and what is handed on. A function is found again by its
 * module (the program or a shared library, checked by build ID) and its offset in it, whatever the layout of addresses is; a
 * library that the program loaded later is loaded there. If the module cannot be found or differs, that is SALP_EUNKNOWN.
 * Not available (-ENOTSUP) in statically linked programs, in programs with more rights than their user (setuid), and where
 * the library was loaded by dlopen.
 * The copy works in the folder and with the environment and limits that this program has when it is executed: those of
 * SALP_SERVER have them from the first time that any was started.
 * The environment variable SALP_HANDOVER carries the hand-over to the copy, which removes it.
 */

/* How many descriptors can be handed on. */
#define SALP_PROCESS_DESCRIPTORS_MAX 200

/* All zeros are the defaults. Nothing of it is needed after the call. */
typedef struct salp_process_options {
    salp_start start;

    /* What ps and top call it: the first 15 bytes. NULL: it is called as this program is. */
    const char *name;

    /* It ends with this program, however that ends: it is killed. Not when this program executes another one in its
       place. (It has a thread that looks for this.) */
    bool daemon;

    /* > 0: the function gets a copy of so many bytes, aligned as malloc does. 0: the pointer as it is; which only a fork can
       make use of, so that the others refuse one that is not NULL. */
    size_t argument_size;

    /* Descriptors that it has under the same numbers, close-on-exec but for 0 to 2; they stay open here. A fork has all in
       any case. SALP_SERVER: 0 to 2 are handed on as they are now, also if they are not listed. */
    const int *descriptors;
    int descriptor_count;

    /* For salp_process_close: from asking it to end to killing it, nanoseconds; 0: one second; negative: it is killed at
       once. */
    int64_t kill_after;
} salp_process_options;

typedef struct salp_process salp_process;

/*
 * Calls function(arg) in a new process, and returns while it runs: in a fork, before it has begun; else when it has been
 * found there. Signals that are blocked here are blocked there, those that Salp catches here do what they did before.
 *
 * The fork of a program with threads has the locks of those threads as they were at that moment: use what they may hold (malloc
 * is safe in glibc), or SALP_SERVER or SALP_SPAWN. In a fork the function runs on the stack of the thread that forks,
 * which may be deep in already; where a task calls, on its loop's.
 *
 * For want of memory or of a thread in the new process it ends as if the function had returned -ENOMEM or -EAGAIN.
 *
 * Owns: *process, until salp_process_close.
 * Threads: any, and tasks. Waits: but for a fork, until the function was found; in a task only that waits. The fork
 * itself, and executing a copy, hold up the loop. After an error there is no process, and the function was not called.
 * Errors: -EINVAL: process or function is NULL; an option is out of range; an argument without a size where that is no
 * fork; an argument_size without an argument; -EBADF: a descriptor is not open; SALP_EUNKNOWN: the function's module cannot be
 * found by a fresh copy, or differs there; -ENOTSUP: see above; -EAGAIN: the system allows no more processes, or
 * the copy ended before it was ready (it was killed, or a constructor of this program has ended it); -ENOMEM, -ENOSPC, -EMFILE,
 * -ENFILE; -EFBIG: the limit on file sizes is too small for the argument; -ENOSYS, -EPERM: the system does not allow pidfds; -ENOENT: it has no
 * /proc; -ETIMEDOUT, -ECANCELED: a scope is over; SALP_EINSIDE: not a fork, in a callback of a loop.
 */
SALP_API int salp_process_start(salp_process **process, salp_fn *function, void *arg,
                                const salp_process_options *options);

/* How a process has ended, with all that is known. */
typedef struct salp_process_ending {
    int exit_status; /* 0 to 255; -1: a signal has ended it, or that is not known */
    int signal;      /* that has ended it; 0: none */
    int result;      /* what the function has returned; if it has not: the exit status, or SALP_EKILLED */
    void *address;   /* that a fault was about, else NULL */
} salp_process_ending;

/*
 * Waits until it has ended, and tells how: *status is its exit status, 0 to 255, or -N if signal N has ended it (as
 * exitcode of Python's Process); `ending` says more. Both may be NULL, and *status stays as it was after an error. Again and
 * again, and by several at a time, for the same answer.
 *
 * Threads: any, and tasks, while it is open. Waits: yes. A scope ends the waiting, not the process. To wait for several, or for
 * something else besides: salp_select with a case of its descriptor (salp_process_fd).
 * Errors: -EINVAL; -ETIMEDOUT; -ECANCELED; SALP_EINSIDE: in a callback of a loop, and it has not ended; -ECHILD, see above:
 * ending->exit_status is -1 and ->signal is 0; -ENOMEM, -EMFILE: of waiting; SALP_EFORKED.
 */
SALP_API int salp_process_wait(salp_process *process, int *status);
SALP_API int salp_process_wait_ending(salp_process *process, salp_process_ending *ending);

/* Whether it has not ended. Threads: any, while it is open. Waits: no. NULL: false. */
SALP_API bool salp_process_alive(const salp_process *process);

/*
 * Where a fault has ended it: lines "#0 function at file:line (module)" as in salp_failure; "" if none has, if it has not
 * ended, or if nothing is known. The text stays until salp_process_close. Found out by the first who asks, which takes
 * milliseconds if there is debug information to be read. Threads: any, while it is open. Waits: no.
 */
SALP_API const char *salp_process_backtrace(salp_process *process);

/* Asks it to end (SIGTERM), or ends it (SIGKILL). Threads: any, while it is open. Waits: no. Returns 0, also if it has
   ended; -EPERM: it has become another user's; SALP_EFORKED; -EINVAL. */
SALP_API int salp_process_terminate(salp_process *process);
SALP_API int salp_process_kill(salp_process *process);

/* Its number; another process may have that after it has ended and was waited for. NULL: -EINVAL. */
SALP_API pid_t salp_process_pid(const salp_process *process);

/* A descriptor (a pidfd) that can be read when it has ended. It is the process's: not to be closed. NULL: -EINVAL. */
SALP_API int salp_process_fd(const salp_process *process);

/*
 * Ends it if it has not ended (asks it to; kills it after `kill_after`), and frees it. Bounded: scopes around it do not
 * end this, and one that the kernel does not let go within five seconds is left alone. What it has started itself lives on.
 * Accepts NULL. In a fork of this program it frees, and ends nothing. Threads: one, when nobody else uses it. Waits: yes.
 *
 * Returns 0; SALP_EINSIDE: called by a callback of a loop before it has ended: it was killed, and has still to be closed
 * by somebody who can wait, or when it has ended.
 */
SALP_API int salp_process_close(salp_process *process);

SALP_END

#endif
