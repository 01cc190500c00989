/*
 * What tests of streams share: two ends of a connection, and texts that go from one to the other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STREAMS_H
#define STREAMS_H

#include "test.h"

#include <salp/stream.h>

/* A pair that is TCP: of other rules than one of Unix sockets. */
static inline void open_tcp_pair(salp_stream **client, salp_stream **accepted)
{
    salp_listener *listener;
    salp_address address;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL) == 0);
    EXPECT(salp_listener_address(listener, &address) == 0);
    EXPECT(salp_stream_connect(client, &address, NULL) == 0 && salp_accept(listener, accepted) == 0);
    salp_listener_close(listener);
}

static inline void write_text(salp_stream *stream, const char *text)
{
    EXPECT(salp_write(stream, text, strlen(text)) == (int64_t)strlen(text));
}

static inline bool read_text(salp_stream *stream, const char *text)
{
    char data[300];
    int64_t size = salp_read_exactly(stream, data, strlen(text));
    return size == (int64_t)strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

#endif
