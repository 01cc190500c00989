/*
 * salp/pool.h - pools: one map, on threads and on processes.
 *
 * A pool is a number of workers that run your function over many inputs. The
 * same calls work on every engine; the engine is one word in the options.
 *
 *     salp_pool *pool;
 *     salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 5 });
 *     salp_map(pool, square, in, sizeof *in, out, sizeof *out, count, NULL);
 *     salp_pool_close(pool);
 *
 * What a fault costs
 *   On SALP_PROCESSES a job that crashes, exits, hangs past .item_timeout or
 *   eats memory past .memory_limit costs its own item: that item gets the error,
 *   every other item gets its result exactly once, and the worker is replaced.
 *   Only .retries makes an item run a second time.
 *   On SALP_THREADS a crash is a crash of the program, as with any thread.
 *
 * What the workers can touch
 *   Processes: workers are forked from a small process of the pool, the steward,
 *   which is forked (or started afresh, see .start) when the pool is opened. They
 *   see memory as it was then; what they change there is seen by nobody else.
 *   Inputs are mapped read-only in them: writing to one is a crash (SIGSEGV).
 *   Results that were handed over are mapped read-only at most, so no stray store
 *   can change them. docs/pool.md tells how far this goes.
 *
 * What the program should know
 *   The steward is a child of the program (SALP_FORK, SALP_SPAWN): a wait for any
 *   child sees it end, and while a pool is open there is a child to wait for. It and
 *   the workers watch the process, so they stay when the program executes another
 *   one in its place: close pools before. Steward and workers of SALP_FORK run on the
 *   stack of the thread that opens the pool, which needs 64 KiB of it, and what
 *   the jobs need.
 *
 * Threads and forks
 *   Every call may be made from any thread, several at once on one pool. A pool
 *   belongs to the process that opened it: calls from a fork of it, and from its
 *   own workers, end with SALP_EFORKED.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_POOL_H
#define SALP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <salp/base.h>
#include <salp/buffer.h>
#include <salp/error.h>
#include <salp/future.h>
#include <salp/process.h>
#include <salp/time.h>

SALP_BEGIN

typedef struct salp_pool salp_pool;

/*
 * A job: reads one input, writes one result. Returns 0 (or a positive number), or
 * a negative error, which becomes this item's error. `context` is the worker's
 * own copy of .context when .context_size was given, else the same pointer.
 */
typedef int salp_job(const void *in, void *out, void *context);

/* A job with several inputs: in[k] points to this item's element of column k. */
typedef int salp_starjob(const void *const in[], void *out, void *context);

/* A job on a message of any length; it appends its answer to `out`, which is empty. */
typedef int salp_bytes_job(salp_bytes in, salp_buffer *out, void *context);

/* One column of salp_starmap: an array of elements of `size` bytes each. */
typedef struct salp_column {
    const void *data;
    size_t size;
} salp_column;

#define SALP_COLUMNS_MAX 16   /* columns of one salp_starmap */
#define SALP_WORKERS_MAX 1024 /* workers of one pool */
#define SALP_BACKTRACE_MAX 48 /* frames of one backtrace */

/* What is known about an item that failed. Pointers are valid during the callback only. */
typedef struct salp_failure {
    size_t index;          /* the item, from 0 */
    int error;             /* the job's own negative result; SALP_ECRASHED: see signal and exit_status;
                              -ETIMEDOUT: .item_timeout; SALP_ELIMIT: .memory_limit;
                              -ENOMEM: ended by the kernel for lack of memory (not told apart in the first
                              milliseconds of a pool); SALP_EDAMAGED */
    pid_t worker;          /* process that ran it; 0 on threads */
    int signal;            /* signal that ended the worker, or 0 */
    void *address;         /* for SIGSEGV, SIGBUS, SIGILL, SIGFPE: the address of the fault, else NULL */
    int exit_status;       /* when the worker exited: its status, else -1 */
    int attempt;           /* 1 for the first run of the item */
    const char *backtrace; /* lines "#0 function at file:line (module)", or "" when there is none */
} salp_failure;

typedef enum salp_engine {
    SALP_THREADS = 0, /* workers are threads: least cost, no isolation */
    SALP_PROCESSES,   /* workers are processes: a fault stays where it happened */
    SALP_CLUSTER,     /* workers on other machines: not built yet, refused with -ENOTSUP */
} salp_engine;

