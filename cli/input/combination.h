/*
 * What several lists give together: all combinations of them, the last list changing fastest; linked lists go along with each
 * other. Or the same in an order by chance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_COMBINATION_H
#define CLI_INPUT_COMBINATION_H

#include <stddef.h>
#include <stdint.h>

#include "input/source.h"

struct input_combinations;
struct input_records;

/* A record of one list. */
struct input_record {
    const char *bytes; /* a zero follows them */
    size_t size;
};

/* Errors were told. In a task, as all that read. The options, which have at least one list, stay as long as this. */
int input_combinations_open(struct input_combinations **combinations, const struct input_options *options);

/* Accepts NULL. */
void input_combinations_close(struct input_combinations *combinations);

/* The first record of each list, before all others: one for each. 1; 0: a list has none; an error was told. */
int input_combinations_header(struct input_combinations *combinations, const struct input_record **records);

/* The next combination: a record of each list. They stay until the next call. 1; 0: the end; an error was told. */
int input_combinations_next(struct input_combinations *combinations, const struct input_record **records);

/*
 * With --shuf: does another job begin with the next one? Jobs of several combinations are made first and shuffled then, so
 * that what stands together stays together.
 */
bool input_combinations_at_border(const struct input_combinations *combinations);

/* How many there are in all, without headers; -EAGAIN: not known yet. */
int64_t input_combinations_count(const struct input_combinations *combinations);

/* The records of the one list, when each is a combination as it comes and none was given out. NULL: it is not as simple. */
struct input_records *input_combinations_records(const struct input_combinations *combinations);

/* Reads ahead to know that, as input_list_learn does. */
int input_combinations_learn(struct input_combinations *combinations);

#endif
