/*
 * Moving a command's input and output until it has ended, all at the same time: whoever did one after the other would
 * wait for a command that waits for him, as soon as a pipe is full.
 *
 *   converse   until it has ended and its output is closed:  moves ---- a scope, its deadline, an error ----.
 *      |           or others hold that for too long                                                        |
 *      |                                                       end:  asks the tree to end, moves for `kill_after` at most
 *      |                                                             kills it, moves until it is gone, 5 s at most
 *      |                                                             reads what is left, a moment at most
 *      `-------------------------- account: reaps it, tells how it ended ---------------------------------'
 *
 * I1  Once ending has begun nothing stops it: our own waiting is shielded from scopes, on_line's is not (it would keep us
 *     for ever); what cannot be kept is thrown away, and where waiting politely fails (no memory, no descriptor) the
 *     thread sleeps.
 * I2  All that the command itself has written is read before we stop: it is in the pipe when it has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/command.h"

#include <errno.h>
#include <string.h>

#include <salp/buffer.h>
#include <salp/task.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/socket.h"
#include "process/tree.h"
#include "task/descriptor.h"

enum {
    READ = 64 * 1024,    /* bytes that are read at once at least: what a pipe holds */
    READS = 16,          /* of one pipe, before others have their turn */
    LINE = 64 * 1024,    /* the longest piece of a line */
    SWEEP = 1024 * 1024, /* bytes that a pipe can hold at most, unless its owner is privileged */
    KEPT = 256 * 1024 * 1024,
};

static const int64_t gone_within = SALP_SECONDS(5); /* after SIGKILL */
static const int64_t last_words = SALP_SECONDS(1);  /* of those who have left the tree, after it was ended */

/* One of its two outputs. */
typedef struct channel {
    int fd;     /* -1: closed */
    int number; /* 1 or 2 */
    salp_buffer bytes;
    size_t searched; /* so many have no newline */
    bool truncated;
} channel;

typedef struct pump {
    salp_command *command;
    const salp_command_options *options;
    size_t limit;
    int in;      /* to its input; -1: closed */
    size_t left; /* of what is to be written there */
    const char *input;
    channel channels[2];
    salp__tree tree;
    bool ended; /* the command itself */
    bool timed_out;
    int64_t ended_at;
    bool ending; /* I1 */
} pump;

/* ---- moving ---- */

static void close_end(int *fd)
{
    salp__file_close(*fd);
    *fd = -1;
}

static int feed(pump *p)
{
    while (p->left > 0) {
        const struct iovec rest = { (void *)p->input, p->left };
        int64_t count = salp__pipe_write(p->in, &rest, 1);
        if (count == -EAGAIN)
            return 0;
        if (count == -EPIPE)
            break; /* it does not want the rest */
        if (count < 0)
            return (int)count;
        p->input += count;
        p->left -= (size_t)count;
    }
    close_end(&p->in);
    return 0;
}

static void tell(const pump *p, const channel *ch, char *line, size_t size)
{
    char behind = line[size]; /* there is always a byte of room */
    line[size] = '\0';
    p->options->on_line(ch->number, line, size, p->options->arg);
    line[size] = behind;
}

/* Tells the lines that are complete; keeps the rest. */
static void tell_lines(const pump *p, channel *ch, bool last)
{
    char *line = ch->bytes.data;
    size_t left = ch->bytes.size, searched = ch->searched;
    while (left > 0) {
        size_t reach = left < LINE ? left : LINE;
        const char *newline = searched < reach ? memchr(line + searched, '\n', reach - searched) : NULL;
        size_t size = newline ? (size_t)(newline - line) : reach;
        if (!newline && reach < LINE && !last) {
            searched = reach;
            break;
        }
        tell(p, ch, line, size);
        size += newline ? 1 : 0;
        line += size;
        left -= size;
        searched = 0;
    }
    memmove(ch->bytes.data, line, left);
    ch->bytes.size = left;
    ch->searched = left > 0 ? searched : 0;
}

static void take_in(const pump *p, channel *ch)
{
    if (p->options->on_line) {
        tell_lines(p, ch, false);
    } else if (ch->bytes.size > p->limit) {
        ch->bytes.size = p->limit;
        ch->truncated = true;
    }
}

static int make_room(channel *ch, size_t size)
{
    SALP__FAULT(-ENOMEM);
    return salp_buffer_reserve(&ch->bytes, size + 1);
}

/* Reads what is there, so many times at most. */
static int receive(pump *p, channel *ch, int times)
{
    while (ch->fd >= 0 && times-- > 0) {
        int error = make_room(ch, READ);
        if (error < 0)
            return error;
        size_t room = ch->bytes.capacity - ch->bytes.size - 1;
        int64_t count = salp__pipe_read(ch->fd, (char *)ch->bytes.data + ch->bytes.size, room);
        if (count == -EAGAIN)
            return 0;
        if (count < 0)
            return (int)count;
        if (count == 0) {
            close_end(&ch->fd);
            return 0;
        }
        ch->bytes.size += (size_t)count;
        take_in(p, ch);
        if ((size_t)count < room)
            return 0; /* there was no more */
    }
    return 0;
}

