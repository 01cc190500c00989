/*
 * How a job gets its block of --pipe: as its standard input, or with --cat and --fifo as a file or a fifo that has a name.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_FEED_H
#define CLI_COMMAND_FEED_H

#include <stdbool.h>

struct map_slot;

/*
 * Before an attempt is started: sets slot->input, the standard input of its command. Nothing is done again after a success.
 * Errors: -EMFILE, -ENFILE, -ENOMEM, -ENOSPC: others may leave room when they end; what the system says of the file.
 */
int map_feed_open(struct map_slot *slot);

/* The command has been started, or will not be: what it was given is its own. */
void map_feed_give(struct map_slot *slot);

/* Has it to be given something while it runs? Then a task does that, until it has all of it, or the task's scope is over. */
bool map_feed_goes_on(const struct map_slot *slot);
int map_feed_run(void *slot);

/* The attempt has ended. Nothing is left of the file. */
void map_feed_close(struct map_slot *slot);

#endif
