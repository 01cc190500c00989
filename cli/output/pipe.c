/* Pipes that are used again. SPDX-License-Identifier: MIT */
#include "output/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { USUAL = 64 * 1024, WIDE = 1024 * 1024 }; /* bytes that a pipe holds; as many as anybody may have */

void output_pipe_init(struct output_pipe *pipe, salp_watch_fn *function, void *arg)
{
    *pipe = (struct output_pipe){ .in = -1, .out = -1, .function = function, .arg = arg };
}

int output_pipe_watch(struct output_pipe *pipe, bool watch)
{
    if (pipe->watched == watch)
        return 0;
    int error = salp_loop_watch(salp_loop_current(), pipe->in, watch ? SALP_READABLE : 0, pipe->function, pipe->arg);
    if (error == 0 || !watch)
        pipe->watched = watch;
    return error;
}

void output_pipe_close(struct output_pipe *pipe)
{
    output_pipe_watch(pipe, false);
    if (pipe->in >= 0)
        close(pipe->in);
    if (pipe->out >= 0)
        close(pipe->out);
    pipe->in = pipe->out = -1;
}

static int open_anew(struct output_pipe *pipe)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pipe->in = ends[0];
    pipe->out = ends[1];
    pipe->wide = false;
    if (fcntl(pipe->in, F_SETFL, O_NONBLOCK) == 0)
        return 0;
    int error = -errno;
    output_pipe_close(pipe);
    return error;
}

int output_pipe_begin(struct output_pipe *pipe)
{
    int error = pipe->in < 0 ? open_anew(pipe) : 0;
    return error < 0 ? error : output_pipe_watch(pipe, true);
}

int64_t output_pipe_read(struct output_pipe *pipe, void *bytes, size_t size)
{
    ssize_t got;
    do {
        got = read(pipe->in, bytes, size);
    } while (got < 0 && errno == EINTR);
    if (got == 0)
        pipe->ended = true;
    return got < 0 ? -errno : got;
}

void output_pipe_widen(struct output_pipe *pipe)
{
    if (pipe->wide)
        return;
    pipe->wide = true;
    for (int size = WIDE; size > USUAL && fcntl(pipe->in, F_SETPIPE_SZ, size) < 0; size /= 2)
        continue;
}

void output_pipe_finish(struct output_pipe *pipe)
{
    if (pipe->out >= 0)
        close(pipe->out);
    pipe->out = -1;
}

void output_pipe_renew(struct output_pipe *pipe)
{
    char path[sizeof "/proc/self/fd/" + 3 * sizeof pipe->in];
    snprintf(path, sizeof path, "/proc/self/fd/%d", pipe->in);
    if (pipe->in >= 0 && pipe->out < 0 && pipe->ended)
        pipe->out = open(path, O_WRONLY | O_CLOEXEC);
    if (pipe->out < 0)
        output_pipe_close(pipe);
    pipe->ended = false;
}
