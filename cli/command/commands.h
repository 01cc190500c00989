/*
 * The jobs are runs of a command: so many at a time as there are slots, with what the user wants of time-outs, retries, halts and
 * limits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_COMMANDS_H
#define CLI_COMMAND_COMMANDS_H

#include "map/run.h"

/* Called in a task. Returns when all has ended; nothing that it started runs then. */
void map_commands_run(const struct map_run *run, struct map_result *result);

#endif
