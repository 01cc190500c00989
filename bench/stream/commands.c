/*
 * commands.c - commands run by Salp: as many tasks as there may be at once, each with its share.
 *
 *     stream-commands run name=value...
 *
 * The arguments are told in command.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <salp.h>

#include "command.h"

struct work {
    char **argv;
    long left, at_once;
};

static int run_some(void *arg)
{
    struct work *work = arg;
    const salp_command_options passed = { .in = SALP_PASSED, .out = SALP_PASSED, .err = SALP_PASSED };
    while (work->left > 0) {
        salp_output output;
        work->left--;
        int error = salp_command_run((const char *const *)work->argv, &passed, &output);
        if (error < 0)
            bench_fail("%s: %s", work->argv[0], salp_strerror(error));
        command_ended(output.exit_status);
        salp_output_free(&output);
    }
    return 0;
}

static int run_all(void *arg)
{
    struct work *work = arg;
    salp_group group;
    salp_group_open(&group);
    for (long i = 0; i < work->at_once; i++)
        bench_must("salp_go", salp_go(&group, run_some, work) == 0);
    return salp_group_close(&group);
}

static void loop(char *argv[], long count, long at_once)
{
    bench_must("salp_run", salp_run(run_all, &(struct work){ .argv = argv, .left = count, .at_once = at_once }) == 0);
}

static void case_run(void)
{
    command_run(loop);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "run", case_run }, { "about", bench_case_about }, { NULL, NULL } };
    return bench_main(argc, argv, cases, command_known);
}
