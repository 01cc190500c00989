/*
 * Three kinds of files are read in three ways:
 *
 *   a regular file       preadv2 with RWF_NOWAIT: what the system has in memory, which is nearly always all of it. When it has
 *                        not, a thread of salp/file.h reads, so that a slow disk holds up no job.
 *   all else             a stream (salp/stream.h, flow.c). The descriptor that others share is not set to O_NONBLOCK for that.
 *   a path that has to   a named pipe that nobody writes to yet, say: opened by a thread of salp/file.h.
 *   be waited for
 *
 * Standard input is never closed, nor is its number given away: a copy of the descriptor is used. A regular file there is read
 * from where it stands, and stands where reading ended when this is closed, as if it had been read by plain reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <salp/file.h>
#include <salp/stream.h>

#include "input/flow.h"
#include "input/message.h"

struct input_bytes {
    char *name;
    int fd;          /* a regular file; -1: it is a stream */
    salp_file *file; /* a regular file once more, for what is not in memory; NULL: that was not needed yet */
    int64_t offset;  /* [regular] where it is read next */
    struct input_flow_reader reader; /* [stream] */
    bool standard_input;
    bool ahead; /* it only counts: errors are the other one's to tell */
};

static char *name_of(const char *path)
{
    char *name = NULL;
    if (strcmp(path, "-") == 0)
        return strdup("standard input");
    return asprintf(&name, "'%s'", path) < 0 ? NULL : name;
}

/* A descriptor of standard input that is ours. */
static int open_standard_input(void)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    if (flags < 0)
        return -errno;
    /* Who starts without one may have been given something to write to in its place. */
    if ((flags & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

/* What may have to be waited for is opened by a thread. */
static int open_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode)) {
        /* It may have become a pipe since it was looked at. */
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return fd < 0 ? -errno : fd;
    }
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    salp_file *file;
    int error = salp_file_open(&file, path, O_RDONLY | O_NOCTTY, 0);
    if (error < 0)
        return error;
    int fd = fcntl(salp_file_descriptor(file), F_DUPFD_CLOEXEC, 3);
    error = fd < 0 ? -errno : 0;
    salp_file_close(file);
    return error < 0 ? error : fd;
}

/* Decides how the descriptor is read. It is ours, and closed if that cannot be. */
static int begin(struct input_bytes *bytes, int fd)
{
    struct stat status;
    int error = fstat(fd, &status) < 0 ? -errno : 0;
    if (error == 0 && S_ISDIR(status.st_mode))
        error = -EISDIR;
    if (error == 0 && S_ISREG(status.st_mode)) {
        int64_t offset = lseek(fd, 0, SEEK_CUR);
        bytes->fd = fd;
        bytes->offset = offset < 0 ? 0 : offset;
        return 0;
    }
    salp_stream *stream = NULL;
    if (error == 0)
        error = salp_stream_from_fd(&stream, fd, NULL);
    if (error < 0) {
        close(fd);
        return error;
    }
    bytes->reader.flow = input_flow_new(stream);
    if (bytes->reader.flow)
        return 0;
    salp_stream_close(stream);
    return -ENOMEM;
}

int input_bytes_open(struct input_bytes **opened, const char *path)
{
    int error = -ENOMEM;
    *opened = NULL;
    struct input_bytes *bytes = calloc(1, sizeof *bytes);
    if (!bytes)
        goto tell;
    bytes->fd = -1;
    bytes->name = name_of(path);
    if (!bytes->name)
        goto free_bytes;
    bytes->standard_input = strcmp(path, "-") == 0;
    int fd = bytes->standard_input ? open_standard_input() : open_path(path);
    error = fd < 0 ? fd : begin(bytes, fd);
    if (error < 0)
        goto free_bytes;
    *opened = bytes;
    return 0;

free_bytes:
    if (bytes->name)
        free(bytes->name);
    free(bytes);
tell:
    if (error == -ECANCELED || error == -ETIMEDOUT)
        return error;
    if (error == -EBADF && strcmp(path, "-") == 0)
        return input_tell(error, "there is no standard input: it is closed");
    return input_tell_error(error, "cannot read %s%s%s", strcmp(path, "-") == 0 ? "standard input" : "'",
                            strcmp(path, "-") == 0 ? "" : path, strcmp(path, "-") == 0 ? "" : "'");
}

void input_bytes_close(struct input_bytes *bytes)
{
    if (!bytes)
        return;
    if (bytes->fd >= 0 && bytes->standard_input)
        lseek(bytes->fd, bytes->offset, SEEK_SET);
    if (bytes->fd >= 0)
        close(bytes->fd);
    if (bytes->ahead && bytes->reader.flow)
        input_flow_remove(bytes->reader.flow);
    else
        input_flow_free(bytes->reader.flow);
    salp_file_close(bytes->file);
    free(bytes->name);
    free(bytes);
}

/* What is not in memory, or of a file system that does not tell. */
static int64_t read_slowly(struct input_bytes *bytes, void *data, size_t size)
{
    if (!bytes->file) {
        char path[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
        snprintf(path, sizeof path, "/proc/self/fd/%d", bytes->fd);
        if (salp_file_open(&bytes->file, path, O_RDONLY, 0) < 0) {
            /* Not ours to open anew. */
            int64_t got = pread(bytes->fd, data, size, bytes->offset);
            return got < 0 ? -errno : got;
        }
    }
    return salp_file_read_at(bytes->file, data, size, bytes->offset);
}

static int64_t read_regular(struct input_bytes *bytes, void *data, size_t size)
{
    struct iovec part = { .iov_base = data, .iov_len = size };
    int64_t got = preadv2(bytes->fd, &part, 1, bytes->offset, RWF_NOWAIT);
    if (got < 0)
        got = read_slowly(bytes, data, size);
    if (got > 0)
        bytes->offset += got;
    return got;
}

int64_t input_bytes_read(struct input_bytes *bytes, void *data, size_t size)
{
    bool regular = bytes->fd >= 0;
    int64_t got = regular ? read_regular(bytes, data, size) : input_flow_read(&bytes->reader, data, size);
    if (got >= 0 || got == -ECANCELED || got == -ETIMEDOUT || bytes->ahead)
        return got;
    return input_tell_error((int)got, "cannot read %s", bytes->name);
}

int input_bytes_ahead(struct input_bytes **opened, struct input_bytes *bytes, const char *folder)
{
    *opened = NULL;
    struct input_bytes *ahead = calloc(1, sizeof *ahead);
    if (!ahead)
        return -ENOMEM;
    *ahead = (struct input_bytes){ .fd = -1, .offset = bytes->offset, .ahead = true, .name = strdup(bytes->name) };
    int error = ahead->name ? 0 : -ENOMEM;
    if (error == 0 && bytes->fd >= 0) {
        ahead->fd = fcntl(bytes->fd, F_DUPFD_CLOEXEC, 3);
        error = ahead->fd < 0 ? -errno : 0;
    } else if (error == 0) {
        error = input_flow_add(bytes->reader.flow, folder);
        ahead->reader = (struct input_flow_reader){ .flow = error == 0 ? bytes->reader.flow : NULL, .ahead = true };
    }
    if (error == 0)
        *opened = ahead;
    else
        input_bytes_close(ahead);
    return error;
}

int64_t input_bytes_left(const struct input_bytes *bytes)
{
    struct stat status;
    if (bytes->fd < 0 || fstat(bytes->fd, &status) < 0)
        return -ESPIPE;
    return status.st_size > bytes->offset ? status.st_size - bytes->offset : 0;
}

const char *input_bytes_name(const struct input_bytes *bytes)
{
    return bytes->name;
}
