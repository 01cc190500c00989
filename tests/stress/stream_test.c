/*
 * A server with many clients of all kinds: silent ones, slow ones, ones that are rude.
 *
 * What a client sends is keyed by its number, and the server sends it back: so bytes that went astray are seen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <salp/stream.h>
#include <salp/task.h>

/* ---- the server ---- */

static struct server {
    salp_listener *listener;
    salp_handler *handler;
    pthread_t thread;
    _Atomic pid_t id;
    int port;
    atomic_int active, served, failed;
    atomic_long steps; /* of handlers */
} server;

/* Clients may be rude, but nothing else goes wrong. */
static void note_error(int error, void *arg)
{
    (void)arg;
    if (error != -ECONNRESET && error != -EPIPE) {
        fprintf(stderr, "# a handler failed: %s\n", salp_strerror(error));
        abort();
    }
    atomic_fetch_add(&server.failed, 1);
}

static int echo(salp_stream *stream, void *arg)
{
    char data[2000];
    int64_t size;
    (void)arg;
    atomic_fetch_add(&server.active, 1);
    while ((size = salp_read(stream, data, sizeof data)) > 0) {
        size = salp_write(stream, data, (size_t)size);
        if (size < 0)
            break;
    }
    atomic_fetch_sub(&server.active, 1);
    atomic_fetch_add(&server.served, 1);
    return (int)size;
}

static void *run_server(void *arg)
{
    atomic_store(&server.id, (pid_t)syscall(SYS_gettid));
    EXPECT(salp_serve(server.listener, server.handler, NULL) == 0);
    return arg;
}

static void start_server(salp_handler *handler, int connections)
{
    memset(&server, 0, sizeof server);
    server.handler = handler;
    EXPECT(salp_tcp_listen(&server.listener, "0.0.0.0", 0,
                           &(salp_listen_options){ .connections = connections, .on_error = note_error }) == 0);
    server.port = salp_listener_port(server.listener);
    EXPECT(pthread_create(&server.thread, NULL, run_server, NULL) == 0);
}

static void stop_server(void)
{
    salp_listener_shutdown(server.listener);
    EXPECT(pthread_join(server.thread, NULL) == 0);
    salp_listener_close(server.listener);
    EXPECT(atomic_load(&server.active) == 0);
}

/* ---- waiting ---- */

static void doze(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void wait_for(const atomic_int *value, int wanted) /* as long as the test may take */
{
    while (atomic_load(value) != wanted)
        doze();
}

/* How often the server's thread has gone to sleep; -1: it does not sleep now. */
static long sleeps(void)
{
    char name[64], line[200], state = 0;
    long count = -1;
    snprintf(name, sizeof name, "/proc/self/task/%d/status", (int)atomic_load(&server.id));
    FILE *file = fopen(name, "re");
    EXPECT(file != NULL);
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "State: %c", &state);
        sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    }
    fclose(file);
    return state == 'S' ? count : -1;
}

/* Waits until it does nothing at all for a tenth of a second: one that spins, or that wakes up again and again, never does. */
static void wait_until_idle(void)
{
    for (;;) {
        long before = sleeps();
        for (int i = 0; i < 100; i++)
            doze();
        if (before >= 0 && sleeps() == before)
            return;
    }
}

/* ---- what is sent ---- */

static char byte_of(int client, int64_t i)
{
    return (char)(client * 31 + i * 7 + i / 251);
}

static void fill(char *data, int client, int64_t from, int size)
{
    for (int i = 0; i < size; i++)
        data[i] = byte_of(client, from + i);
}

static void check(const char *data, int client, int64_t from, int64_t size)
{
    for (int i = 0; i < size; i++)
        EXPECT(data[i] == byte_of(client, from + i));
}

/* On many addresses of this machine, so that there are ports enough for whoever comes after those that have gone. */
static salp_stream *connect_client(int client)
{
    salp_stream *stream;
    char host[20];
    snprintf(host, sizeof host, "127.0.%d.%d", client / 250 % 250, client % 250 + 1);
    EXPECT(salp_tcp_connect(&stream, host, server.port, NULL) == 0);
    return stream;
}

