/*
 * Pipes: messages between tasks, threads and processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <salp/loop.h>
#include <salp/pipe.h>

enum { LONG = 3000017, ASKED = 200 };

/* ---- messages that can be recognised ---- */

/* Each byte of message number n. */
static unsigned char byte_of(unsigned n, size_t i)
{
    return (unsigned char)(n * 31 + i * 7 + (i >> 8));
}

static char *message_of(unsigned n, size_t size)
{
    char *data = malloc(size + 1);
    EXPECT(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)byte_of(n, i);
    return data;
}

static int send_number(salp_pipe *pipe, unsigned n, size_t size)
{
    char *data = message_of(n, size);
    int result = salp_pipe_send(pipe, data, size);
    free(data);
    return result;
}

static bool is_number(const salp_buffer *message, unsigned n, size_t size)
{
    const unsigned char *data = message->data;
    if (message->size != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != byte_of(n, i))
            return false;
    }
    return true;
}

/* Sizes of all kinds: few messages are long. */
static size_t size_of(unsigned n)
{
    static const size_t sizes[] = { 0, 1, 8, 63, 64, 65, 1000, 4096, 20000, 32767, 32768, 32769, 100000, 1 << 20 };
    return sizes[n * 5 % LENGTH(sizes)];
}

static void open_pipe(salp_pipe **a, salp_pipe **b)
{
    EXPECT(salp_pipe_open(a, b) == 0 && *a && *b);
}

static void close_both(salp_pipe *a, salp_pipe *b)
{
    salp_pipe_close(a);
    salp_pipe_close(b);
}

static void ends_well(pid_t child)
{
    int status;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- there and back ---- */

static int any_length(void *arg)
{
    salp_pipe *ends[2];
    salp_buffer message = { 0 };
    (void)arg;
    open_pipe(&ends[0], &ends[1]);
    for (unsigned n = 0; n < 60; n++) {
        size_t size = n == 30 ? LONG : size_of(n);
        EXPECT(send_number(ends[n % 2], n, size) == 0);
        EXPECT(salp_pipe_receive(ends[1 - n % 2], &message) == 1);
        EXPECT(is_number(&message, n, size));
    }
    EXPECT(salp_pipe_send(ends[0], NULL, 0) == 0);
    EXPECT(salp_pipe_receive(ends[1], &message) == 1 && message.size == 0);
    salp_buffer_free(&message);
    close_both(ends[0], ends[1]);
    return 0;
}

static void messages_of_any_length_arrive_whole(void **state)
{
    (void)state;
    in_both(any_length);
}

/* Sends back what comes, until the end. */
static int echo(void *arg)
{
    salp_pipe *pipe = arg;
    salp_buffer message = { 0 };
    int result;
    while ((result = salp_pipe_receive(pipe, &message)) == 1)
        EXPECT(salp_pipe_send(pipe, message.data, message.size) == 0);
    salp_buffer_free(&message);
    return result;
}

static int ask(void *arg)
{
    salp_pipe *pipe = arg;
    salp_buffer message = { 0 };
    for (unsigned n = 0; n < ASKED; n++) {
        EXPECT(send_number(pipe, n, size_of(n)) == 0);
        EXPECT(salp_pipe_receive(pipe, &message) == 1 && is_number(&message, n, size_of(n)));
    }
    salp_buffer_free(&message);
    return 0;
}

static void a_process_answers_until_the_pipe_is_closed(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        salp_pipe *ours, *theirs;
        open_pipe(&ours, &theirs);
        pid_t child = fork();
        if (child == 0) {
            salp_pipe_close(ours);
            EXPECT((way & 1 ? salp_run(echo, theirs) : echo(theirs)) == 0);
            salp_pipe_close(theirs);
            _exit(0);
        }
        salp_pipe_close(theirs);
        assert_int_equal(way & 2 ? salp_run(ask, ours) : ask(ours), 0);
        salp_pipe_close(ours);
        ends_well(child);
    }
}

