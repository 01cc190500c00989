/*
 * Sockets. All that are made here do not block and are close-on-exec; calls on them never wait, whatever the flags of the
 * descriptor say, since each is told so by itself. -EAGAIN: now is not the time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SOCKET_H
#define SALP__SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <salp/address.h>

/* What a descriptor is, as far as it matters to who reads and writes it. */
typedef enum salp__file_kind {
    SALP__KIND_SOCKET,
    SALP__KIND_PIPE,
    SALP__KIND_TERMINAL,
    SALP__KIND_FILE,  /* or a folder: always ready */
    SALP__KIND_OTHER, /* some device */
} salp__file_kind;

int salp__file_kind_of(int fd, salp__file_kind *kind); /* Errors: -EBADF */

/* `kind`: SOCK_STREAM and the like. */
int salp__socket_open(int family, int kind, int protocol);
int salp__socket_pair(int fds[2], int kind);

/* 0: connected; -EINPROGRESS: ask salp__socket_error when it can be written; else the error. */
int salp__socket_connect(int fd, const salp_address *address);
int salp__socket_error(int fd); /* 0 or what has befallen it since */

int salp__socket_bind(int fd, const salp_address *address);
int salp__socket_listen(int fd, int backlog);
int salp__socket_accept(int fd, salp_address *from); /* a descriptor */

/*
 * Bytes; 0: the end. `fds` are those that came along, at most `max` of them. *count: how many; -EMFILE: the bytes are there,
 * but the system has dropped descriptors that belong to them, and none was taken.
 */
int64_t salp__socket_receive(int fd, void *data, size_t size);
int64_t salp__socket_receive_fds(int fd, void *data, size_t size, int fds[], int max, int *count);

/* A message of a socket that keeps them whole, with all descriptors that came along: fds[SALP__SOCKET_FDS]. 0: the end.
   -EMSGSIZE: it was longer than the parts; -EMFILE: this process had no numbers left for all of its descriptors. It is gone
   then, and none of them is open. */
enum { SALP__SOCKET_FDS = 253 }; /* the kernel sends so many at most */
int64_t salp__socket_receive_whole(int fd, const struct iovec parts[], int part_count, int fds[], int *count);

/* Bytes that were taken, which may be fewer. Never a SIGPIPE. */
int64_t salp__socket_send(int fd, const void *data, size_t size);
int64_t salp__socket_send_parts(int fd, const struct iovec parts[], int count, const int fds[], int fd_count);

/* Datagrams: whole, with the address of the other side. `truncated`: it was longer. */
int64_t salp__socket_receive_from(int fd, void *data, size_t size, salp_address *from, bool *truncated);
int64_t salp__socket_send_to(int fd, const void *data, size_t size, const salp_address *to); /* NULL: connected */

/* What is sent to a group gets there; by the network interface with this index, 0: the system chooses. */
int salp__socket_join(int fd, const salp_address *group, int interface, bool member); /* false: no longer */
int salp__socket_multicast_by(int fd, int family, int interface); /* by which those that we send leave */

int salp__socket_shutdown(int fd, int how); /* SHUT_RD and the like */
int salp__socket_name(int fd, salp_address *address);
int salp__socket_peer(int fd, salp_address *address);
int salp__socket_set(int fd, int level, int option, int value);
int salp__socket_get(int fd, int level, int option, int *value);

/* The same for pipes, terminals and devices, whose descriptors must not block or be known to be ready. */
int64_t salp__pipe_read(int fd, void *data, size_t size);
int64_t salp__pipe_write(int fd, const struct iovec parts[], int count);

/* Opens a pipe or a terminal anew, in the mode that it has (O_RDONLY and so on): by the same number, but it does not block,
   though others that share what it was go on to. Errors: it is not to be had (no /proc, no right to open it), and the
   descriptor is as it was. */
int salp__file_reopen(int fd, int mode);
bool salp__file_is_terminal(int fd);
int salp__file_set_blocking(int fd, bool blocking); /* of a file that nobody shares */

/* From a file to a socket, without a copy. Bytes, 0: the file has no more. */
int64_t salp__file_send(int fd, int file, int64_t *offset, size_t size);

#endif
