/*
 * What the commands of salp are to main: a name, a line of help, and a function in a file of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CLI_H
#define SALP__CLI_H

/* Exit statuses of all commands but salp map, whose own tell more (map/options.h). */
enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,  /* standard error says why */
    CLI_MISUSED = 2, /* the arguments are wrong; nothing was done */
};

/* argv[0] is "salp NAME", for messages. Returns an exit status. */
typedef int cli_run(int argc, char **argv);

cli_run cli_machine;
cli_run cli_map;
cli_run cli_report;
cli_run cli_worth;

#endif
