/*
 * Servers, and who connects to them.
 *
 * Names of hosts are looked up by this file's own getaddrinfo, so that a host can have any addresses of this machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <salp/loop.h>
#include <salp/stream.h>
#include <salp/sync.h>

#include "sleepers.h"

/* ---- a server in a thread of its own ---- */

enum { ERRORS_MAX = 64 };

static struct server {
    salp_listener *listener;
    salp_handler *handler;
    bool in_thread; /* salp_serve is called by a plain thread, not by a task */
    pthread_t thread;
    int result;
    atomic_int active, most, served, errors;
    int told[ERRORS_MAX]; /* to .on_error */
} server;

static void note_error(int error, void *arg)
{
    EXPECT(arg == &server);
    int i = atomic_fetch_add(&server.errors, 1);
    if (i < ERRORS_MAX)
        server.told[i] = error;
}

static int serve(void *arg)
{
    (void)arg;
    return salp_serve(server.listener, server.handler, &server);
}

static void *run_server(void *arg)
{
    server.result = server.in_thread ? serve(NULL) : salp_run(serve, NULL);
    return arg;
}

static void open_server(salp_handler *handler, const salp_listen_options *options)
{
    bool in_thread = server.in_thread;
    salp_listen_options with = options ? *options : (salp_listen_options){ 0 };
    with.on_error = note_error;
    memset(&server, 0, sizeof server);
    server.handler = handler;
    server.in_thread = in_thread;
    EXPECT(salp_tcp_listen(&server.listener, "127.0.0.1", 0, &with) == 0);
}

static void start_server(salp_handler *handler, const salp_listen_options *options)
{
    open_server(handler, options);
    EXPECT(pthread_create(&server.thread, NULL, run_server, NULL) == 0);
}

static void join_server(void)
{
    EXPECT(pthread_join(server.thread, NULL) == 0);
    salp_listener_close(server.listener);
}

static void stop_server(void)
{
    salp_listener_shutdown(server.listener);
    join_server();
    EXPECT(server.result == 0);
}

static salp_stream *reach_server(void)
{
    salp_stream *stream;
    EXPECT(salp_tcp_connect(&stream, "127.0.0.1", salp_listener_port(server.listener), NULL) == 0);
    return stream;
}

/* Each test of a server has a task call salp_serve, and a plain thread. */
static void with_both(void (*test)(void))
{
    for (int i = 0; i < 2; i++) {
        server.in_thread = i;
        test();
    }
}

static void enter(void)
{
    int active = atomic_fetch_add(&server.active, 1) + 1, most = atomic_load(&server.most);
    while (most < active && !atomic_compare_exchange_weak(&server.most, &most, active))
        continue;
}

static void leave(void)
{
    atomic_fetch_sub(&server.active, 1);
    atomic_fetch_add(&server.served, 1);
}

static int echo(salp_stream *stream, void *arg)
{
    char data[100];
    int64_t size;
    EXPECT(arg == &server);
    enter();
    while ((size = salp_read(stream, data, sizeof data)) > 0)
        if (salp_write(stream, data, (size_t)size) < 0)
            break;
    leave();
    return size < 0 ? (int)size : 0;
}

static bool is_echoed(salp_stream *stream, int number)
{
    int back = -1;
    return salp_write(stream, &number, sizeof number) == sizeof number &&
           salp_read_exactly(stream, &back, sizeof back) == sizeof back && back == number;
}

/* ---- serving ---- */

static void serve_many(void)
{
    enum { CLIENTS = 50 };
    salp_stream *clients[CLIENTS];
    start_server(echo, NULL);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = reach_server();
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < CLIENTS; i++)
            EXPECT(is_echoed(clients[i], round * CLIENTS + i));
    EXPECT(atomic_load(&server.active) == CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        salp_stream_close(clients[i]);
    EXPECT(reaches(&server.served, CLIENTS));
    stop_server();
    EXPECT(server.errors == 0);
}

static void each_client_is_served(void **state)
{
    (void)state;
    with_both(serve_many);
}

static void serve_within_bound(void)
{
    enum { CLIENTS = 12, BOUND = 3 };
    salp_stream *clients[CLIENTS];
    start_server(echo, &(salp_listen_options){ .connections = BOUND });
    for (int i = 0; i < CLIENTS; i++) { /* all of them are connected: the system has taken them */
        clients[i] = reach_server();
        EXPECT(salp_write(clients[i], &i, sizeof i) == sizeof i);
    }
    EXPECT(reaches(&server.active, BOUND));
    for (int i = 0; i < CLIENTS; i++) { /* each that ends makes room for another one */
        int back = -1;
        EXPECT(salp_read_exactly(clients[i], &back, sizeof back) == sizeof back && back == i);
        salp_stream_close(clients[i]);
    }
    EXPECT(reaches(&server.served, CLIENTS));
    stop_server();
    EXPECT(server.most == BOUND);
}

