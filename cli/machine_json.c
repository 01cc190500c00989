/*
 * A machine in JSON: the fields of salp/machine.h under their names. What is not known, or not there, is null.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/machine.h"

#include <inttypes.h>

static void write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < ' ')
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

/* A number that is 0 where it is not known. */
static void write_known(FILE *file, const char *name, int64_t number)
{
    fprintf(file, "\"%s\": ", name);
    if (number > 0)
        fprintf(file, "%" PRId64, number);
    else
        fputs("null", file);
}

/* An index, or -1. */
static void write_index(FILE *file, int index)
{
    if (index >= 0)
        fprintf(file, "%d", index);
    else
        fputs("null", file);
}

static void write_range(FILE *file, int index, int first, int count)
{
    fprintf(file, "%s\n    { \"first\": %d, \"count\": %d", index == 0 ? "" : ",", first, count);
}

static void write_usable(FILE *file, const salp_usable *usable)
{
    fprintf(file, "  \"usable\": { \"processors\": %d, \"workers\": %d, \"quota\": ", usable->processors,
            usable->workers);
    if (usable->quota > 0)
        fprintf(file, "%.9g", usable->quota);
    else
        fputs("null", file);
    fprintf(file, ", \"capacity\": %.9g },\n", usable->capacity);
}

static void write_packages(FILE *file, const salp_machine *machine)
{
    fputs("  \"packages\": [", file);
    for (int i = 0; i < machine->package_count; i++) {
        write_range(file, i, machine->packages[i].first, machine->packages[i].count);
        fputs(" }", file);
    }
    fputs("\n  ],\n", file);
}

static void write_nodes(FILE *file, const salp_machine *machine)
{
    fputs("  \"nodes\": [", file);
    for (int i = 0; i < machine->node_count; i++) {
        const salp_node *node = &machine->nodes[i];
        write_range(file, i, node->first, node->count);
        fprintf(file, ", \"number\": %d, ", node->number);
        write_known(file, "memory", node->memory);
        fputs(" }", file);
    }
    fputs("\n  ],\n", file);
}

static void write_caches(FILE *file, const salp_machine *machine)
{
    fputs("  \"caches\": [", file);
    for (int i = 0; i < machine->cache_count; i++) {
        const salp_cache *cache = &machine->caches[i];
        write_range(file, i, cache->first, cache->count);
        fprintf(file, ", \"level\": %d, ", cache->level);
        write_known(file, "size", cache->size);
        fputs(", ", file);
        write_known(file, "line", cache->line);
        fputs(" }", file);
    }
    fputs("\n  ],\n", file);
}

static void write_cores(FILE *file, const salp_machine *machine)
{
    static const char *const kinds[] = {
        [SALP_CORES_ALIKE] = "alike",
        [SALP_CORE_PERFORMANCE] = "performance",
        [SALP_CORE_EFFICIENCY] = "efficiency",
    };
    fputs("  \"cores\": [", file);
    for (int i = 0; i < machine->core_count; i++) {
        const salp_core *core = &machine->cores[i];
        write_range(file, i, core->first, core->count);
        fprintf(file, ", \"kind\": \"%s\", \"rank\": %d }", kinds[core->kind], core->rank);
    }
    fputs("\n  ],\n", file);
}

/* The array of caches has no levels that the machine does not have. */
static void write_processors(FILE *file, const salp_machine *machine)
{
    int levels = SALP_CACHE_LEVELS;
    while (levels > 0 && machine->levels[levels - 1].caches == 0)
        levels--;
    fputs("  \"processors\": [", file);
    for (int i = 0; i < machine->processor_count; i++) {
        const salp_processor *processor = &machine->processors[i];
        fprintf(file, "%s\n    { \"number\": %d, \"core\": %d, \"package\": %d, \"node\": ", i == 0 ? "" : ",",
                processor->number, processor->core, processor->package);
        write_index(file, processor->node);
        fputs(", \"cache\": [", file);
        for (int level = 0; level < levels; level++) {
            fputs(level == 0 ? "" : ", ", file);
            write_index(file, processor->cache[level]);
        }
        fputs("], \"last_cache\": ", file);
        write_index(file, processor->last_cache);
        fprintf(file, ", \"usable\": %s }", processor->usable ? "true" : "false");
    }
    fputs("\n  ]\n", file);
}

void cli_machine_write_json(FILE *file, const salp_machine *machine)
{
    fputs("{\n  \"model\": ", file);
    write_text(file, machine->model);
    fprintf(file, ",\n  \"described\": %s,\n  ", machine->described ? "true" : "false");
    write_known(file, "memory", machine->memory);
    fputs(", ", file);
    write_known(file, "page", machine->page);
    fputs(", ", file);
    write_known(file, "line", machine->line);
    fputs(",\n", file);
    write_usable(file, &machine->usable);
    write_packages(file, machine);
    write_nodes(file, machine);
    write_caches(file, machine);
    write_cores(file, machine);
    write_processors(file, machine);
    fputs("}\n", file);
}
