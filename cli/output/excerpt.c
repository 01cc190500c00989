/* Beginnings and ends. SPDX-License-Identifier: MIT */
#include "output/excerpt.h"

#include <string.h>

void output_excerpt_clear(struct job_text *excerpt)
{
    excerpt->size = 0;
    excerpt->head_size = excerpt->tail_size = 0;
}

void output_excerpt_add(struct job_text *excerpt, const char *bytes, size_t size)
{
    size_t room = JOB_EXCERPT - excerpt->head_size, part = size < room ? size : room;
    memcpy(excerpt->head + excerpt->head_size, bytes, part);
    excerpt->head_size += part;
    excerpt->size += size;
    bytes += part;
    size -= part;
    if (size > JOB_EXCERPT) {
        bytes += size - JOB_EXCERPT;
        size = JOB_EXCERPT;
    }
    /* What is in the way of the new bytes goes at the front. */
    size_t kept = excerpt->tail_size + size > JOB_EXCERPT ? JOB_EXCERPT - size : excerpt->tail_size;
    if (kept < excerpt->tail_size)
        memmove(excerpt->tail, excerpt->tail + excerpt->tail_size - kept, kept);
    memcpy(excerpt->tail + kept, bytes, size);
    excerpt->tail_size = kept + size;
}
