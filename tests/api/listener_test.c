/*
 * Listeners: what they listen on, and who gets which connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <salp/loop.h>
#include <salp/stream.h>

#include "sleepers.h"

static char folder[] = "/tmp/salp-listener-XXXXXX", path[100], other_path[100];

/* A folder of the test's own, for sockets. */
static void make_folder(void)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(other_path, sizeof other_path, "%s/other", folder);
}

/* It has to be empty: what was listened on is removed. */
static void remove_folder(void)
{
    assert_int_equal(rmdir(folder), 0);
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(name, &status) == 0;
}

static bool has_ipv6(void)
{
    salp_listener *listener;
    bool has = salp_tcp_listen(&listener, "::1", 0, NULL) == 0;
    salp_listener_close(listener);
    return has;
}

/* Whether a byte gets through to whom this listener gives a connection. */
static bool is_reached(salp_listener *listener, const char *host, int port)
{
    salp_stream *client, *server;
    char byte = 0;
    if (salp_tcp_connect(&client, host, port, NULL) < 0)
        return false;
    EXPECT(salp_write(client, "x", 1) == 1);
    EXPECT(salp_accept(listener, &server) == 0 && salp_read(server, &byte, 1) == 1 && byte == 'x');
    salp_stream_close(client);
    salp_stream_close(server);
    return true;
}

static bool is_reached_by_path(salp_listener *listener, const char *where)
{
    salp_stream *client, *server;
    char byte = 0;
    if (salp_unix_connect(&client, where, NULL) < 0)
        return false;
    EXPECT(salp_write(client, "x", 1) == 1);
    EXPECT(salp_accept(listener, &server) == 0 && salp_read(server, &byte, 1) == 1 && byte == 'x');
    salp_stream_close(client);
    salp_stream_close(server);
    return true;
}

/* ---- TCP ---- */

static int listens_on_ipv4(void *arg)
{
    salp_listener *listener;
    salp_address address;
    (void)arg;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL) == 0);
    int port = salp_listener_port(listener);
    EXPECT(port > 0 && salp_listener_address(listener, &address) == 0);
    EXPECT(salp_address_family(&address) == SALP_IPV4 && salp_address_port(&address) == port);
    EXPECT(is_reached(listener, "127.0.0.1", port) && is_reached(listener, "localhost", port));
    EXPECT(!is_reached(listener, "127.0.0.2", port));
    salp_listener_close(listener);
    EXPECT(salp_tcp_listen(&listener, "localhost", port, NULL) == 0); /* its IPv4 address, and at once again */
    EXPECT(salp_listener_port(listener) == port && is_reached(listener, "127.0.0.1", port));
    salp_listener_close(listener);
    return 0;
}

static void a_port_may_be_chosen_by_the_system(void **state)
{
    (void)state;
    assert_int_equal(salp_run(listens_on_ipv4, NULL), 0);
    assert_int_equal(listens_on_ipv4(NULL), 0);
}

static void without_a_host_it_is_all_addresses(void **state)
{
    (void)state;
    salp_listener *listener;
    assert_int_equal(salp_tcp_listen(&listener, NULL, 0, NULL), 0);
    int port = salp_listener_port(listener);
    assert_true(is_reached(listener, "127.0.0.1", port) && is_reached(listener, "127.0.0.2", port));
    assert_true(!has_ipv6() || is_reached(listener, "::1", port));
    salp_listener_close(listener);
}

static void ipv6_may_be_alone(void **state)
{
    (void)state;
    salp_listener *listener, *other;
    if (!has_ipv6())
        test_skip("the system has no IPv6");
    assert_int_equal(salp_tcp_listen(&listener, "::1", 0, NULL), 0);
    assert_true(is_reached(listener, "::1", salp_listener_port(listener)));
    assert_false(is_reached(listener, "127.0.0.1", salp_listener_port(listener)));
    salp_listener_close(listener);
    assert_int_equal(salp_tcp_listen(&listener, "::", 0, &(salp_listen_options){ .only_ipv6 = true }), 0);
    int port = salp_listener_port(listener);
    assert_int_equal(salp_tcp_listen(&other, "0.0.0.0", port, NULL), 0); /* the same port, for the others */
    assert_true(is_reached(listener, "::1", port) && is_reached(other, "127.0.0.1", port));
    salp_listener_close(listener);
    salp_listener_close(other);
}

