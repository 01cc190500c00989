/*
 * Transports: a stream whose bytes are brought to callbacks, and taken from a buffer.
 *
 *                   protocol                        salp_transport_write
 *                      ^  received                        |
 *       held bytes ----'                                  v
 *           ^                 | turn |                 outbox: what the stream does not take at once
 *           |  stream's read                              |
 *         stream <------------- watch ------------------->'  stream's write
 *
 * Everything is done by turns, which are events of the loop. Whoever changes something, be it the poller or a call, asks for
 * a turn; the turn calls the protocol; and at its end the watch asks for what is still wanted.
 *
 * I1  A turn reads once and writes once, and asks for the next one if there is more. Other events of the loop come in
 *     between, so that none starves.
 * I2  The protocol is called from a turn only (pause_writing: from a write, too), and never after `lost`, which the last
 *     turn calls. Calls only leave marks: `over`, `closing`, and so on.
 * I3  The descriptor has a watch of our own, level-triggered, which is there while something is wanted; so a descriptor that
 *     is paused and hung up does not keep the loop busy. The stream's port has no home meanwhile.
 * I4  What is `blocked` has been told to wait by the stream, which says for what (TLS may have to write to be read). Else it
 *     is tried in the next turn: bytes may be held by the stream, or inside of TLS, with nothing more to come.
 * I5  A transport ends with its loop: it is a dependent of it, and lost then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <salp/task.h>

#include "os/epoll.h"
#include "os/memory.h"
#include "os/process.h"
#include "stream/held.h"
#include "stream/outbox.h"
#include "stream/stream.h"

/* One direction. */
typedef struct way_through {
    bool blocked;  /* I4 */
    salp__way way; /* what it waits for, if it is blocked */
} way_through;

struct salp_transport {
    salp__dependent dependent;
    salp__event turn;
    salp__watch watch;
    salp__loop *loop;    /* [const after open] */
    salp_stream *stream; /* NULL: not yet, or no longer */
    const salp_protocol *protocol;
    void *arg;
    salp__outbox outbox; /* what the stream has not taken yet */
    size_t high, low, limit;
    way_through in, out;
    int error;               /* what `lost` is told */
    bool queued;             /* a turn was asked for */
    bool watched;            /* I3 */
    bool told;               /* `connected` was called, or will never be */
    bool paused_reading;     /* by the protocol */
    bool paused_writing;     /* the protocol was told to */
    bool no_more_in;         /* the other side has ended, or there is nothing to read */
    bool ending;             /* our side ends, when all is written */
    bool ended;              /* our side has */
    bool unsent;             /* the stream has taken bytes that the system may not have */
    bool closing;            /* and so does all */
    bool over;               /* the next turn is the last one */
    salp_scope *leaving;     /* of a task that makes a stream of it, and writes what is buffered; or NULL */
    bool connecting;         /* somebody does; the last turn waits for him */
    void (*stop)(void *arg); /* tells him to stop */
    void *stop_arg;
    void (*lost)(void *arg); /* or NULL */
    void *lost_arg;
};

/* ---- turns and the watch ---- */

static void ask_for_turn(salp_transport *transport)
{
    if (transport->queued)
        return;
    transport->queued = true;
    salp__loop_soon(transport->loop, &transport->turn);
}

static void fail(salp_transport *transport, int error)
{
    if (!transport->over)
        transport->error = error;
    transport->over = true;
    ask_for_turn(transport);
}

static uint32_t bit_of(salp__way way)
{
    return way == SALP__OUT ? SALP__POLL_OUT : SALP__POLL_IN;
}

static void unblock(way_through *through, uint32_t events)
{
    if (events & (bit_of(through->way) | SALP__POLL_ERROR | SALP__POLL_HANGUP))
        through->blocked = false;
}

static void note_ready(salp__watch *watch, uint32_t events)
{
    salp_transport *transport = SALP__CONTAINER(watch, salp_transport, watch);
    unblock(&transport->in, events);
    unblock(&transport->out, events);
    ask_for_turn(transport);
}

static bool wants_to_read(const salp_transport *transport)
{
    return transport->told && !transport->paused_reading && !transport->no_more_in && !transport->closing;
}

static bool wants_to_write(const salp_transport *transport)
{
    return transport->outbox.size > 0 || transport->unsent || (transport->ending && !transport->ended);
}

