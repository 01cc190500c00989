/*
 * Encrypted streams, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/secure.h"

#include <poll.h>

#include "os/fault.h"

static salp_listener *listener;
static int server_error;

/* Reads what comes, and writes it back. */
static int serve_one(void *arg)
{
    salp_stream *stream;
    char text[5];
    (void)arg;
    int error = salp_accept(listener, &stream);
    if (error == 0) {
        int64_t got = salp_read_exactly(stream, text, 5);
        if (got == 5)
            got = salp_write(stream, text, 5);
        if (got == 5)
            got = salp_shutdown(stream);
        error = got < 0 ? (int)got : 0;
        salp_stream_close(stream);
    }
    server_error = error;
    salp_listener_close(listener); /* who still waits to be accepted is told */
    return 0;
}

static int ask(void)
{
    salp_stream *stream;
    char text[5], subject[100];
    const salp_bytes parts[] = { { "he", 2 }, { "llo", 3 } };
    int error =
        salp_tcp_connect(&stream, "127.0.0.1", salp_listener_port(listener), &(salp_stream_options){ .tls = &client });
    if (error < 0) {
        EXPECT(!stream);
        return error;
    }
    int64_t got = salp_writev(stream, parts, 2);
    if (got == 5)
        got = salp_read_exactly(stream, text, 5);
    EXPECT(got != 5 || memcmp(text, "hello", 5) == 0);
    if (got == 5)
        got = salp_read(stream, text, 5); /* and the end */
    if (got == 0)
        got = salp_tls_subject(stream, subject, sizeof subject);
    EXPECT(got <= 0 || strcmp(subject, "CN=localhost") == 0);
    salp_stream_close(stream);
    return got < 0 ? (int)got : 0;
}

static int talk(void *arg)
{
    salp_group group;
    (void)arg;
    server_error = 0;
    int error = salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .tls = &server });
    if (error < 0)
        return error;
    salp_group_open(&group);
    error = salp_go(&group, serve_one, NULL);
    if (error == 0) {
        error = ask();
        salp_group_cancel(&group); /* if nobody has come to it */
    } else {
        salp_listener_close(listener);
    }
    salp_group_close(&group);
    return error;
}

/* What the wrappers fail with, and what that looks like at the other end. */
static bool is_meant(int error)
{
    static const int meant[] = { -ENOMEM, -EMFILE,         -ENOBUFS,         -EPIPE,           -ECONNRESET, -ECANCELED,
                                 -EAGAIN, SALP_ETRUNCATED, SALP_ETLSREFUSED, SALP_ETLSLIBRARY, -EPERM };
    for (size_t i = 0; i < LENGTH(meant); i++)
        if (error == meant[i])
            return true;
    return error == 0;
}

static void each_call_succeeds_or_says_why_not(void **state)
{
    (void)state;
    long number = 0;
    bool fired;
    open_secure();
    server.protocols = client.protocols = "test";
    int descriptors = test_count_descriptors();
    do {
        salp__fault_arm(SALP__PROGRAM, ++number);
        int result = salp_run(talk, NULL);
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        if (!is_meant(result) || !is_meant(server_error))
            fail_msg("call %ld: the client's is %d, the server's is %d", number, result, server_error);
        assert_true(fired || (result == 0 && server_error == 0));
        assert_int_equal(test_count_descriptors(), descriptors);
    } while (fired);
    assert_true(number > 20);
    close_secure();
}

/* What a connection needs is there before it is taken from the listener. */
static void a_connection_waits_until_there_is_memory(void **state)
{
    (void)state;
    salp_address address;
    salp_stream *stream, *peer;
    int failures = 0, error;
    open_secure();
    assert_int_equal(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .tls = &server }), 0);
    assert_int_equal(salp_listener_address(listener, &address), 0);
    assert_int_equal(salp_stream_connect(&peer, &address, NULL), 0);
    do {
        salp__fault_arm(SALP__PROGRAM, failures + 1);
        error = salp_accept(listener, &stream);
        salp__fault_arm(SALP__PROGRAM, 0);
        if (error < 0) {
            struct pollfd connection = { .fd = salp_listener_fd(listener), .events = POLLIN };
            assert_null(stream);
            assert_int_equal(poll(&connection, 1, 0), 1); /* it still does */
            failures++;
        }
    } while (error < 0);
    assert_true(failures >= 5); /* the stream, what TLS needs, and the call that accepts */
    salp_stream_close(stream);
    salp_stream_close(peer);
    salp_listener_close(listener);
    close_secure();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each call succeeds or says why not", each_call_succeeds_or_says_why_not),
        TEST("a connection waits until there is memory", a_connection_waits_until_there_is_memory),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
