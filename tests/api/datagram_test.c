/*
 * Datagrams: UDP and Unix sockets, in tasks and in plain threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <salp/datagram.h>
#include <salp/loop.h>

static salp_address parse(const char *text)
{
    salp_address address;
    EXPECT(salp_address_parse(&address, text) == 0);
    return address;
}

/* At an address, and what that has become. */
static salp_datagram *open_at(const char *text, const salp_datagram_options *options, salp_address *local)
{
    salp_datagram *datagram;
    salp_address address = parse(text);
    EXPECT(salp_datagram_open(&datagram, &address, options) == 0 && datagram);
    EXPECT(salp_datagram_local(datagram, local) == 0);
    return datagram;
}

static void send_text(salp_datagram *datagram, const char *text, const salp_address *to)
{
    EXPECT(salp_datagram_send(datagram, text, strlen(text), to) == (int64_t)strlen(text));
}

static bool receive_text(salp_datagram *datagram, const char *text, salp_address *from)
{
    char data[200];
    int64_t size = salp_datagram_receive(datagram, data, sizeof data, from);
    return size == (int64_t)strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

/* ---- from here to there ---- */

static int talk(void *arg)
{
    static const char *const pairs[][2] = {
        { "127.0.0.1", "127.0.0.1" },
        { "[::1]", "[::1]" },
        { "unix:", "unix:" },
        { "@salp-datagram-test", "unix:" },
    };
    (void)arg;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        salp_address address_a, address_b, from;
        salp_datagram *a = open_at(pairs[i][0], NULL, &address_a), *b = open_at(pairs[i][1], NULL, &address_b);
        send_text(a, "hello", &address_b);
        EXPECT(receive_text(b, "hello", &from) && salp_address_equal(&from, &address_a));
        send_text(b, "who is there?", &from);
        send_text(b, "", &from);
        EXPECT(receive_text(a, "who is there?", &from) && salp_address_equal(&from, &address_b));
        EXPECT(receive_text(a, "", &from) && salp_address_equal(&from, &address_b));
        salp_datagram_close(a);
        salp_datagram_close(b);
    }
    return 0;
}

static void datagrams_go_there_and_back(void **state)
{
    (void)state;
    in_both(talk);
}

static int cut(void *arg)
{
    (void)arg;
    for (int local = 0; local < 2; local++) {
        salp_address address, from;
        char data[6] = "......";
        salp_datagram *datagram = open_at(local ? "unix:" : "127.0.0.1", NULL, &address);
        send_text(datagram, "abcdefgh", &address);
        send_text(datagram, "abcde", &address);
        EXPECT(salp_datagram_receive(datagram, data, 5, &from) == -EMSGSIZE && memcmp(data, "abcde.", 6) == 0);
        EXPECT(salp_address_equal(&from, &address));
        EXPECT(salp_datagram_receive(datagram, data, 5, NULL) == 5); /* the next one; and just as long */
        salp_datagram_close(datagram);
    }
    return 0;
}

static void one_that_is_too_long_is_said_to_be(void **state)
{
    (void)state;
    in_both(cut);
}

static int any_family(void *arg)
{
    salp_address any, address, from;
    salp_datagram *datagram;
    static const char *const others[] = { "127.0.0.1", "[::1]" };
    (void)arg;
    EXPECT(salp_datagram_open(&datagram, NULL, NULL) == 0);
    EXPECT(salp_datagram_local(datagram, &any) == 0 && salp_address_port(&any) > 0);
    for (int i = 0; i < 2; i++) {
        salp_datagram *other = open_at(others[i], NULL, &address);
        send_text(datagram, "to you", &address);
        EXPECT(receive_text(other, "to you", &from));
        send_text(other, "to me", &from);
        EXPECT(receive_text(datagram, "to me", &from));
        EXPECT(salp_address_equal(&from, &address)); /* an IPv4 address, not one of IPv6 that contains it */
        salp_datagram_close(other);
    }
    salp_datagram_close(datagram);
    return 0;
}

