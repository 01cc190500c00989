/*
 * What is mapped into this process, as the kernel tells it (/proc/self/maps).
 *
 * Unlike dl_iterate_phdr this takes no lock of the dynamic loader, so it can be used in a process
 * that was forked while another thread held one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__MAPPINGS_H
#define SALP__MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct salp__mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset; /* in the file */
    uint64_t device; /* together with the inode: which file; both 0: none */
    uint64_t inode;
    bool executable;
    const char *path; /* valid during the call; "" for none, "[vdso]", "/path", "/path (deleted)" */
} salp__mapping;

/* Called for one mapping after the other, in rising order; false ends the walk. */
typedef bool salp__mapping_fn(const salp__mapping *mapping, void *arg);

/* Returns 0, or the error of opening or reading the list; -ENOMEM. */
int salp__mappings_each(salp__mapping_fn *function, void *arg);

/* The same of a list that was kept as text: its whole lines. It is cut into lines by this. */
void salp__mappings_each_in(char *text, salp__mapping_fn *function, void *arg);

/* Keeps the list of this process: as much of it as there is room for, with a zero behind it. Safe in a signal handler: yes. */
void salp__mappings_keep(char *text, size_t size);

#endif
