/* SPDX-License-Identifier: MIT */
#include "input/unnamed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Not each file system has O_TMPFILE. */
int input_unnamed_open(const char *folder)
{
    if (!folder)
        folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char *path;
    if (asprintf(&path, "%s/salp-input-XXXXXX", folder) < 0)
        return -ENOMEM;
    fd = mkostemp(path, O_CLOEXEC);
    int error = fd < 0 ? -errno : fd;
    if (fd >= 0)
        unlink(path);
    free(path);
    return error;
}
