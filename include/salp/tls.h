/*
 * salp/tls.h - streams that are encrypted, and who is at their other end.
 *
 *     salp_tcp_connect(&stream, "example.org", 443, &(salp_stream_options){ .tls = &(salp_tls){ 0 } });
 *
 *     salp_tls tls = { .certificate = "cert.pem", .key = "key.pem" };
 *     salp_tcp_listen(&listener, NULL, 443, &(salp_listen_options){ .tls = &tls });
 *
 * What comes back is a stream as any other: salp/stream.h has its calls. Only
 * descriptors cannot be sent along.
 *
 * A client verifies whom it talks to, unless it says otherwise in so many words. Its
 * handshake is part of connecting, and the scope around the call ends it. That of a
 * server is made by the first call that reads, writes or shuts down, so that who
 * connects and then says nothing holds up nobody but his own task.
 *
 * The end of a stream is told by the other side, encrypted. A connection that ends
 * without that was cut, by a fault or by somebody: reads end with SALP_ETRUNCATED, and
 * not with 0. salp_shutdown tells it, salp_stream_close does if that needs no wait.
 *
 * Made with OpenSSL, which is loaded (libssl.so.3) by the first call that reads settings,
 * and for good: a program that encrypts nothing does without it. It is used as the system
 * has configured it (OPENSSL_CONF), and the program may use it for itself beside it. These calls empty OpenSSL's queue of errors of their thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_TLS_H
#define SALP_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/stream.h>

SALP_BEGIN

/* The oldest version that is spoken. */
typedef enum salp_tls_version {
    SALP_TLS_1_2,
    SALP_TLS_1_3,
} salp_tls_version;

/* What a server asks of its clients. */
typedef enum salp_tls_clients {
    SALP_TLS_ANYBODY, /* nothing */
    SALP_TLS_ASK,     /* a certificate, if they have one: salp_tls_subject tells. One that is shown has to be good */
    SALP_TLS_REQUIRE, /* a certificate */
} salp_tls_clients;

/* Settings. Read by the call that they are given to; they need not stay longer. Paths are of PEM files. */
typedef struct salp_tls {
    const char *certificate; /* our own, and behind it those that lead to the authority; a client needs none */
    const char *key;         /* of the certificate, not encrypted; NULL: in the same file */
    const char *authorities; /* that are trusted: a file, or a folder as `openssl rehash` makes it. NULL: the system's,
                                 or what SSL_CERT_FILE and SSL_CERT_DIR say. A server that asks for certificates needs it */
    const char *name;        /* client: who it has to be, a name or an address. NULL: the host that is connected to */
    const char *protocols; /* that we speak inside, best first: "h2,http/1.1" (ALPN). NULL: nothing is said about it */
    salp_tls_version oldest;  /* 0: TLS 1.2 */
    salp_tls_clients clients; /* server */
    bool
        dangerously_trust_anybody; /* client: talk to whoever answers. What is sent can then be read and changed on its way */
    void *salp__private;           /* salp_tls_prepare's */
} salp_tls;

