/*
 * A run of a function, from its options to its end: the plugin, the memory, the pool, the crew, those who look on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/function.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <salp/task.h>

#include "function/crew.h"
#include "input/source.h"
#include "job/audience.h"
#include "map/aides.h"
#include "map/jobserver.h"
#include "map/options.h"
#include "map/slots.h"
#include "output/output.h"

enum { CARRIERS_LEAST = 4, CARRIERS_MOST = 32 };

static const char cannot_run[] = "the function cannot be run";

/* ---- what is asked for ---- */

static bool refuse(const char *option, const char *why)
{
    fprintf(stderr, "salp map: %s %s\n", option, why);
    return false;
}

/* What is about commands alone would be ignored, so it is refused. */
static bool makes_sense(const struct map_options *options)
{
    static const char for_commands[] = "is for commands, and cannot go with --function";
    static const char for_processes[] = "cannot go with --threads: a thread cannot be ended";
    if (options->timeout_percent > 0)
        return refuse("--timeout with a percentage", for_commands);
    if (options->delay > 0)
        return refuse("--delay", for_commands);
    if (options->load > 0)
        return refuse("--load", for_commands);
    if (options->memory_free > 0)
        return refuse("--memfree", for_commands);
    if (options->folder)
        return refuse("--workdir", for_commands);
    if (options->verbose || options->verbose_output)
        return refuse("--verbose", for_commands);
    if (options->interactive)
        return refuse("--interactive", for_commands);
    if (options->threads && options->timeout > 0)
        return refuse("--timeout", for_processes);
    if (options->threads && options->memory_limit > 0)
        return refuse("--memory-limit", for_processes);
    return true;
}

/* The list whose lines are all that there is to know of the jobs; NULL: jobs are looked at one by one. */
static struct input_records *plain_lines(const struct map_run *run)
{
    const struct map_options *options = run->options;
    const struct output_options *output = &options->output;
    bool shown = output->way != OUTPUT_NOT_SHOWN && !output->results && !output->files;
    bool plain = shown && !run->journal && !run->past && run->audience->count == 0 && !options->template.tag;
    return plain ? input_source_records(run->source) : NULL;
}

static int between(int least, int value, int most)
{
    return value < least ? least : value > most ? most : value;
}

/* -j; below make one, and one more for each token that there is now: workers stay until the end. */
static int count_workers(const struct map_run *run)
{
    int workers = run->slots, processors = map_slots_processors();
    if (run->jobserver) {
        for (workers = 1; workers < processors && map_jobserver_take(run->jobserver) == 1; workers++)
            ;
    }
    return between(1, workers, SALP_WORKERS_MAX);
}

/* ---- those who look on, and the user ---- */

static void stop(void *arg, bool now)
{
    struct crew *crew = arg;
    map_run_say(crew->run, "%s",
                now ? "ends what is run" : "no more inputs are begun; once more ends those that are run");
    if (now)
        crew_end(crew);
    else
        crew_stop(crew);
}

static void abandon(void *arg)
{
    struct crew *crew = arg;
    crew_fail(crew, -ECANCELED);
    crew_end(crew);
}

/* A callback of the loop cannot wait, as to end the pool does. What has been answered is shown then; but if the user has ended
   the run, nobody is waited for who does not read that. */
static int end_pool(void *arg)
{
    struct crew *crew = arg;
    if (salp_event_wait(crew->ends) < 0)
        return 0;
    salp_pool_terminate(crew->pool);
    if (crew->result->signal != 0 && salp_sleep(MAP_LAST_WORDS) == 0)
        salp_group_cancel(&crew->group);
    return 0;
}

/* ---- the whole ---- */

static int open_store(struct crew *crew, bool timed)
{
    const struct map_options *options = crew->run->options;
    struct batch_options of_batches = {
        .function = map_plugin_function(crew->plugin),
        .workers = crew->workers,
        .batches = crew->carriers,
        .processes = !options->threads,
        .timed = timed,
    };
    int error = batch_store_open(&crew->store, &of_batches);
    if (error < 0)
        fprintf(stderr, "salp map: no memory for batches: %s\n", salp_strerror(error));
    return error;
}

