/*
 * Streams, listeners and servers, while calls of the system and allocations fail one by one, while there is no descriptor
 * left, and while signals interrupt everything.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include <salp/stream.h>
#include <salp/task.h>

#include "os/fault.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- sweeps ---- */

static bool is_documented(int64_t result)
{
    static const int documented[] = { -ENOMEM, -EMFILE, -ENOBUFS, -EPIPE,          -ECONNRESET,
                                      -EIO,    -EPERM,  -ENOSPC,  SALP_EINCOMPLETE };
    for (size_t i = 0; i < LENGTH(documented); i++)
        if (result == documented[i])
            return true;
    return false;
}

static long number; /* of the call that fails */

/*
 * Runs it, in a task and in a plain thread, until no call is left to fail: it returns 0, or the error of the call that did.
 * Some errors are lived through, by a server or by connecting to another address.
 */
static void sweep(salp_fn *function)
{
    for (int in_task = 0; in_task < 2; in_task++) {
        int descriptors = test_count_descriptors(), result;
        bool fired;
        number = 0;
        do {
            salp__fault_arm(SALP__PROGRAM, ++number);
            result = in_task ? salp_run(function, NULL) : function(NULL);
            fired = salp__fault_fired();
            salp__fault_arm(SALP__PROGRAM, 0);
            if (result < 0 && !(fired && is_documented(result)))
                fail_msg("when call %ld failed: %s (%d)", number, salp_strerror(result), result);
            if (test_count_descriptors() != descriptors)
                fail_msg("when call %ld failed: descriptors were left open", number);
        } while (fired);
        assert_int_equal(result, 0);
        assert_true(number > 1);
    }
}

#define TRY(call)               \
    do {                        \
        int64_t result_ = call; \
        if (result_ < 0) {      \
            error = result_;    \
            goto out;           \
        }                       \
    } while (0)

static salp_stream *a, *b;
static salp_listener *listener;

static void close_all(void)
{
    salp_stream_close(a);
    salp_stream_close(b);
    salp_listener_close(listener);
    a = b = NULL;
    listener = NULL;
}

/* ---- streams ---- */

enum { MANY = 300000 }; /* more than the system holds for them, so that both sides wait */

static char text[MANY];

static int read_all(void *arg)
{
    static char data[5000];
    int64_t total = 0, size;
    while ((size = salp_read(b, data, sizeof data)) > 0) {
        EXPECT(memcmp(data, text + total, (size_t)size) == 0);
        total += size;
    }
    *(int64_t *)arg = total;
    return (int)size;
}

static int write_all(void *arg)
{
    static const salp_bytes parts[] = { { text, 1000 }, { text + 1000, 2000 }, { text + 3000, MANY - 3000 } };
    (void)arg;
    int64_t result = salp_writev(a, parts, 3);
    if (result >= 0)
        result = salp_shutdown(a);
    else
        EXPECT(salp_shutdown(a) == 0 || true);
    return result < 0 ? (int)result : 0;
}

static int move_bytes(void *arg)
{
    int64_t error = 0, total = 0;
    salp_group group;
    char line[20];
    int fds[1], count = 0;
    (void)arg;
    TRY(salp_stream_pair(&a, &b));
    TRY(salp_write(a, "one\ntwo", 7));
    TRY(salp_read_until(b, line, sizeof line, "\n"));
    EXPECT(strcmp(line, "one\n") == 0);
    error = salp_read_exactly(b, line, 3);
    EXPECT(error < 0 || memcmp(line, "two", 3) == 0);
    TRY(error);
    TRY(salp_send_fds(a, "x", 1, &(int){ 0 }, 1));
    TRY(salp_receive_fds(b, line, sizeof line, fds, 1, &count));
    EXPECT(count == 1 && close(fds[0]) == 0);
    if (salp_loop_current()) { /* a reader and a writer, who wait for each other */
        salp_group_open(&group);
        error = salp_go(&group, read_all, &total);
        if (error == 0)
            error = salp_go(&group, write_all, NULL);
        if (error < 0)
            salp_group_cancel(&group);
        int failure = salp_group_close(&group);
        if (error == 0)
            error = failure;
        EXPECT(error < 0 || total == MANY);
    }
    error = error > 0 ? 0 : error;
out:
    close_all();
    return error < 0 ? (int)error : 0;
}