static void one_without_an_address_talks_to_both_families(void **state)
{
    (void)state;
    in_both(any_family);
}

static int of_peers(void *arg)
{
    (void)arg;
    for (int local = 0; local < 2; local++) {
        const char *where = local ? "unix:" : "127.0.0.1";
        salp_address server_address, address, other_address, from;
        salp_datagram *server = open_at(where, NULL, &server_address);
        salp_datagram *client = open_at(where, &(salp_datagram_options){ .peer = &server_address }, &address);
        salp_datagram *other = open_at(where, NULL, &other_address);
        send_text(client, "question", NULL);
        EXPECT(receive_text(server, "question", &from) && salp_address_equal(&from, &address));
        int64_t sent = salp_datagram_send(other, "noise", 5, &address);
        EXPECT(sent == (local ? -EPERM : 5)); /* a Unix socket says at once that it listens to its peer only */
        send_text(server, "answer", &from);
        EXPECT(receive_text(client, "answer", &from) && salp_address_equal(&from, &server_address));
        EXPECT(salp_datagram_send(server, "x", 1, NULL) == (local ? -ENOTCONN : -EDESTADDRREQ));
        salp_datagram_close(client);
        salp_datagram_close(server);
        salp_datagram_close(other);
    }
    return 0;
}

static void one_with_a_peer_hears_nobody_else(void **state)
{
    (void)state;
    in_both(of_peers);
}

static int nobody(void *arg)
{
    salp_address address;
    salp_datagram *client;
    char data[4];
    (void)arg;
    salp_datagram_close(open_at("127.0.0.1", NULL, &address));
    EXPECT(salp_datagram_open(&client, NULL, &(salp_datagram_options){ .peer = &address }) == 0);
    send_text(client, "is anybody there?", NULL);
    EXPECT(salp_datagram_receive(client, data, sizeof data, NULL) == -ECONNREFUSED); /* the answer of the network */
    send_text(client, "still nobody?", NULL);
    EXPECT(salp_datagram_receive(client, data, sizeof data, NULL) == -ECONNREFUSED);
    salp_datagram_close(client);

    salp_datagram_close(open_at("unix:", NULL, &address));
    EXPECT(salp_datagram_open(&client, NULL, &(salp_datagram_options){ .peer = &address }) == -ECONNREFUSED && !client);
    return 0;
}

static void it_is_told_that_nobody_is_there(void **state)
{
    (void)state;
    in_both(nobody);
}

/* ---- paths ---- */

