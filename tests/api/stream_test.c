/*
 * Streams: what is read and written, in tasks and in plain threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <salp/queue.h>

#include "sleepers.h"
#include "streams.h"

static salp_stream *a, *b;

static void open_pair(void)
{
    EXPECT(salp_stream_pair(&a, &b) == 0 && a && b);
}

static void close_pair(void)
{
    salp_stream_close(a);
    salp_stream_close(b);
    a = b = NULL;
}

/* Of other rules for short reads. */
static void open_tcp(void)
{
    open_tcp_pair(&a, &b);
}

/* ---- reading ---- */

static int reads_what_is_there(void *arg)
{
    char data[100];
    open_pair();
    write_text(a, "hello");
    EXPECT(salp_read(b, data, sizeof data) == 5 && memcmp(data, "hello", 5) == 0);
    write_text(a, "hello");
    EXPECT(salp_read(b, data, 2) == 2 && memcmp(data, "he", 2) == 0);
    write_text(a, "!");
    EXPECT(read_text(b, "llo!"));
    EXPECT(salp_read(b, data, 0) == 0);
    write_text(a, "the rest");
    salp_stream_close(a);
    EXPECT(read_text(b, "the rest"));
    EXPECT(salp_read(b, data, sizeof data) == 0 && salp_read(b, data, sizeof data) == 0);
    EXPECT(salp_read_exactly(b, data, sizeof data) == 0);
    salp_stream_close(b);
    (void)arg;
    return 0;
}

static void a_read_takes_what_is_there(void **state)
{
    (void)state;
    in_both(reads_what_is_there);
}

static int reads_exactly(void *arg)
{
    char data[100];
    open_pair();
    write_text(a, "0123456789");
    EXPECT(salp_read_exactly(b, data, 4) == 4 && memcmp(data, "0123", 4) == 0);
    salp_shutdown(a);
    EXPECT(salp_read_exactly(b, data, 7) == SALP_EINCOMPLETE);
    EXPECT(salp_read_exactly(b, data, 7) == SALP_EINCOMPLETE); /* nothing was lost */
    EXPECT(salp_read(b, data, sizeof data) == 6 && memcmp(data, "456789", 6) == 0);
    EXPECT(salp_read_exactly(b, data, 1) == 0);
    close_pair();
    (void)arg;
    return 0;
}

static void a_read_of_a_size_loses_nothing_at_the_end(void **state)
{
    (void)state;
    in_both(reads_exactly);
}

static int reads_lines(void *arg)
{
    char line[10];
    open_pair();
    write_text(a, "one\r\ntwo\r\n\r\nfour fills\r\nx");
    EXPECT(salp_read_until(b, line, sizeof line, "\r\n") == 5 && strcmp(line, "one\r\n") == 0);
    EXPECT(salp_read_until(b, line, sizeof line, "\n") == 5 && strcmp(line, "two\r\n") == 0);
    EXPECT(salp_read_until(b, line, sizeof line, "\r\n") == 2 && strcmp(line, "\r\n") == 0);
    EXPECT(salp_read_until(b, line, sizeof line, "\r\n") == -EMSGSIZE);
    EXPECT(salp_read_until(b, line, sizeof line, "\r\n") == -EMSGSIZE); /* it is all still there */
    EXPECT(read_text(b, "four "));
    EXPECT(salp_read_until(b, line, 8, "\r\n") == 7 && strcmp(line, "fills\r\n") == 0); /* the very size */
    EXPECT(salp_read_until(b, line, 2, "") == -EINVAL && salp_read_until(b, line, 2, "\r\n") == -EINVAL);
    salp_shutdown(a);
    EXPECT(salp_read_until(b, line, sizeof line, "\n") == SALP_EINCOMPLETE);
    EXPECT(salp_read_line(b, line, sizeof line) == 1 && strcmp(line, "x") == 0);
    EXPECT(salp_read_line(b, line, sizeof line) == 0 && salp_read_until(b, line, sizeof line, "\n") == 0);
    close_pair();
    (void)arg;
    return 0;
}

static void a_line_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    in_both(reads_lines);
}

/* ---- byte by byte, in every way to cut it ---- */

