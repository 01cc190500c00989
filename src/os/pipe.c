/* Pipes to other programs. SPDX-License-Identifier: MIT */
#include "os/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/fault.h"

/* Only one end is marked: the other program's is an open file of its own, and most programs expect it to block. */
static int open_pipe(int *ours, int *theirs, int our_side)
{
    SALP__FAULT(-EMFILE);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    salp__must(fcntl(ends[our_side], F_SETFL, O_NONBLOCK | (our_side == 0 ? O_RDONLY : O_WRONLY)) == 0);
    *ours = ends[our_side];
    *theirs = ends[1 - our_side];
    return 0;
}

int salp__pipe_to_us(int *ours, int *theirs)
{
    return open_pipe(ours, theirs, 0);
}

int salp__pipe_from_us(int *ours, int *theirs)
{
    return open_pipe(ours, theirs, 1);
}

int salp__pipe_filled(const void *data, size_t size)
{
    SALP__FAULT(-EMFILE);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    int error = fcntl(ends[1], F_SETPIPE_SZ, size) < 0 ? -errno : 0;
    for (const char *next = data; error == 0 && size > 0;) {
        ssize_t written = write(ends[1], next, size);
        if (written < 0 && errno != EINTR)
            error = -errno;
        if (written > 0) {
            next += written;
            size -= (size_t)written;
        }
    }
    close(ends[1]);
    if (error == 0)
        return ends[0];
    close(ends[0]);
    return error;
}

int salp__path_open(const char *path, int purpose)
{
    SALP__FAULT(-EMFILE);
    static const int flags[] = {
        [SALP__TO_READ] = O_RDONLY,
        [SALP__TO_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
        [SALP__TO_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
    };
    for (;;) {
        int fd = open(path, flags[purpose] | O_CLOEXEC | O_NOCTTY, 0666);
        if (fd >= 0)
            return fd;
        if (errno != EINTR)
            return -errno;
    }
}
