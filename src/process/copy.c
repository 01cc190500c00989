/*
 * Fresh copies of this program.
 *
 *   salp__copy_execute    program --execute itself anew--> copy, does before main what it is for
 *   salp__copy_serve      program --once--> copy, becomes the server; for each: --fork--> another one
 *
 * The copy is told by an environment variable what it is for and under which numbers it finds its descriptors; this file's
 * constructor looks for it, and diverts the copy (os/startup.c). The variable is taken away again, so that programs
 * which are started by the copy do not see it.
 *
 * The server ends with the program, or when the program's end of its channel is closed. What it has forked is its child,
 * not the program's: it tells how those have ended that have a channel for that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp/time.h>

#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/startup.h"
#include "sync/line.h"
#include "task/descriptor.h"
#include "task/task.h"

#define VARIABLE "SALP_HANDOVER"

enum { SERVER = SALP__COPY_ROLES, KINDS, ALL = SALP__CHANNEL_MAX };

static const char *const kinds[KINDS] = { "steward", "process", "server" };

/* What the copy is handed. */
typedef struct handover {
    int kind; /* a role, or SERVER */
    int fds[SALP__COPY_OWN];
} handover;

/* A server's channel is its first; it has no second. */
enum { CHANNEL = SALP__COPY_FIRST, NEWS = SALP__COPY_SECOND, PROGRAM = SALP__COPY_PROGRAM };

/* What the server is asked for, with the descriptors, and what it answers, with the process's descriptor. */
typedef struct request {
    salp__copy_role role;
} request;

typedef struct answer {
    pid_t pid;
} answer;

/* ---- in the copy ---- */

static handover received;
static salp__copy_main *mains[SALP__COPY_ROLES]; /* [const after constructors] */

void salp__copy_offer(salp__copy_role role, salp__copy_main *function)
{
    mains[role] = function;
}

void salp__copy_close_others(int keep[], int count)
{
    for (int i = 1; i < count; i++) {
        for (int k = i; k > 0 && keep[k] < keep[k - 1]; k--) {
            int swapped = keep[k];
            keep[k] = keep[k - 1];
            keep[k - 1] = swapped;
        }
    }
    salp__close_all_but(3, keep, count);
}

static _Noreturn void become(salp__copy_role role, const int fds[], int count)
{
    mains[role](fds, count);
    salp__process_leave(1);
}

/* ---- in the server ---- */

/* One whose end is to be told. */
typedef struct child {
    salp__list link;
    pid_t pid;
    int news;
} child;

static salp__list children;

static void tell_end(const salp__ending *ending)
{
    for (salp__list *link = children.next; link != &children; link = link->next) {
        child *c = SALP__CONTAINER(link, child, link);
        if (c->pid != ending->pid)
            continue;
        salp__copy_news news = { .ended = true, .ending = *ending };
        (void)salp__channel_send(c->news, &news, sizeof news, NULL, 0); /* -EPIPE: nobody wants to know */
        salp__list_remove(&c->link);
        salp__file_close(c->news);
        salp__free(c);
        return;
    }
}

/* Returns NULL if there is no memory. *fd is taken. */
static child *note_child(pid_t pid, int *fd)
{
    child *c = salp__allocate(sizeof *c);
    if (!c)
        return NULL;
    *c = (child){ .pid = pid, .news = *fd };
    *fd = -1;
    salp__list_append(&children, &c->link);
    return c;
}

/* Nothing is answered when there is nothing to tell: the program's end of file does. */
static void fork_one(salp__copy_role role, int fds[], int count)
{
    pid_t pid = salp__process_fork();
    if (pid == 0)
        become(role, fds, count);
    int watch = pid > 0 ? salp__process_watch(pid) : -1;
    if (watch < 0 || (role == SALP__COPY_PROCESS && !note_child(pid, &fds[NEWS])) ||
        salp__channel_send(received.fds[CHANNEL], &(answer){ .pid = pid }, sizeof(answer), &watch, 1) < 0) {
        if (pid > 0)
            salp__process_signal(pid, SIGKILL);
        salp__process_leave(1);
    }
    salp__file_close(watch);
}

static void reap(void)
{
    salp__ending ending;
    while (salp__process_ended(&ending) > 0) {
        salp__process_reap(ending.pid); /* first: who was told finds no zombie */
        tell_end(&ending);
    }
}

/* In a program without standard input and so on it would be taken for that by those who are forked. */
static int watch_endings(void)
{
    int fd = salp__signals_watch_children();
    return fd < 0 || fd > 2 ? fd : salp__file_move_high(fd);
}

