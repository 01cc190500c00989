/*
 * files-server.c - an HTTP/1.1 server of the files of a folder, on one loop or on several.
 *
 *     cc files-server.c $(pkg-config --cflags --libs salp) -lhttp_parser -o files-server
 *     ./files-server [--loops N] [--port P] FOLDER
 *
 * A task serves one connection, in straight-line code: read a request, answer it, and so on. What waits, waits in a scope
 * with a deadline, so that a slow client costs a task for a while and nothing else. SIGINT and SIGTERM stop it: no more
 * connections, and those that are there have some seconds to end.
 *
 * Each loop has a listener of its own for the same port, and the system shares the connections out among them. The loops
 * have nothing in common that changes.
 *
 * Files are opened by a path below the folder (openat2 with RESOLVE_BENEATH), so neither ".." nor a link leads out of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <http_parser.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <salp.h>

enum {
    MOST_LOOPS = 64,
    HEADERS = 8192, /* bytes of a request's headers, at most */
    SMALL = 16384,  /* files up to this size go out in one write, with their headers */
    STEP = 1 << 20, /* of larger ones, what has to go out within `patience` */
    IN = 4096,
};

static const int64_t patience = SALP_SECONDS(20), /* for a request to come, and for each step of an answer to go */
    farewell = SALP_SECONDS(2),                   /* for a client to take the last answer */
    grace = SALP_SECONDS(3);                      /* for connections to end, when the server is stopped */

typedef struct server {
    int folder;
    int loops;
    atomic_int started;
    salp_listener *listeners[MOST_LOOPS];
} server;

/* ---- requests ---- */

typedef struct text {
    size_t size; /* may be more than there is room for: it was too long */
    char data[1000];
} text;

typedef struct request {
    int status; /* 200, or what is wrong with it */
    bool complete, keep_alive;
    unsigned method;
    text url, name, range, since; /* name: of the header that is being read */
    text *value;                  /* where its value belongs, or NULL */
} request;

typedef struct connection {
    const server *server;
    salp_stream *stream;
    size_t begin, end; /* of what was read and not used */
    char in[IN];
    char out[SMALL + 1000];
} connection;

static void append(text *t, const char *data, size_t size)
{
    if (t->size + size < sizeof t->data) {
        memcpy(t->data + t->size, data, size);
        t->data[t->size + size] = 0;
    }
    t->size += size;
}

static bool is_whole(const text *t)
{
    return t->size > 0 && t->size < sizeof t->data;
}

static int on_url(http_parser *parser, const char *data, size_t size)
{
    request *r = parser->data;
    append(&r->url, data, size);
    return 0;
}

static int on_name(http_parser *parser, const char *data, size_t size)
{
    request *r = parser->data;
    if (r->value)
        r->name.size = 0; /* the next header */
    r->value = NULL;
    append(&r->name, data, size);
    return 0;
}

static int on_value(http_parser *parser, const char *data, size_t size)
{
    static text ignored;
    request *r = parser->data;
    if (!r->value) {
        bool known = is_whole(&r->name);
        r->value = known && strcasecmp(r->name.data, "range") == 0               ? &r->range
                   : known && strcasecmp(r->name.data, "if-modified-since") == 0 ? &r->since
                                                                                 : &ignored;
    }
    if (r->value != &ignored)
        append(r->value, data, size);
    return 0;
}

static int on_complete(http_parser *parser)
{
    request *r = parser->data;
    r->complete = true;
    r->method = parser->method;
    r->keep_alive = http_should_keep_alive(parser);
    http_parser_pause(parser, 1); /* what follows is the next request */
    return 0;
}

static const http_parser_settings parsing = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_message_complete = on_complete,
};

/* Returns 1: there is a request, though maybe a wrong one; 0: the client has ended; or an error. */
static int read_request(connection *c, request *r)
{
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = r;
    while (!r->complete) {
        if (c->begin == c->end) {
            int64_t size = salp_read(c->stream, c->in, sizeof c->in);
            if (size <= 0)
                return (int)size;
            c->begin = 0;
            c->end = (size_t)size;
        }
        c->begin += http_parser_execute(&parser, &parsing, c->in + c->begin, c->end - c->begin);
        enum http_errno error = HTTP_PARSER_ERRNO(&parser);
        if (!r->complete && error != HPE_OK) {
            r->status = error == HPE_HEADER_OVERFLOW ? 431 : 400;
            return 1;
        }
    }
    if (r->method != HTTP_GET && r->method != HTTP_HEAD)
        r->status = 405;
    else if (!is_whole(&r->url))
        r->status = 414;
    return 1;
}