static int set_watch(salp_transport *transport, uint32_t events)
{
    salp__watch *watch = &transport->watch;
    int error = 0;
    if (events == 0 && transport->watched) {
        salp__loop_unwatch(transport->loop, watch);
        transport->watched = false;
    } else if (events != 0 && !transport->watched) {
        watch->fd = transport->stream->port.watch.fd;
        watch->events = events;
        error = salp__loop_watch(transport->loop, watch);
        transport->watched = error == 0;
    } else if (events != watch->events && transport->watched) {
        watch->events = events;
        error = salp__loop_rewatch(transport->loop, watch);
    }
    return error == -EEXIST ? -EBUSY : error;
}

/* What is wanted from now on. */
static void look(salp_transport *transport)
{
    uint32_t events = 0;
    if (!transport->stream || transport->leaving || transport->over)
        return;
    if (wants_to_read(transport))
        events |= bit_of(transport->in.way);
    if (wants_to_write(transport) && transport->out.blocked)
        events |= bit_of(transport->out.way);
    int error = set_watch(transport, events);
    if (error < 0)
        fail(transport, error);
}

/* ---- reading ---- */

static void end_reading(salp_transport *transport)
{
    transport->no_more_in = true;
    if (transport->protocol->ended)
        transport->protocol->ended(transport, transport->arg);
    else
        salp_transport_close(transport);
}

/* The protocol may do with the stream what it likes, so they are taken out first. */
static void deliver(salp_transport *transport)
{
    salp__held taken = transport->stream->held;
    transport->stream->held = (salp__held){ .data = NULL };
    transport->protocol->received(transport, taken.data + taken.begin, taken.end - taken.begin, transport->arg);
    salp__held_give_back(&taken);
}

static int64_t read_some(salp_transport *transport)
{
    salp_stream *stream = transport->stream;
    salp__held *held = &stream->held;
    int error = salp__held_open(stream, 1);
    if (error < 0)
        return error;
    size_t room = held->room - held->end;
    transport->in.way = SALP__IN;
    int64_t got = stream->type->read(stream, held->data + held->end, room, &transport->in.way);
    if (got > 0)
        held->end += (size_t)got;
    /* A socket that had less than it was asked for has nothing more now; if it has, the watch tells. */
    transport->in.blocked = got == -EAGAIN || (got < (int64_t)room && stream->type == &salp__stream_socket);
    if (got > 0 && transport->out.way == SALP__IN)
        transport->out.blocked = false; /* it may be what TLS has waited for */
    return got;
}

static void receive(salp_transport *transport)
{
    if (!wants_to_read(transport) || transport->over || transport->in.blocked)
        return;
    int64_t got = 1;
    if (transport->stream->broken < 0)
        got = transport->stream->broken;
    else if (salp__held_size(transport->stream) == 0)
        got = read_some(transport);
    if (got <= 0)
        salp__held_close(transport->stream);
    if (got > 0)
        deliver(transport);
    else if (got == 0)
        end_reading(transport);
    else if (got != -EAGAIN)
        fail(transport, (int)got);
    if (wants_to_read(transport) && !transport->in.blocked)
        ask_for_turn(transport); /* I1 */
}

/* ---- writing ---- */

/* Bytes taken; 0: it is blocked; or an error. */
static int64_t write_parts(salp_transport *transport, const struct iovec parts[], int count)
{
    salp_stream *stream = transport->stream;
    transport->out.way = SALP__OUT;
    int64_t taken = stream->type->write(stream, parts, count, &transport->out.way);
    transport->out.blocked = taken == -EAGAIN;
    if (taken > 0) {
        stream->written += taken;
        transport->unsent = stream->type->flush;
    }
    if (taken > 0 && transport->in.way == SALP__OUT)
        transport->in.blocked = false; /* as in read_some */
    return taken == -EAGAIN ? 0 : taken;
}

static void write_more(salp_transport *transport)
{
    enum { PARTS_AT_ONCE = 8 };
    struct iovec parts[PARTS_AT_ONCE];
    int count = salp__outbox_look(&transport->outbox, parts, PARTS_AT_ONCE);
    int64_t taken = write_parts(transport, parts, count);
    if (taken < 0)
        fail(transport, (int)taken);
    else
        salp__outbox_take(&transport->outbox, (size_t)taken);
}

/* Of what the stream has taken. */
static void send_rest(salp_transport *transport)
{
    salp_stream *stream = transport->stream;
    transport->out.way = SALP__OUT;
    int error = stream->type->flush(stream, &transport->out.way);
    transport->out.blocked = transport->unsent = error == -EAGAIN;
    if (error < 0 && error != -EAGAIN)
        fail(transport, error);
}