/* ---- forks ---- */

static salp_pipe *inherited[2], *hold[2];

static int echo_some(void *arg)
{
    salp_buffer message = { 0 };
    for (unsigned n = 0; n < ASKED; n++) {
        EXPECT(salp_pipe_receive(arg, &message) == 1);
        EXPECT(salp_pipe_send(arg, message.data, message.size) == 0);
    }
    salp_buffer_free(&message);
    return 0;
}

static int use_both_ends(void *arg)
{
    (void)arg;
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, echo_some, inherited[1]) == 0);
    EXPECT(ask(inherited[0]) == 0);
    return salp_group_close(&group);
}

/* The loop of this thread knows both ends, and is still there. */
static int use_and_stay(void *arg)
{
    salp_buffer message = { 0 };
    EXPECT(use_both_ends(NULL) == 0);
    atomic_store((atomic_int *)arg, 1);
    EXPECT(salp_pipe_receive(hold[1], &message) == 0);
    salp_buffer_free(&message);
    return use_both_ends(NULL);
}

static void handles_that_a_fork_has_inherited_work_there(void **state)
{
    (void)state;
    struct thread_call thread;
    atomic_int stays = 0;
    open_pipe(&inherited[0], &inherited[1]);
    open_pipe(&hold[0], &hold[1]);
    start_thread(&thread, true, use_and_stay, &stays);
    assert_true(reaches(&stays, 1));
    pid_t child = fork();
    if (child == 0) {
        EXPECT(salp_run(use_both_ends, NULL) == 0);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            EXPECT(salp_run(use_both_ends, NULL) == 0);
            close_both(inherited[0], inherited[1]);
            _exit(0);
        }
        ends_well(grandchild);
        EXPECT(salp_run(use_both_ends, NULL) == 0);
        close_both(inherited[0], inherited[1]);
        close_both(hold[0], hold[1]);
        _exit(0);
    }
    ends_well(child);
    salp_pipe_close(hold[0]);
    join_threads(&thread, 1); /* which goes on as if nothing had been */
    salp_pipe_close(hold[1]);
    close_both(inherited[0], inherited[1]);
}

/* ---- the end ---- */

static int ends(void *arg)
{
    salp_pipe *a, *b;
    salp_buffer message = { 0 };
    (void)arg;
    for (int unread = 0; unread < 2; unread++) {
        open_pipe(&a, &b);
        for (unsigned n = 0; n < 3; n++)
            EXPECT(send_number(a, n, n * 40000) == 0);
        if (unread)
            EXPECT(salp_pipe_send(b, "never received", 14) == 0);
        salp_pipe_close(a);
        EXPECT(salp_pipe_send(b, "x", 1) == -EPIPE); /* and there was no signal */
        for (unsigned n = 0; n < 3; n++)
            EXPECT(salp_pipe_receive(b, &message) == 1 && is_number(&message, n, n * 40000));
        for (int i = 0; i < 2; i++)
            EXPECT(salp_pipe_receive(b, &message) == 0 && message.size == 0);
        EXPECT(send_number(b, 1, 100000) == -EPIPE);
        salp_pipe_close(b);
    }
    salp_buffer_free(&message);
    return 0;
}

static void what_was_sent_is_received_and_then_the_end(void **state)
{
    (void)state;
    in_both(ends);
}

static int last_holder(void *arg)
{
    salp_pipe *a, *b, *told, *tell;
    salp_buffer message = { 0 };
    salp_scope scope;
    (void)arg;
    open_pipe(&a, &b);
    open_pipe(&tell, &told);
    pid_t child = fork();
    if (child == 0) {
        salp_pipe_close(a);
        salp_pipe_close(tell);
        EXPECT(salp_pipe_receive(told, &message) == 0);
        _exit(0); /* with b, which nobody has closed */
    }
    salp_pipe_close(b);
    salp_pipe_close(told);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_pipe_receive(a, &message) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    salp_pipe_close(tell);
    EXPECT(salp_pipe_receive(a, &message) == 0);
    EXPECT(salp_pipe_send(a, "x", 1) == -EPIPE);
    salp_pipe_close(a);
    ends_well(child);
    salp_buffer_free(&message);
    return 0;
}