static void fill_text(void)
{
    for (int i = 0; i < MANY; i++)
        text[i] = (char)(i * 7 + i / 251);
}

static void streams_survive(void **state)
{
    (void)state;
    fill_text();
    sweep(move_bytes);
}

static int use_pipe(void *arg)
{
    int ends[2];
    int64_t error = 0;
    char line[20];
    FILE *file = tmpfile();
    (void)arg;
    EXPECT(pipe(ends) == 0 && file && fputs("of a file", file) >= 0 && fflush(file) == 0);
    error = salp_stream_from_fd(&b, ends[0], NULL);
    if (error < 0)
        EXPECT(b == NULL && close(ends[0]) == 0); /* it is ours as before */
    int64_t other = salp_stream_from_fd(&a, ends[1], NULL);
    if (other < 0)
        EXPECT(a == NULL && close(ends[1]) == 0);
    TRY(error);
    TRY(other);
    TRY(salp_write(a, "begin\n", 6));
    TRY(salp_sendfile(a, fileno(file), 0, 100));
    TRY(salp_shutdown(a));
    TRY(salp_read_line(b, line, sizeof line));
    EXPECT(strcmp(line, "begin\n") == 0);
    error = salp_read_line(b, line, sizeof line);
    EXPECT(error < 0 || strcmp(line, "of a file") == 0);
out:
    close_all();
    fclose(file);
    return error < 0 ? (int)error : 0;
}

static void pipes_survive(void **state)
{
    (void)state;
    sweep(use_pipe);
}

/* ---- listening and connecting ---- */

static int use_tcp(void *arg)
{
    int64_t error = 0;
    char data[10];
    (void)arg;
    listener = (salp_listener *)&error;
    int failed = salp_tcp_listen(&listener, "127.0.0.1", 0,
                                 &(salp_listen_options){ .share_port = true, .stream.keep_alive = true });
    EXPECT(failed == 0 || listener == NULL);
    TRY(failed);
    a = (salp_stream *)&error;
    failed =
        salp_tcp_connect(&a, "127.0.0.1", salp_listener_port(listener), &(salp_stream_options){ .send_buffer = 5000 });
    EXPECT(failed == 0 || a == NULL);
    TRY(failed);
    b = (salp_stream *)&error;
    failed = salp_accept(listener, &b);
    EXPECT(failed == 0 || b == NULL);
    if (failed < 0 && failed != -ENOBUFS)
        failed = salp_accept(listener, &b); /* nothing is lost */
    TRY(failed);
    TRY(salp_write(a, "x", 1));
    TRY(salp_read(b, data, sizeof data));
out:
    close_all();
    return error < 0 ? (int)error : 0;
}

static void tcp_survives(void **state)
{
    (void)state;
    sweep(use_tcp);
}

static char path[100];

static int use_path(void *arg)
{
    int64_t error = 0;
    struct stat status;
    (void)arg;
    int failed = salp_unix_listen(&listener, path, &(salp_listen_options){ .mode = 0600 });
    EXPECT(failed == 0 || (listener == NULL && lstat(path, &status) < 0)); /* nothing is left in the folder */
    TRY(failed);
    TRY(salp_unix_connect(&a, path, NULL));
    TRY(salp_accept(listener, &b));
out:
    close_all();
    EXPECT(lstat(path, &status) < 0);
    return error < 0 ? (int)error : 0;
}

