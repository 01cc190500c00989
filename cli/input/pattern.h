/*
 * A text that is looked for in bytes: as it is, or as a regular expression.
 *
 * Expressions are POSIX's extended ones. Of Perl's, which GNU parallel's users know, those that are often seen with columns
 * and records are understood, too: \t \n \r \f \v \a \e \0 \xHH, and \d \D \s \S \w \W (in brackets only \d \s \w).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_PATTERN_H
#define CLI_INPUT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

struct input_pattern;

/* An expression. `what` it is for, in messages: "--colsep". Errors were told: -EINVAL: it is none; -ENOMEM. */
int input_pattern_open(struct input_pattern **pattern, const char *expression, const char *what);

/* Bytes as they are, of any kind. */
int input_pattern_open_literal(struct input_pattern **pattern, const char *bytes, size_t size);

/* Accepts NULL. */
void input_pattern_close(struct input_pattern *pattern);

/* The first match in data[0, size), of at least one byte; of those that begin there the longest: data[*start, *end). */
bool input_pattern_find(const struct input_pattern *pattern, const char *data, size_t size, size_t *start, size_t *end);

/* How many bytes a match has; 0: that differs. */
size_t input_pattern_size(const struct input_pattern *pattern);

#endif
