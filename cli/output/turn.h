/*
 * Whose turn it is: with keep_order, outputs are shown in the order of the jobs' numbers, so those that end early wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_TURN_H
#define CLI_OUTPUT_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "output/results.h"
#include "output/text.h"

struct output_lane;

/* What a job has to show. */
struct output_entry {
    uint64_t number;
    bool ended;
    bool given;               /* by output_give: its files are open */
    struct output_lane *lane; /* that the job runs in; NULL: it has ended, or was not run */
    struct output_text said;  /* by output_say, before all else */
    struct output_text texts[2];
    struct output_text row; /* of a table */
    struct output_copies copies;
    uint64_t come[2];  /* of each, so many bytes have come, */
    uint64_t lines[2]; /* and so many of these are whole lines (OUTPUT_BY_LINE) */
    bool in_line[2];   /* the last line that was shown had no end so far */
    const char *tag;   /* the job's; a copy of its own when the job is gone */
    char *own_tag;
    struct output_entry *next; /* of those that are not used */
};

struct output_turn {
    uint64_t next;               /* the number whose turn it is */
    struct output_entry **queue; /* that and the following, by number modulo room */
    uint64_t room;               /* a power of two */
    bool moving;                 /* somebody shows those who have ended */
};

/* A job that has ended and has nothing to show. */
extern struct output_entry output_nothing;

void output_turn_open(struct output_turn *turn);
void output_turn_close(struct output_turn *turn);

/* The entry of that number, or NULL. */
struct output_entry *output_turn_find(const struct output_turn *turn, uint64_t number);

/* Sets it. The number is `next` or more. Errors: -ENOMEM. */
int output_turn_set(struct output_turn *turn, uint64_t number, struct output_entry *entry);

/* The turn is the next one's. */
void output_turn_move(struct output_turn *turn);

#endif
