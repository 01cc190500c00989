/*
 * What is written behind an option: times, sizes, numbers of slots, halts. As GNU parallel writes them.
 *
 * Each takes the whole text, fills in what it is for, and returns whether the text makes sense; nothing is changed if not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_VALUES_H
#define CLI_MAP_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map/options.h"

/* "3", "2.5", "500ms", "1h30m", "2d": nanoseconds; without a unit: seconds. */
bool map_value_duration(const char *text, int64_t *nanoseconds);

/* "100", "64k" (of 1000), "1.5M", "2G", "1T" (of 1024), "10MiB": bytes. */
bool map_value_size(const char *text, int64_t *bytes);

/* A number in decimal, from `least` to `most`. */
bool map_value_number(const char *text, int64_t least, int64_t most, int64_t *number);

/* "30%": 30. */
bool map_value_percent(const char *text, double *percent);

/* -j: "8", "0", "150%", "+2", "-1", or a file that has one of these. Only its form: whether the file is there is not looked at. */
bool map_value_slots(const char *text, struct map_slots *slots);

/* --halt: "never", "soon,fail=1", "now,success=30%", "soon,done=10"; "0", "1", "2", "-1", "-2", "30%". */
bool map_value_halt(const char *text, struct map_halt *halt);

/*
 * Bytes as they are written for a delimiter: '\n', '\t', '\0', '\\', '\x0a', '\012', and whatever stands for itself. In
 * place, with a zero behind them; returns how many there are.
 */
size_t map_value_unescape(char *text);

#endif
