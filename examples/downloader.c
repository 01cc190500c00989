/*
 * downloader.c - fetches files over HTTP, some of them at a time.
 *
 *     cc downloader.c $(pkg-config --cflags --libs salp) -lhttp_parser -o downloader
 *     ./downloader [-n AT_ONCE] URL...
 *
 * Each URL has a task, and a semaphore lets so many of them work at once. A file is written under another name, and gets its
 * own when it is whole. What fails costs one file; a server that sends nothing for 30 seconds fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <http_parser.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <salp.h>

static const int64_t patience = SALP_SECONDS(30);

typedef struct download {
    const char *url;
    salp_semaphore *slots;
    char host[256], path[1024], name[256], part[270];
    int port;
    FILE *file;
    int status;
    bool complete;
    int64_t size;
    int error;
} download;

/* ---- URLs ---- */

/* A part of the URL as a text; false: it is too long. */
static bool copy_part(char *to, size_t room, const download *d, const struct http_parser_url *parts, int part)
{
    size_t size = parts->field_set & 1 << part ? parts->field_data[part].len : 0;
    if (size >= room)
        return false;
    memcpy(to, d->url + parts->field_data[part].off, size);
    to[size] = 0;
    return true;
}

/* 0, -EINVAL or -ENAMETOOLONG. */
static int read_url(download *d)
{
    struct http_parser_url parts;
    char scheme[8], query[512];
    http_parser_url_init(&parts);
    if (http_parser_parse_url(d->url, strlen(d->url), 0, &parts) != 0 ||
        !copy_part(scheme, sizeof scheme, d, &parts, UF_SCHEMA) || strcmp(scheme, "http") != 0)
        return -EINVAL;
    if (!copy_part(d->host, sizeof d->host, d, &parts, UF_HOST) ||
        !copy_part(d->path, sizeof d->path - sizeof query, d, &parts, UF_PATH) ||
        !copy_part(query, sizeof query, d, &parts, UF_QUERY))
        return -ENAMETOOLONG;
    if (!*d->path)
        strcpy(d->path, "/");
    const char *name = strrchr(d->path, '/') + 1;
    if (strlen(name) >= sizeof d->name)
        return -ENAMETOOLONG;
    strcpy(d->name, *name ? name : "index.html");
    snprintf(d->part, sizeof d->part, "%s.part", d->name);
    if (*query) {
        strcat(d->path, "?");
        strcat(d->path, query);
    }
    d->port = parts.port ? parts.port : 80;
    return strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0 ? -EINVAL : 0;
}

/* ---- answers ---- */

static int on_headers(http_parser *parser)
{
    download *d = parser->data;
    d->status = (int)parser->status_code;
    return d->status != 200; /* of others there is nothing to keep */
}

static int on_body(http_parser *parser, const char *data, size_t size)
{
    download *d = parser->data;
    if (fwrite(data, 1, size, d->file) != size)
        d->error = -errno;
    d->size += (int64_t)size;
    return d->error;
}

static int on_complete(http_parser *parser)
{
    download *d = parser->data;
    d->complete = true;
    return 0;
}

static const http_parser_settings parsing = {
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* Reads what there is, within the patience. */
static int64_t read_some(salp_stream *stream, char *data, size_t size)
{
    salp_scope scope;
    salp_scope_open(&scope, patience);
    int64_t got = salp_read(stream, data, size);
    salp_scope_close(&scope);
    return got;
}

static int receive(download *d, salp_stream *stream)
{
    http_parser parser;
    char data[16384];
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = d;
    while (!d->complete) {
        int64_t size = read_some(stream, data, sizeof data);
        if (size < 0)
            return (int)size;
        size_t used = http_parser_execute(&parser, &parsing, data, (size_t)size); /* 0 tells it of the end */
        if (d->error < 0)
            return d->error;
        if (d->status > 0 && d->status != 200)
            return -ENOENT;
        if (!d->complete && (used < (size_t)size || size == 0))
            return HTTP_PARSER_ERRNO(&parser) == HPE_INVALID_EOF_STATE || size == 0 ? SALP_EINCOMPLETE : -EPROTO;
    }
    return 0;
}

static int ask(const download *d, salp_stream *stream)
{
    char request[1600];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: salp\r\nConnection: close\r\n\r\n", d->path,
                        d->host, d->port);
    return (int)salp_write(stream, request, (size_t)size);
}

