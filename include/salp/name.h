/*
 * salp/name.h - names of hosts and services: their addresses, and back.
 *
 *     salp_address *addresses;
 *     int count = salp_resolve(&addresses, "example.org", "https", NULL);
 *     for (int i = 0; i < count; i++)
 *         ... try addresses[i]
 *     if (count > 0)
 *         salp_addresses_free(addresses);
 *
 * The system looks names up as it is configured to: in files, at name servers. That
 * may take long, and a call of the system that is under way cannot be taken back; so
 * it is made by a thread of its own. A scope (salp/task.h) that is over ends the
 * wait at once, and leaves the thread behind, which ends by itself. At most 32 names
 * are looked up at a time; others wait for their turn. A plain thread that is in no
 * scope makes the call itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_NAME_H
#define SALP_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include <salp/address.h>
#include <salp/base.h>
#include <salp/error.h>

SALP_BEGIN

/* All zeros are the defaults. */
typedef struct salp_resolve_options {
    salp_family family; /* only addresses of this one: SALP_IPV4 or SALP_IPV6; SALP_NO_FAMILY: of both */
    bool datagram;      /* names of services are those of UDP, not of TCP */
    bool listen;        /* host NULL: addresses to listen at on all interfaces, not those of this very machine */
    bool numeric;       /* nothing is looked up: host is an address, NULL or "localhost", service is a number */
} salp_resolve_options;

/*
 * Finds the addresses of a host: "example.org", "127.0.0.1", "::1", "fe80::1%eth0";
 * "localhost" and names that end in ".localhost" are this very machine, and so is
 * NULL. The service is a port in decimal, or a name such as "https"; NULL: port 0.
 *
 * Returns how many there are, at least 1, with *addresses an array in the order in
 * which they should be tried. It is the caller's, to be freed with salp_addresses_free.
 * After an error it is NULL.
 *
 * Threads: any, and tasks. Waits: yes, unless host and service are numbers, NULL or
 * "localhost". The strings are copied.
 * Errors: -EINVAL: addresses is NULL, or family is none of the three;
 * SALP_ENONAME: there is no such host, or it is no number and .numeric is set;
 * SALP_ENOADDRESS: there is, but without addresses, or not of this family;
 * SALP_ENOSERVICE: there is no such service, or the number is above 65535;
 * SALP_ETRYAGAIN: no name server has answered, as without a network: try again later;
 * SALP_ENAMESERVER: the name server has failed for good;
 * -ECANCELED, -ETIMEDOUT: a scope is over; SALP_EINSIDE: a callback of a loop would
 * have to wait; -EAGAIN: no thread could be started; -ENOMEM; -EMFILE, -ENFILE, ...:
 * the system could not ask.
 */
SALP_API int salp_resolve(salp_address **addresses, const char *host, const char *service,
                          const salp_resolve_options *options);

/* Accepts NULL. */
SALP_API void salp_addresses_free(salp_address *addresses);

/* Long enough for each name of a host. */
#define SALP_NAME_TEXT 1025

/*
 * Finds the name of the host that has this address, and writes it to `name`, of
 * `size` bytes. Names are what somebody else says: no proof of who it is.
 *
 * Returns the length without the final zero. After an error, the text is empty.
 * Threads: any, and tasks. Waits: yes.
 * Errors: -EINVAL: address or name is NULL, or size is 0; -EAFNOSUPPORT: it is neither
 * IPv4 nor IPv6; SALP_ENONAME: the address has no name; -ENOSPC: size is too small;
 * SALP_ETRYAGAIN and all from there on as for salp_resolve.
 */
SALP_API int salp_resolve_name(const salp_address *address, char *name, size_t size);

SALP_END

#endif
