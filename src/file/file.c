/*
 * What is done with open files.
 *
 * Reading goes to bytes of the order's own, and is copied from there: a thread that was left behind must not write to what
 * its caller has long used for something else. A copy costs less than a tenth of the wake-up that comes with it, as long
 * as pieces are some hundred kilobytes; waiting until the system has really ended would cost what scopes promise.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include <salp/file.h>

#include "file/opened.h"
#include "file/order.h"
#include "os/disk.h"
#include "os/memory.h"

enum { PIECE = 256 * 1024 };

/* ---- opening and closing ---- */

static int64_t call_open(salp__order *order)
{
    order->fd = salp__disk_open(order->path, order->flags, order->mode);
    return order->fd;
}

int salp_file_open(salp_file **out, const char *path, int flags, unsigned mode)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!path)
        return -EINVAL;
    salp_file *file = salp__opened_new();
    salp__order *order = file ? salp__order_open(call_open, path, NULL) : NULL;
    if (order) {
        order->flags = flags;
        order->mode = mode ? mode : 0666;
    }
    int error = salp__order_do(order);
    if (error < 0)
        goto free_file;
    error = order->result < 0 ? (int)order->result : 0;
    if (error == 0) {
        file->fd = order->fd;
        order->fd = -1;
        *out = file;
    }
    salp__order_free(order);
    if (error == 0)
        return 0;
free_file:
    salp__free(file);
    return error;
}

static int64_t call_close(salp__order *order)
{
    int fd = order->fd;
    order->fd = -1;
    return salp__disk_close(fd);
}

int salp_file_close(salp_file *file)
{
    if (!file || !salp__opened_drop(file))
        return 0;
    int fd = file->fd;
    salp__free(file);
    salp__order *order = salp__order_open(call_close, NULL, NULL);
    if (!order)
        return salp__disk_close(fd);
    order->fd = fd;
    return salp__order_finish_close(order);
}

/* ---- reading and writing ---- */

static int64_t call_read(salp__order *order)
{
    return salp__disk_read(salp_file_descriptor(order->file), order->bytes, order->size, order->offset);
}

/* One read. In a task not more than a piece. */
static ssize_t read_some(salp_file *file, void *data, size_t size, int64_t offset)
{
    if (size > PIECE && !salp__errand_in_place())
        size = PIECE;
    int error = salp__opened_begin(file);
    if (error < 0)
        return error;
    salp__order *order = salp__order_of(file, salp__order_open_bytes(call_read, NULL, data, size));
    if (order)
        order->offset = offset;
    error = salp__order_do(order);
    if (error < 0)
        return error;
    ssize_t count = (ssize_t)order->result;
    if (count > 0 && order->bytes != data)
        memcpy(data, order->bytes, (size_t)count);
    salp__order_free(order);
    return count;
}

ssize_t salp_file_read(salp_file *file, void *data, size_t size)
{
    if (!file || (!data && size > 0))
        return -EINVAL;
    return read_some(file, data, size, SALP__WHERE_IT_STANDS);
}

ssize_t salp_file_read_at(salp_file *file, void *data, size_t size, int64_t offset)
{
    if (!file || (!data && size > 0) || offset < 0)
        return -EINVAL;
    size_t done = 0;
    ssize_t count;
    do {
        count = read_some(file, (char *)data + done, size - done, offset + (int64_t)done);
        if (count < 0)
            return count;
        done += (size_t)count;
    } while (count > 0 && done < size);
    return (ssize_t)done;
}

static int64_t call_write(salp__order *order)
{
    return salp__disk_write(salp_file_descriptor(order->file), order->bytes, order->size, order->offset);
}

static int write_piece(salp_file *file, const void *data, size_t size, int64_t offset)
{
    int error = salp__opened_begin(file);
    if (error < 0)
        return error;
    salp__order *order = salp__order_of(file, salp__order_open_bytes(call_write, NULL, data, size));
    if (order) {
        order->offset = offset;
        if (order->bytes != data && size > 0)
            memcpy(order->bytes, data, size);
    }
    return (int)salp__order_finish(order);
}

static int write_all(salp_file *file, const char *data, size_t size, int64_t offset)
{
    size_t most = salp__errand_in_place() ? SIZE_MAX : PIECE;
    do {
        size_t piece = size < most ? size : most;
        int error = write_piece(file, data, piece, offset);
        if (error < 0)
            return error;
        data += piece;
        size -= piece;
        if (offset != SALP__WHERE_IT_STANDS)
            offset += (int64_t)piece;
    } while (size > 0);
    return 0;
}

int salp_file_write(salp_file *file, const void *data, size_t size)
{
    if (!file || (!data && size > 0))
        return -EINVAL;
    return write_all(file, data, size, SALP__WHERE_IT_STANDS);
}

int salp_file_write_at(salp_file *file, const void *data, size_t size, int64_t offset)
{
    if (!file || (!data && size > 0) || offset < 0)
        return -EINVAL;
    return write_all(file, data, size, offset);
}

/* ---- the rest ---- */

static int64_t call_sync(salp__order *order)
{
    return salp__disk_sync(salp_file_descriptor(order->file));
}

int salp_file_sync(salp_file *file)
{
    int error = file ? salp__opened_begin(file) : -EINVAL;
    if (error < 0)
        return error;
    return (int)salp__order_finish(salp__order_of(file, salp__order_open(call_sync, NULL, NULL)));
}

static int64_t call_resize(salp__order *order)
{
    return salp__disk_resize(salp_file_descriptor(order->file), order->offset);
}

int salp_file_resize(salp_file *file, int64_t size)
{
    int error = file && size >= 0 ? salp__opened_begin(file) : -EINVAL;
    if (error < 0)
        return error;
    salp__order *order = salp__order_of(file, salp__order_open(call_resize, NULL, NULL));
    if (order)
        order->offset = size;
    return (int)salp__order_finish(order);
}

static int64_t call_status(salp__order *order)
{
    struct stat status;
    int error = salp__disk_status(salp_file_descriptor(order->file), &status);
    if (error == 0)
        salp__file_info_of(&order->info, &status);
    return error;
}

int salp_file_status(salp_file *file, salp_file_info *info)
{
    int error = file && info ? salp__opened_begin(file) : -EINVAL;
    if (error < 0)
        return error;
    return salp__order_tell(salp__order_of(file, salp__order_open(call_status, NULL, NULL)), info);
}

int salp_file_descriptor(const salp_file *file)
{
    return file ? file->fd : -EINVAL;
}