/* ---- waiting ---- */

/* I1: when it has to be, without the loop. */
static int poll_for(salp__interest set[], int count, int64_t until)
{
    salp__pollee pollees[SALP__MAX_POLLEES];
    for (int i = 0; i < count; i++)
        pollees[i] = (salp__pollee){ .fd = set[i].fd, .events = set[i].events };
    int ready = salp__poll_for(pollees, count, until);
    for (int i = 0; i < count; i++)
        set[i].came = ready > 0 ? pollees[i].came : 0;
    return ready == -EINTR ? 1 : ready;
}

static int wait_for(const pump *p, salp__interest set[], int count, int64_t until)
{
    if (!p->ending)
        return salp__descriptors_wait(set, count, until, "a command");
    salp_scope shield;
    salp_scope_shield(&shield, SALP_FOREVER);
    int ready = salp__descriptors_wait(set, count, until, "a command");
    salp_scope_close(&shield);
    return ready < 0 ? poll_for(set, count, until) : ready;
}

static void note_end(pump *p)
{
    p->ended = true;
    p->ended_at = salp__now();
    p->left = 0;
    close_end(&p->in);
}

/* Waits until something can be done, and does it. Returns 0: it is `until`; 1; or an error. */
static int step(pump *p, int64_t until)
{
    enum { WATCH, IN, OUT, ERR, TREE, COUNT };
    const salp_command *c = p->command;
    salp__interest set[COUNT] = {
        [WATCH] = { .fd = p->ended ? -1 : c->watch, .events = SALP__POLL_IN },
        [IN] = { .fd = p->left > 0 ? p->in : -1, .events = SALP__POLL_OUT },
        [OUT] = { .fd = p->channels[0].fd, .events = SALP__POLL_IN },
        [ERR] = { .fd = p->channels[1].fd, .events = SALP__POLL_IN },
        [TREE] = { .fd = p->tree.living > 0 ? p->tree.ends : -1, .events = SALP__POLL_IN },
    };
    int ready = wait_for(p, set, COUNT, until), error = 0;
    if (ready <= 0)
        return ready;
    if (set[IN].came)
        error = feed(p);
    for (int i = 0; i < 2 && error == 0; i++) {
        if (set[OUT + i].came) {
            error = receive(p, &p->channels[i], READS);
            if (error < 0 && p->ending) { /* I1 */
                close_end(&p->channels[i].fd);
                error = 0;
            }
        }
    }
    if (set[TREE].came)
        salp__tree_look(&p->tree);
    if (set[WATCH].came)
        note_end(p);
    return error < 0 ? error : 1;
}

/* ---- phases ---- */

static bool is_heard(const pump *p)
{
    return p->channels[0].fd >= 0 || p->channels[1].fd >= 0;
}

static int64_t sum(int64_t time, int64_t more)
{
    return more > SALP_FOREVER - time ? SALP_FOREVER : time + more;
}

static int time_out(pump *p)
{
    salp_command *c = p->command;
    p->timed_out = true;
    salp__lock_take(&c->lock);
    c->timed_out = true;
    salp__lock_release(&c->lock);
    return -ETIMEDOUT;
}

/* Until it has ended, and nobody writes any more or they linger too long. */
static int converse(pump *p)
{
    const salp_command *c = p->command;
    while (!p->ended || is_heard(p)) {
        int64_t patience = p->ended ? sum(p->ended_at, c->linger) : SALP_FOREVER;
        int result = step(p, c->deadline < patience ? c->deadline : patience);
        if (result < 0)
            return result;
        if (result > 0)
            continue;
        if (patience <= c->deadline)
            break;
        if (p->ended || !salp__process_has_ended(c->watch))
            return time_out(p);
        note_end(p);
    }
    return 0;
}

/* I2, when we do not wait for the end of what they write. */
static int sweep(pump *p)
{
    int error = 0;
    for (int i = 0; i < 2 && error == 0; i++)
        error = receive(p, &p->channels[i], SWEEP / READ);
    return error;
}

static bool is_gone(const pump *p)
{
    return p->ended && p->tree.living == 0;
}

static void move_until_gone(pump *p, int64_t until)
{
    while (!is_gone(p) && step(p, until) != 0)
        continue;
}

