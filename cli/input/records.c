/*
 * A buffer with what was read and not handed out:
 *
 *     buffer            start        searched         end              room
 *       | handed out      | a record that has begun    | to be read into  |
 *                         |   no delimiter |  unknown  |
 *
 *   I1  Between `start` and `searched` no delimiter begins, so no byte is looked at twice, however slowly a record comes. (With
 *       --csv, save for those within quotes; of these, those up to `counted` are known.)
 *   I2  Behind `end` there is room for one byte, the zero behind a last record that has no delimiter.
 *
 * The buffer is as large as a read, and doubles only for a record that is longer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "input/bytes.h"
#include "input/csv.h"
#include "input/message.h"

enum { READ = 64 << 10 };

struct input_records {
    struct input_bytes *bytes;
    const struct input_options *options;
    const char *delimiter;
    size_t delimiter_size;
    char *buffer;
    size_t room, start, searched, end;
    size_t counted; /* [--csv] quotes before that were counted; */
    bool within;    /* it is within quotes there */
    bool ended;     /* there is no more to be read */
    bool ahead;     /* it only counts: errors are the other one's to tell */
    uint64_t number;
};

int input_records_open(struct input_records **opened, const char *path, const struct input_options *options)
{
    *opened = NULL;
    struct input_records *records = calloc(1, sizeof *records);
    if (!records)
        return input_tell_error(-ENOMEM, "inputs");
    records->options = options;
    records->delimiter = options->delimiters ? options->delimiters : &options->delimiter;
    records->delimiter_size = options->delimiters ? strlen(options->delimiters) : 1;
    int error = input_bytes_open(&records->bytes, path);
    if (error < 0) {
        free(records);
        return error;
    }
    *opened = records;
    return 0;
}

void input_records_close(struct input_records *records)
{
    if (!records)
        return;
    input_bytes_close(records->bytes);
    free(records->buffer);
    free(records);
}

/* Makes room to read into, at the end of the buffer. */
static int make_room(struct input_records *records)
{
    size_t held = records->end - records->start;
    if (records->start > 0) {
        memmove(records->buffer, records->buffer + records->start, held);
        records->searched -= records->start;
        records->counted -= records->start;
        records->start = 0;
        records->end = held;
    }
    if (records->room - held > READ / 2)
        return 0;
    if (held > INPUT_RECORD_MAX && records->ahead)
        return -EMSGSIZE;
    if (held > INPUT_RECORD_MAX)
        return input_tell(-EMSGSIZE, "%s: record %llu is longer than %d MiB", input_bytes_name(records->bytes),
                          (unsigned long long)records->number + 1, INPUT_RECORD_MAX >> 20);
    size_t room = records->room ? 2 * records->room : READ;
    char *larger = realloc(records->buffer, room + 1); /* I2 */
    if (!larger)
        return input_tell_error(-ENOMEM, "%s: a record of more than %zu bytes", input_bytes_name(records->bytes), held);
    records->buffer = larger;
    records->room = room;
    return 0;
}

/* Reads more. 1; 0: there is no more; or an error. */
static int read_more(struct input_records *records)
{
    if (records->ended)
        return 0;
    int error = make_room(records);
    if (error < 0)
        return error;
    int64_t got = input_bytes_read(records->bytes, records->buffer + records->end, records->room - records->end);
    if (got < 0)
        return (int)got;
    records->ended = got == 0;
    records->end += (size_t)got;
    return got > 0;
}

/* Where the next delimiter is, in what was read; NULL: not there. */
static char *find_delimiter(struct input_records *records)
{
    char *from = records->buffer + records->searched;
    size_t size = records->end - records->searched, delimiter = records->delimiter_size;
    char *found =
        delimiter == 1 ? memchr(from, records->delimiter[0], size) : memmem(from, size, records->delimiter, delimiter);
    if (found)
        records->searched = (size_t)(found - records->buffer);
    else if (size >= delimiter)
        records->searched = records->end - (delimiter - 1);
    return found;
}

