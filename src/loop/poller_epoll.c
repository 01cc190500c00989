/* The poller on epoll: the reference. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>

#include "loop/poller.h"
#include "os/epoll.h"
#include "os/file.h"
#include "os/memory.h"

typedef struct epoll_poller {
    salp__poller poller;
    int epoll;
} epoll_poller;

static int open_poller(salp__poller **out)
{
    epoll_poller *p = salp__allocate(sizeof *p);
    if (!p)
        return -ENOMEM;
    p->poller.type = &salp__poller_epoll;
    p->epoll = salp__epoll_open();
    if (p->epoll < 0) {
        int error = p->epoll;
        salp__free(p);
        return error;
    }
    *out = &p->poller;
    return 0;
}

static int epoll_of(const salp__poller *poller)
{
    return ((const epoll_poller *)poller)->epoll;
}

static void close_poller(salp__poller *poller)
{
    salp__file_close(epoll_of(poller));
    salp__free(poller);
}

static int add(salp__poller *poller, salp__watch *watch)
{
    return salp__epoll_add(epoll_of(poller), watch->fd, watch->events, watch);
}

static int change(salp__poller *poller, salp__watch *watch)
{
    return salp__epoll_change(epoll_of(poller), watch->fd, watch->events, watch);
}

static void remove_watch(salp__poller *poller, salp__watch *watch)
{
    salp__epoll_remove(epoll_of(poller), watch->fd);
}

static void wait_poller(salp__poller *poller, int64_t deadline)
{
    salp__readiness ready[64];
    int count = salp__epoll_wait(epoll_of(poller), ready, 64, deadline);
    for (int i = 0; i < count; i++) {
        salp__watch *watch = ready[i].what;
        if (watch->ready)
            watch->ready(watch, ready[i].events);
    }
}

static bool prepare(salp__poller *poller)
{
    (void)poller; /* the kernel knows all */
    return true;
}

const salp__poller_type salp__poller_epoll = {
    .name = "epoll",
    .edges = true,
    .open = open_poller,
    .close = close_poller,
    .add = add,
    .change = change,
    .remove = remove_watch,
    .wait = wait_poller,
    .prepare = prepare,
    .fd = epoll_of,
};
