/*
 * Those who run a function: tasks that carry inputs to the pool and answers back.
 *
 *     fill -> run -> deliver -> fill -> ...          a carrier, with a batch of its own
 *             run -> deliver -> fill -> run -> ...   another one
 *
 * What is filled and how it is delivered differs: whole jobs (function/crew_jobs.c), with all that the command knows of
 * jobs; or plain lines (function/crew_lines.c), when nobody looks at single jobs. Both give the same output.
 *
 * The batches grow while they are over in less than a few milliseconds, and shrink when they take longer, down to `least`
 * items. Then no more carriers are at work than it takes to give something to each worker.
 *
 * All of it is one loop's, whose tasks change only where they wait. So what is here needs no lock but for waiting.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_FUNCTION_CREW_H
#define CLI_FUNCTION_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/pool.h>
#include <salp/sync.h>
#include <salp/task.h>

#include "function/batch.h"
#include "function/plugin.h"
#include "input/records.h"
#include "map/run.h"

struct crew;

struct carrier {
    struct crew *crew;
    int number; /* from 0 */
    struct batch *batch;
    uint64_t turn;     /* of the batch, from 0, in the order in which they were filled */
    uint64_t first;    /* [owner: crew_lines.c] number of the first line */
    struct job *job;   /* likewise: one to speak of lines in terms of jobs */
    struct job **jobs; /* [owner: crew_jobs.c] of its items */
    size_t job_room;
    size_t *again; /* items that are to be run again */
    size_t again_room;
};

/* What is done with a batch before and after it is run. */
struct crew_trade {
    /* A task of its own beside the carriers; NULL: none. */
    salp_fn *reader;

    /* Fills an empty batch with crew->want items at most; waits for the first one only. 0: also when none came, that was the
       end. A negative error ends the run, and was told. One carrier at a time. */
    int (*fill)(struct carrier *carrier);

    /* They are about to be run; so is each that is run again. NULL: nobody wants to know. Errors as above. */
    int (*starts)(struct carrier *carrier, size_t item, int attempt);

    /* An item has ended, for good unless it is `again`. Errors as above. */
    int (*ended)(struct carrier *carrier, size_t item, const struct batch_outcome *outcome, int attempt, bool again);

    /* Nothing of the batch runs any more; and all have ended for good, if there was no error. */
    int (*deliver)(struct carrier *carrier);
};

struct crew {
    const struct map_run *run;
    struct map_result *result;
    struct map_plugin *plugin;
    struct batch_store *store;
    salp_pool *pool;
    const struct crew_trade *trade;
    void *own; /* [owner: trade] */
    int workers, carriers;
    size_t least, want; /* items of a batch */
    int at_work;        /* carriers whose batch is filled or run */
    uint64_t filled;    /* batches */
    bool ended;         /* nothing more is filled */
    bool terminated;    /* nor run: crew_end */
    salp_mutex *mutex;  /* held by who waits for a change of these; not while a batch is filled or run */
    salp_condition *changed;
    bool filling;
    salp_event *ends;    /* set: the pool is to be ended */
    salp_group group;    /* of the carriers */
    salp_scope *reading; /* around a wait for inputs; NULL: nobody waits */
};

/* The task of a carrier. */
int crew_carry(void *carrier);

/* --halt, as far as workers can know themselves when to stop. Before the pool is opened. */
void crew_set_stops(struct crew *crew);

/* Nothing more is filled nor begun; what runs goes on. */
void crew_stop(struct crew *crew);

/* The same, and what runs is ended. */
void crew_end(struct crew *crew);

/* The same as the first, for an error, which was told. */
void crew_fail(struct crew *crew, int error);

/* Tells of an error (a negative one; 0: there is none), save for -ECANCELED, and returns it. */
int crew_tell(const char *what, int error);

/* input_source_next, until the crew is stopped. 1; 0: there is no more, also after an error, which is kept: what came before
   it is run. */
int crew_next(struct crew *crew, struct job *job);

/* The same for lines: input_records_next. */
int crew_next_line(struct crew *crew, struct input_records *records, const char **line, size_t *size);

/* What has become of an item, in the terms of jobs: state, exit_status, signal, error, wall and so on. Returns whether it is
   to be told as the job's standard error, by crew_describe. */
bool crew_judge(const struct crew *crew, const struct batch_outcome *outcome, struct job *job);

/* Appends why it has failed: the function, the number and the input, the cause, the backtrace. -ENOMEM. */
int crew_describe(const struct crew *crew, const struct batch_outcome *outcome, const struct job *job, salp_bytes input,
                  salp_buffer *text);

/* A job has ended for good: counts it, and stops the crew if the user wants that. */
void crew_count(struct crew *crew, const struct job *job);

extern const struct crew_trade crew_jobs, crew_lines;

/* Opens what the trade needs, and closes it. */
int crew_jobs_open(struct crew *crew);
void crew_jobs_close(struct crew *crew);
int crew_lines_open(struct crew *crew, struct input_records *records);
void crew_lines_close(struct crew *crew);

#endif