static int open_pool(struct crew *crew)
{
    const struct map_options *options = crew->run->options;
    salp_pool_options of_pool = {
        .engine = options->threads ? SALP_THREADS : SALP_PROCESSES,
        .workers = crew->workers,
        .initializer = batch_enter,
        .initializer_arg = crew->store,
        .item_timeout = options->timeout,
        .memory_limit = options->memory_limit > 0 ? (size_t)options->memory_limit : 0,
    };
    fflush(NULL); /* what is in buffers would be in those of the workers, too */
    int error = salp_pool_open(&crew->pool, &of_pool);
    if (error < 0)
        fprintf(stderr, "salp map: %d %s cannot be started: %s\n", crew->workers,
                options->threads ? "threads" : "worker processes", salp_strerror(error));
    return error;
}

static int run_carriers(struct crew *crew)
{
    struct carrier carriers[CARRIERS_MOST] = { 0 };
    int error = 0;
    salp_group_open(&crew->group);
    if (crew->trade->reader)
        error = salp_go(&crew->group, crew->trade->reader, crew);
    for (int i = 0; i < crew->carriers && error == 0; i++) {
        carriers[i] = (struct carrier){ .crew = crew, .number = i, .batch = batch_of(crew->store, i) };
        carriers[i].job = calloc(1, sizeof *carriers[i].job);
        error = carriers[i].job ? salp_go(&crew->group, crew_carry, &carriers[i]) : -ENOMEM;
    }
    if (error < 0)
        crew_fail(crew, crew_tell(cannot_run, error));
    salp_group_close(&crew->group);
    for (int i = 0; i < crew->carriers; i++) {
        free(carriers[i].job);
        free(carriers[i].jobs);
        free(carriers[i].again);
    }
    return error;
}

static int run_all(struct crew *crew)
{
    struct map_aides aides = {
        .run = crew->run, .result = crew->result, .stop = stop, .abandon = abandon, .arg = crew
    };
    int error = map_aides_start(&aides);
    if (error == 0)
        error = salp_go(&aides.group, end_pool, crew);
    crew_tell(cannot_run, error);
    if (error == 0)
        error = run_carriers(crew);
    map_aides_end(&aides);
    return error;
}

static int run_crew(struct crew *crew)
{
    struct input_records *records = plain_lines(crew->run);
    crew->trade = records ? &crew_lines : &crew_jobs;
    int error = open_store(crew, !records);
    if (error < 0)
        return error;
    crew_set_stops(crew);
    error = open_pool(crew);
    if (error < 0)
        goto close_store;
    error = crew_tell(cannot_run, records ? crew_lines_open(crew, records) : crew_jobs_open(crew));
    if (error < 0)
        goto close_pool;
    error = run_all(crew);
    if (records)
        crew_lines_close(crew);
    else
        crew_jobs_close(crew);
close_pool:
    salp_pool_close(crew->pool);
close_store:
    batch_store_close(crew->store);
    return error;
}

static int open_objects(struct crew *crew)
{
    int error = salp_mutex_open(&crew->mutex, NULL);
    if (error == 0)
        error = salp_condition_open(&crew->changed, NULL);
    if (error == 0)
        error = salp_event_open(&crew->ends, NULL);
    return crew_tell(cannot_run, error);
}

static void close_objects(struct crew *crew)
{
    salp_event_close(crew->ends);
    salp_condition_close(crew->changed);
    salp_mutex_close(crew->mutex);
}

/* The one that has ended the compiler, unless the front is gone. */
static void note_signal(const struct map_run *run, struct map_result *result)
{
    unsigned char number;
    if (read(run->line, &number, 1) == 1)
        result->signal = number;
}

void map_function_run(const struct map_run *run, struct map_result *result)
{
    struct crew crew = { .run = run, .result = result };
    *result = (struct map_result){ 0 };
    if (!makes_sense(run->options)) {
        result->error = -EINVAL;
        return;
    }
    result->error = map_plugin_open(&crew.plugin, run->options->function, run->compile, run->line);
    if (result->error == -ECANCELED)
        note_signal(run, result);
    if (result->error < 0)
        return;
    crew.workers = count_workers(run);
    crew.carriers = between(CARRIERS_LEAST, crew.workers + 1, CARRIERS_MOST);
    crew.want = crew.least = (size_t)((crew.workers + crew.carriers - 1) / crew.carriers);
    int error = open_objects(&crew);
    if (error == 0)
        error = run_crew(&crew);
    if (result->error == 0)
        result->error = error;
    close_objects(&crew);
    map_plugin_close(crew.plugin);
}
