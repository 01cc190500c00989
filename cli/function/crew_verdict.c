/*
 * What has become of an input, in the terms of jobs, and for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "map/options.h"

static enum job_state state_of_loss(const struct crew *crew, const struct batch_outcome *outcome, struct job *job)
{
    const struct batch_loss *loss = outcome->loss;
    job->error = outcome->error;
    job->exit_status = -1;
    if (outcome->error == -ETIMEDOUT) {
        job->wall = crew->run->options->timeout;
        return JOB_TIMED_OUT;
    }
    if (outcome->error == SALP_ELIMIT) {
        job->peak_memory = crew->run->options->memory_limit;
        return JOB_OVER_MEMORY;
    }
    if (loss && loss->failure.signal > 0) {
        job->signal = loss->failure.signal;
        return JOB_KILLED;
    }
    job->exit_status = loss && loss->failure.exit_status >= 0 ? loss->failure.exit_status : 255;
    return JOB_FAILED;
}

bool crew_judge(const struct crew *crew, const struct batch_outcome *outcome, struct job *job)
{
    int result = outcome->result;
    job->signal = 0;
    job->error = 0;
    job->exit_status = -1;
    if (outcome->times.started > 0)
        job->started = outcome->times.started;
    job->wall = outcome->times.wall;
    job->user = outcome->times.user;
    job->system = outcome->times.system;
    if (outcome->skipped) {
        job->state = JOB_HALTED;
    } else if (outcome->error < 0) {
        job->state = state_of_loss(crew, outcome, job);
    } else {
        job->state = result == 0 ? JOB_DONE : JOB_FAILED;
        job->exit_status = result < 0 || result > 255 ? 255 : result;
        job->error = result < 0 ? result : 0;
    }
    return job->error < 0;
}

static int append(salp_buffer *text, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return salp_buffer_append(text, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

/* The beginning of an input, as far as it fits in a line, harmless on a terminal. */
static int append_input(salp_buffer *text, salp_bytes input)
{
    enum { SHOWN = 60 };
    const unsigned char *bytes = input.data;
    int error = salp_buffer_append(text, "'", 1);
    for (size_t i = 0; i < input.size && i < SHOWN && error == 0; i++) {
        unsigned char byte = bytes[i] < ' ' || bytes[i] == 0x7f ? '?' : bytes[i];
        error = salp_buffer_append(text, &byte, 1);
    }
    return error < 0 ? error : append(text, "%s'", input.size > SHOWN ? "..." : "");
}

static bool has_address(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE;
}

static int append_cause(const struct crew *crew, const struct batch_outcome *outcome, const struct job *job,
                        salp_buffer *text)
{
    const struct batch_loss *loss = outcome->loss;
    const char *name = job->signal > 0 ? sigabbrev_np(job->signal) : NULL;
    if (job->state == JOB_TIMED_OUT)
        return append(text, "took longer than %.3g s", (double)crew->run->options->timeout / 1e9);
    if (job->state == JOB_OVER_MEMORY)
        return append(text, "took more memory than %.3g MiB", (double)crew->run->options->memory_limit / (1 << 20));
    if (job->state == JOB_KILLED && has_address(job->signal))
        return append(text, "SIG%s at the address %#jx", name ? name : "?",
                      (uintmax_t)(uintptr_t)loss->failure.address);
    if (job->state == JOB_KILLED && outcome->error == -ENOMEM)
        return append(text, "SIG%s, for the machine is out of memory", name ? name : "?");
    if (job->state == JOB_KILLED)
        return append(text, "SIG%s", name ? name : "?");
    if (job->error == SALP_ECRASHED && loss)
        return append(text, "ended its worker with exit status %d", job->exit_status);
    return append(text, "%s", salp_strerror(job->error));
}

/* Whether a line of a backtrace is about this program: it ends with its name in brackets. */
static bool is_ours(const char *line, size_t size)
{
    const char *name = program_invocation_short_name;
    size_t length = strlen(name);
    return size > length + 2 && line[size - 1] == ')' && line[size - length - 2] == '(' &&
           memcmp(line + size - length - 1, name, length) == 0;
}

int crew_describe(const struct crew *crew, const struct batch_outcome *outcome, const struct job *job, salp_bytes input,
                  salp_buffer *text)
{
    int error =
        append(text, "salp map: %s: input %llu, ", map_plugin_name(crew->plugin), (unsigned long long)job->number);
    if (error == 0)
        error = append_input(text, input);
    if (error == 0)
        error = append(text, ": ");
    if (error == 0)
        error = append_cause(crew, outcome, job, text);
    if (error == 0)
        error = append(text, "\n");
    /* The lines of the backtrace, set off; those of this program are below the function. */
    const char *line = outcome->loss ? outcome->loss->backtrace : "";
    while (*line && error == 0) {
        size_t size = strcspn(line, "\n");
        if (is_ours(line, size))
            break;
        error = append(text, "    ");
        if (error == 0)
            error = salp_buffer_append(text, line, size);
        if (error == 0)
            error = append(text, "\n");
        line += line[size] ? size + 1 : size;
    }
    return error;
}
