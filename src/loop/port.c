/* Ports; the header tells how. SPDX-License-Identifier: MIT */
#include "loop/port.h"

#include <errno.h>
#include <stddef.h>

#include "os/epoll.h"
#include "os/file.h"
#include "os/process.h"

void salp__port_open(salp__port *port, int fd)
{
    *port = (salp__port){ .watch.fd = fd, .in.ready = true, .out.ready = true, .forks = salp__forks() };
}

static void tell(salp__side *side)
{
    side->ready = true;
    if (side->tell)
        side->tell(side->arg);
}

static void note_ready(salp__watch *watch, uint32_t events)
{
    salp__port *port = (salp__port *)watch; /* its first member */
    const uint32_t over = SALP__POLL_ERROR | SALP__POLL_HANGUP;
    if (events & (over | SALP__POLL_PEER_GONE | SALP__POLL_URGENT))
        port->ending = true;
    if (events & (over | SALP__POLL_PEER_GONE | SALP__POLL_IN | SALP__POLL_URGENT))
        tell(&port->in);
    if (events & (over | SALP__POLL_OUT))
        tell(&port->out);
}

int salp__port_settle(salp__port *port)
{
    salp__loop *here = salp__loop_here();
    int error = salp__loop_need_poller(here);
    if (error < 0)
        return error;
    if (!here->poller->type->edges)
        return 1;
    salp__latch_take(&port->latch);
    int result = port->home != here;
    if (!port->home) {
        port->watch.ready = note_ready;
        port->watch.events =
            SALP__POLL_IN | SALP__POLL_OUT | SALP__POLL_PEER_GONE | SALP__POLL_URGENT | SALP__POLL_EDGE;
        result = salp__loop_watch(here, &port->watch);
        if (result == 0) {
            port->in.ready = port->out.ready = false; /* the first edges tell how it is */
            salp__list_append(&here->ports, &port->link);
            atomic_store_explicit(&port->home, here, memory_order_relaxed); /* I1: read under the latch, or by us */
        } else if (result == -EEXIST || result == -EPERM) {
            result = 1; /* somebody watches it here as he likes; or it is a file */
        }
    }
    salp__latch_release(&port->latch);
    return result;
}

/* In the thread of its home. [latch] */
static void leave_home_locked(salp__port *port)
{
    salp__loop *home = port->home;
    salp__list_remove(&port->link);
    salp__loop_unwatch(home, &port->watch);
    port->in.ready = port->out.ready = true;
    atomic_store_explicit(&port->home, NULL, memory_order_relaxed); /* I1 */
}

void salp__port_leave(salp__port *port)
{
    salp__latch_take(&port->latch);
    if (salp__port_is_home(port))
        leave_home_locked(port);
    salp__latch_release(&port->latch);
}

/* It was closed elsewhere. */
static void leave_home(salp__event *event)
{
    salp__port *port = SALP__CONTAINER(event, salp__port, event);
    salp__latch_take(&port->latch); /* who has closed it may still be about to let go of it */
    if (port->home) {
        salp__list_remove(&port->link);
        port->home->watches--;
    }
    port->gone(port);
}

void salp__port_close(salp__port *port, void (*gone)(salp__port *port))
{
    int fd = port->watch.fd;
    if (port->forks != salp__forks()) {
        /* A child's copy. The home, its poller and its list are the parent's, whatever lies in our memory. */
        salp__file_close(fd);
        gone(port);
        return;
    }
    salp__latch_take(&port->latch);
    salp__loop *home = port->home;
    if (home && home != salp__loop_here()) {
        home->poller->type->remove(home->poller,
                                   &port->watch); /* epoll's, of any thread: the home has not closed, I3 */
        salp__file_close(fd);
        port->gone = gone;
        port->event.run = leave_home;
        salp__loop_post(home, &port->event);
        salp__latch_release(&port->latch);
        return;
    }
    if (home)
        leave_home_locked(port);
    salp__latch_release(&port->latch);
    salp__file_close(fd);
    gone(port);
}

int salp__port_shut(salp__port *port)
{
    salp__latch_take(&port->latch);
    salp__loop *home = port->home;
    int fd = port->watch.fd;
    if (home && port->forks == salp__forks())
        home->poller->type->remove(home->poller, &port->watch);
    port->watch.fd = -1;
    salp__latch_release(&port->latch);
    salp__file_close(fd);
    salp__port_tell(port);
    return 0;
}

void salp__port_tell(salp__port *port)
{
    if (salp__port_is_home(port)) {
        tell(&port->in);
        tell(&port->out);
    }
}

void salp__ports_close(salp__loop *loop)
{
    while (!salp__list_empty(&loop->ports)) {
        salp__port *port = SALP__CONTAINER(loop->ports.next, salp__port, link);
        salp__latch_take(&port->latch);
        leave_home_locked(port);
        salp__latch_release(&port->latch);
    }
}
