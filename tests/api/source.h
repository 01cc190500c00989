/*
 * A source of numbers for the tests of imap, which watches that it is not pulled too early.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "jobs.h"

struct source {
    int end;        /* numbers 0, 1, ... before this one */
    int end_result; /* what it returns then: 0, or an error */
    int window;     /* of the imap; 0: not looked at */
    int pulled;     /* numbers given */
    int calls;      /* also those at the end */
    int fetched;    /* results that the test has got */
    bool overfull;  /* pulled although the window was full */
    pid_t thread;   /* where it has to be called */
    bool elsewhere;
};

static inline struct source source_of(int end, int window)
{
    return (struct source){ .end = end, .window = window, .thread = (pid_t)syscall(SYS_gettid) };
}

static inline int next_number(void *in, void *arg)
{
    struct source *s = arg;

    s->calls++;
    if (s->thread != (pid_t)syscall(SYS_gettid))
        s->elsewhere = true;
    if (s->pulled >= s->end)
        return s->end_result;
    if (s->window && s->pulled - s->fetched >= s->window)
        s->overfull = true;
    *(int *)in = s->pulled++;
    return 1;
}

#endif
