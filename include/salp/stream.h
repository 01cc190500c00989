/*
 * salp/stream.h - streams of bytes: TCP, Unix sockets, pipes, terminals, and servers of them.
 *
 *     static int echo(salp_stream *stream, void *arg)
 *     {
 *         char line[1000];
 *         int64_t size;
 *         while ((size = salp_read_until(stream, line, sizeof line, "\n")) > 0)
 *             if (salp_write(stream, line, (size_t)size) < 0)
 *                 break;
 *         return 0;
 *     }
 *     ...
 *     salp_tcp_listen(&listener, NULL, 7000, NULL);
 *     salp_serve(listener, echo, NULL);
 *
 * A call that has to wait suspends the task, or lets the thread sleep; its scope ends
 * it, with -ETIMEDOUT or -ECANCELED. In a callback of a loop it ends with SALP_EINSIDE.
 * Nothing is written behind the caller's back: a write returns when the system has
 * taken all of it, so that who writes too fast waits.
 *
 * Threads: one task or thread may read a stream while another one writes it; two that
 * read, or two that write, take turns by themselves (with a mutex) or get -EBUSY. It
 * may be handed from one to another, also between loops. It may be closed when nobody
 * is in a call with it; salp_shutdown ends the calls of others. A stream belongs to
 * the process that has opened it: of one that a fork has inherited, only salp_stream_close
 * may be called, which leaves the parent's alone; other calls would end with SALP_EFORKED
 * when they have to wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_STREAM_H
#define SALP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/address.h>
#include <salp/base.h>
#include <salp/buffer.h>
#include <salp/error.h>
#include <salp/time.h>

SALP_BEGIN

typedef struct salp_stream salp_stream;

struct salp_tls; /* salp/tls.h */

/* ---- opening ---- */

typedef struct salp_stream_options {
    const struct salp_tls *tls; /* encrypted, NULL: not. Has to stay as long as the call that opens it, no longer */
    const salp_address *local;  /* connecting: the address to connect from, NULL: the system chooses */
    bool delay;                 /* TCP: small writes may be held back to be sent together (Nagle's algorithm) */
    bool keep_alive;            /* TCP: ask the other side from time to time whether it is still there */
    int send_buffer;            /* bytes that the system holds, 0: as it chooses */
    int receive_buffer;
} salp_stream_options;

/*
 * Connects to a TCP server. `host` is a name or an address; of several addresses,
 * IPv6 and IPv4 in turn, the next one is tried when one has failed, or has not
 * answered for 250 ms, and the first that answers is taken (RFC 8305).
 *
 * Waits: yes; it should be called in a scope with a deadline, since a silent network
 * may take minutes to fail. After an error *stream is NULL.
 * Errors: -EINVAL: a NULL argument, a port that is none; SALP_ENONAME and the others of
 * salp_resolve (salp/name.h); -ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH, -ETIMEDOUT
 * and what else the system says of the last address; -EMFILE, -ENOMEM; with .tls, the
 * errors of salp/tls.h.
 */
SALP_API int salp_tcp_connect(salp_stream **stream, const char *host, int port, const salp_stream_options *options);

/* To a Unix socket: a path, or "@" and an abstract name. Errors: the same; -ENOENT: there is none. */
SALP_API int salp_unix_connect(salp_stream **stream, const char *path, const salp_stream_options *options);

/* To an address of any kind. */
SALP_API int salp_stream_connect(salp_stream **stream, const salp_address *address, const salp_stream_options *options);

/*
 * Makes a stream of a descriptor: a stream socket, a pipe, a terminal or a device. It
 * belongs to the stream from then on, keeps its number, and is closed with it; after an
 * error it is the caller's as before. What others share with it, such as the standard
 * input of a shell, stays as it is, save for
 * the options that are given: no flag that they would notice is set.
 *
 * Errors: -EINVAL: stream is NULL; -EBADF: fd is not open; -EPERM: a file or a folder
 * (salp/file.h); -ENOTSUP: a socket that is no stream socket; -ENOMEM.
 */
SALP_API int salp_stream_from_fd(salp_stream **stream, int fd, const salp_stream_options *options);

/* Two streams that are connected with each other (Unix sockets). Errors: -EINVAL; -EMFILE, -ENFILE; -ENOMEM. */
SALP_API int salp_stream_pair(salp_stream **a, salp_stream **b);

/*
 * Closes it at once; NULL is accepted. What was written is still delivered by the
 * system, unless there are bytes that were not read: then TCP resets the connection.
 * To know that the other side has got all: salp_shutdown, and read until the end.
 * Waits: no.
 */
SALP_API void salp_stream_close(salp_stream *stream);

/* ---- reading ---- */