static void the_end_comes_when_the_last_holder_is_gone(void **state)
{
    (void)state;
    assert_int_equal(last_holder(NULL), 0);
}

/* ---- room ---- */

static bool is_ready(const salp_pipe *pipe, short events)
{
    struct pollfd polled = { .fd = salp_pipe_fd(pipe), .events = events };
    return poll(&polled, 1, 0) > 0;
}

/* Sends until there is no room. Returns how many. */
static unsigned fill(salp_pipe *pipe, size_t size)
{
    unsigned count = 0;
    for (; is_ready(pipe, POLLOUT); count++)
        EXPECT(send_number(pipe, count, size) == 0);
    for (int result = 0; result == 0; count += result == 0) {
        salp_scope scope;
        salp_scope_open(&scope, SALP_MILLISECONDS(1));
        result = send_number(pipe, count, size);
        EXPECT(salp_scope_close(&scope) == result && (result == 0 || result == -ETIMEDOUT));
    }
    return count;
}

struct sending {
    salp_pipe *pipe;
    unsigned n;
    size_t size;
    atomic_int began;
};

static int send_one(void *arg)
{
    struct sending *s = arg;
    atomic_store(&s->began, 1);
    return send_number(s->pipe, s->n, s->size);
}

static int too_fast(void *arg)
{
    static const size_t sizes[] = { 8, 1000000 };
    (void)arg;
    for (int i = 0; i < 2; i++) {
        salp_pipe *a, *b;
        salp_buffer message = { 0 };
        struct thread_call thread;
        open_pipe(&a, &b);
        unsigned count = fill(a, sizes[i]);
        EXPECT(count >= 1 && count < (i == 0 ? 100000 : 1000));
        struct sending last = { .pipe = a, .n = count, .size = sizes[i] };
        start_thread(&thread, false, send_one, &last);
        EXPECT(reaches(&last.began, 1));
        for (unsigned n = 0; n <= count; n++) /* what was cut off by a scope is not there */
            EXPECT(salp_pipe_receive(b, &message) == 1 && is_number(&message, n, sizes[i]));
        join_threads(&thread, 1);
        salp_buffer_free(&message);
        salp_pipe_close(a);
        EXPECT(salp_pipe_receive(b, &message) == 0);
        salp_buffer_free(&message);
        salp_pipe_close(b);
    }
    return 0;
}

static void who_sends_too_fast_waits_and_sends_nothing_if_it_is_ended(void **state)
{
    (void)state;
    in_both(too_fast);
}

