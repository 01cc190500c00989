/*
 * What an ended job has to show while it waits for its turn, as small as can be: the sizes of its texts, its tag and the bytes,
 * in one piece of memory. When half of the store's memory is used they are written to its file: then a job that waits
 * has its place in the queue, and no more. The other half is for those who run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_PACKED_H
#define CLI_OUTPUT_PACKED_H

#include "output/turn.h"

/*
 * Packs what an entry has: *place is to stand for it; the entry stays as it is, and the caller's. Errors: -E2BIG: so much that an
 * entry matters little beside it; -ENOMEM; of writing to the file.
 */
int output_pack(struct output_store *store, const struct output_entry *entry, output_place *place);

/* Is something packed there? */
static inline bool output_is_packed(output_place place)
{
    return (place & OUTPUT_PACKED) != 0;
}

/* Puts it back into an empty entry, as one that has ended. Nothing is packed there any more, also after an error: -ENOMEM; of
   reading. */
int output_unpack(struct output_store *store, output_place place, struct output_entry *entry);

#endif