static const char letter[] = "Dear reader,\r\n\r\nthis is a letter\r of several\n lines.\r\n--\r\n";

static int write_in_parts(void *arg)
{
    int part = *(int *)arg, size = (int)strlen(letter);
    for (int at = 0; at < size; at += part) {
        EXPECT(salp_write(a, letter + at, (size_t)(size - at < part ? size - at : part)) > 0);
        EXPECT(salp_yield() == 0);
    }
    EXPECT(salp_shutdown(a) == 0);
    return 0;
}

static int read_lines_of_parts(void *arg)
{
    (void)arg;
    for (int tcp = 0; tcp < 2; tcp++) {
        for (int part = 1; part <= (int)strlen(letter); part++) {
            salp_group group;
            char got[200] = "", line[60];
            int64_t size;
            tcp ? open_tcp() : open_pair();
            salp_group_open(&group);
            EXPECT(salp_go(&group, write_in_parts, &part) == 0);
            while ((size = salp_read_until(b, line, sizeof line, "\r\n")) > 0) {
                EXPECT(size == (int64_t)strlen(line) && strcmp(line + size - 2, "\r\n") == 0);
                strcat(got, line);
            }
            EXPECT(size == 0 && strcmp(got, letter) == 0);
            EXPECT(salp_group_close(&group) == 0);
            close_pair();
        }
    }
    return 0;
}

static void lines_may_come_in_any_parts(void **state)
{
    (void)state;
    assert_int_equal(salp_run(read_lines_of_parts, NULL), 0);
}

/* ---- writing ---- */

enum { LARGE = 3000000 };

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static char *large_text(void)
{
    char *text = malloc(LARGE);
    EXPECT(text != NULL);
    for (size_t i = 0; i < LARGE; i++)
        text[i] = pattern(i);
    return text;
}

static int read_large(void *arg)
{
    static const size_t sizes[] = { 1, 100, 5000, 70000 };
    char *data = malloc(70000);
    size_t total = 0;
    (void)arg;
    for (int i = 0;; i++) {
        int64_t got = salp_read(b, data, sizes[i % 4]);
        EXPECT(got >= 0);
        if (got == 0)
            break;
        for (int64_t j = 0; j < got; j++)
            EXPECT(data[j] == pattern(total + (size_t)j));
        total += (size_t)got;
    }
    free(data);
    EXPECT(total == LARGE);
    return 0;
}

static int write_large(void *arg)
{
    char *text = large_text();
    EXPECT(salp_write(a, text, LARGE) == LARGE);
    EXPECT(salp_stream_written(a) == LARGE);
    EXPECT(salp_shutdown(a) == 0);
    free(text);
    (void)arg;
    return 0;
}

static int writes_large_text(void *arg)
{
    salp_group group;
    for (int tcp = 0; tcp < 2; tcp++) {
        tcp ? open_tcp() : open_pair();
        salp_group_open(&group);
        EXPECT(salp_go(&group, read_large, NULL) == 0 && salp_go(&group, write_large, NULL) == 0);
        EXPECT(salp_group_close(&group) == 0);
        close_pair();
    }
    (void)arg;
    return 0;
}

static void a_write_is_of_all_bytes(void **state)
{
    (void)state;
    assert_int_equal(salp_run(writes_large_text, NULL), 0);
}

static void one_thread_reads_while_a_loop_writes(void **state)
{
    (void)state;
    struct thread_call threads[2];
    for (int tcp = 0; tcp < 2; tcp++) {
        tcp ? open_tcp() : open_pair();
        start_thread(&threads[0], false, read_large, NULL);
        start_thread(&threads[1], true, write_large, NULL);
        join_threads(threads, 2);
        close_pair();
    }
}

static int write_parts(void *arg)
{
    char *text = large_text();
    salp_bytes parts[1000];
    size_t at = 0;
    for (int i = 0; i < 1000; i++) { /* of 0 to some thousand bytes */
        size_t size = i < 999 ? (size_t)i * 37 % 4000 : LARGE - at;
        parts[i] = (salp_bytes){ text + at, size };
        at += size;
    }
    EXPECT(salp_writev(a, parts, 1000) == LARGE);
    EXPECT(salp_shutdown(a) == 0);
    free(text);
    (void)arg;
    return 0;
}

