/*
 * What the tests of pools share: waiting without guessing at times, memory that a test and its
 * workers both see, a gate that holds jobs back, and jobs that several files use.
 *
 * Jobs run in worker processes and in threads of the pool, where an assertion of cmocka would jump
 * to nowhere: they return an error, and the test looks at it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef JOBS_H
#define JOBS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "test.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static inline int64_t clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return SALP_SECONDS(t.tv_sec) + t.tv_nsec;
}

/* How long a test waits for what has to happen: far more than it takes, less than the test's limit. */
static inline int64_t patience(void)
{
    return test_slow() ? SALP_SECONDS(200) : SALP_SECONDS(20);
}

static inline void doze(int64_t nanoseconds)
{
    struct timespec t = { nanoseconds / SALP_SECONDS(1), nanoseconds % SALP_SECONDS(1) };

    nanosleep(&t, NULL);
}

/* Polls until *value is at least `wanted`; false when patience was not enough. */
static inline bool reaches(atomic_int *value, int wanted)
{
    int64_t end = clock_now() + patience();

    while (atomic_load(value) < wanted) {
        if (clock_now() > end)
            return false;
        doze(SALP_MICROSECONDS(200));
    }
    return true;
}

/*
 * Zeroed memory that the test and all workers forked after this call see. Forbidden pages on both
 * sides keep a job that writes wildly from reaching it.
 */
static inline void *shared_memory(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    char *p = mmap(NULL, whole + 2 * page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_true(p != MAP_FAILED);
    assert_int_equal(mprotect(p + page, whole, PROT_READ | PROT_WRITE), 0);
    return p + page;
}

/* A door that jobs stand before until the test opens it. */
struct gate {
    atomic_int inside; /* jobs that have come to the gate */
    atomic_int open;
};

/* Counts the caller and lets it wait until the gate opens. */
static inline int gate_pass(struct gate *gate)
{
    atomic_fetch_add(&gate->inside, 1);
    return reaches(&gate->open, 1) ? 0 : -EBUSY;
}

/* Waits until `wanted` callers are inside at once: they must run in parallel. */
static inline int gate_meet(struct gate *gate, int wanted)
{
    atomic_fetch_add(&gate->inside, 1);
    return reaches(&gate->inside, wanted) ? 0 : -EBUSY;
}

static inline void gate_reset(struct gate *gate)
{
    atomic_store(&gate->inside, 0);
    atomic_store(&gate->open, 0);
}

/* An initializer for tests in which the calling thread must not take part in a map. */
static inline int initialize_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static inline salp_pool *open_with(const salp_pool_options *options)
{
    salp_pool *pool = NULL;

    assert_int_equal(salp_pool_open(&pool, options), 0);
    assert_non_null(pool);
    return pool;
}

static inline salp_pool *open_pool(salp_engine engine, int workers)
{
    return open_with(&(salp_pool_options){ .engine = engine, .workers = workers });
}

static inline int job_square(const void *in, void *out, void *context)
{
    int x = *(const int *)in;

    (void)context;
    *(int *)out = (int)((unsigned)x * (unsigned)x);
    return 0;
}

/* Runs a map of `count` squares and says whether every result is right. */
static inline int check_squares(salp_pool *pool, int count, const salp_map_options *options)
{
    int *in = malloc((size_t)count * sizeof *in), *out = malloc((size_t)count * sizeof *out);
    int result = -ENOMEM;

    if (in && out) {
        for (int i = 0; i < count; i++) {
            in[i] = i + 1;
            out[i] = -1;
        }
        result = salp_map(pool, job_square, in, sizeof *in, out, sizeof *out, (size_t)count, options);
        for (int i = 0; i < count && result == 0; i++)
            if (out[i] != (int)((unsigned)in[i] * (unsigned)in[i]))
                result = -EILSEQ;
    }
    free(in);
    free(out);
    return result;
}

/* Where the workers of a map met, and who they are. Set before the pool is opened. */
struct meeting {
    struct gate gate;
    int wanted;
};

/* Meets the other items of the map; its result is the process, or the thread, that ran it. */
static inline int job_meet(const void *in, void *out, void *context)
{
    struct meeting *meeting = *(struct meeting **)context;

    (void)in;
    *(pid_t *)out = (pid_t)syscall(SYS_gettid);
    return gate_meet(&meeting->gate, meeting->wanted);
}

/* The identities of all workers of an idle pool of processes, or of threads with an initializer: each of them runs one
   item. */
static inline void meet_workers(salp_pool *pool, struct meeting *meeting, pid_t *ids, int workers)
{
    gate_reset(&meeting->gate);
    meeting->wanted = workers;
    assert_int_equal(
        salp_map(pool, job_meet, NULL, 0, ids, sizeof *ids, (size_t)workers,
                 &(salp_map_options){ .chunk = 1, .context = &meeting, .context_size = sizeof(struct meeting *) }),
        0);
    for (int i = 0; i < workers; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(ids[i], ids[k]);
}

#define FAILURES_KEPT 64

/* What .on_failure told. The backtrace is that of the last failure. */
struct failures {
    int count;
    salp_failure each[FAILURES_KEPT]; /* their backtrace is NULL */
    char backtrace[16384];
    bool odd; /* a failure without a text, or with an index twice */
};

static inline void note_failure(const salp_failure *failure, void *arg)
{
    struct failures *f = arg;

    for (int i = 0; i < f->count && i < FAILURES_KEPT; i++)
        if (f->each[i].index == failure->index)
            f->odd = true;
    if (!failure->backtrace) {
        f->odd = true;
    } else {
        snprintf(f->backtrace, sizeof f->backtrace, "%s", failure->backtrace);
    }
    if (f->count < FAILURES_KEPT) {
        f->each[f->count] = *failure;
        f->each[f->count].backtrace = NULL;
    }
    f->count++;
}

#endif
