/*
 *     the stream  -->  | written to the file, from the time on when there are two |  -->
 *                          ^ offset of one                                        ^ written: offset of the other
 *
 * Who has taken all of the file reads the stream, and writes to the file what it got, for the other. Who finds the other reading
 * waits until it has.
 *
 *   I1  One reads the stream at a time: `reading`.
 *   I2  While there is a second reader, all that comes from the stream goes to the file. Bytes that the second one has got and
 *       could not write are in `rest`, and come behind the file.
 *   I3  When the second one is gone, the first one takes what is in the file, then the rest, then the stream, and writes no more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <salp/sync.h>

#include "job/unnamed.h"

enum { AHEAD_MAX = 256 << 20 }; /* bytes in the file: an input without end must not fill the disk */

struct input_flow {
    salp_stream *stream;
    bool reading; /* I1 */
    bool two;     /* there is a second reader */
    bool ended;
    int error; /* of the stream */
    int lost;  /* why the second one has not got all that the first one has; 0: it has */

    int fd; /* -1: there was no second reader yet */
    int64_t written;
    char *rest; /* I2 */
    size_t rest_size, rest_taken;
    salp_event *news; /* the one who reads has ended its read */
};

struct input_flow *input_flow_new(salp_stream *stream)
{
    struct input_flow *flow = calloc(1, sizeof *flow);
    if (!flow)
        return NULL;
    flow->stream = stream;
    flow->fd = -1;
    return flow;
}

void input_flow_free(struct input_flow *flow)
{
    if (!flow)
        return;
    salp_stream_close(flow->stream);
    salp_event_close(flow->news);
    if (flow->fd >= 0)
        close(flow->fd);
    free(flow->rest);
    free(flow);
}

int input_flow_add(struct input_flow *flow, const char *folder)
{
    if (flow->fd >= 0)
        return -EBUSY;
    int error = salp_event_open(&flow->news, NULL);
    if (error < 0)
        return error;
    int fd = job_unnamed_open(job_temporary_folder(folder));
    if (fd < 0)
        return fd;
    flow->fd = fd;
    flow->two = true;
    return 0;
}

void input_flow_remove(struct input_flow *flow)
{
    flow->two = false;
}

/* What was read goes to the file; returns how much of it. */
static size_t write_all(struct input_flow *flow, const char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = pwrite(flow->fd, data + done, size - done, flow->written);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
        flow->written += wrote;
    }
    return done;
}

/* For the other one. I2 */
static int pass_on(struct input_flow_reader *reader, const char *data, size_t size)
{
    struct input_flow *flow = reader->flow;
    size_t done = write_all(flow, data, size);
    reader->offset = flow->written;
    if (done == size)
        return flow->written > AHEAD_MAX && reader->ahead ? -EFBIG : 0;
    int error = -errno;
    if (!reader->ahead) {
        flow->two = false;
        flow->lost = error; /* the other one cannot go on */
        return 0;
    }
    flow->rest = malloc(size - done);
    if (!flow->rest)
        return flow->error = -ENOMEM; /* the bytes are lost: the first one has to be told */
    memcpy(flow->rest, data + done, size - done);
    flow->rest_size = size - done;
    return error;
}

/* What the other one has read already. 0: nothing. */
static int64_t read_file(struct input_flow_reader *reader, void *data, size_t size)
{
    struct input_flow *flow = reader->flow;
    if (reader->offset < flow->written) {
        int64_t left = flow->written - reader->offset;
        ssize_t got = pread(flow->fd, data, (int64_t)size < left ? size : (size_t)left, reader->offset);
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        reader->offset += got;
        return got;
    }
    if (reader->ahead || flow->rest_taken == flow->rest_size)
        return 0;
    size_t left = flow->rest_size - flow->rest_taken, got = size < left ? size : left;
    memcpy(data, flow->rest + flow->rest_taken, got);
    flow->rest_taken += got;
    return (int64_t)got;
}

static int64_t read_stream(struct input_flow_reader *reader, void *data, size_t size)
{
    struct input_flow *flow = reader->flow;
    flow->reading = true;
    int64_t got = salp_read(flow->stream, data, size);
    flow->reading = false;
    flow->ended = got == 0;
    if (got < 0 && got != -ECANCELED && got != -ETIMEDOUT)
        flow->error = (int)got;
    int error = got > 0 && flow->two ? pass_on(reader, data, (size_t)got) : 0;
    if (flow->news)
        salp_event_set(flow->news);
    return error < 0 ? error : got;
}

int64_t input_flow_read(struct input_flow_reader *reader, void *data, size_t size)
{
    struct input_flow *flow = reader->flow;
    for (;;) {
        int64_t got = read_file(reader, data, size);
        if (got != 0)
            return got;
        if (reader->ahead && flow->lost < 0)
            return flow->lost;
        if (flow->ended || flow->error < 0)
            return flow->error;
        if (!flow->reading)
            return read_stream(reader, data, size);
        salp_event_clear(flow->news);
        int error = salp_event_wait(flow->news);
        if (error < 0)
            return error;
    }
}
