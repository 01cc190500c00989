/*
 * Transports over a type of stream that behaves as TLS may: it holds bytes inside that no descriptor tells of, has to write
 * before it can be read, and to read before it can be written to, takes only some of what it is given, and its end takes
 * several tries.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <sys/socket.h>

#include <salp/sync.h>
#include <salp/task.h>
#include <salp/transport.h>

#include "stream/stream.h"

typedef struct whims {
    char inside[50];
    size_t begin, end; /* of the bytes inside */
    int reads, writes, ends;
} whims;

static int64_t read_oddly(salp_stream *stream, void *data, size_t size, salp__way *way)
{
    whims *w = stream->own;
    if (w->begin == w->end && w->reads++ % 2 == 0) {
        *way = SALP__OUT; /* which is ready at once */
        return -EAGAIN;
    }
    if (w->begin == w->end) {
        int64_t got = salp__socket_receive(stream->port.watch.fd, w->inside, sizeof w->inside);
        if (got <= 0)
            return got;
        w->begin = 0;
        w->end = (size_t)got;
    }
    (void)size;
    *(char *)data = w->inside[w->begin++];
    return 1;
}

/* Every third byte has to wait for one from the other side to be there; it is not read here. */
static int64_t write_oddly(salp_stream *stream, const struct iovec parts[], int count, salp__way *way)
{
    whims *w = stream->own;
    char byte;
    assert_true(count > 0 && parts->iov_len > 0);
    if (w->writes++ % 3 == 0 && w->begin == w->end &&
        recv(stream->port.watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        *way = SALP__IN;
        return -EAGAIN;
    }
    return salp__socket_send(stream->port.watch.fd, parts->iov_base, 1);
}

static int end_oddly(salp_stream *stream, salp__way *way)
{
    whims *w = stream->own;
    (void)way;
    return w->ends++ < 3 ? -EAGAIN : salp__socket_shutdown(stream->port.watch.fd, SHUT_WR);
}

static const salp__stream_type odd = { .read = read_oddly, .write = write_oddly, .shutdown = end_oddly };

static const char letter[] =
    "Dear reader, this is a letter of more bytes than there is room for inside. Yours, the writer";

static char got[1000];
static size_t got_size;
static bool lost;
static int lost_error;
static salp_event *changed;

static void note_received(salp_transport *transport, const void *data, size_t size, void *arg)
{
    (void)transport;
    (void)arg;
    assert_true(got_size + size <= sizeof got);
    memcpy(got + got_size, data, size);
    got_size += size;
    salp_event_set(changed);
}

static void note_lost(salp_transport *transport, int error, void *arg)
{
    (void)transport;
    (void)arg;
    lost = true;
    lost_error = error;
    salp_event_set(changed);
}

static const salp_protocol noting = { .received = note_received, .lost = note_lost };

static int use(void *arg)
{
    int fds[2];
    char byte, back[sizeof letter];
    salp_stream *peer;
    salp_transport *transport;
    whims own = { .reads = 0 };
    (void)arg;
    if (salp_event_open(&changed, NULL) < 0 || salp__socket_pair(fds, SOCK_STREAM) < 0 ||
        salp_stream_from_fd(&peer, fds[1], NULL) < 0)
        return -1;
    salp_stream *stream = salp__stream_new(fds[0], &odd);
    stream->own = &own;
    if (salp_transport_of_stream(&transport, stream, &noting, NULL, NULL) < 0)
        return -2;
    for (size_t at = 0; at < sizeof letter; at += 31) {
        size_t size = sizeof letter - at < 31 ? sizeof letter - at : 31;
        if (salp_write(peer, letter + at, size) != (int64_t)size)
            return -3;
        while (got_size < at + size) {
            salp_event_wait(changed);
            salp_event_clear(changed);
        }
    }
    if (memcmp(got, letter, sizeof letter) != 0)
        return -4;
    if (salp_transport_write(transport, letter, sizeof letter) < 0 || salp_transport_shutdown(transport) < 0)
        return -5;
    for (size_t i = 0; i < sizeof letter; i++) {
        if (salp_write(peer, "x", 1) != 1 || salp_read(peer, back + i, 1) != 1)
            return -6;
    }
    if (memcmp(back, letter, sizeof letter) != 0 || salp_read(peer, &byte, 1) != 0 || own.ends != 4)
        return -7;
    salp_stream_close(peer); /* and so the other side closes */
    while (!lost) {
        salp_event_wait(changed);
        salp_event_clear(changed);
    }
    salp_event_close(changed);
    return lost_error;
}

static void a_stream_may_want_to_write_to_be_read(void **state)
{
    (void)state;
    assert_int_equal(salp_run(use, NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a stream may want to write to be read", a_stream_may_want_to_write_to_be_read),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
