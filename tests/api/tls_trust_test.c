/*
 * Whom TLS lets in: certificates, names, files, protocols, and the error for each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "secure.h"

#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>

/* ---- good ones ---- */

static int greets(void *arg)
{
    char subject[100];
    open_ends(false);
    write_text(a, "hello");
    EXPECT(read_text(b, "hello"));
    write_text(b, "and back");
    EXPECT(read_text(a, "and back"));
    EXPECT(strcmp(salp_tls_spoken(a), "TLSv1.3") == 0 && strcmp(salp_tls_spoken(b), "TLSv1.3") == 0);
    EXPECT(salp_tls_subject(a, subject, sizeof subject) == 12 && strcmp(subject, "CN=localhost") == 0);
    EXPECT(salp_tls_subject(a, subject, 13) == 12 && salp_tls_subject(a, subject, 12) == -ENOSPC && *subject == 0);
    EXPECT(salp_tls_subject(b, subject, sizeof subject) == 0 && *subject == 0);
    EXPECT(salp_tls_protocol(a)[0] == 0);
    EXPECT(salp_stream_written(a) == 5 && salp_stream_written(b) == 8);
    close_ends();
    (void)arg;
    return 0;
}

static void a_certificate_that_is_good_is_trusted(void **state)
{
    (void)state;
    in_both_securely(greets);
}

static int serve_one_line(salp_stream *stream, void *arg)
{
    char line[100];
    (void)arg;
    EXPECT(salp_tls_spoken(stream)[0] == 0); /* the handshake is made by the first read */
    int64_t size = salp_read_line(stream, line, sizeof line);
    if (size == SALP_ETLSREFUSED)
        return 0; /* one of them takes us for somebody else */
    EXPECT(size > 0);
    write_text(stream, line);
    EXPECT(salp_shutdown(stream) == 0 && salp_read(stream, line, sizeof line) == 0);
    return 0;
}

static salp_listener *listener;

static int serve_lines(void *arg)
{
    return salp_serve(listener, serve_one_line, arg);
}

static void ask(const char *host, const salp_tls *tls)
{
    salp_stream *stream;
    char byte;
    EXPECT(salp_tcp_connect(&stream, host, salp_listener_port(listener), &(salp_stream_options){ .tls = tls }) == 0);
    write_text(stream, "a line\n");
    EXPECT(read_text(stream, "a line\n") && salp_read(stream, &byte, 1) == 0);
    salp_stream_close(stream);
}

static int connects(void *arg)
{
    salp_group group;
    salp_address address;
    salp_stream *stream;
    const salp_tls nobody = { .authorities = root.path, .name = "somebody.example" };
    salp_tls settings = server;
    (void)arg;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, &(salp_listen_options){ .tls = &settings }) == 0);
    settings = (salp_tls){ .certificate = NULL }; /* they need not stay */
    salp_group_open(&group);
    EXPECT(salp_go(&group, serve_lines, NULL) == 0);
    ask("127.0.0.1", &client); /* the certificate has the address, too */
    ask("localhost", &client);
    ask("localhost.", &client);
    EXPECT(salp_listener_address(listener, &address) == 0);
    EXPECT(salp_stream_connect(&stream, &address, &(salp_stream_options){ .tls = &nobody }) == SALP_ETLSNAME &&
           !stream);
    EXPECT(salp_stream_connect(&stream, &address, &(salp_stream_options){ .tls = &client }) == 0);
    write_text(stream, "x\n");
    EXPECT(read_text(stream, "x\n"));
    salp_stream_close(stream);
    salp_listener_shutdown(listener);
    EXPECT(salp_group_close(&group) == 0);
    salp_listener_close(listener);
    return 0;
}

static void names_and_addresses_are_verified_when_connecting(void **state)
{
    (void)state;
    in_task(connects);
}

/* ---- bad ones ---- */

