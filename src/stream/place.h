/*
 * The path in the file system that a Unix socket of ours is bound to.
 *
 * A path that a program has left behind which is no longer there is taken over. It is removed just before the socket is
 * closed, if it still leads to this very socket, whose inode nobody else gets as long as it is open.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PLACE_H
#define SALP__PLACE_H

#include <salp/address.h>

#include "os/file.h"

typedef struct salp__place {
    char path[109]; /* empty: there is none */
    salp__file_identity file;
    unsigned forks; /* of which process it is */
} salp__place;

/* Binds a socket of this kind (SOCK_STREAM, ...) to an address of any family; a path gets these rights, unless they are 0.
   Errors: -EADDRINUSE: somebody is there, or it is something else than a socket; what bind(2) says. */
int salp__place_bind(salp__place *place, int fd, int kind, const salp_address *address, unsigned mode);

/* Removes the path, in the process that has bound it. */
void salp__place_leave(salp__place *place);

#endif
