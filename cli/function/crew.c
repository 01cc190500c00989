/*
 * Carriers, and what ends their work. crew.h tells how they go about it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/crew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "input/source.h"
#include "map/halt.h"
#include "map/options.h"

enum { WANT_MOST = 1 << 16 };

static const int64_t batch_short = SALP_MILLISECONDS(2); /* a full batch that is over in less: the next one is larger */
static const int64_t batch_long = SALP_MILLISECONDS(10); /* one that takes longer: smaller */

/* ---- stopping ---- */

void crew_stop(struct crew *crew)
{
    crew->ended = true;
    batch_stop(crew->store);
    if (crew->reading)
        salp_scope_cancel(crew->reading);
    salp_condition_broadcast(crew->changed);
}

void crew_end(struct crew *crew)
{
    crew_stop(crew);
    crew->terminated = true;
    salp_event_set(crew->ends);
}

static void keep_error(struct crew *crew, int error)
{
    if (crew->result->error == 0)
        crew->result->error = error;
}

void crew_fail(struct crew *crew, int error)
{
    keep_error(crew, error);
    crew_stop(crew);
}

int crew_tell(const char *what, int error)
{
    if (error < 0 && error != -ECANCELED)
        fprintf(stderr, "salp map: %s: %s\n", what, salp_strerror(error));
    return error;
}

/* ---- --halt ---- */

/* Workers stop by themselves, as soon as they know, when that depends on nothing but results. */
void crew_set_stops(struct crew *crew)
{
    static const enum batch_stops stops[] = {
        [MAP_HALT_FAIL] = BATCH_STOPS_ON_OTHERS,
        [MAP_HALT_SUCCESS] = BATCH_STOPS_ON_ZERO,
        [MAP_HALT_DONE] = BATCH_STOPS_ON_ALL,
    };
    const struct map_halt *halt = &crew->run->options->halt;
    if (halt->when != MAP_HALT_NEVER && halt->count > 0 && crew->run->options->tries <= 1)
        batch_stop_after(crew->store, stops[halt->on], halt->count);
}

void crew_count(struct crew *crew, const struct job *job)
{
    struct map_result *result = crew->result;
    const struct map_halt *halt = &crew->run->options->halt;
    if (job->state == JOB_DONE)
        result->done++;
    else
        result->failed++;
    if (result->halted || !map_halt_due(halt, result, job))
        return;
    if (halt->when == MAP_HALT_NOW)
        crew_end(crew);
    else
        crew_stop(crew);
}

/* ---- inputs ---- */

/* A wait that crew_stop ends. */
static void begin_reading(struct crew *crew, salp_scope *scope)
{
    salp_scope_open(scope, SALP_FOREVER);
    crew->reading = scope;
    if (crew->ended)
        salp_scope_cancel(scope);
}

static int end_reading(struct crew *crew, int got)
{
    salp_scope *scope = crew->reading;
    crew->reading = NULL;
    bool stopped = salp_scope_close(scope) == -ECANCELED && got == -ECANCELED;
    if (got < 0 && !stopped)
        keep_error(crew, got);
    return got > 0;
}

int crew_next(struct crew *crew, struct job *job)
{
    salp_scope scope;
    begin_reading(crew, &scope);
    return end_reading(crew, input_source_next(crew->run->source, job));
}

int crew_next_line(struct crew *crew, struct input_records *records, const char **line, size_t *size)
{
    salp_scope scope;
    int got = 0;
    if (input_records_ready(records)) {
        /* The usual case: nothing is waited for. */
        got = input_records_next(records, line, size);
        if (got > 0)
            return 1;
    }
    begin_reading(crew, &scope);
    return end_reading(crew, got < 0 ? got : input_records_next(records, line, size));
}

/* ---- carriers ---- */

/* Batches of inputs that take long have few, and no worker needs more than one at a time. */
static int carriers_needed(const struct crew *crew)
{
    if (crew->want > crew->least)
        return crew->carriers;
    return (crew->workers + (int)crew->least - 1) / (int)crew->least;
}