/* A socket that takes less than the usual first part of a long message. */
static void a_small_socket_gets_smaller_packets(void **state)
{
    (void)state;
    salp_pipe *a, *b;
    salp_buffer message = { 0 };
    int least = 1;
    open_pipe(&a, &b);
    assert_int_equal(setsockopt(salp_pipe_fd(a), SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    for (unsigned n = 0; n < 30; n++) {
        assert_int_equal(send_number(a, n, size_of(n)), 0);
        assert_int_equal(salp_pipe_receive(b, &message), 1);
        assert_true(is_number(&message, n, size_of(n)));
    }
    salp_buffer_free(&message);
    close_both(a, b);
}

/* ---- scopes ---- */

static int ended_by_scope(void *arg)
{
    salp_pipe *a, *b;
    salp_buffer message = { 0 };
    salp_scope scope;
    (void)arg;
    open_pipe(&a, &b);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_pipe_receive(b, &message) == -ETIMEDOUT && message.size == 0);
    EXPECT(salp_pipe_send(a, "x", 1) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_pipe_send(a, "still here", 10) == 0);
    salp_scope_open(&scope, SALP_FOREVER);
    salp_scope_cancel(&scope);
    EXPECT(salp_pipe_receive(b, &message) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    EXPECT(salp_pipe_receive(b, &message) == 1 && message.size == 10 && memcmp(message.data, "still here", 10) == 0);
    salp_buffer_free(&message);
    close_both(a, b);
    return 0;
}

static void a_scope_ends_the_wait_and_nothing_is_lost(void **state)
{
    (void)state;
    in_both(ended_by_scope);
}

static atomic_int waiting;

static int wait_for_nothing(void *arg)
{
    salp_buffer message = { 0 };
    atomic_fetch_add(&waiting, 1);
    EXPECT(salp_pipe_receive(arg, &message) == -ECANCELED);
    salp_buffer_free(&message);
    return 0;
}

static int cancelled(void *arg)
{
    salp_pipe *a, *b;
    salp_scope scope;
    struct canceller canceller;
    (void)arg;
    open_pipe(&a, &b);
    atomic_store(&waiting, 0);
    cancel_at(&canceller, &scope, &waiting, 1);
    EXPECT(wait_for_nothing(b) == 0);
    was_cancelled(&canceller);
    close_both(a, b);
    return 0;
}

static void another_thread_ends_the_wait(void **state)
{
    (void)state;
    in_both(cancelled);
}

/* ---- descriptors ---- */

static int make_file(char content)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    EXPECT(fd >= 0 && write(fd, &content, 1) == 1);
    return fd;
}

static char content_of(int fd)
{
    char content;
    EXPECT(pread(fd, &content, 1, 0) == 1);
    return content;
}

static int with_descriptors(void *arg)
{
    static const size_t sizes[] = { 0, 5, LONG };
    salp_pipe *a, *b;
    salp_buffer message = { 0 };
    int sent[3] = { make_file('0'), make_file('1'), make_file('2') }, got[3], count;
    (void)arg;
    open_pipe(&a, &b);
    int open = test_count_descriptors();
    for (unsigned n = 0; n < 3; n++) {
        char *data = message_of(n, sizes[n]);
        for (int round = 0; round < 3; round++)
            EXPECT(salp_pipe_send_fds(a, data, sizes[n], sent, 3) == 0);
        free(data);
        EXPECT(salp_pipe_receive_fds(b, &message, got, 3, &count) == 1 && count == 3);
        EXPECT(is_number(&message, n, sizes[n]));
        for (int i = 0; i < 3; i++) {
            EXPECT(content_of(got[i]) == '0' + i && (fcntl(got[i], F_GETFD) & FD_CLOEXEC));
            close(got[i]);
        }
        EXPECT(salp_pipe_receive_fds(b, &message, got, 1, &count) == 1 && count == 1);
        EXPECT(content_of(got[0]) == '0');
        close(got[0]);
        EXPECT(salp_pipe_receive(b, &message) == 1 && is_number(&message, n, sizes[n]));
        EXPECT(test_count_descriptors() == open); /* what there was no room for is closed */
    }
    for (int i = 0; i < 3; i++)
        close(sent[i]);
    EXPECT(salp_pipe_send_fds(a, "x", 1, sent, 1) == -EBADF);
    salp_buffer_free(&message);
    close_both(a, b);
    return 0;
}

static void descriptors_go_with_a_message(void **state)
{
    (void)state;
    in_both(with_descriptors);
}

static void as_many_descriptors_go_along_as_the_header_says(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, LONG };
    salp_pipe *a, *b;
    salp_buffer message = { 0 };
    int sent[SALP_PIPE_FDS_MAX + 1], got[SALP_PIPE_FDS_MAX], count, file = make_file('x');
    open_pipe(&a, &b);
    for (int i = 0; i <= SALP_PIPE_FDS_MAX; i++)
        sent[i] = file;
    for (unsigned n = 0; n < 2; n++) {
        char *data = message_of(n, sizes[n]);
        assert_int_equal(salp_pipe_send_fds(a, data, sizes[n], sent, SALP_PIPE_FDS_MAX + 1), -EINVAL);
        assert_int_equal(salp_pipe_send_fds(a, data, sizes[n], sent, SALP_PIPE_FDS_MAX), 0);
        free(data);
        assert_int_equal(salp_pipe_receive_fds(b, &message, got, SALP_PIPE_FDS_MAX, &count), 1);
        assert_int_equal(count, SALP_PIPE_FDS_MAX);
        assert_true(is_number(&message, n, sizes[n]));
        for (int i = 0; i < count; i++) {
            assert_int_equal(content_of(got[i]), 'x');
            close(got[i]);
        }
    }
    close(file);
    salp_buffer_free(&message);
    close_both(a, b);
}

