/*
 * Runs the jobs: slots (command/slot.c), and beside them who watches the memory, and those whom each run needs (map/aides.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "command/command.h"
#include "command/commands.h"
#include "command/round.h"
#include "job/audience.h"
#include "job/memory.h"
#include "map/aides.h"
#include "map/halt.h"
#include "map/options.h"

enum { JOBS_FOR_MEDIAN = 3 };

/* ---- stopping ---- */

int map_runner_tell_end(struct map_runner *runner, const struct job *job, bool final)
{
    int error = job_audience_tell_end(runner->given->audience, job, final);
    if (error < 0)
        map_runner_stop(runner, MAP_STOP_NOW, error);
    return error;
}

void map_slot_end(struct map_slot *slot, enum map_end why)
{
    if (slot->end == MAP_END_NONE)
        slot->end = why;
    if (slot->running)
        salp_scope_cancel(slot->running);
}

void map_runner_stop(struct map_runner *runner, enum map_runner_stop how, int error)
{
    if (runner->result->error == 0)
        runner->result->error = error;
    if (how <= runner->stop)
        return;
    runner->stop = how;
    for (struct map_slot *slot = runner->slots; slot; slot = slot->next) {
        if (slot->waiting)
            salp_scope_cancel(slot->waiting);
        if (how == MAP_STOP_NOW && slot->job.state == JOB_RUNNING)
            map_slot_end(slot, MAP_END_HALT);
    }
}

/* What has gone wrong is ours, and nobody else tells it. */
void map_runner_fail(struct map_runner *runner, int error)
{
    map_run_say(runner->given, "it cannot go on: %s", salp_strerror(error));
    map_runner_stop(runner, MAP_STOP_NOW, error);
}

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

static void on_hurry(void *arg)
{
    struct map_runner *runner = arg;
    runner->hurries = true;
    for (struct map_slot *slot = runner->slots; slot; slot = slot->next) {
        if (slot->showing)
            salp_scope_cancel(slot->showing);
    }
}

static void stop(void *arg, bool now)
{
    struct map_runner *runner = arg;
    if (now) {
        map_run_say(runner->given, "ends %d job%s", runner->running, plural(runner->running));
        map_runner_stop(runner, MAP_STOP_NOW, 0);
        (void)salp_timer_set(salp_loop_current(), &runner->hurry, salp_now() + runner->sequence.total + MAP_LAST_WORDS,
                             on_hurry, runner);
        return;
    }
    map_run_say(runner->given, "no more jobs are started, %d still run%s; once more ends them", runner->running,
                runner->running == 1 ? "s" : "");
    map_runner_stop(runner, MAP_STOP_SOON, 0);
}

static void abandon(void *arg)
{
    map_runner_stop(arg, MAP_STOP_NOW, -ECANCELED);
}

/* As if nobody had caught it: where there is no shell that could wake us, the system does not stop us. */
static void stop_here(void)
{
    struct sigaction caught;
    const struct sigaction usual = { .sa_handler = SIG_DFL };
    sigaction(SIGTSTP, &usual, &caught);
    raise(SIGTSTP);
    sigaction(SIGTSTP, &caught, NULL);
}

static bool is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/*
 * Ctrl-Z reaches us, and not the jobs, which have process groups of their own: they are stopped with us, and go on with us. (The
 * front is stopped by the terminal, too, so the shell sees it.)
 */
static void on_suspend(int number, void *arg)
{
    struct map_runner *runner = arg;
    (void)number;
    for (struct map_slot *slot = runner->slots; slot; slot = slot->next)
        map_command_signal(slot, SIGSTOP);
    stop_here();
    for (struct map_slot *slot = runner->slots; slot; slot = slot->next)
        map_command_signal(slot, SIGCONT);
}

/* ---- what has become of jobs ---- */

static void restrict_time(struct map_runner *runner, const struct job *job)
{
    if (runner->given->options->timeout_percent == 0 || job->state != JOB_DONE)
        return;
    map_median_add(&runner->median, job->wall);
    if (runner->median.total < JOBS_FOR_MEDIAN)
        return;
    runner->timeout =
        (int64_t)((double)map_median_get(&runner->median) * runner->given->options->timeout_percent / 100) + 1;
    for (struct map_slot *slot = runner->slots; slot; slot = slot->next) {
        if (slot->running)
            map_command_limit(slot);
    }
}

void map_runner_count(struct map_runner *runner, const struct job *job)
{
    struct map_result *result = runner->result;
    const struct map_halt *halt = &runner->given->options->halt;
    if (job->state == JOB_DONE)
        result->done++;
    else if (job->state != JOB_HALTED)
        result->failed++;
    restrict_time(runner, job);
    if (runner->stop == MAP_GOES_ON && map_halt_due(halt, result, job))
        map_runner_stop(runner, halt->when == MAP_HALT_NOW ? MAP_STOP_NOW : MAP_STOP_SOON, 0);
}

