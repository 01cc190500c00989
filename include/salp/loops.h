/*
 * salp/loops.h - loops over indices, sums, scans and sorts, shared out among the threads of a pool.
 *
 *     static int blur_rows(size_t begin, size_t end, void *arg)
 *     {
 *         for (size_t row = begin; row < end; row++)
 *             blur(arg, row);
 *         return 0;
 *     }
 *
 *     salp_for(pool, 0, height, blur_rows, image, NULL);
 *
 * The calling thread takes part. It works from the left to the right, in pieces
 * of some microseconds, and whatever lies to the right of it can be had by a
 * thread of the pool that has nothing to do, the larger half first. Nobody is
 * woken for a loop that is over within some 60 microseconds, if it was so the
 * last time: it costs about as much as a call of the pool, and runs in line. So
 * a loop may always be given to a pool, and is cut as needed: items need not
 * take equally long.
 *
 * Rules
 *   - Pieces run in any order and at the same time. One must not wait for another.
 *   - Loops can be nested: in each other, in jobs that fork (salp/parallel.h), in
 *     items of maps on the same pool, in tasks, in loops on other pools.
 *   - A thread that waits for a part of its loop helps with that part, and does
 *     nothing else. So a mutex may be held across a loop, unless pieces of the
 *     loop take it, too.
 *
 * What all calls here have in common
 *   - Threads: any, and tasks; also jobs of this and other pools. A plain thread without a scope takes part. In a task,
 *     with a scope open, or when the pool has an initializer, threads of the pool do the work, and the caller waits.
 *   - Waits: yes; in a task only that waits. When a scope is over (-ETIMEDOUT, -ECANCELED), when the pool is terminated
 *     (-ECANCELED), and when a job of this pool that it is in has ended its run (salp_worker_end: that error), no further
 *     piece is begun, those that run end, and then the call returns: until then the arguments are in use.
 *   - Errors: -EINVAL pool or a function is NULL, begin > end; -ENOTSUP no engine of threads; -ENOMEM; SALP_ECLOSED;
 *     SALP_EBROKEN see salp_pool_reason; SALP_EINSIDE called by a callback of this pool or of a loop; SALP_EFORKED;
 *     -ETIMEDOUT, -ECANCELED as above.
 *   - Options may be NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_LOOPS_H
#define SALP_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/pool.h>

SALP_BEGIN

/* A piece: the indices from `begin`, which are before `end`. Returns 0 (or a positive number), or a negative error. */
typedef int salp_range_fn(size_t begin, size_t end, void *arg);

typedef struct salp_for_options {
    size_t grain; /* indices of each piece (the last may have fewer); 0: chosen while the loop runs, from how long they
                     take: begins with one, aims at 5 microseconds */
} salp_for_options;

/*
 * Calls body(b, e, arg) for pieces that together are the indices from begin to end - 1, each once.
 * An error stops the loop as it would stop a plain one: nothing that lies behind the piece is begun any more, and what
 * lies before it is still run. So the error is that of the first piece which fails, on any number of workers, and
 * whatever lies before has been done. Some of what lies behind may have been done, too.
 * begin == end: nothing is called. Errors: as above; else that of the body.
 */
SALP_API int salp_for(salp_pool *pool, size_t begin, size_t end, salp_range_fn *body, void *arg,
                      const salp_for_options *options);

/* A rectangle: rows from row to row_end - 1, and the same of columns. */
typedef struct salp_tile {
    size_t row, row_end;
    size_t column, column_end;
} salp_tile;

typedef int salp_tile_fn(const salp_tile *tile, void *arg);

typedef struct salp_tile_options {
    size_t rows;    /* of each tile (the last ones may have fewer); 0: chosen, 64 at most */
    size_t columns; /* the same */
} salp_tile_options;

/*
 * Calls body(tile, arg) for tiles that together are the whole, each once. Their order is that of the lines of a page.
 * Errors: -EINVAL also for a row, or column, behind its end, and for more tiles than a size_t can count; else as
 * salp_for.
 */
SALP_API int salp_for_tiles(salp_pool *pool, const salp_tile *whole, salp_tile_fn *body, void *arg,
                            const salp_tile_options *options);