/*
 * Where worker processes come from, .start: see salp_start (salp/process.h); for a fork, memory is as it is when the pool
 * is opened. A job whose module cannot be found or differs gets SALP_EUNKNOWN. In SALP_SERVER and SALP_SPAWN pointers to
 * data mean nothing: .context needs .context_size, .initializer_arg needs .initializer_arg_size.
 */

typedef struct salp_pool_options {
    salp_engine engine;
    int workers;           /* 0: as many as this program may use: usable.workers of salp/machine.h; salp/worth.h tells
                                    when more or fewer are better */
    salp_start start;      /* processes only */
    salp_fn *initializer;  /* run once in each worker before its first item; an error ends the worker */
    void *initializer_arg; /* passed to it */
    size_t initializer_arg_size; /* > 0: workers get a copy of so many bytes; 0: the pointer as it is */
    size_t items_per_worker;     /* replace a worker after so many items; 0: never */
    int64_t item_timeout;        /* nanoseconds one item may take; 0: no limit. Processes only: looked at often
                                    enough that it ends at most an eighth (or 5 ms) late, never early */
    size_t memory_limit;         /* bytes of memory of its own that a worker may gain; 0: no limit. Processes only:
                                    looked at every 5 ms */
    int retries;                 /* more tries for items whose worker died or timed out; default 0 */
} salp_pool_options;

/*
 * Opens a pool and starts its workers.
 * Threads: any, and tasks. Waits: until the workers are started, not for their initializers; in a task only that waits,
 * save for the fork itself (.start SALP_FORK), which holds up its loop.
 * Owns: *pool, until salp_pool_close. What initializer_arg points to must stay until then when
 * initializer_arg_size is 0; else it is copied.
 * Errors: -EINVAL pool is NULL, an option is out of range (workers < 0 or > SALP_WORKERS_MAX, a negative time,
 * retries < 0, an unknown engine or start); -ENOTSUP SALP_CLUSTER, item_timeout or memory_limit on threads, .start
 * SALP_SERVER or SALP_SPAWN in a static program; -EAGAIN the system allows no more processes or threads; -ENOMEM;
 * -EMFILE, -ENFILE no descriptors left; -ENOSPC no shared memory left; -EFBIG the limit on file sizes (ulimit -f) is
 * too small for the pool's memory; SALP_EUNKNOWN the initializer's module cannot be found by a fresh copy; SALP_EBROKEN
 * the steward ended before the workers were started (it was killed); -ENOSYS, -EPERM the system does not allow pidfds;
 * -ENOENT it has no /proc, for a fresh copy; -ETIMEDOUT, -ECANCELED a scope is over, and nothing was opened.
 */
SALP_API int salp_pool_open(salp_pool **pool, const salp_pool_options *options);

/*
 * Waits for what was given to the pool (futures are resolved, their on_done called), ends the workers and frees the
 * pool. NULL is accepted. When the steward was killed, its workers end with it, but nobody waits for them here.
 * Threads: any, and tasks; no other thread may use the pool any more. Waits: yes, whatever scopes say; in a task only
 * that waits. Once all calls have ended, worker processes have some seconds to end by themselves, then they are killed.
 * Errors (the pool stays as it was): SALP_EINSIDE called by a job or callback of this pool; SALP_EFORKED.
 */
SALP_API int salp_pool_close(salp_pool *pool);

/*
 * Stops the pool now: what was pending ends with -ECANCELED, calls made later with SALP_ECLOSED. Worker processes are
 * killed; on threads, items that are running end first. The pool must still be closed.
 * Threads: any, and tasks, also while others wait in calls of this pool. Waits: until the workers are gone (processes)
 * or run nothing any more (threads), whatever scopes say; in a task only that waits.
 * Errors: -EINVAL pool is NULL; SALP_EINSIDE; SALP_EFORKED.
 */
SALP_API int salp_pool_terminate(salp_pool *pool);

/* The number of workers, or -EINVAL for NULL. Threads: any. Waits: no. */
SALP_API int salp_pool_workers(const salp_pool *pool);

