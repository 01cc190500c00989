/*
 * uring.c - the plain twin on io_uring: an echo server on liburing alone.
 *
 *     stream-uring echo buffer=4096
 *
 * One multishot accept. A connection always has one receive under way, into a buffer of its own. What it brings is
 * sent, and linked behind that is the next receive: both go in with the one system call that waits for others too.
 * Nothing is heard of a send that went well, and after one that did not the receive is cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "server.h"

enum { ENTRIES = 4096 };

struct connection {
    int fd;
    char buffer[];
};

static struct io_uring ring;
static int listener;
static size_t buffer_size;
/* What a completion can say instead of a connection. */
static char accepted, sent;

static void ok(const char *call, int result)
{
    if (result < 0)
        bench_fail("%s: %s", call, strerror(-result));
}

static void open_ring(void)
{
    unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN; /* Linux 6.1 */
    int result = io_uring_queue_init(ENTRIES, &ring, flags);
    if (result == -ENOSYS || result == -EPERM || result == -EINVAL)
        exit(SERVER_REFUSED);
    ok("io_uring_queue_init", result);
}

/* Makes room for `count` entries that go in together. */
static void need(unsigned count)
{
    if (io_uring_sq_space_left(&ring) < count)
        ok("io_uring_submit", io_uring_submit(&ring));
}

static void accept_many(void)
{
    need(1);
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(entry, &accepted);
}

static void receive(struct connection *connection)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    io_uring_prep_recv(entry, connection->fd, connection->buffer, buffer_size, 0);
    io_uring_sqe_set_data(entry, connection);
}

/* MSG_WAITALL: all of it, as with a short send the link would be cut. */
static void send_and_receive(struct connection *connection, size_t size)
{
    need(2);
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    io_uring_prep_send(entry, connection->fd, connection->buffer, size, MSG_WAITALL | MSG_NOSIGNAL);
    io_uring_sqe_set_flags(entry, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data(entry, &sent);
    receive(connection);
}

static void begin(int fd)
{
    ok("accept", fd);
    struct connection *connection = malloc(sizeof *connection + buffer_size);
    if (!connection)
        bench_fail("no memory");
    connection->fd = fd;
    server_no_delay(fd);
    need(1);
    receive(connection);
}

static void complete(const struct io_uring_cqe *completion)
{
    void *data = io_uring_cqe_get_data(completion);
    if (data == &sent)
        return; /* it failed, and the receive behind it is cancelled */
    if (data == &accepted) {
        if (!(completion->flags & IORING_CQE_F_MORE))
            accept_many();
        begin(completion->res);
        return;
    }
    struct connection *connection = data;
    if (completion->res > 0) {
        send_and_receive(connection, (size_t)completion->res);
    } else {
        close(connection->fd);
        free(connection);
    }
}

static void case_echo(void)
{
    buffer_size = server_buffer();
    listener = server_listen();
    open_ring();
    accept_many();
    server_ready(listener);
    for (;;) {
        int result = io_uring_submit_and_wait(&ring, 1);
        if (result != -EINTR)
            ok("io_uring_submit_and_wait", result);
        struct io_uring_cqe *completion;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&ring, head, completion)
        {
            complete(completion);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}

static void case_about(void)
{
    open_ring();
    printf("liburing " LIBURING_VERSION "\n"); /* from the build: its headers have none */
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "echo", case_echo }, { "about", case_about }, { NULL, NULL } };
    return bench_main(argc, argv, cases, server_known);
}
