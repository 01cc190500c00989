/*
 * SPDX-License-Identifier: MIT
 */
#include "input/csv.h"

#include <errno.h>
#include <string.h>

#include "input/message.h"

bool input_csv_is_within(const char *bytes, size_t size, bool within)
{
    const char *end = bytes + size;
    while ((bytes = memchr(bytes, '"', (size_t)(end - bytes))) != NULL) {
        within = !within;
        bytes++;
    }
    return within;
}

static void go_on(struct input_csv *csv, size_t size)
{
    csv->record += size;
    csv->size -= size;
}

/* As much of the record as is readable. */
static int tell(const struct input_csv *csv, const char *what)
{
    enum { SHOWN = 60 };
    int size = (int)(csv->size < SHOWN ? csv->size : SHOWN);
    return input_tell(-EINVAL, "--csv: %s: %.*s%s", what, size, csv->record, csv->size > SHOWN ? "..." : "");
}

/* Behind the quote it begins with, up to the one it ends with. */
static int take_quoted(struct input_csv *csv, char *to, size_t *size)
{
    const struct input_csv before = *csv;
    go_on(csv, 1);
    for (;;) {
        const char *quote = memchr(csv->record, '"', csv->size);
        if (!quote)
            return tell(&before, "a quote is not closed");
        size_t plain = (size_t)(quote - csv->record);
        bool doubled = plain + 1 < csv->size && quote[1] == '"';
        memcpy(to + *size, csv->record, plain + doubled);
        *size += plain + doubled;
        go_on(csv, plain + 1 + doubled);
        if (!doubled)
            return 0;
    }
}

static int take_plain(struct input_csv *csv, char *to, size_t *size)
{
    const char *end = memmem(csv->record, csv->size, csv->separator, strlen(csv->separator));
    *size = end ? (size_t)(end - csv->record) : csv->size;
    if (memchr(csv->record, '"', *size))
        return tell(csv, "a quote stands in a value that does not begin with one");
    memcpy(to, csv->record, *size);
    go_on(csv, *size);
    return 0;
}

int input_csv_next(struct input_csv *csv, char *to, size_t *size)
{
    size_t separator = strlen(csv->separator);
    *size = 0;
    if (csv->ended)
        return 0;
    bool quoted = csv->size > 0 && csv->record[0] == '"';
    int error = quoted ? take_quoted(csv, to, size) : take_plain(csv, to, size);
    if (error < 0)
        return error;
    csv->ended = csv->size == 0;
    if (!csv->ended && (csv->size < separator || memcmp(csv->record, csv->separator, separator) != 0))
        return tell(csv, "something follows a quote that ends a value");
    if (!csv->ended)
        go_on(csv, separator);
    return 1;
}
