/*
 * SipHash-2-4 with 128 bits (Aumasson, Bernstein): by which inputs are found again in a journal. Its key is always the same,
 * all zeros: inputs that were not made to collide do so once in some 10^38 pairs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_SIPHASH_H
#define CLI_JOURNAL_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct journal_siphash {
    uint64_t v[4];
    uint64_t rest;  /* bytes that do not make a word yet, the first one lowest */
    uint64_t total; /* bytes in all */
};

/* Of a stream of bytes, given in any pieces. `key`: NULL: zeros. */
void journal_siphash_begin(struct journal_siphash *hash, const uint64_t key[2]);
void journal_siphash_add(struct journal_siphash *hash, const void *bytes, size_t size);
void journal_siphash_end(struct journal_siphash *hash, uint64_t result[2]);

#endif
