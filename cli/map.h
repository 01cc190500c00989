/*
 * salp map, from its options to its exit status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_H
#define CLI_MAP_H

/* The command of cli/cli.h. Does not return in the processes that are not the runner's (map/guard.h). */
int map_main(int argc, char **argv);

#endif
