/* Writing to descriptors that others share. SPDX-License-Identifier: MIT */
#include "output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <salp/loop.h>
#include <salp/task.h>

enum {
    AT_ONCE = 1024 * 1024, /* bytes to a file, before other tasks have their turn */
    WIDE = 1024 * 1024,    /* bytes in a pipe */
};

static bool may_wait(const struct stat *status, int fd)
{
    return S_ISFIFO(status->st_mode) || S_ISSOCK(status->st_mode) || (S_ISCHR(status->st_mode) && isatty(fd));
}

int output_sink_open(struct output_sink *sink, int fd)
{
    struct stat status;
    *sink = (struct output_sink){ .fd = fd, .open = fstat(fd, &status) == 0 };
    sink->splices = sink->open && (S_ISFIFO(status.st_mode) || !may_wait(&status, fd));
    if (!sink->open || !may_wait(&status, fd))
        return 0;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return -errno;
    int error = salp_stream_from_fd(&sink->stream, copy, NULL);
    if (error < 0)
        close(copy);
    return error == -EPERM || error == -ENOTSUP ? 0 : error;
}

void output_sink_close(struct output_sink *sink)
{
    salp_stream_close(sink->stream);
    salp_event_close(sink->room);
    if (sink->room_fd > 0)
        close(sink->room_fd);
    *sink = (struct output_sink){ .fd = -1 };
}

/* Without the flags being ours it may not block though it is a file, a device for one. */
static int write_some(int fd, const char *bytes, size_t size)
{
    for (;;) {
        ssize_t written = write(fd, bytes, size);
        if (written > 0)
            return (int)written;
        if (written == 0)
            return -EIO;
        if (errno == EAGAIN)
            (void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
        else if (errno != EINTR)
            return -errno;
    }
}

static int write_file(int fd, const char *bytes, size_t size, size_t *done)
{
    while (*done < size) {
        size_t left = size - *done;
        int written = write_some(fd, bytes + *done, left < AT_ONCE ? left : AT_ONCE);
        if (written < 0)
            return written;
        *done += (size_t)written;
        int error = written == AT_ONCE ? salp_yield() : 0;
        if (error < 0)
            return error;
    }
    return 0;
}

int output_sink_write(struct output_sink *sink, const void *bytes, size_t size, size_t *written)
{
    *written = 0;
    if (!sink->open)
        return -EBADF;
    if (size == 0)
        return 0;
    if (!sink->stream)
        return write_file(sink->fd, bytes, size, written);
    int64_t before = salp_stream_written(sink->stream), got = salp_write(sink->stream, bytes, size);
    *written = (size_t)(salp_stream_written(sink->stream) - before);
    return got < 0 ? (int)got : 0;
}

/* ---- splicing ---- */

static void on_room(int fd, unsigned events, void *arg)
{
    struct output_sink *sink = arg;
    (void)events;
    salp_loop_watch(salp_loop_current(), fd, 0, on_room, sink);
    salp_event_set(sink->room);
}

/* The stream has its own copy, which is watched for its own calls. */
static int open_room(struct output_sink *sink)
{
    int error = sink->room ? 0 : salp_event_open(&sink->room, NULL);
    if (error < 0 || sink->room_fd > 0)
        return error;
    int copy = fcntl(sink->fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return -errno;
    sink->room_fd = copy;
    /* We are faster than its reader: a wide one wakes both less often. That nobody sees but by asking for it. */
    (void)fcntl(copy, F_SETPIPE_SZ, WIDE);
    return 0;
}

/* Errors: of the scope; -ENOTSUP: we cannot wait. */
static int wait_for_room(struct output_sink *sink)
{
    if (open_room(sink) < 0)
        return -ENOTSUP;
    salp_event_clear(sink->room);
    if (salp_loop_watch(salp_loop_current(), sink->room_fd, SALP_WRITABLE, on_room, sink) < 0)
        return -ENOTSUP;
    int error = salp_event_wait(sink->room);
    if (error < 0)
        salp_loop_watch(salp_loop_current(), sink->room_fd, 0, on_room, sink);
    return error;
}

/* It would wait: for bytes in the pipe, or for room? */
static bool is_empty(int pipe)
{
    return poll(&(struct pollfd){ .fd = pipe, .events = POLLIN }, 1, 0) <= 0;
}

int64_t output_sink_splice(struct output_sink *sink, int pipe, size_t size)
{
    int error = 0;
    while (sink->splices && error == 0) {
        ssize_t moved = splice(pipe, NULL, sink->fd, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (moved >= 0)
            return moved;
        if (errno == EINVAL || errno == ENOSYS || errno == EPERM)
            error = -ENOTSUP; /* a file that is appended to, a device; a filter of system calls */
        else if (errno == EAGAIN)
            error = is_empty(pipe) ? -EAGAIN : wait_for_room(sink);
        else if (errno != EINTR)
            error = -errno;
        sink->splices = error != -ENOTSUP;
    }
    return error < 0 ? error : -ENOTSUP;
}

bool output_sink_is_read(const struct output_sink *sink)
{
    struct pollfd end = { .fd = sink->fd };
    return !sink->stream || poll(&end, 1, 0) <= 0 || !(end.revents & (POLLERR | POLLHUP));
}