/* The process may have no more descriptors than it has. */
static void none_left(struct rlimit *before)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
    int next = dup(0);
    close(next);
    struct rlimit full = { .rlim_cur = (rlim_t)next, .rlim_max = before->rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
}

static void descriptors_that_the_system_has_dropped_are_an_error(void **state)
{
    (void)state;
    salp_pipe *a, *b;
    salp_buffer message = { 0 };
    struct rlimit before;
    int sent[2] = { make_file('0'), make_file('1') }, got[2], count;
    open_pipe(&a, &b);
    int open = test_count_descriptors();
    assert_int_equal(salp_pipe_send_fds(a, "with two", 8, sent, 2), 0);
    assert_int_equal(send_number(a, 1, LONG), 0);
    assert_int_equal(salp_pipe_send(a, "plain", 5), 0);
    none_left(&before);
    assert_int_equal(salp_pipe_receive_fds(b, &message, got, 2, &count), -EMFILE);
    assert_int_equal(count, 0);
    assert_int_equal(message.size, 0);
    assert_int_equal(salp_pipe_receive(b, &message), -EMFILE);
    assert_int_equal(salp_pipe_receive(b, &message), 1); /* the next one is as good as ever */
    assert_true(message.size == 5 && memcmp(message.data, "plain", 5) == 0);
    assert_int_equal(send_number(a, 1, LONG), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(test_count_descriptors(), open);
    close(sent[0]);
    close(sent[1]);
    salp_buffer_free(&message);
    close_both(a, b);
}

static void an_end_is_handed_to_a_process_that_has_none(void **state)
{
    (void)state;
    salp_pipe *ours, *theirs, *way_ours, *way_theirs;
    salp_buffer message = { 0 };
    open_pipe(&way_ours, &way_theirs);
    pid_t child = fork();
    if (child == 0) {
        salp_pipe *end;
        int fd, count;
        salp_pipe_close(way_ours);
        EXPECT(salp_pipe_receive_fds(way_theirs, &message, &fd, 1, &count) == 1 && count == 1);
        EXPECT(salp_pipe_attach(&end, fd) == 0 && salp_pipe_fd(end) != fd);
        close(fd);
        EXPECT(echo(end) == 0);
        salp_pipe_close(end);
        _exit(0);
    }
    salp_pipe_close(way_theirs);
    open_pipe(&ours, &theirs);
    assert_int_equal(salp_pipe_send_fds(way_ours, NULL, 0, (int[]){ salp_pipe_fd(theirs) }, 1), 0);
    salp_pipe_close(theirs);
    assert_int_equal(ask(ours), 0);
    salp_pipe_close(ours);
    salp_pipe_close(way_ours);
    ends_well(child);
}

static void what_is_no_pipe_cannot_be_attached(void **state)
{
    (void)state;
    salp_pipe *pipe = (salp_pipe *)state;
    int pair[2], file = make_file('x'), lonely = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    int wrong[] = { pair[0], file, lonely };
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        assert_int_equal(salp_pipe_attach(&pipe, wrong[i]), -EINVAL);
        assert_null(pipe);
        close(wrong[i]);
    }
    close(pair[1]);
    assert_int_equal(salp_pipe_attach(&pipe, pair[1]), -EBADF);
    assert_int_equal(salp_pipe_attach(NULL, 0), -EINVAL);
}

