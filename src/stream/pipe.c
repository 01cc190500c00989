/*
 * Pipes: messages between processes.
 *
 *   one packet of a Unix socket that keeps packets whole (SOCK_SEQPACKET):
 *   +--------+---------------------------------+
 *   | header | the first bytes of the message  |   descriptors:  [ what holds the rest ] [ those of the user ... ]
 *   +--------+---------------------------------+
 *
 * A short message is one packet. Of a long one the packet has the first part; the rest lies where nobody else is, which was
 * filled before and whose descriptor travels with the packet. That is the first of these that can hold it all:
 *
 *     a Unix socket of bytes   its memory comes in pieces of 32 KiB, if there are some; net.core.wmem_max is its limit, which
 *                              is 4 MiB since Linux 6.16, 208 KiB before
 *     a pipe of the system's   single pages; fs.pipe-max-size
 *     memory without a name    a memfd, whose pages are zeroed, and found by others; limited by the memory there is
 *
 * A MiB in and out takes 155, 210 and 460 us.
 *
 * I1  A message begins to exist by one call of the system, which sends the packet; what comes before is in memory that only
 *     the sender holds. So who dies, or gives up, before has sent nothing, and nobody has to put anything right:
 *     neither the other senders of this end nor the receiver ever see a part of a message.
 * I2  It ceases to exist by one call, too, which receives the packet. So each message has one receiver.
 * I3  What waits in a socket is paid for by its bytes there. That a long message has its first part in the packet,
 *     though all of it could lie elsewhere, is what bounds the number of those that wait.
 * I4  The rest is read, not mapped: if the sender were to shorten it meanwhile, that is an error, and no SIGBUS.
 * I5  The port (loop/port.h) is of one process. Who uses the pipe first after a fork opens it anew for the child; whoever
 *     comes meanwhile does without. If the fork came in the midst of that, the whole process does without.
 *
 * Why not otherwise: a stream of bytes with lengths in it is out of step for all others as soon as one sender dies in the
 * midst of a message; and a packet of many MiB is refused, since it would have to lie in one piece of the kernel's memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>

#include <salp/pipe.h>

#include "os/epoll.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/pipe.h"
#include "os/process.h"
#include "stream/stream.h"
#include "task/descriptor.h"
#include "task/scope.h"

enum {
    MAGIC = 0x73703031, /* "sp01": and the number of this layout */
#ifdef SALP_HOSTILE
    INSIDE = 64,
    PIPED = 3000,
    SOCKETED = 5000,
    SOCKETED_FROM = 1000,
    AT_ONCE = 1000,
#else
    INSIDE = 64 * 1024,   /* bytes of a message that lie in its packet at most */
    PIPED = 1024 * 1024,  /* bytes of the rest that a pipe can hold: the usual fs.pipe-max-size */
    SOCKETED = 4 * PIPED, /* and that a socket is asked to hold: no fewer than from where it is quicker than a pipe */
    SOCKETED_FROM = 96 * 1024,
    AT_ONCE = 1024 * 1024, /* bytes that are copied before others have their turn */
#endif
    INSIDE_IF_SCARCE = INSIDE / 16, /* when the system has no memory in larger pieces, or sockets of this size */
};

typedef struct header {
    uint32_t magic;
    uint16_t fds;  /* of the user */
    uint16_t rest; /* where it lies, one of the following */
    uint64_t size; /* of the message; the packet has fewer bytes of it when there is a rest */
} header;

enum { NO_REST, IN_MEMORY, IN_STREAM }; /* IN_STREAM: what was put there is read, then comes the end */

struct salp_pipe {
    salp__port port;
    _Atomic unsigned forks; /* of the process that the port is of, or CHANGING; release: opened, acquire: used */
};

enum { CHANGING = UINT_MAX };

static const char waits_for[] = "a message", waits_for_room[] = "room for a message";

/* ---- the port ---- */

/* Whether the port can be used here. I5 */
static bool is_ours(salp_pipe *pipe)
{
    unsigned here = salp__forks(), seen = atomic_load_explicit(&pipe->forks, memory_order_acquire);
    if (seen == here)
        return true;
    if (seen == CHANGING || !atomic_compare_exchange_strong_explicit(&pipe->forks, &seen, CHANGING,
                                                                     memory_order_relaxed, memory_order_relaxed))
        return false;
    salp__port_open(&pipe->port, pipe->port.watch.fd);
    atomic_store_explicit(&pipe->forks, here, memory_order_release);
    return true;
}

