/*
 * Listeners.
 *
 * I1  Nothing of a shutdown touches the listener any more when its latch is free again, and closing takes the latch once.
 *     So who has learnt from a shutdown that it is over may close it, though the shutdown may not have returned yet.
 * I2  What is accepted inherits the options of the listener's socket, save for the sizes of a Unix socket's buffers. So they
 *     are set once, and hardly anything is left that could fail when a connection has been taken from the queue.
 * I3  A stream has all the memory that it needs, and what TLS needs, before its connection is taken from the queue. The one
 *     that found none is kept for the next: the spare.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/listener.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include <salp/name.h>

#include "base/assert.h"
#include "os/epoll.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/socket.h"
#include "stream/stream.h"
#include "stream/tls.h"
#include "sync/line.h"
#include "task/descriptor.h"
#include "task/scope.h"

/* ---- opening ---- */

/* Frees one that was never connected; NULL is accepted. */
static void drop_unconnected(salp_stream *stream)
{
    if (stream && stream->type->close)
        stream->type->close(stream);
    salp__free(stream);
}

static void free_listener(salp_listener *listener)
{
    /* relaxed: nobody is in a call with it any more. */
    drop_unconnected(atomic_load_explicit(&listener->spare, memory_order_relaxed));
    salp__tls_context_let_go(listener->tls);
    salp__free(listener);
}

/* Of a socket that listens, which it takes over when it succeeds. */
static int open_listener(salp_listener **out, int fd, const salp_listen_options *options)
{
    int family;
    int error = salp__socket_get(fd, SOL_SOCKET, SO_DOMAIN, &family);
    if (error == 0)
        error = salp__stream_apply(fd, family, options ? &options->stream : NULL); /* I2 */
    if (error < 0)
        return error;
    salp_listener *listener = salp__allocate(sizeof *listener);
    if (!listener)
        return -ENOMEM;
    if (options && options->tls)
        error = salp__tls_context_of(&listener->tls, options->tls, true);
    int stop = error < 0 ? error : salp__eventfd_open();
    if (stop < 0) {
        free_listener(listener);
        return stop;
    }
    if (options)
        listener->options = *options;
    listener->options.tls = NULL; /* the settings may be gone; what was read is in our own */
    listener->family = family;
    listener->tcp = salp__is_tcp(fd);
    listener->open = 2;
    salp__list_open(&listener->full);
    salp__port_open(&listener->port, fd);
    salp__port_open(&listener->stop, stop);
    *out = listener;
    return 0;
}

/* Returns a descriptor. */
static int listen_at(const salp_address *address, salp__place *place, const salp_listen_options *options)
{
    int family = salp_address_family(address);
    int fd = salp__socket_open(family, SOCK_STREAM, 0);
    if (fd < 0)
        return fd;
    int error = 0;
    if (family != AF_UNIX)
        error = salp__socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && family == AF_INET6)
        error = salp__socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options && options->only_ipv6);
    if (error == 0 && family != AF_UNIX && options && options->share_port)
        error = salp__socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0)
        error = salp__place_bind(place, fd, SOCK_STREAM, address, options ? options->mode : 0);
    if (error == 0)
        error = salp__socket_listen(fd, options && options->backlog > 0 ? options->backlog : INT32_MAX);
    if (error < 0) {
        salp__place_leave(place);
        salp__file_close(fd);
        return error;
    }
    return fd;
}

static int open_at(salp_listener **out, const salp_address *address, const salp_listen_options *options)
{
    salp__place place = { .path = "" };
    int fd = listen_at(address, &place, options);
    if (fd < 0)
        return fd;
    int error = open_listener(out, fd, options);
    if (error < 0) {
        salp__place_leave(&place);
        salp__file_close(fd);
        return error;
    }
    (*out)->place = place;
    return 0;
}

/* ---- TCP ---- */

static int open_everywhere(salp_listener **out, int port, const salp_listen_options *options)
{
    salp_address address;
    salp_address_parse(&address, "::");
    salp_address_set_port(&address, (unsigned)port);
    int error = open_at(out, &address, options);
    if (error != -EAFNOSUPPORT && error != -EADDRNOTAVAIL)
        return error;
    salp_address_parse(&address, "0.0.0.0"); /* a system without IPv6 */
    salp_address_set_port(&address, (unsigned)port);
    return open_at(out, &address, options);
}

