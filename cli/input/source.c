/*
 * From lists to jobs, in four steps, each of which asks the one before when it is asked:
 *
 *     bytes.c, records.c    a file's bytes, its records
 *     list.c                a list: values or records, held if they are needed again
 *     combination.c         a record of each list
 *     here                  rows: a record's columns, trimmed; as many rows as a job has, into its memory
 *
 * Rows are gathered in a stash until there are as many as a job has: one, -n, or as many as its line has room for. A row that does not
 * fit stays there for the next job. When the end comes while a line is being filled, what is in the stash is shared out to as
 * many jobs as may run at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/source.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "input/blocks.h"
#include "input/combination.h"
#include "input/csv.h"
#include "input/grow.h"
#include "input/message.h"
#include "input/pattern.h"
#include "input/stash.h"
#include "job/memory.h"

enum { LINE_MAX_CHARS = 128 << 10 };

struct input_source {
    struct input_options options; /* with the lists that are meant: standard input when none is named */
    struct input_list standard_input;
    input_measure *measure;
    void *arg;
    struct input_blocks *blocks;             /* --pipe; NULL: values */
    struct input_combinations *combinations; /* NULL: blocks */
    struct input_pattern *columns;           /* NULL: a record is one value, or --csv */
    char *unquoted;                          /* [--csv] a value */
    size_t unquoted_room;

    const char **names; /* of columns, all lists' one after another */
    char *name_bytes;   /* where they are */
    int *list_names;    /* how many each list has */
    int name_count;

    struct input_stash stash;
    size_t rows_max;  /* to a job */
    size_t chars_max; /* of its line, if `rows_max` is more than one */
    size_t chars;     /* of a line with what is in the stash */
    int shares;       /* when the end has come: so many jobs are still to be made of the stash; 0: it has not */
    bool ended;       /* there is nothing more to be gathered */
    int error;        /* what has ended it; 0: nothing */
    uint64_t number;  /* of the job that was given out last */
};

/* ---- values ---- */

static const char *trim_left(const char *value, size_t *size)
{
    while (*size > 0 && isspace((unsigned char)*value)) {
        value++;
        (*size)--;
    }
    return value;
}

static int add_value(struct input_source *source, const char *value, size_t size)
{
    enum input_trim trim = source->options.trim;
    if (trim == INPUT_TRIM_LEFT || trim == INPUT_TRIM_BOTH)
        value = trim_left(value, &size);
    if (trim == INPUT_TRIM_RIGHT || trim == INPUT_TRIM_BOTH) {
        while (size > 0 && isspace((unsigned char)value[size - 1]))
            size--;
    }
    return input_stash_add(&source->stash, value, size);
}

/* The values of a record of --csv; their number is *count. A line may end as those of other systems do. */
static int add_quoted(struct input_source *source, const struct input_record *record, int *count)
{
    const struct input_options *options = &source->options;
    bool returns = !options->delimiters && options->delimiter == '\n' && record->size > 0;
    size_t size = record->size - (returns && record->bytes[record->size - 1] == '\r');
    struct input_csv csv = { .record = record->bytes, .size = size, .separator = options->csv };
    char *room = input_grow(source->unquoted, &source->unquoted_room, 0, size + 1, 1);
    int result = room ? 1 : -ENOMEM;
    if (room)
        source->unquoted = room;
    for (*count = 0; result > 0; *count += result > 0) {
        result = input_csv_next(&csv, room, &size);
        if (result > 0 && add_value(source, room, size) < 0)
            result = -ENOMEM;
    }
    return result;
}

/* Those of one that is split. */
static int add_split(struct input_source *source, const struct input_record *record, int *count)
{
    const char *rest = record->bytes;
    size_t left = record->size;
    struct input_match match;
    int error = 0;
    *count = 1;
    while (error == 0 && source->columns && input_pattern_find(source->columns, rest, left, &match)) {
        error = add_value(source, rest, match.start);
        rest += match.end;
        left -= match.end;
        ++*count;
    }
    return error < 0 ? error : add_value(source, rest, left);
}

/* The columns of a record; at least so many, of which those that are missing are empty. -ENOMEM; -EINVAL, told. */
static int add_columns(struct input_source *source, const struct input_record *record, int least)
{
    int count, error = source->options.csv ? add_quoted(source, record, &count) : add_split(source, record, &count);
    for (; error == 0 && count < least; count++)
        error = input_stash_add(&source->stash, "", 0);
    return error;
}