static void no_more_are_served_at_once_than_were_allowed(void **state)
{
    (void)state;
    with_both(serve_within_bound);
}

static int close_it(salp_stream *stream, void *arg)
{
    char byte;
    enter();
    EXPECT(salp_read(stream, &byte, 1) == 1);
    salp_stream_close(stream);
    /* Takes the number that has become free: it would be closed, if the stream was closed once more. */
    int fd = dup(0);
    EXPECT(salp_yield() == 0);
    leave();
    (void)arg;
    return fd;
}

static void serve_and_close(void)
{
    int before = test_count_descriptors();
    start_server(close_it, NULL);
    for (int i = 0; i < 5; i++) {
        salp_stream *client = reach_server();
        char byte;
        EXPECT(salp_write(client, "x", 1) == 1 && salp_read(client, &byte, 1) == 0);
        salp_stream_close(client);
    }
    stop_server();
    EXPECT(server.served == 5 && server.errors == 0);
    EXPECT(test_count_descriptors() == before + 5);
    for (int fd = 3; fd < 100; fd++) {
        char path[40], target[20] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) > 0 && strcmp(target, "/dev/null") == 0)
            close(fd);
    }
}

static void a_handler_may_close_its_stream(void **state)
{
    (void)state;
    with_both(serve_and_close);
}

static int fail_with_number(salp_stream *stream, void *arg)
{
    int number;
    (void)arg;
    EXPECT(salp_read_exactly(stream, &number, sizeof number) == sizeof number);
    return -number;
}

static void serve_and_fail(void)
{
    bool told[21] = { false };
    start_server(fail_with_number, NULL);
    for (int i = 0; i <= 20; i++) { /* 0 is none */
        salp_stream *client = reach_server();
        char byte;
        EXPECT(salp_write(client, &i, sizeof i) == sizeof i);
        EXPECT(salp_read(client, &byte, 1) == 0);
        salp_stream_close(client);
    }
    stop_server();
    EXPECT(server.errors == 20);
    for (int i = 0; i < 20; i++) {
        EXPECT(server.told[i] >= -20 && server.told[i] <= -1 && !told[-server.told[i]]);
        told[-server.told[i]] = true;
    }
}

static void the_failure_of_one_is_told_and_not_that_of_others(void **state)
{
    (void)state;
    with_both(serve_and_fail);
}

/* ---- stopping ---- */

static void stop_gracefully(void)
{
    salp_stream *clients[5];
    start_server(echo, &(salp_listen_options){ .grace = SALP_FOREVER });
    for (int i = 0; i < 5; i++) {
        clients[i] = reach_server();
        EXPECT(is_echoed(clients[i], i));
    }
    salp_listener_shutdown(server.listener);
    for (int i = 0; i < 5; i++) { /* who is being served goes on to be */
        EXPECT(is_echoed(clients[i], i));
        salp_stream_close(clients[i]);
    }
    join_server();
    EXPECT(server.result == 0 && server.served == 5 && server.errors == 0);
}

static void a_server_that_is_stopped_lets_its_handlers_end(void **state)
{
    (void)state;
    with_both(stop_gracefully);
}

static void stop_after_grace(void)
{
    salp_stream *clients[5];
    char byte;
    start_server(echo, &(salp_listen_options){ .grace = SALP_MILLISECONDS(20) });
    for (int i = 0; i < 5; i++) {
        clients[i] = reach_server();
        EXPECT(is_echoed(clients[i], i));
    }
    stop_server();
    EXPECT(server.served == 5 && server.errors == 5);
    for (int i = 0; i < 5; i++) {
        EXPECT(server.told[i] == -ECANCELED);
        EXPECT(salp_read(clients[i], &byte, 1) == 0);
        salp_stream_close(clients[i]);
    }
}

static void who_does_not_end_within_the_grace_is_cancelled(void **state)
{
    (void)state;
    with_both(stop_after_grace);
}

