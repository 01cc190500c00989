/*
 * TLS with programs that others have written: `openssl s_client`, `openssl s_server`, curl.
 *
 * SPDX-License-Identifier: MIT
 */
#include "secure.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* A program, and what goes into it and comes out of it. */
typedef struct program {
    pid_t pid;
    salp_stream *in, *out;
} program;

static bool is_there(const char *name)
{
    char path[200];
    static const char *const folders[] = { "/usr/bin", "/bin", "/usr/local/bin" };
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static void need(const char *name)
{
    char reason[100];
    snprintf(reason, sizeof reason, "there is no %s", name);
    if (!is_there(name))
        test_skip(reason);
}

static program start(const char *const words[])
{
    program p;
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    EXPECT(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    EXPECT(posix_spawn_file_actions_init(&actions) == 0);
    EXPECT(posix_spawn_file_actions_adddup2(&actions, in[0], 0) == 0);
    EXPECT(posix_spawn_file_actions_adddup2(&actions, out[1], 1) == 0);
    EXPECT(posix_spawn_file_actions_adddup2(&actions, out[1], 2) == 0);
    EXPECT(posix_spawnp(&p.pid, words[0], &actions, NULL, (char *const *)words, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    EXPECT(salp_stream_from_fd(&p.in, in[1], NULL) == 0 && salp_stream_from_fd(&p.out, out[0], NULL) == 0);
    return p;
}

/* Whether it says that, sooner or later. Keeps what it has said in `said`. */
static bool hears(program *p, const char *wanted, char *said, size_t size)
{
    size_t length = 0;
    *said = 0;
    while (length + 1 < size) {
        int64_t got = salp_read(p->out, said + length, size - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        said[length] = 0;
        if (wanted && strstr(said, wanted))
            return true;
    }
    return !wanted;
}

/* Its exit status. */
static int end(program *p)
{
    int status;
    salp_stream_close(p->in);
    salp_stream_close(p->out);
    EXPECT(waitpid(p->pid, &status, 0) == p->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A client leaves when its input ends, and says farewell. */
static void let_leave(program *p, salp_stream *stream)
{
    char byte;
    salp_stream_close(p->in);
    p->in = NULL;
    EXPECT(salp_read(stream, &byte, 1) == 0);
}

static salp_listener *listener;
static char port[8], place[40];

static void listen_securely(const salp_tls *tls)
{
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .tls = tls }) == 0);
    snprintf(port, sizeof port, "%d", salp_listener_port(listener));
    snprintf(place, sizeof place, "127.0.0.1:%s", port); /* a bare system knows no names */
}

static char said[100000];

/* ---- openssl s_client ---- */

static int serves_a_client_of_openssl(void *version)
{
    salp_stream *stream;
    char line[100];
    salp_tls tls = server;
    tls.protocols = "http/1.1";
    listen_securely(&tls);
    program p = start((const char *const[]){ "openssl", "s_client", "-connect", place, "-CAfile", root.path,
                                             "-verify_return_error", "-verify_hostname", "localhost", "-alpn",
                                             "h2,http/1.1", version, NULL });
    EXPECT(salp_accept(listener, &stream) == 0);
    EXPECT(salp_write(p.in, "hello\n", 6) == 6);
    EXPECT(salp_read_line(stream, line, sizeof line) == 6 && strcmp(line, "hello\n") == 0);
    EXPECT(strcmp(salp_tls_protocol(stream), "http/1.1") == 0);
    EXPECT(strcmp(salp_tls_spoken(stream), strcmp(version, "-tls1_2") == 0 ? "TLSv1.2" : "TLSv1.3") == 0);
    write_text(stream, "and back\n");
    EXPECT(hears(&p, "and back\n", said, sizeof said));
    EXPECT(strstr(said, "Verification: OK"));
    if (strcmp(version, "-tls1_3") == 0) { /* new keys, asked of us, too */
        EXPECT(salp_write(p.in, "K\n", 2) == 2 && hears(&p, "KEYUPDATE", said, sizeof said));
        EXPECT(salp_write(p.in, "hello\n", 6) == 6);
        EXPECT(salp_read_line(stream, line, sizeof line) == 6 && strcmp(line, "hello\n") == 0);
        write_text(stream, "with new keys\n");
        EXPECT(hears(&p, "with new keys\n", said, sizeof said));
        let_leave(&p, stream);
    } else { /* is not granted: its business is to leave */
        EXPECT(salp_write(p.in, "R\n", 2) == 2);
        int64_t got = salp_read(stream, line, sizeof line);
        EXPECT(got == SALP_ETLSREFUSED);
    }
    salp_stream_close(stream);
    end(&p);
    salp_listener_close(listener);
    return 0;
}

static void openssl_is_served(void **state)
{
    (void)state;
    need("openssl");
    open_secure();
    assert_int_equal(salp_run(serves_a_client_of_openssl, (char *)"-tls1_3"), 0);
    assert_int_equal(salp_run(serves_a_client_of_openssl, (char *)"-tls1_2"), 0);
    assert_int_equal(serves_a_client_of_openssl((char *)"-tls1_3"), 0);
    close_secure();
}

/* Of all that it says nothing else is tried: who is too old for us is told so. */
static int refuses_old_clients(void *arg)
{
    salp_stream *stream;
    char byte;
    salp_tls tls = server;
    (void)arg;
    tls.oldest = SALP_TLS_1_3;
    listen_securely(&tls);
    program p = start((const char *const[]){ "openssl", "s_client", "-connect", place, "-tls1_2", NULL });
    EXPECT(salp_accept(listener, &stream) == 0);
    EXPECT(salp_read(stream, &byte, 1) == SALP_ETLSCOMMON);
    salp_stream_close(stream);
    EXPECT(hears(&p, "alert protocol version", said, sizeof said));
    EXPECT(end(&p) != 0);
    salp_listener_close(listener);
    return 0;
}

static void who_is_too_old_is_refused(void **state)
{
    (void)state;
    need("openssl");
    in_both_securely(refuses_old_clients);
}

/* It comes twice, the second time with what it was given the first time. */
static int resumes(void *arg)
{
    char session[2 * SCRATCH];
    scratch_path(session, "session", ".pem");
    (void)arg;
    listen_securely(&server);
    for (int again = 0; again < 2; again++) {
        salp_stream *stream;
        char line[100];
        program p = start((const char *const[]){ "openssl", "s_client", "-connect", place, "-CAfile", root.path,
                                                 again ? "-sess_in" : "-sess_out", session, NULL });
        EXPECT(salp_accept(listener, &stream) == 0 && salp_write(p.in, "hello\n", 6) == 6);
        EXPECT(salp_read_line(stream, line, sizeof line) == 6);
        write_text(stream, "and back\n");
        EXPECT(hears(&p, "and back\n", said, sizeof said));
        EXPECT(strstr(said, again ? "Reused, TLSv1.3" : "New, TLSv1.3"));
        let_leave(&p, stream);
        salp_stream_close(stream);
        end(&p);
    }
    salp_listener_close(listener);
    return 0;
}

static void sessions_are_resumed(void **state)
{
    (void)state;
    need("openssl");
    in_task(resumes);
}

/* ---- openssl s_server ---- */

static int talks_to_a_server_of_openssl(void *version)
{
    salp_stream *stream;
    char line[100], *at;
    program p =
        start((const char *const[]){ "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", localhost.path, "-key",
                                     localhost.key_path, "-alpn", "echo", "-naccept", "1", "-rev", version, NULL });
    EXPECT(hears(&p, "ACCEPT 127.0.0.1:", said, sizeof said));
    while (!strchr(at = strstr(said, "ACCEPT 127.0.0.1:"), '\n')) {
        size_t length = strlen(said);
        int64_t got = salp_read(p.out, said + length, 1);
        EXPECT(got == 1);
        said[length + 1] = 0;
    }
    salp_tls tls = client;
    tls.protocols = "echo";
    EXPECT(salp_tcp_connect(&stream, "127.0.0.1", atoi(at + strlen("ACCEPT 127.0.0.1:")),
                            &(salp_stream_options){ .tls = &tls }) == 0);
    EXPECT(strcmp(salp_tls_protocol(stream), "echo") == 0);
    EXPECT(strcmp(salp_tls_spoken(stream), strcmp(version, "-tls1_2") == 0 ? "TLSv1.2" : "TLSv1.3") == 0);
    for (int i = 0; i < 10; i++) {
        write_text(stream, "hello\n");
        EXPECT(salp_read_line(stream, line, sizeof line) == 6 && strcmp(line, "olleh\n") == 0);
    }
    salp_stream_close(stream);
    hears(&p, NULL, said, sizeof said);
    EXPECT(end(&p) == 0);
    return 0;
}

static void openssl_serves_us(void **state)
{
    (void)state;
    need("openssl");
    open_secure();
    assert_int_equal(salp_run(talks_to_a_server_of_openssl, (char *)"-tls1_3"), 0);
    assert_int_equal(salp_run(talks_to_a_server_of_openssl, (char *)"-tls1_2"), 0);
    assert_int_equal(talks_to_a_server_of_openssl((char *)"-tls1_2"), 0);
    close_secure();
}

/* ---- curl ---- */

enum { PAGE = 1000000 };

static int serve_page(salp_stream *stream, void *page)
{
    char line[1000], head[100];
    int64_t size;
    while ((size = salp_read_until(stream, line, sizeof line, "\r\n")) > 2)
        continue;
    if (size < 0)
        return (int)size;
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", PAGE);
    salp_bytes parts[] = { { head, strlen(head) }, { page, PAGE } };
    int64_t written = salp_writev(stream, parts, 2);
    return written < 0 ? (int)written : salp_shutdown(stream);
}

static int last_error;

static void note_error(int error, void *arg)
{
    (void)arg;
    last_error = error;
}

static int serve_pages(void *page)
{
    return salp_serve(listener, serve_page, page);
}

static int serves_curl(void *arg)
{
    salp_group group;
    char url[100], *page = malloc(PAGE), *got = malloc(PAGE + 1);
    (void)arg;
    EXPECT(page && got);
    memset(page, 'p', PAGE);
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0,
                           &(salp_listen_options){ .tls = &server, .on_error = note_error }) == 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", salp_listener_port(listener));
    salp_group_open(&group);
    EXPECT(salp_go(&group, serve_pages, page) == 0);
    for (int i = 0; i < 3; i++) {
        program p = start((const char *const[]){ "curl", "-q", "--silent", "--noproxy", "*", "--ipv4", "--cacert",
                                                 root.path, url, NULL });
        EXPECT(salp_read_exactly(p.out, got, PAGE) == PAGE && salp_read(p.out, got + PAGE, 1) == 0);
        EXPECT(memcmp(got, page, PAGE) == 0 && end(&p) == 0);
    }
    EXPECT(last_error == 0);
    certificate other = certify("other", &(wish){ .authority = true });
    program p = start((const char *const[]){ "curl", "-q", "--silent", "--noproxy", "*", "--ipv4", "--cacert",
                                             other.path, url, NULL });
    hears(&p, NULL, said, sizeof said);
    EXPECT(end(&p) == 60); /* it does not trust our authority */
    forget_certificate(&other);
    salp_listener_shutdown(listener);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(last_error == SALP_ETLSREFUSED);
    salp_listener_close(listener);
    free(page);
    free(got);
    return 0;
}

static void curl_is_served(void **state)
{
    (void)state;
    need("curl");
    in_task(serves_curl);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("openssl is served", openssl_is_served),
        TEST("who is too old is refused", who_is_too_old_is_refused),
        TEST("sessions are resumed", sessions_are_resumed),
        TEST("openssl serves us", openssl_serves_us),
        TEST("curl is served", curl_is_served),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
