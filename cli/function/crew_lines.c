/*
 * Lines of one list, when nobody looks at single jobs: no journal, no records, no progress, no tags. They go straight into
 * batches, and the answers of a batch come out in one piece.
 *
 * With -k a batch whose answers come too early leaves them with those that wait, and its carrier goes on; whoever has the batch
 * whose turn it is shows all that can be.
 *
 *     shown ..., | 7: shown now | 8: there | 9: is run | 10: there | ...     by turn
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "function/crew.h"
#include "map/options.h"
#include "output/output.h"

enum {
    WAITING = 1024,                   /* batches that are run or wait for their turn, at most; a power of two */
    WAITING_BYTES = 64 * 1024 * 1024, /* and what they have to show, about */
};

/* What a batch has to show: its answers, and why some failed. */
struct texts {
    salp_buffer out, err;
    bool there;
};

struct lines {
    struct input_records *records;
    uint64_t number; /* of the line that was given out last */
    bool in_turn;    /* -k */
    uint64_t turn;   /* whose texts are shown next */
    struct texts waiting[WAITING];
    size_t waiting_bytes;
    bool showing; /* somebody shows what can be */
};

/* ---- in ---- */

/* Whether as much waits for its turn as may. */
static bool is_full(const struct crew *crew, const struct lines *lines)
{
    return lines->in_turn && (crew->filled - lines->turn >= WAITING || lines->waiting_bytes > WAITING_BYTES);
}

static int wait_for_turns(struct crew *crew, const struct lines *lines)
{
    int error = 0;
    salp_mutex_lock(crew->mutex);
    /* What is shown last changes this, and that is not waited for by who fills. */
    while (error == 0 && is_full(crew, lines) && !crew->ended)
        error = salp_condition_wait(crew->changed, crew->mutex);
    salp_mutex_unlock(crew->mutex);
    return error;
}

static int fill(struct carrier *carrier)
{
    struct crew *crew = carrier->crew;
    struct lines *lines = crew->own;
    struct batch *batch = carrier->batch;
    const char *line;
    size_t size;
    int error = wait_for_turns(crew, lines);
    carrier->first = lines->number + 1;
    while (error == 0 && !crew->ended && batch->count < crew->want && batch_has_room(batch)) {
        /* Waits for the first one only. */
        if (batch->count > 0 && !input_records_ready(lines->records))
            break;
        if (crew_next_line(crew, lines->records, &line, &size) <= 0)
            break;
        error = crew_tell("an input", batch_add(batch, line, size));
        lines->number++;
    }
    return error;
}

/* ---- out ---- */

static int add_answer(const struct batch *batch, size_t item, salp_buffer *out)
{
    salp_bytes answer;
    int error = batch_see(batch, item, &answer);
    if (error == 0 && answer.size > 0)
        error = salp_buffer_append(out, answer.data, answer.size);
    if (error == 0)
        batch_unsee(batch, item, answer);
    return error;
}

static int add_failure(const struct carrier *carrier, size_t item, const struct batch_outcome *outcome,
                       const struct job *job, salp_buffer *err)
{
    salp_bytes input;
    int error = batch_see_input(carrier->batch, item, &input);
    if (error < 0)
        return error;
    error = crew_describe(carrier->crew, outcome, job, input, err);
    batch_unsee_input(carrier->batch, item, input);
    return error;
}

/* Of each item once, when it has ended for good: of those that are run again after the others. So nothing is written yet. */
static int ended(struct carrier *carrier, size_t item, const struct batch_outcome *outcome, int attempt, bool again)
{
    struct crew *crew = carrier->crew;
    struct job *job = carrier->job;
    (void)attempt;
    if (again || outcome->skipped)
        return 0;
    /* What is usual is done quickly. */
    job->number = carrier->first + item;
    crew_judge(crew, outcome, job);
    crew_count(crew, job);
    return 0;
}

static int gather(struct carrier *carrier, struct texts *texts)
{
    const struct batch *batch = carrier->batch;
    struct job *job = carrier->job;
    int error = 0;
    for (size_t i = 0; i < batch->count && error == 0; i++) {
        struct batch_outcome outcome = batch_outcome_of(batch, i);
        if (outcome.skipped)
            continue;
        if (outcome.error == 0)
            error = add_answer(batch, i, &texts->out);
        job->number = carrier->first + i;
        if (error == 0 && (outcome.error < 0 || outcome.result < 0) && crew_judge(carrier->crew, &outcome, job))
            error = add_failure(carrier, i, &outcome, job, &texts->err);
    }
    return crew_tell("answers", error);
}

static int show(struct crew *crew, struct texts *texts)
{
    struct output *output = crew->run->output;
    int error = texts->out.size > 0 ? output_say(output, NULL, 1, texts->out.data, texts->out.size) : 0;
    if (error == 0 && texts->err.size > 0)
        error = output_say(output, NULL, 2, texts->err.data, texts->err.size);
    salp_buffer_free(&texts->out);
    salp_buffer_free(&texts->err);
    return error;
}

/* Those whose turn it is. */
static int show_waiting(struct crew *crew)
{
    struct lines *lines = crew->own;
    int error = 0;
    if (lines->showing)
        return 0;
    lines->showing = true;
    for (;;) {
        struct texts *texts = &lines->waiting[lines->turn % WAITING];
        if (!texts->there)
            break;
        lines->waiting_bytes -= texts->out.size + texts->err.size;
        error = error < 0 ? error : show(crew, texts);
        texts->there = false;
        lines->turn++;
        salp_mutex_lock(crew->mutex);
        salp_condition_broadcast(crew->changed);
        salp_mutex_unlock(crew->mutex);
    }
    lines->showing = false;
    return error;
}

static int deliver(struct carrier *carrier)
{
    struct crew *crew = carrier->crew;
    struct lines *lines = crew->own;
    struct texts texts = { .there = true };
    int error = gather(carrier, &texts);
    if (!lines->in_turn) {
        int shown = show(crew, &texts);
        return error < 0 ? error : shown;
    }
    lines->waiting_bytes += texts.out.size + texts.err.size;
    lines->waiting[carrier->turn % WAITING] = texts;
    int shown = show_waiting(crew);
    return error < 0 ? error : shown;
}

/* ---- the trade ---- */

const struct crew_trade crew_lines = { .fill = fill, .ended = ended, .deliver = deliver };

int crew_lines_open(struct crew *crew, struct input_records *records)
{
    struct lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        return -ENOMEM;
    lines->records = records;
    lines->in_turn = crew->run->options->output.keep_order;
    crew->own = lines;
    return 0;
}

void crew_lines_close(struct crew *crew)
{
    struct lines *lines = crew->own;
    for (size_t i = 0; lines && i < WAITING; i++) {
        salp_buffer_free(&lines->waiting[i].out);
        salp_buffer_free(&lines->waiting[i].err);
    }
    free(lines);
}