static void stop_while_full(void)
{
    salp_stream *served[2], *waiting;
    char byte;
    start_server(echo, &(salp_listen_options){ .connections = 2, .grace = SALP_MILLISECONDS(20) });
    for (int i = 0; i < 2; i++) {
        served[i] = reach_server();
        EXPECT(is_echoed(served[i], i));
    }
    waiting = reach_server();
    stop_server(); /* nobody ends by himself */
    EXPECT(server.served == 2 && server.errors == 2);
    for (int i = 0; i < 2; i++)
        salp_stream_close(served[i]);
    /* Who was not accepted is reset now, with the listener. */
    EXPECT(salp_read(waiting, &byte, 1) == -ECONNRESET);
    salp_stream_close(waiting);
}

static void a_server_with_all_its_connections_can_be_stopped(void **state)
{
    (void)state;
    with_both(stop_while_full);
}

static void serve_nobody(void)
{
    start_server(echo, NULL);
    stop_server();
    open_server(echo, NULL);
    salp_listener_shutdown(server.listener); /* before it begins */
    run_server(NULL);
    EXPECT(server.result == 0 && salp_serve(server.listener, echo, &server) == 0);
    salp_listener_close(server.listener);
}

static void a_server_without_clients_is_stopped(void **state)
{
    (void)state;
    with_both(serve_nobody);
}

/* ---- scopes ---- */

static salp_scope scope; /* around what somebody else ends */

static void *hang_on(void *arg)
{
    salp_stream *client = reach_server();
    char byte;
    EXPECT(is_echoed(client, 1));
    salp_scope_cancel(&scope);
    EXPECT(salp_read(client, &byte, 1) == 0); /* the server closes it */
    salp_stream_close(client);
    return arg;
}

static int serve_until_cancelled(void *arg)
{
    pthread_t thread;
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(pthread_create(&thread, NULL, hang_on, NULL) == 0);
    EXPECT(salp_serve(server.listener, server.handler, &server) == -ECANCELED);
    EXPECT(salp_serve(server.listener, server.handler, &server) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    EXPECT(pthread_join(thread, NULL) == 0);
    (void)arg;
    return 0;
}

static void a_scope_ends_the_server_and_its_handlers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        open_server(echo, &(salp_listen_options){ .grace = SALP_FOREVER });
        assert_int_equal(i == 0 ? salp_run(serve_until_cancelled, NULL) : serve_until_cancelled(NULL), 0);
        assert_int_equal(server.served, 1);
        assert_true(server.errors == 1 && server.told[0] == -ECANCELED);
        salp_listener_close(server.listener);
    }
}

static void *serve_too(void *arg)
{
    EXPECT(salp_run(serve, NULL) == 0);
    return arg;
}

static void several_loops_serve_one_listener(void **state)
{
    enum { LOOPS = 3, CLIENTS = 100 };
    (void)state;
    pthread_t threads[LOOPS];
    start_server(echo, NULL);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, serve_too, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        salp_stream *client = reach_server();
        EXPECT(is_echoed(client, i));
        salp_stream_close(client);
    }
    salp_listener_shutdown(server.listener);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    join_server();
    assert_int_equal(server.served, CLIENTS);
}

static void serve_in_callback(void *arg)
{
    *(int *)arg = salp_serve(server.listener, echo, &server);
}

static void who_cannot_wait_cannot_serve(void **state)
{
    (void)state;
    salp_loop *loop;
    int result = 0;
    open_server(echo, NULL);
    assert_int_equal(salp_serve(NULL, echo, NULL), -EINVAL);
    assert_int_equal(salp_serve(server.listener, NULL, NULL), -EINVAL);
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, serve_in_callback, &result), 0);
    while (salp_loop_turn(loop, 0) > 0)
        continue;
    assert_int_equal(result, SALP_EINSIDE);
    salp_loop_close(loop);
    salp_listener_close(server.listener);
}

/* ---- connecting ---- */

static const char *const *addresses_of_host; /* of "host.test", up to a NULL */

/* As libc's. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    typedef int function(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    function *real = (function *)(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!host || strcmp(host, "host.test") != 0)
        return real(host, service, hints, found);
    struct addrinfo **last = found;
    for (int i = 0; addresses_of_host[i]; i++) {
        EXPECT(real(addresses_of_host[i], service, hints, last) == 0);
        while (*last)
            last = &(*last)->ai_next;
    }
    return 0;
}

/* A socket that answers nobody: its queue is full, and nobody accepts. */
static struct silence {
    int listener, fillers[8];
    salp_address address;
} silence;

