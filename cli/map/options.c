/*
 * What the user wants, from the arguments: options, which end at the first word that is none; the command; the lists.
 *
 *     salp map -j 4 --tag   convert {} {.}.png   ::: a.jpg b.jpg :::+ 1 2 :::: more
 *              options      command              lists
 *
 * getopt_long reads the options, by tables that are made from the one of option_list.c. So long ones may be abbreviated, and
 * short ones put together. What it does not know is told here, with what may have been meant.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job/nearest.h"
#include "map/option_list.h"
#include "map/values.h"

enum { LONG_OPTION = 256, HIGHEST_LETTER = 128 };

/* What getopt_long reads. */
struct tables {
    struct option *longer; /* `val` is LONG_OPTION and the place in map_option_list */
    char shorter[3 * HIGHEST_LETTER];
};

/* ---- what is wrong ---- */

static _Noreturn void no_memory(void)
{
    fputs("salp map: no memory left\n", stderr);
    exit(MAP_EXIT_ERROR);
}

__attribute__((format(printf, 1, 2))) static _Noreturn void misused(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("salp map: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\nTry 'salp map --help'.\n", stderr);
    va_end(arguments);
    exit(MAP_EXIT_ERROR);
}

static const char *next_long_name(int *at, const void *words)
{
    (void)words;
    while (*at < map_option_count) {
        const struct map_option *option = &map_option_list[(*at)++];
        if (option->name && option->kind != MAP_OPTION_HEADING)
            return option->name;
    }
    return NULL;
}

/* `name` without its "--" and its "=...". */
static _Noreturn void refuse_long(const char *name)
{
    const char *why = map_option_refusal(name);
    const char *meant = why ? NULL : job_nearest(name, next_long_name, NULL);
    if (why)
        misused("--%s: %s", name, why);
    if (meant)
        misused("there is no option --%s; did you mean --%s?", name, meant);
    misused("there is no option --%s", name);
}

static _Noreturn void refuse_letter(char letter)
{
    const char *why = map_option_refusal((const char[]){ letter, '\0' });
    if (why)
        misused("-%c: %s", letter, why);
    misused("there is no option -%c", letter);
}

/* An abbreviation that could be several. */
static void refuse_ambiguous(const char *name)
{
    const char *found[2] = { NULL };
    int at = 0, count = 0;
    for (const char *known; count < 2 && (known = next_long_name(&at, NULL)) != NULL;) {
        if (strncmp(known, name, strlen(name)) == 0)
            found[count++] = known;
    }
    if (count == 2)
        misused("--%s could be --%s or --%s", name, found[0], found[1]);
}

