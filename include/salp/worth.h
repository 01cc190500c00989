/*
 * salp/worth.h - is it worth a pool, and which one?
 *
 *     salp_worth_report report;
 *     salp_worth(job, in, sizeof *in, out, sizeof *out, count, NULL, &report);
 *     printf("%s\n", report.reason);
 *     salp_pool_open(&pool, &(salp_pool_options){ .engine = ..., .workers = report.best.workers });
 *
 * A few of your own items are run, the costs of this machine's pools are measured, and the time of the whole map is
 * predicted: in line (a loop without a pool), on so many threads, on so many processes.
 *
 * What the sample does
 *   It runs in processes that are forked from this one, alone, then on several threads, then in several processes at once.
 *   Each item is run once at most; the items are spread over the whole range. The program survives a job that crashes
 *   there, `out` is not written, and nothing is left of what jobs do to memory. What they do to files and to other
 *   processes is done, as in a pool of processes.
 *   It takes about .budget, and the time of the items that are under way by then. The first call in a process measures
 *   the costs of pools too, which takes some tens of milliseconds; so does one when the process has become much larger.
 *
 * What it cannot see
 *   Items that depend on each other or have to be in order are yours to know. A job that uses locks of its own which
 *   another thread of the program holds waits for ever in a fork: after .patience the sample is ended, and .overdue says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_WORTH_H
#define SALP_WORTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/base.h>
#include <salp/buffer.h>
#include <salp/pool.h>

SALP_BEGIN

/* All zeros are the defaults. */
typedef struct salp_worth_options {
    void *context;       /* for the job, as in salp_map_options */
    size_t context_size; /* likewise */

    /* The pool is open anyhow and stays so: opening and closing it is not counted, nor what only its first map costs. */
    bool kept;
    int workers_max;  /* no plan has more; 0: as many as the program may use processors, and 64 for jobs that wait */
    int64_t budget;   /* nanoseconds for the sample; 0: 50 milliseconds */
    int64_t patience; /* nanoseconds beyond that until an item that does not end is ended; 0: ten seconds */
    /* Also runs the whole map in each of the ways that are predicted, here, so that `out` is written. */
    bool measure;
} salp_worth_options;

typedef enum salp_worth_way {
    SALP_WORTH_INLINE = 0, /* a loop in the calling thread, without a pool */
    SALP_WORTH_THREADS,    /* salp_map on SALP_THREADS */
    SALP_WORTH_PROCESSES,  /* salp_map on SALP_PROCESSES */
} salp_worth_way;

/* The time of the whole map in one way; all times are nanoseconds. time = opening + working + handing. */
typedef struct salp_worth_plan {
    salp_worth_way way;
    int workers; /* 1 in line */
    int64_t time;
    int64_t low, high; /* it is probably between these */

    int64_t opening; /* opening the pool, waking its workers, closing it */
    int64_t working; /* the jobs, side by side, to the end of the last one */
    int64_t handing; /* handing items to workers; on processes, copying inputs and results */
    double stretch;  /* how many times as long as alone an item takes beside the others: 2 on 2 workers gains nothing */
    bool stretched;  /* `stretch` was measured so; else it was found in another way or with fewer workers, or is 1 */

    bool unsafe;      /* the sample has crashed in this way: so would the program */
    int64_t measured; /* with .measure: what it took; else, and after a failure, 0 */
} salp_worth_plan;

#define SALP_WORTH_PLANS_MAX 80

/* What the pools of this machine cost, in nanoseconds; measured in the first call of each process. */
typedef struct salp_worth_costs {
    double open;        /* opening and closing a pool */
    double open_worker; /* and for each of its workers */
    double call;        /* from a call of salp_map until two workers are at work, and from their end until it returns */
    double call_worker; /* and for each further worker */
    double item;        /* handing out one item, beside calling the job */
    double in_byte;     /* copying one byte of input to where workers read it; 0 on threads */
    double out_byte;    /* and one of a result back */
    double first_byte;  /* more for each byte of either, in the first map of a pool */
} salp_worth_costs;

