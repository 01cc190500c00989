/*
 * A lane: what is collected of the job that runs in a slot, and shown while it runs where that is its right.
 *
 *   the loop:   pipe is readable --> read into the entry's text --.
 *   the task:   waits for the command to end                       |  or, live: for news, and shows what there is
 *               reads what is left; waits for those who hold the pipe, a second at most
 *
 * I1  Bytes are read by the loop's callback and, when the command has ended, by the task; never while the other is in the
 *     midst of it, since neither waits there.
 * I2  A lane that is live and has more to show than it should (OUTPUT_AHEAD) is not read until it is shown: so a slow
 *     reader of ours slows the job down. One that may not show now is read on: its bytes wait in the store.
 * I3  A lane is paused only when it has something to show and its task has news.
 * I4  Of a job that writes much and has its turn, the task moves the output from the pipe to the screen, without its being read, if
 *     nobody else has to see the bytes: no tags, no files, no excerpts. Nothing that was read of it waits then.
 * I5  Likewise, if it has not its turn, much at a time is moved to pipes of the store, as long as there are some.
 * I6  Of a job that is to end (a scope has ended our waiting for it) nothing more is shown while it runs: who reads slowly would
 *     hold up its end. What is there then, and what comes, waits in the store.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_LANE_H
#define CLI_OUTPUT_LANE_H

#include <stdbool.h>

#include <salp/command.h>
#include <salp/sync.h>

#include "job/job.h"
#include "output/pipe.h"
#include "output/results.h"
#include "output/screen.h"
#include "output/turn.h"

enum {
    OUTPUT_AHEAD = 1024 * 1024, /* bytes of a live job that are not shown yet */
    OUTPUT_MUCH = 128 * 1024,   /* bytes after which a job is one that writes much */
};

/* One of the two outputs. */
struct output_channel {
    struct output_lane *lane;
    int which; /* 0: standard output, 1: errors */
    struct output_pipe pipe;
    bool paused; /* I2, I4 */
};

/* What all lanes have in common. */
struct output_common {
    struct output_options options;
    struct output_store store;
    struct output_screen screen;
    struct output_turn turn;
    struct output_results results;
    uint64_t kept[2]; /* of standard output and of errors, so many bytes are kept at most */
    bool live;        /* jobs may be shown while they run, */
    bool unread;      /* nobody but the screen needs their output: I4, I5 */
};

struct output_lane {
    struct output_common *common;
    struct output_channel channels[2];
    salp_event *news; /* there is something to be shown, the turn has come, the command or a pipe has ended */
    struct job *job;
    struct output_entry *entry;
    bool command_ended;
    bool given_up; /* I6 */
};

/* NULL: no memory. */
struct output_lane *output_lane_new(struct output_common *common);
void output_lane_free(struct output_lane *lane); /* accepts NULL */

/* An attempt of a job is about to start. Errors: as output_pipe_begin; of --results, told. */
int output_lane_begin(struct output_lane *lane, struct job *job, struct output_entry *entry);

/* Opens the files that get what an attempt writes, if there are any. Errors: -EMFILE, -ENFILE; others are told. */
int output_lane_copy(struct output_common *common, const struct job *job, struct output_entry *entry);

/* Until the command has ended and all was read. Returns what salp_command_wait does. */
int output_lane_collect(struct output_lane *lane, salp_command *command, salp_output *outcome);

/* That result: is the command still there, because a scope has ended our waiting for it? Then the lane is not free. */
bool output_lane_was_interrupted(int result, const salp_output *outcome);

/* The lane is free for the next job. */
void output_lane_cease(struct output_lane *lane);

#endif
