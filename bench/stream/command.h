/*
 * command.h - what every program does that runs commands, and what those in C share.
 *
 *     PROGRAM run program=/bin/true count=500 at_once=2 resident=0
 *
 * Runs the program `count` times, so many at once: as soon as one has ended, the next. Each must end with status 0. The
 * caller has `resident` MiB of memory that it has written to. Prints a line "command PICOSECONDS", the time of one, for
 * each of times=3 after a first time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

#include "common/program.h"

/* The names of all arguments, for bench_main. */
extern const char *const command_known[];

/* Runs it `count` times, `at_once` at once, and returns when all have ended. */
typedef void command_loop(char *argv[], long count, long at_once);

/* The case "run", by this loop. */
void command_run(command_loop *loop);

/* Ends the program unless the status is 0. */
void command_ended(int status);

#endif