static void open_silence(const char *host, int port)
{
    salp_address *address = &silence.address;
    socklen_t size = sizeof address->data;
    EXPECT(salp_address_parse(address, host) == 0 && salp_address_set_port(address, (unsigned)port) == 0);
    silence.listener = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(bind(silence.listener, (struct sockaddr *)address->data, address->size) == 0);
    EXPECT(listen(silence.listener, 0) == 0);
    EXPECT(getsockname(silence.listener, (struct sockaddr *)address->data, &size) == 0);
    for (size_t i = 0; i < LENGTH(silence.fillers); i++) {
        silence.fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(silence.fillers[i], (struct sockaddr *)address->data, address->size);
    }
}

static void close_silence(void)
{
    for (size_t i = 0; i < LENGTH(silence.fillers); i++)
        close(silence.fillers[i]);
    close(silence.listener);
}

static bool is_peer(const salp_stream *stream, const char *host)
{
    salp_address peer, wanted;
    EXPECT(salp_stream_peer(stream, &peer) == 0 && salp_address_parse(&wanted, host) == 0);
    EXPECT(salp_address_set_port(&wanted, (unsigned)salp_address_port(&peer)) == 0);
    return salp_address_equal(&peer, &wanted);
}

static const char *const serving = "127.0.0.1", *const silent = "127.0.0.2", *const refusing = "127.0.0.3";

/* Connects to a host with these addresses; the one that serves has to be the one. */
static void connect_to(salp_listener *listener, const char *const addresses[])
{
    salp_stream *client;
    addresses_of_host = addresses;
    EXPECT(salp_tcp_connect(&client, "host.test", salp_listener_port(listener), NULL) == 0);
    EXPECT(is_peer(client, serving));
    salp_stream_close(client);
}

static int connects(void *arg)
{
    salp_listener *listener;
    salp_stream *client = arg;
    EXPECT(salp_tcp_listen(&listener, serving, 0, NULL) == 0);
    int port = salp_listener_port(listener);
    open_silence(silent, port);
    connect_to(listener, (const char *[]){ serving, NULL });
    connect_to(listener, (const char *[]){ serving, silent, refusing, NULL });
    connect_to(listener, (const char *[]){ refusing, serving, NULL });
    connect_to(listener, (const char *[]){ refusing, refusing, refusing, serving, NULL });
    connect_to(listener, (const char *[]){ silent, serving, NULL });
    connect_to(listener, (const char *[]){ silent, refusing, serving, NULL });
    connect_to(listener, (const char *[]){ silent, silent, refusing, serving, NULL });
    addresses_of_host = (const char *[]){ refusing, refusing, NULL };
    EXPECT(salp_tcp_connect(&client, "host.test", port, NULL) == -ECONNREFUSED && client == NULL);
    close_silence();
    salp_listener_close(listener);
    EXPECT(salp_tcp_connect(&client, serving, port, NULL) == -ECONNREFUSED && client == NULL);
    return 0;
}

static void the_first_address_that_answers_is_taken(void **state)
{
    (void)state;
    assert_int_equal(salp_run(connects, NULL), 0);
    assert_int_equal(connects(NULL), 0);
}

static atomic_int polls; /* of plain threads */

/* As libc's. */
int ppoll(struct pollfd *set, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    typedef int function(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    function *real = (function *)(uintptr_t)dlsym(RTLD_NEXT, "ppoll");
    atomic_fetch_add(&polls, 1);
    return real(set, count, timeout, mask);
}

static void who_is_silent_is_waited_for_without_looking_again_and_again(void **state)
{
    enum { HOSTS = 20 }; /* more than are tried at once; each next one after a quarter of a second */
    (void)state;
    static const char *hosts[HOSTS + 1];
    salp_stream *client;
    const char *poller = getenv("SALP_POLLER");
    if (poller && strcmp(poller, "io_uring") == 0)
        test_skip("a plain thread has no poller: once is enough");
    open_silence("0.0.0.0", 0);
    for (int i = 0; i < HOSTS; i++)
        hosts[i] = silent;
    addresses_of_host = hosts;
    atomic_store(&polls, 0);
    salp_scope_open(&scope, SALP_SECONDS(5));
    assert_int_equal(salp_tcp_connect(&client, "host.test", salp_address_port(&silence.address), NULL), -ETIMEDOUT);
    assert_int_equal(salp_scope_close(&scope), -ETIMEDOUT);
    assert_in_range(atomic_load(&polls), 1, 5 * HOSTS);
    close_silence();
}

static bool cancels_in_connect;

/* As libc's; a scope may end just when it is over. */
int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    int result = (int)syscall(SYS_connect, fd, address, size), error = errno;
    if (cancels_in_connect)
        salp_scope_cancel(&scope);
    errno = error;
    return result;
}