static int writes_parts(void *arg)
{
    salp_group group;
    open_pair();
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_large, NULL) == 0 && salp_go(&group, write_parts, NULL) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(salp_writev(a, NULL, 0) == 0 && salp_writev(a, NULL, 1) == -EINVAL);
    close_pair();
    (void)arg;
    return 0;
}

static void parts_are_written_one_after_the_other(void **state)
{
    (void)state;
    assert_int_equal(salp_run(writes_parts, NULL), 0);
}

static int send_file(void *file)
{
    EXPECT(salp_sendfile(a, fileno(file), 0, 1000) == 1000);
    EXPECT(salp_sendfile(a, fileno(file), 1000, LARGE) == LARGE - 1000); /* it ends before */
    EXPECT(salp_shutdown(a) == 0);
    return 0;
}

static int sends_files(void *arg)
{
    char *text = large_text();
    FILE *file = tmpfile();
    EXPECT(file && fwrite(text, 1, LARGE, file) == LARGE && fflush(file) == 0);
    for (int tcp = 0; tcp < 2; tcp++) {
        salp_group group;
        tcp ? open_tcp() : open_pair();
        salp_group_open(&group);
        EXPECT(salp_go(&group, read_large, NULL) == 0 && salp_go(&group, send_file, file) == 0);
        EXPECT(salp_group_close(&group) == 0);
        close_pair();
    }
    fclose(file);
    free(text);
    (void)arg;
    return 0;
}

static void files_are_sent(void **state)
{
    (void)state;
    assert_int_equal(salp_run(sends_files, NULL), 0);
}

/* ---- as large as can be ---- */

enum { SHIFT_OF_HUGE = 32 }; /* 4 GiB: a length of 32 bits would be zero */

static int read_huge(void *memory)
{
    EXPECT(salp_read(b, memory, (size_t)1 << SHIFT_OF_HUGE) == 5 && memcmp(memory, "hello", 5) == 0);
    return 0;
}

static int write_huge(void *memory)
{
    EXPECT(salp_write(a, memory, (size_t)1 << SHIFT_OF_HUGE) < 0); /* nobody reads it all */
    EXPECT(salp_stream_written(a) > 0);
    return 0;
}

static int moves_huge(void *memory)
{
    salp_group group;
    char some[10];
    open_pair();
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_huge, memory) == 0 && salp_yield() == 0);
    write_text(a, "hello");
    EXPECT(salp_group_close(&group) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, write_huge, memory) == 0);
    EXPECT(salp_read_exactly(b, some, sizeof some) == sizeof some);
    EXPECT(salp_shutdown(a) == 0);
    EXPECT(salp_group_close(&group) == 0);
    close_pair();
    return 0;
}

static void no_size_is_too_large(void **state)
{
    (void)state;
    const size_t size = (size_t)1 << SHIFT_OF_HUGE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        test_skip("no room for 4 GiB of addresses");
    assert_int_equal(salp_run(moves_huge, memory), 0);
    munmap(memory, size);
}

static int writes_to_nobody(void *arg)
{
    int64_t written = 0;
    open_pair();
    salp_stream_close(b);
    while (written >= 0)
        written = salp_write(a, "x", 1);
    EXPECT(written == -EPIPE || written == -ECONNRESET);
    salp_stream_close(a);
    (void)arg;
    return 0;
}

static void who_writes_to_nobody_gets_an_error_and_no_signal(void **state)
{
    (void)state;
    in_both(writes_to_nobody); /* a SIGPIPE would end the test */
}

/* ---- both at once, and in turns ---- */

static int answer(void *arg)
{
    char data[64];
    int64_t size;
    (void)arg;
    while ((size = salp_read(b, data, sizeof data)) > 0)
        EXPECT(salp_write(b, data, (size_t)size) == size);
    EXPECT(size == 0 && salp_shutdown(b) == 0);
    return 0;
}