/* With -L a record goes on in the next one if it ends in a blank: then the delimiter is taken out from between them. */
static bool goes_on(struct input_records *records, char *end)
{
    char *begin = records->buffer + records->start;
    if (records->options->max_lines == 0 || end == begin || (end[-1] != ' ' && end[-1] != '\t'))
        return false;
    memmove(begin + records->delimiter_size, begin, (size_t)(end - begin));
    records->start += records->delimiter_size;
    records->searched = records->counted = (size_t)(end - records->buffer) + records->delimiter_size;
    return true;
}

/* With --csv a delimiter within quotes is one of the record's bytes. */
static bool is_quoted(struct input_records *records, const char *end)
{
    if (!records->options->csv)
        return false;
    const char *from = records->buffer + records->counted;
    records->within = input_csv_is_within(from, (size_t)(end - from), records->within);
    records->counted = (size_t)(end - records->buffer);
    if (records->within)
        records->searched = records->counted + records->delimiter_size;
    return records->within;
}

/* What comes is another record. */
static void begin_record(struct input_records *records, size_t at)
{
    records->start = records->searched = records->counted = at;
    records->within = false;
}

/* The next record as it stands there. */
static int next_raw(struct input_records *records, char **record, size_t *size)
{
    for (;;) {
        char *end = records->buffer ? find_delimiter(records) : NULL;
        if (end && (is_quoted(records, end) || goes_on(records, end)))
            continue;
        if (end) {
            *record = records->buffer + records->start;
            *size = (size_t)(end - *record);
            begin_record(records, (size_t)(end - records->buffer) + records->delimiter_size);
            break;
        }
        int more = read_more(records);
        if (more < 0)
            return more;
        if (more == 0 && records->start == records->end)
            return 0;
        if (more == 0) {
            *record = records->buffer + records->start;
            *size = records->end - records->start;
            begin_record(records, records->end);
            break;
        }
    }
    records->number++;
    (*record)[*size] = '\0';
    return 1;
}

bool input_is_blank(const char *record, size_t size)
{
    return strspn(record, " \t\r\n\v\f") >= size;
}

/* The list is at its end, whatever else could be read. */
static void end(struct input_records *records)
{
    begin_record(records, 0);
    records->end = 0;
    records->ended = true;
}

int input_records_next(struct input_records *records, const char **found, size_t *size)
{
    const struct input_options *options = records->options;
    char *record;
    int result;
    do {
        result = next_raw(records, &record, size);
        if (result <= 0)
            return result;
        bool zero = options->delimiter != '\0' && memchr(record, '\0', *size);
        if (zero && records->ahead)
            return -EILSEQ;
        if (zero)
            return input_tell(-EILSEQ, "%s: there is a zero byte in record %llu; is -0 missing, or --pipe?",
                              input_bytes_name(records->bytes), (unsigned long long)records->number);
        if (options->end && strcmp(record, options->end) == 0) {
            end(records);
            return 0;
        }
    } while (options->skip_empty && input_is_blank(record, *size));
    *found = record;
    return 1;
}

bool input_records_ready(struct input_records *records)
{
    return records->buffer && find_delimiter(records);
}

int input_records_ahead(struct input_records **opened, struct input_records *records, const char *folder)
{
    *opened = NULL;
    struct input_records *ahead = malloc(sizeof *ahead);
    if (!ahead)
        return -ENOMEM;
    *ahead = *records;
    ahead->ahead = true;
    ahead->bytes = NULL;
    ahead->buffer = malloc(records->room + 1); /* I2 */
    int error = ahead->buffer ? 0 : -ENOMEM;
    if (error == 0 && records->end > records->start)
        memcpy(ahead->buffer + records->start, records->buffer + records->start, records->end - records->start);
    if (error == 0 && !records->ended)
        error = input_bytes_ahead(&ahead->bytes, records->bytes, folder);
    if (error == 0)
        *opened = ahead;
    else
        input_records_close(ahead);
    return error;
}
