/*
 * salp/machine.h - what this machine is made of, and what of it this program may use.
 *
 * A hardware thread is what the system counts as a processor; a core has one or more,
 * a package (a socket) has cores. Here they lie in the order in which they are built:
 * the processors of a core follow each other, and so do those of a package, of a NUMA
 * node, and of a cache. So each of these is a range, `first` and `count`, of the array
 * `processors`:
 *
 *     processors   0  1 | 2  3 | 4  5 | 6  7
 *     cores        0    | 1    | 2    | 3          first 0 count 2, first 2 count 2, ...
 *     caches       L2   | L2   | L2   | L2
 *                  L3          | L3                first 0 count 4, first 4 count 4
 *
 *     const salp_machine *machine = salp_machine_get();
 *     printf("%d cores, %.2f processors for us\n", machine->core_count, machine->usable.capacity);
 *
 * An index into one of the arrays is -1 where there is nothing, and a size or a
 * number 0 where it is not known: inside some containers and virtual machines the
 * system tells of processors, and no more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_MACHINE_H
#define SALP_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include <salp/base.h>

SALP_BEGIN

#define SALP_CACHE_LEVELS 5 /* more than any machine has */

/* What the program may use, as far as the system limits it. */
typedef struct salp_usable {
    int processors; /* hardware threads in the affinity mask; at least 1 */
    int workers;    /* `capacity`, rounded up: what a pool has if it is not told how many */
    double
        quota; /* the processor time that control groups allow, in processors (1.5: three seconds in each two); 0: any */
    double capacity; /* the smaller of `processors` and the quota: how many can be kept busy on average */
} salp_usable;

typedef enum salp_core_kind {
    SALP_CORES_ALIKE = 0,  /* all cores of this machine are of one kind, or nothing is known */
    SALP_CORE_PERFORMANCE, /* the fastest kind that it has */
    SALP_CORE_EFFICIENCY,  /* a slower kind; there can be several, told apart by their rank */
} salp_core_kind;

/* A hardware thread. */
typedef struct salp_processor {
    int number;                   /* the system's, as for sched_setaffinity(2) and sched_getcpu(3) */
    int core;                     /* indices: into `cores`, */
    int package;                  /* `packages`, */
    int node;                     /* `nodes` (the first, if it is near to several), */
    int cache[SALP_CACHE_LEVELS]; /* and `caches`: cache[0] is its L1 cache of data */
    int last_cache;               /* the one farthest from it, index into `caches`: who has the same one, shares it */
    bool usable;                  /* was in the affinity mask of the thread that looked first */
} salp_processor;

typedef struct salp_core {
    int first, count; /* its processors */
    int rank;         /* 0: the slowest kind of core that this machine has; 1, 2: faster kinds */
    salp_core_kind kind;
} salp_core;

typedef struct salp_package {
    int first, count; /* its processors */
} salp_package;

/* Memory, and the processors that are nearest to it: all of them, where it is as far from each. Processors can have several
   nodes, of memory of different kinds. */
typedef struct salp_node {
    int first, count; /* its processors */
    int number;       /* the system's, as for mbind(2) */
    int64_t memory;   /* bytes */
} salp_node;

/* A cache of data. (Caches of instructions are left out.) */
typedef struct salp_cache {
    int first, count; /* the processors that share it */
    int level;        /* 1: next to the core */
    int line;         /* bytes */
    int64_t size;     /* bytes */
} salp_cache;

/* All caches of one level in short. Where they differ, numbers are those on which a program can rely on any processor. */
typedef struct salp_cache_level {
    int caches;     /* how many there are; 0: no such level */
    int processors; /* how many hardware threads share one, at most */
    int64_t size;   /* bytes of the smallest */
} salp_cache_level;

typedef struct salp_machine {
    const char *model; /* the processor's name, or "" */

    int processor_count;
    int core_count;
    int package_count;
    int node_count;  /* can be 0: not known */
    int cache_count; /* likewise */
    const salp_processor *processors;
    const salp_core *cores;
    const salp_package *packages;
    const salp_node *nodes;
    const salp_cache *caches; /* the nearest first; those of a level in the order of their processors */

    salp_cache_level levels[SALP_CACHE_LEVELS]; /* levels[0]: L1 */
    int line;                                   /* bytes of a cache line, the longest if they differ */
    int64_t page;                               /* bytes of a page of memory */
    int64_t memory;                             /* bytes of memory, of all nodes */

    salp_usable usable; /* as it was found with the rest */
    bool described;     /* another machine, which HWLOC_XMLFILE or HWLOC_SYNTHETIC describe: docs/machine.md */
} salp_machine;

/*
 * This machine. The first call looks, which takes some milliseconds; all others
 * return the same, which stays as it is for as long as the program runs, and belongs
 * to Salp. A child made by fork has its parent's.
 *
 * Processors that are switched off are not there. Those that the program may not use
 * are, as far as the system shows them. What changes while the program runs, such as
 * the affinity mask, is asked for by salp_machine_usable.
 *
 * NULL: there is no memory for it; a later call tries again. Where the system shows
 * nothing of how the machine is built, each processor is a core of its own, in one
 * package, and the rest is not known.
 *
 * Threads: any. Waits: no, but reads some hundred small files of the system's the first time; then, in a task, others
 * may run before it returns.
 */
SALP_API const salp_machine *salp_machine_get(void);

/*
 * What the program may use now: the affinity mask of the calling thread, and the
 * quotas of the control groups (both generations) that the process is in, read anew.
 * Where the system tells of no limit, there is none.
 *
 * Threads: any. Waits: no, but reads some small files; in a task, others may run before it returns.
 * Errors: -EINVAL: usable is NULL.
 */
SALP_API int salp_machine_usable(salp_usable *usable);

/* The index in machine->processors of the one that the system calls `number`, or -1. Threads: any. Waits: no. */
SALP_API int salp_machine_find(const salp_machine *machine, int number);

SALP_END

#endif
