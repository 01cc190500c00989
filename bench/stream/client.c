/*
 * client.c - the other side of every echo server: the load, and the measuring.
 *
 *     stream-client echo name=value... -- SERVER ARGUMENT...
 *
 * Starts the server (see server.h), opens connections to it, sends requests and receives them again, and ends the
 * server. One thread, on bare epoll.
 *
 *   connections=50       that send requests: as soon as one is back, the next
 *   size=64              bytes of a request, which is written with one call if the socket takes it
 *   outstanding=1        requests of a connection that are under way at once
 *   input=262144         bytes that are read at once: with few, the server has to wait until it can write
 *   idle=0               more connections, which send one request and then only exist
 *   count=10000          requests in all, times=3 after a first time
 *   processor=N server_processor=N      where the client and the server have to stay
 *
 * Every byte is compared. Each connection sends a noise of its own, one byte further with each request, so that what
 * comes back to another connection, in another order or a second time is found. In the end each is shut down, and
 * the server must have nothing more to say and end it too.
 *
 * Ends with the server's status 77 if it has that. Prints lines, one for each time:
 *
 *   request PICOSECONDS      of one request
 *   processor PICOSECONDS    that all threads of the server took for one request, and the system for them
 *   sleeps THOUSANDTHS       how often the server's threads went to sleep for one request
 *
 * and, when there are idle connections, "idle BYTES": the private memory of the server, with page tables, that came
 * with each.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measured.h"

enum {
    EVENTS = 512,
    SHIFTS = 251, /* a prime: the noise of a request is that of the one before, moved by a byte */
    BATCH = 64,   /* connections that are opened at once, fewer than wait for a server to accept them */
};

static const char *const known[] = { "connections", "size",      "outstanding",      "input", "idle", "count",
                                     "times",       "processor", "server_processor", NULL };

static void *memory(size_t size)
{
    void *block = calloc(1, size);
    bench_must("calloc", block);
    return block;
}

/* ---- connections ---- */

struct connection {
    int fd;
    bool blocked;                   /* the socket took less than there was */
    char *noise;                    /* size + SHIFTS bytes */
    uint64_t begun, sent, received; /* bytes: requests that were begun, and what went out and came back of them */
};

static size_t request_size, outstanding, input_size;
static char *input;
static int poller;
static uint64_t noise_state;

/* One round: so many requests, by whichever connections are the fastest. */
static struct {
    long count, begun, done;
} round_of;

static uint64_t noise(void)
{
    /* splitmix64 */
    uint64_t z = (noise_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void open_connection(struct connection *connection, const struct measured *server)
{
    size_t size = request_size + SHIFTS;
    connection->noise = memory(size);
    for (size_t i = 0; i < size; i++)
        connection->noise[i] = (char)noise();
    struct sockaddr_in there = { .sin_family = AF_INET,
                                 .sin_port = htons(server->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_must("socket", connection->fd >= 0);
    bench_must("connect", connect(connection->fd, (struct sockaddr *)&there, sizeof there) == 0);
    int yes = 1;
    bench_must("TCP_NODELAY", setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    bench_must("O_NONBLOCK", fcntl(connection->fd, F_SETFL, O_NONBLOCK) == 0);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    bench_must("epoll_ctl", epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) == 0);
}

/* The bytes of the stream from `offset` to the end of a request. */
static const char *bytes_at(const struct connection *connection, uint64_t offset, size_t *size)
{
    size_t within = (size_t)(offset % request_size);
    *size = request_size - within;
    return connection->noise + offset / request_size % SHIFTS + within;
}

static void block(struct connection *connection, bool blocked)
{
    if (blocked == connection->blocked)
        return;
    connection->blocked = blocked;
    struct epoll_event event = { .events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.ptr = connection };
    bench_must("epoll_ctl", epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event) == 0);
}

static void send_requests(struct connection *connection)
{
    while (round_of.begun < round_of.count &&
           connection->begun - connection->received <= (outstanding - 1) * request_size) {
        connection->begun += request_size;
        round_of.begun++;
    }
    while (connection->sent < connection->begun) {
        size_t size;
        const char *data = bytes_at(connection, connection->sent, &size);
        ssize_t written = write(connection->fd, data, size);
        if (written < 0 && errno == EAGAIN) {
            block(connection, true);
            return;
        }
        bench_must("write", written > 0);
        connection->sent += (uint64_t)written;
    }
    block(connection, false);
}

static void compare(struct connection *connection, const char *found, size_t size)
{
    if (size > connection->sent - connection->received)
        bench_fail("more came back than was sent");
    while (size > 0) {
        size_t part;
        const char *expected = bytes_at(connection, connection->received, &part);
        bool whole = size >= part;
        part = whole ? part : size;
        if (memcmp(found, expected, part) != 0)
            bench_fail("other bytes came back than were sent");
        connection->received += part;
        round_of.done += whole;
        found += part;
        size -= part;
    }
}

static void receive(struct connection *connection)
{
    ssize_t size = read(connection->fd, input, input_size);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size == 0)
        bench_fail("the server ended a connection");
    bench_must("read", size > 0);
    compare(connection, input, (size_t)size);
}

/* So many requests over these connections; returns when all are back. */
static void do_requests(struct connection *connections, long number, long count)
{
    round_of.count = count;
    round_of.begun = round_of.done = 0;
    for (long i = 0; i < number; i++)
        send_requests(&connections[i]);
    while (round_of.done < count) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        bench_must("epoll_wait", ready >= 0 || errno == EINTR);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive(connection);
            send_requests(connection);
        }
    }
}

