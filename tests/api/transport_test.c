/*
 * Transports and protocols, with streams of tasks at their other ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <salp/loop.h>
#include <salp/sync.h>
#include <salp/transport.h>

#include "streams.h"

/* ---- a protocol that notes what it is told ---- */

enum { ROOM = 100000 };

typedef struct notes {
    char trace[400];  /* a letter for each call: c r e p w l */
    char bytes[ROOM]; /* the first that were received */
    size_t size;      /* of all of them */
    int lost, error;
    salp_transport *transport;
    salp_stream *stream;                          /* it has become this */
    salp_event *changed;                          /* set by each call */
    void (*then)(struct notes *notes, char what); /* what a test does in a callback, or NULL */
} notes;

static void note(notes *n, salp_transport *transport, char what)
{
    size_t length = strlen(n->trace);
    EXPECT(n->lost == 0); /* nothing comes after it */
    EXPECT(!n->transport || n->transport == transport);
    EXPECT(salp_loop_current() != NULL);
    n->transport = transport;
    if (what == 'l')
        n->lost++;
    /* What comes again and again is noted once. */
    if (length + 1 < sizeof n->trace && (length == 0 || n->trace[length - 1] != what || what != 'r'))
        n->trace[length] = what;
    if (n->then)
        n->then(n, what);
    EXPECT(salp_event_set(n->changed) == 0);
}

static void note_connected(salp_transport *transport, void *arg)
{
    note(arg, transport, 'c');
}

static void note_received(salp_transport *transport, const void *data, size_t size, void *arg)
{
    notes *n = arg;
    EXPECT(size > 0);
    for (size_t i = 0; i < size && n->size + i < ROOM; i++)
        n->bytes[n->size + i] = ((const char *)data)[i];
    n->size += size;
    note(n, transport, 'r');
}

static void note_ended(salp_transport *transport, void *arg)
{
    note(arg, transport, 'e');
}

static void note_pause(salp_transport *transport, void *arg)
{
    note(arg, transport, 'p');
}

static void note_resume(salp_transport *transport, void *arg)
{
    note(arg, transport, 'w');
}

static void note_lost(salp_transport *transport, int error, void *arg)
{
    notes *n = arg;
    n->error = error;
    note(n, transport, 'l');
}

static const salp_protocol noting = {
    .connected = note_connected,
    .received = note_received,
    .ended = note_ended,
    .pause_writing = note_pause,
    .resume_writing = note_resume,
    .lost = note_lost,
};

/* The same without `ended`. */
static const salp_protocol short_noting = { .connected = note_connected, .received = note_received, .lost = note_lost };

static notes *new_notes(void (*then)(notes *notes, char what))
{
    notes *n = calloc(1, sizeof *n);
    EXPECT(n != NULL && salp_event_open(&n->changed, NULL) == 0);
    n->then = then;
    return n;
}

static void free_notes(notes *n)
{
    salp_event_close(n->changed);
    free(n);
}

#define WAIT_UNTIL(notes, condition)                         \
    do {                                                     \
        while (!(condition)) {                               \
            EXPECT(salp_event_wait((notes)->changed) == 0);  \
            EXPECT(salp_event_clear((notes)->changed) == 0); \
        }                                                    \
    } while (0)

static void wait_until_lost(notes *n, int error)
{
    WAIT_UNTIL(n, n->lost);
    if (n->error != error)
        fprintf(stderr, "# lost with %d, %s\n", n->error, salp_strerror(n->error));
    EXPECT(n->error == error);
}

/* ---- pairs: the stream of a task, and a transport ---- */

static bool over_tcp;
static salp_stream *peer; /* the other end */

static void open_streams(salp_stream **a, salp_stream **b)
{
    salp_listener *listener;
    salp_address address;
    if (!over_tcp) {
        EXPECT(salp_stream_pair(a, b) == 0);
        return;
    }
    const salp_stream_options sizes = { .send_buffer = 60000, .receive_buffer = 60000 }; /* else they grow */
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .stream = sizes }) == 0);
    EXPECT(salp_listener_address(listener, &address) == 0);
    EXPECT(salp_stream_connect(a, &address, &sizes) == 0 && salp_accept(listener, b) == 0);
    salp_listener_close(listener);
}

static salp_transport *open_pair(const salp_protocol *protocol, notes *n, const salp_transport_options *options)
{
    salp_stream *stream;
    salp_transport *transport;
    open_streams(&peer, &stream);
    EXPECT(salp_transport_of_stream(&transport, stream, protocol, n, options) == 0);
    EXPECT(n->trace[0] == 0); /* nothing is called within */
    return transport;
}

static void send_text(const char *text)
{
    write_text(peer, text);
}

static bool is_at_end(salp_stream *stream)
{
    char byte;
    return salp_read(stream, &byte, 1) == 0;
}

/* In a task, over Unix sockets and over TCP. */
static void over_both(salp_fn *function)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        over_tcp = tcp;
        assert_int_equal(salp_run(function, NULL), 0);
    }
}

/* ---- there and back ---- */

static int talk(void *arg)
{
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, n, NULL);
    (void)arg;
    WAIT_UNTIL(n, strcmp(n->trace, "c") == 0);
    send_text("hello");
    WAIT_UNTIL(n, n->size == 5);
    EXPECT(memcmp(n->bytes, "hello", 5) == 0);
    EXPECT(salp_transport_write(transport, "how do ", 7) == 0 && salp_transport_write(transport, "you do?", 7) == 0);
    EXPECT(read_text(peer, "how do you do?"));
    EXPECT(salp_shutdown(peer) == 0);
    WAIT_UNTIL(n, strcmp(n->trace, "cre") == 0);
    EXPECT(salp_transport_write(transport, "bye", 3) == 0); /* our side goes on */
    salp_transport_close(transport);
    EXPECT(salp_transport_write(transport, "x", 1) == -EPIPE);
    EXPECT(!n->lost); /* never within a call */
    EXPECT(read_text(peer, "bye") && is_at_end(peer));
    wait_until_lost(n, 0);
    EXPECT(strcmp(n->trace, "crel") == 0);
    salp_stream_close(peer);
    free_notes(n);
    return 0;
}

