/*
 * Streams that are encrypted: bytes, ends, cancellation, threads, and others who do not play by the rules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "secure.h"

#include <sys/wait.h>

#include <salp/loop.h>
#include <salp/sync.h>
#include <salp/transport.h>

/* ---- bytes ---- */

enum { LARGE = 10000000, LITTLE = 300000 };

static size_t large(void)
{
    return test_slow() ? LITTLE : LARGE;
}

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static char *text_of(size_t size)
{
    char *text = malloc(size);
    EXPECT(text != NULL);
    for (size_t i = 0; i < size; i++)
        text[i] = pattern(i);
    return text;
}

/* Reads to the end in parts of many sizes, and returns how much there was. */
static size_t read_all(salp_stream *stream)
{
    static const size_t sizes[] = { 1, 100, 5000, 70000, 16384 };
    char *data = malloc(70000);
    size_t total = 0;
    for (int i = 0;; i++) {
        int64_t got = salp_read(stream, data, sizes[i % 5]);
        EXPECT(got >= 0);
        if (got == 0)
            break;
        for (int64_t j = 0; j < got; j++)
            EXPECT(data[j] == pattern(total + (size_t)j));
        total += (size_t)got;
    }
    free(data);
    return total;
}

static int read_large(void *stream)
{
    EXPECT(read_all(stream) == large());
    return 0;
}

/* In parts of many sizes. */
static int write_large(void *stream)
{
    static const size_t sizes[] = { 1, 16384, 16385, 100, 300000, 5000 };
    char *text = text_of(large());
    size_t at = 0;
    for (int i = 0; at < large(); i++) {
        size_t size = sizes[i % 6] < large() - at ? sizes[i % 6] : large() - at;
        EXPECT(salp_write(stream, text + at, size) == (int64_t)size);
        at += size;
        EXPECT(salp_stream_written(stream) == (int64_t)at);
    }
    EXPECT(salp_shutdown(stream) == 0);
    free(text);
    return 0;
}

static int writes_both_ways(void *arg)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        salp_group group;
        open_ends(tcp);
        salp_group_open(&group);
        EXPECT(salp_go(&group, read_large, a) == 0 && salp_go(&group, write_large, a) == 0);
        EXPECT(salp_go(&group, read_large, b) == 0 && salp_go(&group, write_large, b) == 0);
        EXPECT(salp_group_close(&group) == 0);
        close_ends();
    }
    (void)arg;
    return 0;
}

static void one_task_reads_while_another_one_writes(void **state)
{
    (void)state;
    in_task(writes_both_ways);
}

static void one_thread_reads_while_another_one_writes(void **state)
{
    (void)state;
    open_secure();
    for (int loops = 0; loops < 4; loops++) {
        struct thread_call threads[4];
        open_ends(loops % 2);
        start_thread(&threads[0], loops & 1, read_large, a);
        start_thread(&threads[1], loops & 2, write_large, a);
        start_thread(&threads[2], loops & 2, read_large, b);
        start_thread(&threads[3], loops & 1, write_large, b);
        join_threads(threads, 4);
        close_ends();
    }
    close_secure();
}

static int write_parts(void *arg)
{
    char *text = text_of(large());
    salp_bytes parts[1000];
    size_t at = 0;
    for (int i = 0; i < 1000; i++) { /* of 0 to some hundred bytes, and some that are larger than a record */
        size_t size = i < 999 ? (size_t)i * 37 % (i % 100 == 99 ? 40000 : 200) : large() - at;
        parts[i] = (salp_bytes){ text + at, size };
        at += size;
    }
    EXPECT(salp_writev(a, parts, 1000) == (int64_t)large() && salp_stream_written(a) == (int64_t)large());
    EXPECT(salp_shutdown(a) == 0);
    free(text);
    (void)arg;
    return 0;
}

static int send_file(void *file)
{
    EXPECT(salp_sendfile(a, fileno(file), 0, 1000) == 1000);
    EXPECT(salp_sendfile(a, fileno(file), 1000, LARGE) == (int64_t)large() - 1000); /* it ends before */
    EXPECT(salp_shutdown(a) == 0);
    return 0;
}

static int writes_in_other_ways(void *arg)
{
    char *text = text_of(large());
    FILE *file = tmpfile();
    EXPECT(file && fwrite(text, 1, large(), file) == large() && fflush(file) == 0);
    free(text);
    for (int way = 0; way < 2; way++) {
        salp_group group;
        open_ends(way);
        salp_group_open(&group);
        EXPECT(salp_go(&group, read_large, b) == 0 && salp_go(&group, way ? send_file : write_parts, file) == 0);
        EXPECT(salp_group_close(&group) == 0);
        close_ends();
    }
    fclose(file);
    (void)arg;
    return 0;
}