static bool is_home(salp_pipe *pipe)
{
    return is_ours(pipe) && salp__port_is_home(&pipe->port);
}

/* 0: try once more. */
static int wait_for(salp_pipe *pipe, salp__way way)
{
    const char *what = way == SALP__OUT ? waits_for_room : waits_for;
    if (is_ours(pipe))
        return salp__stream_wait_among(&pipe->port, way, what);
    int came = salp__descriptor_wait(pipe->port.watch.fd, way == SALP__OUT ? SALP__POLL_OUT : SALP__POLL_IN, what);
    return came < 0 ? came : 0;
}

/* ---- opening ---- */

/* Takes the descriptor over also when it fails. */
static int open_end(salp_pipe **out, int fd)
{
    salp_pipe *pipe = salp__allocate(sizeof *pipe);
    if (!pipe) {
        salp__file_close(fd);
        return -ENOMEM;
    }
    salp__port_open(&pipe->port, fd);
    atomic_init(&pipe->forks, pipe->port.forks);
    *out = pipe;
    return 0;
}

int salp_pipe_open(salp_pipe **a, salp_pipe **b)
{
    int fds[2];
    if (a)
        *a = NULL;
    if (b)
        *b = NULL;
    if (!a || !b)
        return -EINVAL;
    int error = salp__socket_pair(fds, SOCK_SEQPACKET);
    if (error < 0)
        return error;
    error = open_end(a, fds[0]);
    if (error < 0) {
        salp__file_close(fds[1]);
        return error;
    }
    error = open_end(b, fds[1]);
    if (error < 0) {
        salp_pipe_close(*a);
        *a = NULL;
    }
    return error;
}

/* Whether it is a socket of the kind that pipes are made of, and has another end. */
static int check(int fd)
{
    int family, kind;
    salp_address peer;
    int error = salp__socket_get(fd, SOL_SOCKET, SO_DOMAIN, &family);
    if (error == 0)
        error = salp__socket_get(fd, SOL_SOCKET, SO_TYPE, &kind);
    if (error < 0)
        return error == -EBADF ? error : -EINVAL;
    return family == AF_UNIX && kind == SOCK_SEQPACKET && salp__socket_peer(fd, &peer) == 0 ? 0 : -EINVAL;
}

int salp_pipe_attach(salp_pipe **out, int fd)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    int error = check(fd);
    if (error < 0)
        return error;
    int copy = salp__file_copy(fd);
    return copy < 0 ? copy : open_end(out, copy);
}

int salp_pipe_fd(const salp_pipe *pipe)
{
    return pipe ? pipe->port.watch.fd : -EINVAL;
}

static void gone(salp__port *port)
{
    salp__free(port); /* the first member */
}

void salp_pipe_close(salp_pipe *pipe)
{
    if (pipe)
        salp__port_close(&pipe->port, gone);
}

/* ---- sending ---- */

typedef struct letter {
    const char *data;
    header header;
    size_t inside;                  /* bytes of the data that are in the packet */
    int fds[SALP_PIPE_FDS_MAX + 1]; /* that with the rest comes first */
    int count;
} letter;

static size_t next_piece(size_t left)
{
    return left < AT_ONCE ? left : AT_ONCE;
}

/* Room for so much, in what it takes the system: there is a good deal of air in its pieces. */
static int make_room(int fd, size_t size)
{
    int wanted = (int)size, room;
    int error = salp__socket_set(fd, SOL_SOCKET, SO_SNDBUF, wanted); /* which doubles it */
    if (error == 0)
        error = salp__socket_get(fd, SOL_SOCKET, SO_SNDBUF, &room);
    return error == 0 && room / 2 < wanted ? -ENOBUFS : error;
}

static int fill_socket(int fd, const char *data, size_t size)
{
    int error = make_room(fd, size);
    while (error == 0 && size > 0) {
        int64_t sent = salp__socket_send(fd, data, next_piece(size));
        SALP__STEP();
        if (sent < 0)
            return (int)sent;
        data += sent;
        size -= (size_t)sent;
        if (size > 0) {
            salp__stream_took_turn();
            error = salp__wait_begin();
        }
    }
    return error;
}

