/*
 * The tokens of make: below `make -j8`, a recipe may run one job at a time by itself, and another one for each token that it takes
 * from make's jobserver and gives back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_JOBSERVER_H
#define CLI_MAP_JOBSERVER_H

struct map_jobserver;

/*
 * Opens the one that MAKEFLAGS names: 1. 0: this is not below a make that has one. -EBADF: it is, but cannot reach it, since
 * make has not passed it on. Told, with what to do. Before a fork; tokens are kept count of where all forks see it.
 */
int map_jobserver_open(struct map_jobserver **jobserver, const char *makeflags);

/* Takes a token: 1, or 0: there is none. Does not wait. */
int map_jobserver_take(struct map_jobserver *jobserver);

/* What is readable when there may be one. */
int map_jobserver_fd(const struct map_jobserver *jobserver);

/* Gives a token back that was taken, if there is one. */
void map_jobserver_give(struct map_jobserver *jobserver);

/* Gives all back that were taken and not given back, also by a fork that has been killed. */
void map_jobserver_give_all(struct map_jobserver *jobserver);

void map_jobserver_close(struct map_jobserver *jobserver); /* accepts NULL */

#endif
