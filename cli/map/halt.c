/* When a run is over, and its exit status. SPDX-License-Identifier: MIT */
#include "map/halt.h"

static uint64_t count_of(const struct map_halt *halt, const struct map_result *result)
{
    switch (halt->on) {
    case MAP_HALT_FAIL:
        return result->failed;
    case MAP_HALT_SUCCESS:
        return result->done;
    default:
        return result->done + result->failed;
    }
}

bool map_halt_reached(const struct map_halt *halt, const struct map_result *result, uint64_t total)
{
    if (halt->when == MAP_HALT_NEVER)
        return false;
    uint64_t count = count_of(halt, result);
    if (halt->count > 0)
        return count >= halt->count;
    return total > 0 && count > 0 && (double)count * 100 >= halt->percent * (double)total;
}

bool map_halt_due(const struct map_halt *halt, struct map_result *result, const struct job *job)
{
    if (!map_halt_reached(halt, result, result->total))
        return false;
    result->halted = true;
    result->halting_status = job->state == JOB_FAILED ? job->exit_status
                             : job->signal != 0       ? 128 + job->signal
                                                      : MAP_EXIT_ERROR;
    return true;
}

int map_halt_exit_status(const struct map_halt *halt, const struct map_result *result, uint64_t total)
{
    if (result->halted && halt->on == MAP_HALT_SUCCESS)
        return 0;
    if (result->halted && halt->on == MAP_HALT_FAIL && halt->count == 1)
        return result->halting_status;
    if (result->halted && halt->on == MAP_HALT_FAIL && halt->count == 0 && total > 0)
        return (int)(result->failed * 100 / total);
    return result->failed < MAP_EXIT_MANY ? (int)result->failed : MAP_EXIT_MANY;
}
