/*
 * What pools cost, measured with pools.
 *
 *   open     opening and closing, with one worker and with several: a line through both
 *   call     a map of one item for each worker, which takes a fixed time by the clock: what the map takes beyond that. The
 *            workers sleep before, as they do in a program that has something else to do between two maps
 *   item     many items of nothing, beyond the call, less what the same loop takes without a pool
 *   bytes    items of a page, that only copy; the first map of a pool has to get the memory for it, the next one has it
 *
 * Each is taken some times. The least counts: what else runs on the machine only adds to it. Only of a call it is the
 * median, since a wake-up takes now this long and now that, and all of them happen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "insight/costs.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "os/clock.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/thread.h"

enum {
    TIMES = 3,
    CALLS = 7,
    ITEMS = 20000, /* of nothing */
    PAGE = 4096,   /* bytes of an item that only copies */
    PAGES = 512,   /* of them */
    SEVERAL = 8,   /* workers from which the cost of each is taken; to be awake at once, there must be processors */
};

static const int64_t stay = SALP_MICROSECONDS(200); /* an item by the clock: longer than a wake-up */
static const int64_t rest = SALP_MICROSECONDS(500); /* between calls: workers are asleep by then */

/* ---- jobs ---- */

static int stay_a_while(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    int64_t end = salp__now() + stay;
    while (salp__now() < end)
        continue;
    return 0;
}

static int nothing(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    return 0;
}

static int read_page(const void *in, void *out, void *context)
{
    (void)out, (void)context;
    const volatile char *bytes = in;
    char sum = 0;
    for (size_t i = 0; i < PAGE; i += 64)
        sum = (char)(sum + bytes[i]);
    return sum == 0 ? 0 : 1;
}

static int write_page(const void *in, void *out, void *context)
{
    (void)in, (void)context;
    memset(out, 0, PAGE);
    return 0;
}

/* ---- measuring ---- */

/* A pool that is being measured. The first error stays; nothing is done after it. */
typedef struct bench {
    salp_pool_options options;
    salp_pool *pool;
    char *pages;
    int error;
} bench;

static void open_pool(bench *b)
{
    b->pool = NULL;
    if (b->error == 0)
        b->error = salp_pool_open(&b->pool, &b->options);
}

static void close_pool(bench *b)
{
    salp_pool_close(b->pool);
    b->pool = NULL;
}