/* A server with this certificate, of which the client says this. */
static void expect_verdict(const certificate *c, const salp_tls *tls, const char *host, int verdict,
                           const char *details)
{
    const salp_tls settings = { .certificate = c->path, .key = c->key_path };
    outcome result = meet(&settings, tls, host);
    EXPECT(result.client == verdict);
    if (verdict < 0) {
        EXPECT(strstr(client_text, details));
        EXPECT(result.server == SALP_ETLSREFUSED || result.server == SALP_ETRUNCATED);
        const salp_tls careless = { .dangerously_trust_anybody = true };
        result = meet(&settings, &careless, host);
        EXPECT(result.client == 0);
    }
    EXPECT(result.server == 0);
    close_ends();
}

static int judges(void *arg)
{
    certificate other = certify("other", &(wish){ .authority = true });
    certificate middle = certify("middle", &(wish){ .by = &root, .authority = true });
    const struct {
        wish wish;
        const char *host;
        int verdict;
        const char *details;
    } cases[] = {
        { { .by = &root, .dns = "localhost" }, "localhost", 0, "" },
        { { .by = &root, .dns = "localhost", .use = "serverAuth" }, "LocalHost", 0, "" },
        { { .by = &root, .dns = "*.example.org" }, "www.example.org", 0, "" },
        { { .by = &root, .ip = "::1" }, "::1", 0, "" },
        { { .by = &root, .ip = "fe80::1" }, "fe80::1%eth0", 0, "" },
        { { .dns = "localhost" }, "localhost", SALP_ETLSTRUST, "self-signed" },
        { { .by = &other, .dns = "localhost" }, "localhost", SALP_ETLSTRUST, "issuer" },
        { { .by = &middle, .dns = "localhost" },
          "localhost",
          SALP_ETLSTRUST,
          "issuer" }, /* the server does not send it */
        { { .by = &root, .dns = "localhost" }, "example.org", SALP_ETLSNAME, "ostname mismatch" },
        { { .by = &root, .dns = "*.example.org" }, "a.b.example.org", SALP_ETLSNAME, "ostname mismatch" },
        { { .by = &root, .dns = "127.0.0.1" }, "127.0.0.1", SALP_ETLSNAME, "IP address mismatch" }, /* as a name */
        { { .by = &root, .ip = "127.0.0.2" }, "127.0.0.1", SALP_ETLSNAME, "IP address mismatch" },
        { { .by = &root, .dns = "localhost", .from = -3, .to = -1 }, "localhost", SALP_ETLSDATE, "expired" },
        { { .by = &root, .dns = "localhost", .from = 1, .to = 3 }, "localhost", SALP_ETLSDATE, "not yet valid" },
        { { .by = &root, .dns = "localhost", .use = "clientAuth" }, "localhost", SALP_ETLSCERTIFICATE, "purpose" },
    };
    (void)arg;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        certificate c = certify("judged", &cases[i].wish);
        expect_verdict(&c, &client, cases[i].host, cases[i].verdict, cases[i].details);
        forget_certificate(&c);
    }
    forget_certificate(&other);
    forget_certificate(&middle);
    return 0;
}

static void a_certificate_that_is_not_good_is_refused_with_its_cause(void **state)
{
    (void)state;
    in_both_securely(judges);
}

static int expects_names(void *arg)
{
    salp_tls named = client;
    (void)arg;
    named.name = "localhost";
    expect_verdict(&localhost, &named, "example.org", 0, "");
    expect_verdict(&localhost, &named, NULL, 0, "");
    named.name = "example.org";
    expect_verdict(&localhost, &named, "localhost", SALP_ETLSNAME, "ostname mismatch");
    static const char *const none[] = { "", ".", ".localhost", NULL };
    for (int i = 0; i < 4; i++) {
        named.name = none[i];
        EXPECT(salp_stream_pair(&a, &b) == 0);
        EXPECT(salp_tls_start(a, NULL, &named) == -EINVAL);
        close_ends();
    }
    return 0;
}

static void the_name_may_be_another_one_than_that_of_the_host(void **state)
{
    (void)state;
    in_task(expects_names);
}

/* ---- certificates of clients ---- */

