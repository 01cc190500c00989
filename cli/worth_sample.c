/*
 * The jobs of salp worth, and the sample of them.
 *
 * The first job is run alone, here: it tells whether the command can be run at all, how long jobs are, and it fetches from the
 * disk what all of them read, so that the others are measured as most of a run's jobs will be. The others are given to salp_worth as a
 * function that runs a command; what it calls threads is the same as slots of salp map: so many commands at a time.
 *
 *   I1  No job is run twice. salp_worth claims each once at most, and the first is not among those that it gets.
 *   I2  What was begun is known: each job has a mark in memory that is shared with the processes of the sample.
 *   I3  Nothing goes on when this ends, however: the guard of salp map (map/guard.h) ends what the processes of the sample have
 *       left when those were ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/worth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <salp/command.h>
#include <salp/time.h>

static const size_t jobs_most = 100000, bytes_most = 64 << 20;
static const int64_t jobs_least = 4; /* times the length of the first, which is often the longest, if they are short */
static const int64_t usual_budget = SALP_MILLISECONDS(300), usual_patience = SALP_SECONDS(60);

/* ---- keeping jobs ---- */

static const char *const *copy_argv(struct worth *w, const char *const *argv)
{
    size_t count = 0;
    while (argv[count])
        count++;
    const char **copy = job_memory_take(w->memory, (count + 1) * sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        size_t size = strlen(argv[i]);
        copy[i] = job_memory_copy(w->memory, argv[i], size);
        w->bytes += size;
        if (!copy[i])
            return NULL;
    }
    if (copy)
        copy[count] = NULL;
    return copy;
}

static int make_room(struct worth *w)
{
    if (w->count < w->room)
        return 0;
    size_t room = w->room ? 2 * w->room : 64;
    struct worth_job *jobs = realloc(w->jobs, room * sizeof *jobs);
    if (!jobs)
        return -ENOMEM;
    w->jobs = jobs;
    w->room = room;
    return 0;
}

int cli_worth_keep(struct worth *w, const struct job *job)
{
    if (w->count == jobs_most || w->bytes >= bytes_most) {
        w->more = true;
        return 0;
    }
    int error = make_room(w);
    if (error < 0)
        return error;
    struct worth_job kept = { .number = job->number, .block_size = job->block_size };
    kept.argv = copy_argv(w, job->argv);
    kept.line = job_memory_copy(w->memory, job->line, strlen(job->line));
    if (job->block)
        kept.block = job_memory_copy(w->memory, job->block, job->block_size);
    if (!kept.argv || !kept.line || (job->block && !kept.block))
        return -ENOMEM;
    w->bytes += job->block_size + strlen(job->line);
    w->jobs[w->count++] = kept;
    return 1;
}

void cli_worth_close(struct worth *w)
{
    if (w->marks)
        munmap(w->marks, w->count);
    job_memory_free(w->memory);
    free(w->jobs);
}

/* ---- running them ---- */

/* A salp_job. What the command writes is thrown away. */
static int run_job(const void *in, void *out, void *context)
{
    const struct worth *w = context;
    const struct worth_job *job = in;
    (void)out;
    unsigned char *mark = &w->marks[job - w->jobs];
    salp_output output;
    *mark = WORTH_BEGUN;
    int error = salp_command_run(job->argv,
                                 &(salp_command_options){ .in = job->block ? SALP_PIPED : SALP_DISCARDED,
                                                          .input = job->block,
                                                          .input_size = job->block_size,
                                                          .out = SALP_DISCARDED,
                                                          .err = SALP_DISCARDED,
                                                          .cwd = w->options->folder },
                                 &output);
    bool good = error == 0 && output.exit_status == 0;
    salp_output_free(&output);
    *mark = good ? WORTH_DONE : WORTH_FAILED;
    return good ? 0 : error < 0 ? error : SALP_EFAILED;
}

/* Those that salp map can follow: not in processes. The simplest of those that are about as good. */
static void choose_plan(salp_worth_report *report)
{
    int64_t least = INT64_MAX;
    int count = 0;
    for (int i = 0; i < report->plan_count; i++) {
        if (report->plans[i].way != SALP_WORTH_PROCESSES)
            report->plans[count++] = report->plans[i];
    }
    report->plan_count = count;
    for (int i = 0; i < count; i++)
        least = report->plans[i].time < least ? report->plans[i].time : least;
    for (int i = count - 1; i >= 0; i--) {
        if (report->plans[i].time <= least + least / 20)
            report->best = report->plans[i];
    }
}

/* So that about a tenth of the jobs are run if they are short (several at a time, and mostly faster than the first); and one alone and then one in each slot, however long they are. */
static int64_t choose_budget(const struct worth *w)
{
    int64_t few = w->count > 30 * (size_t)jobs_least ? (int64_t)w->count / 30 : jobs_least;
    int64_t budget = w->first < usual_budget / few ? w->first * few : usual_budget;
    int64_t least = w->first + w->first / 2;
    return budget > least ? budget : least;
}

int cli_worth_sample(struct worth *w)
{
    w->marks = mmap(NULL, w->count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w->marks == MAP_FAILED) {
        w->marks = NULL;
        return -ENOMEM;
    }
    int64_t began = salp_now();
    int error = run_job(&w->jobs[0], NULL, w);
    w->first = salp_now() - began;
    if (error < 0 && error != SALP_EFAILED)
        return error;
    if (w->count == 1)
        return 0;
    error = salp_worth(run_job, w->jobs + 1, sizeof *w->jobs, NULL, 0, w->count - 1,
                       &(salp_worth_options){
                           .context = w,
                           .kept = true,
                           .budget = w->budget > 0 ? w->budget : choose_budget(w),
                           .patience = usual_patience + 20 * w->first,
                       },
                       &w->report);
    if (error < 0)
        return error;
    w->sampled = true;
    choose_plan(&w->report);
    return 0;
}