static void what_is_no_message_is_an_error(void **state)
{
    (void)state;
    salp_pipe *a, *b;
    salp_buffer message = { 0 };
    static char packet[100000];
    /* A real one, to be spoilt. */
    open_pipe(&a, &b);
    assert_int_equal(send_number(a, 1, 40), 0);
    ssize_t size = recv(salp_pipe_fd(b), packet, sizeof packet, 0);
    assert_true(size > 40 && size < 100);
    static const size_t lengths[] = { 1, 15, 17, 57, 60000 };
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        if ((ssize_t)lengths[i] == size)
            continue;
        int open = test_count_descriptors();
        assert_int_equal(send(salp_pipe_fd(a), packet, lengths[i], 0), lengths[i]);
        assert_int_equal(salp_pipe_receive(b, &message), -EPROTO);
        assert_int_equal(test_count_descriptors(), open);
    }
    packet[0] ^= 1;
    assert_int_equal(send(salp_pipe_fd(a), packet, (size_t)size, 0), size);
    assert_int_equal(salp_pipe_receive(b, &message), -EPROTO);
    packet[0] ^= 1;
    assert_int_equal(send(salp_pipe_fd(a), packet, (size_t)size, 0), size);
    assert_int_equal(salp_pipe_receive(b, &message), 1);
    assert_true(is_number(&message, 1, 40));
    salp_buffer_free(&message);
    close_both(a, b);
}

/* ---- many at once ---- */

enum { SENDERS = 4, RECEIVERS = 3, EACH = 300 };

struct many {
    salp_pipe *in, *out;
    _Atomic int senders;
    _Atomic int received[SENDERS][EACH];
};

/* A message says who has sent it, and which of his it is; all other bytes follow from that. */
static int send_many(void *arg)
{
    struct many *m = arg;
    unsigned sender = (unsigned)atomic_fetch_add(&m->senders, 1);
    for (unsigned i = 0; i < EACH; i++) {
        unsigned n = sender * EACH + i;
        size_t size = sizeof n + (n % 10 == 0 ? 70000 : n % 500);
        char *data = message_of(n, size);
        memcpy(data, &n, sizeof n);
        EXPECT(salp_pipe_send(m->in, data, size) == 0);
        free(data);
    }
    return 0;
}

static int receive_many(void *arg)
{
    struct many *m = arg;
    salp_buffer message = { 0 };
    int last[SENDERS], result;
    for (int i = 0; i < SENDERS; i++)
        last[i] = -1;
    while ((result = salp_pipe_receive(m->out, &message)) == 1) {
        unsigned n;
        EXPECT(message.size >= sizeof n);
        memcpy(&n, message.data, sizeof n);
        EXPECT(n < SENDERS * EACH && message.size == sizeof n + (n % 10 == 0 ? 70000 : n % 500));
        const unsigned char *data = message.data;
        for (size_t i = sizeof n; i < message.size; i++)
            EXPECT(data[i] == byte_of(n, i));
        EXPECT((int)(n % EACH) > last[n / EACH]); /* those of one sender come in his order */
        last[n / EACH] = (int)(n % EACH);
        atomic_fetch_add(&m->received[n / EACH][n % EACH], 1);
    }
    salp_buffer_free(&message);
    return result;
}

static void each_came_once(struct many *m)
{
    for (int sender = 0; sender < SENDERS; sender++) {
        for (int i = 0; i < EACH; i++)
            assert_int_equal(atomic_load(&m->received[sender][i]), 1);
    }
}

