/*
 * How a loop learns which descriptors are ready: epoll or io_uring, behind one contract.
 *
 * A poller says what is ready through salp__watch_ready, from within `wait`, and nothing else runs there.
 *
 * Threads: the loop's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__POLLER_H
#define SALP__POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* A descriptor that is watched. Lives with the one who watches. */
typedef struct salp__watch {
    int fd;
    uint32_t events;                                           /* what is waited for: os/epoll.h */
    void (*ready)(struct salp__watch *watch, uint32_t events); /* called by `wait`: must be short; NULL: nothing */
    void *request;                                             /* the poller's own */
} salp__watch;

/* Something that the poller does when it can be done. Lives in the caller's frame until `done` has been called. */
typedef struct salp__operation {
    enum { SALP__POLL, SALP__RECEIVE, SALP__RECEIVE_LATER, SALP__SEND } kind;
    int fd;
    uint32_t events; /* of SALP__POLL */
    union {
        void *to;
        const void *from;
    };
    size_t size;
    int64_t result; /* bytes or events; a negative error; -ECANCELED: it was stopped */
    bool finished;
    void (*done)(struct salp__operation *operation); /* called by `wait`: must be short */
    void *arg;
    salp__list link; /* the poller's own */
} salp__operation;

typedef struct salp__poller {
    const struct salp__poller_type *type;
} salp__poller;

typedef struct salp__poller_type {
    const char *name;
    bool edges;                         /* whether a watch may ask for SALP__POLL_EDGE, and then stays at no cost */
    int (*open)(salp__poller **poller); /* an error: it is not to be had here */
    void (*close)(salp__poller *poller);
    int (*add)(salp__poller *poller, salp__watch *watch);
    int (*change)(salp__poller *poller, salp__watch *watch); /* its events are others now */
    void (*remove)(salp__poller *poller, salp__watch *watch);
    void (*wait)(salp__poller *poller, int64_t deadline); /* 0: not at all. May end early */
    bool (*prepare)(salp__poller *poller); /* what was asked for holds while `fd` is waited for; false: again, soon */
    int (*fd)(const salp__poller *poller); /* readable when `wait` would find something */

    /* Pollers without edges. An error: it was not started. Stopping is a request, too: `done` is called in any case. */
    int (*start)(salp__poller *poller, salp__operation *operation);
    void (*stop)(salp__poller *poller, salp__operation *operation);
} salp__poller_type;

extern const salp__poller_type salp__poller_epoll, salp__poller_uring;

#endif
