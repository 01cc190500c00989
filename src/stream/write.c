/* Writing streams. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>

#include "os/file.h"
#include "os/memory.h"
#include "stream/operation.h"
#include "stream/stream.h"

static const char waits_for[] = "a stream to take bytes";

static int begin(salp_stream *stream)
{
    int error = salp__stream_start(stream);
    if (error == 0)
        salp__stream_took_turn();
    return stream->port.watch.fd < 0 ? -EPIPE : error;
}

/* Writes some of it. Waits if there is no room. */
static int64_t write_some(salp_stream *stream, const struct iovec parts[], int count)
{
    while (count == 1 && stream->type->plain && salp__can_operate(&stream->port)) {
        int64_t taken = salp__stream_operate(
            &stream->port, SALP__OUT,
            &(salp__operation){
                .kind = SALP__SEND, .fd = stream->port.watch.fd, .from = parts->iov_base, .size = parts->iov_len },
            waits_for);
        if (taken > 0)
            stream->written += taken;
        if (taken == -ENOBUFS)
            break;
        if (taken != -EAGAIN)
            return taken;
    }
    for (;;) {
        salp__way way = SALP__OUT;
        int64_t taken = stream->type->write(stream, parts, count, &way);
        if (taken > 0)
            stream->written += taken;
        if (taken != -EAGAIN)
            return taken;
        int error = salp__stream_wait(&stream->port, way, waits_for);
        if (error < 0)
            return error;
    }
}

/* Waits until the system has what was taken. Returns `taken`, or an error. */
static int64_t finish(salp_stream *stream, int64_t taken)
{
    salp__way way = SALP__OUT;
    int error = 0;
    while (stream->type->flush && (error = stream->type->flush(stream, &way)) == -EAGAIN) {
        error = salp__stream_wait(&stream->port, way, waits_for);
        if (error < 0)
            break;
    }
    return error < 0 ? error : taken;
}

int64_t salp_write(salp_stream *stream, const void *data, size_t size)
{
    if (!stream || (!data && size > 0) || size > SSIZE_MAX)
        return -EINVAL;
    int error = begin(stream);
    struct iovec left = { (void *)data, size };
    while (error == 0 && left.iov_len > 0) {
        int64_t taken = write_some(stream, &left, 1);
        if (taken < 0)
            return taken;
        left.iov_base = (char *)left.iov_base + taken;
        left.iov_len -= (size_t)taken;
        if (left.iov_len > 0)
            error = begin(stream); /* who reads may keep up for ever */
    }
    return error < 0 ? error : finish(stream, (int64_t)size);
}

/* ---- several parts ---- */

/* The sum, or -EINVAL. */
static int64_t add_up(const salp_bytes parts[], int count)
{
    size_t sum = 0;
    for (int i = 0; i < count; i++) {
        if ((!parts[i].data && parts[i].size > 0) || parts[i].size > SSIZE_MAX - sum)
            return -EINVAL;
        sum += parts[i].size;
    }
    return (int64_t)sum;
}

/* Takes off what has been taken. Returns how many parts are gone wholly. */
static int advance(struct iovec parts[], int count, size_t taken)
{
    int gone = 0;
    while (gone < count && taken >= parts[gone].iov_len)
        taken -= parts[gone++].iov_len;
    if (gone < count) {
        parts[gone].iov_base = (char *)parts[gone].iov_base + taken;
        parts[gone].iov_len -= taken;
    }
    return gone;
}

enum { PARTS_AT_ONCE = 8 }; /* on the stack of a task */

