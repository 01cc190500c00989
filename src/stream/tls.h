/*
 * TLS as it is inside: what its files, connecting and listening share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__TLS_H
#define SALP__TLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include <salp/tls.h>

/* ---- contexts: settings whose files have been read (tls_context.c) ---- */

typedef struct salp__tls_context {
    _Atomic int holders; /* streams, listeners, settings that were prepared; the last one frees it */
    SSL_CTX *openssl;
    salp_tls_clients clients; /* [const after open] */
    unsigned char *protocols; /* each with its length before it, or NULL [const after open] */
    size_t protocols_size;
} salp__tls_context;

/* The one that is prepared, or else a new one; for who holds it from then on. Errors: those of files in salp/tls.h. */
int salp__tls_context_of(salp__tls_context **context, const salp_tls *tls, bool server);

void salp__tls_context_let_go(salp__tls_context *context); /* NULL is accepted */

/* ---- streams (tls.c) ---- */

/* The stream is encrypted from now on, and holds the context, too; no handshake is made. Errors: -ENOMEM, -EINVAL; then it
   is as before. */
int salp__tls_begin_client(salp_stream *stream, salp__tls_context *context, const salp_tls *tls, const char *host);
int salp__tls_begin_server(salp_stream *stream, salp__tls_context *context);

/* ---- who is at the other end (tls_name.c) ---- */

/* Whom a client verifies: its .name or else the host, which may be NULL. Errors: -EINVAL, -ENOMEM. */
int salp__tls_expect(SSL *openssl, const salp_tls *tls, const char *host);

/* As salp_tls_subject. */
int salp__tls_describe(const SSL *openssl, char *text, size_t size);

/* ---- what OpenSSL has said (tls_error.c) ---- */

/* Loads OpenSSL, unless that was done: before all else. What the loader says is kept for salp_tls_error_text. Errors:
   SALP_ETLSLIBRARY. */
int salp__tls_load(void);

/* Begins a call of OpenSSL. Its queue of errors may hold what others have left there, and would mistake for its own. */
void salp__tls_quiet(void);

/* The call has ended without an error of OpenSSL's: there is nothing to tell. Empties the queue. */
void salp__tls_no_details(void);

/* What a call for files has failed with. Empties the queue. */
int salp__tls_file_error(void);

/* What a call for a connection has failed with, when that was not what the system says; `early`: before the handshake was
   made. Empties the queue. */
int salp__tls_connection_error(const SSL *openssl, bool early);

#endif
