/*
 * The parts of a run of salp map: opened, put together, closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <salp/loop.h>
#include <salp/task.h>

#include "command/commands.h"
#include "function/function.h"
#include "input/source.h"
#include "input/template.h"
#include "job/memory.h"
#include "journal/journal.h"
#include "map/joblog.h"
#include "map/watchers.h"
#include "output/output.h"

/* ---- opening ---- */

bool cli_map_shows_progress(const struct map_options *o)
{
    bool fits = o->output.way != OUTPUT_UNGROUPED && map_progress_fits();
    return !o->dry_run && (o->progress == MAP_PROGRESS_BAR || (o->progress == MAP_PROGRESS_AUTO && fits));
}

static void give_way(void *arg)
{
    struct map *map = arg;
    job_audience_move(&map->audience, true);
}

static void come_back(void *arg)
{
    struct map *map = arg;
    job_audience_move(&map->audience, false);
}

static void note_total(uint64_t jobs, void *arg)
{
    struct map *map = arg;
    template_set_total(map->template, jobs);
    map->counted = true;
}

/* Is the number of all jobs put in somewhere? */
static bool wants_total(const struct map *map)
{
    const char *results = map->options.template.plus ? map->options.output.results : NULL;
    return template_wants_total(map->template) || (results && (strstr(results, "{##}") || strstr(results, "{0#}")));
}

static int learn_total(struct map *map)
{
    int error = input_source_learn(map->source, note_total, map);
    if (error < 0 || map->counted)
        return error;
    fputs("salp map: {##} and {0#} cannot be had with --pipe, -X, -m and --xargs: how many jobs there are is not known "
          "before\n",
          stderr);
    return -EINVAL;
}

static int open_inputs(struct map *map)
{
    struct map_options *o = &map->options;
    int error = input_source_open(&map->source, &o->input);
    if (error < 0)
        return error;
    if (o->function) {
        /* The line of a job, for people: the function and its input. */
        o->template.words = &o->function;
        o->template.word_count = 1;
        o->template.unlimited = true;
    }
    o->template.names = input_source_names(map->source, &o->template.name_count);
    o->template.width = input_source_width(map->source);
    error = template_open(&map->template, &o->template);
    if (error == 0)
        input_source_set_measure(map->source, template_measure, map->template);
    if (error == 0 && wants_total(map))
        error = learn_total(map);
    return error;
}

static int add_watcher(struct map *map, struct job_watcher *watcher)
{
    if (!watcher)
        return -ENOMEM;
    map->audience.watchers[map->audience.count++] = watcher;
    return 0;
}

static bool shows_summary(const struct map_options *o)
{
    return !o->dry_run && (o->summary == MAP_SUMMARY_SHOWN || (o->summary == MAP_SUMMARY_AUTO && isatty(2)));
}

static int open_journal(struct map *map)
{
    const struct map_options *o = &map->options;
    const char *const function[] = { "--function", o->function };
    const struct journal_options options = {
        .path = o->journal,
        .resume = o->resume,
        .resume_failed = o->resume_failed,
        .words = o->function ? function : o->template.words,
        .word_count = o->function ? 2 : o->template.word_count,
        .process = map->guard.front,
        .slots = map->slots,
        .memory_limit = o->memory_limit,
        .memory_limit_by = o->memory_limit == 0 ? NULL
                           : map->cgroups       ? "cgroup"
                                                : "watching",
    };
    int error = journal_open(&map->journal, &options);
    return error < 0 ? error : add_watcher(map, journal_watcher(map->journal));
}

/* A joblog is gone on with where no journal knows what was done. */
static int open_joblog(struct map *map)
{
    const struct map_options *o = &map->options;
    bool goes_on = o->resume && !o->journal;
    if (goes_on)
        map->past = map_past_read(o->joblog, o->resume_failed ? MAP_PAST_RESUME_FAILED : MAP_PAST_RESUME);
    if (goes_on && !map->past)
        return -EIO;
    return add_watcher(map, map_joblog_new(o->joblog, o->resume || o->retry_failed));
}

/* The journal comes first: what it cannot keep is not started. */
static int open_watchers(struct map *map)
{
    const struct map_options *o = &map->options;
    int error = 0;
    if (o->journal && !o->dry_run)
        error = open_journal(map);
    if (error == 0 && o->joblog && !o->dry_run)
        error = open_joblog(map);
    if (error == 0 && o->json && !o->dry_run)
        error = add_watcher(map, map_records_new(&map->output));
    if (error == 0 && cli_map_shows_progress(o))
        error = add_watcher(map, map_progress_new());
    if (error == 0 && shows_summary(o))
        error = add_watcher(map, map_summary_new(map->slots));
    return error;
}

static int open_output(struct map *map)
{
    struct output_options options = map->options.output;
    options.names = map->options.template.names;
    options.name_count = map->options.template.name_count;
    options.gives_way = give_way;
    options.comes_back = come_back;
    options.arg = map;
    return output_open(&map->output, &options);
}

