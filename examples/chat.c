/*
 * chat.c - a room in which everybody reads what the others say.
 *
 *     cc chat.c $(pkg-config --cflags --libs salp) -o chat
 *     ./chat [PORT]              and then, from several terminals: nc localhost 7001
 *
 *     guest's lines --> listen --> a queue for each of the others --> deliver --> that guest
 *
 * Two tasks serve a guest: one reads what he says, one writes what the others have said. Between them are queues, and whoever
 * speaks puts into those of the others without ever waiting. So a guest who does not read holds up nobody: when his queue is
 * full he is shown out.
 *
 * All tasks run on one loop, and nothing here needs a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp.h>

enum { NAME = 24, LINE = 500, MAIL = 100 };

/* What somebody has said: one copy for all, which the last one frees. */
typedef struct message {
    int readers;
    size_t size;
    char text[NAME + LINE + 20];
} message;

typedef struct guest {
    struct guest *next;
    char name[NAME];
    salp_stream *stream;
    salp_queue *mail; /* message *: what is to be delivered */
    salp_group tasks;
} guest;

typedef struct room {
    salp_listener *listener;
    guest *guests;
} room;

/* ---- messages ---- */

static void release(message *m)
{
    if (--m->readers == 0)
        free(m);
}

/* To all but one. */
__attribute__((format(printf, 3, 4))) static void say(room *r, const guest *speaker, const char *format, ...)
{
    message *m = malloc(sizeof *m);
    va_list arguments;
    if (!m)
        return;
    va_start(arguments, format);
    int size = vsnprintf(m->text, sizeof m->text, format, arguments);
    va_end(arguments);
    m->size = size < (int)sizeof m->text ? (size_t)size : sizeof m->text - 1;
    m->readers = 1;
    for (guest *g = r->guests; g; g = g->next) {
        if (g == speaker)
            continue;
        m->readers++;
        if (salp_queue_try_put(g->mail, &m) < 0) {
            release(m);
            salp_group_cancel(&g->tasks); /* he does not keep up: whatever he waits for ends */
        }
    }
    release(m);
}

/* Writes what the others have said, until the queue is shut down and empty. */
static int deliver(void *arg)
{
    guest *g = arg;
    message *m;
    int error;
    while ((error = salp_queue_get(g->mail, &m)) == 0) {
        int64_t written = salp_write(g->stream, m->text, m->size);
        release(m);
        if (written < 0)
            return (int)written; /* ends the group: also the one who listens */
    }
    return error == -EPIPE ? 0 : error;
}

/* ---- guests ---- */

/* A line without its end, cleaned of what terminals might obey. Returns its length, 0 at the end, or an error. */
static int64_t hear(const guest *g, char *line, size_t size)
{
    int64_t length = salp_read_line(g->stream, line, size);
    for (char *c = line; length > 0 && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = *c == '\n' || *c == '\r' ? '\0' : ' ';
    return length;
}

static int64_t listen_to(room *r, guest *g)
{
    char line[LINE];
    int64_t length;
    while ((length = hear(g, line, sizeof line)) > 0)
        if (*line)
            say(r, g, "%s: %s\n", g->name, line);
    return length;
}

static void leave(room *r, const guest *g)
{
    guest **at = &r->guests;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
}

static int64_t welcome(room *r, guest *g)
{
    salp_group_open(&g->tasks);
    int64_t result = salp_go(&g->tasks, deliver, g);
    if (result == 0) {
        say(r, NULL, "%s has come\n", g->name);
        g->next = r->guests;
        r->guests = g;
        result = listen_to(r, g);
        leave(r, g); /* before the group is closed, so that nobody cancels it any more */
        say(r, NULL, "%s has gone\n", g->name);
    }
    salp_queue_shutdown(g->mail);
    if (result < 0)
        salp_group_cancel(&g->tasks);
    int failure = salp_group_close(&g->tasks); /* what he has not got yet is delivered, as long as he reads */
    return result < 0 ? result : failure;
}

static int serve_guest(salp_stream *stream, void *arg)
{
    static const char question[] = "your name: ";
    guest g = { .stream = stream };
    message *left;
    int64_t result = salp_write(stream, question, sizeof question - 1);
    if (result >= 0)
        result = hear(&g, g.name, sizeof g.name);
    if (result <= 0 || !*g.name)
        return 0; /* gone again, or of no name */
    result = salp_queue_open(&g.mail, &(salp_queue_options){ .item_size = sizeof(message *), .capacity = MAIL });
    if (result < 0)
        return (int)result;
    result = welcome(arg, &g);
    while (salp_queue_try_get(g.mail, &left) == 0)
        release(left);
    salp_queue_close(g.mail);
    return result == -ENOMEM ? -ENOMEM : 0; /* all else is his own affair */
}

/* ---- the program ---- */

static void tell(int error, void *arg)
{
    (void)arg;
    fprintf(stderr, "chat: %s\n", salp_strerror(error));
}

static void stop(int number, void *listener)
{
    (void)number;
    salp_listener_shutdown(listener);
}

static int serve(void *arg)
{
    room *r = arg;
    int error = salp_loop_signal(salp_loop_current(), SIGINT, stop, r->listener);
    if (error == 0)
        error = salp_loop_signal(salp_loop_current(), SIGTERM, stop, r->listener);
    return error < 0 ? error : salp_serve(r->listener, serve_guest, r);
}

int main(int argc, char **argv)
{
    room r = { .guests = NULL };
    int port = argc > 1 ? atoi(argv[1]) : 7001;
    /* Guests stay for as long as they like; so when the room closes, they are not waited for long. */
    const salp_listen_options options = { .grace = SALP_MILLISECONDS(200), .on_error = tell };
    int error = salp_tcp_listen(&r.listener, NULL, port, &options);
    if (error == 0) {
        printf("port %d\n", salp_listener_port(r.listener));
        fflush(stdout);
        error = salp_run(serve, &r);
        salp_listener_close(r.listener);
    }
    if (error < 0) {
        fprintf(stderr, "chat: %s\n", salp_strerror(error));
        return 1;
    }
    return 0;
}
