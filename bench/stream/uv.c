/*
 * uv.c - the peer libuv: an echo server.
 *
 *     stream-uv echo buffer=4096
 *
 * Everything is read into the one buffer of the program, and written at once with uv_try_write; what that leaves is
 * copied into a request, and the connection reads no more until it is written.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "server.h"

struct rest {
    uv_write_t write;
    char data[];
};

static uv_buf_t buffer;

static void ok(const char *call, int error)
{
    if (error < 0)
        bench_fail("%s: %s", call, uv_strerror(error));
}

static void *memory(size_t size)
{
    void *block = malloc(size);
    if (!block)
        bench_fail("no memory");
    return block;
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *here)
{
    (void)handle;
    (void)suggested;
    *here = buffer;
}

static void forget(uv_handle_t *handle)
{
    free(handle);
}

static void lose(uv_stream_t *stream)
{
    if (!uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, forget);
}

static void echo(uv_stream_t *stream, ssize_t size, const uv_buf_t *from);

static void go_on(uv_write_t *write, int error)
{
    uv_stream_t *stream = write->handle;
    if (error || uv_read_start(stream, give_buffer, echo) != 0)
        lose(stream);
    free(write);
}

static void echo(uv_stream_t *stream, ssize_t size, const uv_buf_t *from)
{
    if (size == 0)
        return; /* it would have blocked */
    uv_buf_t data = uv_buf_init(from->base, size > 0 ? (unsigned)size : 0);
    int written = size > 0 ? uv_try_write(stream, &data, 1) : UV_EOF;
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0) {
        lose(stream);
    } else if (written < size) {
        unsigned left = (unsigned)(size - written);
        struct rest *rest = memory(sizeof *rest + left);
        memcpy(rest->data, from->base + written, left);
        data = uv_buf_init(rest->data, left);
        uv_read_stop(stream);
        if (uv_write(&rest->write, stream, &data, 1, go_on) != 0) {
            free(rest);
            lose(stream);
        }
    }
}

static void begin(uv_stream_t *listener, int error)
{
    ok("listen", error);
    uv_tcp_t *connection = memory(sizeof *connection);
    ok("uv_tcp_init", uv_tcp_init(listener->loop, connection));
    ok("uv_accept", uv_accept(listener, (uv_stream_t *)connection));
    ok("uv_tcp_nodelay", uv_tcp_nodelay(connection, 1));
    ok("uv_read_start", uv_read_start((uv_stream_t *)connection, give_buffer, echo));
}

static void case_echo(void)
{
    size_t size = server_buffer();
    buffer = uv_buf_init(memory(size), (unsigned)size);
    uv_loop_t loop;
    uv_tcp_t listener;
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ok("uv_loop_init", uv_loop_init(&loop));
    ok("uv_tcp_init", uv_tcp_init(&loop, &listener));
    ok("uv_tcp_bind", uv_tcp_bind(&listener, (struct sockaddr *)&here, 0));
    ok("uv_listen", uv_listen((uv_stream_t *)&listener, SERVER_BACKLOG, begin));
    uv_os_fd_t fd;
    ok("uv_fileno", uv_fileno((uv_handle_t *)&listener, &fd));
    server_ready(fd);
    ok("uv_run", uv_run(&loop, UV_RUN_DEFAULT));
}

static void case_about(void)
{
    printf("libuv %s\n", uv_version_string());
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "echo", case_echo }, { "about", case_about }, { NULL, NULL } };
    return bench_main(argc, argv, cases, server_known);
}