/* The stream's end, when all is written. */
static void end_writing(salp_transport *transport)
{
    salp_stream *stream = transport->stream;
    int error = 0;
    transport->out.way = SALP__OUT;
    if (!stream->one_way) {
        error = stream->type->shutdown(stream, &transport->out.way);
    } else if (transport->no_more_in && !transport->closing) {
        set_watch(transport, 0); /* the end of a pipe is that of its descriptor */
        error = stream->type->shutdown(stream, &transport->out.way);
    }
    transport->out.blocked = error == -EAGAIN;
    transport->ended = error != -EAGAIN;
    if (error < 0 && error != -EAGAIN && error != -ENOTSUP && !transport->closing)
        fail(transport, error);
}

static void flush(salp_transport *transport)
{
    if (transport->outbox.size > 0 && !transport->out.blocked)
        write_more(transport);
    if (transport->outbox.size == 0 && transport->unsent && !transport->out.blocked && !transport->over)
        send_rest(transport);
    if (transport->over)
        return;
    if (transport->paused_writing && transport->outbox.size <= transport->low) {
        transport->paused_writing = false;
        if (transport->protocol->resume_writing && !transport->closing)
            transport->protocol->resume_writing(transport, transport->arg);
    }
    if (transport->outbox.size == 0 && !transport->unsent && transport->ending && !transport->ended &&
        !transport->out.blocked && !transport->over)
        end_writing(transport);
    if (transport->closing && transport->ended && !transport->over)
        fail(transport, 0);
    if (wants_to_write(transport) && !transport->out.blocked)
        ask_for_turn(transport); /* I1 */
}

/* ---- one turn ---- */

/* The last one. */
static void finish(salp_transport *transport)
{
    if (transport->watched)
        salp__loop_unwatch(transport->loop, &transport->watch);
    transport->watched = false;
    salp_stream_close(transport->stream);
    transport->stream = NULL;
    salp__outbox_drop(&transport->outbox);
    salp__list_remove(&transport->dependent.link);
    transport->queued = true; /* for ever: what the protocol still calls asks for no turn */
    if (transport->protocol->lost)
        transport->protocol->lost(transport, transport->error, transport->arg);
    if (transport->lost)
        transport->lost(transport->lost_arg);
    salp__free(transport);
}

static void tell_connected(salp_transport *transport)
{
    transport->told = true;
    if (transport->protocol->connected && !transport->closing)
        transport->protocol->connected(transport, transport->arg);
}

static void take_turn(salp__event *event)
{
    salp_transport *transport = SALP__CONTAINER(event, salp_transport, turn);
    transport->queued = false;
    if (transport->stream && !transport->leaving && !transport->over) {
        if (!transport->told)
            tell_connected(transport);
        if (!transport->over)
            flush(transport);
        if (!transport->over)
            receive(transport);
    }
    if (transport->over && !transport->queued && !transport->leaving && !transport->connecting)
        finish(transport);
    else
        look(transport);
}

/* I5. No task runs any more: whoever connected or wanted a stream has left. */
static void end_with_loop(salp__dependent *dependent)
{
    salp_transport *transport = SALP__CONTAINER(dependent, salp_transport, dependent);
    if (transport->queued)
        salp__loop_drop(transport->loop, &transport->turn);
    if (!transport->over)
        transport->error = -ECANCELED;
    transport->over = true;
    finish(transport);
}

/* ---- opening ---- */

static int set_marks(salp_transport *transport, const salp_transport_options *options)
{
    enum { HIGH = 1 << 16, LIMIT = 1 << 24 };
    static const salp_transport_options defaults;
    if (!options)
        options = &defaults;
    transport->high = options->high > 0 ? options->high : HIGH;
    transport->low = options->low > 0 ? options->low : transport->high / 4;
    transport->limit = options->limit > 0 ? options->limit : transport->high > LIMIT ? transport->high : LIMIT;
    return transport->low > transport->high || transport->high > transport->limit ? -EINVAL : 0;
}

