/*
 * Waiting for many descriptors with epoll(7), and the two descriptors that a loop waits for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__EPOLL_H
#define SALP__EPOLL_H

#include <stdint.h>

/* What a descriptor is waited for, and what has come: the bits of epoll and poll. */
enum {
    SALP__POLL_IN = 0x001,
    SALP__POLL_OUT = 0x004,
    SALP__POLL_ERROR = 0x008,
    SALP__POLL_HANGUP = 0x010,
    SALP__POLL_NOT_OPEN = 0x020, /* poll alone tells it */
    SALP__POLL_PEER_GONE = 0x2000,
    SALP__POLL_URGENT = 0x002,
};

/* Of a watch: what has come is told once, and not again before something new comes. */
#define SALP__POLL_EDGE (1U << 31)

typedef struct salp__readiness {
    void *what;
    uint32_t events;
} salp__readiness;

int salp__epoll_open(void);

/* Level-triggered, unless asked otherwise. Errors: -EBADF, -EPERM it is always ready, -ENOMEM, -ENOSPC fs.epoll.max_user_watches. */
int salp__epoll_add(int epoll, int fd, uint32_t events, void *what);
int salp__epoll_change(int epoll, int fd, uint32_t events, void *what);
void salp__epoll_remove(int epoll, int fd);

/* Waits until `deadline` (0: not at all). Returns how many are ready, at most `max` (no more than 64); 0; or -EINTR. */
int salp__epoll_wait(int epoll, salp__readiness ready[], int max, int64_t deadline);

/* An eventfd that is read once for each time that it was written, and waits for it if need be. */
int salp__doorbell_open(void);
void salp__doorbell_ring(int fd);
void salp__doorbell_wait(int fd);

/* A timerfd: readable from `deadline` on, until it is set again. SALP_FOREVER: never. */
int salp__clock_fd_open(void);
void salp__clock_fd_set(int fd, int64_t deadline);

/* Whether a descriptor can be waited for: 0, -EBADF it is not open, -EPERM a file or a folder. */
int salp__may_poll(int fd);

#endif
