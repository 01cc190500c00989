/*
 * Those who wait for an object, in the order in which they came; and its lock.
 *
 *     salp__line_begin(line);                 error if a scope is over; else the lock is held
 *     if (it can be had at once) take it, salp__line_end
 *     else salp__line_wait                    releases the lock; 0: it was handed over
 *
 * Threads: any, and tasks. The lock is held for some instructions only, never while anybody waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LINE_H
#define SALP__LINE_H

#include "base/list.h"
#include "os/thread.h"
#include "task/scope.h"
#include "task/wait.h"

typedef struct salp__line {
    salp__lock lock;
    salp__list waiters; /* [lock] */
} salp__line;

void salp__line_open(salp__line *line);
void salp__line_close(salp__line *line);

/* Takes the lock. Returns 0, or -ECANCELED or -ETIMEDOUT without the lock. */
int salp__line_begin(salp__line *line);
void salp__line_end(salp__line *line);

/* [lock held on entry, released] 0: a claimer has handed over what the object is for. -EINTR: begin again. */
int salp__line_wait(salp__line *line);

/* The one who has waited longest and can still be reached, claimed and taken off; or NULL. [lock] */
salp__waiter *salp__line_next_locked(salp__line *line);

#endif
