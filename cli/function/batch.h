/*
 * What a function is to be run on, many inputs at a time, and what it has answered: in memory that workers share.
 *
 *     input area    |a line 0|another 0|...                 |     the program writes, workers read
 *     items           place, size; place, size; ...               given to the pool as inputs of a map
 *     answers         place, size, result; ...                    the results of that map
 *     answer area   |A LINE|  |ANOTHER|...  |...            |     workers append, each in pieces of its own
 *     file          inputs and answers that are long, or do not fit
 *
 * A batch is one map of a pool, whose items are so short that the pool moves them for next to nothing. So what the pool says
 * of items holds for inputs: one that crashes, hangs or eats memory is lost, and no other; none is run twice unless it is given
 * again; what was answered before stays; and the items are shared out by how long they take.
 *
 * I1  An answer lies in its place before the pool is told that its item has ended. So whatever answer the pool hands over can be
 *     read, also when its worker is dead by then.
 * I2  A worker that runs wild may overwrite what lies in the answer area. So an answer there carries a sum, and one that
 *     does not fit is told as damaged (SALP_EDAMAGED), as the pool itself tells it of results. The input area can only be read in
 *     processes, the file is mapped nowhere but for reading.
 * I3  All memory is there before the pool is opened, for its processes are forked from what is there then. What the program
 *     changes later they see in the areas only: so `struct batch` has nothing that they read and that changes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_FUNCTION_BATCH_H
#define CLI_FUNCTION_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/pool.h>

struct batch_store;

/* Set before `open`, const afterwards. */
struct batch_options {
    salp_bytes_job *function;
    int workers;
    int batches;
    bool processes; /* workers are processes */
    bool timed;     /* answers say how long they took */
};

/* An input: what a worker gets. */
struct batch_item {
    uint64_t place; /* in the input area, or BATCH_IN_FILE and in the file */
    uint64_t size;  /* a zero byte follows */
};

#define BATCH_IN_FILE (UINT64_C(1) << 63)

/* What a worker tells. */
struct batch_answer {
    uint64_t place; /* in the answer area, or BATCH_IN_FILE and in the file */
    uint64_t size;
    uint32_t sum;    /* of what lies in the answer area: I2 */
    int32_t result;  /* of the function */
    uint32_t worker; /* from 1 */
    bool skipped;    /* it was not run: batch_stop */
};

/* Nanoseconds. Zeros when it is not `timed`, and of items that have ended their worker. */
struct batch_times {
    int64_t started; /* CLOCK_REALTIME */
    int64_t wall, user, system;
};

/* Why an input has cost a worker. */
struct batch_loss {
    struct batch_loss *next;
    size_t item;
    salp_failure failure;
    char backtrace[];
};

/* What has become of an input. */
struct batch_outcome {
    int error;                     /* of the pool, or SALP_EDAMAGED: there is no result then; else 0 */
    int result;                    /* of the function */
    bool skipped;                  /* it was not run; then `error` is 0 */
    int worker;                    /* from 1; 0: not known */
    struct batch_times times;      /* see above */
    const struct batch_loss *loss; /* with an `error`; NULL: nothing more is known */
};

/* One batch. All of it is the program's, but for what the comment says. */
struct batch {
    struct batch_store *store;   /* [const] */
    char *in;                    /* [const] the input area; what it points to is read by workers */
    size_t in_size;              /* [const] */
    char *out;                   /* [const] the answer area; workers write there */
    size_t out_size;             /* [const] */
    struct batch_shared *shared; /* [const] */
    int file;                    /* [const] */
    size_t in_used;              /* bytes */
    size_t in_file;              /* and of the file */
    bool full;
    size_t count, room; /* items; how many `items` and the others have room for */
    struct batch_item *items;
    void *answers; /* of batch_answer, with batch_times behind it when it is timed */
    int *errors;
    struct batch_loss *losses;
    int64_t lasted; /* nanoseconds, of the last run */
};

/*
 * Opens the memory of all batches, before the pool. -ENOMEM, -EMFILE, ...: nothing was told.
 * The input areas are 64 KiB to 256 KiB each, the answer areas four times that; memory is taken as it is touched.
 */
int batch_store_open(struct batch_store **store, const struct batch_options *options);

/* When the pool is closed. Accepts NULL. */
void batch_store_close(struct batch_store *store);

struct batch *batch_of(struct batch_store *store, int number);

/* The pool's initializer; its argument is the store. In a process: standard input is empty, what is printed to standard output
   goes to standard error, and inputs can only be read. */
int batch_enter(void *store);

/*
 * No further item is run, in any batch: they are `skipped`. Those that run go on. batch_stop_after: workers do that by
 * themselves once so many items have ended with a result that is 0, that is not, or with any (0: never); one that has ended
 * its worker is not counted. Before the pool is opened.
 */
void batch_stop(struct batch_store *store);
enum batch_stops { BATCH_STOPS_ON_ZERO, BATCH_STOPS_ON_OTHERS, BATCH_STOPS_ON_ALL };
void batch_stop_after(struct batch_store *store, enum batch_stops on, uint64_t count);
bool batch_stopped(const struct batch_store *store);

/* ---- inputs ---- */

/* Empty again. What was answered is gone. */
void batch_clear(struct batch *batch);

/* Adds an input, which is copied. There is always room, if need be in the file. -ENOMEM, -ENOSPC. */
int batch_add(struct batch *batch, const void *data, size_t size);

/* Whether there is room for more, without taking much memory: a batch that has none had better be run. */
static inline bool batch_has_room(const struct batch *batch)
{
    return !batch->full;
}

/* ---- a run ---- */

/*
 * Runs the items whose numbers are in `which`, or all (NULL), on the pool; in a task, that waits. 0: each has an outcome,
 * which is not to say a good one. A negative error: of the pool, which is at its end.
 */
int batch_run(struct batch *batch, salp_pool *pool, const size_t *which, size_t count);

/* ---- answers ---- */

/* What has become of it in the last run that it was in. */
struct batch_outcome batch_outcome_of(const struct batch *batch, size_t item);

/* What it has answered, as long as the batch is not cleared. Bytes of the file are mapped: batch_unsee gives that back.
   -ENOMEM: they cannot be. */
int batch_see(const struct batch *batch, size_t item, salp_bytes *answer);
void batch_unsee(const struct batch *batch, size_t item, salp_bytes answer);

/* The input, likewise. */
int batch_see_input(const struct batch *batch, size_t item, salp_bytes *input);
void batch_unsee_input(const struct batch *batch, size_t item, salp_bytes input);

#endif
