/*
 * A control group for each job that has a limit of memory, where this program may make some.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_CGROUP_H
#define CLI_COMMAND_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

struct map_cgroups;

/* Where groups may be made, with that limit in bytes for each. NULL: nowhere, or no memory. Before a fork. */
struct map_cgroups *map_cgroups_open(int64_t limit);

/* Removes those that are there, of forks as well; their processes have ended. Both accept NULL. */
void map_cgroups_remove(struct map_cgroups *groups);
void map_cgroups_close(struct map_cgroups *groups);

/* One for an attempt of a job, with nobody in it yet. Negative error: it cannot be made any more. */
int map_cgroup_make(struct map_cgroups *groups, uint64_t *id);

/* The file that whoever writes "0" to it is in the group. Valid until the next call. */
const char *map_cgroup_door(struct map_cgroups *groups, uint64_t id);

/* Has the kernel killed somebody in it because of the limit? */
bool map_cgroup_is_over(struct map_cgroups *groups, uint64_t id);

/* The most that it has had at a time, in bytes; 0: not known. */
int64_t map_cgroup_peak(struct map_cgroups *groups, uint64_t id);

/* It is not needed any more. If somebody is left in it, it goes at the end. */
void map_cgroup_drop(struct map_cgroups *groups, uint64_t id);

#endif
