/*
 * pipes.c - messages as bytes through the kernel: bare pipes, and Unix sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "measure.h"
#include "plain.h"

struct wire {
    size_t size;
    int in[2], out[2]; /* each side's descriptors */
};

static struct wire *new_wire(size_t size)
{
    struct wire *wire = malloc(sizeof *wire);
    bench_must("malloc", wire != NULL);
    wire->size = size;
    return wire;
}

static void *open_pipes(size_t size, size_t capacity)
{
    (void)capacity;
    struct wire *wire = new_wire(size);
    for (int side = 0; side < 2; side++) {
        int ends[2];
        bench_must("pipe", pipe(ends) == 0);
        wire->in[side] = ends[0];
        wire->out[!side] = ends[1];
    }
    return wire;
}

static void *open_sockets(size_t size, size_t capacity)
{
    (void)capacity;
    struct wire *wire = new_wire(size);
    bench_must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, wire->in) == 0);
    for (int side = 0; side < 2; side++)
        wire->out[side] = wire->in[side];
    return wire;
}

static void write_all(void *link, int side, const void *message)
{
    const struct wire *wire = link;
    for (size_t done = 0; done < wire->size;) {
        ssize_t part = write(wire->out[side], (const char *)message + done, wire->size - done);
        bench_must("write", part > 0);
        done += (size_t)part;
    }
}

static void *read_all(void *link, int side, void *room)
{
    const struct wire *wire = link;
    for (size_t done = 0; done < wire->size;) {
        ssize_t part = read(wire->in[side], (char *)room + done, wire->size - done);
        bench_must("read", part > 0);
        done += (size_t)part;
    }
    return room;
}

static void close_wire(void *link)
{
    struct wire *wire = link;
    for (int side = 0; side < 2; side++) {
        close(wire->in[side]);
        if (wire->out[side] != wire->in[side])
            close(wire->out[side]);
    }
    free(wire);
}

const struct bench_link bench_pipe_link = { "pipe", open_pipes, write_all, read_all, close_wire };
const struct bench_link bench_socket_link = { "socket", open_sockets, write_all, read_all, close_wire };
