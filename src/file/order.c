/* Errands for files. SPDX-License-Identifier: MIT */
#include "file/order.h"

#include <errno.h>
#include <string.h>

#include <salp/time.h>

#include "file/opened.h"
#include "os/disk.h"
#include "os/memory.h"

static void run(salp__errand *errand)
{
    salp__order *order = (salp__order *)errand;
    order->result = order->call(order);
}

static void leave(salp__errand *errand)
{
    const salp__order *order = (salp__order *)errand;
    if (order->file)
        salp__opened_leave(order->file);
}

static void free_order(salp__errand *errand)
{
    salp__order *order = (salp__order *)errand;
    if (order->file && order->errand.left)
        salp__opened_return(order->file);
    if (order->file)
        salp__opened_release(order->file);
    if (order->fd >= 0)
        (void)salp__disk_close(order->fd); /* nobody is there to be told */
    salp_buffer_free(&order->found);
    salp__free(order);
}

static const salp__errand_sort orders = {
    .crew = SALP__FILES, .what = "a file", .run = run, .free = free_order, .left = leave
};

static const salp__errand_sort closings = {
    .crew = SALP__FILES, .what = "a file to be closed", .run = run, .free = free_order, .always = true
};

static salp__order *open_order(salp__order_call *call, size_t room)
{
    /* What is behind it will be written before it is read, and may be large. */
    salp__order *order = salp__allocate_raw(sizeof *order + room);
    if (!order)
        return NULL;
    *order = (salp__order){ .errand.sort = &orders, .call = call, .fd = -1 };
    return order;
}

salp__order *salp__order_open(salp__order_call *call, const char *path, const char *other)
{
    size_t first = path ? strlen(path) + 1 : 0, second = other ? strlen(other) + 1 : 0;
    salp__order *order = open_order(call, first + second);
    if (!order)
        return NULL;
    if (path)
        order->path = memcpy(order->own, path, first);
    if (other)
        order->other = memcpy(order->own + first, other, second);
    return order;
}

salp__order *salp__order_open_bytes(salp__order_call *call, const char *path, const void *bytes, size_t size)
{
    bool in_place = salp__errand_in_place();
    size_t length = path ? strlen(path) + 1 : 0;
    if (size > PTRDIFF_MAX - length - sizeof(salp__order))
        return NULL;
    salp__order *order = open_order(call, length + (in_place ? 0 : size));
    if (!order)
        return NULL;
    if (path)
        order->path = memcpy(order->own, path, length);
    order->bytes = in_place ? (void *)(uintptr_t)bytes : order->own + length;
    order->size = size;
    return order;
}

salp__order *salp__order_of(salp_file *file, salp__order *order)
{
    if (order) {
        salp__opened_hold(file);
        order->file = file;
    }
    return order;
}

int salp__order_do(salp__order *order)
{
    return order ? salp__errand_do(&order->errand) : -ENOMEM;
}

int64_t salp__order_finish(salp__order *order)
{
    int error = salp__order_do(order);
    if (error < 0)
        return error;
    int64_t result = order->result;
    salp__order_free(order);
    return result;
}

int salp__order_finish_close(salp__order *order)
{
    order->errand.sort = &closings;
    return (int)salp__order_finish(order);
}

int salp__order_tell(salp__order *order, salp_file_info *info)
{
    int error = salp__order_do(order);
    if (error < 0)
        return error;
    error = (int)order->result;
    if (error == 0)
        *info = order->info;
    salp__order_free(order);
    return error;
}

/* File systems know of years that 64 bits of nanoseconds do not reach. */
static int64_t nanoseconds_of(struct timespec time)
{
    int64_t result;
    if (__builtin_mul_overflow((int64_t)time.tv_sec, SALP_SECONDS(1), &result) ||
        __builtin_add_overflow(result, (int64_t)time.tv_nsec, &result))
        return time.tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return result;
}

void salp__file_info_of(salp_file_info *info, const struct stat *status)
{
    *info = (salp_file_info){
        .type = S_ISREG(status->st_mode)   ? SALP_FILE_REGULAR
                : S_ISDIR(status->st_mode) ? SALP_FILE_DIRECTORY
                                           : SALP_FILE_OTHER,
        .mode = status->st_mode & 07777,
        .size = status->st_size,
        .modified = nanoseconds_of(status->st_mtim),
        .device = status->st_dev,
        .inode = status->st_ino,
        .links = status->st_nlink,
        .user = status->st_uid,
        .group = status->st_gid,
    };
}

void salp__order_free(salp__order *order)
{
    free_order(&order->errand);
}
