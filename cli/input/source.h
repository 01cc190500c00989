/*
 * Where the jobs of salp map get their inputs from: values of the command line, lines of files and of standard input, all
 * combinations of several lists or linked ones, columns, several inputs to a job, blocks of standard input.
 *
 * Inputs are read as they are needed: a list of a million lines, or one that somebody still writes, costs no memory, and the
 * first job starts when the first line is there. Only what needs all of them (--shuf, a list that is gone through again and
 * again) is held; the count for a progress bar is learnt by reading ahead into a file without a name.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_SOURCE_H
#define CLI_INPUT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

/* One list of inputs: the values behind ":::", or one file behind "::::" or -a ("-" is standard input). */
struct input_list {
    const char *path;          /* NULL: the values below */
    const char *const *values; /* as they stand in argv */
    int value_count;
    bool linked; /* ":::+" and "::::+": goes along with the list before it, instead of being combined with it */
};

struct input_options {
    const struct input_list *lists; /* none: standard input */
    int list_count;
    bool link_all; /* --link, --xapply: all lists go along with each other; a short one begins again */

    char delimiter;         /* between records: '\n', '\0' with -0, as given with -d */
    const char *delimiters; /* -d with several bytes: the whole of it ends a record; NULL: the one above */
    const char *columns;    /* --colsep: an expression (input/pattern.h); NULL: none, or "\t" with a header */
    const char *csv;        /* --csv: records are as RFC 4180 has them, with this between values; NULL: they are not */
    bool header;            /* --header : the first record of each list names its columns: {name} */
    enum input_trim { INPUT_TRIM_NONE, INPUT_TRIM_LEFT, INPUT_TRIM_RIGHT, INPUT_TRIM_BOTH } trim;
    const char *end; /* -E: a record that is this one ends its list; NULL: none */
    bool skip_empty; /* -r: records with nothing but blanks are left out */

    int max_args; /* -n, -N: so many records (or combinations of them) to a job; 0: one (or all that fit, with `fill`) */
    int max_lines; /* -L: the same, and a record that ends in a blank goes on in the next; 0: none */
    bool fill;     /* -X, -m, --xargs: as many as the line of a command may have */
    int fill_slots; /* -X, -m: the last ones, less than a line has room for, are shared out to so many jobs; 0: not (--xargs) */
    size_t max_chars; /* -s: bytes of a line, where a job has several records; 0: 128 KiB, what one argument may have */

    bool shuffle;          /* --shuf */
    uint64_t shuffle_seed; /* with a `shuffle`; 0: by chance */

    /* --pipe: jobs get no values, but standard input (or the one list that is a file), in blocks. */
    bool pipe;
    size_t block;             /* --block: bytes of a block, about; 0: 1 MiB */
    uint64_t block_count;     /* --block -N: a file is divided into so many blocks instead, or fewer; 0: not */
    const char *record_start; /* --recstart: a record begins with this; NULL: not looked at */
    const char *record_end;   /* --recend: a record ends with this; NULL: "\n" if there is no start either */
    size_t record_start_size, record_end_size;
    bool record_regexp;              /* --regexp: both are POSIX extended regular expressions */
    bool record_remove;              /* --rrs: start and end are not passed on */
    int block_records;               /* -N with --pipe: so many records to a block; 0: by size */
    uint64_t block_lines;            /* -L with --pipe: a record has so many lines; 0: one */
    bool block_header;               /* --header with --pipe: each block begins with the first line(s) of the input */
    const char *block_header_regexp; /* --header REGEXP */

    const char *temporary; /* folder for what is held on disk; NULL: TMPDIR, or /tmp */
};

struct input_source;

/*
 * Opens all lists; with `header` it waits for their first records. What the options point to has to stay as long as the
 * source. Errors have been told to standard error ("salp map: cannot read 'x': ..."); -EINVAL: options that contradict each
 * other. Called in a task (of a loop); so are all below.
 */
int input_source_open(struct input_source **source, const struct input_options *options);

/*
 * How many bytes a value adds to the command of its job, at most; NULL: how many there are without any. The template knows:
 * template_measure. It is told before the first job, where a job may have several values; without it no line is too long.
 */
typedef size_t input_measure(const char *value, void *arg);
void input_source_set_measure(struct input_source *source, input_measure *measure, void *arg);

/* Accepts NULL. */
void input_source_close(struct input_source *source);

/*
 * The next job's number, values or block, into its memory. Suspends the task while nothing is there to be read; one task
 * at a time. 1: here it is; 0: there is none left; a negative error was told: what came before is good, no more comes.
 * -ECANCELED, -ETIMEDOUT: by the scope, which is not told; of blocks nothing is lost, and another call goes on.
 */
int input_source_next(struct input_source *source, struct job *job);

/* The names of the columns (--header): {name} is the value at the same place. Valid as long as the source. */
const char *const *input_source_names(const struct input_source *source, int *count);

/*
 * How many jobs there will be in all; -EAGAIN: not known yet, or not before the last one (blocks; lines that are filled). It is
 * taken for granted that no line with -n becomes too long.
 */
int64_t input_source_total(const struct input_source *source);

/*
 * Reads ahead to learn it, and tells `known`, if it can be known: not if a list is broken, or has more than 256 MiB that come through
 * a pipe. In a task of its own, beside those that ask for jobs; it has to have ended before the source is closed. Returns 0, or
 * -ECANCELED, -ETIMEDOUT: by the scope, and nothing is lost.
 */
int input_source_learn(struct input_source *source, void (*known)(uint64_t total, void *arg), void *arg);

/* How many values a job has at most: a {N} that is larger is a mistake. 0: not known. */
int input_source_width(const struct input_source *source);

struct input_records;

/*
 * The records of the one list (input/records.h), when each as it stands there is the one value of a job, and none was given out
 * so far: for who wants no jobs. NULL: it is not as simple. They stay the source's, which then gives out nothing.
 */
struct input_records *input_source_records(struct input_source *source);

#endif
