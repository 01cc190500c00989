/* A range of indices, spread over a pool; the header tells how. SPDX-License-Identifier: MIT */
#include "pool/spread.h"

#include <errno.h>
#include <string.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/memory.h"
#include "pool/engine.h"

enum {
    PIECES = 512,    /* of a range that is cut without a look at the clock, at most */
    LINE = 64,       /* results begin at multiples of it: whatever type they are of, and apart from each other */
    ON_STACK = 1024, /* bytes of results that need no memory of their own */
#ifdef SALP_HOSTILE
    MOST = 8, /* forks at every chance */
#else
    MOST = 1 << 30,
#endif
};

static const int64_t piece_lasts = SALP_MICROSECONDS(5);

/* Who runs a part that was forked, or the whole. In its frame. */
typedef struct runner {
    salp__spread *spread;
    salp_worker *worker;
    bool whole;
    int64_t since;       /* the last piece ended, or 0: something else came between */
    _Atomic size_t want; /* indices of the next piece; relaxed: who takes something begins with a part of it */
} runner;

/* A part that was forked. In the frame of who has. */
typedef struct branch {
    salp_fork_job job;
    const runner *from;
    size_t begin, end;
    bool ran; /* by who has taken it */
    int error;
    void *memory; /* of its results, the first of which is its own; the one who has forked it frees it */
} branch;

/* ---- results ---- */

size_t salp__grain_of(size_t count)
{
    return count / PIECES + (count % PIECES > 0);
}

static size_t pieces_of(const salp__spread *spread, size_t begin, size_t end)
{
    return (end - begin) / spread->grain + ((end - begin) % spread->grain > 0);
}

/* How many results are needed to run this part: its own, and where the tree is fixed one for each level below. */
static size_t results_of(const salp__spread *spread, size_t begin, size_t end)
{
    size_t results = 1;
    if (spread->fixed) {
        for (size_t pieces = pieces_of(spread, begin, end); pieces > 1; pieces -= pieces / 2)
            results++;
    }
    return results;
}

static char *first_result(void *memory)
{
    return (char *)(((uintptr_t)memory + LINE - 1) / LINE * LINE);
}

static void *allocate_results(const salp__spread *spread, size_t count)
{
    size_t bytes;
    if (__builtin_mul_overflow(spread->stride, count, &bytes) || bytes > PTRDIFF_MAX / 4)
        return NULL;
    return salp__allocate_raw(bytes + LINE);
}

static void *begin_result(const salp__spread *spread, char *place)
{
    return memcpy(place, spread->neutral, spread->result_size);
}

/* ---- pieces ---- */

/* Why no piece may begin here, or 0. */
static int stopped(const runner *r, size_t begin)
{
    const salp__spread *spread = r->spread;
    int ended = salp__vigil_ended(&spread->vigil, r->worker);
    if (ended == 0 && begin > atomic_load_explicit(&spread->first_failed, memory_order_relaxed))
        ended = -ECANCELED; /* for nobody: I2 */
    return ended;
}

static void note_failure(salp__spread *spread, size_t begin)
{
    size_t first = atomic_load_explicit(&spread->first_failed, memory_order_relaxed);
    while (begin < first && !atomic_compare_exchange_weak_explicit(&spread->first_failed, &first, begin,
                                                                   memory_order_relaxed, memory_order_relaxed))
        ;
}

/* So many indices took so long: how many the next piece has. */
static void adapt(runner *r, size_t count, int64_t spent)
{
    size_t want = atomic_load_explicit(&r->want, memory_order_relaxed);
    size_t most = count < MOST / 8 ? count * 8 : MOST;
    size_t fitting = spent > 0 ? (size_t)((double)piece_lasts / (double)spent * (double)count) : most;
    /* A piece that was cut short says no more than that more of them fit, or that less do. */
    if (most > want || fitting < want)
        want = fitting < 1 ? 1 : fitting < most ? fitting : most;
    atomic_store_explicit(&r->want, want, memory_order_relaxed);
}

static int run_piece(runner *r, size_t begin, size_t end, void *part)
{
    salp__spread *spread = r->spread;
    bool summons = r->whole && !spread->vigil.summoned;
    int error = stopped(r, begin);
    if (error < 0)
        return error;
    if (spread->grain == 0 && r->since == 0)
        r->since = salp__now();
    error = spread->piece(spread, begin, end, part);
    if (error < 0) {
        note_failure(spread, begin);
        return error;
    }
    if (spread->grain > 0 && !summons)
        return 0;
    int64_t now = salp__now();
    if (spread->grain == 0)
        adapt(r, end - begin, now - r->since);
    r->since = now;
    if (summons)
        salp__vigil_summon(&spread->vigil, r->worker, now, end - spread->begin, spread->end - spread->begin);
    return 0;
}