/*
 * What the calls of salp/stream.h with .tls, and those below, may return beside their
 * own errors:
 *
 * -EINVAL: a server without a certificate; one that asks for its clients' and names no
 *          authorities; a client that has no name to verify (over Unix sockets: .name);
 *          protocols that are none
 * SALP_ETLSLIBRARY: OpenSSL is not installed, or cannot be loaded now; a later call tries again
 * -ENOENT, -EACCES and the like: of a file
 * SALP_ETLSFILE: a file is no PEM file, has nothing of what it should have, or what is too weak; a key that is encrypted
 * SALP_ETLSKEY: the key is not that of the certificate
 * SALP_ETLSTRUST: no authority that is trusted stands behind the certificate
 * SALP_ETLSNAME: the certificate is somebody else's
 * SALP_ETLSDATE: it has expired, or is not valid yet
 * SALP_ETLSCERTIFICATE: it is wrong in another way
 * SALP_ETLSMISSING: the server wants a certificate, and the client has shown none
 * SALP_ETLSPLAIN: the other side speaks no TLS
 * SALP_ETLSCOMMON: both sides have no version, cipher or protocol in common
 * SALP_ETLSREFUSED: the other side has ended it, by an alert: often since it does not trust our certificate
 * SALP_ETLSBROKEN: it breaks the rules of TLS, or what it sent was changed on its way
 * SALP_ETRUNCATED: the connection ended without a farewell
 * -ENOMEM
 *
 * After one of those from SALP_ETLSTRUST to SALP_ETLSBROKEN all calls on the stream
 * return it. With TLS 1.3 a client has connected before the server has looked at its
 * certificate: what the server thinks of it, the client's first read tells.
 *
 * salp_tls_error_text gives what OpenSSL says of the last one that this thread has got
 * (the loader, if there is no OpenSSL), in one line for a log. It is constant until the next one: a task should ask before it waits for
 * something. "" if there was none. Threads: any. Waits: no.
 */
SALP_API const char *salp_tls_error_text(void);

/*
 * Reads the files of the settings once, for all who use them from then on: without
 * this each connect reads them again, which takes milliseconds for a large file of
 * authorities. Clients and servers may share it, and servers that do resume each other's sessions. Once
 * more: reads them anew, which may have changed; after an error all is as before.
 * Listeners and streams go on with what they were opened with.
 *
 * Threads: any, while nobody else is in a call with the settings. Waits: no, but reads
 * files. Errors: -EINVAL: tls is NULL; those above of files and of OpenSSL itself.
 */
SALP_API int salp_tls_prepare(salp_tls *tls);

/* Frees what salp_tls_prepare has read, if it has; streams and listeners keep what they need. NULL is accepted. */
SALP_API void salp_tls_forget(salp_tls *tls);

/*
 * Goes over to TLS on a stream that is open already, as its client: after a proxy has
 * connected it, or where a protocol says so (STARTTLS). `host`: who it has to be, if
 * .name is NULL. Nobody else may be in a call with the stream.
 *
 * Waits: yes. Errors: those above; -EINVAL: stream or tls is NULL; -ENOTSUP: a stream of something else than a
 * socket; -EALREADY: it is encrypted; -EPROTO: it holds bytes that were read and not taken, and of which
 * nobody knows who has sent them; SALP_EINSIDE; -ETIMEDOUT, -ECANCELED. After an error of the
 * handshake the stream is good for nothing but to be closed.
 */
SALP_API int salp_tls_start(salp_stream *stream, const char *host, const salp_tls *tls);

/* The same as its server, and without the handshake: so it does not wait. */
SALP_API int salp_tls_start_server(salp_stream *stream, const salp_tls *tls);

/*
 * Makes the handshake now, if it was not made: for servers that want to know what
 * follows before they read. Several may call it at once. Ended by a scope, it goes on in the next call.
 * Waits: yes. Errors: those above; -EINVAL: stream is NULL; -ENOTSUP: it is not encrypted; SALP_EINSIDE; -ETIMEDOUT, -ECANCELED.
 */
SALP_API int salp_tls_handshake(salp_stream *stream);

/* ---- after the handshake ---- */

/* The protocol that both sides have chosen (ALPN); "": none. The stream's, until it is closed. Threads: any. Waits: no. */
SALP_API const char *salp_tls_protocol(const salp_stream *stream);

/* "TLSv1.3"; "": it is not encrypted, or not yet. */
SALP_API const char *salp_tls_spoken(const salp_stream *stream);

/*
 * Who the certificate of the other side says it is (RFC 2253): "CN=ada,O=Example".
 * Returns the length; 0: it has shown none, or it is nobody. It is worth something only of one that was verified.
 * Threads: any. Waits: no. Errors: -EINVAL; -ENOSPC: size is too small; -ENOMEM; then *text is "".
 */
SALP_API int salp_tls_subject(const salp_stream *stream, char *text, size_t size);

SALP_END

#endif
