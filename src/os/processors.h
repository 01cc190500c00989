/*
 * How many processors this program may use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PROCESSORS_H
#define SALP__PROCESSORS_H

#include <sched.h>
#include <stddef.h>

#include <salp/machine.h>

/*
 * The processors in the affinity mask of the calling thread, or fewer if a cgroup allows less time: its quota, rounded
 * up. At least 1. Read anew at each call: masks and quotas change while programs run.
 */
int salp__processors_usable(void);

/* The same in all its parts. */
void salp__processors_ask(salp_usable *usable);

/* What is left of `available` processors by the quota found below `root`; NULL: no quota. */
void salp__processors_share(const char *root, int available, salp_usable *usable);

/* The affinity mask of the calling thread, to be freed with CPU_FREE. Returns how many are in it; 0: nobody tells, and it is NULL. */
int salp__processors_mask(cpu_set_t **mask, size_t *size);

/* The smaller of `available` and the quota found below `root`, rounded up to whole processors; at least 1. */
int salp__processors_limited(const char *root, int available);

/*
 * The processor time that the cgroups of this process allow, as a number of processors (1.5: three seconds in each
 * two), or INFINITY where nothing limits it. `root` is put before every path that is read: "" for this system, else a
 * folder with a recorded proc/self/cgroup, proc/self/mountinfo and the files of the cgroups.
 * Returns 0; without anything to read or to understand there is no limit. -ENOENT: no cgroups at all; -ENOMEM. *quota
 * is set in any case.
 */
int salp__processors_quota(const char *root, double *quota);

#endif