/* A signal that the user has sent, or the front is gone: nothing is run. */
static void on_line(int fd, unsigned events, void *arg)
{
    struct map *map = arg;
    unsigned char number = 0;
    (void)events;
    if (read(fd, &number, sizeof number) < 0)
        return;
    (void)salp_loop_watch(salp_loop_current(), fd, 0, on_line, map);
    map->result.signal = number;
    salp_scope_cancel(map->opening);
}

static int open_all(struct map *map)
{
    int line = map->guard.line;
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    map->opening = &scope;
    if (line >= 0)
        (void)salp_loop_watch(salp_loop_current(), line, SALP_READABLE, on_line, map); /* else it is seen later */
    int error = open_inputs(map);
    if (error == 0)
        error = open_watchers(map);
    if (error == 0)
        error = open_output(map);
    if (line >= 0)
        (void)salp_loop_watch(salp_loop_current(), line, 0, on_line, map);
    int over = salp_scope_close(&scope);
    return error < 0 ? error : over;
}

/* ---- running ---- */

/* The line as one word of the shell, with --shellquote, so often. NULL: no memory. */
static const char *quoted_line(const struct map *map, const struct job *job)
{
    const char *line = job->line;
    for (int i = 0; line && i < map->options.shell_quotes; i++) {
        size_t size = template_quote(NULL, 0, line) + 1;
        char *quoted = job_memory_take(job->memory, size);
        if (quoted)
            template_quote(quoted, size, line);
        line = quoted;
    }
    return line;
}

/* Shows what would be run for a job. */
static int show_job(struct map *map, struct job *job)
{
    char *line = NULL;
    int error = template_fill(map->template, job);
    bool too_long = error == -E2BIG; /* was told, and is a failure of this job alone */
    const char *text = error < 0 ? NULL : quoted_line(map, job);
    const char *tag = map->options.shell_quotes > 0 && job->tag ? job->tag : ""; /* what it shows is its output */
    int size = text ? asprintf(&line, "%s%s\n", tag, text) : -1;
    if (too_long)
        error = 0;
    else if (error == 0)
        error = size < 0 ? -ENOMEM : output_say(map->output, job, 1, line, (size_t)size);
    if (size >= 0)
        free(line);
    map->result.done += !too_long;
    map->result.failed += too_long;
    return error;
}

/* Shows what would be run. */
static int show_jobs(struct map *map)
{
    struct job job = { .slot = 1, .memory = job_memory_new() };
    uint64_t most = map->options.round_robin ? (uint64_t)map->slots : UINT64_MAX;
    int error = job.memory ? 0 : -ENOMEM, got = 1;
    while (error == 0 && got > 0 && job.number < most) {
        job_clear(&job);
        got = input_source_next(map->source, &job);
        bool done = got > 0 && map->past && map_past_has(map->past, job.number);
        bool left_out = done || (got > 0 && template_leaves_out(map->template, &job));
        map->result.skipped += left_out;
        if (got > 0 && !left_out)
            error = show_job(map, &job);
        if (got > 0 && error == 0)
            error = output_end(map->output, &job);
    }
    job_memory_free(job.memory);
    return error < 0 ? error : got;
}

static void run_jobs(struct map *map)
{
    const struct map_run run = {
        .options = &map->options,
        .source = map->source,
        .template = map->template,
        .output = map->output,
        .journal = map->journal,
        .past = map->past,
        .audience = &map->audience,
        .learns_total = cli_map_shows_progress(&map->options) || map->options.halt.percent > 0,
        .slots = map->slots,
        .jobserver = map->jobserver,
        .inherited = map->inherited,
        .cgroups = map->cgroups,
        .compile = &map->compile,
        .line = map->guard.line,
        .front = map->guard.front,
    };
    if (map->options.dry_run)
        map->result.error = show_jobs(map);
    else if (map->options.function)
        map_function_run(&run, &map->result);
    else
        map_commands_run(&run, &map->result);
}

/* ---- closing ---- */

static void note_loss(struct map *map, int error)
{
    if (map->lost == 0)
        map->lost = error;
}

/* A run that the user has ended waits for nobody who does not read. */
static void close_all(struct map *map)
{
    salp_scope scope;
    salp_scope_open(&scope, map->result.signal != 0 ? MAP_LAST_WORDS : SALP_FOREVER);
    note_loss(map, output_close(map->output));
    salp_scope_close(&scope);
    for (int i = 0; i < map->audience.count; i++) {
        struct job_watcher *watcher = map->audience.watchers[i];
        if (watcher->close)
            note_loss(map, watcher->close(watcher));
    }
    map_past_free(map->past);
    template_close(map->template);
    input_source_close(map->source);
}

static void warn_of_terminal(const struct map_options *o)
{
    if (o->input.list_count == 0 && isatty(0))
        fputs("salp map: reads the inputs from the terminal, one a line; Ctrl-D ends them\n", stderr);
}

int cli_map_run(void *arg)
{
    struct map *map = arg;
    warn_of_terminal(&map->options);
    int error = open_all(map);
    if (error == 0)
        run_jobs(map);
    else
        map->result.error = error;
    close_all(map);
    return 0;
}
