/*
 * What runs the jobs, inside: the runner, and its slots, each of which is a task that runs one job after another.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_COMMAND_RUNNER_H
#define CLI_COMMAND_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include <salp/command.h>
#include <salp/loop.h>
#include <salp/sync.h>
#include <salp/task.h>

#include "command/gate.h"
#include "command/median.h"
#include "job/job.h"
#include "map/run.h"
#include "map/stop.h"

/* What ends a job that does not end by itself. */
enum map_end {
    MAP_END_NONE,
    MAP_END_TIMEOUT,
    MAP_END_HALT, /* --halt now, the user, an error of ours */
    MAP_END_MEMORY,
    MAP_END_PUT_BACK, /* --memfree: it is run again */
};

/* All of it belongs to the one thread of the loop. */
struct map_slot {
    struct map_runner *runner;
    struct map_slot *next;
    bool left; /* its task has ended; another one may take its place */
    struct job job;
    salp_scope
        *waiting; /* open while it waits for an input or at the gate: a run that is stopped cancels it; else NULL */
    salp_scope *running; /* open while its command runs: whoever wants that to end cancels it; else NULL */
    salp_scope *showing; /* open while what the job has written is shown; else NULL */
    enum map_end end;
    bool undecided; /* its last attempt has failed, and there may be another one or not */
    salp_command *command;
    int input;               /* its standard input (command/feed.h); -1: it has none yet */
    struct map_round *round; /* with --round-robin, while a command runs (command/round.h) */
    uint64_t group;          /* its control group, if it has one */
    int64_t started;         /* by salp_now() */
    salp_timer timer;
    const char **environment; /* of its commands; */
    int own_entries;          /* its first ones are the slot's own, */
    char *sequence;           /* and this one changes from job to job */
};

struct map_runner {
    const struct map_run *given;
    struct map_result *result;
    struct map_slot *slots; /* the newest first */
    int slot_count;         /* that were made */
    int slot_limit;         /* jobs at a time */
    int living;             /* slots that have not left */
    int idle;               /* of these, who have no job yet */
    int running;            /* commands */
    bool drained;           /* there are no more inputs */
    uint64_t jobs;          /* that were begun; with --round-robin, where they are not what the source counts */
    struct map_round_block
        *returned; /* blocks that were given to jobs which did not begin to read them: the oldest first */
    enum map_runner_stop { MAP_GOES_ON, MAP_STOP_SOON, MAP_STOP_NOW } stop;
    bool started; /* a command has been executed */

    salp_group group;       /* of the slots */
    salp_mutex *turn;       /* whoever asks the source for the next input holds it */
    salp_mutex *gate_mutex; /* whoever is at the gate holds it */
    struct map_gate gate;
    struct map_stop sequence;
    struct map_median median; /* of the jobs that are done; with --timeout N% */
    int64_t timeout;          /* as it is now; 0: none */
    int null;                 /* /dev/null: the jobs' standard input */
    int tee;                  /* with --tee: what each job's is opened from (map/tee.h); -1: it was not read yet */
    bool hurries;             /* the user has ended the run, and those who read what is shown had their time */
    salp_timer hurry;
};

/* A slot's task. */
int map_slot_live(void *slot);

/* One more slot, if there may be. */
void map_runner_add_slot(struct map_runner *runner);

/* No more jobs are started; with MAP_STOP_NOW those that run are ended. `error` is told by the run's result; 0: none. */
void map_runner_stop(struct map_runner *runner, enum map_runner_stop how, int error);

/* The same, for an error that was not told. */
void map_runner_fail(struct map_runner *runner, int error);

/* The slot's command is to end, for this reason. */
void map_slot_end(struct map_slot *slot, enum map_end why);

/* To all who look on. An error of one of them stops the run, and is returned. */
int map_runner_tell_end(struct map_runner *runner, const struct job *job, bool final);

/* Shows the line of a job at the terminal, and asks whether it is to be run. No answer is a no. */
bool map_runner_ask(struct map_runner *runner, const char *line);

/* A job has ended for good: counts it, stops the run if that was asked for. */
void map_runner_count(struct map_runner *runner, const struct job *job);

/* The task that watches the memory: of the jobs (--memory-limit), and of the machine (--memfree). */
int map_memory_watch(void *runner);

#endif
