/*
 * Stewards that do not come from the program's memory.
 *
 * SALP_SPAWN    program --execute itself anew--> copy, becomes the steward before main
 * SALP_SERVER   program --once--> copy, becomes the server; for each pool: --fork--> steward
 *
 * The copy is told by an environment variable what it is to be and under which numbers it finds its descriptors; this
 * file's constructor looks for it, and diverts the copy (os/startup.c). The variable is taken away again, so that
 * programs which jobs start do not see it. Everything else that is open, but for standard input, output and error, is
 * closed.
 *
 * The server has nothing of the program's threads and memory, so that forking it is safe and cheap whatever the program
 * has grown to. It ends with the program, or when the program's end of its channel is closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp/time.h>

#include "os/channel.h"
#include "os/file.h"
#include "os/process.h"
#include "os/startup.h"
#include "pool/processes.h"
#include "pool/steward.h"
#include "sync/line.h"
#include "task/descriptor.h"
#include "task/task.h"

#define VARIABLE "SALP_STEWARD"

/* What the copy is handed, in rising order of descriptors where it matters. */
typedef struct handover {
    bool server;
    int arena; /* or the channel of a server */
    int door;  /* -1 for a server */
    int program;
} handover;

/* ---- in the copy ---- */

static handover received;

static _Noreturn void be_steward(int arena, int door, int program)
{
    static salp__control control;
    if (salp__control_map(&control, arena) < 0)
        salp__process_leave(1); /* the program notices that its steward is gone */
    salp__steward_main(&control, &(salp__steward_start){ .program = program, .door = door });
}

static void fork_one(const int fds[3], int endings)
{
    pid_t pid = salp__process_fork();
    if (pid == 0) {
        salp__file_close(endings);
        salp__file_close(received.arena);
        salp__file_close(received.program);
        be_steward(fds[0], fds[1], fds[2]);
    }
    int watch = pid > 0 ? salp__process_watch(pid) : -1;
    /* Nothing comes back when there is nothing: the program's end of file tells. */
    if (watch < 0 || salp__channel_send(received.arena, &watch, 1) < 0)
        salp__process_leave(1);
    salp__file_close(watch);
}

static _Noreturn void be_server(void)
{
    struct sigaction before;
    salp__process_own_group(0);
    salp__signals_own_children(&before);
    int endings = salp__signals_watch_children();
    if (endings < 0)
        salp__process_leave(1);
    for (;;) {
        int fds[3], polled[3] = { received.arena, received.program, endings };
        bool ready[3] = { false };
        salp__poll(polled, ready, 3, SALP_FOREVER);
        salp__signals_drain(endings);
        salp__ending ending;
        while (salp__process_ended(&ending) > 0)
            salp__process_reap(ending.pid);
        if (ready[1])
            salp__process_leave(0);
        if (!ready[0])
            continue;
        if (salp__channel_receive(received.arena, fds, 3) != 3)
            salp__process_leave(0);
        fork_one(fds, endings);
        for (int i = 0; i < 3; i++)
            salp__file_close(fds[i]);
    }
}

static void sort(int numbers[], int count)
{
    for (int i = 1; i < count; i++) {
        for (int k = i; k > 0 && numbers[k] < numbers[k - 1]; k--) {
            int swapped = numbers[k];
            numbers[k] = numbers[k - 1];
            numbers[k - 1] = swapped;
        }
    }
}

static void begin(void)
{
    int keep[3] = { received.arena, received.door, received.program };
    sort(keep, 3);
    salp__close_all_but(3, keep, 3);
    if (received.server)
        be_server();
    be_steward(received.arena, received.door, received.program);
}

static bool parse(const char *text, handover *found)
{
    char kind[16];
    if (sscanf(text, "%15[a-z]:%d:%d:%d", kind, &found->arena, &found->door, &found->program) != 4)
        return false;
    found->server = strcmp(kind, "server") == 0;
    salp__file_identity identity;
    /* Nothing more is asked here: a copy that cannot map the arena must end, and never come to main. */
    return salp__file_identify(found->arena, &identity) && salp__file_identify(found->program, &identity);
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
    salp__file_close_on_exec(received.arena);
    salp__file_close_on_exec(received.program);
    if (!received.server)
        salp__file_close_on_exec(received.door);
    sigset_t before;
    salp__signals_block(&before);
    if (salp__startup_divert(begin, look_for_handover) < 0)
        salp__process_leave(1);
}

