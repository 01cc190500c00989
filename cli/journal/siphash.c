/*
 * SipHash as its paper has it ("SipHash: a fast short-input PRF", 2012), with the 128-bit output of its authors' reference.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotated(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotated(v[1], 13) ^ v[0];
    v[3] = rotated(v[3], 16) ^ v[2];
    v[0] = rotated(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotated(v[1], 17) ^ v[2];
    v[3] = rotated(v[3], 21) ^ v[0];
    v[2] = rotated(v[2], 32);
}

static void take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    mix(v);
    v[0] ^= word;
}

static void finish(uint64_t v[4])
{
    for (int i = 0; i < 4; i++)
        mix(v);
}

void journal_siphash_begin(struct journal_siphash *hash, const uint64_t key[2])
{
    uint64_t k0 = key ? key[0] : 0, k1 = key ? key[1] : 0;
    *hash = (struct journal_siphash){ .v = { 0x736f6d6570736575 ^ k0, 0x646f72616e646f6d ^ k1 ^ 0xee,
                                             0x6c7967656e657261 ^ k0, 0x7465646279746573 ^ k1 } };
}

void journal_siphash_add(struct journal_siphash *hash, const void *bytes, size_t size)
{
    const unsigned char *next = bytes, *end = next + size;
    unsigned held = hash->total % 8;
    hash->total += size;
    while (next < end && held > 0) {
        hash->rest |= (uint64_t)*next++ << 8 * held;
        held = (held + 1) % 8;
        if (held == 0) {
            take_word(hash->v, hash->rest);
            hash->rest = 0;
        }
    }
    for (; end - next >= 8; next += 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        take_word(hash->v, le64toh(word));
    }
    for (; next < end; next++)
        hash->rest |= (uint64_t)*next << 8 * held++;
}

void journal_siphash_end(struct journal_siphash *hash, uint64_t result[2])
{
    take_word(hash->v, hash->rest | hash->total << 56);
    hash->v[2] ^= 0xee;
    finish(hash->v);
    result[0] = hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
    hash->v[1] ^= 0xdd;
    finish(hash->v);
    result[1] = hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}
