/*
 * What the program does with a batch: inputs, a run, answers. batch.h has the picture and the invariants.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/batch_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IN_FILE_ENOUGH = 4 * 1024 * 1024, /* inputs in the file: no more are added, but for one */
    UNTOUCHED = 1,                    /* an error that no item has: it was not run */
};

/* ---- inputs ---- */

static int grow(struct batch *batch)
{
    size_t room = batch->room > 0 ? 2 * batch->room : 64;
    struct batch_item *items = realloc(batch->items, room * sizeof *items);
    if (items)
        batch->items = items;
    void *answers = realloc(batch->answers, room * batch_answer_size(batch));
    if (answers)
        batch->answers = answers;
    int *errors = realloc(batch->errors, room * sizeof *errors);
    if (errors)
        batch->errors = errors;
    if (!items || !answers || !errors)
        return -ENOMEM;
    batch->room = room;
    return 0;
}

static void forget_losses(struct batch *batch)
{
    while (batch->losses) {
        struct batch_loss *loss = batch->losses;
        batch->losses = loss->next;
        free(loss);
    }
}

void batch_clear(struct batch *batch)
{
    struct batch_shared *shared = batch->shared;
    forget_losses(batch);
    batch->count = 0;
    batch->in_used = 0;
    batch->in_file = 0;
    batch->full = false;
    atomic_store_explicit(&shared->out_used, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->cycle, 1, memory_order_relaxed);
    if (atomic_exchange_explicit(&shared->file_used, 0, memory_order_relaxed) > 0)
        (void)ftruncate(batch->file, 0); /* what stays would be written over */
}

int batch_add(struct batch *batch, const void *data, size_t size)
{
    uint64_t place = batch->in_used;
    if (batch->count == batch->room && grow(batch) < 0)
        return -ENOMEM;
    bool fits = batch->in_size - batch->in_used > size;
    if (size > BATCH_LONG || !fits) {
        int error = batch_file_append(batch, data, size, &place);
        if (error < 0)
            return error;
        batch->in_file += size;
        batch->full = !fits || batch->in_file >= IN_FILE_ENOUGH;
    } else {
        if (size > 0)
            memcpy(batch->in + place, data, size);
        batch->in[place + size] = '\0';
        batch->in_used += size + 1;
    }
    batch->items[batch->count] = (struct batch_item){ .place = place, .size = size };
    batch->errors[batch->count++] = UNTOUCHED;
    return 0;
}

void batch_release(struct batch *batch)
{
    forget_losses(batch);
    free(batch->items);
    free(batch->answers);
    free(batch->errors);
}

/* ---- a run ---- */

/* One map, which may be of some of the items only. */
struct round {
    struct batch *batch;
    const size_t *which; /* NULL: all */
};

static size_t item_of(const struct round *round, size_t index)
{
    return round->which ? round->which[index] : index;
}

/* Called by a thread of the pool, in the midst of the map: nobody else is at the list then. */
static void on_loss(const salp_failure *failure, void *arg)
{
    struct round *round = arg;
    size_t length = strlen(failure->backtrace) + 1;
    struct batch_loss *loss = malloc(sizeof *loss + length);
    if (!loss)
        return; /* it is told with less detail */
    memcpy(loss->backtrace, failure->backtrace, length);
    loss->failure = *failure;
    loss->failure.backtrace = loss->backtrace;
    loss->item = item_of(round, failure->index);
    loss->next = round->batch->losses;
    round->batch->losses = loss;
}

static char *answer_at(const struct batch *batch, size_t item)
{
    return (char *)batch->answers + item * batch_answer_size(batch);
}

/* The items of the round, one behind the other. What is not given (NULL) is there already. */
static int run_some(struct round *round, salp_pool *pool, size_t count, const salp_map_options *options)
{
    struct batch *batch = round->batch;
    size_t size = batch_answer_size(batch);
    struct batch_item *items = malloc(count * sizeof *items);
    char *answers = malloc(count * size);
    int *errors = malloc(count * sizeof *errors), error = -ENOMEM;
    salp_map_options own = *options;
    own.errors = errors;
    if (items && answers && errors) {
        for (size_t i = 0; i < count; i++) {
            items[i] = batch->items[round->which[i]];
            errors[i] = UNTOUCHED;
        }
        error = salp_map(pool, batch_work, items, sizeof *items, answers, size, count, &own);
        for (size_t i = 0; i < count; i++) {
            memcpy(answer_at(batch, round->which[i]), answers + i * size, size);
            batch->errors[round->which[i]] = errors[i];
        }
    }
    free(items);
    free(answers);
    free(errors);
    return error;
}

