/*
 * salp/loop.h - the loop below the tasks: callbacks, timers, descriptors, signals.
 *
 * For those who build on it, or have callbacks already. A loop belongs to one
 * thread. salp_run (salp/task.h) opens one, runs tasks on it and closes it; or a
 * thread opens one itself and turns it, alone or from within a foreign loop:
 *
 *     salp_loop_open(&loop, NULL);
 *     g_unix_fd_add(salp_loop_fd(loop), G_IO_IN, turn_salp, loop);     // calls salp_loop_turn(loop, 0)
 *     salp_loop_go(loop, serve, arg, NULL);
 *     ...                                                              // removes the source, and then
 *     salp_loop_close(loop);
 *
 * Callbacks run one after the other on the loop's thread, on its own stack. They
 * should be short, and must not wait: a call that would have to, ends with
 * SALP_EINSIDE. What has to wait is a task: salp_loop_go. The same holds for whatever
 * else this thread does between two turns, such as the callbacks of a foreign loop.
 *
 * Connections with callbacks, which come along with this header, are in salp/transport.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_LOOP_H
#define SALP_LOOP_H

#include <stdint.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/future.h>
#include <salp/time.h>
#include <salp/transport.h>

SALP_BEGIN

typedef struct salp_loop salp_loop;

/* The loop of the calling thread, also within its tasks and callbacks; NULL: it has none. Threads: any. Waits: no. */
SALP_API salp_loop *salp_loop_current(void);

/* ---- callbacks ---- */

typedef void salp_call_fn(void *arg);

/*
 * Has the loop call function(arg) soon, in the order of the calls. From another
 * thread this wakes the loop if it sleeps.
 *
 * Threads: any, as long as the loop is open; in a handler of a signal: no. Waits: no.
 * Errors: -EINVAL: loop or function is NULL; -ENOMEM.
 */
SALP_API int salp_loop_call(salp_loop *loop, salp_call_fn *function, void *arg);

/* The same at a time by salp_now(). What the loop has not called when it is closed, is never called. */
SALP_API int salp_loop_call_at(salp_loop *loop, int64_t when, salp_call_fn *function, void *arg);

/*
 * A call at a time that can be taken back. Lives with the caller, all zeros at
 * first, and must stay until it has been called or cancelled.
 */
typedef struct salp_timer {
    void *salp__private[10];
} salp_timer;

/*
 * Sets it, again if it is set. Allocates nothing. Threads: the loop's. Waits: no.
 * Errors: -EINVAL: something is NULL; -EPERM: another thread's loop.
 */
SALP_API int salp_timer_set(salp_loop *loop, salp_timer *timer, int64_t when, salp_call_fn *function, void *arg);

/* Takes it back; nothing if it is not set. Errors as above. */
SALP_API int salp_timer_cancel(salp_loop *loop, salp_timer *timer);

/* ---- descriptors ---- */

enum {
    SALP_READABLE = 1, /* or at its end */
    SALP_WRITABLE = 2,
    SALP_HANGUP = 4, /* the other end is gone, or an error; told whether asked for or not */
};

typedef void salp_watch_fn(int fd, unsigned events, void *arg);

/*
 * Has the loop call function(fd, events, arg) whenever one of the events is there,
 * again and again as long as it is. It may be gone when the function is called, so
 * the descriptor should not block. Another call for the same descriptor replaces
 * the first; events 0 ends it, which has to be done before the descriptor is closed.
 *
 * Threads: the loop's. Waits: no.
 * Errors: -EINVAL: loop or function is NULL, or other events; -EPERM: another
 * thread's loop, or a descriptor that is always ready (a file); -EBADF it is not
 * open; -ENOTSUP: SALP_POLLER asks for a poller that is not to be had; -ENOMEM; -EMFILE, -ENFILE: no descriptor left for the loop's own;
 * -ENOSPC: the system's limit on watched descriptors (fs.epoll.max_user_watches);
 * -ENOENT: events is 0 and it is not watched; -EEXIST: a stream (salp/stream.h) of this loop has it, with epoll: watch a
 * copy of it (dup(2)).
 */
SALP_API int salp_loop_watch(salp_loop *loop, int fd, unsigned events, salp_watch_fn *function, void *arg);

/* ---- signals ---- */

typedef void salp_signal_fn(int number, void *arg);

/*
 * Has the loop call function(number, arg) after signals of this number have come:
 * once at least after the last one. NULL ends it and restores what was done before.
 *
 * Tasks and threads wait for signals by salp/signal.h. One loop, or one of those, has
 * a signal at a time, and some thread must not block it. Forks of the program do not
 * have it. Threads: the loop's. Waits: no.
 * Errors: -EINVAL: loop is NULL, or a signal that cannot be caught; -EPERM:
 * another thread's loop; -EBUSY: somebody else has it; -ENOENT: function is NULL
 * and this loop does not have it.
 */
SALP_API int salp_loop_signal(salp_loop *loop, int number, salp_signal_fn *function, void *arg);

/* ---- tasks ---- */

/*
 * Starts a task that calls function(arg), in no group: the loop waits for it when
 * it is closed, and salp_run does. Its result resolves *future, if that is
 * not NULL; free it.
 *
 * Threads: any, as long as the loop is open. Waits: no.
 * Errors: -EINVAL; -ENOMEM: told here, or, when there is no memory for a stack, by the future.
 */
SALP_API int salp_loop_go(salp_loop *loop, salp_fn *function, void *arg, salp_future **future);

/* ---- a loop of one's own ---- */

/* How a loop learns what is ready. */
typedef enum salp_poller {
    SALP_POLLER_BEST, /* io_uring where the system offers it, else epoll; or what the environment variable SALP_POLLER
                         says: "epoll" or "io_uring" */
    SALP_POLLER_EPOLL,
    SALP_POLLER_IO_URING,
} salp_poller;

typedef struct salp_loop_options {
    salp_poller poller;
} salp_loop_options;

/*
 * Opens the loop of the calling thread, which turns it and closes it.
 * Errors: -EINVAL: loop is NULL; -EBUSY: this thread has one; -ENOMEM; -EMFILE,
 * -ENFILE; -ENOTSUP: the poller that was asked for is not to be had.
 */
SALP_API int salp_loop_open(salp_loop **loop, const salp_loop_options *options);

/*
 * Runs what is ready. When nothing is, waits for it, at most `timeout` nanoseconds
 * (0: not at all, SALP_FOREVER), and runs that. Returns 1 if there is more to run at
 * once, 0 if not; so `while (salp_loop_turn(loop, 0) > 0)` runs all there is.
 * Threads: the loop's, not from its tasks and callbacks (-EBUSY). Errors: -EINVAL, -EPERM, -EBUSY.
 */
SALP_API int salp_loop_turn(salp_loop *loop, int64_t timeout);

/*
 * A descriptor that is readable when salp_loop_turn would find something to do:
 * for a foreign loop, which must not read from it. It belongs to the loop.
 * Threads: the loop's. Errors: -EINVAL, -EPERM; -EMFILE, -ENFILE, -ENOMEM; -ENOSPC:
 * the system's limit on watched descriptors.
 */
SALP_API int salp_loop_fd(salp_loop *loop);

/*
 * Cancels the tasks of salp_loop_go, waits for them, and frees the loop. Accepts
 * NULL. Threads: the loop's, not from its tasks and callbacks.
 */
SALP_API void salp_loop_close(salp_loop *loop);

SALP_END

#endif