static int connects_while_cancelled(void *arg)
{
    salp_stream *client = arg;
    open_silence(silent, 0);
    cancels_in_connect = true;
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_stream_connect(&client, &silence.address, NULL) == -ECANCELED && client == NULL);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    cancels_in_connect = false;
    close_silence();
    return 0;
}

static void a_scope_may_end_while_the_system_is_asked(void **state)
{
    (void)state;
    assert_int_equal(salp_run(connects_while_cancelled, NULL), 0);
    assert_int_equal(connects_while_cancelled(NULL), 0);
}

static void both_families_are_tried(void **state)
{
    (void)state;
    salp_listener *listener;
    if (salp_tcp_listen(&listener, "::1", 0, NULL) < 0)
        test_skip("the system has no IPv6");
    salp_stream *client;
    addresses_of_host = (const char *[]){ "127.0.0.3", "127.0.0.4", "::1", NULL };
    assert_int_equal(salp_tcp_connect(&client, "host.test", salp_listener_port(listener), NULL), 0);
    assert_true(is_peer(client, "[::1]:1"));
    salp_stream_close(client);
    salp_listener_close(listener);
}

static void a_client_may_choose_its_own_address(void **state)
{
    (void)state;
    salp_listener *listener;
    salp_stream *client, *accepted;
    salp_address own;
    assert_int_equal(salp_address_parse(&own, "127.0.0.5"), 0);
    assert_int_equal(salp_tcp_listen(&listener, serving, 0, NULL), 0);
    int port = salp_listener_port(listener);
    assert_int_equal(salp_tcp_connect(&client, serving, port, &(salp_stream_options){ .local = &own }), 0);
    assert_int_equal(salp_accept(listener, &accepted), 0);
    assert_true(is_peer(accepted, "127.0.0.5"));
    salp_stream_close(client);
    salp_stream_close(accepted);
    assert_int_equal(salp_address_parse(&own, "192.0.2.1"), 0); /* nobody's */
    assert_int_equal(salp_tcp_connect(&client, serving, port, &(salp_stream_options){ .local = &own }), -EADDRNOTAVAIL);
    assert_null(client);
    assert_int_equal(salp_tcp_connect(&client, NULL, 1, NULL), -EINVAL);
    assert_int_equal(salp_tcp_connect(&client, serving, 0, NULL), -EINVAL);
    assert_int_equal(salp_tcp_connect(NULL, serving, 1, NULL), -EINVAL);
    assert_int_equal(salp_unix_connect(&client, "/nowhere/at/all", NULL), -ENOENT);
    assert_int_equal(salp_unix_connect(&client, NULL, NULL), -EINVAL);
    assert_int_equal(salp_stream_connect(&client, NULL, NULL), -EINVAL);
    salp_listener_close(listener);
}

/* ---- every call that waits, and every way to end it ---- */

enum { MANY_BYTES = 8 << 20 }; /* more than the system holds for two sockets */

static struct stage {
    bool tcp;
    salp_stream *near, *far;
    salp_listener *listener;
    FILE *file;
    char *bytes;
    int fds[2], connected[64], count;
    char name[64];
} stage;

static void open_streams(void)
{
    if (!stage.tcp) {
        EXPECT(salp_stream_pair(&stage.near, &stage.far) == 0);
        return;
    }
    salp_address address;
    EXPECT(salp_tcp_listen(&stage.listener, serving, 0, NULL) == 0);
    EXPECT(salp_listener_address(stage.listener, &address) == 0);
    EXPECT(salp_stream_connect(&stage.near, &address, &(salp_stream_options){ .send_buffer = 100000 }) == 0);
    EXPECT(salp_accept(stage.listener, &stage.far) == 0);
}

static void open_pipe(void)
{
    int ends[2];
    EXPECT(pipe(ends) == 0);
    EXPECT(salp_stream_from_fd(&stage.near, ends[0], NULL) == 0 && salp_stream_from_fd(&stage.far, ends[1], NULL) == 0);
}

static void tell(const char *text)
{
    EXPECT(salp_write(stage.far, text, strlen(text)) == (int64_t)strlen(text));
}

/* Those that read: nothing is lost, and what comes afterwards is read. */
static char data[10000];

static int64_t read_few(void)
{
    return salp_read(stage.near, data, 10);
}

