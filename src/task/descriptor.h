/*
 * Waiting until descriptors are ready: a task on its loop, a plain thread in poll(2).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__DESCRIPTOR_H
#define SALP__DESCRIPTOR_H

#include <stdint.h>

#include "loop/poller.h"
#include "os/epoll.h"
#include "task/wait.h"

/* What one descriptor is waited for. Lives in the caller's frame. */
typedef struct salp__interest {
    int fd;          /* -1: not looked at */
    uint32_t events; /* SALP__POLL_IN and the like, os/epoll.h */
    uint32_t came;   /* which have come; errors and hang-ups also when they were not asked for */
    salp__watch watch;
    salp__spot *spot;
    int copy; /* of the descriptor, for a poller that knows it already; -1: there is none */
} salp__interest;

enum { SALP__MAX_INTERESTS = 15 };

/*
 * For a task that waits for other things, too: interest->spot, which is the waiter's, is claimed and resumed when the
 * descriptor is ready; until unwatched. Of the interest, fd, events and spot are set. Errors: -EPERM: a file or a folder, which
 * always is; -ENOMEM, -EMFILE, -ENOSPC, -EBADF.
 */
int salp__interest_watch(const salp__waiter *waiter, salp__interest *interest);
void salp__interest_unwatch(const salp__waiter *waiter, salp__interest *interest);

/*
 * Waits until at least one of them is ready; a file or a folder always is. Returns how many are; 0: it is `until`.
 * Errors: -ETIMEDOUT, -ECANCELED a scope ends it; SALP_EINSIDE in a callback of a loop; -ENOMEM, -EMFILE, -ENOSPC;
 * -EBADF one is not open.
 */
int salp__descriptors_wait(salp__interest set[], int count, int64_t until, const char *what);

/* The same for one, for as long as it takes. Returns what has come, or an error. */
int salp__descriptor_wait(int fd, uint32_t events, const char *what);

/* The same for one, whatever scopes say: until it may be ready, or `until`. For want of memory or descriptors it may end a
   millisecond later, so look. Not in callbacks. */
void salp__descriptor_wait_through(int fd, uint32_t events, int64_t until, const char *what);

#endif