/* A descriptor of a socket that holds it; or an error: also that of a scope. */
static int put_into_socket(const char *data, size_t size)
{
    int ends[2];
    if (size < SOCKETED_FROM || size > SOCKETED)
        return -EMSGSIZE;
    int error = salp__socket_pair(ends, SOCK_STREAM);
    if (error < 0)
        return error;
    error = fill_socket(ends[0], data, size);
    salp__file_close(ends[0]);
    if (error == 0)
        return ends[1];
    salp__file_close(ends[1]);
    return error;
}

/* A descriptor of memory that holds it; or an error: also that of a scope. */
static int put_aside(const char *data, size_t size)
{
    int fd = salp__memfd_open("salp-message");
    if (fd < 0)
        return fd;
    int error = salp__file_extend(fd, size);
    for (size_t at = 0, piece; error == 0 && at < size; at += piece) {
        piece = next_piece(size - at);
        error = salp__file_write(fd, data + at, piece, at);
        SALP__STEP();
        if (error == 0 && at + piece < size) {
            salp__stream_took_turn();
            error = salp__wait_begin();
        }
    }
    if (error == 0)
        return fd;
    salp__file_close(fd);
    return error;
}

/* At most `inside` bytes go into the packet, the rest elsewhere. */
static int divide(letter *l, size_t inside)
{
    l->inside = l->header.size < inside ? (size_t)l->header.size : inside;
    if (l->inside == l->header.size)
        return 0;
    const char *data = l->data + l->inside;
    size_t size = (size_t)l->header.size - l->inside;
    int rest = put_into_socket(data, size);
    if (rest < 0 && size <= PIPED)
        rest = salp__pipe_filled(data, size);
    l->header.rest = rest >= 0 ? IN_STREAM : IN_MEMORY;
    if (rest < 0)
        rest = put_aside(data, size);
    SALP__STEP();
    if (rest < 0)
        return rest;
    salp__file_close(l->fds[0]);
    l->fds[0] = rest;
    return 0;
}

static int64_t try_to_send(salp_pipe *pipe, const letter *l)
{
    salp__port *port = &pipe->port;
    bool home = is_home(pipe);
    if (home && !port->out.ready)
        return -EAGAIN;
    struct iovec parts[] = { { (void *)&l->header, sizeof l->header }, { (void *)l->data, l->inside } };
    bool rest = l->fds[0] >= 0;
    SALP__STEP();
    int64_t sent = salp__socket_send_parts(port->watch.fd, parts, 2, rest ? l->fds : l->fds + 1, l->count + rest);
    SALP__STEP();
    if (home && sent == -EAGAIN)
        port->out.ready = false; /* I2 of port.h */
    return sent;
}

static int send_letter(salp_pipe *pipe, letter *l)
{
    int error = divide(l, INSIDE);
    while (error == 0) {
        int64_t sent = try_to_send(pipe, l);
        if (sent >= 0)
            return 0;
        if (sent == -EAGAIN)
            error = wait_for(pipe, SALP__OUT);
        else if ((sent == -EMSGSIZE || sent == -ENOBUFS) && l->inside > INSIDE_IF_SCARCE)
            error = divide(l, INSIDE_IF_SCARCE);
        else if (sent != -ECONNRESET) /* which is told once, if it was closed with messages in it; then it is -EPIPE */
            error = sent == -ECONNREFUSED || sent == -ENOTCONN ? -EPIPE : (int)sent;
    }
    return error;
}

int salp_pipe_send_fds(salp_pipe *pipe, const void *data, size_t size, const int fds[], int count)
{
    if (!pipe || (!data && size > 0) || size > SSIZE_MAX || count < 0 || count > SALP_PIPE_FDS_MAX ||
        (count > 0 && !fds))
        return -EINVAL;
    int error = salp__wait_begin();
    if (error < 0)
        return error;
    salp__stream_took_turn();
    letter l;
    l.data = data;
    l.header = (header){ .magic = MAGIC, .fds = (uint16_t)count, .size = size };
    l.fds[0] = -1;
    l.count = count;
    for (int i = 0; i < count; i++)
        l.fds[i + 1] = fds[i];
    error = send_letter(pipe, &l);
    salp__file_close(l.fds[0]);
    return error;
}

int salp_pipe_send(salp_pipe *pipe, const void *data, size_t size)
{
    return salp_pipe_send_fds(pipe, data, size, NULL, 0);
}