/* ---- in the program ---- */

static int execute(const handover *given, pid_t *pid)
{
    char variable[96];
    int keep[3] = { given->arena, given->door, given->program };
    snprintf(variable, sizeof variable, VARIABLE "=%s:%d:%d:%d", given->server ? "server" : "steward", given->arena,
             given->door, given->program);
    sort(keep, 3);
    int first = keep[0] < 0 ? 1 : 0;
    pid_t started = salp__process_spawn_self(variable, keep + first, 3 - first);
    if (started < 0)
        return started;
    *pid = started;
    return 0;
}

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
    salp__waiter_open(&waiter, "the server of pools");
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
    error = execute(&(handover){ .server = true, .arena = ends[1], .door = -1, .program = program }, &pid);
    salp__file_close(ends[1]);
    if (error < 0)
        goto close_end;
    server.watch = salp__process_watch(pid);
    if (server.watch < 0) {
        error = server.watch;
        salp__process_signal(pid, SIGKILL);
        salp__process_reap(pid);
        goto close_end;
    }
    server.owner = salp__process_self();
    server.channel = ends[0];
    return 0;

close_end:
    salp__file_close(ends[0]);
    return error;
}

/* Sends the request. A server that was killed meanwhile is replaced once. */
static int ask_server(const int fds[3])
{
    int error = -EPIPE;
    for (int i = 0; i < 2 && error == -EPIPE; i++) {
        if (server.owner != 0 && (server.owner != salp__process_self() || i > 0))
            forget_server();
        error = server.owner == 0 ? start_server(fds[2]) : 0;
        if (error == 0)
            error = salp__channel_send(server.channel, fds, 3);
    }
    return error == -EPIPE ? -EAGAIN : error;
}

typedef struct request {
    int fds[3];
    int error;
} request;

/* Where there is room, and with every signal blocked, as the copy should begin. */
static void make_request(void *arg)
{
    request *r = arg;
    sigset_t signals;
    salp__signals_block(&signals);
    r->error = salp__startup_possible() ? ask_server(r->fds) : -ENOTSUP;
    salp__signals_restore(&signals);
}

/* A server that was killed does not answer; then there is an end of file to be read. */
static int wait_for_answer(int *watch)
{
    bool readable = false;
    while (salp__self()->task && salp__poll(&server.channel, &readable, 1, 0) <= 0)
        salp__descriptor_wait_through(server.channel, SALP__POLL_IN, SALP_FOREVER, "a pool to open");
    return salp__channel_receive(server.channel, watch, 1);
}

int salp__serve_steward(const salp__control *control, int door, int program, int *watch)
{
    request r = { .fds = { control->arena, door, program } };
    take_server();
    salp__on_large_stack(make_request, &r);
    int count = r.error < 0 ? r.error : wait_for_answer(watch);
    /* An answer that comes too late would be taken for that of the next request. Nor may this one be made again: there
       may be a steward that we know nothing of, and two on one control block are one too many. */
    if (r.error == 0 && count != 1)
        forget_server();
    leave_server();
    if (count == 1)
        return 0;
    return count < 0 && count != -ECONNRESET ? count : -EAGAIN; /* it was killed, before or after it read */
}

int salp__spawn_steward(const salp__control *control, int door, int program, pid_t *pid, int *watch)
{
    if (!salp__startup_possible())
        return -ENOTSUP;
    *pid = 0;
    int error = execute(&(handover){ .arena = control->arena, .door = door, .program = program }, pid);
    if (error < 0)
        return error;
    *watch = salp__process_watch(*pid);
    if (*watch >= 0)
        return 0;
    salp__process_signal(*pid, SIGKILL);
    salp__process_reap(*pid);
    return *watch;
}
