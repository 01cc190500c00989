/* Descriptors that travel, unix(7). SPDX-License-Identifier: MIT */
#include "os/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "os/fault.h"
#include "os/file.h"

typedef union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(SALP__CHANNEL_MAX * sizeof(int))];
} control;

int salp__channel_open(int ends[2])
{
    SALP__FAULT(-EMFILE);
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

int salp__channel_send(int end, const int fds[], int count)
{
    SALP__FAULT(-EPIPE);
    char byte = 0;
    struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
    control buffer = { 0 };
    salp__must(count <= SALP__CHANNEL_MAX);
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &buffer,
        .msg_controllen = CMSG_SPACE((size_t)count * sizeof *fds),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN((size_t)count * sizeof *fds),
        .cmsg_level = SOL_SOCKET,
        .cmsg_type = SCM_RIGHTS,
    };
    memcpy(CMSG_DATA(header), fds, (size_t)count * sizeof *fds);
    while (sendmsg(end, &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int salp__channel_receive(int end, int fds[], int max)
{
    SALP__FAULT(-EMFILE);
    char byte;
    struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
    control buffer = { 0 };
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &buffer,
        .msg_controllen = sizeof buffer,
    };
    ssize_t size;
    while ((size = recvmsg(end, &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    if (size == 0)
        return 0;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return -EMFILE; /* the kernel had no numbers left for them */
    int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof *fds), received[SALP__CHANNEL_MAX];
    memcpy(received, CMSG_DATA(header), (size_t)count * sizeof *received);
    for (int i = 0; i < count; i++) {
        if (i < max)
            fds[i] = received[i];
        else
            salp__file_close(received[i]);
    }
    if ((message.msg_flags & MSG_CTRUNC) == 0)
        return count < max ? count : max;
    for (int i = 0; i < count && i < max; i++)
        salp__file_close(fds[i]);
    return -EMFILE;
}
