/*
 * One attempt of a job.
 *
 *   output_begin    pipes
 *   start           /dev/null or the block as its input (command/feed.h); the environment with PARALLEL_SEQ and so on
 *   output_collect  until it has ended -- the scope `running` is over: end_tree, and collects what it still writes
 *   settle          the state of the job, by why it has ended
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/cgroup.h"
#include "command/feed.h"
#include "input/template.h"
#include "job/job.h"
#include "job/memory.h"
#include "map/options.h"
#include "output/output.h"

static const int64_t gone_within = SALP_SECONDS(8); /* after the last signal; the library gives up after five */
static const int64_t short_of_room = SALP_MILLISECONDS(50);

enum { SEQUENCE_SIZE = sizeof "PARALLEL_SEQ=18446744073709551615" };

/* ---- what it is given ---- */

static bool is_ours(const char *entry, const char *slot_variable)
{
    static const char *const names[] = { "PARALLEL_SEQ", "PARALLEL_JOBSLOT", "PARALLEL_PID" };
    size_t length = strcspn(entry, "=");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (length == strlen(names[i]) && memcmp(entry, names[i], length) == 0)
            return true;
    }
    return slot_variable && length == strlen(slot_variable) && memcmp(entry, slot_variable, length) == 0;
}

int map_command_prepare(struct map_slot *slot)
{
    const struct map_run *given = slot->runner->given;
    const char *variable = given->options->slot_variable;
    size_t count = 0, kept = 0;
    char *own[4] = { NULL };
    while (environ[count])
        count++;
    slot->environment = calloc(count + 5, sizeof *slot->environment);
    own[0] = slot->sequence = calloc(1, SEQUENCE_SIZE);
    if (asprintf(&own[1], "PARALLEL_JOBSLOT=%d", slot->job.slot) < 0)
        own[1] = NULL;
    if (asprintf(&own[2], "PARALLEL_PID=%d", (int)given->front) < 0)
        own[2] = NULL;
    if (variable && asprintf(&own[3], "%s=%d", variable, slot->job.slot - 1) < 0)
        own[3] = NULL;
    bool made = slot->environment && own[0] && own[1] && own[2] && (own[3] || !variable);
    /* Ours come first: they are freed with it. */
    for (int i = 0; i < 4 && slot->environment && own[i]; i++)
        slot->environment[kept++] = own[i];
    slot->own_entries = (int)kept;
    for (size_t i = 0; i < count && made; i++) {
        if (!is_ours(environ[i], variable))
            slot->environment[kept++] = environ[i];
    }
    return made ? 0 : -ENOMEM;
}

void map_command_forget(struct map_slot *slot)
{
    for (int i = 0; i < slot->own_entries; i++)
        free((char *)(uintptr_t)slot->environment[i]);
    free(slot->environment);
}

/* ---- starting ---- */

enum { DOORKEEPER = 5 }; /* words */

/*
 * With a control group: a shell goes in, and becomes the command. (It would be too late for us to put the command in when it
 * runs: what it has started by then would stay outside.) NULL: no memory.
 */
static const char *const *enter_group(const struct map_slot *slot, const char *door)
{
    const struct job *job = &slot->job;
    int count = 0;
    while (job->argv[count])
        count++;
    const char **argv = job_memory_take(job->memory, (size_t)(count + DOORKEEPER + 1) * sizeof *argv);
    const char *kept = job_memory_copy(job->memory, door, strlen(door));
    if (!argv || !kept)
        return NULL;
    argv[0] = "/bin/sh";
    argv[1] = "-c";
    argv[2] = "echo 0 > \"$1\" && shift && exec \"$@\"";
    argv[3] = "salp map"; /* what its messages begin with */
    argv[4] = kept;
    memcpy(argv + DOORKEEPER, job->argv, (size_t)(count + 1) * sizeof *argv);
    return argv;
}

/* It may go away when others have ended. */
static bool is_shortage(const struct map_slot *slot, int error)
{
    bool no_room = error == -ENOSPC && slot->input < 0; /* for its block */
    return error == -EAGAIN || error == -EMFILE || error == -ENFILE || error == -ENOMEM || no_room;
}

static int start_fed(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    const struct map_options *o = runner->given->options;
    salp_command_options options = {
        .cwd = o->folder,
        .env = slot->environment,
        .in = SALP_DESCRIPTOR,
        .in_fd = slot->input,
        .kill_after = runner->sequence.kill_after,
        .keep = runner->given->inherited.numbers,
        .keep_count = runner->given->inherited.count,
    };
    struct map_cgroups *groups = runner->given->cgroups;
    const char *const *argv = slot->job.argv;
    int error = output_begin(runner->given->output, &slot->job, &options);
    if (error == 0 && groups)
        error = map_cgroup_make(groups, &slot->group);
    if (error == 0 && groups) {
        argv = enter_group(slot, map_cgroup_door(groups, slot->group));
        error = argv ? 0 : -ENOMEM;
    }
    if (error == 0)
        error = salp_command_start(&slot->command, argv, &options);
    if (error < 0 && groups)
        map_cgroup_drop(groups, slot->group);
    return error;
}

static int start_once(struct map_slot *slot)
{
    int error = map_feed_open(slot);
    return error < 0 ? error : start_fed(slot);
}

/* As often as others run who may leave room when they end. */
static int start(struct map_slot *slot)
{
    int error = start_once(slot);
    while (is_shortage(slot, error) && slot->runner->running > 1 && slot->end == MAP_END_NONE) {
        int waited = salp_sleep(short_of_room);
        if (waited < 0)
            break;
        error = start_once(slot);
    }
    map_feed_give(slot);
    return error;
}

