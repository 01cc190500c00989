/*
 * Transports of connections that do not exist yet: those that connect, and those that a server accepts.
 *
 * Connecting is what salp_tcp_connect and the like do, in a task that is gone afterwards. Accepting is done by turns, as
 * all that transports do: `transport.c`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <salp/task.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/memory.h"
#include "os/process.h"
#include "stream/listener.h"
#include "stream/stream.h"
#include "stream/transport.h"
#include "task/task.h"

/* ---- connecting ---- */

typedef struct attempt {
    salp_transport *transport;
    salp_scope scope; /* of its task */
    bool begun;       /* the task runs */
    bool stopped;     /* nobody wants it any more */
    const salp_stream_options *options;
    salp_address address; /* none: host and port */
    int port;
    char host[];
} attempt;

static int connect_now(const attempt *a, salp_stream **stream)
{
    return a->address.size > 0 ? salp_stream_connect(stream, &a->address, a->options)
                               : salp_tcp_connect(stream, a->host, a->port, a->options);
}

static int run_attempt(void *arg)
{
    attempt *a = arg;
    salp_stream *stream;
    salp_scope_open(&a->scope, SALP_FOREVER);
    a->begun = true;
    if (a->stopped)
        salp_scope_cancel(&a->scope);
    int error = connect_now(a, &stream);
    salp_scope_close(&a->scope);
    salp__transport_connected(a->transport, stream, error);
    salp__free(a);
    return 0; /* a failure is for the protocol, and no reason to cancel others */
}

static void stop_attempt(void *arg)
{
    attempt *a = arg;
    a->stopped = true;
    if (a->begun)
        salp_scope_cancel(&a->scope);
}

static int start_attempt(attempt *a, const salp_protocol *protocol, void *arg, const salp_transport_options *options)
{
    a->options = options ? options->stream : NULL;
    int error = salp__transport_open(&a->transport, protocol, arg, options);
    if (error < 0)
        return error;
    salp__runtime *runtime = salp__runtime_here();
    error = salp__task_start(runtime, runtime->all, run_attempt, a, &(salp_task_options){ .name = "connecting" });
    if (error < 0)
        salp__transport_drop(a->transport);
    else
        salp__transport_connects(a->transport, stop_attempt, a);
    return error;
}

/* To an address, or to a host. */
static int connect_to(salp_transport **out, const salp_address *address, const char *host, int port,
                      const salp_protocol *protocol, void *arg, const salp_transport_options *options)
{
    size_t length = host ? strlen(host) : 0;
    attempt *a = salp__allocate(sizeof *a + length + 1);
    if (!a)
        return -ENOMEM;
    if (address)
        a->address = *address;
    a->port = port;
    memcpy(a->host, host ? host : "", length);
    int error = start_attempt(a, protocol, arg, options);
    if (error < 0)
        salp__free(a);
    else
        *out = a->transport;
    return error;
}

int salp_transport_connect(salp_transport **out, const salp_address *address, const salp_protocol *protocol, void *arg,
                           const salp_transport_options *options)
{
    if (out)
        *out = NULL;
    if (!out || !address || address->size == 0)
        return -EINVAL;
    return connect_to(out, address, NULL, 0, protocol, arg, options);
}

int salp_transport_connect_tcp(salp_transport **out, const char *host, int port, const salp_protocol *protocol,
                               void *arg, const salp_transport_options *options)
{
    if (out)
        *out = NULL;
    if (!out || !host || port <= 0 || port > 65535)
        return -EINVAL;
    return connect_to(out, NULL, host, port, protocol, arg, options);
}

int salp_transport_connect_unix(salp_transport **out, const char *path, const salp_protocol *protocol, void *arg,
                                const salp_transport_options *options)
{
    salp_address address;
    if (out)
        *out = NULL;
    int error = salp_address_unix(&address, path);
    return error < 0 ? error : salp_transport_connect(out, &address, protocol, arg, options);
}

/* ---- serving ---- */

struct salp_transport_server {
    salp__dependent dependent;
    salp__event turn;
    salp__watch connection, stop; /* level-triggered, as those of transports */
    salp__timer rest;             /* until which it accepts nothing, for want of descriptors or memory */
    salp__loop *loop;             /* NULL: it was closed */
    salp_listener *listener;
    salp_protocol_factory *factory;
    void *arg;
    salp_transport_options options;
    int active, most; /* transports */
    int holders;      /* those, and a turn: the last one frees it when it is closed */
    bool queued;      /* a turn was asked for */
    bool watched, watches_stop;
    bool resting;
    bool closed; /* by the user */
};

static void ask_for_turn(salp_transport_server *server)
{
    if (server->queued || !server->loop)
        return;
    server->queued = true;
    salp__loop_soon(server->loop, &server->turn);
}

static void note_connection(salp__watch *watch, uint32_t events)
{
    (void)events;
    ask_for_turn(SALP__CONTAINER(watch, salp_transport_server, connection));
}

static void note_stop(salp__watch *watch, uint32_t events)
{
    (void)events;
    ask_for_turn(SALP__CONTAINER(watch, salp_transport_server, stop));
}

static void end_rest(salp__timer *timer)
{
    salp_transport_server *server = SALP__CONTAINER(timer, salp_transport_server, rest);
    server->resting = false;
    ask_for_turn(server);
}

static void report(const salp_transport_server *server, int error)
{
    if (server->listener->options.on_error)
        server->listener->options.on_error(error, server->arg);
}

