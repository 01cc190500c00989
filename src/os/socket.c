/* Sockets, pipes and terminals. SPDX-License-Identifier: MIT */
#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/fault.h"

/* Calls that do not wait are hardly ever interrupted; but a signal may come between. */
#define AGAIN_IF_INTERRUPTED(call)                        \
    ({                                                    \
        __typeof__(call) result_;                         \
        do                                                \
            result_ = (call);                             \
        while (result_ < 0 && errno == EINTR);            \
        result_ < 0 ? (__typeof__(call))-errno : result_; \
    })

int salp__file_kind_of(int fd, salp__file_kind *kind)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISSOCK(status.st_mode))
        *kind = SALP__KIND_SOCKET;
    else if (S_ISFIFO(status.st_mode))
        *kind = SALP__KIND_PIPE;
    else if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
        *kind = SALP__KIND_FILE;
    else
        *kind = isatty(fd) ? SALP__KIND_TERMINAL : SALP__KIND_OTHER;
    return 0;
}

/* ---- making and connecting ---- */

int salp__socket_open(int family, int kind, int protocol)
{
    SALP__FAULT(-EMFILE);
    int fd = socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    return fd < 0 ? -errno : fd;
}

int salp__socket_pair(int fds[2], int kind)
{
    SALP__FAULT(-EMFILE);
    return socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

static const struct sockaddr *plain(const salp_address *address)
{
    return (const struct sockaddr *)(const void *)address->data;
}

int salp__socket_connect(int fd, const salp_address *address)
{
    SALP__FAULT(-ENOBUFS);
    if (connect(fd, plain(address), address->size) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno; /* interrupted, it goes on by itself */
}

int salp__socket_error(int fd)
{
    int error = 0;
    int failed = salp__socket_get(fd, SOL_SOCKET, SO_ERROR, &error);
    return failed < 0 ? failed : -error;
}

int salp__socket_bind(int fd, const salp_address *address)
{
    SALP__FAULT(-ENOBUFS);
    return bind(fd, plain(address), address->size) < 0 ? -errno : 0;
}

int salp__socket_listen(int fd, int backlog)
{
    SALP__FAULT(-ENOBUFS);
    return listen(fd, backlog) < 0 ? -errno : 0;
}

static void keep_address(salp_address *address, const struct sockaddr_storage *from, socklen_t size)
{
    if (address && salp_address_set(address, from, size) < 0)
        *address = (salp_address){ 0 }; /* unnamed, or cut */
}

int salp__socket_accept(int fd, salp_address *from)
{
    SALP__FAULT(-EMFILE);
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int accepted = AGAIN_IF_INTERRUPTED(accept4(fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted >= 0)
        keep_address(from, &address, size);
    return accepted;
}

/* ---- bytes ---- */

int64_t salp__socket_receive(int fd, void *data, size_t size)
{
    SALP__FAULT(-ECONNRESET);
    return AGAIN_IF_INTERRUPTED(recv(fd, data, size, MSG_DONTWAIT));
}

int64_t salp__socket_send(int fd, const void *data, size_t size)
{
    SALP__FAULT(-EPIPE);
    return AGAIN_IF_INTERRUPTED(send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL));
}

enum {
    MAX_FDS = SALP__SOCKET_FDS,
    BESIDES =
        512, /* credentials and labels, which options of a socket ask for: they must not take the room of descriptors */
};

typedef union rights {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(MAX_FDS * sizeof(int)) + BESIDES];
} rights;

int64_t salp__socket_send_parts(int fd, const struct iovec parts[], int count, const int fds[], int fd_count)
{
    SALP__FAULT(-EPIPE);
    struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count };
    if (fd_count == 0)
        return AGAIN_IF_INTERRUPTED(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
    salp__must(fd_count <= MAX_FDS);
    rights control;
    size_t size = (size_t)fd_count * sizeof(int);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(size);
    memset(&control, 0, message.msg_controllen);
    control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&control.header), fds, size);
    return AGAIN_IF_INTERRUPTED(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Takes those that there is room for; closes the others, so that nothing leaks. */
static int take_fds(struct msghdr *message, int fds[], int max)
{
    int taken = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        int came = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < came; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + (size_t)i * sizeof fd, sizeof fd);
            if (taken < max)
                fds[taken++] = fd;
            else
                close(fd);
        }
    }
    return taken;
}