static _Noreturn void be_server(void)
{
    struct sigaction before;
    int keep[] = { received.fds[CHANNEL], received.fds[PROGRAM] };
    salp__copy_close_others(keep, 2);
    salp__list_open(&children);
    salp__process_own_group(0);
    salp__signals_own_children(&before);
    int endings = watch_endings();
    if (endings < 0)
        salp__process_leave(1);
    for (;;) {
        int polled[] = { received.fds[CHANNEL], received.fds[PROGRAM], endings };
        bool ready[3] = { false };
        salp__poll(polled, ready, 3, SALP_FOREVER);
        salp__signals_drain(endings);
        reap();
        if (ready[1])
            salp__process_leave(0);
        if (!ready[0])
            continue;
        request asked;
        int fds[ALL], count;
        if (salp__channel_receive(received.fds[CHANNEL], &asked, sizeof asked, fds, ALL, &count) != 1 ||
            count < SALP__COPY_OWN)
            salp__process_leave(0);
        fork_one(asked.role, fds, count);
        for (int i = 0; i < count; i++)
            salp__file_close(fds[i]);
    }
}

/* ---- how the copy begins ---- */

static void begin(void)
{
    if (received.kind == SERVER)
        be_server();
    become((salp__copy_role)received.kind, received.fds, SALP__COPY_OWN);
}

static bool parse(const char *text, handover *found)
{
    char kind[16];
    if (sscanf(text, "%15[a-z]:%d:%d:%d", kind, &found->fds[0], &found->fds[1], &found->fds[2]) != 4)
        return false;
    for (found->kind = 0; found->kind < KINDS && strcmp(kind, kinds[found->kind]) != 0;)
        found->kind++;
    salp__file_identity identity;
    /* Nothing more is asked here: a copy that cannot go on must end, and never come to main. */
    return found->kind < KINDS && salp__file_identify(found->fds[SALP__COPY_FIRST], &identity) &&
           salp__file_identify(found->fds[PROGRAM], &identity);
}

__attribute__((constructor)) static void look_for_handover(int argc, char **argv, char **environment)
{
    (void)argc, (void)argv, (void)environment; /* glibc passes them, and the table's entries have this type */
    /* Not in a program with more rights than its user, who could hand it anything. */
    const char *text = secure_getenv(VARIABLE);
    if (!text || !parse(text, &received))
        return;
    /* At once: constructors that come later may start programs, for which neither is meant. */
    unsetenv(VARIABLE);
    for (int i = 0; i < SALP__COPY_OWN; i++) {
        if (received.fds[i] >= 0)
            salp__file_close_on_exec(received.fds[i]);
    }
    sigset_t before;
    salp__signals_block(&before);
    if (salp__startup_divert(begin, look_for_handover) < 0)
        salp__process_leave(1);
}

/* ---- in the program: one that is executed ---- */

static int execute(const handover *given, const int more[], int more_count, pid_t *pid)
{
    char variable[96];
    int keep[ALL], count = 0;
    snprintf(variable, sizeof variable, VARIABLE "=%s:%d:%d:%d", kinds[given->kind], given->fds[0], given->fds[1],
             given->fds[2]);
    for (int i = 0; i < SALP__COPY_OWN; i++) {
        if (given->fds[i] >= 0)
            keep[count++] = given->fds[i];
    }
    for (int i = 0; i < more_count; i++)
        keep[count++] = more[i];
    pid_t started = salp__process_spawn_self(variable, keep, count);
    if (started < 0)
        return started;
    *pid = started;
    return 0;
}

static void kill_and_reap(pid_t pid)
{
    salp__process_signal(pid, SIGKILL);
    salp__process_reap(pid);
}

int salp__copy_execute(salp__copy_role role, const int own[SALP__COPY_OWN], const int more[], int more_count,
                       pid_t *pid, int *watch)
{
    if (!salp__startup_possible())
        return -ENOTSUP;
    handover given = { .kind = (int)role };
    memcpy(given.fds, own, sizeof given.fds);
    int error = execute(&given, more, more_count, pid);
    if (error < 0)
        return error;
    *watch = salp__process_watch(*pid);
    if (*watch >= 0)
        return 0;
    kill_and_reap(*pid);
    return *watch;
}

/* ---- in the program: the server ---- */

/* The one server of this program; of the process that started it, not of forks of it. It is asked by one at a time, who
   has it taken meanwhile, since he waits for the answer. */
static struct server {
    salp__lock lock;
    bool taken;       /* [lock] */
    salp__list line;  /* [lock] of those who want it next */
    bool forks_known; /* [lock] */
    pid_t owner;      /* [taken] 0: there is none */
    int watch;        /* [taken] descriptor of the process */
    int channel;      /* [taken] */
} server = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .line = { &server.line, &server.line },
    .watch = -1,
    .channel = -1,
};