static void parts_and_files_are_written(void **state)
{
    (void)state;
    in_task(writes_in_other_ways);
}

static int tries_descriptors(void *arg)
{
    char byte;
    int fd, count;
    (void)arg;
    open_ends(false);
    EXPECT(salp_send_fds(a, "x", 1, (int[]){ 0 }, 1) == -ENOTSUP);
    EXPECT(salp_receive_fds(b, &byte, 1, &fd, 1, &count) == -ENOTSUP);
    EXPECT(salp_tls_start(a, "localhost", &client) == -EALREADY && salp_tls_start_server(b, &server) == -EALREADY);
    close_ends();

    salp_listener *listener; /* nor to one that was accepted */
    char name[40];
    snprintf(name, sizeof name, "@salp-tls-%d", (int)getpid());
    EXPECT(salp_unix_listen(&listener, name, &(salp_listen_options){ .tls = &server }) == 0);
    EXPECT(salp_unix_connect(&a, name, NULL) == 0 && salp_accept(listener, &b) == 0);
    EXPECT(salp_send_fds(b, "x", 1, (int[]){ 0 }, 1) == -ENOTSUP);
    salp_listener_close(listener);
    close_ends();
    return 0;
}

static void descriptors_do_not_come_along(void **state)
{
    (void)state;
    in_task(tries_descriptors);
}

/* ---- someone in between ---- */

typedef struct relay {
    salp_stream *from, *to;
    size_t part;   /* bytes at a time, at most */
    int64_t spoil; /* this byte is changed, and the connection cut behind the part that has it; -1: none */
    int64_t cut;   /* the connection is cut before this one; -1: never */
} relay;

static salp_stream *inner_a, *inner_b; /* what is in between has these */

static int pass_on(void *arg)
{
    relay *r = arg;
    char data[5000];
    int64_t got, at = 0;
    bool over = r->cut == 0;
    while (!over && (got = salp_read(r->from, data, r->part)) > 0) {
        if (r->spoil >= at && r->spoil < at + got) {
            data[r->spoil - at] ^= 1;
            over = true;
        }
        if (r->cut >= 0 && got > r->cut - at)
            got = r->cut - at;
        if (got > 0 && salp_write(r->to, data, (size_t)got) < 0)
            break;
        at += got;
        over |= at == r->cut;
        EXPECT(salp_yield() == 0);
    }
    /* In both directions: that is how a connection breaks. */
    salp_shutdown(r->to);
    if (over) {
        salp_shutdown(r->from);
        salp_shutdown_reading(r->from);
        salp_shutdown_reading(r->to);
    }
    return 0;
}

static void open_between(void)
{
    EXPECT(salp_stream_pair(&a, &inner_a) == 0 && salp_stream_pair(&b, &inner_b) == 0);
}

static void close_between(void)
{
    close_ends();
    salp_stream_close(inner_a);
    salp_stream_close(inner_b);
}

enum { TALK = 40 };

static int talk_back(void *result)
{
    char text[TALK];
    int error = salp_tls_handshake(b);
    while (error == 0) {
        int64_t got = salp_read_exactly(b, text, TALK);
        if (got <= 0) {
            error = (int)got;
            break;
        }
        got = salp_write(b, text, TALK);
        error = got < 0 ? (int)got : 0;
    }
    if (error == 0)
        error = salp_shutdown(b);
    *(int *)result = error;
    salp_stream_close(b);
    b = NULL;
    return 0;
}

/* Talks for some rounds over the relay. What was read is right, whatever happens. */
static outcome talk_over(relay there, relay back)
{
    outcome result = { 0, 0 };
    salp_group group;
    char text[TALK], answer[TALK + 1];
    open_between();
    there.from = inner_a, there.to = inner_b, back.from = inner_b, back.to = inner_a;
    EXPECT(salp_tls_start_server(b, &server) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, pass_on, &there) == 0 && salp_go(&group, pass_on, &back) == 0);
    EXPECT(salp_go(&group, talk_back, &result.server) == 0);
    result.client = begin_client(&client, "localhost");
    for (int i = 0; i < 5 && result.client == 0; i++) {
        memset(text, 'a' + i, TALK);
        int64_t got = salp_write(a, text, TALK);
        if (got >= 0)
            got = salp_read_exactly(a, answer, TALK);
        EXPECT(got < 0 || got == 0 || memcmp(text, answer, TALK) == 0);
        result.client = got > 0 ? 0 : got == 0 ? -EPROTO : (int)got; /* no orderly end before we say so */
    }
    if (result.client == 0)
        result.client = salp_shutdown(a);
    if (result.client == 0)
        result.client = (int)salp_read(a, answer, 1);
    salp_stream_close(a);
    a = NULL;
    EXPECT(salp_group_close(&group) == 0);
    close_between();
    return result;
}