/* What both get: the client after it has read, since it connects before it is looked at. */
static outcome show(const salp_tls *asking, const certificate *shown)
{
    char byte;
    salp_tls showing = client;
    if (shown) {
        showing.certificate = shown->path;
        showing.key = shown->key_path;
    }
    outcome result = meet(asking, &showing, "localhost");
    if (a && b)
        write_text(b, "x");
    if (a && result.client == 0) {
        int64_t got = salp_read(a, &byte, 1);
        result.client = got < 0 ? (int)got : 0;
    }
    return result;
}

static int shows_certificates(void *arg)
{
    char subject[100];
    certificate good = certify("ada", &(wish){ .by = &root }), bad = certify("bob", &(wish){ .use = "clientAuth" });
    certificate old = certify("eve", &(wish){ .by = &root, .from = -3, .to = -1 });
    salp_tls asking = server;
    asking.authorities = root.path;
    (void)arg;
    for (salp_tls_clients clients = SALP_TLS_ASK; clients <= SALP_TLS_REQUIRE; clients++) {
        asking.clients = clients;
        outcome result = show(&asking, &good);
        EXPECT(result.client == 0 && result.server == 0);
        EXPECT(salp_tls_subject(b, subject, sizeof subject) == 6 && strcmp(subject, "CN=ada") == 0);
        close_ends();
        result = show(&asking, &bad);
        EXPECT(result.client == SALP_ETLSREFUSED && result.server == SALP_ETLSTRUST);
        close_ends();
        result = show(&asking, &old);
        EXPECT(result.client == SALP_ETLSREFUSED && result.server == SALP_ETLSDATE);
        close_ends();
        result = show(&asking, NULL);
        EXPECT(result.client == (clients == SALP_TLS_ASK ? 0 : SALP_ETLSMISSING) && result.server == result.client);
        close_ends();
    }
    forget_certificate(&good);
    forget_certificate(&bad);
    forget_certificate(&old);
    return 0;
}

static void servers_may_ask_for_certificates(void **state)
{
    (void)state;
    in_both_securely(shows_certificates);
}

/* ---- folders of authorities ---- */

static int looks_into_folders(void *arg)
{
    char name[40], path[2 * SCRATCH];
    salp_tls asking = server, folder = client;
    certificate good = certify("ada", &(wish){ .by = &root });
    folder.authorities = asking.authorities = scratch;
    asking.clients = SALP_TLS_REQUIRE;
    outcome result = meet(&server, &folder, "localhost");
    EXPECT(result.client == SALP_ETLSTRUST);
    close_ends();
    snprintf(name, sizeof name, "%08lx", X509_NAME_hash_ex(X509_get_subject_name(root.x509), NULL, NULL, NULL));
    scratch_path(path, name, ".0"); /* as `openssl rehash` names it */
    EXPECT(symlink(root.path, path) == 0);
    folder.certificate = good.path;
    folder.key = good.key_path;
    result = meet(&asking, &folder, "localhost");
    EXPECT(result.client == 0 && result.server == 0);
    close_ends();
    forget_certificate(&good);
    EXPECT(unlink(path) == 0);
    (void)arg;
    return 0;
}

static void authorities_may_be_a_folder(void **state)
{
    (void)state;
    in_task(looks_into_folders);
}

/* ---- files ---- */

static void expect_refusal(salp_tls tls, int error)
{
    salp_listener *none = (salp_listener *)&tls;
    assert_int_equal(salp_tcp_listen(&none, "127.0.0.1", 0, &(salp_listen_options){ .tls = &tls }), error);
    assert_null(none);
    if (error <= SALP_ETLSFILE && error >= SALP_ETLSKEY)
        assert_true(*salp_tls_error_text());
    if (error != -EINVAL)
        assert_int_equal(salp_tls_prepare(&tls), error);
    assert_null(tls.salp__private);
    assert_int_equal(ERR_peek_error(), 0);
}