/* ---- files ---- */

static int connect_and_ask(download *d, salp_stream **stream)
{
    salp_scope scope;
    salp_scope_open(&scope, patience);
    int error = salp_tcp_connect(stream, d->host, d->port, NULL);
    if (error == 0)
        error = ask(d, *stream);
    salp_scope_close(&scope);
    return error < 0 ? error : 0;
}

static int fetch(download *d)
{
    salp_stream *stream = NULL;
    d->file = fopen(d->part, "wb");
    if (!d->file)
        return -errno;
    int error = connect_and_ask(d, &stream);
    if (error == 0)
        error = receive(d, stream);
    salp_stream_close(stream);
    if (fclose(d->file) != 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(d->part, d->name) != 0)
        error = -errno;
    if (error < 0)
        unlink(d->part);
    return error;
}

static int fetch_in_turn(void *arg)
{
    download *d = arg;
    if (d->error < 0)
        return 0;
    int error = salp_semaphore_acquire(d->slots);
    if (error < 0)
        return error;
    d->error = fetch(d);
    salp_semaphore_release(d->slots, 1);
    return 0; /* a failure would end the others */
}

/* ---- the program ---- */

typedef struct work {
    download *downloads;
    int count;
} work;

static int fetch_all(void *arg)
{
    const work *w = arg;
    salp_group group;
    int error = 0;
    salp_group_open(&group);
    for (int i = 0; i < w->count && error == 0; i++)
        error = salp_go(&group, fetch_in_turn, &w->downloads[i]);
    int failure = salp_group_close(&group);
    return failure < 0 ? failure : error;
}

/* Two of one name would write the same file. */
static void prepare(download *downloads, int i)
{
    downloads[i].error = read_url(&downloads[i]);
    for (int j = 0; j < i && downloads[i].error == 0; j++)
        if (strcmp(downloads[i].name, downloads[j].name) == 0)
            downloads[i].error = -EEXIST;
}

/* Returns how many have failed. */
static int report(const work *w)
{
    int failed = 0;
    for (int i = 0; i < w->count; i++) {
        const download *d = &w->downloads[i];
        if (d->error == 0)
            printf("%s: %lld bytes\n", d->name, (long long)d->size);
        else if (d->status > 0 && d->status != 200)
            fprintf(stderr, "%s: status %d\n", d->url, d->status);
        else
            fprintf(stderr, "%s: %s\n", d->url, salp_strerror(d->error));
        failed += d->error < 0;
    }
    return failed;
}

int main(int argc, char **argv)
{
    int first = 1, at_once = 4;
    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        at_once = atoi(argv[2]);
        first = 3;
    }
    if (first >= argc || at_once < 1) {
        fprintf(stderr, "usage: downloader [-n AT_ONCE] URL...\n");
        return 2;
    }
    salp_semaphore *slots = NULL;
    work w = { .downloads = calloc((size_t)(argc - first), sizeof *w.downloads), .count = argc - first };
    int error = w.downloads ? salp_semaphore_open(&slots, &(salp_semaphore_options){ .value = at_once }) : -ENOMEM;
    for (int i = 0; i < w.count && error == 0; i++) {
        w.downloads[i] = (download){ .url = argv[first + i], .slots = slots };
        prepare(w.downloads, i);
    }
    if (error == 0)
        error = salp_run(fetch_all, &w);
    if (error < 0)
        fprintf(stderr, "downloader: %s\n", salp_strerror(error));
    else
        error = report(&w);
    salp_semaphore_close(slots);
    free(w.downloads);
    return error != 0;
}
