/*
 * Whose turn it is: with keep_order, outputs are shown in the order of the jobs' numbers, so those that end early wait.
 *
 * A million may wait behind one: a place in the queue is eight bytes, which are counted in the store's bound, and what has ended
 * is packed (output/packed.h).
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

/*
 * A place in the queue. An entry is its own address, what is packed in memory that address and 1, what is packed in the
 * file its offset there times 2 and 1, which is told by the highest bit.
 */
typedef uint64_t output_place;

#define OUTPUT_PACKED ((output_place)1)
#define OUTPUT_IN_FILE ((output_place)1 << 63)

struct output_turn {
    uint64_t next;       /* the number whose turn it is */
    output_place *queue; /* that and the following, by number modulo room; 0: nobody has come */
    uint64_t room;       /* a power of two */
    bool moving;         /* somebody shows those who have ended */
    struct output_store *store;
};

/* A job that has ended and has nothing to show. */
extern struct output_entry output_nothing;

void output_turn_open(struct output_turn *turn, struct output_store *store);
void output_turn_close(struct output_turn *turn);

/* What is in the place of that number. */
output_place output_turn_at(const struct output_turn *turn, uint64_t number);

/* The entry of that number; NULL: there is none, or it is packed. */
struct output_entry *output_turn_find(const struct output_turn *turn, uint64_t number);

/* Sets it. The number is `next` or more. Errors: -ENOMEM, unless somebody has its place already. */
int output_turn_set(struct output_turn *turn, uint64_t number, output_place place);

static inline output_place output_place_of(const struct output_entry *entry)
{
    return (output_place)(uintptr_t)entry;
}

/* The turn is the next one's. */
void output_turn_move(struct output_turn *turn);

#endif