static int talks_in_parts(void *arg)
{
    static const size_t parts[] = { 1, 2, 3, 5, 7, 64, 100 };
    (void)arg;
    for (size_t i = 0; i < LENGTH(parts); i++) {
        relay r = { .part = parts[i], .spoil = -1, .cut = -1 };
        outcome result = talk_over(r, r);
        EXPECT(result.client == 0 && result.server == 0);
    }
    return 0;
}

static void records_may_come_in_any_parts(void **state)
{
    (void)state;
    in_task(talks_in_parts);
}

static bool is_of_tls(int error)
{
    return error <= SALP_ETLSTRUST && error >= SALP_ETRUNCATED;
}

static int talks_over_bad_lines(void *arg)
{
    const relay good = { .part = 5000, .spoil = -1, .cut = -1 };
    int whole = 0, broken = 0, seen = 0;
    (void)arg;
    for (int64_t at = 5; at < 1500; at += test_slow() ? 97 : 7) { /* beyond the end, nothing is spoilt */
        relay bad = good;
        bad.spoil = at;
        for (int way = 0; way < 2; way++) {
            outcome result = way ? talk_over(bad, good) : talk_over(good, bad);
            if (result.client == 0 && result.server == 0)
                whole++;
            else
                broken++;
            seen += result.client == SALP_ETLSBROKEN || result.server == SALP_ETLSBROKEN;
            EXPECT(result.client == 0 || is_of_tls(result.client) || result.client == -EPIPE ||
                   result.client == -ECONNRESET);
            EXPECT(result.server == 0 || is_of_tls(result.server) || result.server == -EPIPE ||
                   result.server == -ECONNRESET);
        }
    }
    EXPECT(whole > 0 && seen > broken / 2 && seen > whole / 4);
    return 0;
}

static void what_was_changed_on_the_way_is_not_read(void **state)
{
    (void)state;
    in_task(talks_over_bad_lines);
}

static int talks_until_cut(void *arg)
{
    const relay good = { .part = 100, .spoil = -1, .cut = -1 };
    int cuts = 0;
    (void)arg;
    for (int64_t at = 0; at < 2500; at += test_slow() ? 97 : 7) {
        relay bad = good;
        bad.cut = at;
        outcome result = talk_over(bad, good);
        EXPECT(result.client == 0 || result.client == SALP_ETRUNCATED || result.client == -EPIPE ||
               result.client == -ECONNRESET);
        EXPECT(result.server == 0 || result.server == SALP_ETRUNCATED || result.server == -EPIPE ||
               result.server == -ECONNRESET);
        cuts += result.client < 0;
        EXPECT(result.client < 0 || at > 400);
    }
    EXPECT(cuts > 5);
    return 0;
}

static void a_connection_that_is_cut_has_no_orderly_end(void **state)
{
    (void)state;
    in_task(talks_until_cut);
}

/* ---- ends ---- */

static int is_cut(void *arg)
{
    char data[10];
    (void)arg;
    open_ends(false);
    write_text(a, "hello");
    EXPECT(shutdown(salp_stream_fd(a), SHUT_WR) == 0);
    EXPECT(salp_read_exactly(b, data, 10) == SALP_ETRUNCATED);
    EXPECT(salp_read_line(b, data, 10) == SALP_ETRUNCATED);
    EXPECT(salp_read(b, data, 10) == 5 && memcmp(data, "hello", 5) == 0); /* nothing was lost */
    EXPECT(salp_read(b, data, 10) == SALP_ETRUNCATED && salp_read(b, data, 10) == SALP_ETRUNCATED);
    write_text(b, "still there?"); /* the other way is as it was */
    EXPECT(read_text(a, "still there?"));
    close_ends();
    return 0;
}

static void what_came_before_a_cut_is_not_lost(void **state)
{
    (void)state;
    in_both_securely(is_cut);
}

static int ends_halfway(void *arg)
{
    char data[10];
    (void)arg;
    open_ends(false);
    write_text(a, "question");
    EXPECT(salp_shutdown(a) == 0 && salp_shutdown(a) == 0);
    EXPECT(salp_write(a, "x", 1) == -EPIPE);
    EXPECT(read_text(b, "question") && salp_read(b, data, 10) == 0 && salp_read(b, data, 10) == 0);
    write_text(b, "answer");
    EXPECT(read_text(a, "answer"));
    salp_stream_close(b); /* says farewell */
    b = NULL;
    EXPECT(salp_read(a, data, 10) == 0);
    close_ends();
    return 0;
}