static int add_row(struct input_source *source, const struct input_record *records)
{
    int error = 0;
    for (int i = 0; i < source->options.list_count && error == 0; i++)
        error = add_columns(source, &records[i], source->list_names ? source->list_names[i] : 0);
    return error < 0 ? error : input_stash_end_row(&source->stash);
}

/* ---- opening ---- */

/* The first records are the names. They go through the stash as other rows do. */
static int read_header(struct input_source *source)
{
    const struct input_options *options = &source->options;
    const struct input_record *records;
    int result = input_combinations_header(source->combinations, &records);
    if (result < 0)
        return result;
    struct input_stash *stash = &source->stash;
    source->list_names = calloc((size_t)options->list_count, sizeof *source->list_names);
    int error = source->list_names ? 0 : -ENOMEM;
    for (int i = 0; i < options->list_count && result > 0 && error == 0; i++) {
        size_t before = stash->value_count;
        error = add_columns(source, &records[i], 0);
        source->list_names[i] = (int)(stash->value_count - before);
    }
    source->names = calloc(stash->value_count + 1, sizeof *source->names);
    if (error == -EINVAL)
        return error;
    if (error < 0 || !source->names)
        return input_tell_error(-ENOMEM, "names of columns");
    for (size_t i = 0; i < stash->value_count; i++)
        source->names[i] = stash->bytes + stash->values[i];
    source->name_count = (int)stash->value_count;
    source->name_bytes = stash->bytes;
    stash->bytes = NULL;
    stash->size = stash->room = stash->value_count = 0;
    return 0;
}

static int open_columns(struct input_source *source)
{
    const struct input_options *options = &source->options;
    if (options->columns)
        return input_pattern_open(&source->columns, options->columns, "--colsep");
    return options->header && !options->csv ? input_pattern_open_literal(&source->columns, "\t", 1, 1) : 0;
}

static int open_blocks(struct input_source *source)
{
    const struct input_list *list = source->options.lists;
    if (source->options.list_count > 1 || !list->path)
        return input_tell(-EINVAL, "--pipe takes standard input, or one file with -a or ::::, and no values");
    return input_blocks_open(&source->blocks, list->path, &source->options);
}

/* How many rows a job has, and how long its line may be. */
static void set_limits(struct input_source *source)
{
    const struct input_options *options = &source->options;
    int rows = options->max_lines > 0 ? options->max_lines : options->max_args;
    source->rows_max = rows > 0 ? (size_t)rows : options->fill ? SIZE_MAX : 1;
    source->chars_max = SIZE_MAX;
}

void input_source_set_measure(struct input_source *source, input_measure *measure, void *arg)
{
    size_t chars = source->options.max_chars > 0 ? source->options.max_chars : LINE_MAX_CHARS;
    source->measure = measure;
    source->arg = arg;
    source->chars_max = source->rows_max > 1 ? chars : SIZE_MAX;
}

int input_source_open(struct input_source **opened, const struct input_options *options)
{
    *opened = NULL;
    struct input_source *source = calloc(1, sizeof *source);
    if (!source)
        return input_tell_error(-ENOMEM, "inputs");
    source->options = *options;
    if (options->list_count == 0) {
        source->standard_input.path = "-";
        source->options.lists = &source->standard_input;
        source->options.list_count = 1;
    }
    set_limits(source);
    if (options->pipe) {
        int error = open_blocks(source);
        if (error == 0)
            *opened = source;
        else
            input_source_close(source);
        return error;
    }
    int error = open_columns(source);
    if (error == 0)
        error = input_combinations_open(&source->combinations, &source->options);
    if (error == 0 && options->header)
        error = read_header(source);
    if (error == 0)
        *opened = source;
    else
        input_source_close(source);
    return error;
}

void input_source_close(struct input_source *source)
{
    if (!source)
        return;
    input_blocks_close(source->blocks);
    input_combinations_close(source->combinations);
    input_pattern_close(source->columns);
    input_stash_close(&source->stash);
    free(source->unquoted);
    free(source->names);
    free(source->name_bytes);
    free(source->list_names);
    free(source);
}

/* ---- jobs ---- */

/* How long the line becomes by the row that is the stash's last. */
static size_t measure_last(struct input_source *source)
{
    const struct input_stash *stash = &source->stash;
    size_t chars = 0, first = stash->row_count > 1 ? stash->rows[stash->row_count - 2] : 0;
    for (size_t i = first; i < stash->value_count; i++)
        chars += source->measure(stash->bytes + stash->values[i], source->arg);
    return chars;
}

