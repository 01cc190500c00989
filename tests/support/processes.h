/*
 * The tree of processes below one, read from /proc.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_PROCESSES_H
#define TEST_PROCESSES_H

#include <stddef.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    pid_t parent;
    char state; /* as in /proc/PID/stat: R, S, D, T, Z, ... */
    char name[32];
};

/*
 * All descendants of a process, zombies included, in an array that the caller frees. A process
 * whose parent ends during the look can be missed.
 */
size_t processes_below(pid_t ancestor, struct process **found);

/* Prints, on lines that begin with "# ", where each thread of a process is. */
void process_print(const struct process *process);

#endif