static void who_has_ended_writing_may_read_on(void **state)
{
    (void)state;
    in_both_securely(ends_halfway);
}

static int read_one(void *result)
{
    char byte;
    *(int64_t *)result = salp_read(b, &byte, 1);
    return 0;
}

static int reading_is_ended(void *arg)
{
    salp_group group;
    int64_t got = -1;
    (void)arg;
    open_ends(false);
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_one, &got) == 0 && salp_yield() == 0);
    EXPECT(salp_shutdown_reading(b) == 0);
    EXPECT(salp_group_close(&group) == 0 && got == 0);
    write_text(b, "on");
    EXPECT(read_text(a, "on"));
    close_ends();
    return 0;
}

static void another_task_may_end_the_reading(void **state)
{
    (void)state;
    in_task(reading_is_ended);
}

static int write_without_end(void *result)
{
    char *text = text_of(LITTLE);
    int64_t written;
    do
        written = salp_write(a, text, LITTLE);
    while (written > 0);
    *(int64_t *)result = written;
    free(text);
    return 0;
}

static int shut_down(void *result)
{
    *(int *)result = salp_shutdown(a);
    return 0;
}

static int drain(void *arg)
{
    char *data = malloc(LITTLE);
    int64_t got, total = 0;
    while ((got = salp_read(b, data, LITTLE)) > 0)
        total += got;
    EXPECT(got == 0);
    *(int64_t *)arg = total;
    free(data);
    return 0;
}

static int writing_is_ended(void *arg)
{
    salp_group group;
    int64_t result = 0, drained = 0;
    int shut = -1;
    (void)arg;
    open_ends(false);
    salp_group_open(&group);
    EXPECT(salp_go(&group, write_without_end, &result) == 0 && salp_yield() == 0);
    EXPECT(salp_go(&group, shut_down, &shut) == 0 && salp_yield() == 0); /* both wait for room */
    EXPECT(salp_go(&group, drain, &drained) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(result == -EPIPE && shut == 0 && drained == salp_stream_written(a));
    close_ends();
    return 0;
}

static void another_task_may_end_the_writing(void **state)
{
    (void)state;
    in_task(writing_is_ended);
}

/* The server sends tickets when the client has long written all, and closed: nothing is lost by that. */
static int write_and_close(void *arg)
{
    char *text = text_of(LITTLE);
    (void)arg;
    EXPECT(salp_write(a, text, LITTLE) == LITTLE);
    free(text);
    salp_stream_close(a);
    a = NULL;
    return 0;
}

static int closes_at_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        salp_group group;
        open_ends(false);
        salp_group_open(&group);
        EXPECT(salp_go(&group, write_and_close, NULL) == 0);
        EXPECT(read_all(b) == LITTLE);
        EXPECT(salp_group_close(&group) == 0);
        close_ends();
    }
    return 0;
}

static void who_writes_and_closes_is_read_to_the_end(void **state)
{
    (void)state;
    in_task(closes_at_once);
}

static int writes_to_nobody(void *arg)
{
    int64_t written = 0;
    open_ends(false);
    salp_stream_close(b);
    b = NULL;
    while (written >= 0)
        written = salp_write(a, "x", 1); /* a SIGPIPE would end the test */
    EXPECT(written == -EPIPE || written == -ECONNRESET);
    close_ends();
    (void)arg;
    return 0;
}

static void who_writes_to_nobody_gets_an_error_and_no_signal(void **state)
{
    (void)state;
    in_both_securely(writes_to_nobody);
}

