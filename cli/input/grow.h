/*
 * Arrays that grow.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_GROW_H
#define CLI_INPUT_GROW_H

#include <stdlib.h>

/* Room for `more` elements behind the `used` ones; doubles. NULL: no memory, and all is as it was. */
static inline void *input_grow(void *old, size_t *room, size_t used, size_t more, size_t element)
{
    if (*room - used >= more)
        return old;
    size_t larger = *room ? 2 * *room : 64;
    while (larger - used < more)
        larger *= 2;
    void *grown = realloc(old, larger * element);
    if (grown)
        *room = larger;
    return grown;
}

#endif
