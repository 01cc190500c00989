/* What a command's input, output and errors are made from. SPDX-License-Identifier: MIT */
#include "process/command.h"

#include <errno.h>

#include "os/file.h"
#include "os/pipe.h"

enum { IN, OUT, ERR };

static int open_file(salp__ends *ends, int which, const char *path, bool append)
{
    int purpose = which == IN ? SALP__TO_READ : append ? SALP__TO_APPEND : SALP__TO_WRITE;
    int fd = salp__path_open(path, purpose);
    if (fd < 0)
        return fd;
    ends->theirs[which] = fd;
    ends->opened[which] = true;
    return 0;
}

static int open_pipe(salp__ends *ends, int which)
{
    int *ours = &ends->ours[which], *theirs = &ends->theirs[which];
    int error = which == IN ? salp__pipe_from_us(ours, theirs) : salp__pipe_to_us(ours, theirs);
    ends->opened[which] = error == 0;
    return error;
}

/* Whoever has closed his own has it as empty, not as what the command opens first. */
static int pass(salp__ends *ends, int which)
{
    salp__file_identity any;
    if (!salp__file_identify(which, &any))
        return open_file(ends, which, "/dev/null", false);
    ends->theirs[which] = which;
    return 0;
}

static int open_end(salp__ends *ends, int which, salp_command_way way, int fd)
{
    switch (way) {
    case SALP_PIPED:
        return open_pipe(ends, which);
    case SALP_PASSED:
        return pass(ends, which);
    case SALP_DISCARDED:
        return open_file(ends, which, "/dev/null", false);
    case SALP_DESCRIPTOR:
        ends->theirs[which] = fd;
        return fd >= 0 ? 0 : -EBADF;
    default:
        return -EINVAL;
    }
}

int salp__ends_open(salp__ends *ends, const salp_command_options *o)
{
    const salp_command_way ways[] = { o->in, o->out, o->err };
    const int fds[] = { o->in_fd, o->out_fd, o->err_fd };
    const char *const paths[] = { o->in_path, o->out_path, o->err_path };
    int error = 0;
    *ends = (salp__ends){ .theirs = { -1, -1, -1 }, .ours = { -1, -1, -1 } };
    for (int i = IN; i <= ERR && error == 0; i++) {
        if (i == ERR && o->merge_stderr)
            ends->theirs[ERR] = ends->theirs[OUT];
        else if (paths[i])
            error = open_file(ends, i, paths[i], o->append);
        else
            error = open_end(ends, i, ways[i], fds[i]);
    }
    if (error < 0) {
        salp__ends_close_theirs(ends);
        salp__ends_close_ours(ends);
    }
    return error;
}

void salp__ends_close_theirs(salp__ends *ends)
{
    for (int i = 0; i < 3; i++) {
        if (ends->opened[i])
            salp__file_close(ends->theirs[i]);
        ends->opened[i] = false;
    }
}

void salp__ends_close_ours(salp__ends *ends)
{
    for (int i = 0; i < 3; i++) {
        salp__file_close(ends->ours[i]);
        ends->ours[i] = -1;
    }
}
