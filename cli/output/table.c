/* Rows with commas or tabs. SPDX-License-Identifier: MIT */
#include "output/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY = 64 * 1024 };

struct row {
    struct output_text *text;
    struct output_store *store;
    char separator;
    int error; /* the first one */
};

static void put(struct row *row, const void *bytes, size_t size)
{
    if (row->error == 0)
        row->error = output_text_add(row->text, row->store, bytes, size);
}

__attribute__((format(printf, 2, 3))) static void put_format(struct row *row, const char *format, ...)
{
    char text[100];
    va_list arguments;
    va_start(arguments, format);
    put(row, text, (size_t)vsnprintf(text, sizeof text, format, arguments));
    va_end(arguments);
}

/* Behind a field that is not the last one. */
static void part(struct row *row)
{
    put(row, &row->separator, 1);
}

/* Quotes within quotes are doubled. */
static void put_doubled(struct row *row, const char *bytes, size_t size)
{
    const char *quote;
    while ((quote = memchr(bytes, '"', size))) {
        size_t length = (size_t)(quote - bytes) + 1;
        put(row, bytes, length);
        put(row, "\"", 1);
        bytes += length;
        size -= length;
    }
    put(row, bytes, size);
}

static void put_field(struct row *row, const char *value)
{
    const char special[] = { row->separator, '"', '\n', '\r', ' ', '\0' };
    if (!strpbrk(value, special)) {
        put(row, value, strlen(value));
        return;
    }
    put(row, "\"", 1);
    put_doubled(row, value, strlen(value));
    put(row, "\"", 1);
}

/* A field of an output, which is empty afterwards. By copies: what is looked at is of who shows something now. */
static void move_text(struct row *row, struct output_text *from)
{
    if (from->size == 0)
        return;
    char *bytes = malloc(COPY);
    if (!bytes && row->error == 0)
        row->error = -ENOMEM;
    put(row, "\"", 1);
    while (from->size > 0 && row->error == 0) {
        int64_t there = output_text_copy(from, row->store, bytes, COPY);
        if (there < 0) {
            row->error = (int)there;
            break;
        }
        put_doubled(row, bytes, (size_t)there);
        output_text_take(from, row->store, (uint64_t)there);
    }
    put(row, "\"", 1);
    free(bytes);
}

int output_table_title(struct output_text *text, struct output_store *store, int values, char separator)
{
    static const char *const names[] = { "Seq",     "Host",    "Starttime", "JobRuntime", "Send",
                                         "Receive", "Exitval", "Signal",    "Command" };
    struct row row = { text, store, separator, 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        put_field(&row, names[i]);
        part(&row);
    }
    for (int i = 1; i <= values; i++) {
        put_format(&row, "V%d", i);
        part(&row);
    }
    put_field(&row, "Stdout");
    part(&row);
    put_field(&row, "Stderr");
    put(&row, "\n", 1);
    return row.error;
}

int output_table_row(struct output_text *text, struct output_store *store, const struct job *job,
                     struct output_text outputs[2], char separator)
{
    struct row row = { text, store, separator, 0 };
    char c = separator;
    put_format(&row, "%" PRIu64 "%c:%c%.3f%c%.3f%c", job->number, c, c, (double)job->started / 1e9, c,
               (double)job->wall / 1e9, c);
    put_format(&row, "%zu%c%" PRIu64 "%c%d%c%d%c", job->block_size, c, job->out.size, c, job_exit_value(job), c,
               job_signal_value(job), c);
    put_field(&row, job->line);
    part(&row);
    for (int i = 0; i < job->value_count; i++) {
        put_field(&row, job->values[i]);
        part(&row);
    }
    move_text(&row, &outputs[0]);
    part(&row);
    move_text(&row, &outputs[1]);
    put(&row, "\n", 1);
    return row.error;
}
