/*
 * How the machine is built: salp/machine.h, as hwloc finds it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__TOPOLOGY_H
#define SALP__TOPOLOGY_H

#include <salp/machine.h>

/* What is looked at. All NULL: this machine, or what hwloc's variables describe in its place. */
typedef struct salp__topology_source {
    const char *synthetic; /* hwloc's short description: "pack:2 core:4 pu:2" */
    const char *xml;       /* a file that hwloc has written */
    const char *root;      /* as in os/processors.h: where the control groups are read; NULL: of this system */
} salp__topology_source;

/*
 * Looks. *machine is one block: salp__free. Where hwloc finds nothing, it is of processors only.
 * Returns 0; -ENOMEM; -EINVAL: the description is not one that hwloc understands.
 */
int salp__topology_read(const salp__topology_source *source, salp_machine **machine);

/*
 * The same for every caller, looked at once; NULL: no memory, another call tries again. The first call takes some
 * milliseconds and a large stack.
 */
const salp_machine *salp__topology_get(void);

/* The same if somebody has looked already, or NULL. At once. */
const salp_machine *salp__topology_known(void);

/* The index of the processor that the system calls `number`, or -1. At once. */
int salp__topology_find(const salp_machine *machine, int number);

/* Which last-level cache the processor with this number has: who has the same one, shares it. -1: none is known. At once, once
   somebody has looked (salp__topology_get). */
int salp__topology_last_cache(int number);

/* That of the processor that the calling thread is on, which may be another one the next moment. -1: none is known, or nobody
   has looked. At once. */
int salp__topology_cache_here(void);

#endif
