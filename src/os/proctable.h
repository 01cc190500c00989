/*
 * The processes of the system, as /proc shows them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PROCTABLE_H
#define SALP__PROCTABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct salp__process_entry {
    pid_t pid;
    pid_t parent;
    pid_t group;
    bool ended;       /* a zombie */
    bool stopped;     /* stands still until SIGCONT */
    bool marked;      /* for whoever has asked for the table */
    uint64_t started; /* some time since the boot: with the pid, it tells a process from every other */
} salp__process_entry;

/*
 * All that can be seen, in rising order of their pids. Free it with salp__free. Returns how many there are; -ENOENT: /proc is
 * not there; -ENOMEM, -EMFILE, -ENFILE.
 */
int salp__proctable_read(salp__process_entry **table);

/* The one with this pid, or NULL. */
salp__process_entry *salp__proctable_find(salp__process_entry *table, int count, pid_t pid);

/* A descriptor that is readable once this very process has ended, as salp__process_watch; -ESRCH: it is gone. */
int salp__process_watch_entry(const salp__process_entry *entry);

#endif