/*
 * Reads what is there, at most `size` bytes, and waits only if there is nothing.
 * Returns how many bytes, 0: the other side has ended (or size is 0).
 *
 * Errors of this and the other calls that read: -EINVAL: a NULL argument; -EBUSY: another
 * one is reading; -ECONNRESET and the like: what the system says; SALP_EINSIDE; -ENOMEM;
 * -ETIMEDOUT, -ECANCELED: by the scope, and no byte is lost: the next call gets it.
 */
SALP_API int64_t salp_read(salp_stream *stream, void *data, size_t size);

/*
 * Reads `size` bytes, no fewer. Returns size; 0: the other side has ended before the
 * first. Errors: the same; SALP_EINCOMPLETE: it has ended in their midst. What was there
 * is then still to be had, by salp_read.
 */
SALP_API int64_t salp_read_exactly(salp_stream *stream, void *data, size_t size);

/*
 * Reads up to a delimiter, a text of at least one byte, and with it; behind that a zero
 * byte is added, so that `size` is the greatest length plus one. Returns the length
 * with the delimiter, without the zero; 0: the other side has ended before the first byte.
 *
 * Errors: the same; -EINVAL also for an empty delimiter, or one that size has no room for;
 * -EMSGSIZE: there is no delimiter within the first size - 1 bytes; SALP_EINCOMPLETE: the
 * other side has ended without one. What was there is then still to be had, by salp_read.
 */
SALP_API int64_t salp_read_until(salp_stream *stream, char *data, size_t size, const char *delimiter);

/* Reads a line, with its "\n", as salp_read_until; a last line may come without. */
SALP_API int64_t salp_read_line(salp_stream *stream, char *data, size_t size);

/* ---- writing ---- */

/*
 * Writes all of `size` bytes, and waits until the system has taken them. Returns size.
 *
 * Errors of this and the other calls that write: -EINVAL; -EBUSY: another one is writing;
 * -EPIPE, -ECONNRESET and the like: the other side is gone (no SIGPIPE is raised);
 * SALP_EINSIDE; -ETIMEDOUT, -ECANCELED: by the scope, when some bytes may have been
 * taken and the others are not: salp_stream_written tells how many.
 */
SALP_API int64_t salp_write(salp_stream *stream, const void *data, size_t size);

/* The same for several parts, one after the other. Returns the sum of their sizes. -EINVAL also for more than 1024 parts. */
SALP_API int64_t salp_writev(salp_stream *stream, const salp_bytes parts[], int count);

/*
 * Writes `size` bytes of a file from an offset on, without copying them where the system can do so.
 * Returns how many: fewer when the file ends before. Errors: the same; what the system says of the file.
 */
SALP_API int64_t salp_sendfile(salp_stream *stream, int file, int64_t offset, int64_t size);

/* Bytes that were taken since it was opened. Threads: who writes. Waits: no. */
SALP_API int64_t salp_stream_written(const salp_stream *stream);

/*
 * Ends the writing: the other side reads what was written, and then the end. Reading
 * goes on. Of a stream that is written only (a pipe) this closes the descriptor, and
 * nobody else may be writing; of a socket, who writes gets -EPIPE (of a Unix socket, who waits to write in another thread
 * gets it only when the other side reads or is gone). Waits: with TLS. Errors: -EINVAL; -ENOTCONN: it was never connected
 * or is gone; -ENOTSUP: a pipe that is read only, a terminal; with TLS those of writing.
 */
SALP_API int salp_shutdown(salp_stream *stream);

/* Ends the reading: who reads, or is waiting to, gets what is there and then the end. Sockets only; else -ENOTSOCK. */
SALP_API int salp_shutdown_reading(salp_stream *stream);

/* ---- descriptors over Unix sockets ---- */

/*
 * Sends bytes (at least one) and with the first of them descriptors, which the other side gets copies of; they
 * stay the caller's. At most 253. Returns size. Errors: those of writing; -ENOTSUP: no Unix socket; -EBADF.
 */
SALP_API int64_t salp_send_fds(salp_stream *stream, const void *data, size_t size, const int fds[], int count);

/*
 * Reads as salp_read, and takes the descriptors that came along: *count of them, at
 * most `max`; what there is no room for is closed. They are close-on-exec, and the caller's.
 *
 * Errors, after which *count is 0: those of reading; -ENOTSUP: no Unix socket; -EMFILE:
 * the process may have no more descriptors open, or the system refuses it one of these.
 * Those that came with the bytes are then gone, all of them: the system does not keep
 * what it cannot hand out. The bytes are not: the next call that reads gets them.
 */
SALP_API int64_t salp_receive_fds(salp_stream *stream, void *data, size_t size, int fds[], int max, int *count);

/* ---- about it ---- */

/* The addresses of both ends. Errors: -EINVAL; -ENOTSOCK: it is none; -ENOTCONN. Waits: no. */
SALP_API int salp_stream_local(const salp_stream *stream, salp_address *address);
SALP_API int salp_stream_peer(const salp_stream *stream, salp_address *address);

