/* The memory of a belt. SPDX-License-Identifier: MIT */
#include "sync/belt.h"

#include <errno.h>

#include "os/memory.h"

int salp__belt_open(salp__belt *belt, size_t item_size, size_t room)
{
    size_t bytes;
    if (__builtin_mul_overflow(room, item_size, &bytes))
        return -ENOMEM;
    *belt = (salp__belt){ .slots = salp__allocate(bytes), .item_size = item_size, .room = room };
    return belt->slots ? 0 : -ENOMEM;
}

void salp__belt_close(salp__belt *belt)
{
    salp__free(belt->slots);
}
