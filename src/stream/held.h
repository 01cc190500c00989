/*
 * Bytes that were read and not asked for yet.
 *
 * Nothing is held by a stream that waits: memory for its next bytes is lent by the loop when they are there. If all that
 * has come is taken at once, it goes back; if not, it goes with what is left, and comes back when that is taken. So ten
 * thousand connections that are silent need no buffer, and those that talk need one or two between them.
 *
 * A plain thread has no loop to lend from: there a stream keeps its memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__HELD_H
#define SALP__HELD_H

#include "stream/stream.h"

enum {
#ifdef SALP_HOSTILE
    SALP__LENT = 16,
#else
    SALP__LENT = 16384,
#endif
};

static inline size_t salp__held_size(const salp_stream *stream)
{
    return stream->held.end - stream->held.begin;
}

/* Makes sure that it has memory, with room for at least one byte behind what is held; up to `wanted` bytes in all, if more
   are. 0 or -ENOMEM. */
int salp__held_open(salp_stream *stream, size_t wanted);

/* Gives the memory back if nothing is held. */
void salp__held_close(salp_stream *stream);

/* The same for bytes that were taken out of a stream as a whole, and are not needed any more. */
void salp__held_give_back(salp__held *held);

/* Moves at most `size` bytes out. */
size_t salp__held_take(salp_stream *stream, void *data, size_t size);

/* Puts bytes back, before all others. 0 or -ENOMEM: nothing was. */
int salp__held_put_back(salp_stream *stream, const void *data, size_t size);

#endif
