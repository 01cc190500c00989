/*
 * Whole jobs: with all that the command knows of them, for journals, records, tags, progress, columns, several lists, blocks.
 *
 *     source -> reader -> | ready jobs | -> carriers: batch, run -> output, watchers
 *                  `------ spare jobs <--------------------'
 *
 * The reader is a task of its own, so that what it has got is run while it waits for more. It is ahead by one batch at most.
 *
 * A job that is a batch of its own has a start that is known; of those in a batch of many the start is told with the end.
 *
 * I1  Between its start and its end, as watchers hear of them, a job has a slot that no other one has. In a batch of many that is
 *     its worker's, if it is free.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "function/crew.h"
#include "input/template.h"
#include "job/audience.h"
#include "job/memory.h"
#include "output/output.h"

/* A struct job has some KiB, so there are not too many in all batches together. */
enum { ALL_MOST = 1024, BATCH_MOST = 256, READY_MOST = 2 * BATCH_MOST };

struct jobs {
    struct job *ready[READY_MOST]; /* from `first`, so many, modulo READY_MOST */
    size_t first, count;
    struct job **spare;
    size_t spare_count, spare_room;
    bool at_end;                      /* of the source */
    bool taken[SALP_WORKERS_MAX + 1]; /* slots of jobs that have started: I1 */
};

/* The slot that is wanted (0: any), or the first that is free. There are more than carriers. */
static int choose_slot(const struct jobs *jobs, int wanted)
{
    if (wanted > 0 && !jobs->taken[wanted])
        return wanted;
    int slot = 1;
    while (slot < SALP_WORKERS_MAX && jobs->taken[slot])
        slot++;
    return slot;
}

/* ---- jobs and their memory ---- */

static void free_job(struct job *job)
{
    if (!job)
        return;
    job_memory_free(job->memory);
    free(job);
}

static struct job *take_job(struct jobs *jobs)
{
    if (jobs->spare_count > 0)
        return jobs->spare[--jobs->spare_count];
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->memory = job_memory_new();
    if (job->memory)
        return job;
    free(job);
    return NULL;
}

static void give_back(struct jobs *jobs, struct job *job)
{
    if (jobs->spare_count == jobs->spare_room) {
        size_t room = jobs->spare_room > 0 ? 2 * jobs->spare_room : 64;
        struct job **spare = realloc(jobs->spare, room * sizeof(struct job *));
        if (!spare) {
            free_job(job);
            return;
        }
        jobs->spare = spare;
        jobs->spare_room = room;
    }
    job_clear(job);
    jobs->spare[jobs->spare_count++] = job;
}

/* ---- the reader ---- */

static size_t wanted(const struct crew *crew)
{
    size_t most = ALL_MOST / (size_t)crew->carriers;
    most = most < crew->least ? crew->least : most < BATCH_MOST ? most : BATCH_MOST;
    return crew->want < most ? crew->want : most;
}

static void wake(struct crew *crew)
{
    salp_mutex_lock(crew->mutex);
    salp_condition_broadcast(crew->changed);
    salp_mutex_unlock(crew->mutex);
}

static int wait_for_takers(struct crew *crew, const struct jobs *jobs)
{
    int error = 0;
    salp_mutex_lock(crew->mutex);
    while (error == 0 && jobs->count >= wanted(crew) && !crew->ended)
        error = salp_condition_wait(crew->changed, crew->mutex);
    salp_mutex_unlock(crew->mutex);
    return error;
}

/* The next job that is to be run. 1; 0: there is none left, or the source has failed: what it gave before is run. Errors were
   told. */
static int read_job(struct crew *crew, struct job *job)
{
    const struct map_run *run = crew->run;
    for (;;) {
        if (crew_next(crew, job) <= 0)
            return 0;
        if (map_run_wants(run, job))
            return 1;
        job->state = JOB_SKIPPED;
        crew->result->skipped++;
        int error = job_audience_tell_end(crew->run->audience, job, true), shown = output_end(run->output, job);
        if (error < 0 || shown < 0)
            return error < 0 ? error : shown;
        job_clear(job);
    }
}