static void several_threads_and_loops_send_and_receive(void **state)
{
    (void)state;
    struct many *m = shared_memory(sizeof *m);
    struct thread_call senders[SENDERS], receivers[RECEIVERS];
    open_pipe(&m->in, &m->out);
    for (int i = 0; i < RECEIVERS; i++)
        start_thread(&receivers[i], i % 2, receive_many, m);
    for (int i = 0; i < SENDERS; i++)
        start_thread(&senders[i], i % 2, send_many, m);
    join_threads(senders, SENDERS);
    salp_pipe_close(m->in);
    join_threads(receivers, RECEIVERS);
    each_came_once(m);
    salp_pipe_close(m->out);
}

static void several_processes_send_and_receive(void **state)
{
    (void)state;
    struct many *m = shared_memory(sizeof *m);
    pid_t children[SENDERS + RECEIVERS];
    open_pipe(&m->in, &m->out);
    for (int i = 0; i < SENDERS + RECEIVERS; i++) {
        children[i] = fork();
        if (children[i] > 0)
            continue;
        bool sends = i < SENDERS;
        salp_pipe_close(sends ? m->out : m->in);
        salp_fn *function = sends ? send_many : receive_many;
        EXPECT((i % 2 ? salp_run(function, m) : function(m)) == 0);
        _exit(0);
    }
    salp_pipe_close(m->in);
    salp_pipe_close(m->out);
    for (int i = 0; i < SENDERS + RECEIVERS; i++)
        ends_well(children[i]);
    each_came_once(m);
}

static int tasks_of_one_loop(void *arg)
{
    struct many *m = arg;
    salp_group senders, receivers;
    salp_group_open(&receivers);
    salp_group_open(&senders);
    for (int i = 0; i < RECEIVERS; i++)
        EXPECT(salp_go(&receivers, receive_many, m) == 0);
    for (int i = 0; i < SENDERS; i++)
        EXPECT(salp_go(&senders, send_many, m) == 0);
    EXPECT(salp_group_close(&senders) == 0);
    salp_pipe_close(m->in);
    EXPECT(salp_group_close(&receivers) == 0);
    return 0;
}

static void several_tasks_send_and_receive(void **state)
{
    (void)state;
    struct many *m = shared_memory(sizeof *m);
    open_pipe(&m->in, &m->out);
    assert_int_equal(salp_run(tasks_of_one_loop, m), 0);
    each_came_once(m);
    salp_pipe_close(m->out);
}

/* ---- a sender is killed ---- */

