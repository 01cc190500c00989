/*
 * salp/select.h - waiting for the first of several things.
 *
 *     job one;
 *     switch (salp_select((salp_case[]){ { .get = jobs, .item = &one },
 *                                        { .event = stop },
 *                                        { .readable = &fd },
 *                                        { .after = SALP_SECONDS(1) } }, 4)) {
 *     case 0: ...                       // one is filled, or .result says -EPIPE
 *     case 1: ...                       // somebody has set `stop`
 *     case 2: ...                       // there is something to be read: of a process (salp_process_fd), its end
 *     case 3: ...                       // a second has passed
 *     default: ...                      // a scope is over
 *     }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_SELECT_H
#define SALP_SELECT_H

#include <stdint.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/time.h>

SALP_BEGIN

struct salp_queue;
struct salp_future;
struct salp_event;

/*
 * One of the things. At most one of get, put, future, event, readable and after is given;
 * a case with none of them never happens, so that one can be switched off.
 */
typedef struct salp_case {
    struct salp_queue *get;     /* an item can be taken: it is, into *item. Or the queue was shut down and is empty */
    struct salp_queue *put;     /* an item can be put: *item is. Or the queue was shut down */
    struct salp_future *future; /* it is resolved */
    struct salp_event *event;   /* it is set */
    const int
        *readable; /* the descriptor there can be read without waiting, or has an error or its end. Nothing is read */
    int64_t after; /* so many nanoseconds have passed since the call; less than 0: at once, if nothing else */
    void *item;
    int result; /* written for the case that has happened: what salp_queue_get, salp_queue_put, salp_future_wait or
                   salp_event_wait would have returned; 0 for descriptors and time */
    void *salp__private[14];
} salp_case;

/*
 * Waits until one of the cases can happen, has it happen, and returns its index.
 * Exactly one happens; when several could, it is the first of them. The array and
 * what it points to must stay until this returns; but for the object of the case
 * that happens, if it is in this case only: whoever is on its other side may close
 * it as soon as his own call has returned.
 *
 * A put and a get that wait in two selects do not meet at a shared queue with capacity 0:
 * one side has to wait in a call of its own.
 *
 * Allocates nothing; but a plain thread that has to wait for a descriptor runs a loop meanwhile, and -ENOMEM, -EMFILE
 * and the like are errors of that. Threads: any, and tasks. Waits: yes.
 * Errors: -EINVAL: cases is NULL and count is not 0, count is negative, a case has more than one
 * thing, or a queue without item; -EBADF: a descriptor is not open; -ENOMEM, -EMFILE, -ENOSPC of watching it; SALP_EINSIDE: a future that only the caller's
 * own pool could resolve, or a callback of a loop would have to wait; -ECANCELED, -ETIMEDOUT a scope (salp/task.h) is over; those of shared
 * objects that salp/sync.h names. Then nothing has happened.
 */
SALP_API int salp_select(salp_case *cases, int count);

SALP_END

#endif