static int talk(void *arg)
{
    salp_group group;
    char text[64];
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, answer, NULL) == 0);
    for (int i = 0; i < test_scale(2000); i++) {
        snprintf(text, sizeof text, "this is %d", i);
        write_text(a, text);
        EXPECT(read_text(a, text));
    }
    EXPECT(salp_shutdown(a) == 0);
    EXPECT(salp_read(a, text, sizeof text) == 0);
    EXPECT(salp_group_close(&group) == 0);
    return 0;
}

static int talks(void *arg)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        tcp ? open_tcp() : open_pair();
        EXPECT(talk(arg) == 0);
        close_pair();
    }
    return 0;
}

static void two_tasks_talk(void **state)
{
    (void)state;
    assert_int_equal(salp_run(talks, NULL), 0);
}

static int read_one(void *result)
{
    char byte;
    *(int64_t *)result = salp_read(b, &byte, 1);
    return 0;
}

static int reading_is_ended_by_another(void *arg)
{
    salp_group group;
    int64_t first = -1;
    open_pair();
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_one, &first) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_shutdown_reading(b) == 0);
    EXPECT(salp_group_close(&group) == 0 && first == 0);
    close_pair();
    (void)arg;
    return 0;
}

static void another_task_may_end_the_reading(void **state)
{
    (void)state;
    assert_int_equal(salp_run(reading_is_ended_by_another, NULL), 0);
}

static int write_too_much(void *result)
{
    char *text = large_text();
    do
        *(int64_t *)result = salp_write(a, text, LARGE);
    while (*(int64_t *)result >= 0);
    free(text);
    return 0;
}

/* The second one is told, be it a task or a thread. */
static int two_read_at_once(void *threads)
{
    struct thread_call thread;
    salp_group group;
    int64_t results[2] = { 0, 0 };
    open_pair();
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_one, &results[0]) == 0);
    let_others_wait();
    if (threads) {
        start_thread(&thread, false, read_one, &results[1]);
        join_threads(&thread, 1);
    } else {
        EXPECT(salp_go(&group, read_one, &results[1]) == 0);
        let_others_wait();
    }
    write_text(a, "x");
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(results[0] == 1 && results[1] == -EBUSY);
    close_pair();
    return 0;
}

static void one_of_two_readers_is_told(void **state)
{
    (void)state;
    assert_int_equal(salp_run(two_read_at_once, NULL), 0);
    assert_int_equal(salp_run(two_read_at_once, &a), 0);
}

/* Until the writer has written all that there is room for, and waits. */
static void yield_until_full(void)
{
    for (int64_t before = -1; before != salp_stream_written(a) || before == 0;) {
        before = salp_stream_written(a);
        EXPECT(salp_yield() == 0);
    }
}

static int writing_is_ended_by_another(void *arg)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        salp_group group;
        int64_t result = 0;
        tcp ? open_tcp() : open_pair();
        salp_group_open(&group);
        EXPECT(salp_go(&group, write_too_much, &result) == 0);
        yield_until_full();
        EXPECT(salp_shutdown(a) == 0); /* there is no room, and nobody reads */
        EXPECT(salp_group_close(&group) == 0 && result == -EPIPE);
        close_pair();
    }
    (void)arg;
    return 0;
}

static void another_task_may_end_the_writing(void **state)
{
    (void)state;
    assert_int_equal(salp_run(writing_is_ended_by_another, NULL), 0);
}

/* ---- between loops, and after them ---- */

static int move_in(void *arg)
{
    /* Waits, so that the stream is at home in this loop. */
    salp_scope scope;
    char byte;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_read(arg, &byte, 1) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return 0;
}

static void a_stream_outlives_its_loop(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        tcp ? open_tcp() : open_pair();
        for (int i = 0; i < 3; i++) {
            assert_int_equal(salp_run(move_in, a), 0);
            assert_int_equal(salp_run(move_in, b), 0);
        }
        assert_int_equal(salp_run(talk, NULL), 0);
        close_pair();
    }
}

static salp_queue *handed;

