/*
 * Datagrams.
 *
 * Many may wait at the same time: one task of its home at the port's side (port.h), others as for any descriptor. What is
 * there wakes them all, and one of them gets it.
 *
 * A Unix socket that has no peer is told by nobody when another one, whose queue was full, has room again: it can be
 * written to as far as the system is concerned. But one that has a peer is told. So such a sender waits with a socket
 * that is connected to the receiver for just as long.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <salp/datagram.h>

#include "os/epoll.h"
#include "os/memory.h"
#include "os/names.h"
#include "os/socket.h"
#include "stream/place.h"
#include "stream/stream.h"
#include "task/scope.h"
#include "task/descriptor.h"

struct salp_datagram {
    salp__port port;
    salp__place place;
    int family; /* [const after open] */
};

static const char waits_for[] = "a datagram", waits_for_room[] = "room for a datagram";

/* ---- opening ---- */

/* 0, or the index of the interface, or an error. */
static int find_interface(const char *name)
{
    return name ? salp__interface_index(name) : 0;
}

static int apply_to_groups(int fd, int family, const salp_datagram_options *options)
{
    int index = find_interface(options->interface), error = index < 0 ? index : 0;
    if (error == 0 && index > 0)
        error = salp__socket_multicast_by(fd, family, index);
    /* A socket of IPv6 may send to IPv4, too. */
    if (error == 0 && options->hops > 0 && family == AF_INET6)
        error = salp__socket_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, options->hops);
    if (error == 0 && options->hops > 0)
        error = salp__socket_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, options->hops);
    return error;
}

