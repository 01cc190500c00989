/*
 * The parts of the progress line that tests look at one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_PROGRESS_H
#define CLI_MAP_PROGRESS_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/watcher.h"

/* What a person is shown. */
struct map_progress_view {
    uint64_t ended; /* jobs that have ended for good, however; or need not be run */
    uint64_t total;
    bool total_known;
    uint64_t failed, running;
    double rate;      /* jobs a second; 0: not known */
    int64_t elapsed;  /* nanoseconds */
    int64_t left;     /* nanoseconds; -1: not known */
    const char *name; /* of the job that has run for longest; NULL: none */
    bool no_bar;
};

/*
 * The view as a line of at most `columns` columns: the most important of what has room. `colour`: what has failed is red.
 * Returns its columns; 0: there is no room for anything.
 */
int map_progress_line(const struct map_progress_view *view, int columns, bool colour, locale_t letters, char *line,
                      size_t size);

/* "0:47", "1:02:03", "2d 03h"; "--:--" when it is negative. */
void map_progress_time(int64_t time, char *text, size_t size);

/* Nanoseconds of a clock that does not jump. */
int64_t map_now(void);

enum { MAP_PROGRESS_SIZE = 1024 }; /* bytes of any line */

struct map_progress_options {
    int fd;
    bool redrawn; /* it is a terminal that can; else lines follow each other, ever more seldom */
    bool colour;
    locale_t letters;     /* goes over to the watcher */
    int64_t (*now)(void); /* nanoseconds */
};

/* NULL: no memory, and the letters are the caller's still. */
struct job_watcher *map_progress_open(const struct map_progress_options *options);

#endif
