/* What the echo servers in C share; see server.h. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* SOCK_NONBLOCK */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

const char *const server_known[] = { "buffer", NULL };

size_t server_buffer(void)
{
    return (size_t)bench_number("buffer", 4096);
}

int server_listen(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bench_must("socket", fd >= 0);
    bench_must("bind", bind(fd, (struct sockaddr *)&here, sizeof here) == 0);
    bench_must("listen", listen(fd, SERVER_BACKLOG) == 0);
    return fd;
}

void server_no_delay(int fd)
{
    int yes = 1;
    bench_must("TCP_NODELAY", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
}

void server_ready(int fd)
{
    struct sockaddr_in here;
    socklen_t size = sizeof here;
    bench_must("getsockname", getsockname(fd, (struct sockaddr *)&here, &size) == 0);
    signal(SIGPIPE, SIG_IGN);
    bench_print("ready", ntohs(here.sin_port));
}
