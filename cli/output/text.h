/*
 * A text: what a job has written to one of its outputs and that is not shown yet, as a list of pieces (output/store.h).
 * Bytes come in at its end, and are taken from its beginning, also while more come.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_TEXT_H
#define CLI_OUTPUT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/store.h"

struct output_text {
    struct output_piece *first, *last;
    struct output_piece *before; /* the last one; NULL: that is the first */
    uint64_t size;
    bool pinned; /* somebody is showing it: its pieces stay where they are, whatever the bound says */
};

/* Room for bytes at its end, at least one: to be filled and told by output_text_grown. Errors: -ENOMEM; of spilling. */
int output_text_room(struct output_text *text, struct output_store *store, char **bytes, size_t *room);
void output_text_grown(struct output_text *text, struct output_store *store, size_t size);

/* Puts up to `size` bytes at its end that another pipe holds, without reading them. Returns how many, or -ENOTSUP: that cannot be now. */
int64_t output_text_move(struct output_text *text, struct output_store *store, int pipe, size_t size);

/* Is some of it in pipes? Then it cannot be copied. */
bool output_text_is_piped(const struct output_text *text);

/* Puts a copy at its end. Errors as above, after which a part of it is there. */
int output_text_add(struct output_text *text, struct output_store *store, const void *bytes, size_t size);

/* The first bytes of it, without taking them: *bytes is good until something is done with a text. Returns how many: 0:
   there are none; an error of reading. */
int64_t output_text_peek(struct output_text *text, struct output_store *store, const char **bytes);

/* Copies up to `size` bytes from its beginning, without taking them. Returns how many, or an error of reading. */
int64_t output_text_copy(const struct output_text *text, const struct output_store *store, void *bytes, size_t size);

/* Takes so many bytes from its beginning. */
void output_text_take(struct output_text *text, struct output_store *store, uint64_t size);

/* It has to wait, and nothing more comes: it is to have no more memory than it needs. Errors: of spilling. */
int output_text_pack(struct output_text *text, struct output_store *store);

void output_text_clear(struct output_text *text, struct output_store *store);

#endif