static void a_protocol_is_told_in_order(void **state)
{
    (void)state;
    over_both(talk);
}

static const char letter[] = "Dear reader,\r\n\r\nthis is a letter\r of several\n lines.\r\n--\r\n";

static int in_parts(void *arg)
{
    size_t whole = strlen(letter);
    (void)arg;
    for (size_t part = 1; part <= whole; part++) {
        notes *n = new_notes(NULL);
        salp_transport *transport = open_pair(&short_noting, n, NULL);
        for (size_t at = 0; at < whole; at += part) {
            size_t size = whole - at < part ? whole - at : part;
            EXPECT(salp_write(peer, letter + at, size) == (int64_t)size && salp_yield() == 0);
        }
        WAIT_UNTIL(n, n->size == whole);
        EXPECT(memcmp(n->bytes, letter, whole) == 0);
        for (size_t at = 0; at < whole; at += part) {
            size_t size = whole - at < part ? whole - at : part;
            EXPECT(salp_transport_write(transport, letter + at, size) == 0 && salp_yield() == 0);
        }
        EXPECT(read_text(peer, letter));
        salp_stream_close(peer);
        wait_until_lost(n, 0); /* it closes by itself */
        EXPECT(strcmp(n->trace, "crl") == 0);
        free_notes(n);
    }
    return 0;
}

static void bytes_may_come_in_any_parts(void **state)
{
    (void)state;
    over_both(in_parts);
}

/* ---- flow control ---- */

/* The limit is far above what the system takes, also later on, when it has moved bytes from one side to the other. */
enum { PIECE = 10000, HIGH = 50000, LOW = 20000, LIMIT = 1000000 };

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static void fill(char *data, size_t size, size_t at)
{
    for (size_t i = 0; i < size; i++)
        data[i] = pattern(at + i);
}

/* Reads so much of the pattern, or until the end. */
static size_t read_pattern(salp_stream *stream, size_t most)
{
    char data[5000];
    size_t total = 0;
    int64_t got = 1;
    while (total < most && got > 0) {
        got = salp_read(stream, data, most - total < sizeof data ? most - total : sizeof data);
        EXPECT(got >= 0);
        for (int64_t i = 0; i < got; i++)
            EXPECT(data[i] == pattern(total + (size_t)i));
        total += (size_t)got;
    }
    return total;
}

/* Writes until no more is taken. Returns how much was. */
static size_t write_until_full(salp_transport *transport)
{
    char data[PIECE];
    size_t written = 0;
    int error = 0;
    while (error == 0) {
        fill(data, PIECE, written);
        error = salp_transport_write(transport, data, PIECE);
        written += error == 0 ? PIECE : 0;
        EXPECT(salp_transport_buffered(transport) <= LIMIT);
    }
    EXPECT(error == -ENOBUFS);
    return written;
}

static const salp_transport_options tight = { .high = HIGH, .low = LOW, .limit = LIMIT };

static int never_read(void *arg)
{
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, n, &tight);
    (void)arg;
    WAIT_UNTIL(n, n->trace[0] == 'c');
    size_t written = write_until_full(transport);
    EXPECT(strcmp(n->trace, "cp") == 0); /* told once */
    EXPECT(salp_transport_buffered(transport) > LIMIT - PIECE);
    EXPECT(salp_transport_write(transport, "", LIMIT + 1) == -ENOBUFS);
    for (int i = 0; i < 100; i++)
        EXPECT(salp_yield() == 0);
    EXPECT(strcmp(n->trace, "cp") == 0 && salp_transport_buffered(transport) > LIMIT / 2);
    size_t before = written - salp_transport_buffered(transport); /* what the system holds */
    EXPECT(read_pattern(peer, before) == before);
    for (size_t left = written - before; left > 0;) {
        char data[PIECE];
        size_t some = left < PIECE ? left : PIECE;
        EXPECT(salp_read_exactly(peer, data, some) == (int64_t)some);
        for (size_t i = 0; i < some; i++)
            EXPECT(data[i] == pattern(written - left + i));
        left -= some;
    }
    WAIT_UNTIL(n, strcmp(n->trace, "cpw") == 0);
    EXPECT(salp_transport_buffered(transport) <= LOW);
    salp_stream_close(peer);
    WAIT_UNTIL(n, strcmp(n->trace, "cpwe") == 0);
    salp_transport_close(transport);
    wait_until_lost(n, 0);
    free_notes(n);
    return 0;
}

static void a_peer_that_does_not_read_has_writing_paused_and_memory_bounded(void **state)
{
    (void)state;
    over_both(never_read);
}

static int close_delivers(void *arg)
{
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, n, &tight);
    (void)arg;
    size_t written = write_until_full(transport);
    salp_transport_close(transport);
    salp_transport_close(transport); /* once more is no matter */
    EXPECT(salp_transport_buffered(transport) > 0);
    EXPECT(read_pattern(peer, SIZE_MAX) == written);
    wait_until_lost(n, 0);
    EXPECT(strcmp(n->trace, "pl") == 0); /* nothing but that was called after closing */
    salp_stream_close(peer);
    free_notes(n);
    return 0;
}

static void closing_delivers_what_is_buffered(void **state)
{
    (void)state;
    over_both(close_delivers);
}

