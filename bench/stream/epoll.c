/*
 * epoll.c - the plain twin: an echo server on bare epoll.
 *
 *     stream-epoll echo buffer=4096
 *
 * Level-triggered. What a connection has is read into the one buffer of the program and written at once, so that an
 * idle connection has no memory of its own; only what the socket does not take is copied, and kept until it does.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

enum { EVENTS = 512 };

struct connection {
    int fd;
    char *rest; /* what was read and not yet written, or NULL: then it waits to read, else to write */
    size_t size, done;
};

static int poller, listener;
static char *buffer;
static size_t buffer_size;

static void watch(struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = connection };
    bench_must("epoll_ctl", epoll_ctl(poller, operation, connection ? connection->fd : listener, &event) == 0);
}

static void lose(struct connection *connection)
{
    close(connection->fd);
    free(connection->rest);
    free(connection);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = malloc(sizeof *connection);
        bench_must("malloc", connection);
        *connection = (struct connection){ .fd = fd };
        server_no_delay(fd);
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
    bench_must("accept", errno == EAGAIN || errno == ECONNABORTED);
}

/* Bytes that the socket took, or -1: the connection is lost. */
static ssize_t put(const struct connection *connection, const char *data, size_t size)
{
    ssize_t written = write(connection->fd, data, size);
    return written < 0 && errno == EAGAIN ? 0 : written;
}

static void echo(struct connection *connection)
{
    ssize_t size = read(connection->fd, buffer, buffer_size);
    if (size < 0 && errno == EAGAIN)
        return;
    ssize_t written = size > 0 ? put(connection, buffer, (size_t)size) : -1;
    if (written < 0) {
        lose(connection);
    } else if (written < size) {
        connection->size = (size_t)(size - written);
        connection->done = 0;
        connection->rest = malloc(connection->size);
        bench_must("malloc", connection->rest);
        memcpy(connection->rest, buffer + written, connection->size);
        watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
    }
}

static void go_on(struct connection *connection)
{
    ssize_t written = put(connection, connection->rest + connection->done, connection->size - connection->done);
    if (written < 0) {
        lose(connection);
    } else if ((connection->done += (size_t)written) == connection->size) {
        free(connection->rest);
        connection->rest = NULL;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    }
}

static void case_echo(void)
{
    buffer_size = server_buffer();
    buffer = malloc(buffer_size);
    poller = epoll_create1(EPOLL_CLOEXEC);
    listener = server_listen();
    bench_must("malloc", buffer);
    bench_must("epoll_create1", poller >= 0);
    watch(NULL, EPOLL_CTL_ADD, EPOLLIN);
    server_ready(listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, -1);
        bench_must("epoll_wait", count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection)
                accept_all();
            else if (connection->rest)
                go_on(connection);
            else
                echo(connection);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "echo", case_echo }, { "about", bench_case_about }, { NULL, NULL } };
    return bench_main(argc, argv, cases, server_known);
}