static void talk(salp_stream *stream, int client, int round)
{
    char data[100], back[100];
    fill(data, client, round, sizeof data);
    EXPECT(salp_write(stream, data, sizeof data) == sizeof data);
    EXPECT(salp_read_exactly(stream, back, sizeof back) == sizeof back);
    check(back, client, round, sizeof back);
}

/* ---- many that are silent ---- */

static struct crowd {
    salp_stream **streams;
    int count, busy;
} crowd;

static int keep_talking(void *arg)
{
    int client = (int)(intptr_t)arg;
    for (int round = 0; round < test_scale(200); round++)
        talk(crowd.streams[client], client, round);
    return 0;
}

static int talk_in_crowd(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < crowd.busy; i++)
        EXPECT(salp_go(&group, keep_talking, (void *)(intptr_t)(i * (crowd.count / crowd.busy))) == 0);
    return salp_group_close(&group);
}

/* Both ends of each connection are ours. */
static int most_connections(int wanted)
{
    struct rlimit limit;
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int most = limit.rlim_cur > 1000000 ? wanted : ((int)limit.rlim_cur - 100) / 2;
    return most < wanted ? most : wanted;
}

static void many_are_silent_while_some_talk(void **state)
{
    (void)state;
    crowd.count = most_connections(test_scale(10000));
    crowd.busy = 50;
    crowd.streams = calloc((size_t)crowd.count, sizeof(salp_stream *));
    assert_non_null(crowd.streams);
    start_server(echo, crowd.count);
    for (int i = 0; i < crowd.count; i++)
        crowd.streams[i] = connect_client(i);
    wait_for(&server.active, crowd.count);
    assert_int_equal(salp_run(talk_in_crowd, NULL), 0);
    wait_until_idle();
    for (int i = 0; i < crowd.count; i += 7) /* who was silent so far is not forgotten */
        talk(crowd.streams[i], i, 1000);
    for (int i = 0; i < crowd.count; i++)
        salp_stream_close(crowd.streams[i]);
    wait_for(&server.served, crowd.count);
    stop_server();
    free(crowd.streams);
}

/* ---- all kinds ---- */

enum { BY_BYTES, AT_ONCE, SLOWLY, HALF_CLOSED, RESET, VANISHED, LINES, KINDS };

typedef struct letter {
    salp_stream *stream;
    int client;
    int64_t size;
    int step; /* bytes of one write, or read */
} letter;

static int send_letter(void *arg)
{
    const letter *l = arg;
    char *data = malloc((size_t)l->step);
    EXPECT(data != NULL);
    for (int64_t sent = 0; sent < l->size; sent += l->step) {
        int size = l->size - sent < l->step ? (int)(l->size - sent) : l->step;
        fill(data, l->client, sent, size);
        EXPECT(salp_write(l->stream, data, (size_t)size) == size && salp_yield() == 0);
    }
    free(data);
    EXPECT(salp_shutdown(l->stream) == 0);
    return 0;
}

static void receive_letter(const letter *l, int step)
{
    char *data = malloc((size_t)step);
    int64_t got = 0, size;
    EXPECT(data != NULL);
    while ((size = salp_read(l->stream, data, (size_t)step)) > 0) {
        check(data, l->client, got, size);
        got += size;
        EXPECT(salp_yield() == 0);
    }
    free(data);
    EXPECT(size == 0 && got == l->size);
}

/* Sends it in such steps while it comes back in others. */
static void exchange(salp_stream *stream, int client, int64_t size, int out, int in)
{
    letter l = { stream, client, size, out };
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, send_letter, &l) == 0);
    receive_letter(&l, in);
    EXPECT(salp_group_close(&group) == 0);
}

static void read_lines(salp_stream *stream, int client)
{
    char line[40], wanted[40];
    for (int i = 0; i < 20; i++) {
        int size = snprintf(wanted, sizeof wanted, "line %d of %d\n", i, client);
        EXPECT(salp_write(stream, wanted, (size_t)size) == size);
        EXPECT(salp_read_until(stream, line, sizeof line, "\n") == size && strcmp(line, wanted) == 0);
    }
}

