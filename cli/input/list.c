/*
 * Values of the command line are there already. Records of a file are read when they are asked for, and those that are needed
 * again are held in one piece of memory, each as its size, its bytes and a zero:
 *
 *     held    | size | bytes 0 | size | bytes 0 | ...        | size | bytes 0 |
 *                                ^ position: of the next one, when it was rewound         ^ held_size
 *
 *   I1  position <= held_size. Below it the next record is taken from what is held; at it, from the file, and held.
 *   I2  starts[i] is where record i begins, if the list is indexed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <salp/task.h>

#include "input/grow.h"
#include "input/message.h"
#include "input/records.h"

struct input_list_reader {
    const struct input_list *list;
    enum input_list_use use;
    struct input_records *records; /* NULL: values, or all were read */
    const char **chosen;           /* [values] those that are not left out; NULL: all */
    int value;                     /* [values] index of the next one */
    bool ended;                    /* `count` is all there are */
    uint64_t count;                /* read so far, for the first time */
    bool learnt;                   /* it is known how many there are: `learnt_count` */
    uint64_t learnt_count;

    char *held;
    size_t held_size, held_room, position;
    size_t *starts;
    size_t starts_room;
};

/* Values without those that the options leave out: behind the end, and blank ones. */
static int choose(struct input_list_reader *reader, const struct input_options *options)
{
    const struct input_list *list = reader->list;
    reader->ended = true;
    reader->count = (uint64_t)list->value_count;
    if ((!options->end && !options->skip_empty) || list->value_count == 0)
        return 0;
    reader->chosen = malloc((size_t)list->value_count * sizeof *reader->chosen);
    if (!reader->chosen)
        return input_tell_error(-ENOMEM, "inputs");
    reader->count = 0;
    for (int i = 0; i < list->value_count; i++) {
        const char *value = list->values[i];
        if (options->end && strcmp(value, options->end) == 0)
            break;
        if (!options->skip_empty || !input_is_blank(value, strlen(value)))
            reader->chosen[reader->count++] = value;
    }
    return 0;
}

int input_list_open(struct input_list_reader **opened, const struct input_list *list,
                    const struct input_options *options, enum input_list_use use)
{
    *opened = NULL;
    struct input_list_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return input_tell_error(-ENOMEM, "inputs");
    reader->list = list;
    reader->use = use;
    int error = list->path ? input_records_open(&reader->records, list->path, options) : choose(reader, options);
    if (error < 0) {
        free(reader);
        return error;
    }
    *opened = reader;
    return 0;
}

void input_list_close(struct input_list_reader *reader)
{
    if (!reader)
        return;
    input_records_close(reader->records);
    free(reader->chosen);
    free(reader->held);
    free(reader->starts);
    free(reader);
}

static const char *value_at(const struct input_list_reader *reader, uint64_t index)
{
    return reader->chosen ? reader->chosen[index] : reader->list->values[index];
}

static int next_value(struct input_list_reader *reader, const char **record, size_t *size)
{
    if ((uint64_t)reader->value == reader->count)
        return 0;
    *record = value_at(reader, (uint64_t)reader->value++);
    *size = strlen(*record);
    return 1;
}

static int hold(struct input_list_reader *reader, const char *record, size_t size)
{
    size_t whole = sizeof size + size + 1;
    char *held = input_grow(reader->held, &reader->held_room, reader->held_size, whole, 1);
    if (!held)
        return input_tell_error(-ENOMEM, "inputs that have to be held");
    reader->held = held;
    if (reader->use == INPUT_LIST_INDEXED) {
        size_t *starts = input_grow(reader->starts, &reader->starts_room, (size_t)reader->count, 1, sizeof *starts);
        if (!starts)
            return input_tell_error(-ENOMEM, "inputs that have to be held");
        reader->starts = starts;
        starts[reader->count] = reader->held_size;
    }
    memcpy(held + reader->held_size, &size, sizeof size);
    memcpy(held + reader->held_size + sizeof size, record, size + 1);
    reader->held_size += whole;
    reader->position = reader->held_size;
    return 0;
}

/* The record that begins there; returns its bytes. */
static const char *held_at(const struct input_list_reader *reader, size_t position, size_t *size)
{
    memcpy(size, reader->held + position, sizeof *size);
    return reader->held + position + sizeof *size;
}

int input_list_next(struct input_list_reader *reader, const char **record, size_t *size)
{
    if (!reader->list->path)
        return next_value(reader, record, size);
    if (reader->position < reader->held_size) {
        *record = held_at(reader, reader->position, size);
        reader->position += sizeof *size + *size + 1;
        return 1;
    }
    if (reader->ended)
        return 0;
    int result = input_records_next(reader->records, record, size);
    reader->ended = result == 0;
    if (result <= 0)
        return result;
    if (reader->use != INPUT_LIST_ONCE) {
        int error = hold(reader, *record, *size);
        if (error < 0)
            return error;
    }
    reader->count++;
    return 1;
}

void input_list_rewind(struct input_list_reader *reader)
{
    reader->value = 0;
    reader->position = 0;
}

void input_list_hold_no_more(struct input_list_reader *reader)
{
    reader->use = INPUT_LIST_ONCE;
}

int input_list_read_all(struct input_list_reader *reader)
{
    const char *record;
    size_t size;
    int result = 1;
    while (!reader->ended && result > 0)
        result = input_list_next(reader, &record, &size);
    return result < 0 ? result : 0;
}

const char *input_list_at(const struct input_list_reader *reader, uint64_t index, size_t *size)
{
    if (reader->list->path)
        return held_at(reader, reader->starts[index], size);
    const char *value = value_at(reader, index);
    *size = strlen(value);
    return value;
}

int64_t input_list_count(const struct input_list_reader *reader)
{
    if (reader->ended)
        return (int64_t)reader->count;
    return reader->learnt ? (int64_t)reader->learnt_count : -EAGAIN;
}

int input_list_learn(struct input_list_reader *reader, const char *folder)
{
    enum { AT_A_TIME = 1024 }; /* others are let go on between */
    struct input_records *ahead;
    const char *record;
    size_t size;
    if (input_list_count(reader) >= 0)
        return 0;
    uint64_t count = reader->count;
    int result = input_records_ahead(&ahead, reader->records, folder);
    if (result < 0)
        return result;
    while ((result = input_records_next(ahead, &record, &size)) > 0) {
        if (++count % AT_A_TIME == 0)
            salp_yield();
    }
    input_records_close(ahead);
    if (result == 0) {
        reader->learnt = true;
        reader->learnt_count = count;
    }
    return result;
}

struct input_records *input_list_records(const struct input_list_reader *reader)
{
    return reader->use == INPUT_LIST_ONCE && reader->count == 0 ? reader->records : NULL;
}