static void paths_survive(void **state)
{
    (void)state;
    char folder[] = "/tmp/salp-fault-XXXXXX";
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    sweep(use_path);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- serving ---- */

static int reported;

static void note_report(int error, void *arg)
{
    (void)arg;
    EXPECT(salp__fault_fired() && (is_documented(error) || error == -ECANCELED)); /* the client's failure ends it */
    reported++;
}

static int greet(salp_stream *stream, void *arg)
{
    (void)arg;
    int64_t result = salp_write(stream, "hello\n", 6);
    return result < 0 ? (int)result : 0;
}

static int serve(void *arg)
{
    (void)arg;
    return salp_serve(listener, greet, NULL);
}

/* Clients come until two were served: of what fails, the server lives through all but what ends it, and says so. */
static int be_served(void *arg)
{
    int served = 0;
    int64_t error = 0;
    char line[10];
    (void)arg;
    for (int clients = 0; clients < 20 && served < 2 && error >= 0; clients++) {
        error = salp_tcp_connect(&a, "127.0.0.1", salp_listener_port(listener), NULL);
        if (error == 0)
            error = salp_read_line(a, line, sizeof line);
        if (error == 6)
            served++;
        else if (error == 0 || error == -ECONNRESET)
            error = 0; /* it was the server's */
        salp_stream_close(a);
        a = NULL;
    }
    salp_listener_shutdown(listener);
    EXPECT(served == 2 || error < 0);
    return error < 0 ? (int)error : 0;
}

static int use_server(void *arg)
{
    int64_t error = 0;
    salp_group group;
    (void)arg;
    if (!salp_loop_current())
        return salp_run(use_server, NULL);
    reported = 0;
    TRY(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .on_error = note_report }));
    salp_group_open(&group);
    error = salp_go(&group, serve, NULL);
    if (error == 0)
        error = salp_go(&group, be_served, NULL);
    if (error < 0)
        salp_listener_shutdown(listener);
    int failure = salp_group_close(&group);
    if (error == 0)
        error = failure;
out:
    close_all();
    return error < 0 ? (int)error : 0;
}

static void a_server_survives(void **state)
{
    (void)state;
    sweep(use_server);
}

/* ---- no descriptors left ---- */

static atomic_int told, greeted;

static void count_error(int error, void *arg)
{
    (void)arg;
    EXPECT(error == -EMFILE);
    atomic_fetch_add(&told, 1);
}

static int hold_on(salp_stream *stream, void *arg)
{
    char byte;
    (void)arg;
    EXPECT(salp_write(stream, "x", 1) == 1);
    atomic_fetch_add(&greeted, 1);
    return (int)salp_read(stream, &byte, 1);
}

static void *run_server(void *arg)
{
    EXPECT(salp_serve(listener, hold_on, NULL) == 0);
    return arg;
}

enum { ROOM = 20, COMERS = 30 };

static void a_server_lives_without_descriptors(void **state)
{
    (void)state;
    struct rlimit before, few;
    pthread_t thread;
    int comers[COMERS], taken[200], fd, count = 0;
    salp_address address;
    char byte;
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "/vgpreload_"))
        test_skip("without a descriptor, valgrind accepts connections all the same, and closes them");
    assert_int_equal(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .on_error = count_error }), 0);
    assert_int_equal(salp_listener_address(listener, &address), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_server, NULL), 0);
    for (int i = 0; i < COMERS; i++)
        comers[i] = socket(AF_INET, SOCK_STREAM, 0);
    /* The first is served, so that the loop has what it needs. Then all that may be open is. */
    assert_int_equal(connect(comers[0], (struct sockaddr *)address.data, address.size), 0);
    assert_int_equal(read(comers[0], &byte, 1), 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ .rlim_cur = 100, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((fd = dup(0)) >= 0)
        taken[count++] = fd;
    assert_int_equal(errno, EMFILE);
    for (int i = 1; i < COMERS; i++)
        assert_int_equal(connect(comers[i], (struct sockaddr *)address.data, address.size), 0);
    /* It tries ten times a second: that it has told so often means that it has waited as long. */
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    int first = atomic_load(&told);
    while (atomic_load(&told) < first + 5)
        usleep(1000);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >= 390);
    assert_int_equal(atomic_load(&greeted), 1);
    /* One that goes makes room for one that comes. */
    close(taken[--count]);
    assert_int_equal(read(comers[1], &byte, 1), 1);
    /* And when there is room for all, all are served. */
    while (count > 0)
        close(taken[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 2; i < COMERS; i++)
        assert_int_equal(read(comers[i], &byte, 1), 1);
    for (int i = 0; i < COMERS; i++)
        close(comers[i]);
    salp_listener_shutdown(listener);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&greeted), COMERS);
    close_all();
}