static int64_t read_many(void)
{
    return salp_read(stage.near, data, sizeof data);
}

static void read_afterwards(void)
{
    tell("afterwards");
    EXPECT(salp_read(stage.near, data, sizeof data) == 10 && memcmp(data, "afterwards", 10) == 0);
}

static void open_with_beginning(void)
{
    open_streams();
    tell("begin");
}

static void open_pipe_with_beginning(void)
{
    open_pipe();
    tell("begin");
}

static int64_t read_exactly(void)
{
    return salp_read_exactly(stage.near, data, 12);
}

static int64_t read_until(void)
{
    return salp_read_until(stage.near, data, sizeof data, "ning\n");
}

static int64_t read_line(void)
{
    return salp_read_line(stage.near, data, sizeof data);
}

static void read_rest(void)
{
    tell("ning\nof it");
    EXPECT(salp_read_line(stage.near, data, sizeof data) == 10 && strcmp(data, "beginning\n") == 0);
    EXPECT(salp_read_exactly(stage.near, data, 5) == 5 && memcmp(data, "of it", 5) == 0);
}

static int64_t receive_fds(void)
{
    int fds[1], count;
    int64_t result = salp_receive_fds(stage.near, data, sizeof data, fds, 1, &count);
    EXPECT(count == 0);
    return result;
}

static void receive_afterwards(void)
{
    int fd = -1, count;
    EXPECT(salp_send_fds(stage.far, "x", 1, &(int){ 0 }, 1) == 1);
    EXPECT(salp_receive_fds(stage.near, data, sizeof data, &fd, 1, &count) == 1 && count == 1);
    close(fd);
}

/* Those that write: what was taken is what comes out at the other end. */
static char byte_at(int64_t i)
{
    return (char)(i * 7 + i / 251);
}

static void open_with_bytes(void)
{
    open_streams();
    stage.bytes = malloc(MANY_BYTES);
    EXPECT(stage.bytes != NULL);
    for (int i = 0; i < MANY_BYTES; i++)
        stage.bytes[i] = byte_at(i);
}

static void open_pipe_with_bytes(void)
{
    open_with_bytes();
    salp_stream_close(stage.near);
    salp_stream_close(stage.far);
    open_pipe();
    salp_stream *reading = stage.near;
    stage.near = stage.far;
    stage.far = reading;
}

static void open_with_file(void)
{
    open_with_bytes();
    stage.file = tmpfile();
    EXPECT(stage.file && fwrite(stage.bytes, 1, MANY_BYTES, stage.file) == MANY_BYTES && fflush(stage.file) == 0);
}

static int64_t write_many(void)
{
    return salp_write(stage.near, stage.bytes, MANY_BYTES);
}

static int64_t write_parts(void)
{
    salp_bytes parts[16];
    for (int i = 0; i < 16; i++)
        parts[i] = (salp_bytes){ stage.bytes + i * (MANY_BYTES / 16), MANY_BYTES / 16 };
    return salp_writev(stage.near, parts, 16);
}

static int64_t send_file(void)
{
    return salp_sendfile(stage.near, fileno(stage.file), 0, MANY_BYTES);
}

static int64_t send_fds(void)
{
    return salp_send_fds(stage.near, stage.bytes, MANY_BYTES, &(int){ 0 }, 1);
}

static void read_written(void)
{
    int64_t written = salp_stream_written(stage.near), total = 0, size;
    EXPECT(written >= 0 && written < MANY_BYTES && salp_shutdown(stage.near) == 0);
    while ((size = salp_read(stage.far, data, sizeof data)) > 0)
        for (int64_t i = 0; i < size; i++, total++)
            EXPECT(data[i] == byte_at(total));
    EXPECT(size == 0 && total == written);
}

/* Those that make connections. */
static void open_listener(void)
{
    EXPECT(salp_tcp_listen(&stage.listener, serving, 0, &(salp_listen_options){ .connections = 1 }) == 0);
}

static int64_t accept_one(void)
{
    salp_stream *stream = (salp_stream *)&stage;
    int result = salp_accept(stage.listener, &stream);
    EXPECT(stream == NULL);
    return result;
}

static int64_t serve_any(void)
{
    return salp_serve(stage.listener, echo, &server);
}

static void open_full_server(void)
{
    open_listener();
    EXPECT(salp_tcp_connect(&stage.near, serving, salp_listener_port(stage.listener), NULL) == 0);
}

