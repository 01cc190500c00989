/*
 * spawn.c - the plain twin of commands: a loop of posix_spawn and waitpid.
 *
 *     stream-spawn run name=value...
 *
 * The arguments are told in command.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* environ */
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

static void start(char *argv[])
{
    pid_t pid;
    int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (error)
        bench_fail("posix_spawn %s: %s", argv[0], strerror(error));
}

static void loop(char *argv[], long count, long at_once)
{
    long started = 0;
    for (long ended = 0; ended < count; ended++) {
        while (started < count && started - ended < at_once) {
            start(argv);
            started++;
        }
        int status;
        if (waitpid(-1, &status, 0) < 0)
            bench_fail("a command is lost");
        command_ended(status);
    }
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