static int a_child_closes(void *arg)
{
    int status;
    (void)arg;
    open_ends(false);
    pid_t child = fork();
    if (child == 0) {
        close_ends();
        _exit(0);
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    write_text(a, "we go on");
    EXPECT(read_text(b, "we go on"));
    write_text(b, "so do we");
    EXPECT(read_text(a, "so do we"));
    close_ends();
    return 0;
}

static void a_child_that_closes_says_no_farewell(void **state)
{
    (void)state;
    open_secure();
    assert_int_equal(a_child_closes(NULL), 0);
    close_secure();
}

/* ---- handshakes ---- */

static int handshake_quietly(void *result)
{
    *(int *)result = salp_tls_handshake(b);
    return 0;
}

static int is_slow(void *arg)
{
    salp_scope scope;
    char byte;
    salp_group group;
    outcome result;
    (void)arg;
    EXPECT(salp_stream_pair(&a, &b) == 0 && salp_tls_start_server(b, &server) == 0);
    for (int i = 0; i < 3; i++) {
        salp_scope_open(&scope, SALP_MILLISECONDS(1));
        EXPECT((i == 0   ? salp_read(b, &byte, 1)
                : i == 1 ? salp_write(b, &byte, 1)
                         : salp_tls_handshake(b)) == -ETIMEDOUT);
        EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    }
    /* Who comes next goes on with it, and so does who comes with him. */
    salp_group_open(&group);
    EXPECT(salp_go(&group, handshake_quietly, &result.server) == 0);
    salp_group_cancel(&group);
    EXPECT(salp_group_close(&group) <= 0 && result.server == -ECANCELED);
    salp_group_open(&group);
    EXPECT(salp_go(&group, handshake_quietly, &result.server) == 0 &&
           salp_go(&group, handshake_quietly, &result.client) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_tls_start(a, "localhost", &client) == 0);
    EXPECT(salp_group_close(&group) == 0 && result.client == 0 && result.server == 0);
    write_text(a, "at last");
    EXPECT(read_text(b, "at last"));
    close_ends();
    return 0;
}

static void a_scope_ends_a_handshake_and_another_call_goes_on_with_it(void **state)
{
    (void)state;
    in_task(is_slow);
}

static int read_word(void *result)
{
    *(int *)result = read_text(b, "ping");
    return 0;
}

static int write_word(void *arg)
{
    write_text(b, "pong");
    (void)arg;
    return 0;
}

static int begins_both_ways(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        salp_group group;
        int read = 0;
        EXPECT(salp_stream_pair(&a, &b) == 0 && salp_tls_start_server(b, &server) == 0);
        salp_group_open(&group);
        EXPECT(salp_go(&group, i % 2 ? read_word : write_word, &read) == 0);
        EXPECT(salp_go(&group, i % 2 ? write_word : read_word, &read) == 0);
        EXPECT(salp_yield() == 0);
        EXPECT(salp_tls_start(a, "localhost", &client) == 0);
        write_text(a, "ping");
        EXPECT(read_text(a, "pong"));
        EXPECT(salp_group_close(&group) == 0 && read);
        close_ends();
    }
    return 0;
}

static void who_reads_and_who_writes_may_both_begin(void **state)
{
    (void)state;
    in_task(begins_both_ways);
}

static void two_threads_may_both_begin(void **state)
{
    (void)state;
    open_secure();
    for (int i = 0; i < test_scale(100); i++) {
        struct thread_call threads[2];
        int read = 0;
        assert_true(salp_stream_pair(&a, &b) == 0 && salp_tls_start_server(b, &server) == 0);
        start_thread(&threads[0], false, read_word, &read);
        start_thread(&threads[1], false, write_word, NULL);
        assert_int_equal(salp_tls_start(a, "localhost", &client), 0);
        write_text(a, "ping");
        assert_true(read_text(a, "pong"));
        join_threads(threads, 2);
        assert_true(read);
        close_ends();
    }
    close_secure();
}

/* ---- writes that are ended ---- */

typedef struct attempt {
    const char *text;
    size_t size;
    int64_t result;
} attempt;

static int attempt_to_write(void *arg)
{
    attempt *t = arg;
    t->result = salp_write(a, t->text, t->size);
    return 0;
}

static int read_pattern(void *total)
{
    *(size_t *)total = read_all(b);
    return 0;
}

/* What was written by its own account is read, then what was written later, and nothing else. */
static int is_ended_while_writing(void *arg)
{
    salp_group group;
    size_t total = 0;
    char *text = text_of(LARGE); /* far more than a socket takes */
    (void)arg;
    open_ends(false);
    for (int i = 0; i < 3; i++) {
        int64_t before = salp_stream_written(a);
        attempt more = { text + before, (size_t)(LARGE - before), 0 };
        salp_group_open(&group);
        EXPECT(salp_go(&group, attempt_to_write, &more) == 0);
        for (int turn = 0; turn < 3; turn++)
            EXPECT(salp_yield() == 0);
        salp_group_cancel(&group);
        EXPECT(salp_group_close(&group) <= 0 && more.result == -ECANCELED);
    }
    int64_t before = salp_stream_written(a);
    EXPECT(before > 0 && before < LARGE - 1000);
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_pattern, &total) == 0);
    EXPECT(salp_write(a, text + before, 1000) == 1000 && salp_shutdown(a) == 0);
    EXPECT(salp_group_close(&group) == 0 && (int64_t)total == before + 1000);
    free(text);
    close_ends();
    return 0;
}