static void reset(const salp_stream *stream)
{
    const struct linger now = { .l_onoff = 1 };
    EXPECT(setsockopt(salp_stream_fd(stream), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
}

static void behave(salp_stream *stream, int client)
{
    char data[5000];
    switch (client % KINDS) {
    case BY_BYTES:
        exchange(stream, client, 300, 1, 1);
        break;
    case AT_ONCE:
        exchange(stream, client, 100000, 100000, 100000);
        break;
    case SLOWLY:
        exchange(stream, client, 300000, 50000, 700);
        break;
    case HALF_CLOSED:
        fill(data, client, 0, sizeof data);
        EXPECT(salp_write(stream, data, sizeof data) == sizeof data && salp_shutdown(stream) == 0);
        receive_letter(&(letter){ stream, client, sizeof data, 0 }, 999);
        break;
    case RESET:
        fill(data, client, 0, sizeof data);
        EXPECT(salp_write(stream, data, sizeof data) == sizeof data);
        reset(stream);
        break;
    case LINES:
        read_lines(stream, client);
        break;
    default: /* gone again */
        break;
    }
}

static int next_client, last_client;

static int be_clients(void *arg)
{
    (void)arg;
    while (next_client < last_client) {
        int client = next_client++;
        salp_stream *stream = connect_client(client);
        behave(stream, client);
        salp_stream_close(stream);
    }
    return 0;
}

static int run_clients(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 100; i++)
        EXPECT(salp_go(&group, be_clients, arg) == 0);
    return salp_group_close(&group);
}

static void each_has_its_own_bytes(void **state)
{
    (void)state;
#ifdef SALP_HOSTILE
    enum { CLIENTS = 70 }; /* whose bytes are read in pieces of sixteen */
#else
    enum { CLIENTS = 2100 };
#endif
    next_client = 0;
    last_client = test_scale(CLIENTS);
    start_server(echo, 0);
    assert_int_equal(salp_run(run_clients, NULL), 0);
    wait_for(&server.served, last_client);
    wait_until_idle();
    stop_server();
    assert_in_range(atomic_load(&server.failed), 0, last_client * 2 / KINDS + 2); /* those that were rude */
}

/* ---- those that do not read ---- */

/* Writes for ever. */
static int pour(salp_stream *stream, void *arg)
{
    static const char data[65536];
    int64_t result;
    (void)arg;
    atomic_fetch_add(&server.active, 1);
    while ((result = salp_write(stream, data, sizeof data)) >= 0)
        atomic_fetch_add(&server.steps, 1);
    atomic_fetch_sub(&server.active, 1);
    atomic_fetch_add(&server.served, 1);
    return (int)result;
}

static long pages_used(void)
{
    long size, used = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    EXPECT(file && fscanf(file, "%ld %ld", &size, &used) == 2);
    fclose(file);
    return used;
}

static void who_does_not_read_costs_no_memory(void **state)
{
    enum { CLIENTS = 100, MEGABYTES = 40 };
    (void)state;
    salp_stream *clients[CLIENTS];
    start_server(pour, 0);
    long before = pages_used();
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_client(i);
    wait_for(&server.active, CLIENTS);
    wait_until_idle(); /* the system takes no more, and all of them wait */
    long steps = atomic_load(&server.steps), used = pages_used() - before;
    assert_in_range(steps, 0, 1000L * CLIENTS); /* 64 MB for each: far more than any system holds */
    if (!test_slow())
        assert_in_range(used < 0 ? 0 : used, 0, MEGABYTES * (1 << 20) / sysconf(_SC_PAGESIZE));
    for (int i = 0; i < CLIENTS; i++)
        salp_stream_close(clients[i]);
    wait_for(&server.served, CLIENTS);
    stop_server();
    assert_int_equal(atomic_load(&server.failed), CLIENTS);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("many are silent while some talk", many_are_silent_while_some_talk, 120),
        TEST_LIMIT("each has its own bytes", each_has_its_own_bytes, 120),
        TEST_LIMIT("who does not read costs no memory", who_does_not_read_costs_no_memory, 60),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
