/*
 * Numbers in an order by chance, the same for the same seed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_SHUFFLE_H
#define CLI_INPUT_SHUFFLE_H

#include <stdint.h>

/* 0 to count - 1, each once, each order as likely as the others. Seed 0: another one each time. To be freed; NULL: no memory. */
uint64_t *input_shuffle(uint64_t count, uint64_t seed);

#endif