/* getopt_long has said '?' or ':', after it has read `word`. */
static _Noreturn void refuse_word(const char *word, int said)
{
    char name[64];
    if (optopt > 0 && optopt < HIGHEST_LETTER) {
        if (said == ':')
            misused("-%c needs an argument", optopt);
        refuse_letter((char)optopt);
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    if (said == ':')
        misused("--%s needs an argument", name);
    if (optopt >= LONG_OPTION)
        misused("--%s takes no argument", name);
    refuse_ambiguous(name);
    refuse_long(name);
}

/* ---- options ---- */

static int argument_kind(const struct map_option *option)
{
    return !option->argument ? no_argument : option->argument[0] == '[' ? optional_argument : required_argument;
}

static void make_tables(struct tables *tables)
{
    static const char *const colons[] = { "", ":", "::" };
    tables->longer = calloc((size_t)map_option_count + 1, sizeof *tables->longer);
    if (!tables->longer)
        no_memory();
    int count = 0;
    /* '+': they end at the first word that is none. ':': what is wrong is told by us. */
    char *shorter = stpcpy(tables->shorter, "+:");
    for (int i = 0; i < map_option_count; i++) {
        const struct map_option *option = &map_option_list[i];
        int kind = argument_kind(option);
        if (option->letter) {
            *shorter++ = option->letter;
            shorter = stpcpy(shorter, colons[kind]);
        }
        if (option->name && option->kind != MAP_OPTION_HEADING)
            tables->longer[count++] = (struct option){ option->name, kind, NULL, LONG_OPTION + i };
    }
}

static const struct map_option *find_letter(int letter)
{
    const struct map_option *option = map_option_list;
    while (option->letter != letter)
        option++;
    return option;
}

/* Whether the argument makes sense. */
static bool take(struct map_options *options, const struct map_option *option, const char *argument)
{
    void *field = (char *)options + option->field;
    int64_t number;
    switch (option->kind) {
    case MAP_OPTION_FLAG:
        *(bool *)field = true;
        return true;
    case MAP_OPTION_CHOICE:
        *(int *)field = option->value;
        return true;
    case MAP_OPTION_WORD:
        *(const char **)field = argument;
        return !argument || *argument;
    case MAP_OPTION_NUMBER:
        if (!map_value_number(argument, option->value, INT32_MAX, &number))
            return false;
        *(int *)field = (int)number;
        return true;
    case MAP_OPTION_DURATION:
        return map_value_duration(argument, field);
    case MAP_OPTION_SIZE:
        return map_value_size(argument, field) && *(int64_t *)field > 0;
    case MAP_OPTION_TAKEN:
        return option->take(options, argument);
    default:
        return true;
    }
}

static void take_or_refuse(struct map_options *options, const struct map_option *option, const char *argument,
                           bool by_letter)
{
    if (take(options, option, argument))
        return;
    if (by_letter)
        misused("-%c %s: that makes no sense; it is -%c %s", option->letter, argument, option->letter,
                option->argument);
    misused("--%s %s: that makes no sense; it is --%s %s", option->name, argument, option->name, option->argument);
}

/* Returns where the first word is that is no option. */
static int read_options(struct map_options *options, int argc, char **argv)
{
    struct tables tables;
    make_tables(&tables);
    optind = 0; /* getopt was used before, for the options of salp */
    opterr = 0;
    for (int place = 1;; place = optind) {
        int found = getopt_long(argc, argv, tables.shorter, tables.longer, NULL);
        if (found == -1)
            break;
        if (found == '?' || found == ':')
            refuse_word(argv[optind - 1 > place ? place : optind - 1], found);
        bool by_letter = found < LONG_OPTION;
        take_or_refuse(options, by_letter ? find_letter(found) : &map_option_list[found - LONG_OPTION], optarg,
                       by_letter);
    }
    free(tables.longer);
    return optind;
}

/* ---- lists ---- */

static void add_list(struct map_options *options, const struct input_list *list)
{
    struct input_list *lists = NULL;
    int count = options->input.list_count;
    lists = realloc((void *)(uintptr_t)options->input.lists, ((size_t)count + 1) * sizeof *lists);
    if (!lists)
        no_memory();
    lists[count] = *list;
    options->input.lists = lists;
    options->input.list_count = count + 1;
}

bool map_option_add_file(struct map_options *options, const char *path)
{
    add_list(options, &(struct input_list){ .path = path });
    return *path != '\0';
}

/* What begins a list. */
struct mark {
    bool here, files, linked;
};

static bool is_marked(const char *word, const char *mark, bool *linked)
{
    size_t length = strlen(mark);
    if (strncmp(word, mark, length) != 0)
        return false;
    *linked = strcmp(word + length, "+") == 0;
    return *linked || word[length] == '\0';
}

static struct mark mark_of(const struct map_options *options, const char *word)
{
    struct mark mark = { 0 };
    mark.files = is_marked(word, options->file_mark ? options->file_mark : "::::", &mark.linked);
    mark.here = mark.files || is_marked(word, options->value_mark ? options->value_mark : ":::", &mark.linked);
    return mark;
}

static void add_files(struct map_options *options, char **paths, int count, bool linked)
{
    if (count == 0)
        misused("no file is named behind ::::");
    for (int i = 0; i < count; i++)
        add_list(options, &(struct input_list){ .path = paths[i], .linked = linked && i == 0 });
}

/* The words from `at` on: the command up to the first mark, then lists. */
static void read_words(struct map_options *options, int argc, char **argv, int at)
{
    int end = at;
    while (end < argc && !mark_of(options, argv[end]).here)
        end++;
    options->template.words = (const char *const *)argv + at;
    options->template.word_count = end - at;
    while (end < argc) {
        struct mark mark = mark_of(options, argv[end]);
        int first = end + 1;
        for (end = first; end < argc && !mark_of(options, argv[end]).here;)
            end++;
        if (mark.files)
            add_files(options, argv + first, end - first, mark.linked);
        else
            add_list(options, &(struct input_list){ .values = (const char *const *)argv + first,
                                                    .value_count = end - first,
                                                    .linked = mark.linked });
    }
}

/* ---- what they mean together ---- */

/* What needs to know which blocks a job will have, or to have them again. */
static void settle_round_robin(const struct map_options *options)
{
    static const char unknown[] = "--round-robin: which blocks a job gets is by chance:";
    if (options->cat || options->fifo)
        misused("--round-robin gives blocks to standard input: neither --cat nor --fifo go with it");
    if (options->function)
        misused("a function gets one block after another as it is: --round-robin does not go with --function");
    if (options->output.keep_order)
        misused("%s there is no order to be kept (--keep-order)", unknown);
    if (options->journal || options->resume)
        misused("%s there is nothing to go on with (--journal, --resume)", unknown);
    if (options->tries > 1 || options->memory_free > 0)
        misused("--round-robin: what a job has read cannot be given again: neither --retries nor --memfree go with it");
}

/* Values come from where they come from without --pipe, and standard input is no list. */
static void settle_tee(struct map_options *options)
{
    const struct input_options *input = &options->input;
    if (options->cat || options->fifo || options->round_robin || options->function)
        misused("--tee gives all of standard input: neither --cat, --fifo, --round-robin nor --function go with it");
    if (options->pipe_part)
        misused("--tee takes standard input, '< FILE', and not --pipe-part's file");
    if (input->list_count == 0)
        misused("--tee: each value is a job: they come from ::: or ::::");
    for (int i = 0; i < input->list_count; i++) {
        if (input->lists[i].path && strcmp(input->lists[i].path, "-") == 0)
            misused("--tee: standard input is for the jobs, and no list of values");
    }
    options->template.no_append = true;
    options->input.pipe = false;
}

/* They are ways of --pipe, which need not be said. */
static void settle_ways(struct map_options *options)
{
    options->input.pipe |= options->pipe_part;
    if (options->tee)
        settle_tee(options);
    if (options->cat && options->fifo)
        misused("a block is a file or a fifo: --cat and --fifo do not go together");
    if ((options->cat || options->fifo) && options->function)
        misused("a function gets the bytes of its block: --%s does not go with --function",
                options->cat ? "cat" : "fifo");
    if (options->round_robin)
        settle_round_robin(options);
    options->input.pipe |= options->cat || options->fifo || options->round_robin;
}

static void settle_pipe(struct map_options *options)
{
    struct input_options *input = &options->input;
    options->template.no_append = !options->cat && !options->fifo;
    input->block_records = input->max_args;
    input->block_lines = (uint64_t)input->max_lines;
    input->max_args = input->max_lines = 0;
    if (input->list_count > 1 || (input->list_count == 1 && !input->lists[0].path))
        misused("--pipe splits standard input, or the one file of -a or ::::");
    if (options->header)
        input->block_header = true;
    if (options->header && strcmp(options->header, ":") != 0)
        input->block_header_regexp = options->header;
}

/* --csv: what --colsep says is a text there, of which each value is trimmed as of any other. */
static void settle_csv(struct map_options *options)
{
    struct input_options *input = &options->input;
    const char *given = input->columns ? input->columns : ",";
    char *separator = strdup(given);
    if (!separator)
        no_memory();
    if (map_value_unescape(separator) == 0 || strlen(separator) == 0 || strpbrk(separator, "\"\n"))
        misused("--csv --colsep %s: values cannot be separated by that", given);
    if (input->pipe && (input->record_start || input->record_end || input->record_regexp || input->record_remove))
        misused("--csv: its records end with a newline: neither --recstart nor --recend go with it");
    input->csv = separator;
    input->columns = NULL;
}

static void settle(struct map_options *options)
{
    settle_ways(options);
    if (options->input.pipe)
        settle_pipe(options);
    else if (options->header && strcmp(options->header, ":") != 0)
        misused("--header %s: without --pipe it is --header :", options->header);
    else
        options->input.header = options->header != NULL;
    if (options->input.columns && !options->trims)
        options->input.trim = INPUT_TRIM_BOTH;
    if (options->csv)
        settle_csv(options);
    if (options->resume && !options->journal && !options->joblog)
        misused("--resume and --resume-failed need to know of which: --journal FILE, or --joblog FILE");
    if (options->retry_failed && (!options->joblog || options->journal))
        misused("--retry-failed runs the commands of a joblog: --joblog FILE; of a journal it is --resume-failed");
    if (options->retry_failed && (options->resume || options->input.pipe || options->function))
        misused("--retry-failed runs lines of the shell: neither --resume, --pipe nor --function go with it");
    if (options->threads && !options->function)
        misused("--threads is for --function");
    if (options->function && options->shell_quotes > 0)
        misused("--shellquote shows commands; a function has none");
    if (options->function && options->template.word_count > 0)
        misused("a function or a command: '%s'", options->template.words[0]);
    if (options->input.pipe && options->template.word_count == 0 && !options->function)
        misused("--pipe needs a command that reads the blocks");
    if (options->json && options->output.way != OUTPUT_GROUPED)
        misused("--json shows all of a job when it has ended: neither --line-buffer nor --ungroup go with it");
    const char *results = options->output.results, *end = results ? strrchr(results, '.') : NULL;
    if (end && strcmp(end, ".json") == 0)
        misused("--results %s: --json > %s does that", results, results);
    if (options->json && (options->verbose_output || options->output.files))
        misused("--json shows records and nothing else: neither -v nor --files go with it");
    if (options->json)
        options->output.way = OUTPUT_NOT_SHOWN;
    options->template.max_chars = options->input.pipe ? 0 : options->input.max_chars;
    options->skip_if_empty = options->input.skip_empty;
    options->input.temporary = options->output.temporary;
}

void map_options_read(struct map_options *options, int argc, char **argv)
{
    *options = (struct map_options){ .input = { .delimiter = '\n' } };
    read_words(options, argc, argv, read_options(options, argc, argv));
    settle(options);
}

static void free_text(const char *text)
{
    free((char *)(uintptr_t)text);
}

void map_options_forget_inputs(struct map_options *options)
{
    free((struct input_list *)(uintptr_t)options->input.lists);
    free_text(options->input.delimiters);
    free_text(options->input.csv);
    free_text(options->input.record_start);
    free_text(options->input.record_end);
    options->input = (struct input_options){ 0 };
}

void map_options_free(struct map_options *options)
{
    map_options_forget_inputs(options);
    free_text(options->template.tag);
}
