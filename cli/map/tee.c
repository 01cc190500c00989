/*
 * What comes through a pipe is copied to a file without a name first, and a file is taken as it is: then each job opens it anew,
 * and reads for itself, when it runs. So no job waits for another one, there may be fewer slots than jobs, and one that is tried
 * again begins at the beginning.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/bytes.h"
#include "input/message.h"
#include "job/unnamed.h"

enum { PIECE = 256 << 10 };

int map_tee_open(int fd)
{
    char path[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int anew = open(path, O_RDONLY | O_CLOEXEC);
    if (anew < 0)
        return -errno;
    (void)lseek(anew, lseek(fd, 0, SEEK_CUR), SEEK_SET); /* standard input may stand in the middle of its file */
    return anew;
}

/* A descriptor of standard input, if that is a file that can be opened anew; else -1. */
static int take_file(void)
{
    struct stat status;
    if (fstat(STDIN_FILENO, &status) < 0 || !S_ISREG(status.st_mode))
        return -1;
    int again = map_tee_open(STDIN_FILENO);
    if (again >= 0)
        close(again);
    return again < 0 ? -1 : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
}

/* 0, or an error; only those of writing are still to be told. */
static int copy(struct input_bytes *bytes, int fd, char *piece, int *unwritten)
{
    uint64_t at = 0;
    for (int64_t got; (got = input_bytes_read(bytes, piece, PIECE)) != 0; at += (uint64_t)got) {
        if (got < 0)
            return (int)got;
        *unwritten = job_unnamed_write(fd, piece, (size_t)got, at);
        if (*unwritten < 0)
            return *unwritten;
    }
    return 0;
}

static int copy_to_file(const char *folder)
{
    struct input_bytes *bytes;
    int error = input_bytes_open(&bytes, "-"), unwritten = 0;
    if (error < 0)
        return error;
    int fd = job_unnamed_open(job_temporary_folder(folder));
    char *piece = malloc(PIECE);
    if (fd < 0 || !piece)
        error = unwritten = fd < 0 ? fd : -ENOMEM;
    else
        error = copy(bytes, fd, piece, &unwritten);
    if (unwritten < 0)
        input_tell_error(unwritten, "standard input cannot be kept for all jobs");
    if (error < 0 && fd >= 0)
        close(fd);
    free(piece);
    input_bytes_close(bytes);
    return error < 0 ? error : fd;
}

int map_tee_read(const char *folder)
{
    int fd = take_file();
    return fd >= 0 ? fd : copy_to_file(folder);
}
