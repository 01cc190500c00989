/*
 * A function for salp map --function that does next to nothing: its line in large letters.
 *
 * SPDX-License-Identifier: MIT
 */
#include <salp.h>

salp_bytes_job upper;

int upper(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    int error = salp_buffer_reserve(out, in.size + 1);
    if (error < 0)
        return error;
    const unsigned char *from = in.data;
    unsigned char *to = (unsigned char *)out->data + out->size;
    for (size_t i = 0; i < in.size; i++) {
        int small = from[i] >= 'a' && from[i] <= 'z';
        to[i] = (unsigned char)(small ? from[i] - 'a' + 'A' : from[i]);
    }
    to[in.size] = '\n';
    out->size += in.size + 1;
    return 0;
}
