/*
 * A task that waits for a descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__READY_H
#define SALP__READY_H

#include <stdint.h>

#include "os/epoll.h"

typedef struct salp__interest {
    int fd;          /* one that can be waited for; nobody else in this loop waits for it */
    uint32_t events; /* SALP__POLL_IN, SALP__POLL_OUT */
} salp__interest;

enum { SALP__INTERESTS = 2 };

/*
 * In a task: lets others run until one of the descriptors may be ready, at least once. Look again: it may not be, and a
 * loop that cannot watch it, for lack of memory or descriptors, looks each millisecond.
 * 0, or, when scopes end it, -ECANCELED or -ETIMEDOUT.
 */
int salp__wait_ready(const salp__interest interests[], int count);

/* The same, whatever scopes say; at most until `deadline`. */
void salp__wait_ready_through(const salp__interest interests[], int count, int64_t deadline);

#endif
