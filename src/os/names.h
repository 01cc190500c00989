/*
 * Names of hosts, services and network interfaces.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__NAMES_H
#define SALP__NAMES_H

#include <netdb.h>
#include <stddef.h>

/*
 * getaddrinfo: asks files and name servers, and may take long. *found is to be freed with salp__hosts_free. Errors: those
 * of salp_resolve (salp/name.h).
 */
int salp__hosts_find(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);
void salp__hosts_free(struct addrinfo *found); /* accepts NULL */

/* getnameinfo: the name of a host, never its number. May take long. Errors: those of salp_resolve_name. */
int salp__host_name(const struct sockaddr *address, size_t size, char *name, size_t room);

enum { SALP__INTERFACE_NAME = 16 }; /* bytes, with the final zero */

/* The index, above 0; -ENODEV: there is none of this name; -EMFILE, ...: the system could not be asked. */
int salp__interface_index(const char *name);

/* Writes the name. Returns 0 or -ENXIO, -EMFILE, ... */
int salp__interface_name(unsigned index, char name[SALP__INTERFACE_NAME]);

#endif
