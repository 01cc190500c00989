/*
 * The parts of the summary that tests look at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_SUMMARY_H
#define CLI_MAP_SUMMARY_H

#include <locale.h>
#include <stdint.h>
#include <stdio.h>

#include "job/watcher.h"

enum { MAP_SUMMARY_LINES = 24 }; /* at most */

struct map_summary_options {
    FILE *file;           /* where it goes; it stays the caller's */
    int columns;          /* of each line at most */
    int slots;            /* 0: not known */
    locale_t letters;     /* goes over to the watcher */
    int64_t (*now)(void); /* nanoseconds */
};

/* NULL: no memory, and the letters are the caller's still. */
struct job_watcher *map_summary_open(const struct map_summary_options *options);

#endif
