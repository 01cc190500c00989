/*
 * One attempt of a job: its command is started, watched, and ended if it has to be.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_COMMAND_H
#define CLI_COMMAND_COMMAND_H

#include "command/runner.h"

/*
 * Runs the command of the slot's job, and fills in what has become of it. The output is collected and not shown. Returns 0,
 * or an error that ends the run, told save for -EPIPE.
 */
int map_command_run(struct map_slot *slot);

/* Sends a signal to the process group of the command that runs there, if one does. */
void map_command_signal(const struct map_slot *slot, int number);

/* The command that runs there is to end when the runner's time-out is over. */
void map_command_limit(struct map_slot *slot);

/* What a slot needs for its commands. Errors: -ENOMEM. */
int map_command_prepare(struct map_slot *slot);
void map_command_forget(struct map_slot *slot);

#endif