/* Who had taken it may not exist here. What it protects is not of this process. */
static void after_fork(void)
{
    salp__lock_open(&server.lock);
    salp__list_open(&server.line);
    server.taken = false;
}

static void take_server(void)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter, "the server of processes");
    salp__spot spot = salp__spot_of(&waiter);
    salp__lock_take(&server.lock);
    if (!server.forks_known)
        salp__after_fork(after_fork);
    server.forks_known = true;
    bool waits = server.taken;
    server.taken = true;
    if (waits)
        salp__list_append(&server.line, &spot.link);
    salp__lock_release(&server.lock);
    if (waits)
        salp__wait_through(&waiter); /* until it is handed over */
}

static void leave_server(void)
{
    salp__lock_take(&server.lock);
    salp__spot *next = salp__line_next_locked(&server.line);
    server.taken = next != NULL;
    salp__lock_release(&server.lock);
    if (next)
        salp__resume(next);
}

static void forget_server(void)
{
    salp__file_close(server.channel);
    if (server.owner == salp__process_self()) {
        salp__process_signal_watched(server.watch, SIGKILL);
        salp__process_reap_watched(server.watch);
    }
    salp__file_close(server.watch);
    server.owner = 0;
    server.watch = server.channel = -1;
}

static int start_server(int program)
{
    int ends[2];
    pid_t pid;
    int error = salp__channel_open(ends);
    if (error < 0)
        return error;
    error = execute(&(handover){ .kind = SERVER, .fds = { ends[1], -1, program } }, NULL, 0, &pid);
    salp__file_close(ends[1]);
    if (error < 0)
        goto close_end;
    server.watch = salp__process_watch(pid);
    if (server.watch < 0) {
        error = server.watch;
        kill_and_reap(pid);
        goto close_end;
    }
    server.owner = salp__process_self();
    server.channel = ends[0];
    return 0;

close_end:
    salp__file_close(ends[0]);
    return error;
}

typedef struct order {
    request asked;
    int fds[ALL];
    int count;
    int error;
} order;

/* Sends the request. A server that was killed meanwhile is replaced once. */
static int ask_server(const order *o)
{
    int error = -EPIPE;
    for (int i = 0; i < 2 && error == -EPIPE; i++) {
        if (server.owner != 0 && (server.owner != salp__process_self() || i > 0))
            forget_server();
        error = server.owner == 0 ? start_server(o->fds[PROGRAM]) : 0;
        if (error == 0)
            error = salp__channel_send(server.channel, &o->asked, sizeof o->asked, o->fds, o->count);
    }
    return error == -EPIPE ? -EAGAIN : error;
}

/* Where there is room, and with every signal blocked, as the copy should begin. */
static void make_request(void *arg)
{
    order *o = arg;
    sigset_t signals;
    salp__signals_block(&signals);
    o->error = salp__startup_possible() ? ask_server(o) : -ENOTSUP;
    salp__signals_restore(&signals);
}

/* A server that was killed does not answer; then there is an end of file to be read. Returns 1, 0 or an error. */
static int wait_for_answer(answer *got, int *watch)
{
    bool readable = false;
    int count;
    while (salp__self()->task && salp__poll(&server.channel, &readable, 1, 0) <= 0)
        salp__descriptor_wait_through(server.channel, SALP__POLL_IN, SALP_FOREVER, "a process to start");
    int result = salp__channel_receive(server.channel, got, sizeof *got, watch, 1, &count);
    return result == 1 && count != 1 ? -EMFILE : result;
}

int salp__copy_serve(salp__copy_role role, const int own[SALP__COPY_OWN], const int more[], int more_count, pid_t *pid,
                     int *watch)
{
    order o = { .asked = { .role = role }, .count = SALP__COPY_OWN + more_count };
    answer got;
    memcpy(o.fds, own, SALP__COPY_OWN * sizeof *own);
    for (int i = 0; i < more_count; i++)
        o.fds[SALP__COPY_OWN + i] = more[i];
    take_server();
    salp__on_large_stack(make_request, &o);
    int result = o.error < 0 ? o.error : wait_for_answer(&got, watch);
    /* An answer that comes too late would be taken for that of the next request. Nor may this one be made again: there
       may be a copy that we know nothing of, and two for one purpose are one too many. */
    if (o.error == 0 && result != 1)
        forget_server();
    leave_server();
    if (result != 1)
        return result < 0 && result != -ECONNRESET ? result : -EAGAIN; /* it was killed, before or after it read */
    *pid = got.pid;
    return 0;
}
