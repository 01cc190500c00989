/*
 * Where a process has crashed.
 *
 * A fork has everything where this program has it. A copy has not; so it has kept what was mapped, and an address there is
 * a place in a file, which is looked for in what is mapped here. What this program has not loaded stays without a name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/process.h"

#include <stdio.h>
#include <string.h>

#include "os/mappings.h"
#include "os/memory.h"
#include "os/symbols.h"

enum { TEXT_SIZE = 8192 };

/* An address there, and as far as it is found, here. */
typedef struct place {
    uint64_t address;
    bool in_file;
    uint64_t device, inode, offset;
    bool found;
} place;

typedef struct places {
    place each[SALP_BACKTRACE_MAX];
    int count;
} places;

static bool find_there(const salp__mapping *mapping, void *arg)
{
    places *p = arg;
    for (int i = 0; i < p->count; i++) {
        place *at = &p->each[i];
        /* A return address may lie behind the last instruction of its function, which may be the last of the mapping. */
        if (!mapping->executable || mapping->inode == 0 || at->address < mapping->start || at->address > mapping->end ||
            at->in_file)
            continue;
        *at = (place){
            .address = at->address,
            .in_file = true,
            .device = mapping->device,
            .inode = mapping->inode,
            .offset = at->address - mapping->start + mapping->offset,
        };
    }
    return true;
}

static bool find_here(const salp__mapping *mapping, void *arg)
{
    places *p = arg;
    for (int i = 0; i < p->count; i++) {
        place *at = &p->each[i];
        if (!at->in_file || at->found || mapping->device != at->device || mapping->inode != at->inode ||
            !mapping->executable || at->offset < mapping->offset ||
            at->offset > mapping->offset + (mapping->end - mapping->start))
            continue;
        at->address = mapping->start + (at->offset - mapping->offset);
        at->found = true;
    }
    return true;
}

static void describe(const places *p, char *text)
{
    uint64_t addresses[SALP_BACKTRACE_MAX];
    salp__symbols *symbols;
    for (int i = 0; i < p->count; i++)
        addresses[i] = p->each[i].address;
    if (p->count == 0 || salp__symbols_open(&symbols) < 0)
        return;
    salp__symbols_describe(symbols, addresses, p->count, text, TEXT_SIZE);
    salp__symbols_close(symbols);
}

char *salp__process_describe(const salp__sheet *sheet, char *mappings)
{
    char *text = salp__allocate(TEXT_SIZE);
    if (!text)
        return NULL;
    places p = { .count = sheet->note.frames };
    if (p.count < 0 || p.count > SALP_BACKTRACE_MAX)
        p.count = 0;
    for (int i = 0; i < p.count; i++)
        p.each[i].address = sheet->note.addresses[i];
    if (mappings) {
        mappings[SALP__SHEET_MAPPINGS_SIZE - 1] = '\0'; /* the process may have written anything */
        salp__mappings_each_in(mappings, find_there, &p);
        (void)salp__mappings_each(find_here, &p);
    }
    describe(&p, text);
    return text;
}