/* Opens them some at a time, and sends a request over each. */
static struct connection *open_connections(const struct measured *server, long number)
{
    struct connection *connections = memory(((size_t)number + 1) * sizeof *connections);
    for (long first = 0; first < number; first += BATCH) {
        long many = number - first < BATCH ? number - first : BATCH;
        for (long i = first; i < first + many; i++)
            open_connection(&connections[i], server);
        do_requests(&connections[first], many, many);
    }
    return connections;
}

/* Ends them in order: nothing more may come, and the server has to end them too. */
static void close_connections(struct connection *connections, long number)
{
    for (long i = 0; i < number; i++)
        bench_must("shutdown", shutdown(connections[i].fd, SHUT_WR) == 0);
    for (long i = 0; i < number; i++) {
        char more;
        bench_must("fcntl", fcntl(connections[i].fd, F_SETFL, 0) == 0);
        if (read(connections[i].fd, &more, 1) != 0)
            bench_fail("a connection did not end after its last byte");
        close(connections[i].fd);
        free(connections[i].noise);
    }
    free(connections);
}

/* ---- the case ---- */

static char **server_command;

static void measure(const struct measured *server, struct connection *connections, long number, long count)
{
    int64_t slept = measured_sleeps(server), worked = measured_processor(server), began = bench_now();
    do_requests(connections, number, count);
    int64_t time = bench_now() - began;
    bench_print_each("request", time, count);
    bench_print_each("processor", measured_processor(server) - worked, count);
    bench_print_each("sleeps", measured_sleeps(server) - slept, count);
}

static void allow_files(long number)
{
    struct rlimit limit;
    bench_must("getrlimit", getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_max < (rlim_t)number + 64)
        bench_fail("%ld connections are more than the limit of open files", number);
    limit.rlim_cur = limit.rlim_max; /* the server's too */
    bench_must("setrlimit", setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void case_echo(void)
{
    long busy = bench_number("connections", 50), idle = bench_number("idle", 0);
    long count = bench_number("count", 10000), times = bench_number("times", 3);
    struct measured server = { .command = server_command };
    request_size = (size_t)bench_number("size", 64);
    outstanding = (size_t)bench_number("outstanding", 1);
    input_size = (size_t)bench_number("input", 256 * 1024);
    input = memory(input_size);
    if (!server.command || busy < 1 || request_size < 1 || outstanding < 1 || input_size < 1)
        bench_fail("echo name=value... -- SERVER ARGUMENT...");
    allow_files(busy + idle);
    measured_start(&server);
    bench_stay_on("processor");
    signal(SIGPIPE, SIG_IGN); /* only now, as the server would inherit it */
    poller = epoll_create1(EPOLL_CLOEXEC);
    bench_must("epoll_create1", poller >= 0);

    struct connection *connections = open_connections(&server, busy), *others = NULL;
    do_requests(connections, busy, count);
    int64_t before = measured_memory(&server);
    if (idle > 0) {
        others = open_connections(&server, idle);
        bench_print("idle", (measured_memory(&server) - before) / idle);
        do_requests(connections, busy, count);
    }
    for (long i = 0; i < times; i++)
        measure(&server, connections, busy, count);
    close_connections(connections, busy);
    if (idle > 0)
        close_connections(others, idle);
    measured_end(&server);
    free(input);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "echo", case_echo }, { "about", bench_case_about }, { NULL, NULL } };
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0 && i + 1 < argc) {
            server_command = &argv[i + 1];
            argc = i;
        }
    }
    return bench_main(argc, argv, cases, known);
}