/* ---- receiving ---- */

typedef struct parcel {
    header header;
    size_t inside;
    int fds[SALP__SOCKET_FDS];
    int count;
} parcel;

/* Bytes of the packet; 0: the end. What is inside goes to the buffer, which has room for it. */
static int64_t try_to_receive(salp_pipe *pipe, salp_buffer *buffer, parcel *p)
{
    salp__port *port = &pipe->port;
    bool home = is_home(pipe);
    if (home && !port->in.ready)
        return -EAGAIN;
    struct iovec parts[] = { { &p->header, sizeof p->header }, { buffer->data, INSIDE } };
    int64_t got = salp__socket_receive_whole(port->watch.fd, parts, 2, p->fds, &p->count);
    SALP__STEP();
    if (home && got == -EAGAIN)
        port->in.ready = false;
    return got;
}

static bool is_message(parcel *p, int64_t got)
{
    if (got < (int64_t)sizeof p->header || p->header.magic != MAGIC)
        return false;
    p->inside = (size_t)got - sizeof p->header;
    bool rest = p->inside < p->header.size;
    return p->inside <= p->header.size && p->count == p->header.fds + rest && rest == (p->header.rest != NO_REST);
}

static int read_stream(int fd, char *data, size_t size)
{
    while (size > 0) {
        int64_t got = salp__pipe_read(fd, data, size);
        if (got <= 0)
            return -EPROTO;
        data += got;
        size -= (size_t)got;
    }
    return 0;
}

/* The rest, behind what is inside. */
static int fetch(salp_buffer *buffer, const parcel *p)
{
    size_t size = (size_t)p->header.size;
    buffer->size = p->inside;
    int error = salp_buffer_reserve(buffer, size - p->inside);
    for (size_t at = p->inside, piece; error == 0 && at < size; at += piece) {
        piece = next_piece(size - at);
        char *to = (char *)buffer->data + at;
        error = p->header.rest == IN_STREAM ? read_stream(p->fds[0], to, piece)
                                            : salp__file_read(p->fds[0], to, piece, at - p->inside);
        if (at + piece < size)
            salp__stream_took_turn();
    }
    return error == -EIO || error == -ESPIPE ? -EPROTO : error; /* it is too short, or no memory at all. I4 */
}

/* Returns 1, or an error. */
static int unpack(salp_buffer *buffer, const parcel *p, int fds[], int max, int *count)
{
    bool rest = p->inside < p->header.size;
    int error = rest ? fetch(buffer, p) : 0;
    if (rest)
        salp__file_close(p->fds[0]);
    for (int i = rest; i < p->count; i++) {
        if (error == 0 && *count < max)
            fds[(*count)++] = p->fds[i];
        else
            salp__file_close(p->fds[i]);
    }
    buffer->size = error < 0 ? 0 : (size_t)p->header.size;
    return error < 0 ? error : 1;
}

/* Closes what came with something else. */
static int refuse(const parcel *p)
{
    for (int i = 0; i < p->count; i++)
        salp__file_close(p->fds[i]);
    return -EPROTO;
}

int salp_pipe_receive_fds(salp_pipe *pipe, salp_buffer *buffer, int fds[], int max, int *count)
{
    if (!pipe || !buffer || !count || max < 0 || (max > 0 && !fds))
        return -EINVAL;
    *count = 0;
    buffer->size = 0;
    int error = salp__wait_begin();
    if (error == 0)
        error = salp_buffer_reserve(buffer, INSIDE);
    salp__stream_took_turn();
    while (error == 0) {
        parcel p;
        int64_t got = try_to_receive(pipe, buffer, &p);
        if (got > 0)
            return is_message(&p, got) ? unpack(buffer, &p, fds, max, count) : refuse(&p);
        if (got == 0)
            return 0;
        if (got == -EAGAIN)
            error = wait_for(pipe, SALP__IN);
        else if (got != -ECONNRESET) /* the other end was closed with messages in it; what it has sent is still here */
            error = got == -EMSGSIZE ? -EPROTO : (int)got;
    }
    return error;
}

int salp_pipe_receive(salp_pipe *pipe, salp_buffer *buffer)
{
    int count;
    return salp_pipe_receive_fds(pipe, buffer, NULL, 0, &count);
}
