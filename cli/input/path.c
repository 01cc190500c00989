/*
 * SPDX-License-Identifier: MIT
 */
#include "input/path.h"

#include <string.h>

/* Where the last name begins. */
static size_t base(const char *value, size_t size)
{
    const char *slash = memrchr(value, '/', size);
    return slash ? (size_t)(slash + 1 - value) : 0;
}

/* Where the last `count` extensions begin, each a dot and at least one character; `size`: there are fewer. */
static size_t extensions(const char *value, size_t size, int count)
{
    size_t least = base(value, size), end = size;
    for (; count > 0; count--) {
        const char *dot = memrchr(value + least, '.', end - least);
        if (!dot || value + end == dot + 1)
            return size;
        end = (size_t)(dot - value);
    }
    return end;
}

/* As dirname(1) says. */
static const char *folder(const char *value, size_t *size)
{
    size_t end = *size;
    while (end > 1 && value[end - 1] == '/')
        end--;
    while (end > 0 && value[end - 1] != '/')
        end--;
    if (end == 0) {
        *size = 1;
        return ".";
    }
    while (end > 1 && value[end - 1] == '/')
        end--;
    *size = end;
    return value;
}

static const char *without_folder(const char *value, size_t *size)
{
    size_t start = base(value, *size);
    *size -= start;
    return value + start;
}

static const char *only_extensions(const char *value, size_t *size, int count)
{
    size_t start = extensions(value, *size, count);
    start += start < *size; /* the dot */
    *size -= start;
    return value + start;
}

const char *template_part_of(enum template_part part, const char *value, size_t *size)
{
    size_t start;
    switch (part) {
    case TEMPLATE_ALL:
        return value;
    case TEMPLATE_WITHOUT_EXTENSION:
    case TEMPLATE_WITHOUT_EXTENSIONS2:
    case TEMPLATE_WITHOUT_EXTENSIONS3:
        *size = extensions(value, *size, (int)(part - TEMPLATE_WITHOUT_EXTENSION) + 1);
        return value;
    case TEMPLATE_BASE:
        return without_folder(value, size);
    case TEMPLATE_BASE_WITHOUT_EXTENSION:
    case TEMPLATE_BASE_WITHOUT_EXTENSIONS2:
    case TEMPLATE_BASE_WITHOUT_EXTENSIONS3:
        value = without_folder(value, size);
        *size = extensions(value, *size, (int)(part - TEMPLATE_BASE_WITHOUT_EXTENSION) + 1);
        return value;
    case TEMPLATE_FOLDER:
        return folder(value, size);
    case TEMPLATE_FOLDER_OR_NOTHING:
        start = base(value, *size);
        *size = start > 0 ? start - 1 : 0;
        return value;
    default:
        return only_extensions(value, size, (int)(part - TEMPLATE_EXTENSION) + 1);
    }
}