/* Each loop reads a byte of each stream and hands it on to the other one; the last one closes it. */
static int hand_on(void *arg)
{
    salp_queue **queues = arg;
    salp_stream *stream;
    char byte;
    while (salp_queue_get(queues[0], &stream) == 0) {
        int64_t got = salp_read(stream, &byte, 1);
        EXPECT(got >= 0);
        if (got == 0)
            salp_stream_close(stream);
        else
            EXPECT(salp_queue_put(queues[1], &stream) == 0);
        if (got == 0)
            EXPECT(salp_queue_done(handed) == 0);
    }
    return 0;
}

static void *loop_that_hands_on(void *arg)
{
    EXPECT(salp_run(hand_on, arg) == 0);
    return NULL;
}

static int feed(void *arg)
{
    salp_stream **ends = arg;
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < 10; i++)
            EXPECT(salp_write(ends[i], "x", 1) == 1 && salp_yield() == 0);
    for (int i = 0; i < 10; i++)
        salp_stream_close(ends[i]);
    return 0;
}

static void streams_are_handed_between_loops(void **state)
{
    (void)state;
    pthread_t threads[2];
    salp_queue *queues[3];
    salp_stream *ends[10], *other;
    const salp_queue_options options = { .item_size = sizeof(salp_stream *), .capacity = 20 };
    for (int i = 0; i < 2; i++)
        assert_int_equal(salp_queue_open(&queues[i], &options), 0);
    queues[2] = queues[0];
    assert_int_equal(salp_queue_open(&handed, &(salp_queue_options){ .item_size = 1, .capacity = 20 }), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(salp_stream_pair(&ends[i], &other), 0);
        assert_int_equal(salp_queue_put(queues[0], &other), 0);
        assert_int_equal(salp_queue_put(handed, ""), 0); /* to be done */
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, loop_that_hands_on, &queues[i]), 0);
    assert_int_equal(salp_run(feed, ends), 0);
    assert_int_equal(salp_queue_join(handed), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(salp_queue_shutdown(queues[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 2; i++)
        salp_queue_close(queues[i]);
    salp_queue_close(handed);
}

/* ---- forks ---- */

static int wait_in_fork(void *arg)
{
    salp_scope scope;
    char byte;
    /* At home in this loop, whose poller a fork would share. */
    EXPECT(move_in(arg) == 0);
    pid_t child = fork();
    if (child == 0) {
        bool refused = salp_read(arg, &byte, 1) == SALP_EFORKED;
        salp_stream_close(arg);
        _exit(refused ? 0 : 1);
    }
    int status;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    salp_scope_open(&scope, NEVER_SEEN);
    write_text(arg == a ? b : a, "x");
    EXPECT(salp_read(arg, &byte, 1) == 1); /* the child has not taken it from our poller */
    EXPECT(salp_scope_close(&scope) == 0);
    return 0;
}

static void a_fork_leaves_the_parents_streams_alone(void **state)
{
    (void)state;
    open_tcp();
    assert_int_equal(salp_run(wait_in_fork, a), 0);
    close_pair();
}

/* ---- descriptors ---- */

static int pass_descriptors(void *arg)
{
    int ends[2], got[4], count = -1;
    char data[10];
    struct stat one, other;
    (void)arg;
    open_pair();
    EXPECT(pipe(ends) == 0);
    EXPECT(salp_send_fds(a, "two", 3, ends, 2) == 3);
    EXPECT(salp_receive_fds(b, data, sizeof data, got, 4, &count) == 3 && count == 2 && memcmp(data, "two", 3) == 0);
    EXPECT(fstat(ends[0], &one) == 0 && fstat(got[0], &other) == 0 && one.st_ino == other.st_ino);
    EXPECT(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
    close(got[0]);
    close(got[1]);
    EXPECT(salp_send_fds(a, "two", 3, ends, 2) == 3);
    EXPECT(salp_receive_fds(b, data, sizeof data, got, 1, &count) == 3 && count == 1); /* the other one is closed */
    close(got[0]);
    EXPECT(salp_send_fds(a, "x", 1, (int[]){ 12345 }, 1) == -EBADF);
    close(ends[0]);
    close(ends[1]);
    close_pair();
    open_tcp();
    EXPECT(salp_send_fds(a, "x", 1, ends, 1) == -ENOTSUP);
    EXPECT(salp_receive_fds(b, data, 1, got, 1, &count) == -ENOTSUP);
    close_pair();
    return 0;
}

static void descriptors_come_along(void **state)
{
    (void)state;
    int lowest = dup(0);
    close(lowest);
    in_both(pass_descriptors);
    int now = dup(0);
    close(now);
    assert_int_equal(now, lowest); /* none is left open */
}

/* So many more descriptors can be opened: none or one. Returns the limit that was. */
static struct rlimit allow_descriptors(int more)
{
    struct rlimit before;
    int lowest = dup(0);
    EXPECT(lowest > 0 && close(lowest) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
    EXPECT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)(lowest + more), before.rlim_max }) == 0);
    return before;
}

