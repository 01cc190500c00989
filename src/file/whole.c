/*
 * Whole files.
 *
 * A file is replaced by a new one that is written beside it, in the same directory, since only there a name can be taken
 * over at one moment. It is brought to the disk before it gets the name, and the directory after: else a power failure
 * could leave the name with an empty file, or with the old one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <salp/file.h>
#include <salp/task.h>

#include "file/order.h"
#include "os/disk.h"
#include "os/memory.h"

enum { LEAST_ROOM = 4096, NAME = 24 };

/* ---- loading ---- */

/* A file may be without an end: nobody is to be left behind with that. */
static int read_to_end(salp__order *order)
{
    salp_buffer *buffer = &order->found;
    for (;;) {
        int error = salp__errand_is_left(&order->errand) ? -ECANCELED : salp_buffer_reserve(buffer, LEAST_ROOM);
        if (error < 0)
            return error;
        ssize_t count = salp__disk_read(order->fd, (char *)buffer->data + buffer->size, buffer->capacity - buffer->size,
                                        SALP__WHERE_IT_STANDS);
        if (count <= 0)
            return (int)count;
        buffer->size += (size_t)count;
    }
}

static int64_t call_load(salp__order *order)
{
    struct stat status;
    int fd = salp__disk_open(order->path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    order->fd = fd;
    int error = salp__disk_status(fd, &status);
    /* As large as it says, and then until its end: some say 0, and some grow. */
    if (error == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        error = salp_buffer_reserve(&order->found, (size_t)status.st_size + LEAST_ROOM);
    return error < 0 ? error : read_to_end(order);
}

int salp_file_load(const char *path, salp_buffer *buffer)
{
    if (!path || !buffer)
        return -EINVAL;
    salp__order *order = salp__order_open(call_load, path, NULL);
    int error = salp__order_do(order);
    if (error < 0)
        return error;
    error = (int)order->result;
    if (error == 0 && !buffer->data) {
        *buffer = order->found;
        order->found = (salp_buffer){ .size = 0 };
    } else if (error == 0) {
        error = salp_buffer_append(buffer, order->found.data, order->found.size);
    }
    salp__order_free(order);
    return error;
}

/* ---- storing ---- */

/* Makes a file beside `path`, and writes its path to `beside`. Returns a descriptor. */
static int open_beside(const char *path, char *beside, unsigned mode)
{
    const char *slash = strrchr(path, '/');
    size_t directory = slash ? (size_t)(slash - path) + 1 : 0;
    memcpy(beside, path, directory);
    for (;;) {
        int error = salp__disk_random_name(beside + directory, NAME);
        if (error < 0)
            return error;
        int fd = salp__disk_open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
        if (fd != -EEXIST)
            return fd;
    }
}

/* The directory of a path: its names are brought to the disk. */
static int sync_directory(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0'; /* of the root, the slash is the name */
    int fd = salp__disk_open(slash ? path : ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd == -EACCES)
        return 0; /* it may be written to, but not read: then this is as good as it gets */
    if (fd < 0)
        return fd;
    int error = salp__disk_sync(fd);
    (void)salp__disk_close(fd);          /* nothing was written by this descriptor */
    return error == -EINVAL ? 0 : error; /* a file system that has nothing to bring anywhere */
}

static int write_and_close(int fd, const salp__order *order)
{
    int error = salp__disk_write(fd, order->bytes, order->size, SALP__WHERE_IT_STANDS);
    if (error == 0 && order->mode > 0)
        error = salp__disk_set_mode(fd, order->mode & 0777);
    if (error == 0)
        error = salp__disk_sync(fd);
    int closed = salp__disk_close(fd);
    return error < 0 ? error : closed;
}

/* `path`: no symbolic link. `mode` of the order: of the file that is there, with its type; 0: there is none. */
static int replace(const salp__order *order, const char *path)
{
    char *beside = salp__allocate(strlen(path) + 1 + NAME);
    if (!beside)
        return -ENOMEM;
    int fd = open_beside(path, beside, order->mode ? order->mode & 0700 : 0666), error = fd < 0 ? fd : 0;
    if (error < 0)
        goto free_beside;
    error = write_and_close(fd, order);
    if (error == 0 && salp__errand_is_left(&order->errand))
        error = -ECANCELED; /* who has given it up may have stored something else since */
    if (error == 0)
        error = salp__disk_rename(beside, path);
    if (error == 0)
        error = sync_directory(beside);
    else
        (void)salp__disk_remove(beside);
free_beside:
    salp__free(beside);
    return error;
}

static int write_to(const salp__order *order)
{
    int fd = salp__disk_open(order->path, O_WRONLY, 0);
    if (fd < 0)
        return fd;
    int error = salp__disk_write(fd, order->bytes, order->size, SALP__WHERE_IT_STANDS), closed = salp__disk_close(fd);
    return error < 0 ? error : closed;
}

static int64_t call_store(salp__order *order)
{
    struct stat status;
    int error = salp__disk_look_at(order->path, &status);
    if (error == -ENOENT)
        return replace(order, order->path);
    if (error < 0)
        return error;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    if (!S_ISREG(status.st_mode))
        return write_to(order);
    char *real;
    error = salp__disk_resolve(order->path, &real);
    if (error < 0)
        return error;
    order->mode = status.st_mode;
    error = replace(order, real);
    free(real);
    return error;
}

/* Other tasks run in between. */
static int copy(char *to, const char *from, size_t size)
{
    enum { AT_ONCE = 1 << 20 };
    for (;;) {
        size_t piece = size < AT_ONCE ? size : AT_ONCE;
        memcpy(to, from, piece);
        if (piece == size)
            return 0;
        to += piece;
        from += piece;
        size -= piece;
        int error = salp_yield();
        if (error < 0)
            return error;
    }
}

int salp_file_store(const char *path, const void *data, size_t size)
{
    if (!path || (!data && size > 0))
        return -EINVAL;
    salp__order *order = salp__order_open_bytes(call_store, path, data, size);
    if (!order)
        return -ENOMEM;
    int error = order->bytes != data && size > 0 ? copy(order->bytes, data, size) : 0;
    if (error < 0) {
        salp__order_free(order);
        return error;
    }
    return (int)salp__order_finish(order);
}