static void files_that_are_no_good_are_told_by_the_call_that_reads_them(void **state)
{
    (void)state;
    char missing[2 * SCRATCH], garbage[2 * SCRATCH], empty[2 * SCRATCH], locked[2 * SCRATCH];
    open_secure();
    certificate other = certify("other", &(wish){ .dns = "localhost" });
    certificate rsa = certify("rsa", &(wish){ .dns = "localhost", .rsa = true });
    scratch_path(missing, "missing", ".pem");
    scratch_path(garbage, "garbage", ".pem");
    scratch_path(empty, "empty", ".pem");
    scratch_path(locked, "locked", ".key");
    FILE *file = fopen(garbage, "w");
    fputs("-----BEGIN CERTIFICATE-----\nthis is none\n-----END CERTIFICATE-----\n", file);
    fclose(file);
    fclose(fopen(empty, "w"));
    file = fopen(locked, "w");
    assert_true(PEM_write_PrivateKey(file, other.key, EVP_aes_128_cbc(), (const unsigned char *)"word", 4, NULL, NULL));
    fclose(file);

    expect_refusal((salp_tls){ .certificate = missing, .key = other.key_path }, -ENOENT);
    expect_refusal((salp_tls){ .certificate = other.path, .key = missing }, -ENOENT);
    expect_refusal((salp_tls){ .certificate = garbage, .key = other.key_path }, SALP_ETLSFILE);
    expect_refusal((salp_tls){ .certificate = empty, .key = other.key_path }, SALP_ETLSFILE);
    expect_refusal((salp_tls){ .certificate = other.path, .key = garbage }, SALP_ETLSFILE);
    expect_refusal((salp_tls){ .certificate = other.path, .key = locked }, SALP_ETLSFILE); /* nobody is asked */
    expect_refusal((salp_tls){ .certificate = other.path }, SALP_ETLSFILE);                /* no key in the same file */
    expect_refusal((salp_tls){ .certificate = other.path, .key = root.key_path }, SALP_ETLSKEY);
    expect_refusal((salp_tls){ .certificate = other.path, .key = rsa.key_path }, SALP_ETLSKEY);
    expect_refusal((salp_tls){ .certificate = rsa.path, .key = other.key_path }, SALP_ETLSKEY);

    salp_tls asking = { .certificate = other.path, .key = other.key_path, .clients = SALP_TLS_ASK };
    expect_refusal(asking, -EINVAL); /* of whose? */
    asking.authorities = missing;
    expect_refusal(asking, -ENOENT);
    asking.authorities = garbage;
    expect_refusal(asking, SALP_ETLSFILE);
    asking.authorities = empty;
    expect_refusal(asking, SALP_ETLSFILE);

    expect_refusal((salp_tls){ .certificate = NULL }, -EINVAL);
    expect_refusal((salp_tls){ .key = other.key_path }, -EINVAL);
    asking = (salp_tls){ .certificate = other.path, .key = other.key_path, .oldest = (salp_tls_version)7 };
    expect_refusal(asking, -EINVAL);
    asking = (salp_tls){ .certificate = other.path, .key = other.key_path, .clients = (salp_tls_clients)7 };
    expect_refusal(asking, -EINVAL);
    static const char *const protocols[] = { "", ",", "h2,", ",h2", "h2,,h3" };
    for (size_t i = 0; i < LENGTH(protocols); i++) {
        asking = (salp_tls){ .certificate = other.path, .key = other.key_path, .protocols = protocols[i] };
        expect_refusal(asking, -EINVAL);
    }
    forget_certificate(&other);
    forget_certificate(&rsa);
    close_secure();
}

