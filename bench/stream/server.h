/*
 * server.h - what every echo server of this benchmark does, and what those in C share.
 *
 *     PROGRAM echo buffer=4096
 *
 * A server listens on 127.0.0.1 at a port that the system chooses, prints "ready PORT", and sends back every byte of
 * every connection, in order, until the program is ended. It reads at most `buffer` bytes at once, and reads no more
 * from a connection as long as that takes nothing back. When the other side has ended a connection, so does the server.
 *
 *     PROGRAM about
 *
 * prints what it is made of. Where the system refuses what a server is about, both cases end with status 77.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stddef.h>

#include "common/program.h"

enum { SERVER_BACKLOG = 1024, SERVER_REFUSED = 77 };

/* The names of all arguments, for bench_main. */
extern const char *const server_known[];

/* The argument `buffer`. */
size_t server_buffer(void);

/* A socket that listens and does not block. */
int server_listen(void);

/* Sends small answers at once. */
void server_no_delay(int fd);

/* Says at which port the socket listens. From then on a lost connection is an error of write, and no signal. */
void server_ready(int fd);

#endif