/* `lost`: MSG_TRUNC, MSG_CTRUNC: what the system had no room for. */
static int64_t receive_message(int fd, const struct iovec parts[], int part_count, int fds[], int max, int *count,
                               int *lost)
{
    rights control;
    struct msghdr message = { .msg_iov = (struct iovec *)parts,
                              .msg_iovlen = (size_t)part_count,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    int64_t got = AGAIN_IF_INTERRUPTED(recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    *count = got < 0 ? 0 : take_fds(&message, fds, max);
    *lost = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
    return got;
}

static void close_all(int fds[], int *count)
{
    while (*count > 0)
        close(fds[--*count]);
}

int64_t salp__socket_receive_fds(int fd, void *data, size_t size, int fds[], int max, int *count)
{
    SALP__FAULT(-ECONNRESET);
    int lost;
    int64_t got = receive_message(fd, &(struct iovec){ data, size }, 1, fds, max, count, &lost);
    /* What was dropped behind the last one that there is room for would have been closed. */
    if (got < 0 || *count == max || !(lost & MSG_CTRUNC))
        return got;
    close_all(fds, count);
    *count = -EMFILE;
    return got;
}

int64_t salp__socket_receive_whole(int fd, const struct iovec parts[], int part_count, int fds[], int *count)
{
    SALP__FAULT(-ECONNRESET);
    int lost;
    int64_t got = receive_message(fd, parts, part_count, fds, MAX_FDS, count, &lost);
    if (got < 0 || lost == 0)
        return got;
    close_all(fds, count);
    return lost & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
}

int64_t salp__socket_receive_from(int fd, void *data, size_t size, salp_address *from, bool *truncated)
{
    SALP__FAULT(-ENOBUFS);
    struct sockaddr_storage address;
    struct iovec part = { .iov_base = data, .iov_len = size };
    struct msghdr message = { .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = 1 };
    int64_t got = AGAIN_IF_INTERRUPTED(recvmsg(fd, &message, MSG_DONTWAIT));
    if (got < 0)
        return got;
    *truncated = message.msg_flags & MSG_TRUNC;
    keep_address(from, &address, message.msg_namelen);
    return got;
}

int64_t salp__socket_send_to(int fd, const void *data, size_t size, const salp_address *to)
{
    SALP__FAULT(-ENOBUFS);
    return AGAIN_IF_INTERRUPTED(
        sendto(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, to ? plain(to) : NULL, to ? to->size : 0));
}

int salp__socket_join(int fd, const salp_address *group, int interface, bool member)
{
    SALP__FAULT(-ENOBUFS);
    struct group_req request = { .gr_interface = (uint32_t)interface };
    memcpy(&request.gr_group, group->data, group->size);
    int level = salp_address_family(group) == SALP_IPV6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int option = member ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
    return setsockopt(fd, level, option, &request, sizeof request) < 0 ? -errno : 0;
}

int salp__socket_multicast_by(int fd, int family, int interface)
{
    SALP__FAULT(-ENOBUFS);
    struct ip_mreqn by = { .imr_ifindex = interface };
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface) < 0)
        return -errno;
    return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by) < 0 ? -errno : 0; /* IPv6 sockets do both */
}

/* ---- the rest ---- */

int salp__socket_shutdown(int fd, int how)
{
    return shutdown(fd, how) < 0 ? -errno : 0;
}

int salp__socket_name(int fd, salp_address *address)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
        return -errno;
    keep_address(address, &name, size);
    return 0;
}

int salp__socket_peer(int fd, salp_address *address)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getpeername(fd, (struct sockaddr *)&name, &size) < 0)
        return -errno;
    keep_address(address, &name, size);
    return 0;
}

int salp__socket_set(int fd, int level, int option, int value)
{
    SALP__FAULT(-ENOBUFS);
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int salp__socket_get(int fd, int level, int option, int *value)
{
    socklen_t size = sizeof *value;
    return getsockopt(fd, level, option, value, &size) < 0 ? -errno : 0;
}

/* ---- pipes, terminals, devices ---- */

int64_t salp__pipe_read(int fd, void *data, size_t size)
{
    SALP__FAULT(-EIO);
    int64_t got = AGAIN_IF_INTERRUPTED(read(fd, data, size));
    return got == -EIO && isatty(fd) && tcgetpgrp(fd) < 0 ? 0 : got; /* the other side of a pseudo-terminal is gone */
}

/* A write to what nobody reads brings a signal, too. It is taken back before the program could see it, unless one was pending
   before. */
typedef struct silence {
    sigset_t before;
    bool was_pending;
} silence;

static void be_quiet(silence *quiet)
{
    sigset_t pipe_signal, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    salp__must(pthread_sigmask(SIG_BLOCK, &pipe_signal, &quiet->before) == 0);
    sigpending(&pending);
    quiet->was_pending = sigismember(&pending, SIGPIPE) == 1;
}

static void be_quiet_no_more(const silence *quiet, int64_t result)
{
    sigset_t pipe_signal;
    struct timespec now = { 0 };
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    if (result == -EPIPE && !quiet->was_pending) {
        while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR)
            continue;
    }
    salp__must(pthread_sigmask(SIG_SETMASK, &quiet->before, NULL) == 0);
}

int64_t salp__pipe_write(int fd, const struct iovec parts[], int count)
{
    SALP__FAULT(-EPIPE);
    silence quiet;
    be_quiet(&quiet);
    int64_t written = AGAIN_IF_INTERRUPTED(writev(fd, parts, count));
    be_quiet_no_more(&quiet, written);
    return written;
}

/* The number of a pseudo-terminal is told to the side that has made it, which to open anew would make another one. */
static bool is_master(int fd)
{
    unsigned number;
    return ioctl(fd, TIOCGPTN, &number) == 0;
}

int salp__file_reopen(int fd, int mode)
{
    SALP__FAULT(-EMFILE);
    char path[32];
    if (is_master(fd) || (mode == O_RDWR && !isatty(fd)))
        return -ENOTSUP;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (again < 0)
        return -errno;
    int error = dup3(again, fd, O_CLOEXEC) < 0 ? -errno : 0;
    close(again);
    return error;
}

bool salp__file_is_terminal(int fd)
{
    return isatty(fd);
}

int salp__file_set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int64_t salp__file_send(int fd, int file, int64_t *offset, size_t size)
{
    SALP__FAULT(-EIO);
    silence quiet;
    off_t at = *offset;
    be_quiet(&quiet);
    int64_t sent = AGAIN_IF_INTERRUPTED(sendfile(fd, file, &at, size));
    be_quiet_no_more(&quiet, sent);
    *offset = at;
    return sent;
}
