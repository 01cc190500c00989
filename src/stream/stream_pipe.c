/*
 * Streams that are pipes, terminals or devices.
 *
 * A descriptor that came from somebody else may be shared with other processes, which would notice if it did not block any
 * more. Where it could not be opened anew it stays as it is, and each call looks first whether it would block: for bytes to
 * be there, or for room for PIPE_BUF of them, which is what the system promises (pipe(7)). A terminal promises room for one
 * byte, and a write of more waits until its reader has made room for all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "os/epoll.h"
#include "os/file.h"
#include "stream/stream.h"

static bool would_block(const salp_stream *stream, uint32_t events)
{
    salp__pollee pollee = { .fd = stream->port.watch.fd, .events = events };
    return stream->blocking && salp__poll_for(&pollee, 1, 0) <= 0;
}

static int64_t read_pipe(salp_stream *stream, void *data, size_t size, salp__way *way)
{
    (void)way;
    salp__port *port = &stream->port;
    bool home = salp__port_is_home(port);
    if (home && !port->in.ready)
        return -EAGAIN;
    int64_t got = would_block(stream, SALP__POLL_IN) ? -EAGAIN : salp__pipe_read(port->watch.fd, data, size);
    if (home && got == -EAGAIN)
        port->in.ready = false; /* I2 of port.h */
    return got;
}

static int64_t write_pipe(salp_stream *stream, const struct iovec parts[], int count, salp__way *way)
{
    (void)way;
    salp__port *port = &stream->port;
    struct iovec little;
    bool home = salp__port_is_home(port);
    if (port->watch.fd < 0)
        return -EPIPE;
    if (home && !port->out.ready)
        return -EAGAIN;
    if (stream->blocking) {
        little = (struct iovec){ parts->iov_base, parts->iov_len < stream->piece ? parts->iov_len : stream->piece };
        parts = &little;
        count = 1;
    }
    int64_t written = would_block(stream, SALP__POLL_OUT) ? -EAGAIN : salp__pipe_write(port->watch.fd, parts, count);
    if (home && written == -EAGAIN)
        port->out.ready = false;
    return written;
}

static int shutdown_pipe(salp_stream *stream, salp__way *way)
{
    (void)way;
    return stream->one_way && !stream->no_out ? salp__port_shut(&stream->port) : -ENOTSUP;
}

static int shutdown_reading_pipe(salp_stream *stream)
{
    (void)stream;
    return -ENOTSOCK;
}

const salp__stream_type salp__stream_pipe = {
    .read = read_pipe,
    .write = write_pipe,
    .shutdown = shutdown_pipe,
    .shutdown_reading = shutdown_reading_pipe,
};
