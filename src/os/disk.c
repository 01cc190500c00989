/* Files, by name and by descriptor. SPDX-License-Identifier: MIT */
#include "os/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/fault.h"

/* What a call of the system has returned, or its error. */
static long result_of(long result)
{
    return result < 0 ? -errno : result;
}

/* The same of a call that a signal may interrupt, and that is then made again. */
#define UNINTERRUPTED(call) result_of(TEMP_FAILURE_RETRY(call))

int salp__disk_open(const char *path, int flags, unsigned mode)
{
    SALP__FAULT(-EMFILE);
    return (int)UNINTERRUPTED(open(path, flags | O_CLOEXEC, (mode_t)mode));
}

int salp__disk_close(int fd)
{
    int result = close(fd) < 0 && errno != EINTR ? -errno : 0;
    SALP__FAULT(-EIO);
    return result;
}

ssize_t salp__disk_read(int fd, void *data, size_t size, int64_t offset)
{
    SALP__FAULT(-EIO);
    if (offset == SALP__WHERE_IT_STANDS)
        return UNINTERRUPTED(read(fd, data, size));
    return UNINTERRUPTED(pread(fd, data, size, offset));
}

static int write_all(int fd, const char *data, size_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t count = offset == SALP__WHERE_IT_STANDS ? UNINTERRUPTED(write(fd, data, size))
                                                        : UNINTERRUPTED(pwrite(fd, data, size, offset));
        if (count <= 0)
            return count < 0 ? (int)count : -EIO;
        data += count;
        size -= (size_t)count;
        if (offset != SALP__WHERE_IT_STANDS)
            offset += count;
    }
    return 0;
}

int salp__disk_write(int fd, const void *data, size_t size, int64_t offset)
{
    SALP__FAULT(-ENOSPC);
    sigset_t quiet, before, pending;
    sigemptyset(&quiet);
    sigaddset(&quiet, SIGPIPE);
    sigaddset(&quiet, SIGXFSZ);
    salp__must(pthread_sigmask(SIG_BLOCK, &quiet, &before) == 0);
    salp__must(sigpending(&pending) == 0);
    int error = write_all(fd, data, size, offset);
    int number = error == -EPIPE ? SIGPIPE : error == -EFBIG ? SIGXFSZ : 0;
    if (number > 0 && !sigismember(&pending, number)) {
        /* It is for this thread, and pending now, if the call has sent one. */
        sigset_t sent;
        sigemptyset(&sent);
        sigaddset(&sent, number);
        while (sigtimedwait(&sent, NULL, &(struct timespec){ .tv_sec = 0 }) < 0 && errno == EINTR)
            continue;
    }
    salp__must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return error;
}

int salp__disk_sync(int fd)
{
    SALP__FAULT(-EIO);
    return (int)UNINTERRUPTED(fsync(fd));
}

int salp__disk_resize(int fd, int64_t size)
{
    SALP__FAULT(-ENOSPC);
    return (int)UNINTERRUPTED(ftruncate(fd, size));
}

int salp__disk_status(int fd, struct stat *status)
{
    SALP__FAULT(-EIO);
    return (int)UNINTERRUPTED(fstat(fd, status));
}

int salp__disk_set_mode(int fd, unsigned mode)
{
    SALP__FAULT(-EPERM);
    return (int)UNINTERRUPTED(fchmod(fd, (mode_t)mode));
}

int salp__disk_look_at(const char *path, struct stat *status)
{
    SALP__FAULT(-EIO);
    return (int)UNINTERRUPTED(stat(path, status));
}

int salp__disk_rename(const char *from, const char *to)
{
    SALP__FAULT(-EIO);
    return (int)UNINTERRUPTED(rename(from, to));
}

int salp__disk_remove(const char *path)
{
    /* No call that can be made to fail: it tidies up after others that were. */
    return (int)UNINTERRUPTED(remove(path));
}

int salp__disk_make_directory(const char *path, unsigned mode)
{
    SALP__FAULT(-ENOSPC);
    return (int)UNINTERRUPTED(mkdir(path, (mode_t)mode));
}

int salp__disk_resolve(const char *path, char **real)
{
    SALP__FAULT(-ENOMEM);
    *real = realpath(path, NULL);
    return *real ? 0 : -errno;
}

int salp__disk_random_name(char *name, size_t size)
{
    SALP__FAULT(-EIO);
    uint64_t number;
    ssize_t count = UNINTERRUPTED(getrandom(&number, sizeof number, 0));
    if (count < (ssize_t)sizeof number)
        return count < 0 ? (int)count : -EIO;
    salp__must(snprintf(name, size, ".salp-%016llx", (unsigned long long)number) < (int)size);
    return 0;
}

int salp__disk_list_open(const char *path, DIR **directory)
{
    SALP__FAULT(-EMFILE);
    *directory = opendir(path);
    return *directory ? 0 : -errno;
}

int salp__disk_list_next(DIR *directory, struct dirent **entry)
{
    SALP__FAULT(-EIO);
    errno = 0;
    *entry = readdir(directory);
    return *entry ? 1 : -errno;
}

void salp__disk_list_close(DIR *directory)
{
    (void)closedir(directory);
}
