/*
 * The memory of a job: bytes that are asked for one after another and forgotten all at once, with the pages kept for the
 * next job. What was given stays where it is until then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_MEMORY_H
#define CLI_JOB_MEMORY_H

#include <stddef.h>

struct job_memory;

struct job_memory *job_memory_new(void);         /* NULL: no memory */
void job_memory_free(struct job_memory *memory); /* accepts NULL */

/* So many bytes, aligned for a pointer; NULL: no memory. */
void *job_memory_take(struct job_memory *memory, size_t size);

/* A copy with a zero behind it; NULL: no memory. */
char *job_memory_copy(struct job_memory *memory, const char *bytes, size_t size);

/* All that was given is gone. Blocks that are larger than usual go back to the system. */
void job_memory_clear(struct job_memory *memory);

#endif
