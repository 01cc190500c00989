/*
 * Two ends of an encrypted stream, for tests: `a` is the client's, `b` the server's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SECURE_H
#define SECURE_H

#include "certificates.h"

#include <pthread.h>
#include <sys/socket.h>

#include <salp/tls.h>

#include "streams.h"

static certificate root, localhost;
static salp_tls server, client;
static salp_stream *a, *b;

static inline void open_secure(void)
{
    root = certify("root", &(wish){ .authority = true });
    localhost = certify("localhost", &(wish){ .by = &root, .dns = "localhost", .ip = "127.0.0.1" });
    server = (salp_tls){ .certificate = localhost.path, .key = localhost.key_path };
    client = (salp_tls){ .authorities = root.path };
}

static inline void close_secure(void)
{
    salp_tls_forget(&server);
    salp_tls_forget(&client);
    forget_certificate(&root);
    forget_certificate(&localhost);
    remove_scratch();
}

static inline void close_ends(void)
{
    salp_stream_close(a);
    salp_stream_close(b);
    a = b = NULL;
}

typedef struct outcome {
    int client, server;
} outcome;

/* Who fails closes, as programs do. */
static inline int greet(void *result)
{
    *(int *)result = salp_tls_handshake(b);
    if (*(int *)result < 0) {
        salp_stream_close(b);
        b = NULL;
    }
    return 0;
}

static inline void *greet_in_thread(void *result)
{
    greet(result);
    return NULL;
}

static char client_text[200];

static inline int begin_client(const salp_tls *tls, const char *host)
{
    int error = salp_tls_start(a, host, tls);
    strcpy(client_text, salp_tls_error_text()); /* before the other end's replaces it */
    if (error < 0) {
        salp_stream_close(a);
        a = NULL;
    }
    return error;
}

/* Both ends go over to TLS, as tasks or as threads. */
static inline outcome secure(const salp_tls *server_side, const salp_tls *client_side, const char *host)
{
    outcome result = { 0, 0 };
    EXPECT(salp_tls_start_server(b, server_side) == 0);
    if (salp_loop_current()) {
        salp_group group;
        salp_group_open(&group);
        EXPECT(salp_go(&group, greet, &result.server) == 0);
        result.client = begin_client(client_side, host);
        EXPECT(salp_group_close(&group) == 0);
    } else {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, greet_in_thread, &result.server) == 0);
        result.client = begin_client(client_side, host);
        EXPECT(pthread_join(thread, NULL) == 0);
    }
    return result;
}

static inline outcome meet(const salp_tls *server_side, const salp_tls *client_side, const char *host)
{
    EXPECT(salp_stream_pair(&a, &b) == 0);
    return secure(server_side, client_side, host);
}

/* Two that get on well with each other: a pair of Unix sockets, or TCP. */
static inline void open_ends(bool tcp)
{
    if (tcp)
        open_tcp_pair(&a, &b);
    else
        EXPECT(salp_stream_pair(&a, &b) == 0);
    outcome result = secure(&server, &client, "localhost");
    EXPECT(result.client == 0 && result.server == 0);
}

/* Runs `function` in a task, and in a plain thread. */
static inline void in_both_securely(salp_fn *function)
{
    open_secure();
    assert_int_equal(salp_run(function, NULL), 0);
    assert_int_equal(function(NULL), 0);
    close_secure();
}

static inline void in_task(salp_fn *function)
{
    open_secure();
    assert_int_equal(salp_run(function, NULL), 0);
    close_secure();
}

#endif