static int prepares(void *arg)
{
    outcome result;
    salp_tls both = server;
    both.authorities = root.path;
    EXPECT(salp_tls_prepare(NULL) == -EINVAL && salp_tls_prepare(&both) == 0);
    salp_tls_forget(NULL);
    EXPECT(rename(root.path, localhost.path) == 0); /* both files are gone, and nobody reads them any more */
    for (int i = 0; i < 3; i++) {
        result = meet(&both, &both, "localhost");
        EXPECT(result.client == 0 && result.server == 0);
        close_ends();
    }
    EXPECT(salp_tls_prepare(&both) < 0); /* all is as before */
    result = meet(&both, &both, "localhost");
    EXPECT(result.client == 0 && result.server == 0);
    salp_tls_forget(&both); /* those that are open go on */
    salp_tls_forget(&both);
    write_text(a, "hello");
    EXPECT(read_text(b, "hello"));
    close_ends();
    EXPECT(salp_stream_pair(&a, &b) == 0 && salp_tls_start_server(b, &both) < 0);
    close_ends();
    (void)arg;
    return 0;
}

static void settings_that_are_prepared_read_no_files(void **state)
{
    (void)state;
    in_task(prepares);
}

/* ---- protocols and versions ---- */

static int agrees(void *arg)
{
    static const struct {
        const char *server, *client, *chosen; /* NULL: nothing in common */
    } cases[] = {
        { "h2,http/1.1", "http/1.1,h2", "h2" }, /* the server chooses */
        { "h2,http/1.1", "spdy,http/1.1", "http/1.1" },
        { "h2", "http/1.1", NULL },
        { "h2", NULL, "" },
        { NULL, "h2", "" },
    };
    (void)arg;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        salp_tls s = server, c = client;
        s.protocols = cases[i].server;
        c.protocols = cases[i].client;
        outcome result = meet(&s, &c, "localhost");
        if (cases[i].chosen) {
            EXPECT(result.client == 0 && result.server == 0);
            EXPECT(strcmp(salp_tls_protocol(a), cases[i].chosen) == 0);
            EXPECT(strcmp(salp_tls_protocol(b), cases[i].chosen) == 0);
        } else {
            EXPECT(result.client == SALP_ETLSCOMMON && result.server == SALP_ETLSCOMMON);
        }
        close_ends();
    }
    return 0;
}

static void a_protocol_is_agreed_on(void **state)
{
    (void)state;
    in_both_securely(agrees);
}

/* ---- beside the program's own OpenSSL ---- */

static int has_errors_of_its_own(void *arg)
{
    open_ends(false);
    for (int i = 0; i < 3; i++) {
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH); /* left behind by somebody */
        write_text(a, "hello");
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
        EXPECT(read_text(b, "hello"));
    }
    ERR_clear_error();
    close_ends();
    (void)arg;
    return 0;
}

static void errors_of_others_are_not_taken_for_ours(void **state)
{
    (void)state;
    in_both_securely(has_errors_of_its_own);
}

static int leaves_no_errors(void *arg)
{
    certificate bad = certify("bad", &(wish){ .dns = "localhost" });
    expect_verdict(&bad, &client, "localhost", SALP_ETLSTRUST, "self-signed");
    EXPECT(ERR_peek_error() == 0);
    forget_certificate(&bad);
    (void)arg;
    return 0;
}

static void our_errors_are_not_left_to_others(void **state)
{
    (void)state;
    in_both_securely(leaves_no_errors);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a certificate that is good is trusted", a_certificate_that_is_good_is_trusted),
        TEST("names and addresses are verified when connecting", names_and_addresses_are_verified_when_connecting),
        TEST("a certificate that is not good is refused with its cause",
             a_certificate_that_is_not_good_is_refused_with_its_cause),
        TEST("the name may be another one than that of the host", the_name_may_be_another_one_than_that_of_the_host),
        TEST("servers may ask for certificates", servers_may_ask_for_certificates),
        TEST("authorities may be a folder", authorities_may_be_a_folder),
        TEST("files that are no good are told by the call that reads them",
             files_that_are_no_good_are_told_by_the_call_that_reads_them),
        TEST("settings that are prepared read no files", settings_that_are_prepared_read_no_files),
        TEST("a protocol is agreed on", a_protocol_is_agreed_on),
        TEST("errors of others are not taken for ours", errors_of_others_are_not_taken_for_ours),
        TEST("our errors are not left to others", our_errors_are_not_left_to_others),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
