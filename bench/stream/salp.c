/*
 * salp.c - an echo server on Salp: a task for each connection. SALP_POLLER chooses epoll or io_uring.
 *
 *     stream-salp echo buffer=1024
 *
 * Small buffers lie on the task's stack, as they would in a program; those that would need a page of it are allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <salp.h>

#include "server.h"

enum { LITTLE = 1024 };

static size_t buffer_size;

static int echo_by(salp_stream *stream, char *buffer)
{
    int64_t got;
    while ((got = salp_read(stream, buffer, buffer_size)) > 0) {
        if (salp_write(stream, buffer, (size_t)got) < 0)
            break;
    }
    return 0;
}

static int echo_little(salp_stream *stream, void *arg)
{
    char buffer[LITTLE];
    (void)arg;
    return echo_by(stream, buffer);
}

static int echo_much(salp_stream *stream, void *arg)
{
    char *buffer = malloc(buffer_size);
    (void)arg;
    bench_must("malloc", buffer);
    int result = echo_by(stream, buffer);
    free(buffer);
    return result;
}

static salp_listener *listener;

static int serve(void *arg)
{
    (void)arg;
    return salp_serve(listener, buffer_size <= LITTLE ? echo_little : echo_much, NULL);
}

/* Whether this system has the poller that was asked for. */
static void need_poller(void)
{
    const char *name = getenv("SALP_POLLER");
    salp_loop *loop;
    if (!name || strcmp(name, "io_uring") != 0)
        return;
    if (salp_loop_open(&loop, &(salp_loop_options){ .poller = SALP_POLLER_IO_URING }) < 0)
        exit(SERVER_REFUSED);
    salp_loop_close(loop);
}

static void case_echo(void)
{
    need_poller();
    buffer_size = server_buffer();
    const salp_listen_options options = { .connections = 1000000, .backlog = SERVER_BACKLOG };
    bench_must("listen", salp_tcp_listen(&listener, "127.0.0.1", 0, &options) == 0);
    server_ready(salp_listener_fd(listener));
    bench_must("serve", salp_run(serve, NULL) == 0);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "echo", case_echo }, { "about", bench_case_about }, { NULL, NULL } };
    return bench_main(argc, argv, cases, server_known);
}