int salp_tcp_listen(salp_listener **out, const char *host, int port, const salp_listen_options *options)
{
    char service[8];
    salp_address *addresses;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (port < 0 || port > 65535)
        return -EINVAL;
    if (!host)
        return open_everywhere(out, port, options);
    snprintf(service, sizeof service, "%d", port);
    int count = salp_resolve(&addresses, host, service, NULL), chosen = 0;
    if (count < 0)
        return count;
    while (chosen < count && salp_address_family(&addresses[chosen]) != AF_INET)
        chosen++;
    int error = open_at(out, &addresses[chosen < count ? chosen : 0], options);
    salp_addresses_free(addresses);
    return error;
}

/* ---- Unix ---- */

int salp_unix_listen(salp_listener **out, const char *path, const salp_listen_options *options)
{
    salp_address address;
    if (!out)
        return -EINVAL;
    *out = NULL;
    int error = salp_address_unix(&address, path);
    if (error < 0)
        return error;
    return open_at(out, &address, options);
}

int salp_listener_from_fd(salp_listener **out, int fd, const salp_listen_options *options)
{
    salp__file_kind file;
    int kind = 0, listens = 0;
    if (!out)
        return -EINVAL;
    *out = NULL;
    int error = salp__file_kind_of(fd, &file);
    if (error < 0)
        return error;
    if (file != SALP__KIND_SOCKET || salp__socket_get(fd, SOL_SOCKET, SO_TYPE, &kind) < 0 || kind != SOCK_STREAM ||
        salp__socket_get(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens) < 0 || !listens)
        return -ENOTSUP;
    error = open_listener(out, fd, options);
    if (error < 0)
        return error;
    /* accept knows no flag for it, and blocks nobody who waits first */
    salp__must(salp__file_set_blocking(fd, false) == 0);
    salp__file_close_on_exec(fd);
    return 0;
}

/* ---- accepting ---- */

static int wait_for_connection(salp_listener *listener)
{
    if (salp__cannot_wait())
        return SALP_EINSIDE;
    if (listener->port.forks != salp__forks())
        return SALP_EFORKED;
    if (salp__self()->task) {
        int away = salp__port_settle(&listener->port);
        if (away == 0)
            away = salp__port_settle(&listener->stop);
        if (away < 0)
            return away;
        if (!away && !listener->port.in.tell)
            return salp__wait_at_home(&listener->port.in, &listener->stop.in, "a connection");
    }
    salp__interest set[] = { { .fd = listener->port.watch.fd, .events = SALP__POLL_IN },
                             { .fd = listener->stop.watch.fd, .events = SALP__POLL_IN } };
    int ready = salp__descriptors_wait(set, 2, SALP_FOREVER, "a connection");
    return ready < 0 ? ready : 0;
}

/* What befell a connection before it was accepted is not the listener's: accept(2). */
static bool is_of_connection(int error)
{
    return error == -ECONNABORTED || error == -EPROTO || error == -ENETDOWN || error == -ENOPROTOOPT ||
           error == -EHOSTDOWN || error == -ENONET || error == -EHOSTUNREACH || error == -EOPNOTSUPP ||
           error == -ENETUNREACH || error == -EPERM;
}

/* Leaves the descriptor open when it fails. */
static int be_accepted(const salp_listener *listener, salp_stream *stream, int fd)
{
    /* A Unix socket does not inherit the sizes of buffers: I2. */
    int error = listener->family == AF_UNIX ? salp__stream_apply(fd, AF_UNIX, &listener->options.stream) : 0;
    if (error == 0)
        salp__stream_be_socket(stream, fd, listener->family, listener->tcp);
    return error;
}

/* Returns a descriptor, or an error of the listener. */
static int accept_one(salp_listener *listener)
{
    int fd;
    do
        fd = salp__socket_accept(listener->port.watch.fd, NULL);
    while (fd < 0 && is_of_connection(fd));
    if (fd == -EAGAIN && salp__port_is_home(&listener->port))
        listener->port.in.ready = false; /* I2 of port.h */
    return fd;
}

/* I3. The spare one, or a new one. */
static int make_ready(salp_listener *listener, salp_stream **out)
{
    /* acquire: pairs with the release in keep. */
    salp_stream *stream = atomic_exchange_explicit(&listener->spare, NULL, memory_order_acquire);
    if (!stream) {
        stream = salp__stream_new(-1, &salp__stream_socket);
        int error = !stream ? -ENOMEM : listener->tls ? salp__tls_begin_server(stream, listener->tls) : 0;
        if (error < 0) {
            salp__free(stream);
            return error;
        }
    }
    *out = stream;
    return 0;
}

