/*
 * Descriptors that users watch, each in a table by its number.
 *
 * A descriptor that is ready has its function called as an event, so not within the poller. One that is unwatched while
 * its event is in the queue is freed by the event.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "loop/loop.h"
#include "os/epoll.h"
#include "os/memory.h"

typedef struct salp__user_watch {
    salp__watch watch;
    salp__event event;
    salp_watch_fn *function;
    void *arg;
    uint32_t came; /* events that have come, and were not told yet */
    bool queued;   /* the event is in the loop's queue */
    bool ended;
} user_watch;

static const unsigned asked = SALP_READABLE | SALP_WRITABLE | SALP_HANGUP;

static uint32_t to_poll(unsigned events)
{
    return (events & SALP_READABLE ? SALP__POLL_IN : 0) | (events & SALP_WRITABLE ? SALP__POLL_OUT : 0) |
           (events & SALP_HANGUP ? SALP__POLL_PEER_GONE : 0);
}

static unsigned from_poll(uint32_t events)
{
    return (events & SALP__POLL_IN ? SALP_READABLE : 0) | (events & SALP__POLL_OUT ? SALP_WRITABLE : 0) |
           (events & (SALP__POLL_ERROR | SALP__POLL_HANGUP | SALP__POLL_PEER_GONE) ? SALP_HANGUP : 0);
}

static void tell(salp__event *event)
{
    user_watch *w = SALP__CONTAINER(event, user_watch, event);
    unsigned came = from_poll(w->came);
    w->queued = false;
    w->came = 0;
    if (w->ended)
        salp__free(w);
    else if (came != 0)
        w->function(w->watch.fd, came, w->arg);
}

static void note_ready(salp__watch *watch, uint32_t events)
{
    user_watch *w = (user_watch *)watch; /* its first member */
    w->came |= events;
    if (w->queued)
        return;
    w->queued = true;
    salp__loop_soon(salp__loop_here(), &w->event);
}

/* ---- the table ---- */

static user_watch *find(const salp_loop *loop, int fd)
{
    return fd >= 0 && (size_t)fd < loop->user_watch_room ? loop->user_watches[fd] : NULL;
}

static int make_room(salp_loop *loop, int fd)
{
    if ((size_t)fd < loop->user_watch_room)
        return 0;
    size_t room = loop->user_watch_room > 0 ? loop->user_watch_room : 16;
    while (room <= (size_t)fd)
        room *= 2;
    user_watch **table = salp__allocate(room * sizeof(user_watch *));
    if (!table)
        return -ENOMEM;
    if (loop->user_watches)
        memcpy(table, loop->user_watches, loop->user_watch_room * sizeof(user_watch *));
    salp__free(loop->user_watches);
    loop->user_watches = table;
    loop->user_watch_room = room;
    return 0;
}

/* ---- beginning and ending ---- */

static void end(salp_loop *loop, user_watch *w)
{
    loop->user_watches[w->watch.fd] = NULL;
    salp__loop_unwatch(loop, &w->watch);
    w->ended = true;
    if (!w->queued)
        salp__free(w);
}

static int begin(salp_loop *loop, int fd, unsigned events, salp_watch_fn *function, void *arg)
{
    int error = salp__may_poll(fd); /* before a table is made for a number that is none */
    if (error == 0)
        error = make_room(loop, fd);
    if (error < 0)
        return error;
    user_watch *w = salp__allocate(sizeof *w);
    if (!w)
        return -ENOMEM;
    w->watch = (salp__watch){ .fd = fd, .events = to_poll(events), .ready = note_ready };
    w->event.run = tell;
    w->function = function;
    w->arg = arg;
    error = salp__loop_watch(loop, &w->watch);
    if (error < 0) {
        salp__free(w);
        return error;
    }
    loop->user_watches[fd] = w;
    return 0;
}

static int change(salp_loop *loop, user_watch *w, unsigned events, salp_watch_fn *function, void *arg)
{
    uint32_t before = w->watch.events;
    w->watch.events = to_poll(events);
    int error = before == w->watch.events ? 0 : salp__loop_rewatch(loop, &w->watch);
    if (error < 0) {
        w->watch.events = before;
        return error;
    }
    w->came &= w->watch.events | SALP__POLL_ERROR | SALP__POLL_HANGUP;
    w->function = function;
    w->arg = arg;
    return 0;
}

int salp_loop_watch(salp_loop *loop, int fd, unsigned events, salp_watch_fn *function, void *arg)
{
    if (!loop || events & ~asked || (events != 0 && !function))
        return -EINVAL;
    if (loop != salp__loop_here())
        return -EPERM;
    user_watch *w = find(loop, fd);
    if (events == 0) {
        if (w)
            end(loop, w);
        return w ? 0 : -ENOENT;
    }
    if (fd < 0)
        return -EBADF;
    return w ? change(loop, w, events, function, arg) : begin(loop, fd, events, function, arg);
}

void salp__watches_close(salp__loop *loop)
{
    for (size_t fd = 0; fd < loop->user_watch_room; fd++) {
        if (loop->user_watches[fd])
            end(loop, loop->user_watches[fd]);
    }
    salp__free(loop->user_watches);
    loop->user_watches = NULL;
    loop->user_watch_room = 0;
}
