/*
 * OpenSSL's way to the descriptor of a stream, and back: what OpenSSL calls a BIO.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__TLS_WIRE_H
#define SALP__TLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/bio.h>

#include "stream/stream.h"

/* What the system has had no room for. */
typedef struct salp__tls_unsent {
    char *data;
    size_t begin, end, room;
} salp__tls_unsent;

/* All of it is under the lock of its stream; all zeros but for the stream, at first. */
typedef struct salp__tls_wire {
    salp_stream *stream;
    bool at_end;            /* there are no more bytes, with or without a farewell */
    int read_error;         /* what the system has said last, by way: I3 of tls_wire.c */
    int write_error;        /* the same; or bytes were lost for want of memory */
    int seen;               /* bytes in `first` */
    unsigned char first[2]; /* that the other side has sent */
    salp__tls_unsent unsent;
} salp__tls_wire;

/* For a SSL, which frees it; the wire has to stay for as long. NULL: no memory. */
BIO *salp__tls_wire_bio(salp__tls_wire *wire);

/* 0: all that it was given is sent; -EAGAIN: when there is room; or why it never will be. */
int salp__tls_wire_flush(salp__tls_wire *wire);

/* Whether what the other side has sent first can be TLS: a record of a handshake, or of an alert. */
bool salp__tls_wire_fits(const salp__tls_wire *wire);

/* Frees what it has, and not the wire. */
void salp__tls_wire_close(salp__tls_wire *wire);

#endif