static int read_all(struct crew *crew)
{
    struct jobs *jobs = crew->own;
    int got = 1;
    while (got > 0) {
        int error = wait_for_takers(crew, jobs);
        if (error < 0 || crew->ended)
            return error;
        struct job *job = take_job(jobs);
        if (!job)
            return crew_tell("jobs", -ENOMEM);
        got = read_job(crew, job);
        if (got <= 0) {
            give_back(jobs, job);
        } else {
            jobs->ready[(jobs->first + jobs->count++) % READY_MOST] = job;
            if (jobs->count == 1)
                wake(crew);
        }
    }
    return got;
}

static int reader(void *arg)
{
    struct crew *crew = arg;
    struct jobs *jobs = crew->own;
    int error = read_all(crew);
    if (error < 0)
        crew_fail(crew, error);
    jobs->at_end = true;
    wake(crew);
    return 0;
}

/* ---- in ---- */

/* The values with tabs between them. NULL: no memory. */
static const char *join(struct job *job, size_t *size)
{
    *size = 0;
    for (int i = 0; i < job->value_count; i++)
        *size += strlen(job->values[i]) + 1;
    char *all = job_memory_take(job->memory, *size + 1), *at = all;
    for (int i = 0; all && i < job->value_count; i++) {
        at = stpcpy(at, job->values[i]);
        *at++ = '\t';
    }
    *size -= *size > 0;
    return all;
}

static int add(struct batch *batch, struct job *job)
{
    size_t size = 0;
    if (job->block || job->value_count == 0)
        return batch_add(batch, job->block, job->block_size);
    if (job->value_count == 1)
        return batch_add(batch, job->values[0], strlen(job->values[0]));
    const char *all = join(job, &size);
    return all ? batch_add(batch, all, size) : -ENOMEM;
}

static int add_job(struct carrier *carrier, struct job *job)
{
    if (carrier->batch->count == carrier->job_room) {
        size_t room = carrier->job_room > 0 ? 2 * carrier->job_room : 16;
        struct job **jobs = realloc(carrier->jobs, room * sizeof(struct job *));
        if (!jobs)
            return crew_tell("jobs", -ENOMEM);
        carrier->jobs = jobs;
        carrier->job_room = room;
    }
    int error = template_fill(carrier->crew->run->template, job);
    if (error == 0)
        error = crew_tell("an input", add(carrier->batch, job));
    if (error == 0)
        carrier->jobs[carrier->batch->count - 1] = job;
    return error;
}

static int fill(struct carrier *carrier)
{
    struct crew *crew = carrier->crew;
    struct jobs *jobs = crew->own;
    int error = 0;
    salp_mutex_lock(crew->mutex);
    while (error == 0 && jobs->count == 0 && !jobs->at_end && !crew->ended)
        error = salp_condition_wait(crew->changed, crew->mutex);
    while (error == 0 && jobs->count > 0 && !crew->ended && carrier->batch->count < wanted(crew) &&
           batch_has_room(carrier->batch)) {
        struct job *job = jobs->ready[jobs->first];
        error = add_job(carrier, job);
        if (error == 0) {
            jobs->first = (jobs->first + 1) % READY_MOST;
            jobs->count--;
        }
    }
    salp_condition_broadcast(crew->changed);
    salp_mutex_unlock(crew->mutex);
    return error;
}

/* Whether its start is known: see above. */
static bool is_alone(const struct carrier *carrier)
{
    return carrier->batch->count == 1;
}

static int starts(struct carrier *carrier, size_t item, int attempt)
{
    struct job *job = carrier->jobs[item];
    job->attempt = attempt;
    job->state = JOB_RUNNING;
    job->started = job_clock();
    if (!is_alone(carrier))
        return 0;
    struct jobs *jobs = carrier->crew->own;
    if (attempt == 1)
        job->slot = choose_slot(jobs, 0);
    jobs->taken[job->slot] = true;
    return job_audience_tell_start(carrier->crew->run->audience, job);
}

/* ---- out ---- */

