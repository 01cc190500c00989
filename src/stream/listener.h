/* Listeners as they are inside. SPDX-License-Identifier: MIT */
#ifndef SALP__LISTENER_H
#define SALP__LISTENER_H

#include <stdatomic.h>

#include <salp/stream.h>

#include "loop/port.h"
#include "stream/place.h"
#include "task/wait.h"

struct salp_listener {
    salp__port port;
    salp__port stop; /* an eventfd: readable from when it is shut down, for all who wait, wherever */
    int family;
    bool tcp;
    _Atomic bool stopped; /* release in shutdown, acquire in accept */
    salp__latch latch;
    salp__list full;  /* servers that take no more now, to be told of a shutdown [latch] */
    _Atomic int open; /* of the two ports; the last one that is gone frees it */
    salp_listen_options options;
    salp__place place;
    struct salp__tls_context *tls; /* or NULL */
    salp_stream *_Atomic spare;    /* I3 of listener.c, or NULL: release who puts it there, acquire who takes it */
};

/* Has the spot claimed when the listener is shut down; false: it is already. Until it is forgotten. */
bool salp__listener_await_shutdown(salp_listener *listener, salp__spot *spot);
void salp__listener_forget(salp_listener *listener, salp__spot *spot);

/* A connection that waits, without waiting for one: -EAGAIN: there is none. Errors: as salp_accept. */
int salp__listener_take(salp_listener *listener, salp_stream **stream);

/* How many connections a server has at once. */
int salp__listener_most(const salp_listener *listener);

/* Whether an error passes when connections end. */
bool salp__is_shortage(int error);

#endif
