/*
 * A descriptor that is used again and again, and that one loop's poller knows for as long as it lasts.
 *
 * A poller with edges tells each change once. So what is known of the descriptor is kept here: a side is `ready` unless the
 * kernel has said that it is not, and nothing has come since. A poller without edges has no use for that: there it is
 * asked for each wait.
 *
 * The loop that first waits for it becomes its home. Others may wait for the same descriptor in other ways (poll, a watch
 * of their own), and none of them disturbs the other: to be ready is a proposal to try, and a wrong one costs a system
 * call that finds nothing.
 *
 *   | homeless | --settle--> | at home | --home closes--> | homeless |
 *        `-----close--------------'----from another thread--> | leaving | --event at home--> gone
 *
 * I1  `home` changes under the latch, from NULL by the thread of the new home, to NULL by the thread of the old one. So the
 *     thread that finds its own loop there may rely on it.
 * I2  `ready` and who is to be told belong to the thread of the home. A side becomes not ready only when a call on it has
 *     just said so, between two looks at the descriptors: what comes later comes with a new edge.
 * I3  A port is closed by any thread, and its home's poller may at that moment be about to tell of it. So it stays until its
 *     home has run an event, which is sent under the latch: a home that closes takes the latch of each of its ports before
 *     it takes what was sent for the last time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PORT_H
#define SALP__PORT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "lockfree/latch.h"
#include "loop/loop.h"

typedef struct salp__side {
    bool ready;              /* may be so: try [home] */
    void (*tell)(void *arg); /* when it becomes so; NULL: nobody wants to know [home] */
    void *arg;
    _Atomic bool taken; /* for floors above: somebody waits for it, wherever; relaxed, nothing is handed over by it */
} salp__side;

typedef struct salp__port {
    salp__watch watch;
    salp__side in, out;
    bool ending; /* a hang-up, an error or urgent bytes have been seen: a short read is not the last one [home] */
    _Atomic(salp__loop *) home; /* I1; NULL: none */
    salp__list link;            /* in its home's list [home] */
    salp__latch latch;
    unsigned forks;    /* of which process it is */
    salp__event event; /* has it leave its home */
    void (*gone)(struct salp__port *port);
} salp__port;

void salp__port_open(salp__port *port, int fd);

/* Makes this thread's loop its home, unless it has another one. 0: it is at home here; 1: it is not, and who waits asks in
   another way. Errors: -ENOMEM, -ENOSPC, -EMFILE. */
int salp__port_settle(salp__port *port);

/* Has it leave its home, if that is this thread's loop, so that the descriptor can be watched in another way. Nobody may wait
   for it here. */
void salp__port_leave(salp__port *port);

/* Closes the descriptor at once, and calls gone(port) when nobody knows it any more: in this call, or by its home. Nobody may
   wait for it. */
void salp__port_close(salp__port *port, void (*gone)(salp__port *port));

/* Closes the descriptor, and keeps the port: it has none any more. Who waits for it at home here is told. Returns 0. */
int salp__port_shut(salp__port *port);

/* Has who waits for it at home here try again: something was done of which the kernel tells nobody. */
void salp__port_tell(salp__port *port);

/* Whether it is at home in this thread's loop. */
static inline bool salp__port_is_home(const salp__port *port)
{
    /* relaxed: only we ourselves make it ours. I1 */
    const salp__loop *home = atomic_load_explicit(&port->home, memory_order_relaxed);
    return home && home == salp__loop_here();
}

#endif
