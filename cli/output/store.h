/*
 * Where what jobs have written is kept until it is shown: pieces of memory, up to a bound, and beyond it pieces of one file
 * without a name. Of what nobody has to see on its way to the screen, the first pieces are pipes: then it comes and goes without being
 * copied (splice(2)). There are few of them, since the pages of all pipes of a user are counted.
 *
 * A piece in memory is a block, all of one size, which are used again; or, of what has to wait and is small, just as large as
 * it has to be. One that would be above the bound is written to the file. What is shown leaves a hole there, so
 * that the file has no more of the disk than what still waits, and a little that is not worth a hole yet.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_STORE_H
#define CLI_OUTPUT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OUTPUT_BLOCK = 256 * 1024, OUTPUT_PIPE = 1024 * 1024 }; /* bytes of a piece */

struct output_piece {
    struct output_piece *next;
    size_t begin, size; /* bytes from `begin` to `size` are there; those before were shown */
    size_t room;        /* bytes of memory; 0: it is in a pipe, or in the file, from `at` on */
    int in, out;        /* to read from the pipe and to write to it; 0: it is none */
    uint64_t at;
    char bytes[];
};

struct output_store {
    const char *folder; /* for the file */
    size_t bound, used; /* bytes of memory: at most, and now; of blocks only what is filled */
    struct output_piece *spare;
    size_t spare_count;
    struct output_piece *spare_pipes;
    int pipe_count; /* with those that are spare */
    int file;       /* -1: not needed so far */
    uint64_t file_end, file_live;
    uint64_t hole_begin, hole_end; /* what was shown, and has no hole yet */
    char *window;                  /* to read the file into; NULL: not needed so far */
};

void output_store_open(struct output_store *store, const char *folder, size_t bound);
void output_store_close(struct output_store *store); /* all pieces were given back */

/* An empty block; NULL: no memory. Also above the bound: see output_store_spill. */
struct output_piece *output_store_block(struct output_store *store);

/* A piece for so many bytes, and no more. NULL: no memory. */
struct output_piece *output_store_small(struct output_store *store, size_t size);

/* An empty pipe. NULL: there is to be no other one now. */
struct output_piece *output_store_pipe(struct output_store *store);

/* The same bytes in a piece of memory instead. Errors: -ENOMEM; of reading. */
int output_store_drain(struct output_store *store, struct output_piece **piece);

/* So many bytes were put into a piece, behind its `size`. */
void output_store_fill(struct output_store *store, struct output_piece *piece, size_t size);

/* Gives a piece back. */
void output_store_drop(struct output_store *store, struct output_piece *piece);

/* Is there no room for so many bytes more? */
static inline bool output_store_is_full(const struct output_store *store, size_t size)
{
    return store->used + size > store->bound;
}

/* Writes a piece to the file: *piece is then one without memory. Errors: of writing, -ENOMEM: it is as it was. */
int output_store_spill(struct output_store *store, struct output_piece **piece);

/* Bytes in the file that are no piece: puts them there, gets some of them, and leaves their room. Errors: of opening, writing,
   reading. */
int output_store_put(struct output_store *store, const void *bytes, size_t size, uint64_t *at);
int output_store_get(const struct output_store *store, uint64_t at, void *bytes, size_t size);
void output_store_leave(struct output_store *store, uint64_t at, size_t size);

/* Bytes of a piece that were not shown, from the first on: *bytes is good until the next call. Returns how many, or an error
   of reading. Threads: one at a time, who shows. */
int64_t output_store_look(struct output_store *store, const struct output_piece *piece, const char **bytes);

/* Copies of them, at most `size`. Returns how many, or an error of reading. */
int64_t output_store_copy(const struct output_store *store, const struct output_piece *piece, void *bytes, size_t size);

#endif