/* ---- files ---- */

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Writes the path below the folder that the URL asks for. false: it is none. */
static bool read_path(const text *url, char path[sizeof url->data + sizeof "index.html"])
{
    struct http_parser_url parts;
    http_parser_url_init(&parts);
    if (http_parser_parse_url(url->data, url->size, 0, &parts) != 0 || !(parts.field_set & 1 << UF_PATH))
        return false;
    const char *from = url->data + parts.field_data[UF_PATH].off, *end = from + parts.field_data[UF_PATH].len;
    char *to = path;
    while (from < end && *from == '/')
        from++;
    while (from < end) {
        char byte = *from++;
        if (byte == '%') {
            if (end - from < 2 || !isxdigit((unsigned char)from[0]) || !isxdigit((unsigned char)from[1]))
                return false;
            byte = (char)(digit(from[0]) << 4 | digit(from[1]));
            from += 2;
        }
        if (byte == 0)
            return false;
        *to++ = byte;
    }
    *to = 0;
    if (to == path || to[-1] == '/')
        strcpy(to, "index.html");
    return path[0] != '/'; /* "/%2fetc" */
}

/* Returns a descriptor, or a status. */
static int open_file(const server *s, const char *path, struct stat *status)
{
    /* O_NONBLOCK: a pipe without a writer would hold up the loop. */
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, s->folder, path, &how, sizeof how);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EAGAIN ? -503
               : errno == EACCES                                                        ? -403
                                                                                        : -404;
    if (fstat(fd, status) == 0 && S_ISREG(status->st_mode))
        return fd;
    close(fd);
    return -404;
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        { "html", "text/html; charset=utf-8" },
        { "txt", "text/plain; charset=utf-8" },
        { "css", "text/css" },
        { "js", "text/javascript" },
        { "json", "application/json" },
        { "svg", "image/svg+xml" },
        { "png", "image/png" },
        { "jpg", "image/jpeg" },
        { "gif", "image/gif" },
        { "pdf", "application/pdf" },
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(dot + 1, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* ---- answers ---- */

typedef struct answer {
    int status;
    int file; /* -1: there is none */
    int64_t offset, size;
    int64_t whole; /* size of the file */
    const char *type;
    char modified[40];
} answer;

static void write_date(char date[40], time_t when)
{
    struct tm parts;
    gmtime_r(&when, &parts);
    strftime(date, 40, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static const char *date_now(void)
{
    static _Thread_local char date[40];
    static _Thread_local time_t written;
    time_t now = time(NULL);
    if (now != written)
        write_date(date, now);
    written = now;
    return date;
}

static const char *reason_of(int status)
{
    switch (status) {
#define REASON(number, name, text) \
    case number:                   \
        return #text;
        HTTP_STATUS_MAP(REASON)
#undef REASON
    default:
        return "Unknown";
    }
}

/* "bytes=5-9", "bytes=5-" or "bytes=-5"; of any other, all of the file is sent, as the standard allows. */
static void choose_range(answer *a, const text *range)
{
    long long first = -1, last = -1;
    int end = 0;
    if (!is_whole(range))
        return;
    if (sscanf(range->data, "bytes=-%lld%n", &last, &end) == 1 && range->data[end] == 0 && last >= 0) {
        first = last < a->whole ? a->whole - last : 0;
        last = last > 0 ? a->whole - 1 : -1;
    } else if (sscanf(range->data, "bytes=%lld-%n", &first, &end) == 1 && end > 0 && first >= 0) {
        if (range->data[end] == 0)
            last = a->whole - 1;
        else if (!isdigit((unsigned char)range->data[end]) || sscanf(range->data + end, "%lld%n", &last, &end) != 1 ||
                 last < first)
            return;
        if (strchr(range->data, ','))
            return;
    } else {
        return;
    }
    if (first >= a->whole || last < first) {
        a->status = 416;
        return;
    }
    a->status = 206;
    a->offset = first;
    a->size = (last < a->whole ? last + 1 : a->whole) - first;
}

static void choose(const connection *c, const request *r, answer *a)
{
    char path[sizeof r->url.data + sizeof "index.html"];
    struct stat status;
    a->status = r->status;
    if (a->status != 200)
        return;
    if (!read_path(&r->url, path)) {
        a->status = 400;
        return;
    }
    a->file = open_file(c->server, path, &status);
    if (a->file < 0) {
        a->status = -a->file;
        return;
    }
    a->size = a->whole = status.st_size;
    a->type = type_of(path);
    write_date(a->modified, status.st_mtime);
    if (is_whole(&r->since) && strcmp(r->since.data, a->modified) == 0)
        a->status = 304;
    else
        choose_range(a, &r->range);
}

/* Returns the length of the headers. */
static size_t write_headers(char *out, size_t room, const request *r, const answer *a)
{
    size_t size = (size_t)snprintf(out, room, "HTTP/1.1 %d %s\r\nServer: salp\r\nDate: %s\r\nConnection: %s\r\n",
                                   a->status, reason_of(a->status), date_now(), r->keep_alive ? "keep-alive" : "close");
    if (a->status == 200 || a->status == 206)
        size += (size_t)snprintf(
            out + size, room - size,
            "Content-Type: %s\r\nContent-Length: %lld\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n", a->type,
            (long long)a->size, a->modified);
    if (a->status == 206)
        size += (size_t)snprintf(out + size, room - size, "Content-Range: bytes %lld-%lld/%lld\r\n",
                                 (long long)a->offset, (long long)(a->offset + a->size - 1), (long long)a->whole);
    if (a->status == 416)
        size += (size_t)snprintf(out + size, room - size, "Content-Range: bytes */%lld\r\n", (long long)a->whole);
    if (a->status == 405)
        size += (size_t)snprintf(out + size, room - size, "Allow: GET, HEAD\r\n");
    if (a->status >= 400) /* the text is the reason */
        size += (size_t)snprintf(out + size, room - size, "Content-Type: text/plain\r\nContent-Length: %zu\r\n",
                                 strlen(reason_of(a->status)) + 1);
    return size + (size_t)snprintf(out + size, room - size, "\r\n");
}

/* The error of what may take no longer than this. */
static int64_t within(int64_t timeout, int64_t (*function)(void *arg), void *arg)
{
    salp_scope scope;
    salp_scope_open(&scope, timeout);
    int64_t result = function(arg);
    salp_scope_close(&scope);
    return result;
}

typedef struct step {
    salp_stream *stream;
    const void *data;
    int file;
    int64_t offset, size;
} step;

static int64_t write_step(void *arg)
{
    const step *s = arg;
    return salp_write(s->stream, s->data, (size_t)s->size);
}

static int64_t file_step(void *arg)
{
    const step *s = arg;
    return salp_sendfile(s->stream, s->file, s->offset, s->size);
}

/* Returns 0 or an error; also when the file has become shorter meanwhile: then the promised length cannot be kept. */
static int64_t send_file(connection *c, const answer *a)
{
    int64_t sent = 0;
    while (sent < a->size) {
        int64_t left = a->size - sent;
        step s = { c->stream, NULL, a->file, a->offset + sent, left < STEP ? left : STEP };
        int64_t result = within(patience, file_step, &s);
        if (result < 0)
            return result;
        if (result < s.size)
            return -EIO;
        sent += result;
    }
    return 0;
}

/* Returns 0 or an error. */
static int64_t send_answer(connection *c, const request *r, const answer *a)
{
    size_t size = write_headers(c->out, sizeof c->out, r, a);
    bool body = r->method != HTTP_HEAD, small = a->size <= SMALL;
    if (body && a->status >= 400)
        size += (size_t)snprintf(c->out + size, sizeof c->out - size, "%s\n", reason_of(a->status));
    body = body && (a->status == 200 || a->status == 206);
    if (body && small) {
        ssize_t got = pread(a->file, c->out + size, (size_t)a->size, a->offset);
        if (got < a->size)
            return got < 0 ? -errno : -EIO;
        size += (size_t)got;
    }
    int64_t result = within(patience, write_step, &(step){ c->stream, c->out, -1, 0, (int64_t)size });
    if (result >= 0 && body && !small)
        result = send_file(c, a);
    return result < 0 ? result : 0;
}

/* ---- connections ---- */

/* Returns 1: and so on; 0: this was the last; or an error. */
static int serve_next(connection *c)
{
    request r = { .status = 200 };
    answer a = { .file = -1 };
    salp_scope scope;
    salp_scope_open(&scope, patience);
    int result = read_request(c, &r);
    salp_scope_close(&scope);
    if (result <= 0)
        return result;
    choose(c, &r, &a);
    int64_t error = send_answer(c, &r, &a);
    if (a.file >= 0)
        close(a.file);
    return error < 0 ? (int)error : r.keep_alive;
}

/* Closing with bytes unread would reset the connection, and the client might lose the last answer. */
static int64_t part(void *arg)
{
    connection *c = arg;
    int64_t size = salp_shutdown(c->stream);
    while (size >= 0 && (size = salp_read(c->stream, c->in, sizeof c->in)) > 0)
        continue;
    return size;
}

/* What clients do is no failure of ours. */
static bool is_clients(int error)
{
    return error == -EPIPE || error == -ECONNRESET || error == -ETIMEDOUT || error == -ECANCELED || error == -ENOTCONN;
}

static int serve(salp_stream *stream, void *arg)
{
    connection c = { .server = arg, .stream = stream };
    int result;
    do
        result = serve_next(&c);
    while (result > 0);
    if (result == 0)
        result = (int)within(farewell, part, &c);
    return is_clients(result) ? 0 : result;
}

/* ---- the program ---- */

static void tell(int error, void *arg)
{
    (void)arg;
    fprintf(stderr, "files-server: %s\n", salp_strerror(error));
}

static void stop(int number, void *arg)
{
    const server *s = arg;
    (void)number;
    for (int i = 0; i < s->loops; i++)
        salp_listener_shutdown(s->listeners[i]);
}

static int run_loop(void *arg)
{
    server *s = arg;
    int number = atomic_fetch_add(&s->started, 1), error = 0;
    if (number == 0) { /* one loop takes the signals for all */
        error = salp_loop_signal(salp_loop_current(), SIGINT, stop, s);
        if (error == 0)
            error = salp_loop_signal(salp_loop_current(), SIGTERM, stop, s);
        if (error == 0) {
            printf("port %d\n", salp_listener_port(s->listeners[0]));
            fflush(stdout);
        }
    }
    return error < 0 ? error : salp_serve(s->listeners[number], serve, s);
}

static int run(server *s, int port)
{
    const salp_listen_options options = { .share_port = s->loops > 1, .grace = grace, .on_error = tell };
    int error = 0;
    for (int i = 0; i < s->loops && error == 0; i++) {
        error = salp_tcp_listen(&s->listeners[i], NULL, port, &options);
        if (error == 0)
            port = salp_listener_port(s->listeners[i]); /* the same for all, also if the system has chosen it */
    }
    if (error == 0)
        error = salp_run_loops(s->loops, run_loop, s);
    for (int i = 0; i < s->loops; i++)
        salp_listener_close(s->listeners[i]);
    return error;
}

/* The number that is the value of an option, or -1. */
static int read_number(const char *value, int least, int most)
{
    char *end;
    long number = value ? strtol(value, &end, 10) : -1;
    return value && *value && *end == 0 && number >= least && number <= most ? (int)number : -1;
}

int main(int argc, char **argv)
{
    server s = { .loops = 1 };
    int port = 8080, i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--loops") == 0)
            s.loops = read_number(argv[i + 1], 1, MOST_LOOPS);
        else if (strcmp(argv[i], "--port") == 0)
            port = read_number(argv[i + 1], 0, 65535);
        else
            break;
    }
    if (i != argc - 1 || s.loops < 0 || port < 0) {
        fprintf(stderr, "usage: files-server [--loops N] [--port P] FOLDER\n");
        return 2;
    }
    s.folder = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s.folder < 0) {
        perror(argv[i]);
        return 1;
    }
    http_parser_set_max_header_size(HEADERS);
    int error = run(&s, port);
    close(s.folder);
    if (error < 0) {
        fprintf(stderr, "files-server: %s\n", salp_strerror(error));
        return 1;
    }
    return 0;
}
