/*
 * A pair of connected sockets over which messages travel, with descriptors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CHANNEL_H
#define SALP__CHANNEL_H

#include <stddef.h>

enum { SALP__CHANNEL_MAX = 253 }; /* descriptors in one message: what Linux lets through */

int salp__channel_open(int ends[2]);

/* Sends one message: `size` bytes, one at least, and `count` descriptors, which stay open here. Errors: -EPIPE the other
   end is gone; -EBADF, -ENOMEM, ... */
int salp__channel_send(int end, const void *data, size_t size, const int fds[], int count);

/*
 * Waits for a message of `size` bytes; what came along is ours then, close-on-exec, and *count says how many that are:
 * at most max, what is more is closed. Returns 1, or 0: the other end is gone. Errors: -EMFILE there were no numbers left
 * for all descriptors; -EPROTO: another size; then none came.
 */
int salp__channel_receive(int end, void *data, size_t size, int fds[], int max, int *count);

#endif
