/* Bytes that grow. SPDX-License-Identifier: MIT */
#include <salp/buffer.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int salp_buffer_reserve(salp_buffer *buffer, size_t more)
{
    if (!buffer)
        return -EINVAL;
    if (more > PTRDIFF_MAX - buffer->size)
        return -ENOMEM;
    size_t needed = buffer->size + more;
    if (needed <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity > PTRDIFF_MAX / 2 ? needed : buffer->capacity * 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity < 64)
        capacity = 64;
    void *data = realloc(buffer->data, capacity);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int salp_buffer_append(salp_buffer *buffer, const void *data, size_t size)
{
    if (!buffer || (!data && size > 0))
        return -EINVAL;
    int error = salp_buffer_reserve(buffer, size);
    if (error < 0)
        return error;
    if (size > 0)
        memcpy((char *)buffer->data + buffer->size, data, size);
    buffer->size += size;
    return 0;
}

void salp_buffer_free(salp_buffer *buffer)
{
    if (!buffer)
        return;
    free(buffer->data);
    *buffer = (salp_buffer){ 0 };
}