/* ---- parts ---- */

/* Where the right half begins; `end`: it is one piece. */
static size_t middle_of(const runner *r, size_t begin, size_t end)
{
    if (r->spread->grain == 0) {
        size_t want = atomic_load_explicit(&r->want, memory_order_relaxed);
        return end - begin <= want ? end : begin + (end - begin) / 2;
    }
    size_t pieces = pieces_of(r->spread, begin, end);
    return pieces == 1 ? end : begin + (pieces - pieces / 2) * r->spread->grain;
}

static void run_branch(salp_worker *worker, salp_fork_job *job);

/* `store`: `fixed`: of the results of the levels below. */
static int run_part(runner *r, size_t begin, size_t end, void *part, char *store)
{
    salp__spread *spread = r->spread;
    char *below = spread->fixed ? store + spread->stride : NULL;
    for (;;) {
        size_t middle = middle_of(r, begin, end);
        if (middle == end)
            return run_piece(r, begin, end, part);
        branch right = { .from = r, .begin = middle, .end = end };
        salp_fork(r->worker, &right.job, run_branch);
        int error = run_part(r, begin, middle, part, below);
        bool taken = salp_join(r->worker, &right.job) && right.ran;
        if (taken) {
            if (error == 0)
                error = right.error;
            if (error == 0 && spread->join) {
                error = spread->join(spread, middle, end, part, right.memory ? first_result(right.memory) : NULL);
                if (error < 0)
                    note_failure(spread, middle);
            }
            salp__free(right.memory);
            r->since = 0;
            return error;
        }
        if (error < 0)
            return error;
        if (spread->fixed) {
            begin_result(spread, store);
            error = run_part(r, middle, end, store, below);
            return error == 0 ? spread->join(spread, middle, end, part, store) : error;
        }
        begin = middle;
    }
}

static void run_branch(salp_worker *worker, salp_fork_job *job)
{
    branch *b = (branch *)job;
    salp__spread *spread = b->from->spread;
    char *part = NULL;
    if (spread->result_size > 0) {
        if (spread->neutral)
            b->memory = allocate_results(spread, results_of(spread, b->begin, b->end));
        if (!b->memory)
            return; /* I3 */
        part = begin_result(spread, first_result(b->memory));
    }
    size_t want = atomic_load_explicit(&b->from->want, memory_order_relaxed) / 8;
    runner r = { .spread = spread, .worker = worker, .want = want > 0 ? want : 1 };
    b->error = run_part(&r, b->begin, b->end, part, part ? part + spread->stride : NULL);
    b->ran = true;
}

/* ---- the whole ---- */

static void run_whole(salp_worker *worker, salp_fork_job *job)
{
    salp__spread *spread = SALP__CONTAINER(job, salp__spread, job);
    runner r = { .spread = spread, .worker = worker, .whole = true, .want = 1, .since = salp__now() };
    salp__vigil_begin(&spread->vigil, worker, r.since);
    spread->error = run_part(&r, spread->begin, spread->end, spread->result, spread->store);
    salp__vigil_end(&spread->vigil, spread->error);
}

/* Room for the neutral element, and for the results of who runs the whole. NULL: there was no memory. */
static char *open_store(salp__spread *spread, char *stack, void **memory)
{
    size_t count = results_of(spread, spread->begin, spread->end);
    spread->stride = (spread->result_size + LINE - 1) / LINE * LINE;
    if (spread->stride <= ON_STACK && count * spread->stride <= ON_STACK)
        return stack;
    *memory = allocate_results(spread, count);
    return *memory ? first_result(*memory) : NULL;
}

int salp__spread_run(salp__spread *spread, salp_pool *pool)
{
    _Alignas(LINE) char stack[ON_STACK];
    void *memory = NULL;
    if (spread->begin == spread->end)
        return salp__vigil_enter(&spread->vigil, pool, 0, 0, NULL, NULL);
    spread->first_failed = SIZE_MAX;
    if (spread->result_size > 0) {
        char *store = open_store(spread, stack, &memory);
        if (!store && spread->fixed)
            return -ENOMEM;
        if (store) {
            spread->neutral = memcpy(store, spread->result, spread->result_size);
            spread->store = store + spread->stride;
        }
    }
    int error =
        salp__vigil_enter(&spread->vigil, pool, spread->body, spread->end - spread->begin, run_whole, &spread->job);
    salp__free(memory);
    return error < 0 ? error : spread->error;
}