static int at_paths(void *arg)
{
    char path[100], text[110];
    salp_address address, from;
    salp_datagram *other, *unnamed;
    struct stat status;
    (void)arg;
    snprintf(path, sizeof path, "/tmp/salp-datagram-%d", (int)getpid());
    snprintf(text, sizeof text, "unix:%s", path);
    salp_datagram *datagram = open_at(text, &(salp_datagram_options){ .mode = 0600 }, &address);
    EXPECT(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    EXPECT(salp_datagram_open(&other, &address, NULL) == -EADDRINUSE && !other);
    EXPECT(salp_datagram_open(&unnamed, NULL, &(salp_datagram_options){ .peer = &address }) == 0);
    send_text(unnamed, "a letter without a sender", NULL);
    EXPECT(receive_text(datagram, "a letter without a sender", &from));
    EXPECT(salp_address_family(&from) == SALP_NO_FAMILY);
    salp_datagram_close(unnamed);
    salp_datagram_close(datagram);
    EXPECT(stat(path, &status) < 0); /* closing has removed it */

    int fd = socket(AF_UNIX, SOCK_DGRAM, 0); /* one that nobody has removed */
    EXPECT(bind(fd, (struct sockaddr *)(void *)address.data, address.size) == 0 && close(fd) == 0);
    datagram = open_at(text, NULL, &address);
    send_text(datagram, "mine now", &address);
    EXPECT(receive_text(datagram, "mine now", NULL));
    EXPECT(unlink(path) == 0 && mkdir(path, 0700) == 0);
    salp_datagram_close(datagram);
    EXPECT(stat(path, &status) == 0); /* it was somebody else's */
    EXPECT(salp_datagram_open(&datagram, &address, NULL) == -EADDRINUSE);
    EXPECT(rmdir(path) == 0);
    return 0;
}

/* The child cannot wait with it, and its closing removes no path. */
static int is_forked(void *arg)
{
    char text[110];
    salp_address address;
    int status;
    (void)arg;
    snprintf(text, sizeof text, "unix:/tmp/salp-datagram-%d", (int)getpid());
    salp_datagram *datagram = open_at(text, NULL, &address);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        EXPECT(salp_datagram_receive(datagram, &byte, 1, NULL) == SALP_EFORKED);
        salp_datagram_close(datagram);
        _exit(0);
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    send_text(datagram, "still mine", &address); /* the path is there */
    EXPECT(receive_text(datagram, "still mine", NULL));
    salp_datagram_close(datagram);
    return 0;
}

static void a_fork_leaves_the_parents_alone(void **state)
{
    (void)state;
    in_both(is_forked);
}

static void a_path_is_taken_over_and_removed(void **state)
{
    (void)state;
    in_both(at_paths);
}

/* ---- waiting ---- */

static salp_datagram *shared;
static salp_address shared_address;

static int send_late(void *arg)
{
    EXPECT(salp_yield() == 0); /* the other one waits */
    send_text(shared, arg, &shared_address);
    return 0;
}

static int waits(void *arg)
{
    (void)arg;
    for (int local = 0; local < 2; local++) {
        salp_group group;
        shared = open_at(local ? "unix:" : "127.0.0.1", NULL, &shared_address);
        for (int i = 0; i < 100; i++) {
            salp_group_open(&group);
            EXPECT(salp_go(&group, send_late, "late") == 0);
            EXPECT(receive_text(shared, "late", NULL));
            EXPECT(salp_group_close(&group) == 0);
        }
        salp_datagram_close(shared);
    }
    return 0;
}

static void a_task_waits_for_a_datagram(void **state)
{
    (void)state;
    assert_int_equal(salp_run(waits, NULL), 0);
}

static int ended_by_scope(void *arg)
{
    char data[10];
    salp_scope scope;
    (void)arg;
    shared = open_at("unix:", NULL, &shared_address);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_datagram_receive(shared, data, sizeof data, NULL) == -ETIMEDOUT);
    EXPECT(salp_datagram_send(shared, data, 1, &shared_address) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    send_text(shared, "still here", &shared_address);
    salp_scope_open(&scope, SALP_FOREVER);
    salp_scope_cancel(&scope);
    EXPECT(salp_datagram_receive(shared, data, sizeof data, NULL) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    EXPECT(receive_text(shared, "still here", NULL)); /* nothing was lost */
    /* The other wait: for room. */
    int64_t sent = 0;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    while (sent >= 0)
        sent = salp_datagram_send(shared, "filled", 6, &shared_address);
    EXPECT(sent == -ETIMEDOUT && salp_scope_close(&scope) == -ETIMEDOUT);
    salp_datagram_close(shared);
    return 0;
}

static void a_scope_ends_the_wait_and_nothing_is_lost(void **state)
{
    (void)state;
    in_both(ended_by_scope);
}

/* ---- many at once ---- */

enum { RECEIVERS = 5, DATAGRAMS = 2000 };

static int received[DATAGRAMS];

static int receive_numbers(void *arg)
{
    int number;
    (void)arg;
    for (;;) {
        EXPECT(salp_datagram_receive(shared, &number, sizeof number, NULL) == sizeof number);
        if (number < 0)
            return 0;
        __atomic_fetch_add(&received[number], 1, __ATOMIC_RELAXED);
    }
}

/* More than the receiver's queue has room for. `arg`: to whom, NULL: the peer. */
static void send_numbers(salp_datagram *from, const salp_address *to, int receivers)
{
    int last = -1;
    for (int i = 0; i < DATAGRAMS; i++)
        EXPECT(salp_datagram_send(from, &i, sizeof i, to) == sizeof i);
    for (int i = 0; i < receivers; i++)
        EXPECT(salp_datagram_send(from, &last, sizeof last, to) == sizeof last);
}

static void each_came_once(void)
{
    for (int i = 0; i < DATAGRAMS; i++)
        EXPECT(received[i] == 1);
    memset(received, 0, sizeof received);
}

static int several_tasks(void *arg)
{
    (void)arg;
    for (int with_peer = 0; with_peer < 2; with_peer++) {
        salp_group group;
        salp_address address;
        shared = open_at("unix:", NULL, &shared_address);
        salp_datagram *sender =
            open_at("unix:", with_peer ? &(salp_datagram_options){ .peer = &shared_address } : NULL, &address);
        salp_group_open(&group);
        for (int i = 0; i < RECEIVERS; i++)
            EXPECT(salp_go(&group, receive_numbers, NULL) == 0);
        send_numbers(sender, with_peer ? NULL : &shared_address, RECEIVERS);
        EXPECT(salp_group_close(&group) == 0);
        each_came_once();
        salp_datagram_close(shared);
        salp_datagram_close(sender);
    }
    return 0;
}

static void several_tasks_receive_and_who_sends_too_fast_waits(void **state)
{
    (void)state;
    assert_int_equal(salp_run(several_tasks, NULL), 0);
}

static void *receive_in_thread(void *arg)
{
    EXPECT((arg ? salp_run(receive_numbers, NULL) : receive_numbers(NULL)) == 0);
    return NULL;
}

static int send_in_task(void *arg)
{
    send_numbers(arg, &shared_address, RECEIVERS);
    return 0;
}

static void several_threads_and_loops_receive(void **state)
{
    (void)state;
    salp_address address;
    for (int in_task = 0; in_task < 2; in_task++) {
        pthread_t threads[RECEIVERS];
        shared = open_at("unix:", NULL, &shared_address);
        salp_datagram *sender = open_at("unix:", NULL, &address);
        for (int i = 0; i < RECEIVERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, receive_in_thread, i % 2 ? sender : NULL), 0);
        if (in_task)
            assert_int_equal(salp_run(send_in_task, sender), 0);
        else
            send_numbers(sender, &shared_address, RECEIVERS);
        for (int i = 0; i < RECEIVERS; i++)
            pthread_join(threads[i], NULL);
        each_came_once();
        salp_datagram_close(shared);
        salp_datagram_close(sender);
    }
}

static int send_with_others(void *arg)
{
    int *sent = arg;
    while (*sent < DATAGRAMS) {
        int number = (*sent)++;
        EXPECT(salp_datagram_send(shared, &number, sizeof number, NULL) == sizeof number);
    }
    return 0;
}

static int several_senders(void *arg)
{
    int sent = 0, number;
    salp_group group;
    salp_datagram *receiver = open_at("unix:", NULL, &shared_address);
    (void)arg;
    EXPECT(salp_datagram_open(&shared, NULL, &(salp_datagram_options){ .peer = &shared_address }) == 0);
    salp_group_open(&group);
    for (int i = 0; i < RECEIVERS; i++)
        EXPECT(salp_go(&group, send_with_others, &sent) == 0);
    for (int i = 0; i < DATAGRAMS; i++) {
        EXPECT(salp_datagram_receive(receiver, &number, sizeof number, NULL) == sizeof number);
        received[number]++;
    }
    EXPECT(salp_group_close(&group) == 0);
    each_came_once();
    salp_datagram_close(receiver);
    salp_datagram_close(shared);
    return 0;
}

static void several_tasks_wait_for_room(void **state)
{
    (void)state;
    assert_int_equal(salp_run(several_senders, NULL), 0);
}

static void one_outlives_its_loop(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(salp_run(ended_by_scope, NULL), 0);
    shared = open_at("127.0.0.1", NULL, &shared_address);
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, receive_in_thread, i % 2 ? shared : NULL), 0);
        int last = -1;
        assert_int_equal(salp_datagram_send(shared, &last, sizeof last, &shared_address), sizeof last);
        pthread_join(thread, NULL);
    }
    salp_datagram_close(shared);
}

