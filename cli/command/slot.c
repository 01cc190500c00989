/*
 * A slot: a task that runs one job after another.
 *
 *     fetch   its turn at the source; what a journal knows as done is skipped
 *     fill    the command
 *     pass    the gate: --delay, --load, --memfree, tokens        <------.
 *     run     command/command.h                                          | --retries, or put back
 *     end     watchers are told; shown, or forgotten and tried again ----'
 *
 * I1  One slot at a time waits at the source, one at the gate. A slot that has got through both makes the next one, if all
 *     others are busy and there may be more: so there are never more slots than jobs that could run, and with one job at a
 *     time, or one input, there is one.
 * I2  Each job whose number was given comes to output_end once, run or not: those after it in order wait for it.
 * I3  What a watcher was told has started, it is told has ended.
 * I4  Whether a failed attempt was the last one is known when the next one may start, and not before: the run may be stopped
 *     while it waits at the gate. Then the attempt is what has become of the job, and its output is shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "command/round.h"
#include "command/runner.h"
#include "input/source.h"
#include "input/template.h"
#include "job/audience.h"
#include "job/memory.h"
#include "job/visible.h"
#include "map/options.h"
#include "map/slots.h"
#include "map/tee.h"
#include "output/output.h"

enum { SKIPS = 256 }; /* that follow each other, before other tasks have their turn */

/* ---- fetching ---- */

/* Done by an earlier run, or left out: everybody hears of it. */
static int skip(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    slot->job.state = JOB_SKIPPED;
    int error = map_runner_tell_end(runner, &slot->job, true);
    runner->result->skipped++;
    if (error == 0)
        error = output_end(runner->given->output, &slot->job);
    return error;
}

/* What all jobs read is there before the first one is. */
static int read_tee(struct map_runner *runner)
{
    const struct map_options *o = runner->given->options;
    if (!o->tee || runner->tee >= 0)
        return 0;
    runner->tee = map_tee_read(o->output.temporary);
    return runner->tee < 0 ? runner->tee : 0;
}

/* 1: the job is to be run; 0: there is none left; or an error. */
static int ask_source(struct map_slot *slot)
{
    const struct map_run *given = slot->runner->given;
    int error = read_tee(slot->runner);
    if (error < 0)
        return error;
    for (int skipped = 1;; skipped++) {
        job_clear(&slot->job);
        int got = input_source_next(given->source, &slot->job);
        if (got <= 0)
            return got;
        slot->job.left_out = template_leaves_out(given->template, &slot->job);
        if (!slot->job.left_out && map_run_wants(given, &slot->job))
            return 1;
        error = skip(slot) < 0 ? -ECANCELED : 0;
        if (error == 0 && skipped % SKIPS == 0)
            error = salp_yield();
        if (error < 0)
            return error;
    }
}

/* Whether there is a job to be run. */
static bool fetch(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    salp_scope scope;
    if (map_round_take(slot))
        return true;
    salp_scope_open(&scope, SALP_FOREVER);
    slot->waiting = &scope;
    int got = salp_mutex_lock(runner->turn);
    if (got == 0) {
        got = runner->drained || runner->stop != MAP_GOES_ON ? 0 : ask_source(slot);
        runner->drained |= got <= 0;
        salp_mutex_unlock(runner->turn);
    }
    slot->waiting = NULL;
    salp_scope_close(&scope);
    if (got < 0 && runner->stop == MAP_GOES_ON)
        map_runner_stop(runner, MAP_STOP_SOON, got);
    return got == 1;
}

/* ---- passing the gate ---- */

/* Whether it may start. */
static bool pass(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    slot->waiting = &scope;
    int error = salp_mutex_lock(runner->gate_mutex);
    if (error == 0) {
        error = runner->stop == MAP_GOES_ON ? map_gate_pass(&runner->gate, runner->running) : -ECANCELED;
        salp_mutex_unlock(runner->gate_mutex);
    }
    slot->waiting = NULL;
    salp_scope_close(&scope);
    if (error < 0 && error != -ECANCELED)
        map_runner_fail(runner, error);
    else if (error == 0 && runner->stop != MAP_GOES_ON)
        map_gate_leave(&runner->gate);
    return error == 0 && runner->stop == MAP_GOES_ON;
}

/* ---- running ---- */

/* Whether the user wants it. No answer is a no. */
static bool is_agreed(struct map_slot *slot)
{
    const struct map_run *given = slot->runner->given;
    if (!given->options->interactive)
        return true;
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    slot->waiting = &scope;
    bool agreed = map_runner_ask(slot->runner, slot->job.line);
    slot->waiting = NULL;
    salp_scope_close(&scope);
    return agreed;
}