static void accept_afterwards(void)
{
    salp_stream *client, *accepted;
    int64_t size;
    salp_stream_close(stage.near); /* who was not served any more is still to be accepted */
    stage.near = NULL;
    EXPECT(salp_tcp_connect(&client, serving, salp_listener_port(stage.listener), NULL) == 0);
    EXPECT(salp_write(client, "x", 1) == 1);
    do {
        EXPECT(salp_accept(stage.listener, &accepted) == 0);
        size = salp_read(accepted, data, 1);
        salp_stream_close(accepted);
    } while (size == 0);
    EXPECT(size == 1);
    salp_stream_close(client);
}

static void open_silent_listener(void)
{
    open_silence(silent, 0);
}

static int64_t connect_by_address(void)
{
    int result = salp_stream_connect(&stage.near, &silence.address, NULL);
    EXPECT(stage.near == NULL);
    return result;
}

static int64_t connect_by_name(void)
{
    addresses_of_host = (const char *[]){ silent, silent, NULL };
    int result = salp_tcp_connect(&stage.near, "host.test", salp_address_port(&silence.address), NULL);
    EXPECT(stage.near == NULL);
    return result;
}

static void open_full_path(void)
{
    salp_address address;
    snprintf(stage.name, sizeof stage.name, "@salp-server-%d", (int)getpid());
    EXPECT(salp_unix_listen(&stage.listener, stage.name, &(salp_listen_options){ .backlog = 1 }) == 0);
    EXPECT(salp_listener_address(stage.listener, &address) == 0);
    int result = 0;
    while (result == 0 && stage.count < (int)LENGTH(stage.connected)) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        stage.connected[stage.count++] = fd;
        result = connect(fd, (struct sockaddr *)address.data, address.size);
    }
    EXPECT(result < 0 && errno == EAGAIN);
}

static int64_t connect_by_path(void)
{
    int result = salp_unix_connect(&stage.near, stage.name, NULL);
    EXPECT(stage.near == NULL);
    return result;
}

static void connect_when_there_is_room(void)
{
    salp_stream *accepted;
    EXPECT(salp_accept(stage.listener, &accepted) == 0);
    salp_stream_close(accepted);
    EXPECT(salp_unix_connect(&stage.near, stage.name, NULL) == 0);
}

static void nothing(void)
{
}

static void close_stage(void)
{
    salp_stream_close(stage.near);
    salp_stream_close(stage.far);
    salp_listener_close(stage.listener);
    if (stage.file)
        fclose(stage.file);
    free(stage.bytes);
    for (int i = 0; i < stage.count; i++)
        close(stage.connected[i]);
    if (silence.listener > 0)
        close_silence();
    silence.listener = 0;
    stage = (struct stage){ .tcp = stage.tcp };
}

static const struct wait {
    const char *name;
    void (*open)(void);
    int64_t (*call)(void);
    void (*afterwards)(void);
    bool streams; /* over TCP, too */
} waits[] = {
    { "salp_read", open_streams, read_few, read_afterwards, true },
    { "salp_read of much", open_streams, read_many, read_afterwards, true },
    { "salp_read_exactly", open_with_beginning, read_exactly, read_rest, true },
    { "salp_read_until", open_with_beginning, read_until, read_rest, true },
    { "salp_read_line", open_with_beginning, read_line, read_rest, true },
    { "salp_receive_fds", open_streams, receive_fds, receive_afterwards, false },
    { "salp_read of a pipe", open_pipe, read_few, read_afterwards, false },
    { "salp_read_line of a pipe", open_pipe_with_beginning, read_line, read_rest, false },
    { "salp_write", open_with_bytes, write_many, read_written, true },
    { "salp_writev", open_with_bytes, write_parts, read_written, true },
    { "salp_sendfile", open_with_file, send_file, read_written, true },
    { "salp_send_fds", open_with_bytes, send_fds, read_written, false },
    { "salp_write to a pipe", open_pipe_with_bytes, write_many, read_written, false },
    { "salp_accept", open_listener, accept_one, accept_afterwards, false },
    { "salp_serve", open_listener, serve_any, accept_afterwards, false },
    { "salp_serve with a client", open_full_server, serve_any, accept_afterwards, false },
    { "salp_stream_connect", open_silent_listener, connect_by_address, nothing, false },
    { "salp_tcp_connect", open_silent_listener, connect_by_name, nothing, false },
    { "salp_unix_connect", open_full_path, connect_by_path, connect_when_there_is_room, false },
};

