/* Streams that are sockets, without anything between. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>

#include "stream/stream.h"

static int64_t read_socket(salp_stream *stream, void *data, size_t size, salp__way *way)
{
    (void)way;
    salp__port *port = &stream->port;
    bool home = salp__port_is_home(port);
    if (home && !port->in.ready)
        return -EAGAIN;
    int64_t got = salp__socket_receive(port->watch.fd, data, size);
    if (home && (got == -EAGAIN || (got < (int64_t)size && stream->whole && !port->ending)))
        port->in.ready = false; /* I2 of port.h */
    return got;
}

static int64_t write_socket(salp_stream *stream, const struct iovec parts[], int count, salp__way *way)
{
    (void)way;
    salp__port *port = &stream->port;
    bool home = salp__port_is_home(port);
    if (home && !port->out.ready)
        return -EAGAIN;
    int64_t sent = count == 1 ? salp__socket_send(port->watch.fd, parts->iov_base, parts->iov_len)
                              : salp__socket_send_parts(port->watch.fd, parts, count, NULL, 0);
    if (home && sent == -EAGAIN)
        port->out.ready = false;
    return sent;
}

static int shutdown_socket(salp_stream *stream, salp__way *way)
{
    (void)way;
    int error = salp__socket_shutdown(stream->port.watch.fd, SHUT_WR);
    if (error == 0)
        salp__port_tell(&stream->port); /* a Unix socket that is full does not become writable by that */
    return error;
}

static int shutdown_reading_socket(salp_stream *stream)
{
    return salp__socket_shutdown(stream->port.watch.fd, SHUT_RD);
}

const salp__stream_type salp__stream_socket = {
    .read = read_socket,
    .write = write_socket,
    .shutdown = shutdown_socket,
    .plain = true,
    .shutdown_reading = shutdown_reading_socket,
};