static void send_two(void)
{
    EXPECT(salp_send_fds(a, "two", 3, (int[]){ 0, 0 }, 2) == 3);
}

/* A thread that sends when it is told to, and a receiver that it may wait for. */
static struct {
    pthread_t thread;
    atomic_int may_send;
    struct sleepers receiver;
} sender;

static void *send_when_told(void *awaited)
{
    EXPECT(reaches(&sender.may_send, 1));
    EXPECT(!awaited || sleepers_all_sleep(&sender.receiver, 1));
    send_two();
    return NULL;
}

static void start_sender(void *awaited)
{
    memset(&sender, 0, sizeof sender);
    EXPECT(pthread_create(&sender.thread, NULL, send_when_told, awaited) == 0);
}

static int64_t receive_while_it_sends(char data[3], int got[2], int *count)
{
    sleepers_add(&sender.receiver);
    atomic_store(&sender.may_send, 1);
    int64_t size = salp_receive_fds(b, data, 3, got, 2, count);
    EXPECT(pthread_join(sender.thread, NULL) == 0);
    return size;
}

static void lose_two(int more, bool meanwhile)
{
    char data[3];
    int got[2] = { -1, -1 }, count = -1;
    if (meanwhile)
        start_sender(NULL);
    else
        send_two();
    struct rlimit before = allow_descriptors(more);
    int64_t size = meanwhile ? receive_while_it_sends(data, got, &count) : salp_receive_fds(b, data, 3, got, 2, &count);
    EXPECT(size == -EMFILE && count == 0);
    int lowest = dup(0);
    EXPECT((lowest >= 0) == (more == 1)); /* the one that did come is closed */
    close(lowest);
    EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
    EXPECT(salp_receive_fds(b, data, 2, got, 2, &count) == 2 && count == 0 && memcmp(data, "tw", 2) == 0);
    EXPECT(salp_read(b, data, 3) == 1 && data[0] == 'o');
}

/* Where there are as few as can be taken, none is missed. */
static void take_as_many_as_there_is_room_for(int more)
{
    char data[3];
    int got = -1, count = -1;
    send_two();
    struct rlimit before = allow_descriptors(more);
    EXPECT(salp_receive_fds(b, data, 3, &got, more, &count) == 3 && count == more);
    EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
    close(got);
}

static int lose_descriptors(void *arg)
{
    char data[3];
    int got[2], count;
    (void)arg;
    open_pair();
    /* Waits for certain, so that whatever a wait needs is open before there is a limit. */
    start_sender(&sender);
    EXPECT(receive_while_it_sends(data, got, &count) == 3 && count == 2);
    close(got[0]);
    close(got[1]);
    for (int more = 0; more <= 1; more++) {
        lose_two(more, false);
        lose_two(more, true);
        take_as_many_as_there_is_room_for(more);
    }
    close_pair();
    return 0;
}

static void descriptors_that_the_system_drops_are_missed(void **state)
{
    (void)state;
    in_both(lose_descriptors);
}

static int note_turn(void *turns)
{
    return ++*(int *)turns, 0;
}

static int reads_with_descriptors(void *arg)
{
    salp_group group;
    int turns = 0, count;
    char byte, *text = large_text();
    (void)arg;
    open_pair();
    EXPECT(salp_write(a, text, 10000) == 10000);
    salp_group_open(&group);
    EXPECT(salp_go(&group, note_turn, &turns) == 0);
    for (int i = 0; i < 10000; i++)
        EXPECT(salp_receive_fds(b, &byte, 1, NULL, 0, &count) == 1 && byte == text[i]);
    EXPECT(turns == 1);
    EXPECT(salp_group_close(&group) == 0);
    free(text);
    close_pair();
    return 0;
}

