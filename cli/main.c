/*
 * The salp command: finds the command that is named, and runs it. A new one is a line in the table and a file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct command {
    const char *name;
    cli_run *run;
    const char *summary;
} commands[] = {
    { "machine", cli_machine, "show what this machine is made of, and what may be used of it" },
};

enum { COMMANDS = sizeof commands / sizeof *commands, NAME_MAX_LENGTH = 32 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters have to be changed, added or left out to make one word of the other. */
static int distance(const char *a, const char *b)
{
    int row[NAME_MAX_LENGTH + 1], length = (int)strlen(b);
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(changed, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

/* The command that was meant, or NULL: none is near. */
static const char *nearest(const char *name)
{
    const char *found = NULL;
    int least = 3; /* at most two letters are wrong, and one is right */
    for (int i = 0; i < COMMANDS; i++) {
        int wrong = distance(name, commands[i].name);
        if (wrong < least && wrong < (int)strlen(commands[i].name)) {
            least = wrong;
            found = commands[i].name;
        }
        if (name[0] && strncmp(commands[i].name, name, strlen(name)) == 0)
            return commands[i].name;
    }
    return found;
}

static int refuse(const char *name)
{
    const char *meant = nearest(name);
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
          "wrong.",
          file);
    if (fclose(file) == 0)
        return list;
    free(list);
    return NULL;
}

int main(int argc, char **argv)
{
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
