/*
 * A text that is looked for in bytes: as it is, or as a regular expression.
 *
 * Expressions are POSIX's extended ones. Of Perl's, which GNU parallel's users know, those that are often seen with columns
 * and records are understood, too: \t \n \r \f \v \a \e \0 \xHH, and \d \D \s \S \w \W (in brackets only \d \s \w). As
 * in Perl's, a dot is anything but a newline.
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

/* One behind the other; each may be NULL or empty, but not both. */
int input_pattern_open_pair(struct input_pattern **pattern, const char *first, const char *second, const char *what);

/* Bytes as they are, of any kind. The first `middle` of them are the first of two. */
int input_pattern_open_literal(struct input_pattern **pattern, const char *bytes, size_t size, size_t middle);

/* An expression that matches only what ends where the bytes end. */
int input_pattern_open_at_end(struct input_pattern **pattern, const char *expression, const char *what);

/* Accepts NULL. */
void input_pattern_close(struct input_pattern *pattern);

/* Where it is: data[start, end); of a pair, the second begins at `middle`, which otherwise is `end`. */
struct input_match {
    size_t start, middle, end;
};

/* The first match in data[0, size), of at least one byte; of those that begin there the longest. */
bool input_pattern_find(const struct input_pattern *pattern, const char *data, size_t size, struct input_match *match);

/* The first match in data[start, end), of data[0, size), behind which is a zero: of those that begin there the longest, which may be
   empty. ^ and $ are where these bytes begin and end. */
bool input_pattern_match(const struct input_pattern *pattern, const char *data, size_t size, size_t start, size_t end,
                         struct input_match *match);

/* How many bytes each match has; 0: that differs, and one could become longer were there more bytes behind it. */
size_t input_pattern_size(const struct input_pattern *pattern);

#endif
