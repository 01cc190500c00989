/*
 * Servers: a task for each connection.
 *
 * All of a server happens on one loop: the task that accepts, and those that serve. So nothing here needs a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/task.h>

#include "os/clock.h"
#include "stream/listener.h"
#include "stream/stream.h"
#include "task/scope.h"
#include "task/task.h"

typedef struct salp__server {
    salp_listener *listener;
    salp_handler *handler;
    void *arg;
    salp_group group;
    int active; /* connections */
    int most;
    salp__spot *waits; /* the server, for one of them to end */
} salp__server;

static void report(const salp__server *server, int error)
{
    if (server->listener->options.on_error)
        server->listener->options.on_error(error, server->arg);
}

/* ---- one connection ---- */

static int serve_one(void *arg)
{
    salp_stream *stream = arg;
    salp__server *server = stream->server;
    int result = server->handler(stream, server->arg);
    salp_stream_close(stream);
    salp__stream_let_go(stream);
    server->active--;
    if (server->waits && salp__claim(server->waits))
        salp__resume(server->waits);
    if (result < 0)
        report(server, result);
    return 0; /* the failure of one is not that of the others */
}

static int start(salp__server *server, salp_stream *stream)
{
    stream->server = server;
    stream->holders = 1; /* the handler may close it */
    int error = salp_go_with(&server->group, serve_one, stream, &(salp_task_options){ .name = "connection" });
    if (error == 0) {
        server->active++;
        return 0;
    }
    stream->holders = 0;
    salp_stream_close(stream);
    return error;
}

/* ---- the server ---- */

/* Waits for a connection to end, or for whoever else has a spot of the waiter, or until then. */
static int wait_with(salp__server *server, salp__waiter *waiter, int64_t until)
{
    salp__spot spot = salp__spot_of(waiter);
    server->waits = &spot;
    int error = salp__wait_until(waiter, until);
    server->waits = NULL;
    if (error >= 0 || error == -EINTR)
        return 0;
    int over = salp__scope_feel(waiter->actor);
    return over < 0 ? over : error;
}

static int wait_for_end(salp__server *server, int64_t until)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter, "a connection to end");
    return wait_with(server, &waiter, until);
}

/* It has as many connections as it may. A shutdown is not to wait until one of them ends by itself. */
static int wait_for_room(salp__server *server)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter, "a connection to end");
    salp__spot stopped = salp__spot_of(&waiter);
    if (!salp__listener_await_shutdown(server->listener, &stopped))
        return -EPIPE;
    int error = wait_with(server, &waiter, SALP_FOREVER);
    salp__listener_forget(server->listener, &stopped);
    return error;
}

/* 0: go on; else the end. */
static int serve_next(salp__server *server)
{
    salp_stream *stream;
    if (server->active >= server->most)
        return wait_for_room(server);
    int error = salp_accept(server->listener, &stream);
    if (error == 0)
        error = start(server, stream);
    if (error == 0)
        return 0;
    if (salp__is_shortage(error)) {
        report(server, error);
        return wait_for_end(server, salp__later(SALP_MILLISECONDS(100)));
    }
    return error;
}

static int end_gracefully(salp__server *server)
{
    int64_t grace = server->listener->options.grace;
    int64_t until = salp__later(grace > 0 ? grace : SALP_SECONDS(10));
    while (server->active > 0 && salp_now() < until) {
        int error = wait_for_end(server, until);
        if (error < 0)
            return error;
    }
    salp_group_cancel(&server->group);
    return 0;
}

static int serve(salp_listener *listener, salp_handler *handler, void *arg)
{
    salp__server server = {
        .listener = listener, .handler = handler, .arg = arg, .most = salp__listener_most(listener)
    };
    int error;
    salp_group_open(&server.group);
    do
        error = serve_next(&server);
    while (error == 0);
    if (error == -EPIPE)
        error = end_gracefully(&server);
    else
        salp_group_cancel(&server.group);
    int closed = salp_group_close(&server.group);
    return error < 0 ? error : closed == -ECANCELED ? 0 : closed;
}

/* ---- from a plain thread ---- */

typedef struct call {
    salp_listener *listener;
    salp_handler *handler;
    void *arg;
} call;

static int serve_call(void *arg)
{
    const call *c = arg;
    return serve(c->listener, c->handler, c->arg);
}

int salp_serve(salp_listener *listener, salp_handler *handler, void *arg)
{
    if (!listener || !handler)
        return -EINVAL;
    if (salp__self()->task)
        return serve(listener, handler, arg);
    if (salp__runtime_here())
        return SALP_EINSIDE;
    return salp_run(serve_call, &(call){ .listener = listener, .handler = handler, .arg = arg });
}
