/*
 * Streams that are encrypted.
 *
 *      salp_read, salp_write         wait: read.c, write.c
 *            |
 *      read_tls, write_tls           try, one at a time
 *            |
 *         OpenSSL                    records, keys, certificates
 *            |
 *       tls_wire.c                   OpenSSL's way to the descriptor; has what the system had no room for
 *            |
 *     salp__stream_socket            the port's flags; never a signal
 *
 * I1  All calls on the SSL and its wire happen under the lock, which nobody waits with: one may read while another one
 *     writes, and OpenSSL does not know of it.
 * I2  The handshake is made by whoever comes first; others that come meanwhile wait for the mutex, which he holds across
 *     his waits. So two never wait for the same side, and if he is ended another one goes on where he was. When it is made,
 *     `started` is set, and the mutex is not looked at any more. Transports, where nobody else reads or writes, have it made
 *     by their tries.
 * I3  After the handshake reading waits for bytes only, and writing for room only: tls_wire.h.
 * I4  A write is of one record at most, so that it is known what was taken. That is counted as written when it is
 *     encrypted, and the call returns when it is sent.
 * I5  After an error of OpenSSL's the SSL is good for nothing: it is `broken`. The end of the connection, and what the system
 *     says of it, leaves the other way as it is.
 *
 * Forks: a child may close it, which tells the other side nothing: the connection is the parent's. Locks that some
 * thread of the parent may have held are left alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/tls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <salp/sync.h>

#include "os/fault.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/thread.h"
#include "stream/openssl.h"
#include "stream/stream.h"
#include "stream/tls_wire.h"

enum { RECORD = 16384 }; /* bytes, at most */

typedef struct tls_stream {
    salp__tls_context *context;
    SSL *openssl;
    salp__tls_wire wire;
    salp__lock lock;
    salp_mutex *turn;     /* I2; of a client that makes its handshake while it is opened: NULL */
    _Atomic bool started; /* release when the handshake is made; acquire: what it has agreed on can be read */
    _Atomic bool deaf;    /* we have ended the reading. relaxed: the descriptor was shut after it was set */
    bool shut;            /* a farewell was sent [lock] */
    int broken;           /* I5 [lock] */
    char *protocol;       /* or NULL [const when started] */
} tls_stream;

/* ---- what a call of OpenSSL has ended with ---- */

/* The bytes are at their end, and OpenSSL wants more. */
static int cut(const tls_stream *t)
{
    if (t->wire.read_error < 0)
        return t->wire.read_error;
    /* relaxed: the end came after it was set. */
    return atomic_load_explicit(&t->deaf, memory_order_relaxed) ? 0 : SALP_ETRUNCATED;
}

