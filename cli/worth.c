/*
 * salp worth: runs a few of the jobs that salp map would run with the same arguments, and says with which -j it is best.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/worth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <salp/loop.h>

#include "cli/cli.h"
#include "map/guard.h"
#include "map/option_list.h"
#include "map/values.h"

struct wishes {
    const char *svg;
    int64_t budget;
};

/* A screen. */
static void help(void)
{
    fputs("Usage: salp worth [--budget TIME] [--svg FILE] [OPTION...] COMMAND [ARGUMENT...]\n"
          "                  [::: VALUE... | :::: FILE...]\n"
          "Runs a few of the jobs that 'salp map' would run with the same options, command\n"
          "and inputs, and says with which -j all of them are done soonest, and why.\n"
          "What these jobs do is done; what they write is thrown away.\n"
          "\n"
          "      --budget TIME       how long to run jobs, about: 2.5, 500ms (300ms or\n"
          "                          less; longer when one job takes longer)\n"
          "      --svg FILE          draw the time over the number of slots\n"
          "      --json              print all that is known, for programs\n"
          "  -h, --help              this\n"
          "      --help-all          this, and the options of salp map\n"
          "\n"
          "--budget and --svg stand before the options of salp map. Of these, the ones\n"
          "count that say what jobs there are: inputs, columns, --pipe, --shell...\n"
          "The exit status is 0; 1: it failed; 2, 255: the arguments are wrong.\n",
          stdout);
}

static _Noreturn void misused(const char *why, const char *what)
{
    fprintf(stderr, "salp worth: %s%s\nTry 'salp worth --help'.\n", what, why);
    exit(CLI_MISUSED);
}

/* The argument of an option, if argv[*at] is that one: behind '=', or the next word. */
static const char *argument_of(const char *name, int argc, char **argv, int *at)
{
    size_t length = strlen(name);
    const char *word = argv[*at];
    if (strncmp(word, name, length) != 0 || (word[length] != '\0' && word[length] != '='))
        return NULL;
    if (word[length] == '=')
        return word + length + 1;
    if (*at + 1 >= argc)
        misused(" needs an argument", name);
    return argv[++*at];
}

/* Reads our own options, which come first. Returns where those of salp map begin. */
static int read_wishes(struct wishes *wishes, int argc, char **argv)
{
    int at = 1;
    for (; at < argc; at++) {
        const char *argument;
        bool all = strcmp(argv[at], "--help-all") == 0;
        if (all || strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            help();
            if (all) {
                putchar('\n');
                map_help_all();
            }
            exit(fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED);
        }
        if ((argument = argument_of("--svg", argc, argv, &at)) != NULL) {
            wishes->svg = argument;
        } else if ((argument = argument_of("--budget", argc, argv, &at)) != NULL) {
            if (!map_value_duration(argument, &wishes->budget) || wishes->budget <= 0)
                misused(": that is no time; it is --budget 2.5, or 500ms", argument);
        } else {
            break;
        }
    }
    return at;
}

/* ---- which jobs there are ---- */

/* 1: it is kept; 0: it cannot be run, which was told, or there are enough. */
static int fill_and_keep(struct worth *w, const struct input_template *template, struct job *job)
{
    if (template_leaves_out(template, job))
        return 1;
    job->attempt = 1;
    int error = template_fill(template, job);
    if (error == 0)
        return cli_worth_keep(w, job);
    return error == -ENOMEM ? error : 1;
}

static int read_jobs(struct worth *w, struct input_source *source, const struct input_template *template)
{
    struct job job = { .slot = 1, .memory = job_memory_new() };
    int result = job.memory ? 1 : -ENOMEM;
    while (result > 0) {
        job_clear(&job);
        result = input_source_next(source, &job);
        if (result > 0)
            result = fill_and_keep(w, template, &job);
    }
    job_memory_free(job.memory);
    return result;
}

static void set_total(uint64_t jobs, void *template)
{
    template_set_total(template, jobs);
}