/*
 * Why a pool is broken (calls end with SALP_EBROKEN), in words; "" for a pool that works. The text stays until the
 * pool is closed. Threads: any. Waits: no.
 */
SALP_API const char *salp_pool_reason(const salp_pool *pool);

/* How many items have ended. Called by the thread that waits for the call (asynchronous calls: a thread of the pool),
   now and then, in any case once at the end with done == count if every item was run. Must not use the same pool. */
typedef void salp_progress_fn(size_t done, size_t count, void *arg);

/* One item has failed for good (its retries are used up). Called where salp_progress_fn is. */
typedef void salp_failure_fn(const salp_failure *failure, void *arg);

typedef struct salp_map_options {
    size_t chunk;        /* items that a worker takes at a time; 0: chosen while running, from their measured
                                      duration; a worker returns what it has not begun, at the end of the item it is
                                      on, when another one has nothing to do */
    void *context;       /* passed to the job */
    size_t context_size; /* > 0: each worker gets its own copy of so many bytes for this call; 0: the pointer
                                      as it is (processes started by SALP_FORK see it as it was when the pool opened) */
    int *errors;         /* int[count]: each item's own result; then every item is run */
    salp_progress_fn *on_progress;
    void *on_progress_arg;
    salp_failure_fn *on_failure;
    void *on_failure_arg;
    salp_done_fn *on_done; /* asynchronous calls only, else -EINVAL */
    void *on_done_arg;
} salp_map_options;

/*
 * Runs job over count items: item i reads in + i * in_size and writes out + i * out_size.
 * Without .errors the first failure stops the map: items that were not started are not run. With it every item is run.
 * `in` may be NULL when in_size is 0 (jobs then get NULL), `out` when out_size is 0. `out` of an item that failed or was
 * not run is left as it was (processes) or as the job left it (threads).
 * What lies in arrays of salp/shared.h that were opened before the pool is not copied for processes: docs/shared.md.
 * On threads the calling thread takes part unless an initializer was given, so that a map too short to be worth a
 * wake-up runs in line.
 * Threads: any, and tasks (salp/task.h). Waits: yes.
 * In a task, or with a scope open, the caller takes no part, only the task waits, progress and failures are told on a
 * thread of the pool, and a scope that is over ends the call: items that were not started are not run, those that run
 * end by themselves, then the call returns -ETIMEDOUT or -ECANCELED.
 * Returns 0 when every item succeeded, else the error of the lowest failed index.
 * Errors: -EINVAL pool or job is NULL, a NULL array with a size, an array without a size, sizes that overflow,
 * a context size without a context; -ENOMEM, -ENOSPC no (shared) memory for the inputs and results; SALP_EUNKNOWN job
 * or context did not exist when the workers were started; SALP_EBROKEN see salp_pool_reason; -EIO shared memory could not be read back; SALP_ECLOSED;
 * -ECANCELED the pool was terminated meanwhile, or a scope; -ETIMEDOUT a scope; SALP_EINSIDE called by a job of this
 * pool, or by a callback of a loop; SALP_EFORKED; else the error of an item.
 */
SALP_API int salp_map(salp_pool *pool, salp_job *job, const void *in, size_t in_size, void *out, size_t out_size,
                      size_t count, const salp_map_options *options);

/*
 * As salp_map, with one input from each column: the job gets an array of column_count pointers.
 * Errors: as salp_map; also -EINVAL for column_count < 1 or > SALP_COLUMNS_MAX, a column without data or size.
 */
SALP_API int salp_starmap(salp_pool *pool, salp_starjob *job, const salp_column columns[], int column_count, void *out,
                          size_t out_size, size_t count, const salp_map_options *options);

/* As salp_map with one item. */
SALP_API int salp_apply(salp_pool *pool, salp_job *job, const void *in, size_t in_size, void *out, size_t out_size,
                        const salp_map_options *options);

/*
 * As salp_apply with a message of any length. What the job appended is appended to *out (which the caller frees with
 * salp_buffer_free), also when the job failed by its own result; nothing is when its worker died.
 */
SALP_API int salp_call(salp_pool *pool, salp_bytes_job *job, salp_bytes in, salp_buffer *out,
                       const salp_map_options *options);