static void a_write_that_was_ended_spoils_nothing(void **state)
{
    (void)state;
    in_task(is_ended_while_writing);
}

/* ---- others ---- */

static salp_listener *listener;

static int say_welcome(salp_stream *stream, void *arg)
{
    salp_scope scope;
    char byte;
    salp_scope_open(&scope, *(int64_t *)arg);
    int64_t got = salp_read(stream, &byte, 1);
    int over = salp_scope_close(&scope);
    if (over < 0)
        return over;
    if (got > 0)
        write_text(stream, "welcome");
    return (int)(got < 0 ? got : salp_shutdown(stream));
}

static int last_error;

static void note_error(int error, void *arg)
{
    (void)arg;
    last_error = error;
}

static int serve_welcomes(void *arg)
{
    return salp_serve(listener, say_welcome, arg);
}

static void visit(void)
{
    salp_stream *stream;
    char byte;
    EXPECT(salp_tcp_connect(&stream, "localhost", salp_listener_port(listener),
                            &(salp_stream_options){ .tls = &client }) == 0);
    write_text(stream, "?");
    EXPECT(read_text(stream, "welcome") && salp_read(stream, &byte, 1) == 0);
    salp_stream_close(stream);
}

static int visits_beside_silent_ones(void *arg)
{
    salp_group group;
    salp_stream *silent[10];
    int64_t time = SALP_FOREVER;
    (void)arg;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0,
                           &(salp_listen_options){ .tls = &server, .on_error = note_error, .grace = 1 }) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, serve_welcomes, &time) == 0);
    for (int i = 0; i < 10; i++) {
        EXPECT(salp_tcp_connect(&silent[i], "127.0.0.1", salp_listener_port(listener), NULL) == 0);
        if (i % 2)
            write_text(silent[i], "\x16\x03\x01"); /* and nothing more */
        visit();
    }
    EXPECT(last_error == 0);
    time = SALP_MILLISECONDS(1); /* of one that comes now, a scope is soon over */
    salp_stream *slow;
    char byte;
    EXPECT(salp_tcp_connect(&slow, "127.0.0.1", salp_listener_port(listener), NULL) == 0);
    EXPECT(salp_read(slow, &byte, 1) == 0 && last_error == -ETIMEDOUT);
    salp_stream_close(slow);
    for (int i = 0; i < 10; i++)
        salp_stream_close(silent[i]);
    salp_listener_shutdown(listener);
    EXPECT(salp_group_close(&group) == 0);
    salp_listener_close(listener);
    return 0;
}

static void who_connects_and_says_nothing_holds_up_nobody(void **state)
{
    (void)state;
    in_task(visits_beside_silent_ones);
}

static int speaks_no_tls(void *arg)
{
    static const char *const words[] = { "GET / HTTP/1.0\r\n\r\n", "220 hello\r\n", "SSH-2.0-x\r\n", "\x16\x04x",
                                         "\x80" };
    char byte;
    (void)arg;
    for (size_t i = 0; i < LENGTH(words); i++) {
        for (int part = 0; part < 2; part++) {
            EXPECT(salp_stream_pair(&a, &b) == 0 && salp_tls_start_server(b, &server) == 0);
            EXPECT(salp_write(a, words[i], part ? 1 : strlen(words[i])) > 0 && salp_shutdown(a) == 0);
            int64_t got = salp_read(b, &byte, 1);
            EXPECT(got == SALP_ETLSPLAIN || (part && words[i][0] == 0x16 && got == SALP_ETRUNCATED));
            EXPECT(salp_read(b, &byte, 1) == got && salp_write(b, "x", 1) == got && salp_shutdown(b) == got);
            close_ends();
            EXPECT(salp_stream_pair(&a, &b) == 0);
            EXPECT(salp_write(b, words[i], part ? 1 : strlen(words[i])) > 0 && salp_shutdown(b) == 0);
            int error = salp_tls_start(a, "localhost", &client);
            EXPECT(error == SALP_ETLSPLAIN || (part && words[i][0] == 0x16 && error == SALP_ETRUNCATED));
            close_ends();
        }
    }
    return 0;
}

static void who_speaks_no_tls_is_told_from_who_breaks_it(void **state)
{
    (void)state;
    in_both_securely(speaks_no_tls);
}

static int connects_to_silence(void *arg)
{
    salp_scope scope;
    salp_stream *stream = (salp_stream *)&scope;
    (void)arg;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL) == 0); /* the system accepts, and nobody answers */
    salp_scope_open(&scope, SALP_MILLISECONDS(20));
    EXPECT(salp_tcp_connect(&stream, "127.0.0.1", salp_listener_port(listener),
                            &(salp_stream_options){ .tls = &client }) == -ETIMEDOUT);
    EXPECT(!stream && salp_scope_close(&scope) == -ETIMEDOUT);
    salp_listener_close(listener);
    return 0;
}

