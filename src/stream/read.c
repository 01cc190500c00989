/* Reading streams. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <salp/error.h>

#include "os/socket.h"
#include "stream/held.h"
#include "stream/operation.h"

/* From this size on bytes go to where the caller wants them; fewer are taken from what one call of the system brings. */
enum { LARGE = 4096 };

static const char waits_for[] = "bytes of a stream";

/* 0: try once more. */
static int wait_to_read(salp_stream *stream, salp__way way)
{
    salp__held_close(stream);
    return salp__stream_wait(&stream->port, way, waits_for);
}

/* By the poller, into the caller's memory. */
static int64_t receive(salp_stream *stream, void *data, size_t size)
{
    salp__operation operation = { .kind = stream->filled ? SALP__RECEIVE : SALP__RECEIVE_LATER,
                                  .fd = stream->port.watch.fd,
                                  .to = data,
                                  .size = size };
    int64_t got = salp__stream_operate(&stream->port, SALP__IN, &operation, waits_for);
    stream->filled = got == (int64_t)size;
    return got;
}

/* Into the caller's memory. Waits if there is nothing. */
static int64_t read_direct(salp_stream *stream, void *data, size_t size)
{
    while (stream->type->plain && salp__can_operate(&stream->port)) {
        int64_t got = receive(stream, data, size);
        if (got != -EAGAIN && got != -ENOBUFS)
            return got;
        if (got == -ENOBUFS)
            break;
    }
    for (;;) {
        salp__way way = SALP__IN;
        int64_t got = stream->type->read(stream, data, size, &way);
        if (got != -EAGAIN)
            return got;
        int error = wait_to_read(stream, way);
        if (error < 0)
            return error;
    }
}

/* Into what is held, which may grow to `wanted` bytes. Waits if there is nothing. */
static int64_t read_ahead(salp_stream *stream, size_t wanted)
{
    salp__held *held = &stream->held;
    for (;;) {
        salp__way way = SALP__IN;
        int error = salp__held_open(stream, wanted);
        if (error < 0)
            return error;
        int64_t got = stream->type->read(stream, held->data + held->end, held->room - held->end, &way);
        if (got > 0)
            held->end += (size_t)got;
        if (got != -EAGAIN)
            return got;
        error = wait_to_read(stream, way);
        if (error < 0)
            return error;
    }
}

static int begin(salp_stream *stream, const void *data)
{
    if (!stream || !data)
        return -EINVAL;
    return stream->broken < 0 ? stream->broken : salp__stream_start(stream);
}

static int64_t read_some(salp_stream *stream, void *data, size_t size)
{
    if (salp__held_size(stream) > 0)
        return (int64_t)salp__held_take(stream, data, size);
    salp__stream_took_turn();
    /* Where the poller moves the bytes, only those who ask for less than there is are better served from a larger piece. */
    if (size >= LARGE || (!stream->filled && stream->type->plain && salp__can_operate(&stream->port)))
        return read_direct(stream, data, size);
    stream->filled = false;
    int64_t got = read_ahead(stream, 1);
    if (got > 0)
        return (int64_t)salp__held_take(stream, data, size);
    salp__held_close(stream);
    return got;
}

int64_t salp_read(salp_stream *stream, void *data, size_t size)
{
    int error = begin(stream, data);
    return error < 0 || size == 0 ? error : read_some(stream, data, size);
}

/* The next call begins with these bytes. Returns the error that this one ends with. */
static int64_t put_back(salp_stream *stream, const void *data, size_t size, int64_t error)
{
    if (salp__held_put_back(stream, data, size) < 0)
        return stream->broken = -ENOMEM;
    return error;
}

int64_t salp_read_exactly(salp_stream *stream, void *data, size_t size)
{
    int64_t result = begin(stream, data);
    size_t got = 0;
    while (result >= 0 && got < size) {
        result = read_some(stream, (char *)data + got, size - got);
        if (result == 0)
            break;
        if (result > 0)
            got += (size_t)result;
    }
    if (got == size && result >= 0)
        return (int64_t)size;
    if (got > 0)
        return put_back(stream, data, got, result == 0 ? SALP_EINCOMPLETE : result);
    return result;
}