static void a_port_in_use_is_refused(void **state)
{
    (void)state;
    salp_listener *listener, *other = (salp_listener *)&listener;
    assert_int_equal(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL), 0);
    assert_int_equal(salp_tcp_listen(&other, "127.0.0.1", salp_listener_port(listener), NULL), -EADDRINUSE);
    assert_null(other);
    assert_int_equal(salp_tcp_listen(&other, "192.0.2.1", 0, NULL), -EADDRNOTAVAIL); /* nobody's address */
    assert_null(other);
    assert_true(is_reached(listener, "127.0.0.1", salp_listener_port(listener)));
    salp_listener_close(listener);
}

/* ---- a port that several loops share ---- */

enum { SHARERS = 3, SHARED_CLIENTS = 60 };

static struct sharing {
    int port;
    atomic_int begun, listening, accepted;
    salp_listener *listeners[SHARERS];
} sharing;

static int accept_of_a_shared_port(void *arg)
{
    salp_listener *listener;
    salp_stream *stream;
    int error;
    (void)arg;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", sharing.port, &(salp_listen_options){ .share_port = true }) == 0);
    sharing.listeners[atomic_fetch_add(&sharing.begun, 1)] = listener;
    atomic_fetch_add(&sharing.listening, 1); /* behind the other: who sees it sees the listener */
    while ((error = salp_accept(listener, &stream)) == 0) {
        EXPECT(salp_write(stream, "x", 1) == 1);
        salp_stream_close(stream);
        atomic_fetch_add(&sharing.accepted, 1);
    }
    EXPECT(error == -EPIPE);
    return 0;
}

static void *run_sharers(void *arg)
{
    EXPECT(salp_run_loops(SHARERS, accept_of_a_shared_port, NULL) == 0);
    return arg;
}

static void loops_share_a_port(void **state)
{
    (void)state;
    pthread_t thread;
    salp_listener *first;
    /* Bound, and never accepted from: only so is the port known to all. It is closed before anybody comes. */
    assert_int_equal(salp_tcp_listen(&first, "127.0.0.1", 0, &(salp_listen_options){ .share_port = true }), 0);
    sharing.port = salp_listener_port(first);
    assert_int_equal(pthread_create(&thread, NULL, run_sharers, NULL), 0);
    EXPECT(reaches(&sharing.listening, SHARERS));
    salp_listener_close(first);
    for (int i = 0; i < SHARED_CLIENTS; i++) {
        salp_stream *client;
        char byte;
        EXPECT(salp_tcp_connect(&client, "127.0.0.1", sharing.port, NULL) == 0 && salp_read(client, &byte, 1) == 1);
        salp_stream_close(client);
    }
    for (int i = 0; i < SHARERS; i++)
        salp_listener_shutdown(sharing.listeners[i]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&sharing.accepted), SHARED_CLIENTS);
    for (int i = 0; i < SHARERS; i++)
        salp_listener_close(sharing.listeners[i]);
}

/* ---- Unix sockets ---- */

static int listens_on_a_path(void *arg)
{
    salp_listener *listener;
    salp_address address;
    char text[SALP_ADDRESS_TEXT];
    (void)arg;
    EXPECT(salp_unix_listen(&listener, path, NULL) == 0);
    EXPECT(salp_listener_address(listener, &address) == 0 && salp_address_text(&address, text, sizeof text) > 0);
    EXPECT(strcmp(text, path) == 0 && salp_listener_port(listener) == -EAFNOSUPPORT);
    EXPECT(is_reached_by_path(listener, path) && exists(path));
    salp_listener_close(listener);
    EXPECT(!exists(path) && !is_reached_by_path(NULL, path));
    return 0;
}

static void a_path_is_there_as_long_as_its_listener(void **state)
{
    (void)state;
    make_folder();
    assert_int_equal(salp_run(listens_on_a_path, NULL), 0);
    assert_int_equal(listens_on_a_path(NULL), 0);
    remove_folder();
}

static void a_path_has_the_rights_that_were_asked_for(void **state)
{
    (void)state;
    salp_listener *listener;
    struct stat status;
    make_folder();
    for (unsigned mode = 0600; mode <= 0666; mode += 033) {
        assert_int_equal(salp_unix_listen(&listener, path, &(salp_listen_options){ .mode = mode }), 0);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, mode);
        salp_listener_close(listener);
    }
    remove_folder();
}

/* What a program leaves that is killed. */
static void leave_socket(const char *where)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, where);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    close(fd);
    assert_true(exists(where));
}

