/*
 * salp machine: what this machine is made of, and what may be used of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/machine.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>

#include <salp/error.h>

#include "cli/cli.h"

enum { JSON = 'j' };

static error_t on_option(int key, char *argument, struct argp_state *state)
{
    bool *json = state->input;
    (void)argument;
    if (key == ARGP_KEY_ARG)
        argp_error(state, "it takes no arguments: '%s'", argument);
    if (key != JSON)
        return ARGP_ERR_UNKNOWN;
    *json = true;
    return 0;
}

int cli_machine(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "json", JSON, NULL, 0, "Print all that is known, for programs", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options,
        .parser = on_option,
        .doc = "Shows packages, memory, shared caches, cores and hardware threads, and which of them may be used.\v"
               "What repeats itself is shown once, with 'x' and how often it is there.",
    };
    bool json = false;
    argp_parse(&argp, argc, argv, 0, NULL, &json);
    const salp_machine *machine = salp_machine_get();
    int error = machine ? 0 : -ENOMEM;
    if (machine && json)
        cli_machine_write_json(stdout, machine);
    else if (machine)
        error = cli_machine_draw(stdout, machine);
    if (error == 0)
        return CLI_DONE;
    fprintf(stderr, "salp machine: %s\n", salp_strerror(error));
    return CLI_FAILED;
}