/* One more row. 1; 0: there are none; an error was told. */
static int gather_row(struct input_source *source)
{
    const struct input_record *records;
    int result = input_combinations_next(source->combinations, &records);
    if (result <= 0)
        return result;
    int error = add_row(source, records);
    if (error == -ENOMEM)
        return input_tell_error(error, "inputs");
    return error < 0 ? error : 1;
}

/*
 * Gathers the rows of a job; returns how many of the stash's are its own. 0: there are none left. What is there when an
 * error comes still makes a job.
 */
static size_t gather(struct input_source *source)
{
    struct input_stash *stash = &source->stash;
    bool limited = source->chars_max != SIZE_MAX;
    /* What the stash still has is one row that did not fit. */
    source->chars = limited ? source->measure(NULL, source->arg) : 0;
    if (limited && stash->row_count > 0)
        source->chars += measure_last(source);
    while (!source->ended && stash->row_count < source->rows_max) {
        int result = gather_row(source);
        if (result <= 0) {
            source->error = result;
            source->ended = true;
            break;
        }
        if (limited)
            source->chars += measure_last(source);
        if (source->chars > source->chars_max && stash->row_count > 1)
            return stash->row_count - 1;
        if (input_combinations_at_border(source->combinations))
            break;
    }
    return stash->row_count;
}

/* The next job's rows: as many as belong together, or, at the end of lines that are filled, a fair share of the rest. */
static size_t next_rows(struct input_source *source)
{
    if (source->shares == 0) {
        size_t rows = gather(source);
        if (!source->ended || rows < source->stash.row_count || source->options.fill_slots <= 1)
            return rows;
        source->shares = source->options.fill_slots;
    }
    size_t rows = source->stash.row_count, shares = (size_t)source->shares;
    if (source->shares > 1)
        source->shares--;
    return (rows + shares - 1) / shares;
}

static int next_block(struct input_source *source, struct job *job)
{
    int got = source->ended ? source->error : input_blocks_next(source->blocks, job);
    if (got > 0) {
        job->number = ++source->number;
    } else if (got != -ECANCELED && got != -ETIMEDOUT) {
        source->ended = true;
        source->error = got;
    }
    return got;
}

int input_source_next(struct input_source *source, struct job *job)
{
    if (source->blocks)
        return next_block(source, job);
    size_t rows = next_rows(source);
    if (rows == 0)
        return source->error;
    if (input_stash_take(&source->stash, rows, job) < 0) {
        source->ended = true;
        source->error = input_tell_error(-ENOMEM, "inputs");
        return source->error;
    }
    job->number = ++source->number;
    return 1;
}

/* ---- about it ---- */

const char *const *input_source_names(const struct input_source *source, int *count)
{
    *count = source->name_count;
    return source->names;
}

int64_t input_source_total(const struct input_source *source)
{
    if (source->ended && source->stash.row_count == 0)
        return (int64_t)source->number;
    if (source->blocks || (source->chars_max != SIZE_MAX && source->options.fill))
        return -EAGAIN;
    int64_t rows = input_combinations_count(source->combinations);
    if (rows < 0)
        return -EAGAIN;
    int64_t together = source->rows_max < INT64_MAX ? (int64_t)source->rows_max : INT64_MAX;
    return rows / together + (rows % together > 0);
}

int input_source_learn(struct input_source *source, void (*known)(uint64_t total, void *arg), void *arg)
{
    bool countable = !source->blocks && !(source->chars_max != SIZE_MAX && source->options.fill);
    int error = countable ? input_combinations_learn(source->combinations) : 0;
    int64_t total = input_source_total(source);
    if (total >= 0)
        known((uint64_t)total, arg);
    return error == -ECANCELED || error == -ETIMEDOUT ? error : 0;
}

int input_source_width(const struct input_source *source)
{
    if (source->columns || source->options.csv || source->options.pipe ||
        source->rows_max > INT_MAX / (size_t)source->options.list_count)
        return 0;
    return (int)source->rows_max * source->options.list_count;
}

struct input_records *input_source_records(struct input_source *source)
{
    const struct input_options *options = &source->options;
    bool plain =
        !source->columns && !options->csv && !options->header && !options->pipe && options->trim == INPUT_TRIM_NONE;
    if (!plain || source->rows_max > 1 || source->number > 0 || source->stash.row_count > 0)
        return NULL;
    return input_combinations_records(source->combinations);
}
