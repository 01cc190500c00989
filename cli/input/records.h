/*
 * The records of a file: its lines, or what else a delimiter ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_RECORDS_H
#define CLI_INPUT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "input/source.h"

struct input_records;

enum { INPUT_RECORD_MAX = 16 << 20 }; /* bytes: a record that is longer is an error, and no memory is taken for it */

/* Errors were told. In a task, as input_records_next. `options` stay as long as this. */
int input_records_open(struct input_records **records, const char *path, const struct input_options *options);

/* Accepts NULL. */
void input_records_close(struct input_records *records);

/*
 * The next record, without its delimiter; a zero follows it. It stays until the next call. 1: here it is; 0: the end; a negative
 * error was told: -EILSEQ: there is a zero byte in it; -EMSGSIZE: it is too long; those of input_bytes_read.
 */
int input_records_next(struct input_records *records, const char **record, size_t *size);

/* Is a record there already, so that the next call does not wait? */
bool input_records_ready(struct input_records *records);

/*
 * The same records once more, from the next one on, for who counts them (input_bytes_ahead). To be closed before the first one.
 * Another task may be in input_records_next of the first one. Errors, not told, as those of reading from it.
 */
int input_records_ahead(struct input_records **ahead, struct input_records *records, const char *folder);

/* Nothing but blanks and tabs, or nothing at all. */
bool input_is_blank(const char *record, size_t size);

#endif
