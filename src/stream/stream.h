/*
 * Streams as they are inside.
 *
 * What a stream is made of (a socket, a pipe, TLS over one of them) is its type: calls that try, and never wait. All
 * waiting is done here above, so that it is done once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__STREAM_H
#define SALP__STREAM_H

#include <salp/stream.h>

#include "loop/port.h"
#include "os/socket.h"
#include "task/scope.h"

/* Which side of the descriptor a try that ended with -EAGAIN has to wait for. */
typedef enum salp__way {
    SALP__IN,
    SALP__OUT,
} salp__way;

typedef struct salp__stream_type {
    /* What comes before the first byte. It alone may wait. NULL: nothing does. */
    int (*start)(salp_stream *stream);
    /* Bytes, 0 at the end, or an error; -EAGAIN: try again when `way` is ready, which the caller has set to what is usual. */
    int64_t (*read)(salp_stream *stream, void *data, size_t size, salp__way *way);
    int64_t (*write)(salp_stream *stream, const struct iovec parts[], int count, salp__way *way);
    /* What was taken by writes is with the system: 0; -EAGAIN as above; or an error. NULL: always. */
    int (*flush)(salp_stream *stream, salp__way *way);
    int (*shutdown)(salp_stream *stream, salp__way *way);
    int (*shutdown_reading)(salp_stream *stream);
    void (*close)(salp_stream *stream); /* the descriptor is still open; NULL: there is nothing to do */
    bool plain; /* the bytes of the stream are those of a socket, so that the poller can move them */
} salp__stream_type;

extern const salp__stream_type salp__stream_socket, salp__stream_pipe;

/* Bytes that were read and not asked for yet. */
typedef struct salp__held {
    char *data; /* NULL: there is no memory for any */
    size_t room;
    size_t begin, end;
} salp__held;

struct salp_stream {
    salp__port port;
    const salp__stream_type *type;
    void *own; /* the type's */
    salp__held held;
    int64_t written;
    int broken;    /* bytes were lost for want of memory: what reads end with from then on */
    bool whole;    /* a read of fewer bytes than asked for was of all that had come (TCP) */
    bool filled;   /* the last read took all that it asked for: there may be more */
    bool unix_fds; /* descriptors can be sent along */
    bool blocking; /* the descriptor blocks, and is shared with others: look before each call */
    size_t piece;  /* if it does: so many bytes are taken without blocking when there is room */
    bool one_way;  /* a pipe */
    bool no_out;   /* a pipe that is only read */
    bool closed;
    struct salp__server *server; /* that serves it, or NULL */
    _Atomic int holders;         /* beyond the one who has it open: its server, too; the last one frees it */
};

/* Of a descriptor that does not block, unless `blocking` is set later. NULL: no memory. */
salp_stream *salp__stream_new(int fd, const salp__stream_type *type);

/* One holder less of a stream that is closed. */
void salp__stream_let_go(salp_stream *stream);

/* Makes it that of a socket: one that was made before there was a descriptor. */
void salp__stream_be_socket(salp_stream *stream, int fd, int family, bool tcp);
bool salp__is_tcp(int fd);

/* Sets the options of a socket. What does not fit its kind is of no meaning. */
int salp__stream_apply(int fd, int family, const salp_stream_options *options);

/* A stream of a socket that was made here, and its options. Takes the descriptor over also when it fails. */
int salp__stream_of_socket(salp_stream **stream, int fd, const salp_stream_options *options);

/* The same of calls that read and write, and what comes before the first byte. */
static inline int salp__stream_start(salp_stream *stream)
{
    int error = salp__wait_begin();
    return error == 0 && stream->type->start ? stream->type->start(stream) : error;
}

/* Waits until that side may be ready. 0 or an error; -EBUSY: another one does. */
int salp__stream_wait(salp__port *port, salp__way way, const char *what);

/* Until one of two sides at home here, of which nobody else waits for either, may be ready. `other`: NULL: there is one only. */
int salp__wait_at_home(salp__side *side, salp__side *other, const char *what);

/* Has the poller do something on that side: salp__operate (stream/operation.h); -EBUSY as well. */
int64_t salp__stream_operate(salp__port *port, salp__way way, salp__operation *operation, const char *what);

/* The same where several may. */
int salp__stream_wait_among(salp__port *port, salp__way way, const char *what);

/* After a call that did not wait: lets others run, if this task has kept the processor for long. */
void salp__stream_took_turn(void);

#endif
