/*
 * salp/datagram.h - messages that travel alone: UDP, and Unix sockets of datagrams.
 *
 *     char data[1500];
 *     salp_address from;
 *     int64_t size;
 *     salp_address_parse(&address, "[::]:7000");
 *     salp_datagram_open(&datagram, &address, NULL);
 *     while ((size = salp_datagram_receive(datagram, data, sizeof data, &from)) >= 0)
 *         salp_datagram_send(datagram, data, (size_t)size, &from);
 *
 * A datagram arrives whole or not at all. Those of UDP may be lost, doubled or
 * overtaken on the way; those of Unix sockets are not.
 *
 * A call that has to wait suspends the task, or lets the thread sleep; its scope ends
 * it, with -ETIMEDOUT or -ECANCELED. In a callback of a loop it ends with SALP_EINSIDE.
 *
 * Threads: any number of tasks and threads may send and receive at the same time; each
 * datagram goes to one of them. It may be closed when nobody is in a call with it. It
 * belongs to the process that has opened it: of one that a fork has inherited, only
 * salp_datagram_close may be called, which leaves the parent's alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_DATAGRAM_H
#define SALP_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/address.h>
#include <salp/base.h>
#include <salp/error.h>

SALP_BEGIN

typedef struct salp_datagram salp_datagram;

typedef struct salp_datagram_options {
    const salp_address *peer; /* datagrams come from there only, and go there, NULL: from and to any address */
    bool broadcast;           /* IPv4: may be sent to all hosts of a network */
    bool share_port;          /* several of them, also of other programs of this user, have one port (SO_REUSEPORT) */
    bool share_address;       /* each of them gets what is sent to a group or to all (SO_REUSEADDR) */
    bool only_ipv6;           /* "::" is not for IPv4, too */
    const char *interface;    /* what is sent to groups leaves by this network interface, NULL: the system chooses */
    int hops;                 /* how many networks it may cross, 0: 1, which is this network alone */
    unsigned mode;            /* Unix: rights of the path, 0: as the umask says */
    int send_buffer;          /* bytes that the system holds, 0: as it chooses */
    int receive_buffer;
} salp_datagram_options;

/*
 * Opens it at an address of this machine. With port 0 the system chooses one. A Unix
 * path is treated as by salp_unix_listen; "unix:" has the system choose a name.
 *
 * `local` NULL: with a peer any address from which that can be reached (a Unix peer
 * gets datagrams that it cannot answer); else UDP with a port that the system chooses,
 * for IPv4 and IPv6.
 *
 * Waits: no. Errors, after which *datagram is NULL: -EINVAL: datagram is NULL, or an
 * address is none; -EADDRINUSE; -EACCES: a port below 1024, or a path; -EADDRNOTAVAIL;
 * -EAFNOSUPPORT: the system does not know the family, or the peer is of another one;
 * -ENODEV: no interface has this name; of a Unix peer -ENOENT, -ECONNREFUSED: there is
 * none; -ENETUNREACH: no way leads to the peer; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM.
 */
SALP_API int salp_datagram_open(salp_datagram **datagram, const salp_address *local,
                                const salp_datagram_options *options);

/*
 * Sends a datagram, of 0 bytes or more, to an address, or to the peer if that is NULL.
 * Waits only if the system has no room for it. Returns size: the system has taken it,
 * which does not say that it arrives.
 *
 * Errors, after which it was not sent: -EINVAL; -EMSGSIZE: longer than the system can
 * send (UDP over IPv4: 65,507 bytes); -EDESTADDRREQ, -ENOTCONN: there is no peer;
 * -EACCES: to all hosts without .broadcast; -ENETUNREACH, -EHOSTUNREACH; -ECONNREFUSED:
 * nobody is there: of a Unix socket at once; of UDP with a peer it is told by an answer
 * of the network to an *earlier* datagram, to whichever call comes next, and to send
 * again is right; without a peer the system does not tell; -ENOBUFS, -ENOMEM; -EPERM: a
 * firewall; SALP_EINSIDE; -ETIMEDOUT, -ECANCELED: by the scope.
 */
SALP_API int64_t salp_datagram_send(salp_datagram *datagram, const void *data, size_t size, const salp_address *to);

/*
 * Receives the next one. Waits until there is one. Returns its size; 0 is a datagram
 * without bytes. `from` is where it comes from (no address, if it was sent from a Unix
 * socket without a name), which may be NULL; that of IPv4 is always an IPv4 address.
 *
 * Errors: -EINVAL; -EMSGSIZE: it was longer: its first `size` bytes are there, the others are lost;
 * -ECONNREFUSED: as above, and to receive again is right; -ENOMEM; SALP_EINSIDE;
 * -ETIMEDOUT, -ECANCELED: by the scope, and nothing is lost.
 */
SALP_API int64_t salp_datagram_receive(salp_datagram *datagram, void *data, size_t size, salp_address *from);

/*
 * From now on, or no longer, it gets what is sent to a group (multicast) and its port,
 * by this network interface, or by one that the system chooses (NULL).
 *
 * Threads: any. Waits: no. Errors: -EINVAL: no address of a group; -EADDRINUSE: it has
 * joined it before; -EADDRNOTAVAIL: leaving, and it had not joined it; -ENODEV: no such
 * interface, or none for this group; -ENOPROTOOPT: it is of another family; -ENOBUFS: too many groups.
 */
SALP_API int salp_datagram_join(salp_datagram *datagram, const salp_address *group, const char *interface);
SALP_API int salp_datagram_leave(salp_datagram *datagram, const salp_address *group, const char *interface);

/* Its address. Errors: -EINVAL. Waits: no. */
SALP_API int salp_datagram_local(const salp_datagram *datagram, salp_address *address);

/* Its descriptor, for options of the system; it stays the datagram's. -EINVAL. */
SALP_API int salp_datagram_fd(const salp_datagram *datagram);

/* Closes it, with its path; NULL is accepted. What was not received is lost. Waits: no. */
SALP_API void salp_datagram_close(salp_datagram *datagram);

SALP_END

#endif