static double time_of_map(bench *b, salp_job *job, size_t in_size, size_t out_size, size_t count)
{
    void *in = in_size > 0 ? b->pages : NULL, *out = out_size > 0 ? b->pages : NULL;
    int64_t start = salp__now();
    if (b->error == 0)
        b->error = salp_map(b->pool, job, in, in_size, out, out_size, count, NULL);
    return (double)(salp__now() - start);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double at_least(double a, double low)
{
    return a > low ? a : low;
}

static double time_of_life(bench *b, int workers)
{
    double best = 1e18;
    b->options.workers = workers;
    for (int i = 0; i < TIMES && b->error == 0; i++) {
        int64_t start = salp__now();
        open_pool(b);
        close_pool(b);
        best = least(best, (double)(salp__now() - start));
    }
    return best;
}

/* Of a pool that is open. */
static double time_of_call(bench *b)
{
    double times[CALLS];
    for (int i = 0; i < CALLS; i++) {
        salp__doze(rest);
        double time = time_of_map(b, stay_a_while, 0, 0, (size_t)b->options.workers) - (double)stay;
        int k = i;
        for (; k > 0 && times[k - 1] > time; k--)
            times[k] = times[k - 1];
        times[k] = time;
    }
    return at_least(times[CALLS / 2], 0);
}

static double time_of_loop(void)
{
    salp_job *volatile job = nothing; /* called through a pointer that nobody sees through, as in a program */
    double best = 1e18;
    for (int k = 0; k < TIMES; k++) {
        int64_t start = salp__now();
        for (int i = 0; i < ITEMS; i++)
            (void)job(NULL, NULL, NULL);
        best = least(best, (double)(salp__now() - start));
    }
    return best;
}

static double time_of_items(bench *b, size_t count)
{
    double best = 1e18;
    for (int i = 0; i < TIMES; i++)
        best = least(best, time_of_map(b, nothing, 0, 0, count));
    return best;
}

/* The first map over pages in a fresh pool, and the best of those behind it. */
static void measure_bytes(bench *b, bool in, double *first, double *later)
{
    double bytes = (double)PAGE * PAGES;
    open_pool(b);
    double call = time_of_items(b, PAGES);
    for (int i = 0; i <= TIMES; i++) {
        double time = time_of_map(b, in ? read_page : write_page, in ? PAGE : 0, in ? 0 : PAGE, PAGES);
        double each = at_least(time - call, 0) / bytes;
        if (i == 0)
            *first = each;
        *later = i == 0 ? each : least(*later, each);
    }
    close_pool(b);
}

static void measure(bench *b, int processors, salp_worth_costs *costs)
{
    int several = processors > SEVERAL ? SEVERAL : processors;
    *costs = (salp_worth_costs){ 0 };
    double one = time_of_life(b, 1), all = time_of_life(b, SEVERAL);
    costs->open_worker = at_least((all - one) / (SEVERAL - 1), 0);
    costs->open = at_least(one - costs->open_worker, 0);

    /* More spinning items than processors would take turns. */
    b->options.workers = several < 2 ? 1 : 2;
    open_pool(b);
    costs->call = time_of_call(b);
    double item = (time_of_items(b, ITEMS) - time_of_items(b, 2)) * b->options.workers - time_of_loop();
    costs->item = at_least(item / ITEMS, 0);
    close_pool(b);
    if (several > 2) {
        b->options.workers = several;
        open_pool(b);
        costs->call_worker = at_least((time_of_call(b) - costs->call) / (several - 2), 0);
        close_pool(b);
    }
    if (b->options.engine == SALP_THREADS)
        return;
    double first_in, first_out;
    b->options.workers = several < 2 ? 1 : 2;
    measure_bytes(b, true, &first_in, &costs->in_byte);
    measure_bytes(b, false, &first_out, &costs->out_byte);
    costs->first_byte = at_least((first_in - costs->in_byte + first_out - costs->out_byte) / 2, 0);
}

static int measure_all(int processors, salp_worth_costs *threads, salp_worth_costs *processes)
{
    bench b = { .pages = salp__allocate((size_t)PAGE * PAGES) };
    if (!b.pages)
        return -ENOMEM;
    b.options.engine = SALP_THREADS;
    measure(&b, processors, threads);
    b.options.engine = SALP_PROCESSES;
    measure(&b, processors, processes);
    salp__free(b.pages);
    return b.error;
}

/* ---- keeping ---- */

static struct kept {
    pthread_mutex_t lock;
    bool there;     /* [lock] */
    unsigned forks; /* [lock] salp__forks, and */
    int64_t memory; /* [lock] bytes of its own that the process had: a fork copies the tables of its pages */
    salp_worth_costs threads, processes;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A quarter more or less of much memory is another length of a fork. Below 0: not known. */
static bool alike(int64_t a, int64_t b)
{
    int64_t difference = a > b ? a - b : b - a;
    return a < 0 || difference < 32 * 1024 * 1024 || difference < b / 4;
}

int salp__costs(int processors, salp_worth_costs *threads, salp_worth_costs *processes)
{
    unsigned forks = salp__forks();
    int64_t memory = salp__process_own_memory(salp__process_self());
    salp__lock_take(&kept.lock);
    bool there = kept.there && kept.forks == forks && alike(memory, kept.memory);
    if (there) {
        *threads = kept.threads;
        *processes = kept.processes;
    }
    salp__lock_release(&kept.lock);
    if (there)
        return 0;
    int error = measure_all(processors, threads, processes);
    if (error < 0)
        return error;
    salp__lock_take(&kept.lock);
    kept.there = true;
    kept.forks = forks;
    kept.memory = memory;
    kept.threads = *threads;
    kept.processes = *processes;
    salp__lock_release(&kept.lock);
    return 0;
}