static void end(pump *p)
{
    salp_command *c = p->command;
    p->ending = true;
    p->left = 0;
    close_end(&p->in);
    salp__tree_open(&p->tree, c->pid, c->watch, c->own_group);
    if (c->kill_after >= 0) {
        salp__tree_terminate(&p->tree);
        move_until_gone(p, salp__later(c->kill_after));
    }
    salp__tree_kill(&p->tree); /* also when all whom we know are gone: its group may have others */
    move_until_gone(p, salp__later(gone_within));
    int64_t until = salp__later(last_words);
    while (is_heard(p) && step(p, until) != 0)
        continue;
    salp__tree_close(&p->tree);
}

/* ---- how it ended ---- */

/* Reaps it if it has ended. Returns whether it has. */
static bool reap(salp_command *c)
{
    salp__lock_take(&c->lock);
    if (!c->reaped) {
        int result = salp__process_has_ended(c->watch) ? salp__process_take(c->watch, &c->account) : 0;
        if (result == -ECHILD) {
            c->account = (salp__account){ .exit_status = -1 };
            c->unknown = -ECHILD;
        }
        c->reaped = result != 0;
        if (c->reaped)
            c->wall = salp__now() - c->born;
    }
    bool reaped = c->reaped;
    salp__lock_release(&c->lock);
    return reaped;
}

/* Returns 0 or -ECHILD. */
static int account(salp_command *c, salp_output *output)
{
    bool reaped = reap(c);
    salp__lock_take(&c->lock);
    int error = c->unknown;
    if (output) {
        output->exit_status = reaped ? c->account.exit_status : -1;
        output->signal = c->account.signal;
        output->timed_out = c->timed_out;
        output->wall = c->wall;
        output->user = c->account.user;
        output->system = c->account.system;
        output->peak_memory = c->account.peak_memory;
    }
    salp__lock_release(&c->lock);
    return error;
}

/* Hands over what was captured. */
static void hand_over(channel *ch, bool captured, char **text, size_t *size)
{
    if (!captured) {
        salp_buffer_free(&ch->bytes);
        return;
    }
    char *bytes = ch->bytes.data;
    bytes[ch->bytes.size] = '\0';
    *text = bytes;
    *size = ch->bytes.size;
}

/* ---- the calls ---- */

static void pump_open(pump *p, salp_command *c, const salp_command_options *options)
{
    *p = (pump){
        .command = c,
        .options = options,
        .limit = options && options->limit_output > 0 ? options->limit_output : KEPT,
        .in = -1,
        .channels = { { .fd = -1, .number = 1 }, { .fd = -1, .number = 2 } },
        .tree = { .ends = -1 },
    };
}

static int take_end(salp_command *c, int which)
{
    int fd = c->ends[which];
    c->ends[which] = -1;
    return fd;
}

int salp__command_converse(salp_command *c, const salp_command_options *options, salp_output *output)
{
    pump p;
    bool captured[2];
    int error = 0;
    pump_open(&p, c, options);
    p.in = take_end(c, 0);
    p.input = options->input;
    p.left = options->input_size;
    for (int i = 0; i < 2; i++) {
        p.channels[i].fd = take_end(c, 1 + i);
        captured[i] = p.channels[i].fd >= 0 && !options->on_line;
        if (captured[i] && error == 0)
            error = make_room(&p.channels[i], 0); /* for the zero */
    }
    if (error == 0)
        error = converse(&p);
    if (error == 0)
        error = sweep(&p);
    if (error < 0)
        end(&p);
    output->held = is_heard(&p);
    close_end(&p.in);
    for (int i = 0; i < 2; i++) {
        close_end(&p.channels[i].fd);
        if (options->on_line && p.channels[i].bytes.size > 0)
            tell_lines(&p, &p.channels[i], true);
        hand_over(&p.channels[i], captured[i] && p.channels[i].bytes.data, i == 0 ? &output->out : &output->err,
                  i == 0 ? &output->out_size : &output->err_size);
    }
    output->truncated = p.channels[0].truncated || p.channels[1].truncated;
    int unknown = account(c, output);
    if (p.ended)
        output->wall = p.ended_at - c->born;
    return error < 0 ? error : unknown;
}

int salp__command_wait(salp_command *c, salp_output *output)
{
    pump p;
    pump_open(&p, c, NULL);
    int error = converse(&p);
    if (p.timed_out)
        end(&p);
    int unknown = account(c, output);
    return error < 0 ? error : unknown;
}

void salp__command_end(salp_command *c, salp_output *output)
{
    pump p;
    pump_open(&p, c, NULL);
    p.ended = salp__process_has_ended(c->watch);
    if (!p.ended)
        end(&p);
    (void)account(c, output);
}

void salp__command_signal_tree(salp_command *c, bool kill)
{
    salp__tree tree;
    salp__tree_open(&tree, c->pid, c->watch, c->own_group);
    if (kill)
        salp__tree_kill(&tree);
    else
        salp__tree_terminate(&tree);
    salp__tree_close(&tree);
}
