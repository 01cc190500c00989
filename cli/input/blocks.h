/*
 * Standard input, or a file, in blocks of whole records: --pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_BLOCKS_H
#define CLI_INPUT_BLOCKS_H

#include "input/source.h"

struct input_blocks;

/* Errors were told. In a task, as input_blocks_next. `options` stay as long as this. */
int input_blocks_open(struct input_blocks **blocks, const char *path, const struct input_options *options);

/* Accepts NULL. */
void input_blocks_close(struct input_blocks *blocks);

/*
 * The next block, in the memory of the job: job->block, job->block_size. 1; 0: the end; an error was told: -EMSGSIZE: a record
 * is longer than what is sensible; -ENOMEM; those of input_bytes_read.
 */
int input_blocks_next(struct input_blocks *blocks, struct job *job);

#endif