static void keep(salp_listener *listener, salp_stream *stream)
{
    /* release: pairs with the acquire in make_ready, or here, of another thread that has brought one meanwhile. */
    drop_unconnected(atomic_exchange_explicit(&listener->spare, stream, memory_order_acq_rel));
}

int salp__listener_take(salp_listener *listener, salp_stream **out)
{
    salp_stream *stream;
    *out = NULL;
    /* acquire: pairs with the release in salp_listener_shutdown. */
    if (atomic_load_explicit(&listener->stopped, memory_order_acquire))
        return -EPIPE;
    int error = make_ready(listener, &stream);
    if (error < 0)
        return error;
    int fd = accept_one(listener);
    error = fd < 0 ? fd : be_accepted(listener, stream, fd);
    if (error < 0) {
        if (fd >= 0)
            salp__file_close(fd);
        keep(listener, stream);
        return error;
    }
    *out = stream;
    return 0;
}

int salp_accept(salp_listener *listener, salp_stream **out)
{
    if (out)
        *out = NULL;
    if (!listener || !out)
        return -EINVAL;
    salp__stream_took_turn();
    for (;;) {
        int error = salp__wait_begin();
        if (error == 0)
            error = salp__listener_take(listener, out);
        if (error == -EAGAIN)
            error = wait_for_connection(listener);
        else
            return error;
        if (error < 0)
            return error;
    }
}

int salp__listener_most(const salp_listener *listener)
{
    if (listener->options.connections > 0)
        return listener->options.connections;
    int most = salp__descriptors_allowed() / 4 * 3;
    return most > 0 ? most : 1;
}

bool salp__is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/* ---- ending ---- */

void salp_listener_shutdown(salp_listener *listener)
{
    salp__list claimed;
    if (!listener || listener->port.forks != salp__forks())
        return; /* a fork's copy: those who wait are the parent's */
    salp__latch_take(&listener->latch);
    /* release: pairs with the acquire in salp_accept. */
    atomic_store_explicit(&listener->stopped, true, memory_order_release);
    salp__eventfd_ring(listener->stop.watch.fd);
    salp__claim_all(&listener->full, &claimed);
    salp__latch_release(&listener->latch); /* I1 */
    salp__resume_all(&claimed);
}

bool salp__listener_await_shutdown(salp_listener *listener, salp__spot *spot)
{
    salp__latch_take(&listener->latch);
    /* relaxed: it is written under the latch. */
    bool stopped = atomic_load_explicit(&listener->stopped, memory_order_relaxed);
    if (!stopped)
        salp__list_append(&listener->full, &spot->link);
    salp__latch_release(&listener->latch);
    return !stopped;
}

void salp__listener_forget(salp_listener *listener, salp__spot *spot)
{
    salp__line_leave(&listener->latch, spot);
}

static void let_go(salp_listener *listener)
{
    /* acq_rel: the last one sees what the other one has done with it. */
    if (atomic_fetch_sub_explicit(&listener->open, 1, memory_order_acq_rel) == 1)
        free_listener(listener);
}

static void port_gone(salp__port *port)
{
    let_go(SALP__CONTAINER(port, salp_listener, port));
}

static void stop_gone(salp__port *port)
{
    let_go(SALP__CONTAINER(port, salp_listener, stop));
}

void salp_listener_close(salp_listener *listener)
{
    if (!listener)
        return;
    if (listener->port.forks == salp__forks()) { /* a fork's copy may have been made in the midst of a shutdown */
        salp__latch_take(&listener->latch);
        salp__latch_release(&listener->latch); /* I1 */
    }
    salp__place_leave(&listener->place);
    salp__port_close(&listener->port, port_gone);
    salp__port_close(&listener->stop, stop_gone);
}

/* ---- about it ---- */

int salp_listener_address(const salp_listener *listener, salp_address *address)
{
    return listener && address ? salp__socket_name(listener->port.watch.fd, address) : -EINVAL;
}

int salp_listener_port(const salp_listener *listener)
{
    salp_address address;
    int error = salp_listener_address(listener, &address);
    return error < 0 ? error : salp_address_port(&address);
}

int salp_listener_fd(const salp_listener *listener)
{
    return listener ? listener->port.watch.fd : -EINVAL;
}