static void a_scope_ends_connecting_in_its_handshake(void **state)
{
    (void)state;
    in_both_securely(connects_to_silence);
}

/* ---- going over to TLS ---- */

static int goes_over(void *arg)
{
    char line[20];
    int ends[2];
    (void)arg;
    EXPECT(salp_stream_pair(&a, &b) == 0);
    write_text(a, "STARTTLS");
    EXPECT(read_text(b, "STARTTLS"));
    write_text(b, "OK");
    EXPECT(read_text(a, "OK"));
    outcome result = secure(&server, &client, "localhost");
    EXPECT(result.client == 0 && result.server == 0);
    write_text(a, "hello");
    EXPECT(read_text(b, "hello"));
    close_ends();

    EXPECT(salp_stream_pair(&a, &b) == 0);
    write_text(a, "STARTTLS\nand more"); /* from whom? */
    EXPECT(salp_read_line(b, line, sizeof line) == 9);
    EXPECT(salp_tls_start_server(b, &server) == -EPROTO && salp_tls_start(b, "localhost", &client) == -EPROTO);
    EXPECT(salp_tls_start(NULL, "localhost", &client) == -EINVAL && salp_tls_start(a, "localhost", NULL) == -EINVAL);
    EXPECT(salp_tls_start_server(NULL, &server) == -EINVAL && salp_tls_start_server(b, NULL) == -EINVAL);
    EXPECT(salp_tls_handshake(a) == -ENOTSUP && salp_tls_handshake(NULL) == -EINVAL);
    EXPECT(salp_tls_spoken(a)[0] == 0 && salp_tls_protocol(NULL)[0] == 0);
    close_ends();

    EXPECT(pipe(ends) == 0 && salp_stream_from_fd(&a, ends[0], NULL) == 0 &&
           salp_stream_from_fd(&b, ends[1], NULL) == 0);
    EXPECT(salp_tls_start(a, "localhost", &client) == -ENOTSUP);
    close_ends();
    EXPECT(salp_stream_from_fd(&a, 0, &(salp_stream_options){ .tls = &client }) == -ENOTSUP && !a);
    return 0;
}

static void a_stream_that_is_open_may_go_over_to_tls(void **state)
{
    (void)state;
    in_both_securely(goes_over);
}

/* ---- transports ---- */

static salp_event *all_lost;
static int lost_error;

static void echo(salp_transport *transport, const void *data, size_t size, void *arg)
{
    (void)arg;
    EXPECT(salp_transport_write(transport, data, size) == 0);
}

static void note_lost(salp_transport *transport, int error, void *arg)
{
    (void)transport, (void)arg;
    lost_error = error;
    EXPECT(salp_event_set(all_lost) == 0);
}

static const salp_protocol *new_echo(void *arg, void **own)
{
    static const salp_protocol echoing = { .received = echo, .lost = note_lost };
    (void)arg, (void)own;
    return &echoing;
}

/* A server of callbacks, and a client that is a stream: its handshake is made by tries of the transport. */
static int serves_by_transports(void *arg)
{
    salp_transport_server *served;
    salp_group group;
    (void)arg;
    EXPECT(salp_event_open(&all_lost, NULL) == 0);
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .tls = &server }) == 0);
    EXPECT(salp_transport_serve(&served, listener, new_echo, NULL,
                                &(salp_transport_options){ .limit = (size_t)4 * LARGE }) == 0);
    EXPECT(salp_tcp_connect(&a, "localhost", salp_listener_port(listener), &(salp_stream_options){ .tls = &client }) ==
           0);
    write_text(a, "pattern?"); /* and it waits for all of the answer, with nothing that would wake the other side */
    EXPECT(read_text(a, "pattern?"));
    salp_stream_close(a);
    EXPECT(salp_event_wait(all_lost) == 0 && lost_error == 0 && salp_event_clear(all_lost) == 0);

    EXPECT(salp_tcp_connect(&a, "localhost", salp_listener_port(listener), &(salp_stream_options){ .tls = &client }) ==
           0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, write_large, a) == 0);
    EXPECT(read_all(a) == large()); /* until its farewell */
    EXPECT(salp_group_close(&group) == 0);
    salp_stream_close(a);
    EXPECT(salp_event_wait(all_lost) == 0 && lost_error == 0 && salp_event_clear(all_lost) == 0);

    EXPECT(salp_tcp_connect(&a, "127.0.0.1", salp_listener_port(listener), NULL) == 0);
    write_text(a, "in the clear\n");
    EXPECT(salp_event_wait(all_lost) == 0 && lost_error == SALP_ETLSPLAIN);
    salp_stream_close(a);
    a = NULL;
    salp_transport_server_close(served);
    salp_listener_close(listener);
    salp_event_close(all_lost);
    return 0;
}