/* Goes on with *result over these indices: what it holds is that of some indices before them, or the neutral element.
   0, or an error. */
typedef int salp_fold_fn(size_t begin, size_t end, void *result, void *arg);

/* Combines two results: *result, and that of the indices right behind it. `result` then is that of both. */
typedef void salp_combine_fn(void *result, const void *right, void *arg);

typedef struct salp_reduce_options {
    size_t grain; /* as in salp_for_options; with .deterministic 0 is chosen from the number of indices: some hundreds
                           of pieces, of one index each if there are not more than that */
    bool deterministic; /* what is combined with what depends on begin, end and grain alone: then sums of floating-point
                           numbers have the same last bit on any number of workers, each time */
} salp_reduce_options;

/*
 * Folds the indices from begin to end - 1, each once, into *result (result_size bytes).
 * When it begins *result has to hold the neutral element (0 for a sum); each part begins with a copy of it, bit by bit.
 * Parts are combined with their neighbours, left with right: combine need be associative, not commutative. A part is
 * folded by one thread at a time, and its result lies on a line of its own (64 bytes).
 * Errors stop it as in salp_for; *result is of no use then. begin == end: *result stays as it is.
 * Errors: -EINVAL also result is NULL, result_size is 0, or more than the memory; -ENOMEM with .deterministic, and
 * nothing was called (without it less memory means less help); else as salp_for.
 */
SALP_API int salp_reduce(salp_pool *pool, size_t begin, size_t end, size_t result_size, salp_fold_fn *fold,
                         salp_combine_fn *combine, void *result, void *arg, const salp_reduce_options *options);

/*
 * Goes on with *sum over these indices. With `last` *sum holds that of all indices before, and whatever is wanted of
 * it at each index is to be stored: out[i] = *sum. Without, only the sum of these indices is wanted, and nothing that
 * they are made of may be changed. 0, or an error.
 */
typedef int salp_scan_fn(size_t begin, size_t end, void *sum, bool last, void *arg);

typedef struct salp_scan_options {
    size_t grain; /* indices of each call; 0: chosen from their number: some hundreds of calls */
} salp_scan_options;

/*
 * A scan (sums of everything up to each index):
 *
 *     static int add_up(size_t begin, size_t end, void *sum, bool last, void *arg)
 *     {
 *         struct table *t = arg;
 *         double s = *(double *)sum;
 *         for (size_t i = begin; i < end; i++) {
 *             s += t->in[i];
 *             if (last)
 *                 t->out[i] = s;
 *         }
 *         *(double *)sum = s;
 *         return 0;
 *     }
 *
 * *sum (sum_size bytes) has to hold the neutral element; it is then the sum of all. Every index is gone through once
 * with `last`; those that somebody else has taken once without before that, so at worst it is twice the work. `out` may
 * be `in`. combine as in salp_reduce. Sums of floating-point numbers may differ in their last bits from time to time.
 * Errors stop it as in salp_for; *sum and what was stored are of no use then. begin == end: *sum stays as it is.
 * Errors: -EINVAL also sum is NULL, sum_size is 0, or more than the memory; -ENOMEM and nothing was called; else as
 * salp_for.
 */
SALP_API int salp_scan(salp_pool *pool, size_t begin, size_t end, size_t sum_size, salp_scan_fn *body,
                       salp_combine_fn *combine, void *sum, void *arg, const salp_scan_options *options);

/* Less than 0, 0, or more than 0: a goes before b, either may go first, a goes behind b. */
typedef int salp_compare_fn(const void *a, const void *b, void *arg);

/*
 * Sorts `count` elements of `size` bytes each. Equal ones stay in the order that they are in. What is sorted already,
 * or nearly so, takes much less time.
 * compare is called by several threads at once, with elements that may lie outside of the array, there aligned as in it (to
 * 64 bytes at most). Whatever it says, the array holds the same elements afterwards, also after an error: then in some order.
 * Errors: -EINVAL base is NULL and count is not 0, size is 0, or count times size is more than the memory; -ENOMEM no
 * memory for a second array of that size, and nothing was changed; else as salp_for.
 */
SALP_API int salp_sort(salp_pool *pool, void *base, size_t count, size_t size, salp_compare_fn *compare, void *arg);

SALP_END

#endif
