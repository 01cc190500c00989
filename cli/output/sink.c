/* Writing to descriptors that others share. SPDX-License-Identifier: MIT */
#include "output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <salp/task.h>

enum { AT_ONCE = 1024 * 1024 }; /* bytes to a file, before other tasks have their turn */

static bool may_wait(const struct stat *status, int fd)
{
    return S_ISFIFO(status->st_mode) || S_ISSOCK(status->st_mode) || (S_ISCHR(status->st_mode) && isatty(fd));
}

int output_sink_open(struct output_sink *sink, int fd)
{
    struct stat status;
    *sink = (struct output_sink){ .fd = fd, .open = fstat(fd, &status) == 0 };
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

static int write_file(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        int written = write_some(fd, bytes, size < AT_ONCE ? size : AT_ONCE);
        if (written < 0)
            return written;
        bytes += written;
        size -= (size_t)written;
        if (written == AT_ONCE) {
            int error = salp_yield();
            if (error < 0)
                return error;
        }
    }
    return 0;
}

int output_sink_write(struct output_sink *sink, const void *bytes, size_t size)
{
    if (!sink->open)
        return -EBADF;
    if (size == 0)
        return 0;
    if (!sink->stream)
        return write_file(sink->fd, bytes, size);
    int64_t written = salp_write(sink->stream, bytes, size);
    return written < 0 ? (int)written : 0;
}

bool output_sink_is_read(const struct output_sink *sink)
{
    struct pollfd end = { .fd = sink->fd };
    return !sink->stream || poll(&end, 1, 0) <= 0 || !(end.revents & (POLLERR | POLLHUP));
}