int salp__transport_open(salp_transport **out, const salp_protocol *protocol, void *arg,
                         const salp_transport_options *options)
{
    salp__loop *loop = salp__loop_here();
    if (!protocol || !protocol->received)
        return -EINVAL;
    if (!loop || loop->closing)
        return loop ? -ECANCELED : -EPERM;
    salp_transport *transport = salp__allocate(sizeof *transport);
    if (!transport)
        return -ENOMEM;
    int error = set_marks(transport, options);
    if (error < 0) {
        salp__free(transport);
        return error;
    }
    transport->dependent.end = end_with_loop;
    transport->turn.run = take_turn;
    transport->watch.ready = note_ready;
    transport->loop = loop;
    transport->protocol = protocol;
    transport->arg = arg;
    transport->in.way = SALP__IN;
    transport->out.way = SALP__OUT;
    salp__list_append(&loop->dependents, &transport->dependent.link);
    *out = transport;
    return 0;
}

void salp__transport_connects(salp_transport *transport, void (*stop)(void *arg), void *arg)
{
    transport->connecting = true;
    transport->stop = stop;
    transport->stop_arg = arg;
}

void salp__transport_connected(salp_transport *transport, salp_stream *stream, int error)
{
    transport->connecting = false;
    transport->stream = stream;
    if (!stream) {
        fail(transport, error);
        return;
    }
    salp__port_leave(&stream->port); /* I3 */
    ask_for_turn(transport);
}

void salp__transport_when_lost(salp_transport *transport, void (*lost)(void *arg), void *arg)
{
    transport->lost = lost;
    transport->lost_arg = arg;
}

void salp__transport_drop(salp_transport *transport)
{
    salp__list_remove(&transport->dependent.link);
    salp__free(transport);
}

/* ---- from streams, and to streams ---- */