static int abort_drops(void *arg)
{
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, n, &tight);
    (void)arg;
    size_t written = write_until_full(transport);
    salp_transport_close(transport);
    salp_transport_abort(transport); /* it would take too long */
    EXPECT(!n->lost && salp_transport_buffered(transport) == 0);
    wait_until_lost(n, -ECANCELED);
    EXPECT(read_pattern(peer, SIZE_MAX) < written);
    salp_stream_close(peer);
    free_notes(n);
    return 0;
}

static void aborting_drops_what_is_buffered(void **state)
{
    (void)state;
    over_both(abort_drops);
}

static int pause_reading(void *arg)
{
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&short_noting, n, NULL);
    salp_scope scope;
    char data[PIECE];
    (void)arg;
    EXPECT(salp_transport_pause_reading(transport) == 0);
    salp_scope_open(&scope, SALP_MILLISECONDS(50));
    while (salp_write(peer, memset(data, 'x', PIECE), PIECE) >= 0)
        continue; /* until the system takes no more */
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(n->size == 0 && strcmp(n->trace, "c") == 0);
    EXPECT(salp_transport_resume_reading(transport) == 0);
    WAIT_UNTIL(n, n->size == (size_t)salp_stream_written(peer));
    salp_stream_close(peer);
    wait_until_lost(n, 0);
    free_notes(n);
    return 0;
}

static void who_does_not_receive_has_the_other_side_wait(void **state)
{
    (void)state;
    over_both(pause_reading);
}

static void pause_at_once(notes *n, char what)
{
    if (what == 'r')
        EXPECT(salp_transport_pause_reading(n->transport) == 0);
}

static int pause_in_callback(void *arg)
{
    notes *n = new_notes(pause_at_once);
    salp_transport *transport = open_pair(&short_noting, n, NULL);
    (void)arg;
    for (int i = 1; i <= 20; i++) {
        send_text("x");
        WAIT_UNTIL(n, n->size == (size_t)i);
        send_text("y");
        for (int j = 0; j < 20; j++)
            EXPECT(salp_yield() == 0);
        EXPECT(n->size == (size_t)i);
        n->then = NULL;
        EXPECT(salp_transport_resume_reading(transport) == 0);
        WAIT_UNTIL(n, n->size == (size_t)i + 1);
        n->size--;
        n->then = pause_at_once;
    }
    EXPECT(salp_transport_pause_reading(transport) == 0);
    salp_stream_close(peer); /* the loop does not spin meanwhile: nothing is watched */
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0 && !n->lost);
    EXPECT(salp_transport_resume_reading(transport) == 0);
    wait_until_lost(n, 0);
    free_notes(n);
    return 0;
}

static void reading_is_paused_from_within(void **state)
{
    (void)state;
    over_both(pause_in_callback);
}

/* ---- how it ends ---- */

static char ends_at;
static void (*how_to_end)(salp_transport *transport);

static void end_there(notes *n, char what)
{
    if (what == ends_at)
        how_to_end(n->transport);
}

static int ends_in_callback(void *arg)
{
    static const char places[] = "crepw";
    (void)arg;
    for (int aborts = 0; aborts < 2; aborts++) {
        how_to_end = aborts ? salp_transport_abort : salp_transport_close;
        for (const char *place = places; *place; place++) {
            notes *n = new_notes(end_there);
            char data[PIECE] = "";
            ends_at = *place;
            salp_transport *transport = open_pair(&noting, n, &(salp_transport_options){ .high = 1, .low = 1 });
            EXPECT(salp_write(peer, "x", 1) == 1 || *place == 'c'); /* when it may be over already */
            if (*place == 'e')
                EXPECT(salp_shutdown(peer) == 0);
            while ((*place == 'p' || *place == 'w') && !strchr(n->trace, 'p'))
                salp_transport_write(transport, data, PIECE);
            while (*place == 'w' && !strchr(n->trace, 'w'))
                EXPECT(salp_read(peer, data, sizeof data) > 0);
            WAIT_UNTIL(n, strchr(n->trace, *place));
            char last[400];
            strcpy(last, n->trace);
            while (salp_read(peer, data, sizeof data) > 0)
                continue;
            wait_until_lost(n, aborts ? -ECANCELED : 0);
            EXPECT(strlen(n->trace) <= strlen(last) + 1); /* nothing else comes but that it is lost */
            EXPECT(n->trace[strlen(n->trace) - 1] == 'l' && n->trace[strlen(n->trace) - 2] == *place);
            salp_stream_close(peer);
            free_notes(n);
        }
    }
    return 0;
}

static void a_callback_may_end_its_own_transport(void **state)
{
    (void)state;
    over_both(ends_in_callback);
}

static void reset(salp_stream *stream)
{
    struct linger at_once = { .l_onoff = 1 };
    EXPECT(setsockopt(salp_stream_fd(stream), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    salp_stream_close(stream);
}

static int is_reset(void *arg)
{
    (void)arg;
    over_tcp = true;
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, n, &tight);
    WAIT_UNTIL(n, n->trace[0] == 'c');
    reset(peer);
    wait_until_lost(n, -ECONNRESET);
    free_notes(n);

    n = new_notes(NULL); /* with bytes under way */
    transport = open_pair(&noting, n, &tight);
    write_until_full(transport);
    reset(peer);
    WAIT_UNTIL(n, n->lost);
    EXPECT(n->error == -ECONNRESET || n->error == -EPIPE);
    free_notes(n);

    n = new_notes(NULL); /* while it does not read: who writes notices */
    transport = open_pair(&noting, n, &tight);
    EXPECT(salp_transport_pause_reading(transport) == 0);
    WAIT_UNTIL(n, n->trace[0] == 'c');
    reset(peer);
    int error = 0;
    while (error == 0)
        error = salp_transport_write(transport, "x", 1);
    EXPECT((error == -ECONNRESET || error == -EPIPE) && !n->lost);
    EXPECT(salp_transport_write(transport, "x", 1) == -EPIPE);
    wait_until_lost(n, error);
    EXPECT(strcmp(n->trace, "cl") == 0);
    free_notes(n);
    return 0;
}

static void a_reset_is_told(void **state)
{
    (void)state;
    assert_int_equal(salp_run(is_reset, NULL), 0);
}

static int shuts_down(void *arg)
{
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, n, &tight);
    (void)arg;
    size_t written = write_until_full(transport);
    EXPECT(salp_transport_shutdown(transport) == 0);
    EXPECT(salp_transport_write(transport, "x", 1) == -EPIPE);
    EXPECT(read_pattern(peer, SIZE_MAX) == written); /* all, and then the end */
    send_text("and still it receives");
    WAIT_UNTIL(n, n->size == 21);
    EXPECT(salp_shutdown(peer) == 0);
    WAIT_UNTIL(n, strchr(n->trace, 'e'));
    EXPECT(!n->lost);
    salp_transport_close(transport);
    wait_until_lost(n, 0);
    salp_stream_close(peer);
    free_notes(n);
    return 0;
}

