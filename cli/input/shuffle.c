/*
 * Fisher and Yates' shuffle, with random numbers by splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
 * generators, 2014). They decide on no secret.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/shuffle.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* One of 0 to bound - 1: what would make small ones likelier is drawn again. */
static uint64_t random_below(uint64_t *state, uint64_t bound)
{
    uint64_t drawn, surplus = -bound % bound; /* 2^64 modulo bound */
    do
        drawn = next_random(state);
    while (drawn < surplus);
    return drawn % bound;
}

uint64_t *input_shuffle(uint64_t count, uint64_t seed)
{
    if (count > SIZE_MAX / sizeof(uint64_t))
        return NULL;
    uint64_t *order = malloc((count ? count : 1) * sizeof *order);
    if (!order)
        return NULL;
    if (seed == 0 && getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)time(NULL);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t j = random_below(&seed, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    return order;
}