/* ---- slots ---- */

static void free_slot(struct map_slot *slot)
{
    map_command_forget(slot);
    job_memory_free(slot->job.memory);
    free(slot);
}

static struct map_slot *make_slot(struct map_runner *runner, int number)
{
    struct map_slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        return NULL;
    slot->runner = runner;
    slot->job.slot = number;
    slot->job.memory = job_memory_new();
    if (slot->job.memory && map_command_prepare(slot) == 0)
        return slot;
    free_slot(slot);
    return NULL;
}

/* One that has left, or a new one. NULL: no memory. */
static struct map_slot *take_slot(struct map_runner *runner)
{
    struct map_slot *slot = runner->slots;
    while (slot && !slot->left)
        slot = slot->next;
    if (slot)
        return slot;
    slot = make_slot(runner, runner->slot_count + 1);
    if (!slot)
        return NULL;
    slot->next = runner->slots;
    runner->slots = slot;
    runner->slot_count++;
    return slot;
}

void map_runner_add_slot(struct map_runner *runner)
{
    if (runner->living >= runner->slot_limit || runner->drained || runner->stop != MAP_GOES_ON)
        return;
    struct map_slot *slot = take_slot(runner);
    if (!slot)
        return; /* there are others; if there are none, that is told */
    job_clear(&slot->job);
    slot->left = salp_go(&runner->group, map_slot_live, slot) < 0;
    runner->living += !slot->left;
    runner->idle += !slot->left;
}

static void run_slots(struct map_runner *runner)
{
    salp_group_open(&runner->group);
    map_runner_add_slot(runner);
    if (runner->living == 0 && runner->stop == MAP_GOES_ON)
        map_runner_fail(runner, -ENOMEM);
    salp_group_close(&runner->group);
    while (runner->slots) {
        struct map_slot *slot = runner->slots;
        runner->slots = slot->next;
        free_slot(slot);
    }
}

static int add_aides(struct map_runner *runner, struct map_aides *aides)
{
    const struct map_options *o = runner->given->options;
    int error = map_aides_start(aides);
    if (error == 0 && (o->memory_limit > 0 || o->memory_free > 0))
        error = salp_go(&aides->group, map_memory_watch, runner);
    if (error == 0 && runner->given->line >= 0 && !is_ignored(SIGTSTP))
        error = salp_loop_signal(salp_loop_current(), SIGTSTP, on_suspend, runner);
    return error;
}

static void run_all(struct map_runner *runner)
{
    struct map_aides aides = {
        .run = runner->given, .result = runner->result, .stop = stop, .abandon = abandon, .arg = runner
    };
    int error = add_aides(runner, &aides);
    if (error < 0)
        map_runner_fail(runner, error);
    run_slots(runner);
    if (runner->given->line >= 0)
        (void)salp_loop_signal(salp_loop_current(), SIGTSTP, NULL, runner);
    (void)salp_timer_cancel(salp_loop_current(), &runner->hurry);
    map_aides_end(&aides);
}

static int open_runner(struct map_runner *runner)
{
    const struct map_run *given = runner->given;
    (void)map_stop_read(&runner->sequence, given->options->term_sequence); /* options.c has looked at it */
    runner->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int error = runner->null < 0 ? -errno : 0;
    if (error == 0)
        error = salp_mutex_open(&runner->turn, NULL);
    if (error == 0)
        error = salp_mutex_open(&runner->gate_mutex, NULL);
    if (error == 0)
        error = map_gate_open(&runner->gate, given->options, given->jobserver);
    return error;
}

static void close_runner(struct map_runner *runner)
{
    map_round_forget(runner);
    map_gate_close(&runner->gate);
    salp_mutex_close(runner->gate_mutex);
    salp_mutex_close(runner->turn);
    if (runner->null >= 0)
        close(runner->null);
    if (runner->tee >= 0)
        close(runner->tee);
}

void map_commands_run(const struct map_run *run, struct map_result *result)
{
    *result = (struct map_result){ 0 };
    struct map_runner *runner = calloc(1, sizeof *runner);
    if (!runner) {
        result->error = -ENOMEM;
        return;
    }
    *runner = (struct map_runner){
        .given = run,
        .result = result,
        .slot_limit = run->slots,
        .timeout = run->options->timeout,
        .null = -1,
        .tee = -1,
    };
    int error = open_runner(runner);
    if (error < 0)
        map_runner_fail(runner, error);
    else
        run_all(runner);
    close_runner(runner);
    free(runner);
}
