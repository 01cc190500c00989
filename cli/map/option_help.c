/* What is printed of the options. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "map/option_list.h"

enum { WIDTH = 79, INDENT = 26 };

/* At most 24 lines of 80 columns: a screen. */
void map_help(void)
{
    fputs("Usage: salp map [OPTION...] COMMAND [ARGUMENT...] [::: VALUE... | :::: FILE...]\n"
          "Runs the command for each value, or for each line of files or standard input.\n"
          "\n"
          "  {} the value   {.} without extension   {/} without folder   {//} its folder\n"
          "  {#} number of the job   {%} its slot   {1} {2} values of several lists\n"
          "\n"
          "  -j N            N jobs at a time; also 50%, +1, -1   --delay TIME  --load N\n"
          "  -k              output in the order of the inputs    --tag  each line tagged\n"
          "  --line-buffer   output by line, not by job           -u     as it comes\n"
          "  --timeout TIME  end jobs that take longer: 10, 1.5m  --retries N\n"
          "  --halt now,fail=1     stop at the first failure      --memory-limit SIZE\n"
          "  --dry-run       show the commands                    --shuf  by chance\n"
          "  --bar --summary show progress, what has become of all; --json a line a job\n"
          "  --journal FILE  keep what has become of each         --resume  do the rest\n"
          "  -0 -d -C REGEXP how inputs end, and split into columns\n"
          "  -n N  -X        several inputs to a job              --pipe  blocks of input\n"
          "  --function ./lib.so:name   call a C function, of a library or a source\n"
          "\n"
          "A command of several words is run as it is; one of a single word with blanks or\n"
          "characters of the shell is run by the shell. 'salp map --help-all' has the rest.\n"
          "Exit status: how many jobs have failed (101: more), 126, 127: the command cannot\n"
          "be run, 255: another error.\n",
          stdout);
}

/* The text from column INDENT on, in lines that are not too long. The cursor is at `column`. */
static void print_wrapped(const char *text, int column)
{
    if (column >= INDENT) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", INDENT - column, "");
    for (column = INDENT; *text;) {
        int length = (int)strcspn(text, " ");
        if (column > INDENT && column + 1 + length > WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        column += length;
        text += length + strspn(text + length, " ");
    }
    putchar('\n');
}

/* "  -a, --arg-file FILE, --long": one name, or another one behind it. Returns how long it was. */
static int print_name(const struct map_option *option, const char *before)
{
    int length = printf("%s", before);
    if (option->letter)
        length += printf("-%c", option->letter);
    if (option->letter && option->name)
        length += printf(", ");
    if (option->name)
        length += printf("--%s", option->name);
    if (option->argument && option->argument[0] == '[')
        length += printf(option->name ? "[=%s" : "%s", option->argument + (option->name ? 1 : 0));
    else if (option->argument)
        length += printf(" %s", option->argument);
    return length;
}

static void print_ignored(void)
{
    char line[1024] = "";
    for (int i = 0; i < map_option_count; i++) {
        const struct map_option *option = &map_option_list[i];
        if (option->kind == MAP_OPTION_IGNORED)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%s--%s", *line ? " " : "", option->name);
    }
    print_wrapped(line, printf("  accepted and ignored"));
}

/* Is it another name for the one above it? */
static bool is_alias(const struct map_option *option)
{
    return !option->help && option->kind != MAP_OPTION_IGNORED && option->kind != MAP_OPTION_HEADING;
}

static void print_option(const struct map_option *option)
{
    int column = print_name(option, option->letter ? "  " : "      ");
    for (const struct map_option *other = option + 1; is_alias(other); other++)
        column += print_name(other, ", ");
    print_wrapped(option->help, column);
}

void map_help_all(void)
{
    puts("Usage: salp map [OPTION...] COMMAND [ARGUMENT...] [::: VALUE... | :::: FILE...]");
    for (int i = 0; i < map_option_count; i++) {
        const struct map_option *option = &map_option_list[i];
        if (option->kind == MAP_OPTION_HEADING)
            printf("\n%s:\n", option->name);
        else if (option->help)
            print_option(option);
    }
    print_ignored();
}

void map_citation(void)
{
    puts("There is nothing to cite: salp map is not GNU parallel, and asks for no citation.\n"
         "If you use GNU parallel in research, it asks to be cited: parallel --citation.");
}
