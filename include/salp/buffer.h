/*
 * salp/buffer.h - bytes that are looked at, and bytes that grow.
 *
 * A salp_bytes is a view: it owns nothing. A salp_buffer owns memory that grows
 * as bytes are appended; all zeros is an empty buffer, ready for use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_BUFFER_H
#define SALP_BUFFER_H

#include <stddef.h>

#include <salp/base.h>

SALP_BEGIN

typedef struct salp_bytes {
    const void *data; /* may be NULL when size is 0 */
    size_t size;      /* in bytes */
} salp_bytes;

typedef struct salp_buffer {
    void *data;      /* from malloc, or NULL; owned by the buffer */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
} salp_buffer;

/*
 * Makes room for `more` bytes after those in use, so that they can be written at
 * data + size and counted by adding to size. Existing bytes may move.
 *
 * Threads: one at a time for each buffer. Waits: no.
 * Errors: -EINVAL buffer is NULL; -ENOMEM no memory, or the size would overflow
 * (the buffer is unchanged).
 */
SALP_API int salp_buffer_reserve(salp_buffer *buffer, size_t more);

/*
 * Appends a copy of `size` bytes. `data` may be NULL when size is 0, and may not
 * point into the buffer itself. Threads, waits and errors as for salp_buffer_reserve;
 * also -EINVAL for NULL data with a size.
 */
SALP_API int salp_buffer_append(salp_buffer *buffer, const void *data, size_t size);

/* Frees the memory and leaves an empty buffer. NULL is accepted. */
SALP_API void salp_buffer_free(salp_buffer *buffer);

SALP_END

#endif
