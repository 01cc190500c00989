/*
 * Jobs that get one block after another, as they have room: --round-robin.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_ROUND_H
#define CLI_COMMAND_ROUND_H

#include <stdbool.h>

struct map_runner;
struct map_slot;

/* The pipe that the slot's command reads from: slot->input. Nothing is done again after a success. -EMFILE, -ENFILE, -ENOMEM. */
int map_round_open(struct map_slot *slot);

/* The task that gives it the job's block, and then what others leave, until there are no more, or its scope is over. */
int map_round_feed(void *slot);

/* The command has ended, and the task: what it has not begun to read comes back. What is lost is told. */
void map_round_close(struct map_slot *slot);

/* A block that has come back becomes that of the slot's next job. Whether there is one. */
bool map_round_take(struct map_slot *slot);

/* What has come back and was taken by nobody. */
void map_round_forget(struct map_runner *runner);

#endif