/* ---- signals ---- */

enum { STORM = 10 << 20 };

static atomic_int signals;

static void note_signal(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&signals, 1);
}

static int pour(void *arg)
{
    (void)arg;
    for (int64_t done = 0; done < STORM; done += MANY) {
        size_t size = STORM - done < MANY ? (size_t)(STORM - done) : MANY;
        EXPECT(salp_write(a, text, size) == (int64_t)size);
    }
    EXPECT(salp_shutdown(a) == 0);
    return 0;
}

static int drink(void *arg)
{
    static char data[MANY];
    int64_t total = 0, size;
    (void)arg;
    for (; total < STORM; total += size) {
        size_t wanted = STORM - total < MANY ? (size_t)(STORM - total) : MANY;
        size = salp_read_exactly(b, data, wanted);
        EXPECT(size == (int64_t)wanted && memcmp(data, text, wanted) == 0);
    }
    EXPECT(salp_read(b, data, 1) == 0);
    while (atomic_load(&signals) < 20) /* so that the storm has been one: a wait that each of them interrupts */
        EXPECT(salp_sleep(SALP_MILLISECONDS(10)) == 0);
    return 0;
}

static int flow(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, pour, NULL) == 0 && salp_go(&group, drink, NULL) == 0);
    return salp_group_close(&group);
}

static void *pour_in_thread(void *arg)
{
    pour(arg);
    return NULL;
}

static void begin_storm(void)
{
    const struct sigaction action = { .sa_handler = note_signal }; /* no SA_RESTART */
    const struct itimerval each = { .it_interval.tv_usec = 1000, .it_value.tv_usec = 1000 };
    atomic_store(&signals, 0);
    EXPECT(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &each, NULL) == 0);
}

static void end_storm(void)
{
    EXPECT(setitimer(ITIMER_REAL, &(struct itimerval){ .it_interval.tv_sec = 0 }, NULL) == 0);
}

static void open_tcp(void)
{
    salp_address address;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL) == 0 && salp_listener_address(listener, &address) == 0);
    EXPECT(salp_stream_connect(&a, &address, NULL) == 0 && salp_accept(listener, &b) == 0);
}

static void signals_interrupt_nothing(void **state)
{
    (void)state;
    fill_text();
    for (int in_task = 0; in_task < 2; in_task++) {
        pthread_t thread;
        begin_storm();
        open_tcp();
        if (in_task) {
            assert_int_equal(salp_run(flow, NULL), 0);
        } else {
            assert_int_equal(pthread_create(&thread, NULL, pour_in_thread, NULL), 0);
            drink(NULL);
            assert_int_equal(pthread_join(thread, NULL), 0);
        }
        end_storm();
        close_all();
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("streams survive", streams_survive),
        TEST("pipes survive", pipes_survive),
        TEST("TCP survives", tcp_survives),
        TEST("paths survive", paths_survive),
        TEST("a server survives", a_server_survives),
        TEST("a server lives without descriptors", a_server_lives_without_descriptors),
        TEST("signals interrupt nothing", signals_interrupt_nothing),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