/* 1: there is a batch to be run; 0: there is nothing more to do. The mutex is held. */
static int fill_locked(struct carrier *carrier)
{
    struct crew *crew = carrier->crew;
    int error = 0;
    while (error == 0 && !crew->ended && (crew->filling || crew->at_work >= carriers_needed(crew)))
        error = salp_condition_wait(crew->changed, crew->mutex);
    if (error < 0 || crew->ended)
        return error;
    crew->filling = true;
    crew->at_work++;
    salp_mutex_unlock(crew->mutex);
    batch_clear(carrier->batch);
    error = crew->trade->fill(carrier);
    salp_mutex_lock(crew->mutex);
    crew->filling = false;
    /* What came before an error is run. */
    if (error < 0)
        keep_error(crew, error);
    if (error < 0 || carrier->batch->count == 0)
        crew->ended = true;
    if (carrier->batch->count > 0)
        carrier->turn = crew->filled++;
    else
        crew->at_work--;
    salp_condition_broadcast(crew->changed);
    return carrier->batch->count > 0;
}

static void adapt(struct crew *crew, const struct batch *batch, size_t count)
{
    if (batch->lasted < batch_short && count >= crew->want)
        crew->want *= crew->want < WANT_MOST ? 2 : 1;
    else if (batch->lasted > batch_long && crew->want > crew->least)
        crew->want /= 2;
    if (crew->want < crew->least)
        crew->want = crew->least;
}

static int note_again(struct carrier *carrier, size_t count, size_t item)
{
    if (count == carrier->again_room) {
        size_t room = count > 0 ? 2 * count : 16;
        size_t *again = realloc(carrier->again, room * sizeof *again);
        if (!again)
            return crew_tell("inputs that are run again", -ENOMEM);
        carrier->again = again;
        carrier->again_room = room;
    }
    carrier->again[count] = item;
    return 0;
}

static bool is_good(const struct batch_outcome *outcome)
{
    return outcome->error == 0 && outcome->result == 0;
}

/* Looks at what has become of the items of a round, and gathers those that are to be run again: *count of them. */
static int look_at_round(struct carrier *carrier, const size_t *which, size_t *count, int attempt)
{
    struct crew *crew = carrier->crew;
    size_t ran = *count, again = 0;
    int tries = crew->run->options->tries, error = 0;
    for (size_t i = 0; i < ran && error == 0; i++) {
        size_t item = which ? which[i] : i;
        struct batch_outcome outcome = batch_outcome_of(carrier->batch, item);
        bool tried_again = !is_good(&outcome) && !outcome.skipped && attempt < tries && !batch_stopped(crew->store);
        error = crew->trade->ended(carrier, item, &outcome, attempt, tried_again);
        /* What is gathered never comes before what is looked at. */
        if (error == 0 && tried_again)
            error = note_again(carrier, again++, item);
    }
    *count = again;
    return error;
}

/* A pool that was terminated leaves items without an outcome: they are skipped. */
static int run_round(struct carrier *carrier, const size_t *which, size_t count)
{
    struct crew *crew = carrier->crew;
    int error = batch_run(carrier->batch, crew->pool, which, count);
    if (error == 0 || crew->terminated)
        return 0;
    const char *reason = salp_pool_reason(crew->pool);
    fprintf(stderr, "salp map: the function cannot be run any more: %s\n", *reason ? reason : salp_strerror(error));
    return error;
}

static int run_batch(struct carrier *carrier)
{
    struct crew *crew = carrier->crew;
    const size_t *which = NULL;
    size_t count = carrier->batch->count;
    int error = 0;
    for (int attempt = 1; count > 0 && error == 0; attempt++) {
        for (size_t i = 0; crew->trade->starts && i < count && error == 0; i++)
            error = crew->trade->starts(carrier, which ? which[i] : i, attempt);
        if (error == 0)
            error = run_round(carrier, which, count);
        if (error < 0)
            break;
        if (attempt == 1)
            adapt(crew, carrier->batch, count);
        error = look_at_round(carrier, which, &count, attempt);
        which = carrier->again;
    }
    return error;
}

static void leave_work(struct crew *crew)
{
    salp_mutex_lock(crew->mutex);
    crew->at_work--;
    salp_condition_broadcast(crew->changed);
    salp_mutex_unlock(crew->mutex);
}

int crew_carry(void *arg)
{
    struct carrier *carrier = arg;
    struct crew *crew = carrier->crew;
    int error = 0, filled = 1;
    while (error == 0 && filled > 0) {
        salp_mutex_lock(crew->mutex);
        filled = fill_locked(carrier);
        salp_mutex_unlock(crew->mutex);
        if (filled < 0)
            error = filled;
        if (filled > 0) {
            error = run_batch(carrier);
            leave_work(crew);
            /* Also after an error: others may wait for what comes before theirs. */
            int delivered = crew->trade->deliver(carrier);
            error = error < 0 ? error : delivered;
        }
    }
    if (error < 0)
        crew_fail(crew, error);
    return 0;
}