static void who_always_finds_bytes_lets_others_run(void **state)
{
    (void)state;
    assert_int_equal(salp_run(reads_with_descriptors, NULL), 0);
}

/* ---- pipes and other descriptors ---- */

static int write_to_pipe(void *arg)
{
    char *text = large_text();
    EXPECT(salp_write(a, text, LARGE) == LARGE);
    EXPECT(salp_shutdown(a) == 0); /* closes it */
    EXPECT(salp_write(a, text, 1) == -EPIPE);
    free(text);
    (void)arg;
    return 0;
}

static int pipes(void *arg)
{
    for (int shared = 0; shared < 2; shared++) {
        int ends[2], kept[2] = { -1, -1 };
        salp_group group;
        (void)arg;
        EXPECT(pipe(ends) == 0);
        if (shared)
            kept[0] = dup(ends[0]);
        EXPECT(salp_stream_from_fd(&b, ends[0], NULL) == 0 && salp_stream_from_fd(&a, ends[1], NULL) == 0);
        salp_group_open(&group);
        EXPECT(salp_go(&group, read_large, NULL) == 0 && salp_go(&group, write_to_pipe, NULL) == 0);
        EXPECT(salp_group_close(&group) == 0);
        if (shared) {
            EXPECT((fcntl(kept[0], F_GETFL) & O_NONBLOCK) == 0); /* who shares it does not notice */
            close(kept[0]);
        }
        close_pair();
    }
    return 0;
}

static void pipes_are_streams(void **state)
{
    (void)state;
    assert_int_equal(salp_run(pipes, NULL), 0);
}

static int pipe_without_a_reader(void *arg)
{
    int ends[2];
    (void)arg;
    EXPECT(pipe(ends) == 0);
    close(ends[0]);
    EXPECT(salp_stream_from_fd(&a, ends[1], NULL) == 0);
    EXPECT(salp_write(a, "x", 1) == -EPIPE);
    salp_stream_close(a);
    return 0;
}

static void a_pipe_without_a_reader_raises_no_signal(void **state)
{
    (void)state;
    sigset_t pending;
    in_both(pipe_without_a_reader);
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

static void a_descriptor_keeps_its_number(void **state)
{
    (void)state;
    int ends[2];
    for (int way = 0; way < 2; way++) {
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(salp_stream_from_fd(&a, ends[way], NULL), 0);
        assert_int_equal(salp_stream_fd(a), ends[way]);
        assert_true(fcntl(ends[way], F_GETFD) >= 0);
        salp_stream_close(a);
        assert_true(fcntl(ends[way], F_GETFD) < 0);
        close(ends[1 - way]);
    }
}

static void a_pipe_that_is_read_has_no_end_of_writing(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(salp_stream_from_fd(&a, ends[0], NULL), 0);
    assert_int_equal(salp_stream_from_fd(&b, ends[1], NULL), 0);
    write_text(b, "here");
    assert_int_equal(salp_shutdown(a), -ENOTSUP);
    assert_true(read_text(a, "here"));
    close_pair();
}

/* Both sides of a terminal: one can be opened anew, the other one cannot. */
static int writes_to_terminals(void *arg)
{
    char *text = large_text();
    (void)arg;
    for (int side = 0; side < 2; side++) {
        struct termios settings;
        salp_group group;
        int64_t result = 0;
        int fds[2] = { posix_openpt(O_RDWR | O_NOCTTY), -1 };
        EXPECT(fds[0] >= 0 && grantpt(fds[0]) == 0 && unlockpt(fds[0]) == 0);
        fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY);
        EXPECT(fds[1] >= 0 && tcgetattr(fds[1], &settings) == 0);
        cfmakeraw(&settings);
        EXPECT(tcsetattr(fds[1], TCSANOW, &settings) == 0);
        int other = dup(fds[side]);
        EXPECT(salp_stream_from_fd(&a, fds[side], NULL) == 0 && salp_stream_fd(a) == fds[side]);
        EXPECT(salp_stream_from_fd(&b, fds[1 - side], NULL) == 0);
        write_text(a, "here");
        EXPECT(read_text(b, "here"));
        EXPECT(salp_write(a, text, 300) == 300); /* so that what there is room for is no multiple of anything */
        salp_group_open(&group);
        EXPECT(salp_go(&group, write_too_much, &result) == 0);
        for (int i = 0; i < 300; i++) { /* there is room again and again, but not for much */
            EXPECT(salp_read(b, text, 700) > 0);
            EXPECT(salp_yield() == 0 && salp_yield() == 0);
        }
        yield_until_full();
        salp_group_cancel(&group);
        (void)salp_group_close(&group);
        EXPECT(result == -ECANCELED);
        EXPECT((fcntl(other, F_GETFL) & O_NONBLOCK) == 0);
        close(other);
        close_pair();
    }
    free(text);
    return 0;
}

