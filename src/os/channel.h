/*
 * A pair of connected sockets over which descriptors travel.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CHANNEL_H
#define SALP__CHANNEL_H

enum { SALP__CHANNEL_MAX = 4 }; /* descriptors in one message */

int salp__channel_open(int ends[2]);

/* Sends one message of `count` descriptors (which stay open here). Errors: -EPIPE the other end is gone, ... */
int salp__channel_send(int end, const int fds[], int count);

/* Waits for a message; the descriptors are ours then, close-on-exec. Returns their number, 0: the other end is gone. */
int salp__channel_receive(int end, int fds[], int max);

#endif