/* What it has answered is its standard output, why it has failed its standard error. */
static int give_output(struct carrier *carrier, size_t item, const struct batch_outcome *outcome, bool described)
{
    struct crew *crew = carrier->crew;
    struct job *job = carrier->jobs[item];
    struct output *output = crew->run->output;
    salp_bytes bytes;
    salp_buffer text = { 0 };
    int error = 0;
    if (outcome->error == 0) {
        error = crew_tell("an answer", batch_see(carrier->batch, item, &bytes));
        if (error == 0) {
            error = bytes.size > 0 ? output_give(output, job, 1, bytes.data, bytes.size) : 0;
            batch_unsee(carrier->batch, item, bytes);
        }
    }
    if (error < 0 || !described)
        return error;
    error = batch_see_input(carrier->batch, item, &bytes);
    if (error == 0) {
        error = crew_describe(crew, outcome, job, bytes, &text);
        batch_unsee_input(carrier->batch, item, bytes);
    }
    if (error == 0)
        error = output_give(output, job, 2, text.data, text.size);
    salp_buffer_free(&text);
    return error;
}

/* Nobody has to do with it any more. `told`: watchers know of its start. */
static int end_job(struct carrier *carrier, size_t item, bool told)
{
    struct crew *crew = carrier->crew;
    struct jobs *jobs = crew->own;
    struct job *job = carrier->jobs[item];
    int error = told ? job_audience_tell_end(crew->run->audience, job, true) : 0;
    int shown = output_end(crew->run->output, job);
    if (is_alone(carrier))
        jobs->taken[job->slot] = false;
    carrier->jobs[item] = NULL;
    give_back(jobs, job);
    return error < 0 ? error : shown;
}

static int ended(struct carrier *carrier, size_t item, const struct batch_outcome *outcome, int attempt, bool again)
{
    struct crew *crew = carrier->crew;
    struct job *job = carrier->jobs[item];
    bool alone = is_alone(carrier), described = crew_judge(crew, outcome, job);
    int error = 0;
    (void)attempt;
    if (outcome->skipped)
        return end_job(carrier, item, alone);
    if (outcome->error < 0 && job->wall == 0 && alone)
        job->wall = carrier->batch->lasted;
    if (!alone) {
        /* From here to its end no other task runs: I1. */
        enum job_state state = job->state;
        job->slot = choose_slot(crew->own, outcome->worker);
        job->state = JOB_RUNNING;
        error = job_audience_tell_start(crew->run->audience, job);
        job->state = state;
    }
    if (again) {
        int told = job_audience_tell_end(crew->run->audience, job, false);
        return error < 0 ? error : told;
    }
    int given = give_output(carrier, item, outcome, described);
    crew_count(crew, job);
    int last = end_job(carrier, item, true);
    return error < 0 ? error : given < 0 ? given : last;
}

/* What has not ended, since there was an error: nobody runs it any more. */
static int deliver(struct carrier *carrier)
{
    for (size_t i = 0; i < carrier->batch->count; i++) {
        struct job *job = carrier->jobs[i];
        if (!job)
            continue;
        bool told = is_alone(carrier) && job->state == JOB_RUNNING;
        job->state = JOB_HALTED;
        (void)end_job(carrier, i, told); /* there was an error before, which is what is told */
    }
    return 0;
}

/* ---- the trade ---- */

const struct crew_trade crew_jobs = {
    .reader = reader, .fill = fill, .starts = starts, .ended = ended, .deliver = deliver
};

int crew_jobs_open(struct crew *crew)
{
    crew->own = calloc(1, sizeof(struct jobs));
    return crew->own ? 0 : -ENOMEM;
}

void crew_jobs_close(struct crew *crew)
{
    struct jobs *jobs = crew->own;
    if (!jobs)
        return;
    /* Those that were read and not begun: the output still expects their numbers. */
    for (; jobs->count > 0; jobs->count--) {
        struct job *job = jobs->ready[jobs->first];
        jobs->first = (jobs->first + 1) % READY_MOST;
        job->state = JOB_HALTED;
        (void)output_end(crew->run->output, job);
        free_job(job);
    }
    for (size_t i = 0; i < jobs->spare_count; i++)
        free_job(jobs->spare[i]);
    free(jobs->spare);
    free(jobs);
}