static int apply(int fd, int family, const salp_datagram_options *options)
{
    int error = 0;
    if (options->send_buffer > 0)
        error = salp__socket_set(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
    if (error == 0 && options->receive_buffer > 0)
        error = salp__socket_set(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
    if (error < 0 || family == AF_UNIX)
        return error;
    if (family == AF_INET6)
        error = salp__socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->only_ipv6);
    if (error == 0 && options->broadcast)
        error = salp__socket_set(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (error == 0 && options->share_port)
        error = salp__socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0 && options->share_address)
        error = salp__socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return error < 0 ? error : apply_to_groups(fd, family, options);
}

/* Leaves the descriptor open when it fails. */
static int set_up(salp_datagram *datagram, int fd, const salp_address *local, const salp_datagram_options *options)
{
    int error = apply(fd, datagram->family, options);
    if (error == 0 && local)
        error = salp__place_bind(&datagram->place, fd, SOCK_DGRAM, local, options->mode);
    if (error == 0 && options->peer)
        error = salp__socket_connect(fd, options->peer);
    return error;
}

static int open_at(salp_datagram **out, const salp_address *local, const salp_datagram_options *options)
{
    salp_datagram *datagram = salp__allocate(sizeof *datagram);
    if (!datagram)
        return -ENOMEM;
    datagram->family = salp_address_family(local ? local : options->peer);
    int fd = salp__socket_open(datagram->family, SOCK_DGRAM, 0);
    int error = fd < 0 ? fd : set_up(datagram, fd, local, options);
    if (error < 0) {
        salp__place_leave(&datagram->place);
        salp__file_close(fd);
        salp__free(datagram);
        return error;
    }
    salp__port_open(&datagram->port, fd);
    *out = datagram;
    return 0;
}

static int open_anywhere(salp_datagram **out, const salp_datagram_options *options)
{
    salp_address any;
    salp_address_parse(&any, "::");
    int error = open_at(out, &any, options);
    if (error != -EAFNOSUPPORT && error != -EADDRNOTAVAIL)
        return error;
    salp_address_parse(&any, "0.0.0.0"); /* a system without IPv6 */
    return open_at(out, &any, options);
}

int salp_datagram_open(salp_datagram **out, const salp_address *local, const salp_datagram_options *options)
{
    static const salp_datagram_options defaults;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    if ((local && local->size == 0) || (options->peer && options->peer->size == 0))
        return -EINVAL;
    return local || options->peer ? open_at(out, local, options) : open_anywhere(out, options);
}

/* ---- receiving ---- */

/* What IPv4 has sent to a socket of both families is said to come from "::ffff:" and an IPv4 address. */
static void make_plain(salp_address *address)
{
    struct sockaddr_in6 mapped;
    if (salp_address_family(address) != SALP_IPV6)
        return;
    memcpy(&mapped, address->data, sizeof mapped);
    if (!IN6_IS_ADDR_V4MAPPED(&mapped.sin6_addr))
        return;
    struct sockaddr_in plain = { .sin_family = AF_INET, .sin_port = mapped.sin6_port };
    memcpy(&plain.sin_addr, mapped.sin6_addr.s6_addr + 12, sizeof plain.sin_addr);
    salp_address_set(address, &plain, sizeof plain);
}

static int64_t try_to_receive(salp_datagram *datagram, void *data, size_t size, salp_address *from)
{
    salp__port *port = &datagram->port;
    bool home = salp__port_is_home(port), truncated = false;
    if (home && !port->in.ready)
        return -EAGAIN;
    int64_t got = salp__socket_receive_from(port->watch.fd, data, size, from, &truncated);
    if (home && got == -EAGAIN)
        port->in.ready = false; /* I2 of port.h */
    return got >= 0 && truncated ? -EMSGSIZE : got;
}

int64_t salp_datagram_receive(salp_datagram *datagram, void *data, size_t size, salp_address *from)
{
    salp_address sender;
    if (!datagram || (!data && size > 0))
        return -EINVAL;
    int error = salp__wait_begin();
    salp__stream_took_turn();
    while (error == 0) {
        int64_t got = try_to_receive(datagram, data, size, &sender);
        if (got >= 0 || got == -EMSGSIZE) {
            make_plain(&sender);
            if (from)
                *from = sender;
        }
        if (got != -EAGAIN)
            return got;
        error = salp__stream_wait_among(&datagram->port, SALP__IN, waits_for);
    }
    return error;
}

/* ---- sending ---- */

static int64_t try_to_send(salp_datagram *datagram, const void *data, size_t size, const salp_address *to)
{
    salp__port *port = &datagram->port;
    bool home = salp__port_is_home(port);
    if (home && !port->out.ready)
        return -EAGAIN;
    int64_t sent = salp__socket_send_to(port->watch.fd, data, size, to);
    if (home && sent == -EAGAIN)
        port->out.ready = false;
    return sent;
}

/* For our own socket, and then for that of the receiver: either may be what has no room. */
static int wait_for_receiver(const salp_datagram *datagram, const salp_address *to)
{
    int came = salp__descriptor_wait(datagram->port.watch.fd, SALP__POLL_OUT, waits_for_room);
    if (came < 0)
        return came;
    int fd = salp__socket_open(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0)
        return fd;
    int error = salp__socket_connect(fd, to);
    if (error == 0) {
        came = salp__descriptor_wait(fd, SALP__POLL_OUT, waits_for_room);
        error = came < 0 ? came : 0;
    }
    salp__file_close(fd);
    return error;
}

static int wait_for_room(salp_datagram *datagram, const salp_address *to)
{
    if (datagram->family != AF_UNIX || !to)
        return salp__stream_wait_among(&datagram->port, SALP__OUT, waits_for_room);
    if (salp__port_is_home(&datagram->port))
        datagram->port.out.ready = true; /* as we shall know when we are through */
    return wait_for_receiver(datagram, to);
}

int64_t salp_datagram_send(salp_datagram *datagram, const void *data, size_t size, const salp_address *to)
{
    if (!datagram || (!data && size > 0) || (to && to->size == 0))
        return -EINVAL;
    int error = salp__wait_begin();
    salp__stream_took_turn();
    while (error == 0) {
        int64_t sent = try_to_send(datagram, data, size, to);
        if (sent != -EAGAIN)
            return sent;
        error = wait_for_room(datagram, to);
    }
    return error;
}

/* ---- groups ---- */

static int set_membership(const salp_datagram *datagram, const salp_address *group, const char *interface, bool member)
{
    if (!datagram || !group || (salp_address_family(group) != SALP_IPV4 && salp_address_family(group) != SALP_IPV6))
        return -EINVAL;
    int index = find_interface(interface);
    return index < 0 ? index : salp__socket_join(datagram->port.watch.fd, group, index, member);
}

int salp_datagram_join(salp_datagram *datagram, const salp_address *group, const char *interface)
{
    return set_membership(datagram, group, interface, true);
}

int salp_datagram_leave(salp_datagram *datagram, const salp_address *group, const char *interface)
{
    return set_membership(datagram, group, interface, false);
}

/* ---- the rest ---- */

int salp_datagram_local(const salp_datagram *datagram, salp_address *address)
{
    return datagram && address ? salp__socket_name(datagram->port.watch.fd, address) : -EINVAL;
}

int salp_datagram_fd(const salp_datagram *datagram)
{
    return datagram ? datagram->port.watch.fd : -EINVAL;
}

static void gone(salp__port *port)
{
    salp__free(port); /* the first member */
}

void salp_datagram_close(salp_datagram *datagram)
{
    if (!datagram)
        return;
    salp__place_leave(&datagram->place);
    salp__port_close(&datagram->port, gone);
}
