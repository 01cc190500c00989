/*
 * Pipes to other programs, and files for them. What pipes carry is moved by os/socket.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PIPE_H
#define SALP__PIPE_H

#include <stddef.h>

/* A pipe of which we read (to_us) or write. Our end does not block, theirs does; both are close-on-exec. Errors: -EMFILE, -ENFILE. */
int salp__pipe_to_us(int *ours, int *theirs);
int salp__pipe_from_us(int *ours, int *theirs);

/* A pipe that holds these bytes and is written by nobody any more: the descriptor to read them from, which does not block.
   Errors: -EPERM: the system grants no pipe of this size; -EMFILE, -ENFILE, -ENOMEM. */
int salp__pipe_filled(const void *data, size_t size);

/* Opens a file, close-on-exec: to read, or to write from its beginning or its end; then it is made if need be. Waits as
   open(2) does for a fifo. Errors: as open(2), -ENOENT, -EACCES, -EMFILE, ... */
enum { SALP__TO_READ, SALP__TO_WRITE, SALP__TO_APPEND };
int salp__path_open(const char *path, int purpose);

#endif