/* ---- up to a delimiter ---- */

/* Where the delimiter ends, counted from the first byte held; 0: it is not there. `looked`: so much was looked at before. */
static size_t find(const salp_stream *stream, const char *delimiter, size_t length, size_t looked)
{
    const char *begin = stream->held.data + stream->held.begin;
    size_t size = salp__held_size(stream), from = looked >= length ? looked - length + 1 : 0;
    const char *found = size > from ? memmem(begin + from, size - from, delimiter, length) : NULL;
    return found ? (size_t)(found - begin) + length : 0;
}

/* What has come so far is as much as the other side has to say. */
static int64_t at_the_end(salp_stream *stream, char *data, bool take_rest)
{
    size_t left = salp__held_size(stream);
    if (left > 0 && !take_rest)
        return SALP_EINCOMPLETE;
    size_t taken = salp__held_take(stream, data, left);
    data[taken] = 0;
    return (int64_t)taken;
}

static int64_t read_until(salp_stream *stream, char *data, size_t size, const char *delimiter, bool take_rest)
{
    size_t length = strlen(delimiter), looked = 0, limit = size - 1;
    for (;;) {
        size_t end = find(stream, delimiter, length, looked);
        looked = salp__held_size(stream);
        if (end > limit || (end == 0 && looked >= limit))
            return -EMSGSIZE;
        if (end > 0) {
            salp__held_take(stream, data, end);
            data[end] = 0;
            return (int64_t)end;
        }
        int64_t got = read_ahead(stream, looked + 1);
        if (got == 0)
            return at_the_end(stream, data, take_rest);
        if (got < 0) {
            salp__held_close(stream);
            return got;
        }
    }
}

static int64_t read_line(salp_stream *stream, char *data, size_t size, const char *delimiter, bool take_rest)
{
    int error = begin(stream, data);
    if (error < 0)
        return error;
    if (!delimiter || !*delimiter || strlen(delimiter) >= size)
        return -EINVAL;
    salp__stream_took_turn();
    return read_until(stream, data, size, delimiter, take_rest);
}

int64_t salp_read_until(salp_stream *stream, char *data, size_t size, const char *delimiter)
{
    return read_line(stream, data, size, delimiter, false);
}

int64_t salp_read_line(salp_stream *stream, char *data, size_t size)
{
    return read_line(stream, data, size, "\n", true);
}

/* ---- with descriptors ---- */

/* The system has dropped descriptors that came with these bytes: so that it is not missed, this is an error. */
static int64_t without_fds(salp_stream *stream, const void *data, size_t size, int *count)
{
    int error = *count;
    *count = 0;
    return put_back(stream, data, size, error);
}

int64_t salp_receive_fds(salp_stream *stream, void *data, size_t size, int fds[], int max, int *count)
{
    if (!count || max < 0 || (max > 0 && !fds))
        return -EINVAL;
    *count = 0;
    int error = begin(stream, data);
    if (error < 0 || size == 0)
        return error;
    if (!stream->unix_fds)
        return -ENOTSUP;
    if (salp__held_size(stream) > 0)
        return (int64_t)salp__held_take(stream, data, size); /* read before, by a call that takes none */
    salp__stream_took_turn();
    for (;;) {
        int64_t got = salp__socket_receive_fds(stream->port.watch.fd, data, size, fds, max, count);
        if (*count < 0)
            return without_fds(stream, data, (size_t)got, count);
        if (got != -EAGAIN)
            return got;
        if (salp__port_is_home(&stream->port))
            stream->port.in.ready = false; /* I2 of port.h */
        error = wait_to_read(stream, SALP__IN);
        if (error < 0)
            return error;
    }
}
