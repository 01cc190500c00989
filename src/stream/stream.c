/* Opening, closing, and waiting for streams. SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "os/epoll.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "stream/operation.h"
#include "task/descriptor.h"
#include "task/scope.h"
#include "task/task.h"

/* ---- waiting ---- */

static void resume(void *arg)
{
    salp__spot *spot = arg;
    if (salp__claim(spot))
        salp__resume(spot);
}

static void listen_to(salp__side *side, salp__spot *spot)
{
    side->tell = spot ? resume : NULL;
    side->arg = spot;
}

int salp__wait_at_home(salp__side *side, salp__side *other, const char *what)
{
    while (!side->ready && !(other && other->ready)) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, what);
        salp__spot spot = salp__spot_of(&waiter);
        listen_to(side, &spot);
        if (other)
            listen_to(other, &spot);
        int error = salp__wait(&waiter);
        listen_to(side, NULL);
        if (other)
            listen_to(other, NULL);
        if (error < 0 && error != -EINTR) {
            int over = salp__scope_feel(waiter.actor);
            return over < 0 ? over : error;
        }
    }
    return 0;
}

static salp__side *side_of(salp__port *port, salp__way way)
{
    return way == SALP__OUT ? &port->out : &port->in;
}

/* false: somebody else has it. */
static bool take(salp__side *side)
{
    return !atomic_exchange_explicit(&side->taken, true, memory_order_relaxed);
}

static void let_go_of(salp__side *side)
{
    atomic_store_explicit(&side->taken, false, memory_order_relaxed);
}

static int may_wait(const salp__port *port)
{
    if (salp__cannot_wait())
        return SALP_EINSIDE;
    return port->forks != salp__forks() ? SALP_EFORKED : 0;
}

static int wait_for(salp__port *port, salp__way way, const char *what)
{
    bool home = salp__self()->task && salp__port_is_home(port);
    if (salp__self()->task && !home) {
        int away = salp__port_settle(port);
        if (away < 0)
            return away;
        home = !away;
    }
    salp__side *side = side_of(port, way);
    if (home && !side->tell)
        return salp__wait_at_home(side, NULL, what);
    uint32_t events = way == SALP__OUT ? SALP__POLL_OUT : SALP__POLL_IN;
    int64_t came = -ENOBUFS;
    if (salp__can_operate(port))
        came = salp__operate(&(salp__operation){ .kind = SALP__POLL, .fd = port->watch.fd, .events = events }, what);
    if (came == -ENOBUFS)
        came = salp__descriptor_wait(port->watch.fd, events, what);
    if (home && came > 0)
        side->ready = true;                             /* we may know it sooner than the port */
    return came < 0 && came != -EAGAIN ? (int)came : 0; /* a wait that ends too early is a proposal to try, as any */
}

int salp__stream_wait(salp__port *port, salp__way way, const char *what)
{
    salp__side *side = side_of(port, way);
    int error = may_wait(port);
    if (error < 0)
        return error;
    if (!take(side))
        return -EBUSY;
    error = wait_for(port, way, what);
    let_go_of(side);
    return error;
}

int salp__stream_wait_among(salp__port *port, salp__way way, const char *what)
{
    int error = may_wait(port);
    return error < 0 ? error : wait_for(port, way, what);
}

int64_t salp__stream_operate(salp__port *port, salp__way way, salp__operation *operation, const char *what)
{
    salp__side *side = side_of(port, way);
    if (!take(side))
        return -EBUSY;
    int64_t result = salp__operate(operation, what);
    let_go_of(side);
    return result;
}

void salp__stream_took_turn(void)
{
    salp__task *task = salp__self()->task;
    if (task && --task->runtime->loop.budget <= 0)
        salp__task_give_way(task);
}

/* ---- opening ---- */

salp_stream *salp__stream_new(int fd, const salp__stream_type *type)
{
    salp_stream *stream = salp__allocate(sizeof *stream);
    if (!stream)
        return NULL;
    salp__port_open(&stream->port, fd);
    stream->type = type;
    return stream;
}