static void one_side_may_end_before_the_other(void **state)
{
    (void)state;
    over_both(shuts_down);
}

/* ---- several ---- */

static bool enough;

static int flood(void *arg)
{
    char *data = calloc(1, 100000);
    EXPECT(data != NULL);
    while (!enough)
        EXPECT(salp_write(arg, data, 100000) == 100000);
    free(data);
    return 0;
}

static int floods(void *arg)
{
    notes *n[2];
    salp_stream *flooding;
    salp_group group;
    (void)arg;
    enough = false;
    for (int i = 0; i < 2; i++) {
        n[i] = new_notes(NULL);
        open_pair(&short_noting, n[i], NULL);
        if (i == 0)
            flooding = peer;
    }
    salp_group_open(&group);
    EXPECT(salp_go(&group, flood, flooding) == 0);
    WAIT_UNTIL(n[0], n[0]->size > 0);
    for (int i = 1; i <= 100; i++) { /* each gets its turn, however much the other one gets */
        send_text("x");
        WAIT_UNTIL(n[1], n[1]->size == (size_t)i);
    }
    enough = true;
    EXPECT(salp_group_close(&group) == 0);
    salp_stream_close(flooding);
    salp_stream_close(peer);
    for (int i = 0; i < 2; i++) {
        wait_until_lost(n[i], 0);
        free_notes(n[i]);
    }
    return 0;
}

static void one_that_is_flooded_does_not_starve_others(void **state)
{
    (void)state;
    over_both(floods);
}

/* ---- servers ---- */

static int echoes, echoes_lost;
static bool hasty_peers; /* they may be gone before they have got their answers */

static void echo_received(salp_transport *transport, const void *data, size_t size, void *arg)
{
    EXPECT(arg == &echoes);
    int error = salp_transport_write(transport, data, size);
    EXPECT(error == 0 || (hasty_peers && (error == -EPIPE || error == -ECONNRESET)));
}

static void echo_lost(salp_transport *transport, int error, void *arg)
{
    (void)transport;
    EXPECT(arg == &echoes);
    EXPECT(error == 0 || error == -ECANCELED || (hasty_peers && (error == -EPIPE || error == -ECONNRESET)));
    echoes--;
    echoes_lost++;
}

static const salp_protocol echo = { .received = echo_received, .lost = echo_lost };

static int most_echoes;

static const salp_protocol *new_echo(void *arg, void **own)
{
    EXPECT(arg == &echoes_lost && *own == arg);
    *own = &echoes;
    if (++echoes > most_echoes)
        most_echoes = echoes;
    return &echo;
}

static salp_address served;

static int use_echo(void *arg)
{
    salp_stream *stream;
    char text[50];
    (void)arg;
    EXPECT(salp_stream_connect(&stream, &served, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "this is number %d", i);
        EXPECT(salp_write(stream, text, strlen(text)) > 0);
        EXPECT(read_text(stream, text));
    }
    EXPECT(salp_shutdown(stream) == 0 && is_at_end(stream));
    salp_stream_close(stream);
    return 0;
}

static salp_listener *listen_for(const salp_listen_options *options)
{
    salp_listener *listener;
    char name[50];
    snprintf(name, sizeof name, "@salp-transport-test-%d", (int)getpid());
    EXPECT((over_tcp ? salp_tcp_listen(&listener, "127.0.0.1", 0, options)
                     : salp_unix_listen(&listener, name, options)) == 0);
    EXPECT(salp_listener_address(listener, &served) == 0);
    return listener;
}

static int serves(void *arg)
{
    salp_transport_server *server;
    salp_listener *listener = listen_for(&(salp_listen_options){ .connections = 3 });
    salp_group group;
    (void)arg;
    echoes = echoes_lost = most_echoes = 0;
    EXPECT(salp_transport_serve(&server, listener, new_echo, &echoes_lost, NULL) == 0);
    salp_group_open(&group);
    for (int i = 0; i < 20; i++)
        EXPECT(salp_go(&group, use_echo, NULL) == 0);
    EXPECT(salp_group_close(&group) == 0);
    while (echoes_lost < 20)
        EXPECT(salp_yield() == 0);
    EXPECT(echoes == 0 && most_echoes <= 3);
    salp_transport_server_close(server);
    salp_listener_close(listener);
    return 0;
}

static void a_server_has_a_protocol_for_each_connection(void **state)
{
    (void)state;
    over_both(serves);
}

