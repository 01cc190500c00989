/* SPDX-License-Identifier: MIT */
#include "job/unnamed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *job_temporary_folder(const char *wanted)
{
    if (!wanted)
        wanted = getenv("TMPDIR");
    return wanted && *wanted ? wanted : "/tmp";
}

/* Not every file system can make a file without a name: then one loses its name at once. */
int job_unnamed_open(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
        return fd >= 0 ? fd : -errno;
    char *path;
    if (asprintf(&path, "%s/salp-map-XXXXXX", folder) < 0)
        return -ENOMEM;
    fd = mkostemp(path, O_CLOEXEC);
    int error = fd < 0 ? -errno : 0;
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd >= 0 ? fd : error;
}

int job_unnamed_write(int fd, const void *data, size_t size, uint64_t at)
{
    for (const char *bytes = data; size > 0;) {
        ssize_t written = pwrite(fd, bytes, size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        bytes += written;
        at += (uint64_t)written;
        size -= (size_t)written;
    }
    return 0;
}