/* ---- ending ---- */

void map_command_signal(const struct map_slot *slot, int number)
{
    pid_t pid = slot->command ? salp_command_pid(slot->command) : 0;
    if (pid > 0)
        (void)kill(-pid, number);
}

/* A task beside the one that reads what the command still writes. */
static int end_command(void *arg)
{
    struct map_slot *slot = arg;
    const struct map_stop *sequence = &slot->runner->sequence;
    int ended = -ETIMEDOUT;
    for (int i = 0; i < sequence->before && ended < 0; i++) {
        salp_scope scope;
        map_command_signal(slot, sequence->steps[i].signal);
        salp_scope_open(&scope, sequence->steps[i].pause);
        ended = salp_command_wait(slot->command, NULL);
        salp_scope_close(&scope);
    }
    (void)salp_command_end(slot->command);
    return 0;
}

/* Its tree ends, whatever is over around us. */
static int end_tree(struct map_slot *slot, salp_output *outcome)
{
    salp_scope shield;
    salp_group group;
    salp_scope_shield(&shield, slot->runner->sequence.total + gone_within);
    salp_group_open(&group);
    if (salp_go(&group, end_command, slot) < 0)
        (void)end_command(slot);
    int error = output_collect(slot->runner->given->output, &slot->job, slot->command, outcome);
    salp_group_close(&group);
    salp_scope_close(&shield);
    return error == -ECHILD ? 0 : error;
}

static void on_time_out(void *slot)
{
    map_slot_end(slot, MAP_END_TIMEOUT);
}

void map_command_limit(struct map_slot *slot)
{
    int64_t timeout = slot->runner->timeout;
    if (timeout > 0)
        (void)salp_timer_set(salp_loop_current(), &slot->timer, slot->started + timeout, on_time_out, slot);
}

/* Collects what it writes, and gives it meanwhile what it reads. */
static int collect(struct map_slot *slot, salp_output *outcome)
{
    struct map_runner *runner = slot->runner;
    salp_group feeding;
    salp_group_open(&feeding);
    int error = map_feed_goes_on(slot) ? salp_go(&feeding, map_feed_run, slot) : 0;
    if (error < 0)
        map_runner_fail(runner, error);
    error = output_collect(runner->given->output, &slot->job, slot->command, outcome);
    salp_group_cancel(&feeding);
    salp_group_close(&feeding);
    return error;
}

/* Until it has ended, by itself or by us. */
static int attend(struct map_slot *slot, salp_output *outcome)
{
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    slot->running = &scope;
    if (slot->end != MAP_END_NONE)
        salp_scope_cancel(&scope);
    map_command_limit(slot);
    int error = collect(slot, outcome);
    (void)salp_timer_cancel(salp_loop_current(), &slot->timer);
    slot->running = NULL;
    bool over = salp_scope_close(&scope) < 0;
    if (error == -ECHILD)
        error = 0;
    return over ? end_tree(slot, outcome) : error;
}

/* ---- what has become of it ---- */

/* What its control group tells, which is not needed any more. */
static void leave_group(struct map_slot *slot)
{
    struct map_cgroups *groups = slot->runner->given->cgroups;
    struct job *job = &slot->job;
    if (!groups)
        return;
    if (slot->end == MAP_END_NONE && (job->exit_status != 0 || job->signal != 0) &&
        map_cgroup_is_over(groups, slot->group))
        slot->end = MAP_END_MEMORY;
    job->peak_memory = map_cgroup_peak(groups, slot->group);
    map_cgroup_drop(groups, slot->group);
}

static enum job_state state_of(enum map_end end, const struct job *job)
{
    switch (end) {
    case MAP_END_TIMEOUT:
        return JOB_TIMED_OUT;
    case MAP_END_HALT:
    case MAP_END_PUT_BACK:
        return JOB_HALTED;
    case MAP_END_MEMORY:
        return JOB_OVER_MEMORY;
    default:
        return job->signal != 0 ? JOB_KILLED : job->exit_status == 0 ? JOB_DONE : JOB_FAILED;
    }
}

static void settle(struct map_slot *slot, const salp_output *outcome)
{
    struct job *job = &slot->job;
    job->exit_status = outcome->exit_status;
    job->signal = outcome->signal;
    job->wall = outcome->wall;
    job->user = outcome->user;
    job->system = outcome->system;
    leave_group(slot);
    if (outcome->peak_memory > job->peak_memory)
        job->peak_memory = outcome->peak_memory;
    job->state = state_of(slot->end, job);
}

int map_command_run(struct map_slot *slot)
{
    struct job *job = &slot->job;
    struct map_runner *runner = slot->runner;
    salp_output outcome = { .exit_status = -1 };
    snprintf(slot->sequence, SEQUENCE_SIZE, "PARALLEL_SEQ=%llu", (unsigned long long)job->number);
    slot->command = NULL;
    slot->input = -1;
    job->started = job_clock();
    slot->started = salp_now();
    job->exit_status = -1;
    job->signal = job->error = 0;
    runner->running++;
    int error = start(slot);
    if (error < 0) {
        job->state = JOB_UNSTARTED;
        job->error = error;
        error = output_collect(runner->given->output, job, NULL, NULL);
    } else {
        runner->started = true;
        error = attend(slot, &outcome);
        settle(slot, &outcome);
    }
    runner->running--;
    salp_command_close(slot->command);
    slot->command = NULL;
    map_feed_close(slot);
    return error;
}
