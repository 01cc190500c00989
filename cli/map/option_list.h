/*
 * The options of salp map: one table from which they are read, and from which --help-all is printed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_OPTION_LIST_H
#define CLI_MAP_OPTION_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "map/options.h"

/* How an option changes the field. */
enum map_option_kind {
    MAP_OPTION_HEADING,  /* none: a line of --help-all */
    MAP_OPTION_FLAG,     /* bool: true */
    MAP_OPTION_CHOICE,   /* int: `value` */
    MAP_OPTION_WORD,     /* const char *: the argument */
    MAP_OPTION_NUMBER,   /* int: the argument, at least `value` */
    MAP_OPTION_DURATION, /* int64_t, nanoseconds */
    MAP_OPTION_SIZE,     /* int64_t, bytes, at least 1 */
    MAP_OPTION_TAKEN,    /* by `take` */
    MAP_OPTION_IGNORED,  /* of GNU parallel, with no meaning here */
};

struct map_option {
    const char *name;     /* without "--"; of a heading: the line */
    char letter;          /* 0: none */
    const char *argument; /* as it is called in the help; NULL: none; in brackets: it may be left out */
    const char *help;     /* NULL: another name for the one above it, or ignored */
    enum map_option_kind kind;
    size_t field; /* offset in struct map_options */
    int value;
    bool (*take)(struct map_options *options, const char *argument); /* false: the argument makes no sense */
};

extern const struct map_option map_option_list[];
extern const int map_option_count;

/* Of options that name lists and the command (options.c): as `take`. */
bool map_option_add_file(struct map_options *options, const char *path);

/* Why an option of GNU parallel's, long or short ("S"), is refused; NULL: it is none of those. */
const char *map_option_refusal(const char *name);

/* Prints a screen; all; the version; why there is nothing to cite. */
void map_help(void);
void map_help_all(void);
void map_citation(void);

#endif
