/*
 * Transports, while calls of the system and allocations fail one by one: each that was opened is lost, once, and with a
 * cause.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <salp/sync.h>
#include <salp/task.h>
#include <salp/transport.h>

#include "os/fault.h"

static int open_now, failures[20], failure_count;
static salp_event *changed;

static void fails(int error)
{
    if (error < 0 && failure_count < 20)
        failures[failure_count++] = error;
}

static void note_connected(salp_transport *transport, void *arg)
{
    char data[3000] = "question";
    (void)arg;
    int error = salp_transport_write(transport, data, sizeof data);
    fails(error);
}

/* Answers, and the first who has asked closes when it has got all of it. */
static void note_received(salp_transport *transport, const void *data, size_t size, void *arg)
{
    size_t *left = arg;
    if (!left) {
        fails(salp_transport_write(transport, data, size));
        return;
    }
    *left -= size;
    if (*left == 0)
        salp_transport_close(transport);
}

static void note_lost(salp_transport *transport, int error, void *arg)
{
    (void)transport;
    (void)arg;
    fails(error);
    open_now--;
    salp_event_set(changed);
}

static const salp_protocol asks = { .connected = note_connected, .received = note_received, .lost = note_lost };
static const salp_protocol answers = { .received = note_received, .lost = note_lost };

static const salp_protocol *new_answer(void *arg, void **own)
{
    (void)arg;
    *own = NULL;
    open_now++;
    return &answers;
}

/* A connection for which no transport could be made had a protocol, and none that is lost. */
static void note_error(int error, void *arg)
{
    (void)arg;
    fails(error);
    salp_event_set(changed);
}

static int use(void *arg)
{
    salp_listener *listener;
    salp_transport_server *server = NULL;
    salp_transport *transport;
    salp_address address;
    size_t left = 3000;
    (void)arg;
    salp_scope scope;
    int error = salp_tcp_listen(&listener, NULL, 0, &(salp_listen_options){ .on_error = note_error });
    if (error < 0)
        return error;
    error = salp_listener_address(listener, &address);
    salp_address_parse(&address, "127.0.0.1");
    salp_address_set_port(&address, (unsigned)salp_listener_port(listener));
    if (error == 0)
        error = salp_transport_serve(&server, listener, new_answer, NULL, NULL);
    if (error == 0)
        error = salp_transport_connect(&transport, &address, &asks, &left, NULL);
    if (error == 0)
        open_now++;
    /* Until the one that asks is lost; a shortage has the server try again, which has it all succeed later. */
    while (error == 0 && left > 0 && failure_count == 0 && open_now > 0) {
        salp_scope_open(&scope, SALP_SECONDS(20));
        error = salp_event_wait(changed);
        salp_scope_close(&scope);
        salp_event_clear(changed);
    }
    salp_transport_server_close(server);
    salp_listener_close(listener);
    return error; /* what is left is lost with the loop */
}

static void each_is_lost_once_and_says_why(void **state)
{
    (void)state;
    static const int documented[] = { -ENOMEM, -EMFILE, -ENOBUFS, -EPIPE, -ENOSPC, -ECANCELED, -ECONNRESET, 0 };
    assert_int_equal(salp_event_open(&changed, NULL), 0);
    long number = 0;
    bool fired;
    do {
        int descriptors = test_count_descriptors();
        open_now = failure_count = 0;
        salp_event_clear(changed);
        salp__fault_arm(SALP__PROGRAM, ++number);
        int result = salp_run(use, NULL);
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        assert_int_equal(test_count_descriptors(), descriptors);
        if (result < 0)
            fails(result);
        for (int i = 0; i < failure_count; i++) {
            bool known = false;
            for (const int *error = documented; *error; error++)
                known = known || failures[i] == *error;
            if (!known)
                fail_msg("when call %ld failed: %s", number, salp_strerror(failures[i]));
        }
        if (!fired)
            assert_int_equal(result, 0);
        /* One for which there was a protocol, and then no memory for a transport, is told to on_error. */
        if (open_now != 0 && !(open_now == 1 && failure_count > 0))
            fail_msg("when call %ld failed: %d were not lost", number, open_now);
    } while (fired);
    assert_true(number > 20);
    salp_event_close(changed);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each is lost once and says why", each_is_lost_once_and_says_why),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
