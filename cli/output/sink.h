/*
 * Our own standard output, or standard error: all that is given to it comes out, in order, however slow its reader is.
 *
 * Pipes, sockets and terminals may make a task wait while others go on; flags that other processes would notice are not set
 * (salp/stream.h). Files are written at once.
 *
 * What a pipe holds may go there without being read by us (splice(2)): to a pipe not a byte is copied then, to a file once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_SINK_H
#define CLI_OUTPUT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include <stdint.h>

#include <salp/stream.h>
#include <salp/sync.h>

struct output_sink {
    int fd;
    salp_stream *stream; /* a copy of the descriptor; NULL: a file, or the descriptor is not open */
    bool open;
    bool splices;     /* as far as we know: what cannot be spliced to is found out by trying */
    int room_fd;      /* another copy, to look whether there is room; 0: not needed so far */
    salp_event *room; /* there is */
};

/* Errors: -EMFILE, -ENOMEM. That the descriptor is not open is no error before something is written. */
int output_sink_open(struct output_sink *sink, int fd);
void output_sink_close(struct output_sink *sink);

/*
 * Writes all of it. In a task: may wait; one at a time. Errors: -EPIPE, -ENOSPC, ...; -EBADF: it is not open; -ECANCELED,
 * -ETIMEDOUT: the scope. *written: so many bytes have been, also after an error.
 */
int output_sink_write(struct output_sink *sink, const void *bytes, size_t size, size_t *written);

/*
 * Moves up to `size` bytes from a pipe. In a task; waits for room, not for the pipe. Returns how many; 0: the pipe has ended; -EAGAIN:
 * it holds nothing now; -ENOTSUP: `splices` is false now, nothing was moved; or an error as of output_sink_write, when nothing was moved
 * either. SIGPIPE is to be ignored.
 */
int64_t output_sink_splice(struct output_sink *sink, int pipe, size_t size);

/* Is there still somebody at the other end of what it writes to? True where that cannot be known. Does not wait. */
bool output_sink_is_read(const struct output_sink *sink);

#endif