/* Its descriptor, for options of the system; it stays the stream's. -EINVAL. */
SALP_API int salp_stream_fd(const salp_stream *stream);

/* ---- listeners and servers ---- */

typedef struct salp_listener salp_listener;

typedef struct salp_listen_options {
    const struct salp_tls *tls; /* encrypted; has to stay as long as the call that opens it, no longer */
    salp_stream_options stream; /* of those that are accepted; its .tls and .local are of no meaning */
    int backlog;                /* connections that wait to be accepted, 0: as many as the system allows */
    bool share_port;            /* several listeners, one to a loop or a process, share a port (SO_REUSEPORT) */
    bool only_ipv6;             /* "::" is not for IPv4, too */
    unsigned mode;              /* Unix: rights of the path, 0: as the umask says */
    int connections;            /* salp_serve: at most so many at once, 0: 3/4 of the descriptors allowed */
    int64_t grace; /* salp_serve: time that connections have to end, when it is stopped, 0: SALP_SECONDS(10) */
    void (*on_error)(int error, void *arg); /* salp_serve: told of what it lives through, see there */
} salp_listen_options;

/*
 * Listens on a TCP port. `host`: an address or a name of this machine (of several
 * addresses the first IPv4 one is taken), NULL: all of its addresses. Port 0: the system
 * chooses, and salp_listener_port tells.
 *
 * Waits: for a name that has to be looked up. Errors, after which *listener is NULL:
 * -EINVAL; those of salp_resolve; -EADDRINUSE; -EACCES: a port below 1024; -EADDRNOTAVAIL;
 * -EMFILE, -ENOMEM; with .tls, those of salp/tls.h.
 */
SALP_API int salp_tcp_listen(salp_listener **listener, const char *host, int port, const salp_listen_options *options);

/*
 * On a Unix socket: a path, or "@" and an abstract name. A path that a program has left
 * behind which is no longer there is taken over; closing removes the path.
 * Errors: the same; -EADDRINUSE: somebody listens there, or it is something else than a socket.
 */
SALP_API int salp_unix_listen(salp_listener **listener, const char *path, const salp_listen_options *options);

/*
 * Takes over a socket that listens already, as service managers hand them out, and sets .stream on it, for all that is
 * accepted. It is set to O_NONBLOCK, too, and stays so when the listener is closed: copies of the descriptor, here and
 * in other processes, share that, and a plain accept on one of them ends with EAGAIN where it would have waited.
 *
 * Errors, after which the socket is as it was, save for options that were set: as salp_stream_from_fd; -ENOTSUP: it is
 * none that listens.
 */
SALP_API int salp_listener_from_fd(salp_listener **listener, int fd, const salp_listen_options *options);

/*
 * The next connection. Several tasks and threads may wait for them at once. With TLS
 * the handshake is made by the first call that reads or writes.
 *
 * Waits: yes. Errors, after which *stream is NULL: -EINVAL; -EPIPE: the listener was shut
 * down; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: nothing is lost, the connection goes on waiting;
 * -ETIMEDOUT, -ECANCELED; SALP_EINSIDE.
 */
SALP_API int salp_accept(salp_listener *listener, salp_stream **stream);

/* Serves a connection. The stream is closed when it returns, or before, with salp_stream_close. */
typedef int salp_handler(salp_stream *stream, void *arg);

/*
 * Accepts connections, and runs handler(stream, arg) in a task for each, at most
 * .connections at once: others wait. A plain thread runs a loop of its own for that.
 *
 * It goes on until salp_listener_shutdown: then it waits for the handlers, ends
 * those that are not done after .grace (their calls get -ECANCELED), and returns 0. A
 * scope that ends it ends the handlers at once.
 *
 * When descriptors or memory run out it waits until a connection has ended, or 100 ms,
 * and goes on; clients wait meanwhile. (One that was accepted already, and for whose task there
 * is no memory, is closed.) What a handler returns, if negative, and what
 * accepting fails with, is told to .on_error(error, arg), in this thread.
 *
 * Waits: yes. Errors: -EINVAL; -ENOMEM; SALP_EINSIDE; -ETIMEDOUT, -ECANCELED.
 */
SALP_API int salp_serve(salp_listener *listener, salp_handler *handler, void *arg);

/* No more connections: who waits for one gets -EPIPE, and servers stop. Threads: any; in a fork: nothing. Waits: no. */
SALP_API void salp_listener_shutdown(salp_listener *listener);

/* The address and the port, or -EINVAL; -EAFNOSUPPORT: it has no port. */
SALP_API int salp_listener_address(const salp_listener *listener, salp_address *address);
SALP_API int salp_listener_port(const salp_listener *listener);

SALP_API int salp_listener_fd(const salp_listener *listener);

/* Closes it; NULL is accepted. Nobody may be in a call with it. Waits: no. */
SALP_API void salp_listener_close(salp_listener *listener);

SALP_END

#endif
