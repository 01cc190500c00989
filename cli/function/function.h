/*
 * salp map --function FILE:NAME: the jobs are calls of a C function, `int NAME(salp_bytes in, salp_buffer *out, void *context)`,
 * instead of runs of a command.
 *
 *   in       the value of the job; several: with a tab between each two; with --pipe: the block. A zero byte that is not counted
 *            follows, so that text can be used as such. It can only be read, and is gone when the function returns.
 *   out      what it appends is the standard output of the job, as it is: a line ends where it appends one.
 *   context  NULL.
 *   result   0: done. Above 0: failed, as a command that exits with that (255: that or more). Below: failed, an error as
 *            salp_strerror tells it; its text is the job's standard error, and its exit status 255. What it appended is shown in any
 *            case.
 *
 * It runs on a pool of worker processes (or with --threads of threads), -j of them, which are forked when the library is loaded:
 * it is loaded once, its constructors run once, and what one worker changes in memory no other one sees.
 *
 *   A crash   (also exit, a time-out, too much memory) costs the input that was running, and no other. Its standard error tells
 *             which input that was, the signal, and the backtrace. Nothing is run twice but by --retries. With --threads a crash ends
 *             the program, and --timeout and --memory-limit are refused.
 *   printf    What it prints to standard output goes to standard error, by lines, as it comes: standard output is for answers.
 *             Standard input is empty. With --threads it has the program's own.
 *   --halt    looks at results as they are, also within a batch; so no more inputs are begun than workers are there.
 *             `now` ends the workers, too.
 *
 * Inputs are given to workers in batches that are as large as some milliseconds of work: a function that takes longer
 * gets them one by one. What is not known of an input in a batch of many is when it starts: watchers are told of that
 * together with its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_FUNCTION_FUNCTION_H
#define CLI_FUNCTION_FUNCTION_H

#include "map/run.h"

/* Instead of map_commands_run, when options->function is set. Called in a task. Returns when all has ended; nothing of it runs
   then. */
void map_function_run(const struct map_run *run, struct map_result *result);

#endif
