/*
 * Looks at the memory while jobs run: of each tree of processes (--memory-limit), and of the machine (--memfree).
 *
 * Jobs in control groups (command/cgroup.h) have their limit by the kernel, which kills one of a job's processes at least; the
 * rest of the tree is ended here. Without groups, what a job has is what its processes have in memory, added up. Pages that several
 * of them share, as after a fork, count for each, so a limit is met rather early than late. A job that takes and uses much between
 * two looks is seen by the second.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "command/cgroup.h"
#include "command/runner.h"
#include "map/options.h"
#include "map/process_table.h"

static const int64_t look_again = SALP_MILLISECONDS(100);

static void limit_jobs(struct map_runner *runner)
{
    struct map_process *table;
    int count = map_process_table_read(&table);
    bool *marks = count > 0 ? malloc((size_t)count * sizeof *marks) : NULL;
    for (struct map_slot *slot = runner->slots; slot && marks; slot = slot->next) {
        if (!slot->running)
            continue;
        int64_t memory = map_process_tree_memory(table, count, salp_command_pid(slot->command), marks);
        if (memory > slot->job.peak_memory)
            slot->job.peak_memory = memory;
        if (memory > runner->given->options->memory_limit)
            map_slot_end(slot, MAP_END_MEMORY);
    }
    free(marks);
    if (count >= 0)
        free(table);
}

/* The kernel has killed somebody of a job, perhaps not all. */
static void look_at_groups(struct map_runner *runner)
{
    for (struct map_slot *slot = runner->slots; slot; slot = slot->next) {
        if (slot->running && map_cgroup_is_over(runner->given->cgroups, slot->group))
            map_slot_end(slot, MAP_END_MEMORY);
    }
}

/* The job that was started last; the others have more to lose. One at a time, and never the only one. */
static void make_room(struct map_runner *runner)
{
    struct map_slot *youngest = NULL;
    int64_t available = map_memory_available();
    if (available < 0 || available >= runner->given->options->memory_free / 2 || runner->running < 2)
        return;
    for (struct map_slot *slot = runner->slots; slot; slot = slot->next) {
        if (slot->running && slot->end != MAP_END_NONE)
            return; /* it is not gone yet */
        if (slot->running && (!youngest || slot->started > youngest->started))
            youngest = slot;
    }
    if (youngest)
        map_slot_end(youngest, MAP_END_PUT_BACK);
}

int map_memory_watch(void *arg)
{
    struct map_runner *runner = arg;
    while (salp_sleep(look_again) == 0) {
        if (runner->given->cgroups)
            look_at_groups(runner);
        else if (runner->given->options->memory_limit > 0)
            limit_jobs(runner);
        if (runner->given->options->memory_free > 0)
            make_room(runner);
    }
    return 0;
}