/* Of which nothing but whole messages come, in their order, and then the end, or those of others. */
static void a_sender_that_is_killed_has_sent_whole_messages_only(void **state)
{
    (void)state;
    salp_buffer message = { 0 };
    for (int round = 0; round < test_scale(100); round++) {
        salp_pipe *ours, *theirs;
        open_pipe(&ours, &theirs);
        pid_t child = fork();
        if (child == 0) {
            for (unsigned n = 0;; n++)
                EXPECT(send_number(theirs, n, size_of(n)) == 0);
        }
        /* It is killed while it goes on to send, anywhere. */
        unsigned n = 0, wanted = (unsigned)round % 30;
        for (; n <= wanted; n++) {
            assert_int_equal(salp_pipe_receive(ours, &message), 1);
            assert_true(is_number(&message, n, size_of(n)));
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        for (; is_ready(ours, POLLIN); n++) {
            assert_int_equal(salp_pipe_receive(ours, &message), 1);
            assert_true(is_number(&message, n, size_of(n)));
        }
        assert_int_equal(salp_pipe_send(theirs, "from another one", 16), 0);
        salp_pipe_close(theirs);
        assert_int_equal(salp_pipe_receive(ours, &message), 1);
        assert_true(message.size == 16 && memcmp(message.data, "from another one", 16) == 0);
        assert_int_equal(salp_pipe_receive(ours, &message), 0);
        salp_pipe_close(ours);
    }
    salp_buffer_free(&message);
}

/* ---- misuse ---- */

static void receive_in_callback(void *arg)
{
    salp_pipe **ends = arg;
    salp_buffer message = { 0 };
    EXPECT(salp_pipe_receive(ends[0], &message) == SALP_EINSIDE);
    EXPECT(salp_pipe_send(ends[1], "now", 3) == 0);
    EXPECT(salp_pipe_receive(ends[0], &message) == 1 && message.size == 3);
    salp_buffer_free(&message);
    close_both(ends[0], ends[1]);
    ends[0] = NULL;
}

static void a_callback_cannot_wait(void **state)
{
    (void)state;
    salp_loop *loop;
    salp_pipe *pair[2];
    open_pipe(&pair[0], &pair[1]);
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, receive_in_callback, pair), 0);
    while (pair[0])
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    salp_loop_close(loop);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    salp_pipe *a = (salp_pipe *)&state, *b = a;
    salp_buffer message = { 0 };
    int count;
    assert_int_equal(salp_pipe_open(NULL, &b), -EINVAL);
    assert_int_equal(salp_pipe_open(&a, NULL), -EINVAL);
    assert_null(a);
    assert_null(b);
    open_pipe(&a, &b);
    assert_int_equal(salp_pipe_send(NULL, "x", 1), -EINVAL);
    assert_int_equal(salp_pipe_send(a, NULL, 1), -EINVAL);
    assert_int_equal(salp_pipe_send(a, "x", SIZE_MAX), -EINVAL);
    assert_int_equal(salp_pipe_send_fds(a, "x", 1, NULL, 1), -EINVAL);
    assert_int_equal(salp_pipe_send_fds(a, "x", 1, &count, -1), -EINVAL);
    assert_int_equal(salp_pipe_receive(NULL, &message), -EINVAL);
    assert_int_equal(salp_pipe_receive(a, NULL), -EINVAL);
    assert_int_equal(salp_pipe_receive_fds(a, &message, NULL, 1, &count), -EINVAL);
    assert_int_equal(salp_pipe_receive_fds(a, &message, NULL, 0, NULL), -EINVAL);
    assert_int_equal(salp_pipe_fd(NULL), -EINVAL);
    salp_pipe_close(NULL);
    close_both(a, b);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("messages of any length arrive whole", messages_of_any_length_arrive_whole),
        TEST("a process answers until the pipe is closed", a_process_answers_until_the_pipe_is_closed),
        TEST("handles that a fork has inherited work there", handles_that_a_fork_has_inherited_work_there),
        TEST("what was sent is received, and then the end", what_was_sent_is_received_and_then_the_end),
        TEST("the end comes when the last holder is gone", the_end_comes_when_the_last_holder_is_gone),
        TEST("who sends too fast waits, and sends nothing if it is ended",
             who_sends_too_fast_waits_and_sends_nothing_if_it_is_ended),
        TEST("a small socket gets smaller packets", a_small_socket_gets_smaller_packets),
        TEST("a scope ends the wait, and nothing is lost", a_scope_ends_the_wait_and_nothing_is_lost),
        TEST("another thread ends the wait", another_thread_ends_the_wait),
        TEST("descriptors go with a message", descriptors_go_with_a_message),
        TEST("as many descriptors go along as the header says", as_many_descriptors_go_along_as_the_header_says),
        TEST("descriptors that the system has dropped are an error",
             descriptors_that_the_system_has_dropped_are_an_error),
        TEST("an end is handed to a process that has none", an_end_is_handed_to_a_process_that_has_none),
        TEST("what is no pipe cannot be attached", what_is_no_pipe_cannot_be_attached),
        TEST("what is no message is an error", what_is_no_message_is_an_error),
        TEST("several threads and loops send and receive", several_threads_and_loops_send_and_receive),
        TEST("several processes send and receive", several_processes_send_and_receive),
        TEST("several tasks send and receive", several_tasks_send_and_receive),
        TEST_LIMIT("a sender that is killed has sent whole messages only",
                   a_sender_that_is_killed_has_sent_whole_messages_only, 60),
        TEST("a callback cannot wait", a_callback_cannot_wait),
        TEST("misuse is refused", misuse_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
