/*
 * machine.c - does an array fit the caches, and how many may work on it?
 *
 *     cc machine.c $(pkg-config --cflags --libs salp) -o machine
 *     ./machine 1000000
 *
 * For so many doubles: the nearest cache that has room for them, and the block that stays in the L2 cache of whoever
 * works on it, even if all who share that cache are at work.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <salp.h>

/* The lowest level at which `bytes` fit, or 0. */
static int level_for(const salp_machine *machine, int64_t bytes)
{
    for (int i = 0; i < SALP_CACHE_LEVELS; i++) {
        if (machine->levels[i].caches > 0 && bytes <= machine->levels[i].size)
            return i + 1;
    }
    return 0;
}

static void tell_where_it_fits(const salp_machine *machine, int64_t bytes)
{
    int level = level_for(machine, bytes);
    if (level > 0)
        printf("They fit a cache of level %d, which has %lld bytes.\n", level,
               (long long)machine->levels[level - 1].size);
    else if (machine->cache_count == 0)
        printf("This system does not tell of its caches.\n");
    else if (bytes <= machine->memory)
        printf("They fit no cache, but the memory.\n");
    else
        printf("They do not fit the memory.\n");
}

static void tell_a_block(const salp_machine *machine)
{
    const salp_cache_level *second = &machine->levels[1];
    if (second->caches > 0)
        printf("A block of %lld doubles stays in the L2 cache.\n",
               (long long)(second->size / second->processors / (int64_t)sizeof(double)));
}

int main(int argc, char **argv)
{
    char *end = NULL;
    long long count = argc == 2 ? strtoll(argv[1], &end, 10) : 0;
    if (count <= 0 || count > INT64_MAX / (long long)sizeof(double) || *end != '\0') {
        fprintf(stderr, "usage: machine COUNT\n");
        return 2;
    }
    const salp_machine *machine = salp_machine_get();
    if (!machine) {
        fprintf(stderr, "machine: no memory\n");
        return 1;
    }
    int64_t bytes = count * (int64_t)sizeof(double);
    printf("%lld doubles are %lld bytes.\n", count, (long long)bytes);
    tell_where_it_fits(machine, bytes);
    tell_a_block(machine);
    printf("%d workers can be at work on them.\n", machine->usable.workers);
    return 0;
}
