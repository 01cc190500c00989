/*
 * salp/transport.h - connections with callbacks: transports, and the protocols that they call.
 *
 *     static void received(salp_transport *transport, const void *data, size_t size, void *arg)
 *     {
 *         salp_transport_write(transport, data, size);          // an echo
 *     }
 *
 *     static const salp_protocol echo = { .received = received };
 *
 *     static const salp_protocol *new_echo(void *arg, void **own)
 *     {
 *         return &echo;
 *     }
 *     ...
 *     salp_tcp_listen(&listener, NULL, 7000, NULL);
 *     salp_transport_serve(&server, listener, new_echo, NULL, NULL);
 *
 * For those who have a loop of callbacks, alone or within a foreign one (salp/loop.h).
 * Straight-line code is for tasks, with streams (salp/stream.h); either can be made of
 * the other. No task and no stack belongs to a transport.
 *
 * A transport belongs to the loop of the thread that has opened it, and all calls
 * below are for that thread: its callbacks and its tasks. It is gone when `lost` has
 * returned; there is nothing to be freed. Calls do not wait, but for salp_stream_of_transport.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_TRANSPORT_H
#define SALP_TRANSPORT_H

#include <stddef.h>

#include <salp/address.h>
#include <salp/base.h>
#include <salp/error.h>
#include <salp/stream.h>

SALP_BEGIN

typedef struct salp_transport salp_transport;

/*
 * What a transport calls, on the loop's own stack; each but `received` may be NULL. A
 * callback must not wait (SALP_EINSIDE). It may write, close, abort and all else, also
 * to its own transport. Has to stay as long as a transport has it.
 *
 *     connected, (received | pause_writing, resume_writing)*, ended?, ..., lost
 */
typedef struct salp_protocol {
    /* Before all others; never if there was no connection, or it was closed before. */
    void (*connected)(salp_transport *transport, void *arg);

    /* Bytes, at least one, as they come: what was written at once may come in parts. `data` until it returns. */
    void (*received)(salp_transport *transport, const void *data, size_t size, void *arg);

    /* The other side writes no more; writing to it goes on. NULL: closes, as salp_transport_close. */
    void (*ended)(salp_transport *transport, void *arg);

    /* More than .high bytes are buffered: time to stop writing. Called within salp_transport_write. */
    void (*pause_writing)(salp_transport *transport, void *arg);

    /* No more than .low are. */
    void (*resume_writing)(salp_transport *transport, void *arg);

    /*
     * The last call, once for each transport, never within a call to it. `error`: 0: it was closed, or has become a
     * stream; -ECANCELED: it was aborted, or the loop is being closed; else what has befallen the connection, or why
     * there was none (salp_tcp_connect).
     */
    void (*lost)(salp_transport *transport, int error, void *arg);
} salp_protocol;

typedef struct salp_transport_options {
    size_t high;                       /* bytes: above these writing is to pause, 0: 65,536 */
    size_t low;                        /* down to these it goes on, 0: a quarter of .high */
    size_t limit;                      /* more are never buffered, 0: 16 MiB, or .high if that is more */
    const salp_stream_options *stream; /* connecting: has to stay until it is connected or lost, with its .tls */
} salp_transport_options;

/* ---- opening ---- */

/*
 * Connects, as salp_stream_connect, salp_tcp_connect and salp_unix_connect: `connected`
 * follows, or `lost` with their errors. What is written before is sent then. It has no
 * time limit but the system's: set a timer, and abort it. The protocol is called with
 * `arg`. Texts and addresses are copied. Connecting is done by a task of the loop,
 * which is gone afterwards; salp_run waits for it.
 *
 * Errors, after which *transport is NULL and nothing is called: -EINVAL: a NULL argument, a protocol
 * without `received`, .low above .high, or .high above .limit; -EPERM: this thread has no loop;
 * -ENAMETOOLONG; -ECANCELED: the loop is being closed; -ENOMEM.
 */
SALP_API int salp_transport_connect(salp_transport **transport, const salp_address *address,
                                    const salp_protocol *protocol, void *arg, const salp_transport_options *options);
SALP_API int salp_transport_connect_tcp(salp_transport **transport, const char *host, int port,
                                        const salp_protocol *protocol, void *arg,
                                        const salp_transport_options *options);
SALP_API int salp_transport_connect_unix(salp_transport **transport, const char *path, const salp_protocol *protocol,
                                         void *arg, const salp_transport_options *options);

/*
 * Makes a transport of a stream, which it owns from then on. Bytes that the stream has
 * read and nobody has asked for come first. `connected` is called soon. Pipes and
 * terminals are streams, too: one that is only written has no `received`.
 *
 * Errors, after which the stream is the caller's as before: the same; -EBUSY: a task is
 * waiting in a call with it, its descriptor is watched in this loop, or salp_serve will
 * close it when its handler returns; -ENOTSUP: it is always ready, as /dev/null is,
 * and the loop's poller is epoll; SALP_EFORKED: it belongs to another process.
 */