static int server_stops(void *arg)
{
    salp_transport_server *server, *other;
    salp_listener *listener = listen_for(NULL);
    salp_stream *stream;
    (void)arg;
    echoes = 0;
    EXPECT(salp_transport_serve(&server, listener, new_echo, &echoes_lost, NULL) == 0);
    EXPECT(salp_stream_connect(&stream, &served, NULL) == 0);
    EXPECT(salp_write(stream, "a", 1) == 1 && read_text(stream, "a"));
    salp_listener_shutdown(listener);
    EXPECT(salp_transport_serve(&other, listener, new_echo, &echoes_lost, NULL) == -EPIPE && !other);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_write(stream, "b", 1) == 1 && read_text(stream, "b")); /* its transports go on */
    salp_transport_server_close(server);
    salp_listener_close(listener);
    EXPECT(salp_write(stream, "c", 1) == 1 && read_text(stream, "c"));
    EXPECT(salp_shutdown(stream) == 0 && is_at_end(stream));
    salp_stream_close(stream);
    while (echoes > 0)
        EXPECT(salp_yield() == 0);
    return 0;
}

static void transports_outlive_their_server(void **state)
{
    (void)state;
    over_both(server_stops);
}

static salp_transport_server *closed_inside;

static const salp_protocol *refuse_and_close(void *arg, void **own)
{
    (void)own;
    ++*(int *)arg;
    salp_transport_server_close(closed_inside);
    return NULL;
}

static int server_refuses(void *arg)
{
    salp_listener *listener = listen_for(NULL);
    salp_stream *stream;
    int asked = 0;
    (void)arg;
    EXPECT(salp_transport_serve(&closed_inside, listener, refuse_and_close, &asked, NULL) == 0);
    EXPECT(salp_stream_connect(&stream, &served, NULL) == 0);
    EXPECT(is_at_end(stream) && asked == 1);
    salp_stream_close(stream);
    salp_listener_close(listener);
    return 0;
}

static void a_factory_may_refuse_and_close_its_server(void **state)
{
    (void)state;
    over_both(server_refuses);
}

/* ---- connecting ---- */

static int connects(void *arg)
{
    salp_transport_server *server;
    salp_listener *listener = listen_for(NULL);
    salp_transport *transport;
    char path[SALP_ADDRESS_TEXT];
    (void)arg;
    echoes = 0;
    EXPECT(salp_transport_serve(&server, listener, new_echo, &echoes_lost, NULL) == 0);
    for (int by = 0; by < 2; by++) {
        notes *n = new_notes(NULL);
        EXPECT(salp_address_text(&served, path, sizeof path) > 0);
        int error = by == 0    ? salp_transport_connect(&transport, &served, &noting, n, NULL)
                    : over_tcp ? salp_transport_connect_tcp(&transport, "localhost", salp_address_port(&served),
                                                            &noting, n, NULL)
                               : salp_transport_connect_unix(&transport, path, &noting, n, NULL);
        EXPECT(error == 0 && n->trace[0] == 0);
        EXPECT(salp_transport_fd(transport) == -ENOTCONN);
        EXPECT(salp_transport_write(transport, "before it is there", 18) == 0);
        WAIT_UNTIL(n, n->size == 18);
        EXPECT(memcmp(n->bytes, "before it is there", 18) == 0 && strcmp(n->trace, "cr") == 0);
        salp_address address;
        EXPECT(salp_transport_peer(transport, &address) == 0 && salp_address_equal(&address, &served));
        salp_transport_close(transport);
        wait_until_lost(n, 0);
        free_notes(n);
    }
    hasty_peers = true;
    notes *n = new_notes(NULL); /* closed before it is there: what was written is delivered, for all that */
    EXPECT(salp_transport_connect(&transport, &served, &noting, n, NULL) == 0);
    EXPECT(salp_transport_write(transport, "x", 1) == 0);
    salp_transport_close(transport);
    wait_until_lost(n, 0);
    EXPECT(strcmp(n->trace, "l") == 0);
    free_notes(n);
    while (echoes > 0)
        EXPECT(salp_yield() == 0);
    hasty_peers = false;
    salp_transport_server_close(server);

    for (int aborts = 0; aborts < 2; aborts++) { /* nobody accepts */
        n = new_notes(NULL);
        EXPECT(salp_transport_connect(&transport, &served, &noting, n, NULL) == 0);
        aborts ? salp_transport_abort(transport) : salp_transport_close(transport);
        wait_until_lost(n, aborts ? -ECANCELED : 0);
        EXPECT(strcmp(n->trace, "l") == 0);
        free_notes(n);
    }
    salp_listener_close(listener);
    n = new_notes(NULL);
    EXPECT(salp_transport_connect(&transport, &served, &noting, n, NULL) == 0);
    wait_until_lost(n, -ECONNREFUSED);
    EXPECT(strcmp(n->trace, "l") == 0);
    free_notes(n);
    return 0;
}

static void a_transport_connects_or_is_lost(void **state)
{
    (void)state;
    over_both(connects);
}

/* ---- streams and transports ---- */

static int of_held_bytes(void *arg)
{
    salp_stream *a, *b;
    salp_transport *transport;
    char line[20];
    (void)arg;
    open_streams(&a, &b);
    EXPECT(salp_write(a, "a line\nand more", 15) == 15);
    EXPECT(salp_read_line(b, line, sizeof line) == 7);
    notes *n = new_notes(NULL);
    EXPECT(salp_transport_of_stream(&transport, b, &noting, n, NULL) == 0);
    WAIT_UNTIL(n, n->size == 8);
    EXPECT(salp_write(a, " of it", 6) == 6);
    WAIT_UNTIL(n, n->size == 14);
    EXPECT(memcmp(n->bytes, "and more of it", 14) == 0);
    salp_stream_close(a);
    WAIT_UNTIL(n, strchr(n->trace, 'e'));
    salp_transport_close(transport);
    wait_until_lost(n, 0);
    free_notes(n);
    return 0;
}

