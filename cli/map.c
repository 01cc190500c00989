/*
 * salp map, from its options to its exit status.
 *
 *   read the options, open make's jobserver        in the process that the user has started
 *   guard                                          two forks (map/guard.h)
 *   nice, a loop, and in its main task:            in the runner
 *     inputs, template, watchers, output           opened (map_parts.c)
 *     command or function                          runs all
 *     output, watchers                             closed, what is left of what they have to say is said
 *   exit status, or the signal that has ended it
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/map.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <salp/task.h>

#include "cli/cli.h"
#include "command/cgroup.h"
#include "input/source.h"
#include "map/halt.h"
#include "map/joblog.h"
#include "map/jobserver.h"
#include "map/slots.h"

static _Noreturn void fail(const char *what, int error)
{
    fprintf(stderr, "salp map: %s: %s\n", what, salp_strerror(error));
    exit(MAP_EXIT_ERROR);
}

/* ---- before there is a loop ---- */

static void check_folder(const char *folder)
{
    struct stat status;
    int error = stat(folder, &status) < 0 ? -errno : S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
    if (error == 0 && access(folder, X_OK) < 0)
        error = -errno;
    if (error < 0)
        fail(folder, error);
}

/* The commands of a joblog are the inputs, and lines for the shell; what else was said of inputs was said of others. */
static void take_commands(struct map *map)
{
    struct map_options *o = &map->options;
    struct input_list *list = calloc(1, sizeof *list);
    map->past = list ? map_past_read(o->joblog, MAP_PAST_COMMANDS) : NULL;
    if (!map->past)
        exit(MAP_EXIT_ERROR);
    list->values = map_past_commands(map->past, &list->value_count);
    map_options_forget_inputs(o);
    o->input = (struct input_options){ .lists = list, .list_count = 1, .delimiter = '\n' };
    o->template.word_count = 0;
    o->template.no_append = false;
    o->shares_out = false;
}

static void choose_slots(struct map *map)
{
    struct map_slots *slots = &map->options.slots;
    int found = 0;
    if (slots->kind == MAP_SLOTS_ALLOWED)
        found = map_jobserver_open(&map->jobserver, getenv("MAKEFLAGS"));
    if (found < 0)
        *slots = (struct map_slots){ .kind = MAP_SLOTS_NUMBER, .number = 1 };
    /* With tokens, make bounds them. */
    map->slots = map_slots_count(found > 0 ? &(struct map_slots){ .kind = MAP_SLOTS_NUMBER } : slots);
    if (map->slots < 0)
        exit(MAP_EXIT_ERROR);
    if (slots->kind == MAP_SLOTS_NUMBER && slots->number > map->slots)
        fprintf(stderr, "salp map: %d job%s at a time: there are descriptors for no more ('ulimit -n')\n", map->slots,
                map->slots == 1 ? "" : "s");
    map->options.template.slots = map->slots;
    /* Its output is collected all the same where a line has to make way for it. */
    map->options.output.one_at_a_time = map->slots == 1 && !cli_map_shows_progress(&map->options);
    map->options.output.tried_again = map->options.tries > 1 || map->options.memory_free > 0;
    map->options.output.excerpts = map->options.journal != NULL;
    if (map->options.shares_out)
        map->options.input.fill_slots = map->slots;
    /* Where it is not known how many there will be: as many as the machine allows. */
    bool unbounded = found > 0 || (slots->kind == MAP_SLOTS_NUMBER && slots->number == 0);
    map->options.input.block_count =
        (uint64_t)map->options.blocks_each * (uint64_t)(unbounded ? map_slots_processors() : map->slots);
}

/* Where blocks are files. */
static void open_spool(struct map *map)
{
    struct map_options *o = &map->options;
    if (!o->cat && !o->fifo)
        return;
    int error = map_spool_name(&map->spool, o->output.temporary);
    if (error == 0 && !o->dry_run)
        error = map_spool_make(&map->spool);
    if (error < 0)
        exit(MAP_EXIT_ERROR);
    o->template.blocks = map->spool.folder;
}

static void set_nice(const struct map *map)
{
    int nice = map->options.nice;
    if (nice == 0 || setpriority(PRIO_PROCESS, 0, nice) == 0)
        return;
    int error = -errno;
    map_guard_finish(&map->guard);
    fail("--nice", error);
}

/* What the last one does who lives. */
static void tidy_up(void *arg)
{
    const struct map *map = arg;
    if (map->jobserver)
        map_jobserver_give_all(map->jobserver);
    map_cgroups_remove(map->cgroups);
    map_compile_remove(&map->compile);
    map_spool_remove(&map->spool);
}

static void enter_guard(struct map *map)
{
    map->guard.line = -1;
    map->guard.front = getpid();
    int error = map->options.dry_run ? 0 : map_guard_enter(&map->guard, tidy_up, map);
    if (error < 0)
        tidy_up(map);
    if (error < 0)
        fail("it cannot be guarded", error);
    signal(SIGPIPE, SIG_IGN); /* a closed output is an error that is seen where it is written to */
}

/* ---- the end ---- */

/* By the signal, so that whoever has started us sees that it was one: a shell ends its loop after Ctrl-C. */
static void end_by(int number)
{
    sigset_t set;
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

static bool had_nothing(const struct map_result *result)
{
    return result->done + result->failed + result->skipped == 0;
}

static int finish(struct map *map)
{
    const struct map_result *result = &map->result;
    int error = result->error < 0 ? result->error : map->lost;
    if (result->signal != 0)
        end_by(result->signal);
    if (error == -EPIPE)
        end_by(SIGPIPE);
    if (error < 0)
        return MAP_EXIT_ERROR;
    if (result->exit_status != 0)
        return result->exit_status;
    if (had_nothing(result) && !map->options.skip_if_empty)
        fputs("salp map: there were no inputs: nothing was run\n", stderr);
    return map_halt_exit_status(&map->options.halt, result, result->total);
}

int cli_map(int argc, char **argv)
{
    struct map map = { 0 };
    map_options_read(&map.options, argc, argv);
    map_inherited_read(&map.inherited);
    if (map.options.folder)
        check_folder(map.options.folder);
    if (map.options.retry_failed)
        take_commands(&map);
    choose_slots(&map);
    if (map.options.memory_limit > 0 && !map.options.function && !map.options.dry_run)
        map.cgroups = map_cgroups_open(map.options.memory_limit);
    const char *function = map.options.function;
    if (function && !map.options.dry_run && map_compile_is_for(function) && map_compile_open(&map.compile) < 0)
        exit(MAP_EXIT_ERROR);
    open_spool(&map);
    enter_guard(&map);
    set_nice(&map);
    int error = salp_run(cli_map_run, &map);
    map_spool_remove(&map.spool); /* nobody else may be left to do it */
    map_guard_finish(&map.guard);
    if (error < 0)
        fail("it cannot run", error);
    int status = finish(&map);
    map_jobserver_close(map.jobserver);
    map_cgroups_close(map.cgroups);
    map_inherited_free(&map.inherited);
    map_options_free(&map.options);
    return status;
}