static int show_command(struct map_slot *slot)
{
    const struct map_run *given = slot->runner->given;
    const struct map_options *o = given->options;
    char *line;
    if ((!o->verbose && !o->verbose_output) || o->interactive)
        return 0;
    int size = asprintf(&line, "%s\n", slot->job.line), error = size < 0 ? -ENOMEM : 0;
    if (error == 0 && o->verbose)
        error = output_say(given->output, &slot->job, 2, line, (size_t)size);
    if (error == 0 && o->verbose_output && slot->job.attempt == 1)
        error = output_say(given->output, &slot->job, 1, line, (size_t)size);
    if (size >= 0)
        free(line);
    return error;
}

/* There is nothing to execute, and no other job would find it either. */
static bool is_hopeless(const struct map_slot *slot)
{
    const struct map_run *given = slot->runner->given;
    const struct template_options *o = &given->options->template;
    return slot->runner->result->error == 0 && slot->job.state == JOB_UNSTARTED && !slot->runner->started &&
           o->word_count > 0 && !template_uses_shell(given->template) && strcmp(o->words[0], slot->job.argv[0]) == 0 &&
           (slot->job.error == -ENOENT || slot->job.error == -EACCES || slot->job.error == -ENOEXEC ||
            slot->job.error == -ENOTDIR || slot->job.error == -ELOOP);
}

/* Is the file there, named by its path, as jobs see it? Then what ENOENT misses is what its first line names. */
static bool is_there(const struct map_slot *slot, const char *name)
{
    const char *folder = slot->runner->given->options->folder;
    int at = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;
    bool there = strchr(name, '/') && faccessat(at, name, F_OK, 0) == 0;
    if (at >= 0)
        close(at);
    return there;
}

static void give_up(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    const char *name = slot->job.argv[0];
    if (runner->result->exit_status != 0)
        return;
    bool missing = slot->job.error == -ENOENT, none = missing && !is_there(slot, name);
    runner->result->exit_status = none ? MAP_EXIT_NO_COMMAND : MAP_EXIT_NOT_RUN;
    if (none)
        map_run_say(runner->given, "there is no command '%s'", name);
    else
        map_run_say(runner->given, "'%s' cannot be executed: %s", name,
                    missing ? "its interpreter is not there" : salp_strerror(slot->job.error));
    map_runner_stop(runner, MAP_STOP_NOW, 0);
}

/* What has not ended by itself cannot have said why. */
static void tell_failure(struct map_slot *slot)
{
    const struct job *job = &slot->job;
    char why[200], line[600];
    if (job->state != JOB_UNSTARTED && job->state != JOB_TIMED_OUT && job->state != JOB_OVER_MEMORY)
        return;
    job_describe(job, why, sizeof why);
    locale_t letters = job_letters_new();
    job_visible(line, sizeof line, job->line, sizeof line, letters);
    job_letters_free(letters);
    map_run_say(slot->runner->given, "job %llu: %s: %s", (unsigned long long)job->number, why, line);
}

static bool is_tried_again(const struct map_slot *slot)
{
    const struct map_runner *runner = slot->runner;
    const struct job *job = &slot->job;
    bool failed = job->state != JOB_DONE && job->state != JOB_UNSTARTED && job->state != JOB_HALTED;
    return runner->stop == MAP_GOES_ON &&
           (slot->end == MAP_END_PUT_BACK || (failed && job->attempt < runner->given->options->tries));
}

/* I3; what an attempt has shown is forgotten when there is another one. */
static int conclude(struct map_slot *slot, bool final)
{
    slot->undecided = false;
    int error = map_runner_tell_end(slot->runner, &slot->job, final);
    if (!final)
        output_discard(slot->runner->given->output, &slot->job);
    return error;
}

/* One attempt. Returns 1: again, 0: that was the last one, or an error. */
static int attempt(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    struct job *job = &slot->job;
    job->attempt++;
    job->state = JOB_RUNNING;
    slot->end = MAP_END_NONE;
    int error = show_command(slot);
    if (error < 0)
        return error;
    error = job_audience_tell_start(runner->given->audience, job);
    if (error < 0)
        return error;
    error = map_command_run(slot);
    bool again = error == 0 && is_tried_again(slot);
    slot->undecided = again && slot->end != MAP_END_PUT_BACK;
    if (slot->undecided)
        return 1;
    int told = conclude(slot, !again && !is_hopeless(slot)); /* it counts as not run */
    if (slot->end == MAP_END_PUT_BACK)
        job->attempt--;
    return error < 0 ? error : told < 0 ? told : again;
}

