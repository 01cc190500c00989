/*
 * Waiting for many descriptors with io_uring(7), through liburing.
 *
 * What is asked for is gathered, and goes to the kernel with the next wait: one system call for all. Each request is
 * answered once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__RING_H
#define SALP__RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct salp__ring salp__ring;

/* What a request was answered with. */
typedef struct salp__answer {
    void *what;
    int32_t result; /* the events (os/epoll.h), or a negative error; -ECANCELED: it was taken back */
} salp__answer;

/* Errors: -ENOSYS, -EPERM, -EACCES: not to be had here, or too old; -ENOMEM, -EMFILE. */
int salp__ring_open(salp__ring **ring);
void salp__ring_close(salp__ring *ring);

/* Asks for one of the events of a descriptor; takes that back. Errors: -ENOMEM and the like: nothing was asked. */
int salp__ring_poll(salp__ring *ring, int fd, uint32_t events, void *what);
int salp__ring_take_back(salp__ring *ring, void *what);

/* Reads from a socket, or writes to it, now or as soon as that can be done; the memory is the kernel's until it is answered
   with the bytes, maybe fewer, or an error. `soon`: nothing is expected to be there yet. Errors: -ENOMEM and the like: nothing
   was asked. */
int salp__ring_receive(salp__ring *ring, int fd, void *data, size_t size, bool soon, void *what);
int salp__ring_send(salp__ring *ring, int fd, const void *data, size_t size, void *what);

/* Takes any of these back: it is answered soon, with -ECANCELED if nothing has been done. Errors: -ENOMEM. */
int salp__ring_cancel(salp__ring *ring, void *what);

/* Gives the kernel what was asked. false: it does not take all of it now (no memory); the next call tries again. */
bool salp__ring_submit(salp__ring *ring);

/* The same, and waits for answers until `deadline` (0: not at all). Returns how many, at most `max`; or -EINTR. */
int salp__ring_wait(salp__ring *ring, salp__answer answers[], int max, int64_t deadline);

/* Readable when there are answers. */
int salp__ring_fd(const salp__ring *ring);

#endif
