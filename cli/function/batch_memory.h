/*
 * The memory of batches, as both sides have it: batch.c, which is the program's, and batch_worker.c, which is the workers'.
 * batch.h has the picture and the invariants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_FUNCTION_BATCH_MEMORY_H
#define CLI_FUNCTION_BATCH_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "function/batch.h"

enum {
    BATCH_LINE = 64,        /* of a processor's cache */
    BATCH_LONG = 16 * 1024, /* what is longer goes by the file */
};

/* What workers change of a batch. */
struct batch_shared {
    _Alignas(BATCH_LINE) _Atomic uint64_t out_used; /* relaxed, all of them: a map begins and ends in between */
    _Atomic uint64_t file_used;
    _Atomic uint64_t cycle; /* how often it was cleared: pieces of earlier ones are void */
};

/* What workers share. */
struct batch_common {
    _Atomic bool stop;                           /* relaxed: a request */
    _Alignas(BATCH_LINE) _Atomic uint64_t ended; /* items that count for the next */
    _Alignas(BATCH_LINE) uint64_t stop_after;    /* 0: never. [const] */
    enum batch_stops stops_on;                   /* [const] */
    _Atomic int32_t owners[SALP_WORKERS_MAX];    /* processes that workers are, or -1; 0: free */
};

struct batch_worker;

struct batch_store {
    struct batch_options options;
    struct batch *batches;
    struct batch_common *common;     /* all that is shared lies in one mapping, this first */
    size_t mapped, in_begin, in_end; /* bytes of it; where the input areas are */
    bool has_input, has_errors;      /* standard input and standard error are open */
    pthread_mutex_t lock;
    struct batch_worker *workers; /* [lock] those that are threads */
};

/* ---- batch_memory.c ---- */

/* Appends to the file, where it lies in pages of its own. A zero byte follows, or `size` is 0. */
int batch_file_append(const struct batch *batch, const void *data, size_t size, uint64_t *place);

/* What lies there, for reading. */
int batch_file_map(const struct batch *batch, uint64_t place, size_t size, const void **data);
void batch_file_unmap(const void *data, size_t size);

/* The sum of what lies in the answer area: I2. */
uint32_t batch_sum(const char *data, size_t size);

/* Bytes of an answer, with its times if it has some. */
static inline size_t batch_answer_size(const struct batch *batch)
{
    return sizeof(struct batch_answer) + (batch->store->options.timed ? sizeof(struct batch_times) : 0);
}

static inline int64_t batch_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* ---- batch.c ---- */

/* Frees what a batch has got by itself. */
void batch_release(struct batch *batch);

/* ---- batch_worker.c ---- */

/* A salp_job of a batch (context): calls the function with a batch_item, and puts a batch_answer. A negative result is about
   where inputs and answers lie; the function's own is in the answer. */
int batch_work(const void *item, void *answer, void *batch);

/* What workers that are threads have left. */
void batch_workers_release(struct batch_store *store);

#endif
