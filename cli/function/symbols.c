/*
 * Reads the table of names that the loader has mapped. It does not say how long it is: the table for finding names by their hash
 * does, whose longest chain ends with the last name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "job/nearest.h"

struct table {
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash;     /* DT_GNU_HASH, or NULL */
    const uint32_t *old_hash; /* DT_HASH, or NULL */
};

static struct table find_table(const struct link_map *map)
{
    struct table table = { 0 };
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        /* The loader has made an address of it. */
        const void *address = (const void *)entry->d_un.d_ptr; /* NOLINT: it is a number there */
        if (entry->d_tag == DT_SYMTAB)
            table.symbols = address;
        else if (entry->d_tag == DT_STRTAB)
            table.names = address;
        else if (entry->d_tag == DT_GNU_HASH)
            table.hash = address;
        else if (entry->d_tag == DT_HASH)
            table.old_hash = address;
    }
    return table;
}

static size_t count_by_hash(const uint32_t *hash)
{
    uint32_t buckets = hash[0], first = hash[1], words = hash[2] * (uint32_t)(sizeof(ElfW(Addr)) / sizeof *hash);
    const uint32_t *bucket = hash + 4 + words, *chains = bucket + buckets;
    uint32_t last = 0;
    for (uint32_t i = 0; i < buckets; i++)
        last = bucket[i] > last ? bucket[i] : last;
    if (last < first)
        return first;
    while (!(chains[last - first] & 1))
        last++;
    return last + 1;
}

static size_t count_symbols(const struct table *table)
{
    if (table->hash)
        return count_by_hash(table->hash);
    return table->old_hash ? table->old_hash[1] : 0;
}

/* What linkers put into every library, in some of them as functions. */
static bool is_linkers(const char *name)
{
    return strcmp(name, "_init") == 0 || strcmp(name, "_fini") == 0;
}

size_t map_symbols_like(void *library, const char *name, const char *names[], size_t most)
{
    enum { MOST = 32 };
    int distances[MOST];
    size_t found = 0;
    struct link_map *map;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0)
        return 0;
    struct table table = find_table(map);
    size_t count = table.symbols && table.names ? count_symbols(&table) : 0;
    most = most < MOST ? most : MOST;
    for (size_t i = 1; i < count; i++) {
        const ElfW(Sym) *symbol = &table.symbols[i];
        const char *own = table.names + symbol->st_name;
        if (symbol->st_shndx == SHN_UNDEF || (symbol->st_info & 0xf) != STT_FUNC || is_linkers(own))
            continue;
        int far = job_distance(name, own);
        size_t at = found < most ? found++ : most;
        /* Moves those that are less like it by one place. */
        while (at > 0 && distances[at - 1] > far) {
            if (at < most) {
                distances[at] = distances[at - 1];
                names[at] = names[at - 1];
            }
            at--;
        }
        if (at < most) {
            distances[at] = far;
            names[at] = own;
        }
    }
    return found;
}
