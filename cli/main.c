/*
 * The salp command: finds the command that is named, and runs it. A new one is a line in the table and a file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "job/nearest.h"

static const struct command {
    const char *name;
    cli_run *run;
    const char *summary;
} commands[] = {
    { "map", cli_map, "run a command for each line or value, many at a time" },
    { "worth", cli_worth, "run a few jobs, and say how many at a time are best, and why" },
    { "machine", cli_machine, "show what this machine is made of, and what may be used of it" },
    { "report", cli_report, "tell what the journal of a run says: counts, times, failures; also as a page" },
};

enum { COMMANDS = sizeof commands / sizeof *commands, NAME_MAX_LENGTH = 32 };

static const char *next_name(int *at, const void *words)
{
    (void)words;
    return *at < COMMANDS ? commands[(*at)++].name : NULL;
}

static int refuse(const char *name)
{
    const char *meant = job_nearest(name, next_name, NULL);
    fprintf(stderr, "salp: there is no command '%s'%s%s%s\n", name, meant ? "; did you mean '" : "", meant ? meant : "",
            meant ? "'?" : "");
    fprintf(stderr, "Try 'salp --help'.\n");
    return CLI_MISUSED;
}

static const struct command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* Has what was printed come out? */
static int finish(int status)
{
    if (fclose(stdout) == 0 || status != CLI_DONE)
        return status;
    fprintf(stderr, "salp: standard output: %s\n", strerror(errno));
    return CLI_FAILED;
}

/* ---- salp's own options ---- */

static error_t on_option(int key, char *argument, struct argp_state *state)
{
    int *first = state->input;
    (void)argument;
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "no command is named");
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    /* From here on the arguments are the command's. */
    *first = state->next - 1;
    state->next = state->argc;
    return 0;
}

/* Lists the commands behind the options. What is returned is freed by argp. */
static char *on_help(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    char *list = NULL;
    size_t size;
    FILE *file = open_memstream(&list, &size);
    if (!file)
        return NULL;
    fputs("Commands:\n\n", file);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'salp COMMAND --help' tells its options. The exit status is 0, or 1: it failed, or 2: the arguments are "
          "wrong; that of map says how many jobs have failed.",
          file);
    if (fclose(file) == 0)
        return list;
    free(list);
    return NULL;
}

/*
 * A program that is started without standard input would give its number to what it opens next, and read that. In its place stands
 * what cannot be read, so that reading it fails; likewise with the outputs.
 */
static void keep_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY); /* gets the lowest number: this one */
    }
}

int main(int argc, char **argv)
{
    keep_standard_descriptors();
    static const struct argp argp = {
        .parser = on_option,
        .args_doc = "COMMAND [ARGUMENT...]",
        .doc = "Runs work on many processors.\v",
        .help_filter = on_help,
    };
    static char full_name[NAME_MAX_LENGTH + sizeof "salp "];
    int first = 0;
    argp_program_version = "salp " SALP_VERSION;
    argp_err_exit_status = CLI_MISUSED;
    argv[0] = "salp";
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &first);
    const struct command *command = find(argv[first]);
    if (!command)
        return refuse(argv[first]);
    snprintf(full_name, sizeof full_name, "salp %s", command->name);
    argv[first] = full_name;
    return finish(command->run(argc - first, argv + first));
}
