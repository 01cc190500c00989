/*
 * Blocks in a list, filled one after another. The first one stays when all is forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 };

struct block {
    struct block *next; /* older */
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

struct job_memory {
    struct block *newest;
};

static struct block *new_block(size_t size)
{
    struct block *block = malloc(sizeof *block + size);
    if (block)
        *block = (struct block){ .size = size };
    return block;
}

struct job_memory *job_memory_new(void)
{
    struct job_memory *memory = malloc(sizeof *memory);
    if (!memory)
        return NULL;
    memory->newest = new_block(BLOCK);
    if (memory->newest)
        return memory;
    free(memory);
    return NULL;
}

/* Frees the blocks that are newer than the first one, which is returned. */
static struct block *free_newer(struct job_memory *memory)
{
    struct block *block = memory->newest;
    while (block->next) {
        struct block *older = block->next;
        free(block);
        block = older;
    }
    return block;
}

void job_memory_free(struct job_memory *memory)
{
    if (!memory)
        return;
    free(free_newer(memory));
    free(memory);
}

void *job_memory_take(struct job_memory *memory, size_t size)
{
    size_t room = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (room < size)
        return NULL;
    struct block *block = memory->newest;
    if (block->size - block->used < room) {
        struct block *larger = new_block(room > BLOCK ? room : BLOCK);
        if (!larger)
            return NULL;
        larger->next = block;
        memory->newest = block = larger;
    }
    void *taken = block->bytes + block->used;
    block->used += room;
    return taken;
}

char *job_memory_copy(struct job_memory *memory, const char *bytes, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = job_memory_take(memory, size + 1);
    if (!copy)
        return NULL;
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

void job_memory_clear(struct job_memory *memory)
{
    memory->newest = free_newer(memory);
    memory->newest->used = 0;
}