static void a_path_that_was_left_behind_is_taken_over(void **state)
{
    (void)state;
    salp_listener *listener;
    make_folder();
    leave_socket(path);
    assert_int_equal(salp_unix_listen(&listener, path, NULL), 0);
    assert_true(is_reached_by_path(listener, path));
    salp_listener_close(listener);
    remove_folder();
}

static void a_path_that_somebody_listens_on_is_refused(void **state)
{
    (void)state;
    salp_listener *listener, *other;
    salp_stream *waiting, *ghost;
    make_folder();
    assert_int_equal(salp_unix_listen(&listener, path, &(salp_listen_options){ .backlog = 1 }), 0);
    assert_int_equal(salp_unix_listen(&other, path, NULL), -EADDRINUSE);
    assert_null(other);
    /* It has looked whether somebody is there. */
    assert_int_equal(salp_accept(listener, &ghost), 0);
    salp_stream_close(ghost);
    assert_true(is_reached_by_path(listener, path));
    /* Also when it has so much to do that it takes no more: a backlog of 1 is two connections. */
    salp_stream *second;
    assert_int_equal(salp_unix_connect(&waiting, path, NULL), 0);
    assert_int_equal(salp_unix_connect(&second, path, NULL), 0);
    assert_int_equal(salp_unix_listen(&other, path, NULL), -EADDRINUSE);
    salp_stream_close(waiting);
    salp_stream_close(second);
    salp_listener_close(listener);
    remove_folder();
}

static void what_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    salp_listener *listener;
    make_folder();
    FILE *file = fopen(path, "w");
    assert_true(file && fputs("precious", file) > 0 && fclose(file) == 0);
    assert_int_equal(salp_unix_listen(&listener, path, NULL), -EADDRINUSE);
    assert_null(listener);
    struct stat status;
    assert_true(stat(path, &status) == 0 && status.st_size == 8);
    /* Nor is a link to a socket that was left behind. */
    leave_socket(other_path);
    unlink(path);
    assert_int_equal(symlink(other_path, path), 0);
    assert_int_equal(salp_unix_listen(&listener, path, NULL), -EADDRINUSE);
    assert_true(exists(path) && exists(other_path));
    unlink(path);
    unlink(other_path);
    assert_int_equal(salp_unix_listen(&listener, "/nowhere/at/all", NULL), -ENOENT);
    remove_folder();
}

static void a_path_that_is_somebody_elses_now_stays(void **state)
{
    (void)state;
    salp_listener *first, *second;
    make_folder();
    assert_int_equal(salp_unix_listen(&first, path, NULL), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(salp_unix_listen(&second, path, NULL), 0);
    salp_listener_close(first);
    assert_true(is_reached_by_path(second, path));
    assert_int_equal(rename(path, other_path), 0);
    salp_listener_close(second); /* its path is gone, which is no harm */
    unlink(other_path);
    remove_folder();
}

static void names_need_no_file(void **state)
{
    (void)state;
    salp_listener *listener, *other;
    salp_address address;
    char name[50], text[SALP_ADDRESS_TEXT];
    snprintf(name, sizeof name, "@salp-listener-%d", (int)getpid());
    assert_int_equal(salp_unix_listen(&listener, name, NULL), 0);
    assert_true(is_reached_by_path(listener, name));
    assert_int_equal(salp_unix_listen(&other, name, NULL), -EADDRINUSE);
    salp_listener_close(listener);
    assert_int_equal(salp_unix_listen(&listener, "", NULL), 0); /* the system chooses one */
    assert_true(salp_listener_address(listener, &address) == 0);
    assert_true(salp_address_text(&address, text, sizeof text) > 1 && text[0] == '@');
    assert_true(is_reached_by_path(listener, text));
    salp_listener_close(listener);
}

/* ---- descriptors of others ---- */

static int open_socket_that_listens(salp_address *address)
{
    socklen_t size = sizeof address->data;
    assert_int_equal(salp_address_parse(address, "127.0.0.1"), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)address->data, address->size), 0);
    assert_int_equal(listen(fd, 10), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address->data, &size), 0);
    return fd;
}

