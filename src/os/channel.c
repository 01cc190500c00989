/* Messages with descriptors, unix(7). SPDX-License-Identifier: MIT */
#include "os/channel.h"

#include <errno.h>
#include <stdint.h>
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

static void attach(struct msghdr *message, control *buffer, const int fds[], int count)
{
    size_t size = (size_t)count * sizeof *fds;
    memset(buffer, 0, sizeof *buffer); /* its padding is sent, too */
    message->msg_control = buffer;
    message->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(size),
        .cmsg_level = SOL_SOCKET,
        .cmsg_type = SCM_RIGHTS,
    };
    memcpy(CMSG_DATA(header), fds, size);
}

int salp__channel_send(int end, const void *data, size_t size, const int fds[], int count)
{
    SALP__FAULT(-EPIPE);
    struct iovec vector = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    control buffer;
    salp__must(count <= SALP__CHANNEL_MAX);
    if (count > 0)
        attach(&message, &buffer, fds, count);
    while (sendmsg(end, &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* The descriptors of a message become ours, or are closed. Returns how many are. */
static int take_descriptors(struct msghdr *message, int fds[], int max)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return 0;
    int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof *fds), received[SALP__CHANNEL_MAX];
    memcpy(received, CMSG_DATA(header), (size_t)count * sizeof *received);
    for (int i = 0; i < count; i++) {
        if (i < max)
            fds[i] = received[i];
        else
            salp__file_close(received[i]);
    }
    return count < max ? count : max;
}

int salp__channel_receive(int end, void *data, size_t size, int fds[], int max, int *count)
{
    *count = 0;
    SALP__FAULT(-EMFILE);
    struct iovec vector = { .iov_base = data, .iov_len = size };
    control buffer;
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &buffer,
        .msg_controllen = sizeof buffer,
    };
    ssize_t received;
    while ((received = recvmsg(end, &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    int taken = take_descriptors(&message, fds, max);
    /* Cut off: the kernel had no numbers left for all descriptors. */
    int error = message.msg_flags & MSG_CTRUNC                                                ? -EMFILE
                : received > 0 && ((size_t)received != size || message.msg_flags & MSG_TRUNC) ? -EPROTO
                                                                                              : 0;
    for (int i = 0; i < taken && error < 0; i++)
        salp__file_close(fds[i]);
    if (error < 0)
        return error;
    *count = taken;
    return received > 0;
}