/* Nobody else waits for the stream, and the watch can be had. */
static int take_over(salp_transport *transport, salp_stream *stream)
{
    salp__port *port = &stream->port;
    if (port->forks != salp__forks())
        return SALP_EFORKED;
    if (stream->server || (salp__port_is_home(port) && (port->in.tell || port->out.tell)))
        return -EBUSY; /* a server would close it under us, or a task waits */
    salp__port_leave(port);
    transport->no_more_in = stream->one_way && (fcntl(port->watch.fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    transport->stream = stream;
    int error = set_watch(transport, SALP__POLL_IN);
    if (error < 0)
        transport->stream = NULL;
    return error == -EPERM ? -ENOTSUP : error;
}

int salp_transport_of_stream(salp_transport **out, salp_stream *stream, const salp_protocol *protocol, void *arg,
                             const salp_transport_options *options)
{
    salp_transport *transport;
    if (out)
        *out = NULL;
    if (!out || !stream)
        return -EINVAL;
    int error = salp__transport_open(&transport, protocol, arg, options);
    if (error < 0)
        return error;
    error = take_over(transport, stream);
    if (error < 0) {
        salp__transport_drop(transport);
        return error;
    }
    salp__transport_connected(transport, stream, 0);
    *out = transport;
    return 0;
}

/* 0: the transport is this thread's, and in use. */
static int check(const salp_transport *transport)
{
    if (!transport)
        return -EINVAL;
    if (transport->loop != salp__loop_here())
        return -EPERM;
    return transport->over || transport->closing || transport->leaving ? -EPIPE : 0;
}

static int write_all(salp_transport *transport)
{
    salp_stream *stream = transport->stream;
    struct iovec part;
    while (salp__outbox_look(&transport->outbox, &part, 1) > 0) {
        int64_t before = stream->written;
        int64_t result = salp_write(stream, part.iov_base, part.iov_len);
        if (transport->over) /* aborted meanwhile */
            return transport->error;
        salp__outbox_take(&transport->outbox, (size_t)(stream->written - before));
        if (result < 0)
            return (int)result;
    }
    return 0;
}

static bool is_of_caller(int error)
{
    return error == -ETIMEDOUT || error == -ECANCELED || error == SALP_EINSIDE || error == -ENOMEM;
}

static int leave(salp_transport *transport, const void *unread, size_t size)
{
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER); /* for who aborts it meanwhile */
    transport->leaving = &scope;
    set_watch(transport, 0);
    int error = write_all(transport);
    if (error == 0 && (transport->closing || transport->ending))
        error = -EPIPE; /* meanwhile */
    if (error == 0 && size > 0)
        error = salp__held_put_back(transport->stream, unread, size);
    transport->leaving = NULL;
    salp_scope_close(&scope);
    if (error < 0 && !is_of_caller(error) && !transport->closing && !transport->ending)
        fail(transport, error);
    if (error < 0)
        salp__port_leave(&transport->stream->port);
    transport->in.blocked = transport->out.blocked = false;
    ask_for_turn(transport);
    return error;
}

int salp_stream_of_transport(salp_stream **out, salp_transport *transport, const void *unread, size_t size)
{
    if (out)
        *out = NULL;
    if (!out || (!unread && size > 0))
        return -EINVAL;
    int error = check(transport);
    if (error < 0)
        return transport && transport->leaving ? -EBUSY : error;
    if (!transport->stream)
        return -ENOTCONN;
    if (transport->ending)
        return -EPIPE;
    error = leave(transport, unread, size);
    if (error < 0)
        return error;
    *out = transport->stream;
    transport->stream = NULL;
    fail(transport, 0);
    return 0;
}

/* ---- the protocol's calls ---- */

static int write_or_append(salp_transport *transport, const char *data, size_t size)
{
    if (transport->outbox.size == 0 && transport->stream && !transport->out.blocked) {
        int64_t taken = write_parts(transport, &(struct iovec){ (void *)data, size }, 1);
        if (taken < 0)
            return (int)taken;
        data += taken;
        size -= (size_t)taken;
    }
    return size == 0 || salp__outbox_append(&transport->outbox, data, size) ? 0 : -ENOMEM;
}

int salp_transport_write(salp_transport *transport, const void *data, size_t size)
{
    int error = check(transport);
    if (error < 0 || (!data && size > 0))
        return error < 0 ? error : -EINVAL;
    if (transport->ending)
        return -EPIPE;
    if (size > transport->limit - transport->outbox.size)
        return -ENOBUFS;
    error = size > 0 ? write_or_append(transport, data, size) : 0;
    if (error < 0) {
        fail(transport, error);
        return error;
    }
    if (wants_to_write(transport) && !transport->out.blocked)
        ask_for_turn(transport);
    else
        look(transport);
    if (transport->outbox.size > transport->high && !transport->paused_writing) {
        transport->paused_writing = true;
        if (transport->protocol->pause_writing)
            transport->protocol->pause_writing(transport, transport->arg);
    }
    return 0;
}

size_t salp_transport_buffered(const salp_transport *transport)
{
    return transport ? transport->outbox.size : 0;
}

int salp_transport_shutdown(salp_transport *transport)
{
    int error = check(transport);
    if (error < 0)
        return error;
    transport->ending = true;
    ask_for_turn(transport);
    return 0;
}

static int set_paused(salp_transport *transport, bool paused)
{
    int error = check(transport);
    if (error < 0)
        return error;
    transport->paused_reading = paused;
    ask_for_turn(transport);
    return 0;
}

int salp_transport_pause_reading(salp_transport *transport)
{
    return set_paused(transport, true);
}

int salp_transport_resume_reading(salp_transport *transport)
{
    return set_paused(transport, false);
}

void salp_transport_close(salp_transport *transport)
{
    if (!transport || transport->loop != salp__loop_here() || transport->over)
        return;
    transport->closing = transport->ending = true;
    ask_for_turn(transport);
    if (transport->connecting && transport->outbox.size == 0) {
        fail(transport, 0);
        transport->stop(transport->stop_arg);
    }
}

void salp_transport_abort(salp_transport *transport)
{
    if (!transport || transport->loop != salp__loop_here() || transport->over)
        return;
    if (transport->leaving)
        salp_scope_cancel(transport->leaving);
    else
        salp__outbox_drop(&transport->outbox);
    fail(transport, -ECANCELED);
    if (transport->connecting)
        transport->stop(transport->stop_arg);
}

int salp_transport_set_protocol(salp_transport *transport, const salp_protocol *protocol, void *arg)
{
    if (!protocol || !protocol->received)
        return -EINVAL;
    int error = check(transport);
    if (error < 0)
        return error;
    transport->protocol = protocol;
    transport->arg = arg;
    return 0;
}

/* ---- about it ---- */

static int has_stream(const salp_transport *transport)
{
    return !transport ? -EINVAL : transport->stream ? 0 : -ENOTCONN;
}

int salp_transport_local(const salp_transport *transport, salp_address *address)
{
    int error = has_stream(transport);
    return error < 0 ? error : salp_stream_local(transport->stream, address);
}

int salp_transport_peer(const salp_transport *transport, salp_address *address)
{
    int error = has_stream(transport);
    return error < 0 ? error : salp_stream_peer(transport->stream, address);
}

int salp_transport_fd(const salp_transport *transport)
{
    int error = has_stream(transport);
    return error < 0 ? error : salp_stream_fd(transport->stream);
}