static void forget_losses_of(struct batch *batch, const size_t *which, size_t count)
{
    struct batch_loss **link = &batch->losses;
    while (*link) {
        struct batch_loss *loss = *link;
        bool again = !which;
        for (size_t i = 0; i < count && !again; i++)
            again = which[i] == loss->item;
        if (!again) {
            link = &loss->next;
            continue;
        }
        *link = loss->next;
        free(loss);
    }
}

/* Whether the answer is as the worker has left it: I2. */
static bool is_whole(const struct batch *batch, const struct batch_answer *answer)
{
    if (answer->size == 0 || (answer->place & BATCH_IN_FILE))
        return true;
    if (answer->place > batch->out_size || answer->size > batch->out_size - answer->place)
        return false;
    return batch_sum(batch->out + answer->place, answer->size) == answer->sum;
}

int batch_run(struct batch *batch, salp_pool *pool, const size_t *which, size_t count)
{
    struct round round = { .batch = batch, .which = which };
    salp_map_options options = {
        .context = batch,
        .errors = batch->errors,
        .on_failure = on_loss,
        .on_failure_arg = &round,
    };
    forget_losses_of(batch, which, count);
    int64_t began = batch_clock(CLOCK_MONOTONIC);
    int error;
    if (which)
        error = run_some(&round, pool, count, &options);
    else
        error = salp_map(pool, batch_work, batch->items, sizeof *batch->items, batch->answers, batch_answer_size(batch),
                         count, &options);
    batch->lasted = batch_clock(CLOCK_MONOTONIC) - began;
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        size_t item = item_of(&round, i);
        if (batch->errors[item] == 0 && !is_whole(batch, (const struct batch_answer *)answer_at(batch, item)))
            batch->errors[item] = SALP_EDAMAGED;
        all = all && batch->errors[item] != UNTOUCHED;
    }
    return all ? 0 : error; /* one without an outcome: the map itself has failed */
}

/* ---- answers ---- */

static const struct batch_loss *loss_of(const struct batch *batch, size_t item)
{
    const struct batch_loss *loss = batch->losses;
    while (loss && loss->item != item)
        loss = loss->next;
    return loss;
}

struct batch_outcome batch_outcome_of(const struct batch *batch, size_t item)
{
    const struct batch_answer *answer = (const struct batch_answer *)answer_at(batch, item);
    struct batch_outcome outcome = { .error = batch->errors[item] };
    if (outcome.error == UNTOUCHED || outcome.error == -ECANCELED) {
        outcome.error = 0;
        outcome.skipped = true;
        return outcome;
    }
    if (outcome.error < 0) {
        outcome.loss = loss_of(batch, item);
        return outcome;
    }
    outcome.result = answer->result;
    outcome.skipped = answer->skipped;
    outcome.worker = (int)answer->worker;
    if (batch->store->options.timed)
        outcome.times = *(const struct batch_times *)(answer + 1);
    return outcome;
}

static int see(const struct batch *batch, const char *area, uint64_t place, size_t size, salp_bytes *bytes)
{
    *bytes = (salp_bytes){ .size = size };
    if (place & BATCH_IN_FILE)
        return batch_file_map(batch, place, size, &bytes->data);
    bytes->data = area + place;
    return 0;
}

int batch_see(const struct batch *batch, size_t item, salp_bytes *bytes)
{
    const struct batch_answer *answer = (const struct batch_answer *)answer_at(batch, item);
    return see(batch, batch->out, answer->place, answer->size, bytes);
}

void batch_unsee(const struct batch *batch, size_t item, salp_bytes bytes)
{
    const struct batch_answer *answer = (const struct batch_answer *)answer_at(batch, item);
    if (answer->place & BATCH_IN_FILE)
        batch_file_unmap(bytes.data, bytes.size);
}

int batch_see_input(const struct batch *batch, size_t item, salp_bytes *bytes)
{
    return see(batch, batch->in, batch->items[item].place, batch->items[item].size, bytes);
}

void batch_unsee_input(const struct batch *batch, size_t item, salp_bytes bytes)
{
    if (batch->items[item].place & BATCH_IN_FILE)
        batch_file_unmap(bytes.data, bytes.size);
}
