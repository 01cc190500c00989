/*
 * The pipe that one output of a slot's jobs is read from, one job after the other.
 *
 * It is made once: what a job costs is to close our own end for writing when it has ended, to read until the end, and to open
 * that again, by its name in /proc, for the next one. So each job has an open file of its own, whose flags no other job has
 * touched; and that the pipe ends shows that the job has left nobody behind who holds it. One that is held is given up,
 * and the next job gets another.
 *
 * One whose jobs write much is made wide, so that they have to wait less for us, and we are woken less often.
 *
 * But for a moment our end is open: the pipe does not end before we look, and the loop is not woken for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_PIPE_H
#define CLI_OUTPUT_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/loop.h>

struct output_pipe {
    int in;       /* for us to read from, does not block; -1: there is no pipe */
    int out;      /* for the job; -1: closed */
    bool watched; /* by the loop */
    bool ended;   /* by the reader who got its end */
    bool wide;    /* or it was tried: a user has so many pages in pipes, and no more */
    salp_watch_fn *function;
    void *arg;
};

/* Nothing is opened. The function is called by the loop when there is something to read. */
void output_pipe_init(struct output_pipe *pipe, salp_watch_fn *function, void *arg);
void output_pipe_close(struct output_pipe *pipe);

/* Before a job: `out` is there. Errors: -EMFILE, -ENFILE, -ENOMEM, -ENOSPC: too much is watched. */
int output_pipe_begin(struct output_pipe *pipe);

/* Reads what is there. Returns how many bytes; 0: it has ended; -EAGAIN: there is nothing now. */
int64_t output_pipe_read(struct output_pipe *pipe, void *bytes, size_t size);

/* The job writes much. */
void output_pipe_widen(struct output_pipe *pipe);

/* The job has ended: the pipe ends when nobody else holds it. */
void output_pipe_finish(struct output_pipe *pipe);

/* Nothing more is read of this job. The pipe is opened for the next one if it has ended, else given up. */
void output_pipe_renew(struct output_pipe *pipe);

/* The loop looks at it, or does not for a while. */
int output_pipe_watch(struct output_pipe *pipe, bool watch);

#endif
