/*
 * Input that comes from a stream: a task beside the conversation reads the one and writes to the other, each at its pace.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/command.h"

#include <errno.h>

#include <salp/task.h>

#include "os/memory.h"
#include "task/scope.h"

enum { PIECE = 64 * 1024 };

typedef struct feeder {
    salp_stream *from, *to; /* `to`: NULL when there is no more */
    char *piece;
    int error; /* of reading */
} feeder;

static void end_input(feeder *f)
{
    salp_stream_close(f->to);
    f->to = NULL;
}

static int feed(void *arg)
{
    feeder *f = arg;
    int64_t count, written = 0;
    while ((count = salp_read(f->from, f->piece, PIECE)) > 0) {
        written = salp_write(f->to, f->piece, (size_t)count);
        if (written < 0)
            break;
    }
    end_input(f);
    /* A command need not read all: that its pipe is broken is no failure. */
    f->error = count < 0 ? (int)count : written < 0 && written != -EPIPE ? (int)written : 0;
    return f->error;
}

static int open_feeder(feeder *f, salp_command *c, salp_stream *from)
{
    f->from = from;
    f->piece = salp__allocate_raw(PIECE);
    if (!f->piece)
        return -ENOMEM;
    int error = salp_stream_from_fd(&f->to, c->ends[0], NULL);
    if (error == 0)
        c->ends[0] = -1;
    return error;
}

/* In a task. When something fails the group is cancelled, and with that the conversation, which ends the command. */
static int converse(salp_command *c, const salp_command_options *options, salp_output *output)
{
    salp_group group;
    feeder f = { 0 };
    salp_group_open(&group);
    int error = open_feeder(&f, c, options->input_stream);
    if (error == 0)
        error = salp_go(&group, feed, &f);
    if (error < 0)
        salp_group_cancel(&group);
    int result = salp__command_converse(c, options, output);
    salp_group_cancel(&group); /* nobody wants the rest */
    salp_group_close(&group);
    end_input(&f);
    salp__free(f.piece);
    if (result != -ECANCELED)
        return result;
    return error < 0 ? error : f.error < 0 ? f.error : result;
}

typedef struct call {
    salp_command *command;
    const salp_command_options *options;
    salp_output *output;
    bool begun;
} call;

static int run_call(void *arg)
{
    call *c = arg;
    c->begun = true;
    return converse(c->command, c->options, c->output);
}

int salp__command_converse_fed(salp_command *c, const salp_command_options *options, salp_output *output)
{
    call whole = { .command = c, .options = options, .output = output };
    if (salp__self()->task)
        return run_call(&whole);
    int result = salp_run(run_call, &whole);
    if (!whole.begun) /* there was nothing left for a loop */
        salp__command_end(c, output);
    return result;
}
