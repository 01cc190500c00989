/*
 * Values that were read and belong to no job yet, in rows: what one combination of the lists has given.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_STASH_H
#define CLI_INPUT_STASH_H

#include <stddef.h>

#include "job/job.h"

struct input_stash {
    char *bytes; /* of the values, one after another, each with a zero */
    size_t size, room;
    size_t *values; /* where each begins */
    size_t value_count, value_room;
    size_t *rows; /* how many values there were when each row ended */
    size_t row_count, row_room;
};

/* Another value of the row that has not ended. -ENOMEM. */
int input_stash_add(struct input_stash *stash, const char *value, size_t size);

/* The row has ended. -ENOMEM. */
int input_stash_end_row(struct input_stash *stash);

/* The first rows become the job's values, in its memory. -ENOMEM. */
int input_stash_take(struct input_stash *stash, size_t rows, struct job *job);

/* Frees what it has. */
void input_stash_close(struct input_stash *stash);

#endif
