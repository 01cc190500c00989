/*
 * salp/pipe.h - messages between processes, in both directions.
 *
 *     salp_pipe *ours, *theirs;
 *     salp_buffer message = { 0 };
 *     salp_pipe_open(&ours, &theirs);
 *     if (fork() == 0) {
 *         salp_pipe_close(ours);
 *         salp_pipe_send(theirs, "hello", 5);
 *         _exit(0);
 *     }
 *     salp_pipe_close(theirs);
 *     while (salp_pipe_receive(ours, &message) > 0)
 *         fwrite(message.data, 1, message.size, stdout);
 *
 * A message has any length, also 0 bytes. It arrives whole or not at all, in the order in
 * which it was sent, and once: at one of those who receive. Whoever is killed, or ended by
 * a scope, in the midst of sending has sent nothing; whoever is killed in the midst of
 * receiving takes that one message with him.
 *
 * A pipe has two ends. Each has as many holders as have a handle of it or a copy of its
 * descriptor, in any number of processes. When the last holder of one end is gone, the
 * other end gets what was sent before, and then the end. So a process closes the end that
 * it does not use: one that it forgets keeps the other side waiting.
 *
 * Who sends too fast waits: an end has room for some hundred short messages, or a few long
 * ones, that were not received.
 *
 * A call that has to wait suspends the task, or lets the thread sleep; its scope ends it,
 * with -ETIMEDOUT or -ECANCELED. In a callback of a loop it ends with SALP_EINSIDE.
 *
 * Threads: any number of tasks, threads and processes may send and receive at one end at the
 * same time. A handle that a fork has inherited works in the child as it is, but for one that
 * another thread was opening or closing at that moment. It may be closed when nobody in this
 * process is in a call with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_PIPE_H
#define SALP_PIPE_H

#include <stddef.h>

#include <salp/base.h>
#include <salp/buffer.h>
#include <salp/error.h>

SALP_BEGIN

typedef struct salp_pipe salp_pipe; /* one end */

enum { SALP_PIPE_FDS_MAX = 252 }; /* descriptors that go with one message */

/*
 * Opens a pipe: two ends, each to be closed by salp_pipe_close. Waits: no.
 * Errors, after which both are NULL: -EINVAL: a NULL argument; -EMFILE, -ENFILE; -ENOMEM.
 */
SALP_API int salp_pipe_open(salp_pipe **a, salp_pipe **b);

/*
 * Sends a message of `size` bytes; `data` may be NULL when that is 0. Waits while there is no
 * room for it. Returns 0: it is on its way, and `data` is not needed any more. Whether it was
 * received only an answer can tell.
 *
 * Errors, after which nothing was sent: -EINVAL; -EPIPE: the other end has no holder any more
 * (no SIGPIPE is raised); -ETIMEDOUT, -ECANCELED: by the scope; SALP_EINSIDE; -ENOMEM, -ENOBUFS.
 * Of long messages, which need memory of their own until they are received: -EMFILE, -ENFILE;
 * -ENOSPC: there is no memory; -EFBIG: it is longer than files may be in this process
 * (RLIMIT_FSIZE); and -ETOOMANYREFS, as below.
 */
SALP_API int salp_pipe_send(salp_pipe *pipe, const void *data, size_t size);

/*
 * The same with descriptors, at most SALP_PIPE_FDS_MAX: who receives the message gets copies
 * of them. They stay the caller's.
 * Errors: the same; -EINVAL also for too many; -EBADF: one is not open; -ETOOMANYREFS: more of
 * this user's descriptors are on their way than a process may have open.
 */
SALP_API int salp_pipe_send_fds(salp_pipe *pipe, const void *data, size_t size, const int fds[], int count);

/*
 * Receives the next message. Waits until there is one. Returns 1: the buffer holds it, and
 * nothing else: what it held before is gone, and its memory was used again. 0: the end: the
 * other end has no holder any more, and all that was sent is received. Descriptors that came
 * along are closed.
 *
 * The buffer has to be empty (all zeros) or one that was used before; it is the caller's, and
 * freed with salp_buffer_free. It has room for 64 KiB at least afterwards: who keeps many
 * short messages copies them. After 0 and after an error it is empty.
 *
 * Errors: -EINVAL; -ETIMEDOUT, -ECANCELED: by the scope, and nothing is lost; SALP_EINSIDE; and
 * these, with which a message is lost: -EMFILE: the process had no descriptor left for one that
 * came along, or for a long message, which needs one while it is received; -EPROTO: what came
 * is no message of a pipe. -ENOMEM: a long message is lost, a short one is not.
 */
SALP_API int salp_pipe_receive(salp_pipe *pipe, salp_buffer *buffer);

/*
 * The same with the descriptors that came along: *count of them, at most `max`; what there is no
 * room for is closed. They are close-on-exec, and the caller's. *count is 0 unless this returns 1.
 */
SALP_API int salp_pipe_receive_fds(salp_pipe *pipe, salp_buffer *buffer, int fds[], int max, int *count);

/*
 * The descriptor of this end; it stays the pipe's. To hand the end to another process: one
 * that is started with it (salp_command_options.keep), or one that it is sent to
 * (salp_pipe_send_fds, salp_send_fds), which makes a handle of it by salp_pipe_attach.
 * It may be waited for with other means: it can be read when there is a message, or the end.
 * Errors: -EINVAL: pipe is NULL. Waits: no.
 */
SALP_API int salp_pipe_fd(const salp_pipe *pipe);

/*
 * Makes a handle of a descriptor, which stays the caller's: one more holder of that end.
 * Waits: no. Errors, after which *pipe is NULL: -EINVAL: pipe is NULL, or the descriptor is no end of a
 * pipe; -EBADF: it is not open; -EMFILE; -ENOMEM.
 */
SALP_API int salp_pipe_attach(salp_pipe **pipe, int fd);

/* Closes this handle, not what other processes hold; NULL is accepted. What was sent stays to be received. Waits: no. */
SALP_API void salp_pipe_close(salp_pipe *pipe);

SALP_END

#endif