static void a_socket_that_listens_is_taken_over(void **state)
{
    (void)state;
    salp_listener *listener;
    salp_address address;
    int fd = open_socket_that_listens(&address);
    assert_int_equal(salp_listener_from_fd(&listener, fd, NULL), 0);
    assert_int_equal(salp_listener_fd(listener), fd);
    assert_true(is_reached(listener, "127.0.0.1", salp_address_port(&address)));
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    salp_listener_close(listener);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void who_shares_a_socket_that_was_taken_over_does_not_wait_either(void **state)
{
    (void)state;
    salp_listener *listener;
    salp_address address;
    int fd = open_socket_that_listens(&address), copy = dup(fd);
    assert_int_equal(fcntl(copy, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(salp_listener_from_fd(&listener, fd, NULL), 0);
    assert_true(accept(copy, NULL, NULL) == -1 && errno == EAGAIN);
    salp_listener_close(listener);
    assert_true(accept(copy, NULL, NULL) == -1 && errno == EAGAIN);
    close(copy);
}

static void what_does_not_listen_is_refused(void **state)
{
    (void)state;
    salp_listener *listener;
    int ends[2], stream = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(pipe(ends), 0);
    const int wrong[] = { stream, datagram, ends[0] };
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        assert_int_equal(salp_listener_from_fd(&listener, wrong[i], NULL), -ENOTSUP);
        assert_null(listener);
        assert_int_equal(fcntl(wrong[i], F_GETFD), 0); /* as it was */
        assert_int_equal(fcntl(wrong[i], F_GETFL) & O_NONBLOCK, 0);
        close(wrong[i]);
    }
    close(ends[1]);
    assert_int_equal(salp_listener_from_fd(&listener, 12345, NULL), -EBADF);
    assert_int_equal(salp_listener_from_fd(NULL, 0, NULL), -EINVAL);
}

/* ---- who accepts ---- */

enum { ACCEPTING_TASKS = 5, ACCEPTING_LOOPS = 3, ACCEPTING_THREADS = 3 };

/* Tasks of several loops, and threads, all accept from one listener. */
static struct crowd {
    salp_listener *listener;
    atomic_int accepted, ended;
    atomic_int seen[1000]; /* by the number that the client has sent */
    struct sleepers sleepers;
} crowd;

static int accept_all(void *arg)
{
    salp_stream *stream;
    int error;
    (void)arg;
    while ((error = salp_accept(crowd.listener, &stream)) == 0) {
        int number;
        int64_t size = salp_read_exactly(stream, &number, sizeof number);
        if (size != sizeof number) {
            fprintf(stderr, "# a connection ended with %lld\n", (long long)size);
            abort();
        }
        atomic_fetch_add(&crowd.seen[number], 1);
        salp_stream_close(stream);
        atomic_fetch_add(&crowd.accepted, 1);
    }
    EXPECT(error == -EPIPE && stream == NULL);
    EXPECT(salp_accept(crowd.listener, &stream) == -EPIPE); /* and again */
    atomic_fetch_add(&crowd.ended, 1);
    return 0;
}

static int accept_in_tasks(void *arg)
{
    salp_group group;
    sleepers_add(&crowd.sleepers);
    salp_group_open(&group);
    for (int i = 0; i < ACCEPTING_TASKS; i++)
        EXPECT(salp_go(&group, accept_all, arg) == 0);
    return salp_group_close(&group);
}

static void *accept_in_loop(void *arg)
{
    EXPECT(salp_run(accept_in_tasks, NULL) == 0);
    return arg;
}

static void *accept_in_thread(void *arg)
{
    sleepers_add(&crowd.sleepers);
    accept_all(NULL);
    return arg;
}

static void start_crowd(pthread_t threads[ACCEPTING_LOOPS + ACCEPTING_THREADS])
{
    memset(&crowd.sleepers, 0, sizeof crowd.sleepers);
    atomic_store(&crowd.ended, 0);
    EXPECT(salp_tcp_listen(&crowd.listener, "127.0.0.1", 0, NULL) == 0);
    for (int i = 0; i < ACCEPTING_LOOPS + ACCEPTING_THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, i < ACCEPTING_LOOPS ? accept_in_loop : accept_in_thread, NULL) == 0);
}

static void end_crowd(const pthread_t threads[ACCEPTING_LOOPS + ACCEPTING_THREADS])
{
    salp_listener_shutdown(crowd.listener);
    for (int i = 0; i < ACCEPTING_LOOPS + ACCEPTING_THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    EXPECT(atomic_load(&crowd.ended) == ACCEPTING_LOOPS * ACCEPTING_TASKS + ACCEPTING_THREADS);
    salp_listener_close(crowd.listener);
}

static void each_connection_is_accepted_once(void **state)
{
    (void)state;
    pthread_t threads[ACCEPTING_LOOPS + ACCEPTING_THREADS];
    int clients = test_scale(1000);
    start_crowd(threads);
    for (int i = 0; i < clients; i++) {
        salp_stream *client;
        EXPECT(salp_tcp_connect(&client, "127.0.0.1", salp_listener_port(crowd.listener), NULL) == 0);
        EXPECT(salp_write(client, &i, sizeof i) == sizeof i);
        salp_stream_close(client);
    }
    EXPECT(reaches(&crowd.accepted, clients));
    end_crowd(threads);
    for (int i = 0; i < clients; i++)
        assert_int_equal(atomic_load(&crowd.seen[i]), 1);
}

static void a_shutdown_wakes_all_wherever_they_wait(void **state)
{
    (void)state;
    pthread_t threads[ACCEPTING_LOOPS + ACCEPTING_THREADS];
    for (int round = 0; round < test_scale(20); round++) {
        start_crowd(threads);
        if (round % 2 == 0) /* else some have not come to wait yet */
            EXPECT(sleepers_all_sleep(&crowd.sleepers, ACCEPTING_LOOPS + ACCEPTING_THREADS));
        end_crowd(threads);
    }
}

/* ---- the end ---- */

static void *accept_and_close(void *listener)
{
    salp_stream *stream;
    EXPECT(salp_accept(listener, &stream) == -EPIPE);
    salp_listener_close(listener); /* whoever has shut it down may still be on his way back */
    return NULL;
}

static void who_is_told_of_a_shutdown_may_close_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < test_scale(500); round++) {
        pthread_t thread;
        salp_listener *listener;
        assert_int_equal(salp_unix_listen(&listener, "", NULL), 0);
        assert_int_equal(pthread_create(&thread, NULL, accept_and_close, listener), 0);
        for (int looks = round % 30; looks > 0; looks--) /* sometimes before it waits, sometimes after */
            sched_yield();
        salp_listener_shutdown(listener);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

static int accept_one(void *listener)
{
    /* Waits for it, so that the listener is at home in this loop. */
    salp_scope scope;
    salp_stream *stream;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_accept(listener, &stream) == -ETIMEDOUT && stream == NULL);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(is_reached(listener, "127.0.0.1", salp_listener_port(listener)));
    return 0;
}

static void a_listener_outlives_its_loops(void **state)
{
    (void)state;
    salp_listener *listener;
    assert_int_equal(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(salp_run(accept_one, listener), 0);
        assert_int_equal(accept_one(listener), 0);
    }
    salp_listener_close(listener);
}

static int accepted_here;

static int accept_five(void *listener)
{
    for (accepted_here = 0; accepted_here < 5; accepted_here++) {
        salp_stream *stream;
        EXPECT(salp_accept(listener, &stream) == 0);
        salp_stream_close(stream);
    }
    return 0;
}

static int watch_descriptors(void *listener)
{
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, accept_five, listener) == 0);
    let_others_wait();
    int waiting = test_count_descriptors();
    for (int i = 0; i < 5; i++) {
        salp_stream *client;
        EXPECT(salp_tcp_connect(&client, "127.0.0.1", salp_listener_port(listener), NULL) == 0);
        while (accepted_here == i)
            EXPECT(salp_yield() == 0);
        salp_stream_close(client);
        let_others_wait(); /* again */
        if (i < 4)
            EXPECT(test_count_descriptors() == waiting);
    }
    return salp_group_close(&group);
}