static void bytes_that_a_stream_holds_come_first(void **state)
{
    (void)state;
    over_both(of_held_bytes);
}

/* The first four bytes are a greeting, the rest is for a task. */
static void hand_over(notes *n, char what)
{
    if (what == 'r' && n->size >= 4)
        EXPECT(salp_stream_of_transport(&n->stream, n->transport, n->bytes + 4, n->size - 4) == 0);
}

static int upgrades(void *arg)
{
    notes *n = new_notes(hand_over);
    open_pair(&noting, n, NULL);
    (void)arg;
    send_text("EHLOand now");
    wait_until_lost(n, 0);
    EXPECT(strcmp(n->trace, "crl") == 0);
    send_text(" a task");
    EXPECT(read_text(n->stream, "and now a task"));
    EXPECT(salp_write(n->stream, "hello", 5) == 5 && read_text(peer, "hello"));
    /* And back. */
    notes *again = new_notes(NULL);
    salp_transport *transport;
    EXPECT(salp_transport_of_stream(&transport, n->stream, &short_noting, again, NULL) == 0);
    send_text("callbacks");
    WAIT_UNTIL(again, again->size == 9);
    salp_stream_close(peer);
    wait_until_lost(again, 0);
    free_notes(again);
    free_notes(n);
    return 0;
}

static void a_protocol_hands_its_connection_to_a_task_and_back(void **state)
{
    (void)state;
    over_both(upgrades);
}

static int read_all(void *arg)
{
    *(size_t *)arg = read_pattern(peer, SIZE_MAX);
    return 0;
}

static int abort_it(void *arg)
{
    EXPECT(salp_yield() == 0);
    salp_transport_abort(arg);
    return 0;
}

static void try_inside(notes *n, char what)
{
    if (what == 'p')
        EXPECT(salp_stream_of_transport(&n->stream, n->transport, NULL, 0) == SALP_EINSIDE && !n->stream);
}

static int leaves_with_bytes(void *arg)
{
    notes *n = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, n, &tight);
    salp_scope scope;
    salp_group group;
    salp_stream *stream;
    size_t got = 0;
    (void)arg;
    size_t written = write_until_full(transport);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_stream_of_transport(&stream, transport, "later", 5) == -ETIMEDOUT && !stream);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    send_text("it goes on");
    WAIT_UNTIL(n, n->size == 10); /* as a transport */
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_all, &got) == 0);
    EXPECT(salp_stream_of_transport(&stream, transport, "later", 5) == 0);
    EXPECT(read_text(stream, "later"));
    wait_until_lost(n, 0);
    salp_stream_close(stream);
    EXPECT(salp_group_close(&group) == 0 && got == written);
    salp_stream_close(peer);
    free_notes(n);

    n = new_notes(NULL); /* and one that is aborted meanwhile */
    transport = open_pair(&noting, n, &tight);
    write_until_full(transport);
    salp_group_open(&group);
    EXPECT(salp_go(&group, abort_it, transport) == 0);
    EXPECT(salp_stream_of_transport(&stream, transport, NULL, 0) == -ECANCELED && !stream);
    EXPECT(salp_group_close(&group) == 0);
    wait_until_lost(n, -ECANCELED);
    salp_stream_close(peer);
    free_notes(n);
    return 0;
}

static void a_task_waits_for_what_is_buffered(void **state)
{
    (void)state;
    over_both(leaves_with_bytes);
}

/* Of a pipe, where only the wait itself can be ended. */
static int leaves_a_pipe(void *arg)
{
    notes *n = new_notes(NULL);
    int ends[2];
    salp_stream *stream;
    salp_transport *transport;
    salp_group group;
    (void)arg;
    EXPECT(pipe2(ends, O_CLOEXEC) == 0 && salp_stream_from_fd(&stream, ends[1], NULL) == 0);
    EXPECT(salp_transport_of_stream(&transport, stream, &noting, n, &tight) == 0);
    write_until_full(transport);
    salp_group_open(&group);
    EXPECT(salp_go(&group, abort_it, transport) == 0);
    EXPECT(salp_stream_of_transport(&stream, transport, NULL, 0) == -ECANCELED && !stream);
    EXPECT(salp_group_close(&group) == 0);
    wait_until_lost(n, -ECANCELED);
    close(ends[0]);
    free_notes(n);
    return 0;
}

static void aborting_ends_the_wait_for_what_is_buffered(void **state)
{
    (void)state;
    assert_int_equal(salp_run(leaves_a_pipe, NULL), 0);
}

static void write_in_callback(void *arg)
{
    notes *n = arg;
    write_until_full(n->transport);
}

static int leaves_in_callback(void *arg)
{
    notes *n = new_notes(try_inside);
    salp_transport *transport = open_pair(&noting, n, &tight);
    (void)arg;
    WAIT_UNTIL(n, n->trace[0] == 'c');
    EXPECT(salp_loop_call(salp_loop_current(), write_in_callback, n) == 0);
    WAIT_UNTIL(n, strchr(n->trace, 'p'));
    n->then = NULL;
    while (salp_transport_buffered(transport) > 0) {
        char data[PIECE];
        EXPECT(salp_read(peer, data, sizeof data) > 0);
    }
    EXPECT(salp_stream_of_transport(&n->stream, transport, NULL, 0) == 0);
    salp_stream_close(n->stream);
    salp_stream_close(peer);
    wait_until_lost(n, 0);
    free_notes(n);
    return 0;
}

static void a_callback_does_not_wait_for_what_is_buffered(void **state)
{
    (void)state;
    over_both(leaves_in_callback);
}

