/*
 * The words for what has become of a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job/job.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <salp/error.h>
#include <salp/time.h>

#include "job/memory.h"

static const char *const state_names[] = {
    [JOB_WAITING] = "waiting",         [JOB_RUNNING] = "running",       [JOB_DONE] = "done",
    [JOB_FAILED] = "failed",           [JOB_KILLED] = "killed",         [JOB_TIMED_OUT] = "timed out",
    [JOB_OVER_MEMORY] = "over memory", [JOB_UNSTARTED] = "not started", [JOB_HALTED] = "halted",
    [JOB_SKIPPED] = "skipped",
};

enum { STATES = sizeof state_names / sizeof *state_names };

void job_clear(struct job *job)
{
    struct job_memory *memory = job->memory;
    int slot = job->slot;
    job_memory_clear(memory);
    /* Not by an assignment of the whole: the excerpts are large, and empty by their sizes. */
    job->number = 0;
    job->attempt = 0;
    job->values = NULL;
    job->value_count = 0;
    job->block = NULL;
    job->block_size = 0;
    job->block_name = NULL;
    job->argv = NULL;
    job->line = NULL;
    job->results = NULL;
    job->tag = NULL;
    job->state = JOB_WAITING;
    job->left_out = false;
    job->exit_status = -1;
    job->signal = 0;
    job->error = 0;
    job->started = job->wall = job->user = job->system = job->peak_memory = 0;
    job->out.size = job->out.head_size = job->out.tail_size = 0;
    job->err.size = job->err.head_size = job->err.tail_size = 0;
    job->output = NULL;
    job->note = (struct job_note){ 0 };
    job->memory = memory;
    job->slot = slot;
}

int64_t job_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return SALP_SECONDS(time.tv_sec) + time.tv_nsec;
}

const char *job_state_name(enum job_state state)
{
    return state_names[state];
}

int job_state_of(const char *name)
{
    for (int state = 0; state < STATES; state++) {
        if (strcmp(name, state_names[state]) == 0)
            return state;
    }
    return -1;
}

bool job_succeeded(const struct job *job)
{
    return job->state == JOB_DONE || job->state == JOB_SKIPPED;
}

int job_exit_value(const struct job *job)
{
    if (job->state == JOB_TIMED_OUT || job->state == JOB_OVER_MEMORY)
        return -1;
    if (job->state == JOB_UNSTARTED)
        return 127;
    return job->exit_status >= 0 ? job->exit_status : 0;
}

int job_signal_value(const struct job *job)
{
    if (job->signal > 0)
        return job->signal;
    return job->state == JOB_TIMED_OUT ? SIGTERM : job->state == JOB_OVER_MEMORY ? SIGKILL : 0;
}

static void describe_signal(int number, char *text, size_t size)
{
    const char *name = sigabbrev_np(number);
    if (name)
        snprintf(text, size, "SIG%s", name);
    else
        snprintf(text, size, "signal %d", number);
}

void job_describe(const struct job *job, char *text, size_t size)
{
    switch (job->state) {
    case JOB_FAILED:
        if (job->error < 0)
            snprintf(text, size, "%s", salp_strerror(job->error));
        else
            snprintf(text, size, "exit status %d", job->exit_status);
        break;
    case JOB_KILLED:
        describe_signal(job->signal, text, size);
        break;
    case JOB_TIMED_OUT:
        snprintf(text, size, "timed out after %.3g s", (double)job->wall / 1e9);
        break;
    case JOB_OVER_MEMORY:
        snprintf(text, size, "more memory than allowed: %.3g MiB", (double)job->peak_memory / (1 << 20));
        break;
    case JOB_UNSTARTED:
        snprintf(text, size, "could not be started: %s", salp_strerror(job->error));
        break;
    default:
        snprintf(text, size, "%s", job_state_name(job->state));
    }
}