static int open_and_read(struct worth *w)
{
    struct input_source *source = NULL;
    struct input_template *template = NULL;
    struct template_options words = w->options->template;
    int error = input_source_open(&source, &w->options->input);
    if (error == 0) {
        words.names = input_source_names(source, &words.name_count);
        words.width = input_source_width(source);
        words.slots = 1;
        error = template_open(&template, &words);
    }
    if (error == 0) {
        input_source_set_measure(source, template_measure, template);
        if (template_wants_total(template))
            error = input_source_learn(source, set_total, template);
    }
    if (error == 0)
        error = read_jobs(w, source, template);
    template_close(template);
    input_source_close(source);
    return error;
}

/* ---- the run ---- */

/* The user has sent a signal, or the process that he has started is gone. */
static void on_line(int fd, unsigned events, void *arg)
{
    struct worth *w = arg;
    (void)events;
    (void)salp_loop_watch(salp_loop_current(), fd, 0, on_line, w);
    salp_scope_cancel(&w->scope);
}

static int tell(const struct worth *w, int error)
{
    if (error == -ECANCELED)
        fputs("salp worth: ended by a signal\n", stderr);
    else if (w->count > 0)
        fprintf(stderr, "salp worth: cannot run '%s': %s\n", w->jobs[0].argv[0], salp_strerror(error));
    return error;
}

/* What is wrong with the inputs was told where it was found. */
static int run(void *arg)
{
    struct worth *w = arg;
    salp_scope_open(&w->scope, SALP_FOREVER);
    int error = salp_loop_watch(salp_loop_current(), w->line, SALP_READABLE, on_line, w);
    if (error == 0)
        error = open_and_read(w);
    if (error == 0 && w->count > 0) {
        error = cli_worth_sample(w);
        if (error < 0)
            tell(w, error);
    }
    salp_scope_close(&w->scope);
    (void)salp_loop_watch(salp_loop_current(), w->line, 0, on_line, w);
    return error;
}

/* What is to be done when nothing runs any more. */
static void last(void *arg)
{
    (void)arg;
}

static int enter_guard(struct worth *w, struct map_guard *guard)
{
    int error = map_guard_enter(guard, last, NULL);
    if (error < 0)
        fprintf(stderr, "salp worth: it cannot be guarded: %s\n", salp_strerror(error));
    else
        w->line = guard->line;
    return error;
}

static int draw(const struct worth *w, const char *path)
{
    salp_buffer picture = { 0 };
    int error = salp_worth_svg(&w->report, &picture);
    FILE *file = error == 0 ? fopen(path, "we") : NULL;
    if (error == 0 && (!file || fwrite(picture.data, 1, picture.size, file) != picture.size))
        error = -errno;
    if (file && fclose(file) != 0 && error == 0)
        error = -errno;
    salp_buffer_free(&picture);
    if (error < 0)
        fprintf(stderr, "salp worth: %s: %s\n", path, salp_strerror(error));
    return error;
}

int cli_worth(int argc, char **argv)
{
    struct map_options options;
    struct wishes wishes = { 0 };
    int first = read_wishes(&wishes, argc, argv);
    argv[first - 1] = argv[0];
    map_options_read(&options, argc - first + 1, argv + first - 1);
    if (options.function)
        misused(": a function is looked at by salp_worth of the library (salp/worth.h)", "--function");
    if (options.cat || options.fifo || options.round_robin)
        misused(": here each job has one block, as its standard input", options.cat    ? "--cat"
                                                                        : options.fifo ? "--fifo"
                                                                                       : "--round-robin");
    if (options.tee)
        misused(": here no job reads standard input", "--tee");
    if (options.blocks_each > 0)
        misused(" -N: how large a block is depends on -j, which is asked for", "--block");
    struct worth w = { .options = &options, .budget = wishes.budget, .memory = job_memory_new() };
    struct map_guard guard = { 0 };
    int error = w.memory ? enter_guard(&w, &guard) : -ENOMEM;
    if (error == 0)
        error = salp_run(run, &w);
    map_guard_finish(&guard);
    if (error == 0 && w.count == 0) {
        fputs("salp worth: there are no inputs, so there is nothing to run\n", stderr);
        error = -EINVAL;
    }
    if (error == 0 && options.json)
        error = cli_worth_write_json(stdout, &w);
    else if (error == 0)
        cli_worth_write_text(stdout, &w);
    if (error == 0 && wishes.svg && w.sampled)
        error = draw(&w, wishes.svg);
    cli_worth_close(&w);
    map_options_free(&options);
    return error < 0 ? CLI_FAILED : CLI_DONE;
}