static int over_pipes(void *arg)
{
    int ends[2];
    salp_stream *in, *out;
    salp_transport *reader, *writer;
    notes *read = new_notes(NULL), *write = new_notes(NULL);
    (void)arg;
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    EXPECT(salp_stream_from_fd(&in, ends[0], NULL) == 0 && salp_stream_from_fd(&out, ends[1], NULL) == 0);
    EXPECT(salp_transport_of_stream(&reader, in, &short_noting, read, NULL) == 0);
    EXPECT(salp_transport_of_stream(&writer, out, &noting, write, NULL) == 0);
    EXPECT(salp_transport_write(writer, letter, strlen(letter)) == 0);
    EXPECT(salp_transport_shutdown(writer) == 0);
    wait_until_lost(read, 0);
    EXPECT(read->size == strlen(letter) && memcmp(read->bytes, letter, read->size) == 0);
    EXPECT(strcmp(write->trace, "c") == 0);
    salp_transport_close(writer);
    wait_until_lost(write, 0);
    free_notes(read);
    free_notes(write);
    return 0;
}

static void pipes_are_transports_too(void **state)
{
    (void)state;
    assert_int_equal(salp_run(over_pipes, NULL), 0);
}

/* ---- other loops ---- */

static notes *left;
static salp_listener *left_listener;

static int leaves_all_open(void *arg)
{
    salp_transport_server **server = arg;
    salp_stream *stream;
    left_listener = listen_for(NULL);
    EXPECT(salp_transport_serve(server, left_listener, new_echo, &echoes_lost, NULL) == 0);
    EXPECT(salp_stream_connect(&stream, &served, NULL) == 0);
    EXPECT(salp_write(stream, "x", 1) == 1 && read_text(stream, "x"));
    salp_stream_close(stream);
    salp_transport *transport = open_pair(&noting, left, &tight);
    write_until_full(transport);
    return 0;
}

static void what_is_left_is_lost_with_the_loop(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        salp_transport_server *server;
        over_tcp = tcp;
        echoes = 0;
        left = new_notes(NULL);
        assert_int_equal(salp_run(leaves_all_open, &server), 0);
        assert_int_equal(left->lost, 1);
        assert_int_equal(left->error, -ECANCELED);
        assert_int_equal(echoes, 0);
        salp_transport_server_close(server);
        salp_listener_close(left_listener);
        salp_stream_close(peer);
        free_notes(left);
    }
}

static void *talk_to_it(void *arg)
{
    (void)arg;
    use_echo(NULL);
    return NULL;
}