/* ---- ports and groups ---- */

static void a_port_is_shared_when_all_agree(void **state)
{
    (void)state;
    salp_address address, again;
    salp_datagram *other;
    salp_datagram *alone = open_at("127.0.0.1", NULL, &address);
    assert_int_equal(salp_datagram_open(&other, &address, NULL), -EADDRINUSE);
    assert_int_equal(salp_datagram_open(&other, &address, &(salp_datagram_options){ .share_port = true }), -EADDRINUSE);
    salp_datagram_close(alone);
    const salp_datagram_options share = { .share_port = true, .receive_buffer = 100000, .send_buffer = 100000 };
    alone = open_at("127.0.0.1", &share, &address);
    assert_int_equal(salp_datagram_open(&other, &address, &share), 0);
    assert_int_equal(salp_datagram_local(other, &again), 0);
    assert_true(salp_address_equal(&address, &again));
    int size = 0;
    socklen_t length = sizeof size;
    assert_int_equal(getsockopt(salp_datagram_fd(other), SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
    assert_int_equal(size, 200000); /* the kernel doubles it: socket(7) */
    salp_datagram_close(other);
    salp_datagram_close(alone);
}

static void sending_to_all_has_to_be_asked_for(void **state)
{
    (void)state;
    salp_address address, all = parse("127.255.255.255:7");
    salp_datagram *sender = open_at("0.0.0.0", NULL, &address);
    assert_int_equal(salp_datagram_send(sender, "x", 1, &all), -EACCES);
    salp_datagram_close(sender);
    sender = open_at("0.0.0.0", &(salp_datagram_options){ .broadcast = true }, &address);
    salp_datagram *receiver = open_at("0.0.0.0", NULL, &address);
    salp_address_set_port(&all, (unsigned)salp_address_port(&address));
    send_text(sender, "to all", &all);
    assert_true(receive_text(receiver, "to all", NULL));
    salp_datagram_close(sender);
    salp_datagram_close(receiver);
}

static void who_joins_a_group_gets_what_is_sent_to_it(void **state)
{
    (void)state;
    const char *const at[] = { "0.0.0.0", "[::]", "[::]" }, *const groups[] = { "239.1.2.3", "[ff01::1234]",
                                                                                "239.1.2.3" };
    for (int i = 0; i < 3; i++) {
        salp_address address, group = parse(groups[i]);
        const salp_datagram_options by = { .interface = "lo", .hops = 2, .share_address = true };
        salp_datagram *sender = open_at(at[i], &by, &address), *member = open_at(at[i], &by, &address), *second;
        assert_int_equal(salp_datagram_open(&second, &address, &by), 0);
        assert_int_equal(salp_datagram_leave(member, &group, "lo"), -EADDRNOTAVAIL);
        assert_int_equal(salp_datagram_join(member, &group, "lo"), 0);
        assert_int_equal(salp_datagram_join(member, &group, "lo"), -EADDRINUSE);
        assert_int_equal(salp_datagram_join(second, &group, "lo"), 0);
        salp_address_set_port(&group, (unsigned)salp_address_port(&address));
        int64_t sent = salp_datagram_send(sender, "to the group", 12, &group);
        /* No way may lead from the loopback interface to groups of IPv6. */
        assert_true(sent == 12 || (sent == -ENETUNREACH && salp_address_family(&group) == SALP_IPV6));
        if (sent == 12) {
            assert_true(receive_text(member, "to the group", NULL));
            assert_true(receive_text(second, "to the group", NULL)); /* each of them */
        }
        assert_int_equal(salp_datagram_leave(member, &group, "lo"), 0);
        assert_int_equal(salp_datagram_join(member, &group, "no such thing"), -ENODEV);
        salp_datagram_close(member);
        salp_datagram_close(second);
        salp_datagram_close(sender);
    }
    salp_datagram *member;
    salp_address address, host = parse("127.0.0.1"), none = { .size = 0 };
    member = open_at("127.0.0.1", NULL, &address);
    assert_int_equal(salp_datagram_join(member, &host, "lo"), -EINVAL);
    assert_int_equal(salp_datagram_join(member, &none, "lo"), -EINVAL);
    salp_datagram_close(member);
}

/* ---- misuse ---- */

static void receive_in_callback(void *arg)
{
    char data[10];
    *(int64_t *)arg = salp_datagram_receive(shared, data, sizeof data, NULL);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    salp_loop *loop;
    char data[10], large[70000] = "";
    salp_address none = { .size = 0 }, address;
    salp_datagram *datagram = (salp_datagram *)data;
    assert_int_equal(salp_datagram_open(NULL, NULL, NULL), -EINVAL);
    assert_int_equal(salp_datagram_open(&datagram, &none, NULL), -EINVAL);
    assert_null(datagram);
    assert_int_equal(salp_datagram_open(&datagram, NULL, &(salp_datagram_options){ .peer = &none }), -EINVAL);
    assert_int_equal(salp_datagram_open(&datagram, NULL, &(salp_datagram_options){ .interface = "no such" }), -ENODEV);
    assert_int_equal(salp_datagram_send(NULL, data, 1, NULL), -EINVAL);
    assert_int_equal(salp_datagram_receive(NULL, data, 1, NULL), -EINVAL);
    shared = open_at("127.0.0.1", NULL, &address);
    assert_int_equal(salp_datagram_send(shared, NULL, 1, &address), -EINVAL);
    assert_int_equal(salp_datagram_send(shared, data, 1, &none), -EINVAL);
    assert_int_equal(salp_datagram_send(shared, large, sizeof large, &address), -EMSGSIZE);
    assert_int_equal(salp_datagram_receive(shared, NULL, 1, NULL), -EINVAL);
    assert_int_equal(salp_datagram_local(shared, NULL), -EINVAL);
    assert_int_equal(salp_datagram_fd(NULL), -EINVAL);
    int64_t result = 0;
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, receive_in_callback, &result), 0);
    while (result == 0)
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    assert_int_equal(result, SALP_EINSIDE);
    salp_loop_close(loop);
    salp_datagram_close(shared);
    salp_datagram_close(NULL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("datagrams go there and back", datagrams_go_there_and_back),
        TEST("one that is too long is said to be", one_that_is_too_long_is_said_to_be),
        TEST("one without an address talks to both families", one_without_an_address_talks_to_both_families),
        TEST("one with a peer hears nobody else", one_with_a_peer_hears_nobody_else),
        TEST("it is told that nobody is there", it_is_told_that_nobody_is_there),
        TEST("a path is taken over and removed", a_path_is_taken_over_and_removed),
        TEST("a fork leaves the parent's alone", a_fork_leaves_the_parents_alone),
        TEST("a task waits for a datagram", a_task_waits_for_a_datagram),
        TEST("a scope ends the wait and nothing is lost", a_scope_ends_the_wait_and_nothing_is_lost),
        TEST("several tasks receive and who sends too fast waits", several_tasks_receive_and_who_sends_too_fast_waits),
        TEST("several threads and loops receive", several_threads_and_loops_receive),
        TEST("several tasks wait for room", several_tasks_wait_for_room),
        TEST("one outlives its loop", one_outlives_its_loop),
        TEST("a port is shared when all agree", a_port_is_shared_when_all_agree),
        TEST("sending to all has to be asked for", sending_to_all_has_to_be_asked_for),
        TEST("who joins a group gets what is sent to it", who_joins_a_group_gets_what_is_sent_to_it),
        TEST("misuse is refused", misuse_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