int salp__stream_apply(int fd, int family, const salp_stream_options *options)
{
    static const salp_stream_options defaults;
    if (!options)
        options = &defaults;
    int error = 0;
    if (family != AF_UNIX && !options->delay)
        error = salp__socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error == 0 && options->keep_alive)
        error = salp__socket_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (error == 0 && options->send_buffer > 0)
        error = salp__socket_set(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
    if (error == 0 && options->receive_buffer > 0)
        error = salp__socket_set(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
    return error;
}

bool salp__is_tcp(int fd)
{
    int protocol = 0;
    return salp__socket_get(fd, SOL_SOCKET, SO_PROTOCOL, &protocol) == 0 && protocol == IPPROTO_TCP;
}

void salp__stream_be_socket(salp_stream *stream, int fd, int family, bool tcp)
{
    salp__port_open(&stream->port, fd);
    stream->whole = tcp; /* elsewhere a read ends with a message, or with descriptors that came along */
    stream->unix_fds = family == AF_UNIX && stream->type == &salp__stream_socket; /* not beside TLS */
}

/* Leaves the descriptor open when it fails. */
static int open_socket(salp_stream **out, int fd, const salp_stream_options *options)
{
    int family, kind;
    int error = salp__socket_get(fd, SOL_SOCKET, SO_DOMAIN, &family);
    if (error == 0)
        error = salp__socket_get(fd, SOL_SOCKET, SO_TYPE, &kind);
    if (error < 0)
        return error;
    if (kind != SOCK_STREAM)
        return -ENOTSUP;
    error = salp__stream_apply(fd, family, options);
    if (error < 0)
        return error;
    salp_stream *stream = salp__stream_new(fd, &salp__stream_socket);
    if (!stream)
        return -ENOMEM;
    salp__stream_be_socket(stream, fd, family, salp__is_tcp(fd));
    *out = stream;
    return 0;
}

int salp__stream_of_socket(salp_stream **out, int fd, const salp_stream_options *options)
{
    int error = open_socket(out, fd, options);
    if (error < 0)
        salp__file_close(fd);
    return error;
}

static int open_pipe(salp_stream **out, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    int mode = flags & O_ACCMODE;
    salp_stream *stream = salp__stream_new(fd, &salp__stream_pipe);
    if (!stream)
        return -ENOMEM;
    stream->one_way = mode != O_RDWR;
    stream->no_out = mode == O_RDONLY;
    if (!(flags & O_NONBLOCK)) {
        /* Others may share it, and rely on it to block. */
        stream->blocking = salp__file_reopen(fd, mode) < 0;
        stream->piece = salp__file_is_terminal(fd) ? 1 : PIPE_BUF;
    }
    salp__file_close_on_exec(fd);
    *out = stream;
    return 0;
}

int salp_stream_from_fd(salp_stream **out, int fd, const salp_stream_options *options)
{
    salp__file_kind kind;
    if (!out)
        return -EINVAL;
    *out = NULL;
    int error = salp__file_kind_of(fd, &kind);
    if (error < 0)
        return error;
    if (kind == SALP__KIND_FILE)
        return -EPERM;
    if (options && options->tls)
        return -ENOTSUP;
    if (kind != SALP__KIND_SOCKET)
        return open_pipe(out, fd);
    static const salp_stream_options untouched = { .delay = true }; /* others may share it */
    error = open_socket(out, fd, options ? options : &untouched);
    if (error == 0) {
        (*out)->blocking = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
        salp__file_close_on_exec(fd);
    }
    return error;
}

int salp_stream_pair(salp_stream **a, salp_stream **b)
{
    int fds[2];
    if (!a || !b)
        return -EINVAL;
    *a = *b = NULL;
    int error = salp__socket_pair(fds, SOCK_STREAM);
    if (error < 0)
        return error;
    error = salp__stream_of_socket(a, fds[0], NULL);
    if (error < 0) {
        salp__file_close(fds[1]);
        return error;
    }
    error = salp__stream_of_socket(b, fds[1], NULL);
    if (error < 0) {
        salp_stream_close(*a);
        *a = NULL;
    }
    return error;
}

/* ---- closing ---- */

void salp__stream_let_go(salp_stream *stream)
{
    /* acq_rel: the last one sees what the others have done with it. */
    if (atomic_fetch_sub_explicit(&stream->holders, 1, memory_order_acq_rel) > 0)
        return;
    salp__free(stream->held.data);
    salp__free(stream);
}

static void gone(salp__port *port)
{
    salp__stream_let_go((salp_stream *)port); /* its first member */
}

void salp_stream_close(salp_stream *stream)
{
    if (!stream || stream->closed)
        return;
    if (stream->type->close)
        stream->type->close(stream);
    stream->closed = true;
    salp__port_close(&stream->port, gone);
}

int salp_shutdown(salp_stream *stream)
{
    if (!stream)
        return -EINVAL;
    int error = stream->type->start ? salp__stream_start(stream) : 0;
    if (error < 0)
        return error;
    do {
        salp__way way = SALP__OUT;
        error = stream->type->shutdown(stream, &way);
        if (error != -EAGAIN)
            return error;
        error = salp__wait_begin();
        if (error == 0) /* beside one who writes, and waits for room, too */
            error = salp__stream_wait_among(&stream->port, way, "the end of a stream");
    } while (error == 0);
    return error;
}

int salp_shutdown_reading(salp_stream *stream)
{
    return stream ? stream->type->shutdown_reading(stream) : -EINVAL;
}

/* ---- about it ---- */

int salp_stream_local(const salp_stream *stream, salp_address *address)
{
    return stream && address ? salp__socket_name(stream->port.watch.fd, address) : -EINVAL;
}

int salp_stream_peer(const salp_stream *stream, salp_address *address)
{
    return stream && address ? salp__socket_peer(stream->port.watch.fd, address) : -EINVAL;
}

int salp_stream_fd(const salp_stream *stream)
{
    return stream ? stream->port.watch.fd : -EINVAL;
}