static void transports_live_within_a_foreign_loop(void **state)
{
    (void)state;
    salp_loop *loop;
    salp_transport_server *server;
    pthread_t threads[3];
    over_tcp = true;
    echoes = echoes_lost = 0;
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    int fd = salp_loop_fd(loop);
    salp_listener *listener = listen_for(NULL);
    assert_int_equal(salp_transport_serve(&server, listener, new_echo, &echoes_lost, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk_to_it, NULL), 0);
    while (echoes_lost < 3) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        assert_true(poll(&ready, 1, -1) >= 0);
        assert_true(salp_loop_turn(loop, 0) >= 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    salp_transport_server_close(server);
    salp_listener_close(listener);
    salp_loop_close(loop);
}

/* ---- the rest ---- */

static int changes_protocol(void *arg)
{
    notes *first = new_notes(NULL), *second = new_notes(NULL);
    salp_transport *transport = open_pair(&noting, first, NULL);
    (void)arg;
    send_text("first");
    WAIT_UNTIL(first, first->size == 5);
    EXPECT(salp_transport_set_protocol(transport, &short_noting, second) == 0);
    send_text("second");
    WAIT_UNTIL(second, second->size == 6);
    salp_stream_close(peer);
    wait_until_lost(second, 0);
    EXPECT(strcmp(first->trace, "cr") == 0 && strcmp(second->trace, "rl") == 0);
    free_notes(first);
    free_notes(second);
    return 0;
}

static void a_transport_may_change_its_protocol(void **state)
{
    (void)state;
    over_both(changes_protocol);
}

static int refuses(void *arg)
{
    static const salp_protocol none = { .lost = note_lost };
    salp_stream *a, *b;
    salp_transport *transport = (salp_transport *)&a;
    notes *n = new_notes(NULL);
    (void)arg;
    open_streams(&a, &b);
    EXPECT(salp_transport_of_stream(NULL, b, &noting, n, NULL) == -EINVAL);
    EXPECT(salp_transport_of_stream(&transport, NULL, &noting, n, NULL) == -EINVAL && !transport);
    EXPECT(salp_transport_of_stream(&transport, b, &none, n, NULL) == -EINVAL);
    EXPECT(salp_transport_of_stream(&transport, b, NULL, n, NULL) == -EINVAL);
    EXPECT(salp_transport_of_stream(&transport, b, &noting, n, &(salp_transport_options){ .high = 10, .low = 11 }) ==
           -EINVAL);
    EXPECT(salp_transport_of_stream(&transport, b, &noting, n, &(salp_transport_options){ .high = 10, .limit = 9 }) ==
           -EINVAL);
    EXPECT(salp_transport_connect(&transport, NULL, &noting, n, NULL) == -EINVAL);
    EXPECT(salp_transport_connect_tcp(&transport, "localhost", 0, &noting, n, NULL) == -EINVAL);
    EXPECT(salp_transport_connect_unix(&transport, NULL, &noting, n, NULL) == -EINVAL);
    EXPECT(salp_transport_write(NULL, "", 0) == -EINVAL && salp_transport_shutdown(NULL) == -EINVAL);
    EXPECT(salp_transport_pause_reading(NULL) == -EINVAL && salp_transport_fd(NULL) == -EINVAL);
    salp_stream_close(a);
    EXPECT(salp_stream_of_transport(&a, NULL, NULL, 0) == -EINVAL && !a);
    salp_transport_close(NULL);
    salp_transport_abort(NULL);
    salp_transport_server_close(NULL);
    salp_stream_close(b);
    free_notes(n);
    return 0;
}

static bool may_be(const char *name)
{
    const char *poller = getenv("SALP_POLLER");
    return !poller || strcmp(poller, name) == 0;
}

/* What is always ready is nothing for epoll, and what is another process's is left to it. */
static int refuses_these_streams(void *arg)
{
    salp_stream *nothing, *a, *b;
    salp_transport *transport = (salp_transport *)&a;
    salp_transport_server *server = (salp_transport_server *)&a;
    notes *n = new_notes(NULL);
    int status;
    (void)arg;
    EXPECT(salp_stream_from_fd(&nothing, open("/dev/null", O_RDWR | O_CLOEXEC), NULL) == 0);
    int error = salp_transport_of_stream(&transport, nothing, &short_noting, n, NULL);
    if (error == 0) {
        EXPECT(may_be("io_uring"));
        wait_until_lost(n, 0); /* it is at its end */
    } else {
        EXPECT(error == -ENOTSUP && !transport && may_be("epoll"));
        EXPECT(salp_write(nothing, "x", 1) == 1); /* it is the caller's as before */
        salp_stream_close(nothing);
    }
    free_notes(n);
    n = new_notes(NULL);

    salp_listener *listener = listen_for(NULL);
    open_streams(&a, &b);
    pid_t child = fork();
    if (child == 0) {
        EXPECT(salp_transport_of_stream(&transport, b, &noting, n, NULL) == SALP_EFORKED && !transport);
        EXPECT(salp_transport_serve(&server, listener, new_echo, NULL, NULL) == SALP_EFORKED && !server);
        raise(SIGKILL); /* not an exit, at which valgrind would miss the memory of the loop, which is not there */
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == SIGKILL);
    salp_stream_close(a);
    salp_stream_close(b);
    salp_listener_close(listener);
    EXPECT(strcmp(n->trace, "") == 0);
    free_notes(n);
    return 0;
}

static void only_streams_of_its_own_become_transports(void **state)
{
    (void)state;
    over_both(refuses_these_streams);
}

static int served_error;

static int become_transport(salp_stream *stream, void *arg)
{
    salp_transport *transport;
    int error = salp_transport_of_stream(&transport, stream, &noting, arg, NULL);
    salp_listener_shutdown(left_listener);
    return error;
}

static int serve_once(void *arg)
{
    return salp_serve(left_listener, become_transport, arg);
}

static void note_error(int error, void *arg)
{
    EXPECT(arg == NULL);
    served_error = error;
}

static int refuses_what_is_served(void *arg)
{
    salp_stream *stream;
    salp_group group;
    (void)arg;
    left_listener = listen_for(&(salp_listen_options){ .on_error = note_error });
    salp_group_open(&group);
    EXPECT(salp_go(&group, serve_once, NULL) == 0);
    EXPECT(salp_stream_connect(&stream, &served, NULL) == 0 && is_at_end(stream));
    EXPECT(salp_group_close(&group) == 0 && served_error == -EBUSY);
    salp_stream_close(stream);
    salp_listener_close(left_listener);
    return 0;
}

static void misuse_is_refused(void **state)
{
    (void)state;
    salp_transport *transport;
    salp_stream *a, *b;
    over_both(refuses);
    over_both(refuses_what_is_served);
    assert_int_equal(salp_stream_pair(&a, &b), 0);
    assert_int_equal(salp_transport_of_stream(&transport, a, &noting, NULL, NULL), -EPERM); /* there is no loop */
    salp_stream_close(a);
    salp_stream_close(b);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a protocol is told in order", a_protocol_is_told_in_order),
        TEST("bytes may come in any parts", bytes_may_come_in_any_parts),
        TEST("a peer that does not read has writing paused and memory bounded",
             a_peer_that_does_not_read_has_writing_paused_and_memory_bounded),
        TEST("closing delivers what is buffered", closing_delivers_what_is_buffered),
        TEST("aborting drops what is buffered", aborting_drops_what_is_buffered),
        TEST("who does not receive has the other side wait", who_does_not_receive_has_the_other_side_wait),
        TEST("reading is paused from within", reading_is_paused_from_within),
        TEST("a callback may end its own transport", a_callback_may_end_its_own_transport),
        TEST("a reset is told", a_reset_is_told),
        TEST("one side may end before the other", one_side_may_end_before_the_other),
        TEST("one that is flooded does not starve others", one_that_is_flooded_does_not_starve_others),
        TEST("a server has a protocol for each connection", a_server_has_a_protocol_for_each_connection),
        TEST("transports outlive their server", transports_outlive_their_server),
        TEST("a factory may refuse and close its server", a_factory_may_refuse_and_close_its_server),
        TEST("a transport connects or is lost", a_transport_connects_or_is_lost),
        TEST("bytes that a stream holds come first", bytes_that_a_stream_holds_come_first),
        TEST("a protocol hands its connection to a task and back", a_protocol_hands_its_connection_to_a_task_and_back),
        TEST("a task waits for what is buffered", a_task_waits_for_what_is_buffered),
        TEST("aborting ends the wait for what is buffered", aborting_ends_the_wait_for_what_is_buffered),
        TEST("a callback does not wait for what is buffered", a_callback_does_not_wait_for_what_is_buffered),
        TEST("pipes are transports, too", pipes_are_transports_too),
        TEST("what is left is lost with the loop", what_is_left_is_lost_with_the_loop),
        TEST("transports live within a foreign loop", transports_live_within_a_foreign_loop),
        TEST("a transport may change its protocol", a_transport_may_change_its_protocol),
        TEST("only streams of its own become transports", only_streams_of_its_own_become_transports),
        TEST("misuse is refused", misuse_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
