/*
 * The bytes of a file, a pipe, a terminal or standard input, as they come. Who waits for them is a task, and jobs end
 * meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_BYTES_H
#define CLI_INPUT_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct input_bytes;

/*
 * Opens a path, which has to stay as long as this; "-": standard input, from where it stands. Called in a task, which waits
 * for what has to be waited for: somebody who writes to a named pipe. Errors were told: -ENOENT, -EACCES, -EISDIR, ...
 */
int input_bytes_open(struct input_bytes **bytes, const char *path);

/* Accepts NULL. */
void input_bytes_close(struct input_bytes *bytes);

/*
 * What is there, at least one byte, at most `size`; waits (in a task) only when there is nothing. 0: the end. Errors were
 * told, save for -ECANCELED and -ETIMEDOUT: the scope is over.
 */
int64_t input_bytes_read(struct input_bytes *bytes, void *data, size_t size);

/*
 * The same bytes once more, from where the first one stands: for who counts them before they are needed. What comes through a
 * pipe is kept in `folder` until the first one has it, too (input/flow.h). It is closed before the first one. Errors, not told:
 * those of input_flow_add, and of reading also those of input_flow_read.
 */
int input_bytes_ahead(struct input_bytes **ahead, struct input_bytes *bytes, const char *folder);

/* How many are left of a regular file, as it is now; -ESPIPE: it is something else, and nobody knows. */
int64_t input_bytes_left(const struct input_bytes *bytes);

/* As messages call it: "standard input", or its path in quotes. */
const char *input_bytes_name(const struct input_bytes *bytes);

#endif