/*
 * The same without waiting: the future is resolved with what the call would have returned. `out`, `errors` and *out
 * of salp_call_async must stay until then. Inputs: salp_map_async and salp_starmap_async may read them until then;
 * salp_apply_async and salp_call_async copy theirs before they return. A context with a size is always copied.
 * `future` may be NULL when on_done is given or nobody is to know.
 * At most 64 calls of a pool of processes are under way at once; one more waits here for a place. A scope (salp/task.h)
 * ends that wait with -ETIMEDOUT or -ECANCELED; nothing was started then.
 * Errors: those of the call's arguments, -ENOMEM, -EAGAIN (no thread for the pool), and, when the pool has ended or ends
 * just now, SALP_ECLOSED, SALP_EBROKEN or -ECANCELED at once, and nothing was started then; others through the future. A call with no items is done before this returns, on_done included.
 * SALP_EINSIDE: called by a job of this pool; -EAGAIN: no place, and called by a callback, which may not wait.
 */
SALP_API int salp_map_async(salp_future **future, salp_pool *pool, salp_job *job, const void *in, size_t in_size,
                            void *out, size_t out_size, size_t count, const salp_map_options *options);
SALP_API int salp_starmap_async(salp_future **future, salp_pool *pool, salp_starjob *job, const salp_column columns[],
                                int column_count, void *out, size_t out_size, size_t count,
                                const salp_map_options *options);
SALP_API int salp_apply_async(salp_future **future, salp_pool *pool, salp_job *job, const void *in, size_t in_size,
                              void *out, size_t out_size, const salp_map_options *options);
SALP_API int salp_call_async(salp_future **future, salp_pool *pool, salp_bytes_job *job, salp_bytes in,
                             salp_buffer *out, const salp_map_options *options);

/*
 * A source of inputs: writes the next one to `in` and returns 1, or returns 0 at the end, or a negative error, which
 * ends the results after those already begun. Called only by salp_imap and salp_results_next, in their thread.
 */
typedef int salp_source(void *in, void *arg);

typedef struct salp_results salp_results;

typedef struct salp_imap_options {
    bool ordered;  /* results in the order of the inputs; default: as they end */
    size_t window; /* inputs taken from the source whose results were not yet fetched, at most;
                            0: 4 for each worker, more for short items (at most 1024) */
    size_t chunk;  /* items given to a worker at a time; 0: chosen from their measured duration */
    void *context; /* as in salp_map_options */
    size_t context_size;
    salp_failure_fn *on_failure; /* called by salp_results_next */
    void *on_failure_arg;
} salp_imap_options;

/*
 * Starts a map over inputs that come one by one and may never end. The source is pulled only as room appears in the
 * window, so a slow reader holds it back.
 * Owns: *results, until salp_results_close; close it before the pool. Threads: one at a time for each salp_results.
 * Waits: for the source and, on processes, for a place when 64 calls of the pool are under way; in a task only that waits.
 * Errors: -EINVAL results, pool, job or next is NULL, in_size is 0; -ENOMEM; and those of salp_map_async. After an error
 * the inputs that the source has given are lost.
 */
SALP_API int salp_imap(salp_results **results, salp_pool *pool, salp_job *job, salp_source *next, void *source_arg,
                       size_t in_size, size_t out_size, const salp_imap_options *options);

/*
 * The next result: copied to out (which may be NULL), its index (from 0) to *index (which may be NULL).
 * Waits: yes, for a result and as salp_imap; in a task only that waits.
 * Returns 1 with a result; 0 at the end; the error of the item, with *index set (the next call goes on with the
 * others); or, with *index == SIZE_MAX, an error that ends the results: that of the source, SALP_EBROKEN, -ECANCELED
 * when the pool was terminated; or -ETIMEDOUT, -ECANCELED when a scope is over: nothing is lost, and after the scope a
 * call goes on. SALP_EINSIDE: called by a job of this pool, or by a callback of a loop, which may not wait.
 */
SALP_API int salp_results_next(salp_results *results, void *out, size_t *index);

/* Ends the results early or late: no further item starts, running ones are waited for. NULL is accepted. Waits: yes,
   whatever scopes say; in a task only that waits. */
SALP_API void salp_results_close(salp_results *results);

SALP_END

#endif