/* One attempt more, if it may start and the user wants it. As `attempt`. */
static int try_once(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    bool passed = pass(slot), wanted = passed && is_agreed(slot);
    int again = 0;
    if (slot->undecided)
        again = conclude(slot, !wanted); /* I4 */
    if (passed && runner->idle == 0)
        map_runner_add_slot(runner); /* I1 */
    if (wanted && again == 0)
        again = attempt(slot);
    if (passed)
        map_gate_leave(&runner->gate);
    return again;
}

/* Until there is no other attempt. Whether it was run. */
static bool try(struct map_slot *slot)
{
    int again;
    do {
        again = try_once(slot);
    } while (again > 0);
    if (again < 0)
        map_runner_stop(slot->runner, MAP_STOP_NOW, again);
    return slot->job.attempt > 0;
}

/* --results with replacement strings: where the output of this job goes. */
static int name_results(struct map_slot *slot)
{
    const struct map_run *given = slot->runner->given;
    const char *text = given->options->output.results;
    const char *expanded = text ? template_expand(given->template, text, &slot->job) : NULL;
    if (text && !expanded)
        return -ENOMEM;
    slot->job.results = expanded && strcmp(expanded, text) != 0 ? expanded : NULL;
    return 0;
}

/* Waits for those who read, save when the user has ended the run and they had their time. */
static int show(struct map_slot *slot)
{
    salp_scope scope;
    salp_scope_open(&scope, slot->runner->hurries ? 0 : SALP_FOREVER);
    slot->showing = &scope;
    int error = output_end(slot->runner->given->output, &slot->job);
    slot->showing = NULL;
    salp_scope_close(&scope);
    return error;
}

/* Its command is longer than the system takes, as was told: that is the failure of this job, and of no other. */
static int fail_unmade(struct map_slot *slot)
{
    static const char *const none[] = { NULL };
    struct map_runner *runner = slot->runner;
    const struct template_options *o = &runner->given->options->template;
    struct job *job = &slot->job;
    job->started = job_clock();
    job->argv = none;
    job->line = o->word_count > 0 ? o->words[0] : "";
    job->attempt = 1;
    job->state = JOB_RUNNING;
    int error = job_audience_tell_start(runner->given->audience, job);
    job->state = JOB_UNSTARTED;
    job->error = -E2BIG;
    if (error == 0)
        error = map_runner_tell_end(runner, job, true);
    map_runner_count(runner, job);
    int named = name_results(slot), shown = show(slot); /* I2 */
    return error < 0 ? error : named < 0 ? named : shown;
}

static void run_job(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    const struct map_run *given = runner->given;
    int error = template_fill(given->template, &slot->job);
    if (error == -E2BIG) {
        error = fail_unmade(slot);
        if (error < 0)
            map_runner_stop(runner, MAP_STOP_NOW, error);
        return;
    }
    if (error == 0)
        error = name_results(slot);
    bool run = error == 0 && try(slot);
    if (run && is_hopeless(slot))
        give_up(slot);
    else if (run)
        map_runner_count(runner, &slot->job);
    int shown = show(slot); /* I2 */
    if (run && runner->result->exit_status == 0 && runner->result->error == 0)
        tell_failure(slot);
    if (error == 0)
        error = shown;
    if (error < 0)
        map_runner_stop(runner, MAP_STOP_NOW, error);
}

/* -j FILE: the file may say now that there are to be fewer, or more. */
static bool stays(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    if (runner->given->options->slots.kind == MAP_SLOTS_FILE && slot->job.attempt > 0) {
        int limit = map_slots_count(&runner->given->options->slots);
        runner->slot_limit = limit < 1 ? runner->slot_limit : limit;
    }
    return runner->living <= runner->slot_limit;
}

int map_slot_live(void *arg)
{
    struct map_slot *slot = arg;
    struct map_runner *runner = slot->runner;
    /* It is idle from when it was made. */
    while (stays(slot) && fetch(slot)) {
        runner->idle--;
        runner->jobs++;
        if (runner->given->options->round_robin)
            slot->job.number = runner->jobs;
        run_job(slot);
        runner->idle++;
    }
    runner->idle--;
    runner->living--;
    slot->left = true;
    return 0;
}
