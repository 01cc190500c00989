/*
 * Errands for files: what is to be done, copies of all that is needed for it, and what came of it. One struct for all
 * calls; what a call has no use for is zero.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ORDER_H
#define SALP__ORDER_H

#include <stddef.h>
#include <stdint.h>

#include <salp/buffer.h>
#include <salp/file.h>

#include "sync/errand.h"

struct stat;

typedef struct salp__order salp__order;

/* Does it, by calls of os/disk.h. Returns the result, or a negative error. */
typedef int64_t salp__order_call(salp__order *order);

struct salp__order {
    salp__errand errand;
    salp__order_call *call;
    int64_t result;      /* of the call */
    salp_file *file;     /* that it uses and holds, or NULL */
    int fd;              /* that it has opened, or is to close, its own until it is -1 */
    const char *path;    /* a copy, or NULL */
    const char *other;   /* a second path */
    void *bytes;         /* to be read or written: its own, or the caller's if he does it himself */
    size_t size;         /* of them */
    int64_t offset;      /* or SALP__WHERE_IT_STANDS */
    int flags;           /* of open */
    unsigned mode;       /* of what is made */
    salp_buffer found;   /* bytes that it has got, its own */
    salp_file_info info; /* likewise */
    char own[];          /* the copies */
};

/* With copies of the paths, each of which may be NULL. NULL: no memory. */
salp__order *salp__order_open(salp__order_call *call, const char *path, const char *other);

/* With `size` bytes of its own, or with those of the caller if he will do it himself; they are not copied here. */
salp__order *salp__order_open_bytes(salp__order_call *call, const char *path, const void *bytes, size_t size);

/* Of a file: with a hold on it. NULL is passed on. */
salp__order *salp__order_of(salp_file *file, salp__order *order);

/* As salp__errand_do; -ENOMEM for NULL. 0: it was done, and `result` tells how. */
int salp__order_do(salp__order *order);

/* The same for one of which nothing but the result matters: returns it, and frees the order. */
int64_t salp__order_finish(salp__order *order);

/* The same for one that closes `fd`: which is done, whatever becomes of the wait. */
int salp__order_finish_close(salp__order *order);

/* The same for one that asks about a file. */
int salp__order_tell(salp__order *order, salp_file_info *info);
void salp__file_info_of(salp_file_info *info, const struct stat *status);

void salp__order_free(salp__order *order);

#endif