static void transports_are_encrypted_too(void **state)
{
    (void)state;
    in_task(serves_by_transports);
}

typedef struct caller {
    char got[100];
    size_t size;
    int error;
} caller;

static void take(salp_transport *transport, const void *data, size_t size, void *arg)
{
    caller *c = arg;
    EXPECT(c->size + size <= sizeof c->got);
    memcpy(c->got + c->size, data, size);
    c->size += size;
    if (c->size == 7)
        salp_transport_close(transport);
}

static void be_lost(salp_transport *transport, int error, void *arg)
{
    caller *c = arg;
    (void)transport;
    c->error = error;
    EXPECT(salp_event_set(all_lost) == 0);
}

/* A client of callbacks. */
static int connects_by_transports(void *arg)
{
    static const salp_protocol calling = { .received = take, .lost = be_lost };
    salp_group group;
    int64_t time = SALP_FOREVER;
    const salp_tls nobody = { .authorities = root.path, .name = "example.org" };
    (void)arg;
    EXPECT(salp_event_open(&all_lost, NULL) == 0);
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .tls = &server }) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, serve_welcomes, &time) == 0);
    for (int good = 0; good < 2; good++) {
        salp_transport *transport;
        caller c = { .size = 0 };
        const salp_stream_options options = { .tls = good ? &client : &nobody };
        EXPECT(salp_transport_connect_tcp(&transport, "localhost", salp_listener_port(listener), &calling, &c,
                                          &(salp_transport_options){ .stream = &options }) == 0);
        EXPECT(salp_transport_write(transport, "?", 1) == 0);
        EXPECT(salp_event_wait(all_lost) == 0 && salp_event_clear(all_lost) == 0);
        EXPECT(c.error == (good ? 0 : SALP_ETLSNAME));
        EXPECT(c.size == (good ? 7 : 0) && memcmp(c.got, "welcome", c.size) == 0);
    }
    salp_listener_shutdown(listener);
    EXPECT(salp_group_close(&group) == 0);
    salp_listener_close(listener);
    salp_event_close(all_lost);
    return 0;
}

static void transports_connect_encrypted(void **state)
{
    (void)state;
    in_task(connects_by_transports);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("one task reads while another one writes", one_task_reads_while_another_one_writes),
        TEST("one thread reads while another one writes", one_thread_reads_while_another_one_writes),
        TEST("parts and files are written", parts_and_files_are_written),
        TEST("descriptors do not come along", descriptors_do_not_come_along),
        TEST("records may come in any parts", records_may_come_in_any_parts),
        TEST("what was changed on the way is not read", what_was_changed_on_the_way_is_not_read),
        TEST("a connection that is cut has no orderly end", a_connection_that_is_cut_has_no_orderly_end),
        TEST("what came before a cut is not lost", what_came_before_a_cut_is_not_lost),
        TEST("who has ended writing may read on", who_has_ended_writing_may_read_on),
        TEST("another task may end the reading", another_task_may_end_the_reading),
        TEST("another task may end the writing", another_task_may_end_the_writing),
        TEST("who writes and closes is read to the end", who_writes_and_closes_is_read_to_the_end),
        TEST("who writes to nobody gets an error and no signal", who_writes_to_nobody_gets_an_error_and_no_signal),
        TEST("a child that closes says no farewell", a_child_that_closes_says_no_farewell),
        TEST("a scope ends a handshake, and another call goes on with it",
             a_scope_ends_a_handshake_and_another_call_goes_on_with_it),
        TEST("who reads and who writes may both begin", who_reads_and_who_writes_may_both_begin),
        TEST("two threads may both begin", two_threads_may_both_begin),
        TEST("a write that was ended spoils nothing", a_write_that_was_ended_spoils_nothing),
        TEST("who connects and says nothing holds up nobody", who_connects_and_says_nothing_holds_up_nobody),
        TEST("who speaks no TLS is told from who breaks it", who_speaks_no_tls_is_told_from_who_breaks_it),
        TEST("a scope ends connecting in its handshake", a_scope_ends_connecting_in_its_handshake),
        TEST("transports are encrypted, too", transports_are_encrypted_too),
        TEST("transports connect encrypted", transports_connect_encrypted),
        TEST("a stream that is open may go over to TLS", a_stream_that_is_open_may_go_over_to_tls),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