enum { BY_DEADLINE, BY_EARLIER_DEADLINE, BY_TASK, BY_THREAD, BY_EAGER_THREAD, WAYS };

static struct sleepers waiting;
static atomic_int begun;

static int cancel_in_task(void *arg)
{
    (void)arg;
    salp_scope_cancel(&scope);
    return 0;
}

static void *cancel_in_thread(void *arg)
{
    EXPECT(reaches(&begun, 1));
    if (*(int *)arg == BY_THREAD)
        EXPECT(sleepers_all_sleep(&waiting, 1));
    salp_scope_cancel(&scope);
    return NULL;
}

static void end_wait(const struct wait *wait, int way, bool in_task)
{
    pthread_t thread;
    salp_group group;
    int64_t timeout = way == BY_DEADLINE ? SALP_MILLISECONDS(1) : way == BY_EARLIER_DEADLINE ? 0 : SALP_FOREVER;
    int expected = way <= BY_EARLIER_DEADLINE ? -ETIMEDOUT : -ECANCELED;
    bool threaded = way == BY_THREAD || way == BY_EAGER_THREAD;
    wait->open();
    memset(&waiting, 0, sizeof waiting);
    atomic_store(&begun, 0);
    if (threaded)
        EXPECT(pthread_create(&thread, NULL, cancel_in_thread, &way) == 0);
    if (in_task)
        salp_group_open(&group);
    salp_scope_open(&scope, timeout);
    if (way == BY_TASK)
        EXPECT(salp_go(&group, cancel_in_task, NULL) == 0);
    sleepers_add(&waiting);
    atomic_store(&begun, 1);
    for (int i = 0; i < 3; i++) { /* at once, and every time */
        int64_t result = wait->call();
        if (result != expected) {
            fprintf(stderr, "# %s, ended in way %d: %lld\n", wait->name, way, (long long)result);
            abort();
        }
    }
    EXPECT(salp_scope_close(&scope) == expected);
    if (in_task)
        EXPECT(salp_group_close(&group) == 0);
    if (threaded)
        EXPECT(pthread_join(thread, NULL) == 0);
    wait->afterwards();
    close_stage();
}

static int end_waits(void *arg)
{
    bool in_task = *(bool *)arg;
    for (size_t i = 0; i < LENGTH(waits); i++) {
        for (int way = 0; way < WAYS; way++) {
            if (way == BY_TASK && !in_task)
                continue;
            for (int tcp = 0; tcp <= waits[i].streams; tcp++) {
                stage.tcp = tcp;
                end_wait(&waits[i], way, in_task);
            }
        }
    }
    return 0;
}

static void a_scope_ends_every_wait_of_a_task(void **state)
{
    (void)state;
    assert_int_equal(salp_run(end_waits, &(bool){ true }), 0);
}

static void a_scope_ends_every_wait_of_a_thread(void **state)
{
    (void)state;
    assert_int_equal(end_waits(&(bool){ false }), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each client is served", each_client_is_served),
        TEST("no more are served at once than were allowed", no_more_are_served_at_once_than_were_allowed),
        TEST("a handler may close its stream", a_handler_may_close_its_stream),
        TEST("the failure of one is told, and not that of others", the_failure_of_one_is_told_and_not_that_of_others),
        TEST("a server that is stopped lets its handlers end", a_server_that_is_stopped_lets_its_handlers_end),
        TEST("who does not end within the grace is cancelled", who_does_not_end_within_the_grace_is_cancelled),
        TEST("a server with all its connections can be stopped", a_server_with_all_its_connections_can_be_stopped),
        TEST("a server without clients is stopped", a_server_without_clients_is_stopped),
        TEST("a scope ends the server and its handlers", a_scope_ends_the_server_and_its_handlers),
        TEST("several loops serve one listener", several_loops_serve_one_listener),
        TEST("who cannot wait cannot serve", who_cannot_wait_cannot_serve),
        TEST("the first address that answers is taken", the_first_address_that_answers_is_taken),
        TEST("who is silent is waited for without looking again and again",
             who_is_silent_is_waited_for_without_looking_again_and_again),
        TEST("a scope may end while the system is asked", a_scope_may_end_while_the_system_is_asked),
        TEST("both families are tried", both_families_are_tried),
        TEST("a client may choose its own address", a_client_may_choose_its_own_address),
        TEST("a scope ends every wait of a task", a_scope_ends_every_wait_of_a_task),
        TEST("a scope ends every wait of a thread", a_scope_ends_every_wait_of_a_thread),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
