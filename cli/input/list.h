/*
 * One list of inputs, gone through once or again and again, or by index.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_LIST_H
#define CLI_INPUT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/source.h"

struct input_list_reader;
struct input_records;

/* How it is gone through. */
enum input_list_use {
    INPUT_LIST_ONCE,    /* nothing is held */
    INPUT_LIST_AGAIN,   /* held as it is read, for input_list_rewind */
    INPUT_LIST_INDEXED, /* the same, for input_list_at, too */
};

/* Errors were told. In a task, as all that read. The list and the options stay as long as this. */
int input_list_open(struct input_list_reader **reader, const struct input_list *list,
                    const struct input_options *options, enum input_list_use use);

/* Accepts NULL. */
void input_list_close(struct input_list_reader *reader);

/* The next record, which ends with a zero and stays until the next call. 1; 0: the end; an error was told. */
int input_list_next(struct input_list_reader *reader, const char **record, size_t *size);

/* Begins again. Not with INPUT_LIST_ONCE. */
void input_list_rewind(struct input_list_reader *reader);

/* What comes is not held any more: it is the last time. */
void input_list_hold_no_more(struct input_list_reader *reader);

/* Reads all of it. [INPUT_LIST_INDEXED] */
int input_list_read_all(struct input_list_reader *reader);

/* One of them, by its index. [INPUT_LIST_INDEXED, all read] */
const char *input_list_at(const struct input_list_reader *reader, uint64_t index, size_t *size);

/* How many there are; -EAGAIN: the end was not reached yet, and it was not learnt. */
int64_t input_list_count(const struct input_list_reader *reader);

/* The records of its file, of which none was read so far. NULL: values, or they are held. */
struct input_records *input_list_records(const struct input_list_reader *reader);

/*
 * Reads ahead to know how many there are. In a task of its own, beside the one that goes through the list, which is not closed
 * meanwhile. 0: it is known now; an error, not told: it will not be.
 */
int input_list_learn(struct input_list_reader *reader, const char *folder);

#endif