static void a_terminal_that_is_read_slowly_holds_up_no_loop(void **state)
{
    (void)state;
    assert_int_equal(salp_run(writes_to_terminals, NULL), 0);
}

static void what_is_no_stream_is_refused(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(salp_stream_from_fd(&a, fileno(file), NULL), -EPERM);
    assert_null(a);
    assert_int_equal(salp_stream_from_fd(&a, datagrams, NULL), -ENOTSUP);
    assert_int_equal(salp_stream_from_fd(&a, 12345, NULL), -EBADF);
    assert_int_equal(salp_stream_from_fd(NULL, 0, NULL), -EINVAL);
    assert_int_equal(salp_read(NULL, file, 1), -EINVAL);
    assert_int_equal(salp_write(NULL, "", 0), -EINVAL);
    assert_int_equal(salp_shutdown(NULL), -EINVAL);
    assert_int_equal(salp_stream_fd(NULL), -EINVAL);
    salp_stream_close(NULL);
    assert_true(fcntl(datagrams, F_GETFD) >= 0 && fcntl(fileno(file), F_GETFD) >= 0); /* they are the caller's */
    close(datagrams);
    fclose(file);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a read takes what is there", a_read_takes_what_is_there),
        TEST("a read of a size loses nothing at the end", a_read_of_a_size_loses_nothing_at_the_end),
        TEST("a line is read whole or not at all", a_line_is_read_whole_or_not_at_all),
        TEST("lines may come in any parts", lines_may_come_in_any_parts),
        TEST("a write is of all bytes", a_write_is_of_all_bytes),
        TEST("one thread reads while a loop writes", one_thread_reads_while_a_loop_writes),
        TEST("parts are written one after the other", parts_are_written_one_after_the_other),
        TEST("files are sent", files_are_sent),
        TEST("no size is too large", no_size_is_too_large),
        TEST("who writes to nobody gets an error and no signal", who_writes_to_nobody_gets_an_error_and_no_signal),
        TEST("two tasks talk", two_tasks_talk),
        TEST("another task may end the reading", another_task_may_end_the_reading),
        TEST("one of two readers is told", one_of_two_readers_is_told),
        TEST("another task may end the writing", another_task_may_end_the_writing),
        TEST("a stream outlives its loop", a_stream_outlives_its_loop),
        TEST("streams are handed between loops", streams_are_handed_between_loops),
        TEST("a fork leaves the parent's streams alone", a_fork_leaves_the_parents_streams_alone),
        TEST("descriptors come along", descriptors_come_along),
        TEST("descriptors that the system drops are missed", descriptors_that_the_system_drops_are_missed),
        TEST("who always finds bytes lets others run", who_always_finds_bytes_lets_others_run),
        TEST("pipes are streams", pipes_are_streams),
        TEST("a pipe without a reader raises no signal", a_pipe_without_a_reader_raises_no_signal),
        TEST("a descriptor keeps its number", a_descriptor_keeps_its_number),
        TEST("a pipe that is read has no end of writing", a_pipe_that_is_read_has_no_end_of_writing),
        TEST("a terminal that is read slowly holds up no loop", a_terminal_that_is_read_slowly_holds_up_no_loop),
        TEST("what is no stream is refused", what_is_no_stream_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