/* -EAGAIN: more bytes have to come. 0: a farewell has come. */
static int explain(tls_stream *t)
{
    int kind = salp__ssl.SSL_get_error(t->openssl, 0);
    if (kind == SSL_ERROR_WANT_READ)
        return -EAGAIN;
    if (kind == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (kind == SSL_ERROR_SYSCALL && (t->wire.at_end || t->wire.read_error < 0)) {
        salp__tls_no_details();
        return cut(t);
    }
    /* relaxed: who has made the handshake had the lock, too. */
    bool early = !atomic_load_explicit(&t->started, memory_order_relaxed);
    return t->broken = salp__tls_connection_error(t->openssl, early);
}

/* ---- the handshake ---- */

/* Returns -ENOMEM, or 0. */
static int note_protocol(tls_stream *t)
{
    const unsigned char *chosen;
    unsigned length;
    salp__ssl.SSL_get0_alpn_selected(t->openssl, &chosen, &length);
    if (length == 0)
        return 0;
    t->protocol = salp__allocate(length + 1);
    if (!t->protocol)
        return -ENOMEM;
    memcpy(t->protocol, chosen, length);
    return 0;
}

/* 0: it is made, and nothing of it is unsent. */
static int shake_hands_locked(tls_stream *t, salp__way *way)
{
    if (t->broken < 0)
        return t->broken;
    /* relaxed: it was set by us, or by one who had the mutex before. I2 */
    if (atomic_load_explicit(&t->started, memory_order_relaxed))
        return 0;
    salp__tls_quiet();
    int error = salp__ssl.SSL_do_handshake(t->openssl) == 1 ? 0 : explain(t);
    salp__tls_quiet(); /* looking for an authority may leave something there, though one was found */
    if (error == 0 && !salp__ssl.SSL_is_init_finished(t->openssl))
        error = SALP_ETRUNCATED; /* a farewell in its midst, or we are deaf */
    if (error == SALP_ETRUNCATED && t->wire.write_error < 0)
        error = t->wire.write_error; /* the end is our own doing */
    if (error < 0 && error != -EAGAIN)
        return t->broken = salp__tls_wire_fits(&t->wire) ? error : SALP_ETLSPLAIN;
    int flushed = salp__tls_wire_flush(&t->wire);
    if (flushed == -EAGAIN) {
        *way = SALP__OUT; /* before that the other side has nothing to answer */
        return -EAGAIN;
    }
    if (error < 0) {
        /* Nothing can be written any more. There may be an alert to read, and then it has to end. */
        if (flushed < 0)
            salp__socket_shutdown(t->wire.stream->port.watch.fd, SHUT_RDWR);
        return error;
    }
    if (flushed == 0)
        flushed = note_protocol(t);
    if (flushed < 0)
        return t->broken = flushed;
    atomic_store_explicit(&t->started, true, memory_order_release);
    return 0;
}

static int shake_hands(salp_stream *stream)
{
    tls_stream *t = stream->own;
    int error;
    do {
        salp__way way = SALP__IN;
        salp__lock_take(&t->lock);
        error = shake_hands_locked(t, &way);
        salp__lock_release(&t->lock);
        if (error != -EAGAIN)
            return error;
        error = salp__stream_wait(&stream->port, way, "a handshake of TLS");
    } while (error == 0);
    return error;
}

static int start_tls(salp_stream *stream)
{
    tls_stream *t = stream->own;
    if (atomic_load_explicit(&t->started, memory_order_acquire))
        return 0;
    int error = t->turn ? salp_mutex_lock(t->turn) : 0;
    if (error < 0)
        return error;
    error = shake_hands(stream);
    if (t->turn)
        salp_mutex_unlock(t->turn);
    return error;
}

/* ---- reading ---- */

static int64_t read_locked(tls_stream *t, void *data, size_t size, salp__way *way)
{
    size_t got;
    int error = shake_hands_locked(t, way);
    if (error < 0)
        return error;
    salp__tls_quiet();
    return salp__ssl.SSL_read_ex(t->openssl, data, size, &got) == 1 ? (int64_t)got : explain(t);
}

static int64_t read_tls(salp_stream *stream, void *data, size_t size, salp__way *way)
{
    tls_stream *t = stream->own;
    salp__lock_take(&t->lock);
    int64_t got = read_locked(t, data, size, way);
    salp__lock_release(&t->lock);
    return got;
}

static int shutdown_reading_tls(salp_stream *stream)
{
    tls_stream *t = stream->own;
    atomic_store_explicit(&t->deaf, true, memory_order_relaxed);
    return salp__stream_socket.shutdown_reading(stream);
}

/* ---- writing ---- */

/* Small parts in one piece: a record for each would be a call of the system for each, and longer than what it holds. */
static char *gather(const struct iovec parts[], int count, size_t *size)
{
    char *all = salp__allocate_raw(RECORD);
    size_t end = 0;
    for (int i = 0; all && i < count && end < RECORD; i++) {
        size_t some = parts[i].iov_len < RECORD - end ? parts[i].iov_len : RECORD - end;
        memcpy(all + end, parts[i].iov_base, some);
        end += some;
    }
    *size = end;
    return all;
}

static int64_t encrypt_locked(tls_stream *t, const void *data, size_t size)
{
    size_t taken;
    salp__tls_quiet();
    if (salp__ssl.SSL_write_ex(t->openssl, data, size, &taken) == 1)
        return (int64_t)taken;
    int error = explain(t);
    return error < 0 && error != -EAGAIN ? error : (t->broken = SALP_ETLSBROKEN);
}

static int64_t write_locked(tls_stream *t, const struct iovec parts[], int count, salp__way *way)
{
    int error = shake_hands_locked(t, way);
    if (error == 0)
        error = salp__tls_wire_flush(&t->wire);
    if (error < 0)
        return error;
    if (t->shut)
        return -EPIPE;
    if (count == 1 || parts->iov_len >= RECORD)
        return encrypt_locked(t, parts->iov_base, parts->iov_len);
    size_t size;
    char *all = gather(parts, count, &size);
    if (!all)
        return -ENOMEM;
    int64_t taken = encrypt_locked(t, all, size);
    salp__free(all);
    return taken;
}

static int64_t write_tls(salp_stream *stream, const struct iovec parts[], int count, salp__way *way)
{
    tls_stream *t = stream->own;
    salp__lock_take(&t->lock);
    int64_t taken = write_locked(t, parts, count, way);
    salp__lock_release(&t->lock);
    return taken;
}

static int flush_tls(salp_stream *stream, salp__way *way)
{
    tls_stream *t = stream->own;
    (void)way;
    salp__lock_take(&t->lock);
    int error = salp__tls_wire_flush(&t->wire);
    salp__lock_release(&t->lock);
    return error;
}

/* ---- ending ---- */

static void say_farewell_locked(tls_stream *t)
{
    if (!t->shut) {
        t->shut = true;
        salp__tls_quiet();
        salp__ssl.SSL_shutdown(t->openssl);
        salp__tls_quiet();
    }
}

static int shutdown_tls(salp_stream *stream, salp__way *way)
{
    tls_stream *t = stream->own;
    salp__lock_take(&t->lock);
    int error = shake_hands_locked(t, way);
    if (error == 0) {
        say_farewell_locked(t);
        error = salp__tls_wire_flush(&t->wire);
    }
    salp__lock_release(&t->lock);
    return error;
}

/* Takes what a server sends for later (tickets) from the descriptor, if it is there: TCP would take back what was written last
   when it is closed with that unread. */
static void take_tickets(tls_stream *t)
{
    char byte;
    size_t got;
    salp__tls_quiet();
    salp__ssl.SSL_peek_ex(t->openssl, &byte, 1, &got);
    salp__tls_quiet();
}

static void free_tls(tls_stream *t, bool ours)
{
    salp__ssl.SSL_free(t->openssl);
    if (ours) {
        salp_mutex_close(t->turn);
        salp__lock_close(&t->lock);
    } else {
        salp__free(t->turn); /* its latch may look taken for ever */
    }
    salp__tls_context_let_go(t->context);
    salp__tls_wire_close(&t->wire);
    salp__free(t->protocol);
    salp__free(t);
}

static void close_tls(salp_stream *stream)
{
    tls_stream *t = stream->own;
    bool ours = stream->port.forks == salp__forks();
    /* Nobody else is in a call with it, so there is no need for the lock. */
    if (ours && t->broken == 0 && atomic_load_explicit(&t->started, memory_order_acquire)) {
        if (!salp__ssl.SSL_is_server(t->openssl))
            take_tickets(t);
        if (salp__tls_wire_flush(&t->wire) == 0)
            say_farewell_locked(t);
    }
    stream->own = NULL;
    free_tls(t, ours);
}

/* ---- beginning ---- */

static const salp__stream_type encrypted = {
    .start = start_tls,
    .read = read_tls,
    .write = write_tls,
    .flush = flush_tls,
    .shutdown = shutdown_tls,
    .shutdown_reading = shutdown_reading_tls,
    .close = close_tls,
};

static SSL *new_ssl(const salp__tls_context *context)
{
    SALP__FAULT(NULL);
    return salp__ssl.SSL_new(context->openssl);
}

/* Not yet the stream's. */
static int open_tls(tls_stream **out, salp_stream *stream, salp__tls_context *context)
{
    tls_stream *t = salp__allocate(sizeof *t);
    if (!t)
        return -ENOMEM;
    salp__lock_open(&t->lock);
    t->wire.stream = stream;
    /* relaxed: who calls holds it, too. */
    atomic_fetch_add_explicit(&context->holders, 1, memory_order_relaxed);
    t->context = context;
    t->openssl = new_ssl(context);
    BIO *bio = t->openssl ? salp__tls_wire_bio(&t->wire) : NULL;
    if (!bio) {
        salp__tls_quiet();
        free_tls(t, true);
        return -ENOMEM;
    }
    salp__ssl.SSL_set_bio(t->openssl, bio, bio);
    *out = t;
    return 0;
}

static void encrypt(salp_stream *stream, tls_stream *t)
{
    stream->own = t;
    stream->type = &encrypted;
    stream->unix_fds = false;
}

int salp__tls_begin_server(salp_stream *stream, salp__tls_context *context)
{
    tls_stream *t;
    int error = open_tls(&t, stream, context);
    if (error < 0)
        return error;
    error = salp_mutex_open(&t->turn, NULL);
    if (error < 0) {
        free_tls(t, true);
        return error;
    }
    int asks = context->clients == SALP_TLS_ANYBODY ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
    int wants = context->clients == SALP_TLS_REQUIRE ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    salp__ssl.SSL_set_verify(t->openssl, asks | wants, NULL);
    salp__ssl.SSL_set_accept_state(t->openssl);
    encrypt(stream, t);
    return 0;
}

int salp__tls_begin_client(salp_stream *stream, salp__tls_context *context, const salp_tls *tls, const char *host)
{
    tls_stream *t;
    int error = open_tls(&t, stream, context);
    if (error < 0)
        return error;
    error = salp__tls_expect(t->openssl, tls, host);
    if (error < 0) {
        free_tls(t, true);
        return error;
    }
    salp__ssl.SSL_set_connect_state(t->openssl);
    encrypt(stream, t);
    return 0;
}

/* ---- after the handshake ---- */

/* NULL: it is not encrypted, or not yet. */
static const tls_stream *started(const salp_stream *stream)
{
    const tls_stream *t = stream && stream->type == &encrypted ? stream->own : NULL;
    return t && atomic_load_explicit(&t->started, memory_order_acquire) ? t : NULL;
}

int salp_tls_handshake(salp_stream *stream)
{
    if (!stream)
        return -EINVAL;
    if (stream->type != &encrypted)
        return -ENOTSUP;
    int error = salp__wait_begin();
    return error < 0 ? error : start_tls(stream);
}

const char *salp_tls_protocol(const salp_stream *stream)
{
    const tls_stream *t = started(stream);
    return t && t->protocol ? t->protocol : "";
}

const char *salp_tls_spoken(const salp_stream *stream)
{
    const tls_stream *t = started(stream);
    return t ? salp__ssl.SSL_get_version(t->openssl) : "";
}

int salp_tls_subject(const salp_stream *stream, char *text, size_t size)
{
    if (text && size > 0)
        *text = 0;
    if (!stream || !text || size == 0)
        return -EINVAL;
    const tls_stream *t = started(stream);
    return t ? salp__tls_describe(t->openssl, text, size) : 0;
}