int64_t salp_writev(salp_stream *stream, const salp_bytes parts[], int count)
{
    if (!stream || count < 0 || count > IOV_MAX || (count > 0 && !parts))
        return -EINVAL;
    int64_t sum = add_up(parts, count);
    int error = sum < 0 ? (int)sum : begin(stream);
    for (int done = 0; error == 0 && done < count;) {
        struct iovec some[PARTS_AT_ONCE];
        int left = count - done < PARTS_AT_ONCE ? count - done : PARTS_AT_ONCE, at = 0;
        for (int i = 0; i < left; i++)
            some[i] = (struct iovec){ (void *)parts[done + i].data, parts[done + i].size };
        at = advance(some, left, 0);
        while (at < left) {
            int64_t taken = write_some(stream, some + at, left - at);
            if (taken < 0)
                return taken;
            at += advance(some + at, left - at, (size_t)taken);
        }
        done += left;
    }
    return error < 0 ? error : finish(stream, sum);
}

/* ---- files ---- */

/* Where the system cannot do without a copy: TLS, pipes. */
static int64_t copy_some(salp_stream *stream, int file, int64_t offset, size_t size)
{
    enum { COPY = 16384 };
    char *copy = salp__allocate(COPY);
    if (!copy)
        return -ENOMEM;
    int64_t got = salp__file_read_some(file, copy, size < COPY ? size : COPY, offset), written = 0;
    while (got > 0 && written < got) {
        struct iovec left = { copy + written, (size_t)(got - written) };
        int64_t taken = write_some(stream, &left, 1);
        if (taken < 0) {
            got = taken;
            break;
        }
        written += taken;
    }
    salp__free(copy);
    return got;
}

static int64_t send_some(salp_stream *stream, int file, int64_t offset, size_t size)
{
    salp__port *port = &stream->port;
    for (;;) {
        int64_t at = offset;
        int64_t taken = salp__file_send(port->watch.fd, file, &at, size);
        if (taken > 0)
            stream->written += taken;
        if (taken != -EAGAIN)
            return taken;
        if (salp__port_is_home(port))
            port->out.ready = false;
        int error = salp__stream_wait(port, SALP__OUT, waits_for);
        if (error < 0)
            return error;
    }
}

int64_t salp_sendfile(salp_stream *stream, int file, int64_t offset, int64_t size)
{
    enum { AT_ONCE = 1 << 20 };
    if (!stream || file < 0 || offset < 0 || size < 0)
        return -EINVAL;
    int error = begin(stream);
    if (error < 0)
        return error;
    /* sendfile blocks on a socket that does, whatever we ask for. */
    bool direct = stream->type == &salp__stream_socket && !stream->blocking;
    int64_t sent = 0;
    while (sent < size) {
        size_t some = size - sent < AT_ONCE ? (size_t)(size - sent) : AT_ONCE;
        int64_t taken =
            direct ? send_some(stream, file, offset + sent, some) : copy_some(stream, file, offset + sent, some);
        if (taken < 0)
            return taken;
        if (taken == 0)
            break;
        sent += taken;
        salp__stream_took_turn();
    }
    return finish(stream, sent);
}

int64_t salp_stream_written(const salp_stream *stream)
{
    return stream ? stream->written : -EINVAL;
}

/* ---- with descriptors ---- */

int64_t salp_send_fds(salp_stream *stream, const void *data, size_t size, const int fds[], int count)
{
    enum { MAX_FDS = 253 };
    if (!stream || !data || size == 0 || size > SSIZE_MAX || count < 0 || count > MAX_FDS || (count > 0 && !fds))
        return -EINVAL;
    if (!stream->unix_fds)
        return -ENOTSUP;
    int error = begin(stream);
    if (error < 0)
        return error;
    struct iovec all = { (void *)data, size };
    int64_t taken;
    while ((taken = salp__socket_send_parts(stream->port.watch.fd, &all, 1, fds, count)) == -EAGAIN) {
        if (salp__port_is_home(&stream->port))
            stream->port.out.ready = false;
        error = salp__stream_wait(&stream->port, SALP__OUT, waits_for);
        if (error < 0)
            return error;
    }
    if (taken < 0)
        return taken;
    stream->written += taken;
    int64_t rest = (size_t)taken < size ? salp_write(stream, (const char *)data + taken, size - (size_t)taken) : 0;
    return rest < 0 ? rest : (int64_t)size;
}