/* Has the connections watched, or not. */
static int watch_connections(salp_transport_server *server, bool wanted)
{
    int error = 0;
    if (wanted && !server->watched)
        error = salp__loop_watch(server->loop, &server->connection);
    else if (!wanted && server->watched)
        salp__loop_unwatch(server->loop, &server->connection);
    server->watched = wanted && error == 0;
    return error == -EEXIST ? -EBUSY : error;
}

/* Leaves its loop. */
static void stop_serving(salp_transport_server *server)
{
    salp__loop *loop = server->loop;
    if (!loop)
        return;
    watch_connections(server, false);
    if (server->watches_stop)
        salp__loop_unwatch(loop, &server->stop);
    salp__timer_cancel(loop, &server->rest);
    if (server->queued)
        salp__loop_drop(loop, &server->turn);
    salp__list_remove(&server->dependent.link);
    server->queued = server->watches_stop = false;
    server->loop = NULL;
}

static void end_with_loop(salp__dependent *dependent)
{
    stop_serving(SALP__CONTAINER(dependent, salp_transport_server, dependent));
}

static void take_rest(salp_transport_server *server)
{
    server->resting = true;
    salp__timer_set(server->loop, &server->rest, salp__later(SALP_MILLISECONDS(100)), end_rest);
}

static void let_go(salp_transport_server *server)
{
    if (--server->holders == 0 && server->closed)
        salp__free(server);
}

static void lost_one(void *arg)
{
    salp_transport_server *server = arg;
    server->active--;
    if (server->loop && server->resting)
        salp__timer_cancel(server->loop, &server->rest);
    server->resting = false;
    ask_for_turn(server);
    let_go(server);
}

/* Takes the stream over. */
static int start(salp_transport_server *server, salp_stream *stream)
{
    salp_transport *transport;
    void *own = server->arg;
    const salp_protocol *protocol = server->factory(server->arg, &own);
    int error = protocol ? salp_transport_of_stream(&transport, stream, protocol, own, &server->options) : 0;
    if (!protocol || error < 0) {
        salp_stream_close(stream);
        return error;
    }
    server->active++;
    server->holders++;
    salp__transport_when_lost(transport, lost_one, server);
    return 0;
}

static bool may_accept(const salp_transport_server *server)
{
    return !server->resting && server->active < server->most;
}

/* One connection. -EAGAIN: there is none, or it is not the time. */
static int accept_one(salp_transport_server *server)
{
    salp_stream *stream;
    int error = may_accept(server) ? salp__listener_take(server->listener, &stream) : -EAGAIN;
    if (error < 0)
        return error;
    ask_for_turn(server); /* for the next one: others come in between */
    return start(server, stream);
}

/* The factory and who is told of errors may close it. */
static void take_turn(salp__event *event)
{
    salp_transport_server *server = SALP__CONTAINER(event, salp_transport_server, turn);
    server->queued = false;
    server->holders++;
    int error = accept_one(server);
    if (error == -EPIPE)
        stop_serving(server);
    else if (error < 0 && error != -EAGAIN && server->loop)
        report(server, error);
    if (server->loop && salp__is_shortage(error))
        take_rest(server);
    if (server->loop && watch_connections(server, may_accept(server)) < 0)
        take_rest(server);
    let_go(server);
}

static int begin_watching(salp_transport_server *server)
{
    server->connection =
        (salp__watch){ .fd = server->listener->port.watch.fd, .events = SALP__POLL_IN, .ready = note_connection };
    server->stop = (salp__watch){ .fd = server->listener->stop.watch.fd, .events = SALP__POLL_IN, .ready = note_stop };
    salp__port_leave(&server->listener->port);
    salp__port_leave(&server->listener->stop);
    int error = watch_connections(server, true);
    if (error < 0)
        return error;
    error = salp__loop_watch(server->loop, &server->stop);
    server->watches_stop = error == 0;
    return error == -EEXIST ? -EBUSY : error;
}

static int check(const salp_listener *listener, salp_protocol_factory *factory)
{
    const salp__loop *loop = salp__loop_here();
    if (!listener || !factory)
        return -EINVAL;
    if (!loop || loop->closing)
        return loop ? -ECANCELED : -EPERM;
    /* acquire: as in salp__listener_take. */
    if (atomic_load_explicit(&listener->stopped, memory_order_acquire))
        return -EPIPE;
    const salp__port *port = &listener->port;
    if (port->forks != salp__forks())
        return SALP_EFORKED;
    return salp__port_is_home(port) && port->in.tell ? -EBUSY : 0;
}

int salp_transport_serve(salp_transport_server **out, salp_listener *listener, salp_protocol_factory *factory,
                         void *arg, const salp_transport_options *options)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    int error = check(listener, factory);
    if (error < 0)
        return error;
    salp_transport_server *server = salp__allocate(sizeof *server);
    if (!server)
        return -ENOMEM;
    server->loop = salp__loop_here();
    server->dependent.end = end_with_loop;
    server->turn.run = take_turn;
    server->listener = listener;
    server->factory = factory;
    server->arg = arg;
    server->most = salp__listener_most(listener);
    if (options)
        server->options = *options;
    salp__list_append(&server->loop->dependents, &server->dependent.link);
    error = begin_watching(server);
    if (error < 0) {
        stop_serving(server);
        salp__free(server);
        return error;
    }
    *out = server;
    return 0;
}

void salp_transport_server_close(salp_transport_server *server)
{
    if (!server || (server->loop && server->loop != salp__loop_here()))
        return;
    stop_serving(server);
    server->closed = true;
    server->holders++;
    let_go(server);
}
