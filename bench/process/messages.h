/*
 * messages.h - the cases of messages, over whatever carries them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include <stddef.h>

/* Something that carries messages of one size between two processes, in both directions. */
struct bench_link {
    const char *name; /* over=NAME */
    /* Before the two processes are forked, which inherit it. On the way in one direction are `capacity` messages at
       most, where that can be chosen. */
    void *(*open)(size_t size, size_t capacity);
    /* Called by side 0 or side 1. */
    void (*send)(void *link, int side, const void *message);
    /* Where the message is: in `room`, or where it stays until the next call. */
    void *(*receive)(void *link, int side, void *room);
    void (*close)(void *link);
};

/* Runs stream; echo. The links that the program has, NULL at the end. */
void bench_stream(const struct bench_link *const links[]);
void bench_echo(const struct bench_link *const links[]);

#endif