/* The loop knows its descriptors already: watching copies of them each time cost eight calls of the system. */
static void waiting_again_opens_no_descriptors(void **state)
{
    (void)state;
    salp_listener *listener;
    assert_int_equal(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL), 0);
    assert_int_equal(salp_run(watch_descriptors, listener), 0);
    salp_listener_close(listener);
}

/* ---- options, and wrong calls ---- */

static int option(const salp_stream *stream, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT(getsockopt(salp_stream_fd(stream), level, name, &value, &size) == 0);
    return value;
}

static void accept_with(const salp_stream_options *options, salp_stream **client, salp_stream **server)
{
    salp_listener *listener;
    assert_int_equal(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .stream = *options }), 0);
    assert_int_equal(salp_tcp_connect(client, "127.0.0.1", salp_listener_port(listener), options), 0);
    assert_int_equal(salp_accept(listener, server), 0);
    salp_listener_close(listener);
}

static void what_is_accepted_has_the_options_of_the_listener(void **state)
{
    (void)state;
    salp_stream *ends[2];
    accept_with(&(salp_stream_options){ 0 }, &ends[0], &ends[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(option(ends[i], IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option(ends[i], SOL_SOCKET, SO_KEEPALIVE), 0);
        assert_int_equal(fcntl(salp_stream_fd(ends[i]), F_GETFD), FD_CLOEXEC);
        salp_stream_close(ends[i]);
    }
    accept_with(
        &(salp_stream_options){ .delay = true, .keep_alive = true, .send_buffer = 20000, .receive_buffer = 30000 },
        &ends[0], &ends[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(option(ends[i], IPPROTO_TCP, TCP_NODELAY), 0);
        assert_int_equal(option(ends[i], SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option(ends[i], SOL_SOCKET, SO_SNDBUF), 40000); /* the system doubles it: socket(7) */
        assert_int_equal(option(ends[i], SOL_SOCKET, SO_RCVBUF), 60000);
        salp_stream_close(ends[i]);
    }
}

static void accept_in_callback(void *listener)
{
    salp_stream *stream;
    EXPECT(salp_accept(listener, &stream) == SALP_EINSIDE && stream == NULL);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    salp_listener *listener = (salp_listener *)&state;
    salp_stream *stream = (salp_stream *)&state;
    salp_address address;
    salp_loop *loop;
    assert_int_equal(salp_tcp_listen(&listener, NULL, -1, NULL), -EINVAL);
    assert_null(listener);
    assert_int_equal(salp_tcp_listen(&listener, NULL, 65536, NULL), -EINVAL);
    assert_int_equal(salp_tcp_listen(NULL, NULL, 0, NULL), -EINVAL);
    assert_int_equal(salp_unix_listen(NULL, "@x", NULL), -EINVAL);
    assert_int_equal(salp_unix_listen(&listener, NULL, NULL), -EINVAL);
    assert_int_equal(salp_accept(NULL, &stream), -EINVAL);
    assert_null(stream);
    assert_int_equal(salp_listener_fd(NULL), -EINVAL);
    assert_int_equal(salp_listener_port(NULL), -EINVAL);
    assert_int_equal(salp_listener_address(NULL, &address), -EINVAL);
    salp_listener_shutdown(NULL);
    salp_listener_close(NULL);
    assert_int_equal(salp_unix_listen(&listener, "", NULL), 0);
    assert_int_equal(salp_accept(listener, NULL), -EINVAL);
    assert_int_equal(salp_listener_address(listener, NULL), -EINVAL);
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, accept_in_callback, listener), 0);
    while (salp_loop_turn(loop, 0) > 0)
        continue;
    salp_loop_close(loop);
    salp_listener_close(listener);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a port may be chosen by the system", a_port_may_be_chosen_by_the_system),
        TEST("without a host it is all addresses", without_a_host_it_is_all_addresses),
        TEST("IPv6 may be alone", ipv6_may_be_alone),
        TEST("a port in use is refused", a_port_in_use_is_refused),
        TEST("loops share a port", loops_share_a_port),
        TEST("a path is there as long as its listener", a_path_is_there_as_long_as_its_listener),
        TEST("a path has the rights that were asked for", a_path_has_the_rights_that_were_asked_for),
        TEST("a path that was left behind is taken over", a_path_that_was_left_behind_is_taken_over),
        TEST("a path that somebody listens on is refused", a_path_that_somebody_listens_on_is_refused),
        TEST("what is no socket is left alone", what_is_no_socket_is_left_alone),
        TEST("a path that is somebody else's now stays", a_path_that_is_somebody_elses_now_stays),
        TEST("names need no file", names_need_no_file),
        TEST("a socket that listens is taken over", a_socket_that_listens_is_taken_over),
        TEST("who shares a socket that was taken over does not wait either",
             who_shares_a_socket_that_was_taken_over_does_not_wait_either),
        TEST("what does not listen is refused", what_does_not_listen_is_refused),
        TEST("each connection is accepted once", each_connection_is_accepted_once),
        TEST("a shutdown wakes all, wherever they wait", a_shutdown_wakes_all_wherever_they_wait),
        TEST("who is told of a shutdown may close at once", who_is_told_of_a_shutdown_may_close_at_once),
        TEST("a listener outlives its loops", a_listener_outlives_its_loops),
        TEST("waiting again opens no descriptors", waiting_again_opens_no_descriptors),
        TEST("what is accepted has the options of the listener", what_is_accepted_has_the_options_of_the_listener),
        TEST("wrong calls are refused", wrong_calls_are_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