typedef struct salp_worth_report {
    /* What was asked. */
    size_t count, in_size, out_size;
    bool kept;

    /* The sample. */
    size_t sampled;      /* items that were run */
    size_t failed;       /* of these returned a negative number */
    int64_t sample_time; /* nanoseconds that salp_worth took for it */
    int crashes;         /* items that have crashed; at most 8, then no more were tried */
    size_t crash_index;  /* one of them; or the first of some short ones among which it was; SIZE_MAX: none */
    int crash_signal;    /* that has ended it; 0: it has left the process */
    bool crash_beside;   /* it crashed only when several threads ran the job: the job is not made for threads */
    bool overdue;        /* an item was ended after .patience: times are at least what is said here */

    /* One item alone, in nanoseconds. Of items shorter than some microseconds several together are measured: then the
       quantiles are of such groups. */
    double item_time;           /* on average */
    double item_low, item_high; /* the average is probably between these */
    double median, most;        /* half of them are shorter; 95 of 100 are */
    double longest;             /* of the sample */
    double cold;                /* the first one in a part of the data that none before was in */
    double busy; /* the part of its time that it, or a command that it runs, needs a processor: 1 computes,
                                   0 waits */

    /*
     * What kind of work this is.
     *   waits      it needs a processor for less than 7 tenths of its time
     *   skewed     a few items take much of the time
     *   crowded    items take much longer beside others: not processors are the limit, but memory, a cache, a lock or a disk
     *   contended  crowded on threads and not in processes: they hold each other up within the program (malloc, a lock, a
     *              cache line)
     */
    bool waits, skewed, crowded, contended;

    /* Its data against the caches. */
    int64_t data;      /* bytes of all inputs and results */
    int cache_level;   /* the nearest cache that they all fit: 1, 2, 3...; 0: none; -1: not known */
    int64_t caches[5]; /* bytes of one cache of each level, from L1 on; 0: none, or not known */

    /* The machine. */
    int processors;  /* that the program may use, rounded up */
    double capacity; /* the same with the quota of its control groups as it is: 1.5 is three seconds in each two */
    double others;   /* how many other threads, of any program, wanted a processor meanwhile, on average */
    salp_worth_costs threads, processes;

    /* The plans: in line first, then threads, then processes, each with more and more workers. */
    int plan_count;
    salp_worth_plan plans[SALP_WORTH_PLANS_MAX];
    salp_worth_plan best; /* the one to choose: of those about as good the simplest */
    size_t chunk;         /* for salp_map_options: 0, since pools choose better while they run (docs/worth.md) */
    size_t claim;         /* how many items a worker will take at a time then */

    /* From so many items of this kind on a pool is faster than a loop; SIZE_MAX: never. */
    size_t break_even_threads, break_even_processes;

    char reason[512]; /* all this in a sentence or two */
} salp_worth_report;

/*
 * Finds out how to run job over count items; arguments as for salp_map.
 * Threads: any, and tasks. Waits: for the sample; in a task that suspends it alone, save for the costs of pools, and for
 * .measure, where the calling thread works itself. A scope that is over ends it; then no process of it is left.
 * Owns: nothing; report is the caller's.
 * Returns 0, also when items failed or crashed: the report says so.
 * Errors (*report is not touched): -EINVAL job or report is NULL, count is 0, an option is negative, workers_max >
 * SALP_WORKERS_MAX, and as salp_map for arrays and the context; -ENOMEM, -ENOSPC, -EAGAIN, -EMFILE, -ENFILE, -EFBIG, -ENOSYS,
 * -EPERM: no processes or no pools to be had, as salp_pool_open and salp_process_start say; -ETIMEDOUT, -ECANCELED a scope is
 * over; SALP_EINSIDE called in a callback of a loop; SALP_EBROKEN a pool of the measurement was killed from outside.
 */
SALP_API int salp_worth(salp_job *job, const void *in, size_t in_size, void *out, size_t out_size, size_t count,
                        const salp_worth_options *options, salp_worth_report *report);

/*
 * The report as text for people, as one JSON object, and as a picture (SVG: the time over the number of workers; what was
 * measured as dots), appended to a buffer. In JSON, times are nanoseconds, names are those of the structs, and "never"
 * (SIZE_MAX) is null.
 * Threads: any. Waits: no. Errors (what was appended may be cut): -EINVAL an argument is NULL; -ENOMEM.
 */
SALP_API int salp_worth_text(const salp_worth_report *report, salp_buffer *buffer);
SALP_API int salp_worth_json(const salp_worth_report *report, salp_buffer *buffer);
SALP_API int salp_worth_svg(const salp_worth_report *report, salp_buffer *buffer);

SALP_END

#endif
