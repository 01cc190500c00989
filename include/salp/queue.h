/*
 * salp/queue.h - queues: items handed from those who put to those who get.
 *
 * The same queue between tasks of one loop, loops, and plain threads, any number
 * on each side. Items are copied in and out. Who has to wait in a task suspends
 * that task alone, and who waits longest is served first.
 *
 *     salp_queue *jobs;
 *     salp_queue_open(&jobs, &(salp_queue_options){ .item_size = sizeof(job), .capacity = 16 });
 *
 *     salp_queue_put(jobs, &one);                  // waits while 16 are there
 *     ...                                          // elsewhere:
 *     while ((result = salp_queue_get(jobs, &one)) == 0)
 *         work(&one);
 *     return result == -EPIPE ? 0 : result;        // shut down and empty; or a scope is over
 *
 * Any task and thread may call these; callbacks of loops and forks of the program:
 * as salp/sync.h says. So does it of shared queues: who uses them, their errors, and
 * that a process may be killed at any instruction. A queue loses at most the message
 * that was being written then; what the dead process had taken and not done counts as
 * done, and the next join is told. What it was reading comes back, in front and in its
 * order; so the queue may hold more than its capacity, by as many, until they are taken.
 *
 * A queue that was shut down takes no more items, gives those that it holds, and
 * then says -EPIPE. To wait for several things at once: salp/select.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_QUEUE_H
#define SALP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/select.h>

SALP_BEGIN

typedef struct salp_queue salp_queue;

/* Which item comes out next. */
typedef enum salp_order {
    SALP_FIFO,     /* the oldest */
    SALP_LIFO,     /* the newest: a stack */
    SALP_PRIORITY, /* the least by `compare`; the oldest of equal ones */
} salp_order;

/* A capacity: putting never waits, and memory grows with the items. */
#define SALP_UNBOUNDED SIZE_MAX

typedef struct salp_queue_options {
    size_t item_size; /* bytes of an item, at least 1 */
    size_t capacity;  /* items that it holds; 0: none, each put waits for the get that takes it (rendezvous) */
    salp_order order;
    /* For SALP_PRIORITY: less than, equal to or greater than 0, as for qsort. Called while the queue is held, and by
       select other queues, too: it must call nothing of Salp. Items are aligned as in an array, to 16 bytes at most. */
    int (*compare)(const void *a, const void *b);
    /* Between processes. Items must mean something there: no addresses. Who waits longest is served first, and after those
       who wait in a call come those who wait in a select. */
    bool shared;
} salp_queue_options;

/*
 * Opens a queue. Owns: *queue, until salp_queue_close. Threads: any. Waits: no.
 * Errors: -EINVAL: queue or options is NULL, item_size is 0, `compare` is given
 * without SALP_PRIORITY or is missing with it, or an order other than SALP_FIFO
 * with capacity 0; -ENOMEM: no memory for so many items; of a shared one also -EMFILE,
 * -ENFILE, -ENOSPC, -ENOENT (no /proc), and -EFBIG: files may not be as large as its
 * memory, which is taken as items come (RLIMIT_FSIZE): for those in the capacity, up to
 * 1 GiB for those that wait, 16 GiB without a bound.
 */
SALP_API int salp_queue_open(salp_queue **queue, const salp_queue_options *options);

/*
 * A handle of a shared queue by the descriptor of its memory, which stays the caller's.
 * `options` may be NULL. What counts of them: `compare`, which SALP_PRIORITY needs, and has
 * to order as that of the others does; and `item_size`, which has to be the queue's unless it is 0.
 * Owns: *queue, until salp_queue_close. Threads: any. Waits: no.
 * Errors: -EBADF; -EINVAL queue is NULL, the descriptor is not of a shared queue, or not of
 * one with this item_size, or `compare` is missing or too much; -EPROTO, -EXDEV, -EUSERS,
 * -EMFILE, -ENFILE, -ENOMEM, -ENOENT as of salp_mutex_attach.
 */
SALP_API int salp_queue_attach(salp_queue **queue, int fd, const salp_queue_options *options);

/* The descriptor of its memory: the queue's own, until it is closed. Waits: no. Errors: -EINVAL it is NULL or not shared. */
SALP_API int salp_queue_fd(const salp_queue *queue);

/*
 * Puts a copy of *item. Waits while the queue is full; with capacity 0, until
 * somebody has taken it.
 * Errors: -EINVAL queue or item is NULL; -EPIPE it was shut down; -ENOMEM an
 * unbounded queue could not grow, or there is no memory for an item of a shared one;
 * -ECANCELED, -ETIMEDOUT a scope (salp/task.h) is over; of a shared one also -EAGAIN:
 * as many wait as it has room for. After each of them the item was not put.
 */
SALP_API int salp_queue_put(salp_queue *queue, const void *item);

/*
 * Takes the next item into *item. Waits while there is none.
 * Errors: -EINVAL; -EPIPE it was shut down and is empty; -ECANCELED, -ETIMEDOUT; of a shared one
 * also -EAGAIN, as above, and -ENOMEM: there is no memory to hand an item to one who waits.
 * After each of them nothing was taken, and *item is as it was.
 */
SALP_API int salp_queue_get(salp_queue *queue, void *item);

/* The same without waiting: -EAGAIN where the other would wait. */
SALP_API int salp_queue_try_put(salp_queue *queue, const void *item);
SALP_API int salp_queue_try_get(salp_queue *queue, void *item);

/*
 * Takes no more items from now on. Who waits to put ends with -EPIPE; so does who
 * waits to get, since nobody waits while there are items. Again: nothing.
 * Threads: any. Waits: no. Errors: -EINVAL.
 */
SALP_API int salp_queue_shutdown(salp_queue *queue);

/*
 * The work on one item that was taken is done. Work that finds more work puts that
 * first, so that a join does not end in between; into a queue with a bound only
 * from elsewhere than from all those who get, or all of them may wait for room.
 * Threads: any. Waits: no.
 * Errors: -EINVAL queue is NULL, or it was called more often than items were put; of a
 * shared one: than items were taken, by whichever process.
 */
SALP_API int salp_queue_done(salp_queue *queue);

/*
 * Waits until the work on all items that were put is done.
 * -EOWNERDEAD, of a shared one: so it is, but a process has died, or closed its handle,
 * while work that it had taken was not done. One call is told.
 * Errors: -EINVAL; -ECANCELED, -ETIMEDOUT.
 */
SALP_API int salp_queue_join(salp_queue *queue);

/* How many items it holds now; 0 for NULL. Threads: any. Waits: no. */
SALP_API size_t salp_queue_count(salp_queue *queue);

/* Frees it with the items that it holds, of a shared one the last process to close it. NULL is accepted. Closing one that
   somebody of this process waits in is the caller's error. */
SALP_API void salp_queue_close(salp_queue *queue);

SALP_END

#endif