SALP_API int salp_transport_of_stream(salp_transport **transport, salp_stream *stream, const salp_protocol *protocol,
                                      void *arg, const salp_transport_options *options);

/*
 * Makes a stream of a transport, for a task. `unread` are the last bytes that were
 * received and are the stream's business, NULL and 0: none; they are read first. `lost` with 0
 * follows.
 *
 * Waits if bytes are buffered, until the system has taken them. Errors, after which
 * *stream is NULL and the transport goes on: -EINVAL; -EPERM: another thread's; -ENOTCONN: it is not connected yet;
 * -EPIPE: it was closed, aborted, lost, or its writing was ended; -EBUSY: another task is in this call; SALP_EINSIDE: a
 * callback would have to wait; -ENOMEM; -ETIMEDOUT, -ECANCELED: by the scope. After an error of the connection `lost` follows.
 */
SALP_API int salp_stream_of_transport(salp_stream **stream, salp_transport *transport, const void *unread, size_t size);

/* ---- writing ---- */

/*
 * Writes all of `size` bytes: what the system does not take at once is copied and
 * sent later, in this order. So who goes on writing when he was told to pause fills the
 * memory, up to .limit.
 *
 * Returns 0. Errors, after which nothing of it is sent: -EINVAL; -EPERM: another thread's;
 * -EPIPE: it was closed, aborted or lost, or its writing was ended; -ENOBUFS: more than
 * .limit would be buffered. Errors after which `lost` follows: -ENOMEM; those of salp_write.
 */
SALP_API int salp_transport_write(salp_transport *transport, const void *data, size_t size);

/* Bytes that are buffered; 0 if transport is NULL. */
SALP_API size_t salp_transport_buffered(const salp_transport *transport);

/*
 * Ends the writing: the other side reads what was written, and then the end. Receiving
 * goes on. Errors: -EINVAL; -EPERM; -EPIPE: it was closed or lost.
 */
SALP_API int salp_transport_shutdown(salp_transport *transport);

/* ---- reading ---- */

/*
 * Has it receive nothing until salp_transport_resume_reading, so that the other side
 * has to wait, too. What has been read already stays. The end and a reset of the connection are not
 * noticed meanwhile, save by writing. It may be called before `connected`.
 * Errors: -EINVAL; -EPERM; -EPIPE: it was closed or lost.
 */
SALP_API int salp_transport_pause_reading(salp_transport *transport);
SALP_API int salp_transport_resume_reading(salp_transport *transport);

/* ---- ending ---- */

/*
 * Delivers what is buffered, and then closes. From now on nothing is called but `lost`.
 * NULL and another thread's are left alone. As long as the other side does not read, it stays: abort it
 * after a while. Bytes that were not received have TCP reset the connection, so that the
 * other side may lose what was sent; who cannot rule that out calls
 * salp_transport_shutdown and waits for `ended` first.
 */
SALP_API void salp_transport_close(salp_transport *transport);

/* Closes at once; what is buffered is dropped. */
SALP_API void salp_transport_abort(salp_transport *transport);

/* ---- about it ---- */

/* Has it call another protocol, with another `arg`, from the next call on. -EINVAL, -EPERM, -EPIPE. */
SALP_API int salp_transport_set_protocol(salp_transport *transport, const salp_protocol *protocol, void *arg);

/* The addresses of both ends, and the descriptor, as of its stream. -EINVAL; -ENOTCONN: it has none now. */
SALP_API int salp_transport_local(const salp_transport *transport, salp_address *address);
SALP_API int salp_transport_peer(const salp_transport *transport, salp_address *address);
SALP_API int salp_transport_fd(const salp_transport *transport);

/* ---- servers ---- */

typedef struct salp_transport_server salp_transport_server;

/* Tells the protocol of a new connection, and what it is called with: *own is `arg` at first. NULL: it is closed. */
typedef const salp_protocol *salp_protocol_factory(void *arg, void **own);

/*
 * Accepts connections, and makes each a transport of this loop; at most .connections of
 * the listener's options at once: others wait. Several loops may serve one listener.
 *
 * It goes on until it is closed, or the listener is shut down; the transports go on for
 * themselves. The listener has to stay until the server is closed. What accepting fails
 * with is told to .on_error(error, arg) of the listener's options. When descriptors or memory run out it
 * waits until a transport is lost, or 100 ms, and goes on.
 *
 * Errors, after which *server is NULL: -EINVAL; -EPERM; -EPIPE: the listener was shut
 * down; -EBUSY: its descriptor is watched in this loop, or a task accepts in it;
 * SALP_EFORKED; -ECANCELED: the loop is being closed; -ENOMEM, -ENOSPC, -EMFILE.
 */
SALP_API int salp_transport_serve(salp_transport_server **server, salp_listener *listener,
                                  salp_protocol_factory *factory, void *arg, const salp_transport_options *options);

/* Accepts no more. NULL is accepted. Also to be called for one whose loop was closed, by any thread. */
SALP_API void salp_transport_server_close(salp_transport_server *server);

SALP_END

#endif
