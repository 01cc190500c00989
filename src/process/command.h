/*
 * A command that was started: what its files share.
 *
 *   command.c        the public face
 *   command_start.c  argv and options become a process, with command_ends.c and environment.c
 *   command_run.c    moves its input and output, waits for it, ends its tree (tree.c)
 *   command_feed.c   moves input that comes from a stream
 *
 * I1  The pidfd `watch` stays open as long as the command: signals go by it, so they reach this process or nobody.
 * I2  It is reaped as late as can be: as long as it is a zombie, its process group has a number that means nobody else.
 * I3  Whoever reaps it holds the lock, and stores how it has ended; everybody later looks at that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__COMMAND_H
#define SALP__COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <salp/command.h>
#include <salp/stream.h>

#include "os/process.h"
#include "os/thread.h"

struct salp_command {
    pid_t pid;               /* [const after start] */
    int watch;               /* its pidfd [const after start] */
    int ends[3];             /* ours of its three, for salp__command_converse; -1: there is none */
    salp_stream *streams[3]; /* the same for users; NULL: there is none [const after start] */
    bool own_group;          /* [const after start] */
    pid_t owner;             /* the process that has started it [const after start] */
    int64_t born;            /* [const after start] */
    int64_t deadline;        /* or SALP_FOREVER [const after start] */
    int64_t kill_after;      /* negative: at once [const after start] */
    int64_t linger;          /* [const after start] */
    salp__lock lock;
    bool reaped;           /* by us or by others: `account` holds [lock] */
    int unknown;           /* 0, or -ECHILD: others have, and nobody tells how it ended [lock] */
    int64_t wall;          /* [lock] */
    bool timed_out;        /* [lock] */
    salp__account account; /* [lock] */
};

/* Starts it, into a struct whose content does not matter. Of PIPED ends ours are streams, or descriptors. Errors: as
   salp_command_start; then nothing was taken. */
int salp__command_start(salp_command *command, const char *const argv[], const salp_command_options *options,
                        bool streams);

/* Closes our ends. */
void salp__command_close_ends(salp_command *command);

/* Closes what the struct holds; the process is not touched. */
void salp__command_release(salp_command *command);

/* Opens what the command's three descriptors are made from. theirs[i] is for salp__spawn, ours[i] an end or -1. */
typedef struct salp__ends {
    int theirs[3];
    bool opened[3]; /* to be closed by us */
    int ours[3];
} salp__ends;

int salp__ends_open(salp__ends *ends, const salp_command_options *options);
void salp__ends_close_theirs(salp__ends *ends);
void salp__ends_close_ours(salp__ends *ends);

/* Moves input and output of a command until it has ended; then it is reaped, and the output filled in. Errors: as
   salp_command_run. */
int salp__command_converse(salp_command *command, const salp_command_options *options, salp_output *output);

/* The same with the options' input_stream. */
int salp__command_converse_fed(salp_command *command, const salp_command_options *options, salp_output *output);

/* Waits until it has ended, and moves nothing. Errors: as salp_command_wait. */
int salp__command_wait(salp_command *command, salp_output *output);

/* Ends its tree if it has not ended by itself, waits until that has happened, and reaps it. Scopes do not end this. The
   output is filled in as by salp__command_wait, and may be NULL. */
void salp__command_end(salp_command *command, salp_output *output);

/* Asks the tree to end, or kills it, without waiting. */
void salp__command_signal_tree(salp_command *command, bool kill);

#endif
