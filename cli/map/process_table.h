/*
 * The processes of the system, as /proc tells them: who came from whom.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_PROCESS_TABLE_H
#define CLI_MAP_PROCESS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct map_process {
    pid_t pid, parent;
    bool ended;     /* a zombie, or about to be one */
    int64_t memory; /* bytes that are resident */
};

/* All of them, those with lower numbers first: how many. *table is to be freed. Negative errors: no /proc, no memory, no
   descriptor. */
int map_process_table_read(struct map_process **table);

/* Marks, among the `count` entries, `root` and all below it; returns the sum of their memory. `marks` has room for one each. */
int64_t map_process_tree_memory(const struct map_process *table, int count, pid_t root, bool *marks);

#endif
