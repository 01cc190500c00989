/*
 * SPDX-License-Identifier: MIT
 */
#include "input/stash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "input/grow.h"
#include "job/memory.h"

static int append(size_t **array, size_t *room, size_t *count, size_t element)
{
    size_t *grown = input_grow(*array, room, *count, 1, sizeof element);
    if (!grown)
        return -ENOMEM;
    grown[(*count)++] = element;
    *array = grown;
    return 0;
}

int input_stash_add(struct input_stash *stash, const char *value, size_t size)
{
    char *bytes = input_grow(stash->bytes, &stash->room, stash->size, size + 1, 1);
    if (!bytes)
        return -ENOMEM;
    stash->bytes = bytes;
    int error = append(&stash->values, &stash->value_room, &stash->value_count, stash->size);
    if (error < 0)
        return error;
    memcpy(bytes + stash->size, value, size);
    bytes[stash->size + size] = '\0';
    stash->size += size + 1;
    return 0;
}

int input_stash_end_row(struct input_stash *stash)
{
    return append(&stash->rows, &stash->row_room, &stash->row_count, stash->value_count);
}

/* Forgets the first rows. */
static void drop(struct input_stash *stash, size_t rows, size_t values, size_t size)
{
    stash->row_count -= rows;
    stash->value_count -= values;
    stash->size -= size;
    if (stash->row_count == 0 && stash->size == 0)
        return;
    memmove(stash->bytes, stash->bytes + size, stash->size);
    for (size_t i = 0; i < stash->value_count; i++)
        stash->values[i] = stash->values[i + values] - size;
    for (size_t i = 0; i < stash->row_count; i++)
        stash->rows[i] = stash->rows[i + rows] - values;
}

int input_stash_take(struct input_stash *stash, size_t rows, struct job *job)
{
    size_t values = stash->rows[rows - 1];
    size_t size = values < stash->value_count ? stash->values[values] : stash->size;
    const char **pointers = job_memory_take(job->memory, (values + 1) * sizeof *pointers + size);
    if (!pointers)
        return -ENOMEM;
    char *bytes = memcpy(pointers + values + 1, stash->bytes, size);
    for (size_t i = 0; i < values; i++)
        pointers[i] = bytes + stash->values[i];
    pointers[values] = NULL;
    job->values = pointers;
    job->value_count = (int)values;
    drop(stash, rows, values, size);
    return 0;
}

void input_stash_close(struct input_stash *stash)
{
    free(stash->bytes);
    free(stash->values);
    free(stash->rows);
}
