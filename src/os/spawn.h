/*
 * Executing another program, at a cost that does not grow with the memory of this one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SPAWN_H
#define SALP__SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* What is to be executed. Everything must stay as it is while salp__spawn is at work, and may be gone afterwards. */
typedef struct salp__spawn {
    const char *const *paths;       /* tried one after the other; ends with NULL, has one at least */
    const char *const *argv;        /* ends with NULL */
    const char *const *environment; /* ends with NULL */
    const char *cwd;                /* or NULL; before the paths are tried, so relative ones start there */
    int standard[3]; /* descriptors of ours that become its 0, 1 and 2: any, also several times the same */
    const int *keep; /* those above 2 that it gets under the same numbers, in rising order */
    int keep_count;
    bool own_group;      /* it leads a process group of its own */
    bool adopts_orphans; /* what is orphaned below it becomes its child */
} salp__spawn;

/*
 * Starts it: with no other descriptors, no signal blocked, and each as it is by default. Returns its pid, and a descriptor
 * that is readable once it has ended; both are the caller's, who has to reap it.
 *
 * Errors: what execve says, such as -ENOENT, -EACCES, -ENOEXEC, -E2BIG, -ETXTBSY: of the last path, but -EACCES if
 * one of them could not be executed; of changing to `cwd`; -EBADF: one of the descriptors is not open; -EMFILE,
 * -ENFILE, -EAGAIN, -ENOMEM. Then there is no process.
 */
pid_t salp__spawn_start(const salp__spawn *spawn, int *watch);

#endif
