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

static bool is_open(int fd)
{
    salp__file_identity any;
    return salp__file_identify(fd, &any);
}

/*
 * Looks at what the caller gives, and at our own that are passed: whoever has closed one of those has it as empty. Before
 * anything is opened here, since that would come to lie at a number that is not open, and be taken for it.
 */
static int look_at(const salp_command_options *o, const int fds[3], salp_command_way ways[3])
{
    bool open = true;
    for (int i = IN; i <= ERR; i++) {
        if (ways[i] == SALP_PASSED && !is_open(i))
            ways[i] = SALP_DISCARDED;
        open &= ways[i] != SALP_DESCRIPTOR || is_open(fds[i]);
    }
    for (int i = 0; i < o->keep_count; i++)
        open &= (unsigned)o->keep[i] < 3 || is_open(o->keep[i]); /* 0 to 2 are set otherwise */
    return open ? 0 : -EBADF;
}

static int open_end(salp__ends *ends, int which, salp_command_way way, int fd)
{
    switch (way) {
    case SALP_PIPED:
        return open_pipe(ends, which);
    case SALP_PASSED:
        ends->theirs[which] = which;
        return 0;
    case SALP_DISCARDED:
        return open_file(ends, which, "/dev/null", false);
    case SALP_DESCRIPTOR:
        ends->theirs[which] = fd;
        return 0;
    default:
        return -EINVAL;
    }
}

int salp__ends_open(salp__ends *ends, const salp_command_options *o)
{
    salp_command_way ways[] = { o->in, o->out, o->err };
    const int fds[] = { o->in_fd, o->out_fd, o->err_fd };
    const char *const paths[] = { o->in_path, o->out_path, o->err_path };
    int error = look_at(o, fds, ways);
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
