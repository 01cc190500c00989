/*
 * What workers do with a batch. batch.h has the picture and the invariants.
 *
 * Workers take the answer area in pieces of some KiB, by one addition to a counter, and fill them one answer behind the other.
 * What follows one another was mostly run by the same worker, so that it lies together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/batch_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    PIECE_LEAST = 1024, /* of the answer area */
    PIECE_MOST = 32 * 1024,
    KEPT = 1024 * 1024, /* a worker's buffer that is larger goes back to the system */
};

_Static_assert((int)PIECE_MOST >= (int)BATCH_LONG, "an answer fits in a piece, or goes by the file");

/* A worker, in its thread or process. */
struct batch_worker {
    struct batch_worker *next;
    uint32_t number;
    salp_buffer answer; /* what the function appends to */
    /* A piece of an answer area: of which batch and cycle, from where to where. */
    const struct batch *batch;
    uint64_t cycle, at, end;
};

static _Thread_local struct batch_worker *self;

/* ---- answers ---- */

/* A piece of the answer area that has room for so much. false: there is none left. */
static bool take_piece(struct batch_worker *w, const struct batch *batch, uint64_t cycle, size_t size)
{
    size_t piece = batch->out_size / (8 * (size_t)batch->store->options.workers);
    piece = piece < PIECE_LEAST ? PIECE_LEAST : piece > PIECE_MOST ? PIECE_MOST : piece;
    piece = piece < size ? size : piece;
    /* The counter goes on beyond the end, but not so often that it would overflow. */
    if (atomic_load_explicit(&batch->shared->out_used, memory_order_relaxed) + size > batch->out_size)
        return false;
    uint64_t at = atomic_fetch_add_explicit(&batch->shared->out_used, piece, memory_order_relaxed);
    if (at + size > batch->out_size)
        return false;
    w->batch = batch;
    w->cycle = cycle;
    w->at = at;
    w->end = at + piece < batch->out_size ? at + piece : batch->out_size;
    return true;
}

/* Puts what was answered where the program finds it: I1. */
static int put_answer(struct batch_worker *w, const struct batch *batch, struct batch_answer *answer)
{
    size_t size = w->answer.size;
    uint64_t cycle = atomic_load_explicit(&batch->shared->cycle, memory_order_relaxed);
    answer->size = size;
    if (size == 0)
        return 0;
    if (size > BATCH_LONG)
        return batch_file_append(batch, w->answer.data, size, &answer->place);
    if (w->batch != batch || w->cycle != cycle || w->end - w->at < size) {
        if (!take_piece(w, batch, cycle, size))
            return batch_file_append(batch, w->answer.data, size, &answer->place);
    }
    memcpy(batch->out + w->at, w->answer.data, size);
    answer->place = w->at;
    answer->sum = batch_sum(w->answer.data, size);
    w->at += size;
    return 0;
}

/* ---- a call ---- */

/* Ends the run when as many have ended as were to. */
static void count_result(struct batch_common *common, int result)
{
    bool counts = common->stops_on == BATCH_STOPS_ON_ALL || (result == 0) == (common->stops_on == BATCH_STOPS_ON_ZERO);
    if (counts && atomic_fetch_add_explicit(&common->ended, 1, memory_order_relaxed) + 1 >= common->stop_after)
        atomic_store_explicit(&common->stop, true, memory_order_relaxed);
}

static int64_t nanoseconds(struct timeval time)
{
    return time.tv_sec * INT64_C(1000000000) + time.tv_usec * INT64_C(1000);
}

static int call(const struct batch_options *options, salp_bytes in, struct batch_worker *w, struct batch_times *times)
{
    struct rusage before, after;
    if (!options->timed)
        return options->function(in, &w->answer, NULL);
    times->started = batch_clock(CLOCK_REALTIME);
    getrusage(RUSAGE_THREAD, &before);
    int64_t began = batch_clock(CLOCK_MONOTONIC);
    int result = options->function(in, &w->answer, NULL);
    times->wall = batch_clock(CLOCK_MONOTONIC) - began;
    getrusage(RUSAGE_THREAD, &after);
    times->user = nanoseconds(after.ru_utime) - nanoseconds(before.ru_utime);
    times->system = nanoseconds(after.ru_stime) - nanoseconds(before.ru_stime);
    return result;
}

int batch_work(const void *in, void *out, void *context)
{
    const struct batch *batch = context;
    const struct batch_options *options = &batch->store->options;
    struct batch_common *common = batch->store->common;
    const struct batch_item *item = in;
    struct batch_answer *answer = out;
    struct batch_times *times = options->timed ? (struct batch_times *)(answer + 1) : NULL;
    struct batch_worker *w = self;
    *answer = (struct batch_answer){ .worker = w->number };
    if (times)
        *times = (struct batch_times){ 0 };
    if (atomic_load_explicit(&common->stop, memory_order_relaxed)) {
        answer->skipped = true;
        return 0;
    }
    bool in_file = item->place & BATCH_IN_FILE;
    salp_bytes bytes = { .size = item->size };
    if (!in_file)
        bytes.data = batch->in + item->place;
    else if (batch_file_map(batch, item->place, item->size, &bytes.data) < 0)
        return -ENOMEM;
    w->answer.size = 0;
    answer->result = call(options, bytes, w, times);
    if (in_file)
        batch_file_unmap(bytes.data, bytes.size);
    int error = put_answer(w, batch, answer);
    if (w->answer.capacity > KEPT)
        salp_buffer_free(&w->answer);
    if (common->stop_after > 0)
        count_result(common, answer->result);
    return error;
}

/* ---- a worker's beginning and end ---- */

/* The lowest number that no living worker has. Who dies does not give it back. */
static uint32_t take_number(struct batch_store *store)
{
    struct batch_common *common = store->common;
    int32_t own = store->options.processes ? (int32_t)getpid() : -1;
    for (int i = 0; i < SALP_WORKERS_MAX; i++) {
        int32_t owner = atomic_load_explicit(&common->owners[i], memory_order_relaxed);
        bool dead = owner > 0 && kill(owner, 0) < 0 && errno == ESRCH;
        if ((owner == 0 || dead) && atomic_compare_exchange_strong_explicit(&common->owners[i], &owner, own,
                                                                            memory_order_relaxed, memory_order_relaxed))
            return (uint32_t)i + 1;
    }
    return SALP_WORKERS_MAX;
}

/* What this process has to itself from now on. */
static void separate(struct batch_store *store)
{
    if (store->has_input) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (nothing >= 0) {
            dup2(nothing, STDIN_FILENO);
            close(nothing);
        }
    }
    if (store->has_errors)
        dup2(STDERR_FILENO, STDOUT_FILENO);
    /* What a function prints is seen also when it crashes later. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    mprotect((char *)store->common + store->in_begin, store->in_end - store->in_begin, PROT_READ); /* I2 */
}

int batch_enter(void *arg)
{
    struct batch_store *store = arg;
    self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->number = take_number(store);
    if (store->options.processes) {
        separate(store);
        return 0;
    }
    pthread_mutex_lock(&store->lock);
    self->next = store->workers;
    store->workers = self;
    pthread_mutex_unlock(&store->lock);
    return 0;
}

void batch_workers_release(struct batch_store *store)
{
    while (store->workers) {
        struct batch_worker *worker = store->workers;
        store->workers = worker->next;
        salp_buffer_free(&worker->answer);
        free(worker);
    }
}
