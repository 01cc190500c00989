/*
 * echo.c - a server that says everything back, line by line or not.
 *
 *     cc echo.c $(pkg-config --cflags --libs salp) -o echo
 *     ./echo [PORT]
 *
 * The smallest server: each connection has a task of its own, which runs `echo` from its first line to its last. SIGINT and
 * SIGTERM stop it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <salp.h>

static int echo(salp_stream *stream, void *arg)
{
    char data[4096];
    int64_t size;
    (void)arg;
    while ((size = salp_read(stream, data, sizeof data)) > 0) {
        size = salp_write(stream, data, (size_t)size); /* waits for a client that does not read */
        if (size < 0)
            break;
    }
    return (int)size; /* if negative, it is told to `tell` */
}

static void tell(int error, void *arg)
{
    (void)arg;
    fprintf(stderr, "echo: a connection: %s\n", salp_strerror(error));
}

static void stop(int number, void *listener)
{
    (void)number;
    salp_listener_shutdown(listener);
}

static int serve(void *listener)
{
    int error = salp_loop_signal(salp_loop_current(), SIGINT, stop, listener);
    if (error == 0)
        error = salp_loop_signal(salp_loop_current(), SIGTERM, stop, listener);
    return error < 0 ? error : salp_serve(listener, echo, NULL);
}

int main(int argc, char **argv)
{
    salp_listener *listener;
    int port = argc > 1 ? atoi(argv[1]) : 7000;
    int error = salp_tcp_listen(&listener, NULL, port, &(salp_listen_options){ .on_error = tell });
    if (error == 0) {
        printf("port %d\n", salp_listener_port(listener));
        fflush(stdout);
        error = salp_run(serve, listener);
        salp_listener_close(listener);
    }
    if (error < 0) {
        fprintf(stderr, "echo: %s\n", salp_strerror(error));
        return 1;
    }
    return 0;
}
