/* The kinds of work; see works.h. SPDX-License-Identifier: MIT */
#include "works.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/program.h"

/* What an item is given: how much of what it does, and where. Its result is `seed` plus one, in the end, for all of them. */
struct input {
    uint64_t seed;
    uint32_t amount;
    uint32_t index;
};

static void give(const struct input *in, void *out)
{
    uint64_t result = in->seed + 1;
    memcpy(out, &result, sizeof result);
}

/* Arithmetic, one step after the other: about `amount` of them in a third of a nanosecond each or more. */
static void compute(uint64_t steps)
{
    uint64_t x = steps;
    for (uint64_t i = 0; i < steps; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
}

/* Steps of compute in a microsecond on the machine at hand: found once, so that the kinds are what their names say. */
static uint32_t microsecond;

static void calibrate(void)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t start = bench_now();
        compute(100000);
        int64_t time = bench_now() - start;
        best = time < best ? time : best;
    }
    microsecond = (uint32_t)(100000 * (int64_t)1000 / best);
}

/* ---- jobs ---- */

static int square(const void *in, void *out, void *context)
{
    (void)context;
    int x = *(const int *)in;
    *(int *)out = x * x;
    return 0;
}

static int spin(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    compute(input->amount);
    give(input, out);
    return 0;
}

static void sleep_for(int64_t nanoseconds)
{
    struct timespec time = { .tv_nsec = (long)nanoseconds };
    nanosleep(&time, NULL);
}

static int wait_2ms(const void *in, void *out, void *context)
{
    (void)context;
    sleep_for(2000000);
    give(in, out);
    return 0;
}

static int compute_and_wait(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    compute(input->amount);
    sleep_for(800000);
    give(input, out);
    return 0;
}

/* Memory that jobs read: far more than any cache, or a part that a level-2 cache has room for. */
static uint64_t *memory;
enum { MEMORY = 32 * 1024 * 1024, BLOCK = 32 * 1024, PART = 16 * 1024, PASSES = 16 }; /* words of 8 bytes; times */

static int sum_block(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    const uint64_t *block = memory + (size_t)input->index * BLOCK;
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum |= block[i];
    struct input result = { .seed = input->seed + (sum & 1) };
    give(&result, out);
    return 0;
}

static int sum_again(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    const uint64_t *part = memory + (size_t)(input->index % 2) * PART;
    uint64_t sum = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        for (size_t i = 0; i < PART; i++)
            sum |= part[i];
        __asm__ volatile("" : "+r"(sum));
    }
    struct input result = { .seed = input->seed + (sum & 1) };
    give(&result, out);
    return 0;
}

/* One look after the other, each at a place that nothing can foresee. */
static int jump(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    uint64_t at = input->seed * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 200; i++)
        at = (at ^ at >> 29) * 0xbf58476d1ce4e5b9u + memory[at % MEMORY];
    __asm__ volatile("" : "+r"(at));
    give(input, out);
    return 0;
}

static int allocate(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    void *volatile kept[64] = { 0 };
    for (uint32_t i = 0; i < input->amount; i++) {
        size_t slot = (input->index + i * 7) % 64;
        free(kept[slot]);
        kept[slot] = malloc(16 + (i * 131 + input->index) % 2000);
        if (!kept[slot])
            return -1;
        *(volatile char *)kept[slot] = 1;
    }
    for (int i = 0; i < 64; i++)
        free(kept[i]);
    give(input, out);
    return 0;
}

/* All threads at one lock; processes have one each. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int locked(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    pthread_mutex_lock(&lock);
    compute(input->amount);
    pthread_mutex_unlock(&lock);
    give(input, out);
    return 0;
}

static int crash(const void *in, void *out, void *context)
{
    (void)context;
    const struct input *input = in;
    compute(input->amount);
    if (input->index % 50 == 20)
        raise(SIGKILL); /* a crash that leaves no core, and has no handler */
    give(input, out);
    return 0;
}

enum { PAGE = 4096 };

static int copy_page(const void *in, void *out, void *context)
{
    (void)context;
    memcpy(out, in, PAGE);
    give(in, out);
    return 0;
}

/* ---- kinds ---- */

struct kind {
    const char *name;
    bench_job *job;
    size_t count;
    double microseconds; /* of computing, on average */
    int skew;            /* one in 16 takes so many times as long as the others; 0: all alike */
    size_t amount;       /* for those that do not compute */
    size_t item_size;    /* bytes in and out; 0: an input and a number */
    bool reads;          /* it needs `memory` */
};

static const struct kind kinds[] = {
    { "tiny", square, 1000000, .item_size = sizeof(int) },
    { "few", square, 14, .item_size = sizeof(int) },
    { "short", spin, 50000, .microseconds = 1 },
    { "brief", spin, 60, .microseconds = 1 },
    { "medium", spin, 1000, .microseconds = 100 },
    { "skewed", spin, 1000, .microseconds = 100, .skew = 100 },
    { "long", spin, 15, .microseconds = 10000 },
    { "memory", sum_block, MEMORY / BLOCK, .reads = true },
    { "jumps", jump, 10000, .reads = true },
    { "cache", sum_again, 2000, .reads = true },
    { "waiting", wait_2ms, 200, .amount = 0 },
    { "mixed", compute_and_wait, 300, .microseconds = 200 },
    { "allocating", allocate, 2000, .amount = 1000 },
    { "locked", locked, 3000, .microseconds = 20 },
    { "crashing", crash, 1000, .microseconds = 100 },
    { "copying", copy_page, 20000, .item_size = PAGE },
    { 0 },
};

static const struct kind *find(const char *name)
{
    for (const struct kind *kind = kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    bench_fail("no kind of work is called %s", name);
}

static void *fresh(size_t size)
{
    void *made = malloc(size);
    if (!made)
        bench_fail("no memory for %zu bytes", size);
    memset(made, 0, size);
    return made;
}

/* A virtual machine's memory is slower when it is read for the first time, which would be the first way that is tried. */
static void read_once(const uint64_t *words, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all |= words[i];
    __asm__ volatile("" : "+r"(all));
}

static uint32_t amount_of(const struct kind *kind, size_t index)
{
    if (kind->microseconds == 0)
        return (uint32_t)kind->amount;
    double steps = kind->microseconds * microsecond;
    if (kind->skew > 0) {
        steps = steps * 16 / (15 + kind->skew);
        if (index * 2654435761u % 4096 / 256 == 7)
            steps *= kind->skew;
    }
    return (uint32_t)steps;
}

static void fill(struct bench_work *work, const struct kind *kind)
{
    for (size_t i = 0; i < work->count; i++) {
        if (work->job == square) {
            ((int *)work->in)[i] = (int)(i % 40000);
            continue;
        }
        struct input input = { .seed = i * 2, .amount = amount_of(kind, i), .index = (uint32_t)i };
        memcpy((char *)work->in + i * work->in_size, &input, sizeof input);
    }
}

struct bench_work bench_work_new(const char *name)
{
    const struct kind *kind = find(name);
    struct bench_work work = { .job = kind->job, .count = kind->count, .crashes = kind->job == crash };
    calibrate();
    work.in_size = kind->item_size > 0 ? kind->item_size : sizeof(struct input);
    work.out_size = kind->item_size > 0 ? kind->item_size : sizeof(uint64_t);
    work.in = fresh(work.count * work.in_size);
    work.out = fresh(work.count * work.out_size);
    if (kind->reads) {
        memory = fresh(MEMORY * sizeof *memory);
        read_once(memory, MEMORY);
    }
    fill(&work, kind);
    return work;
}

void bench_work_free(struct bench_work *work)
{
    free(work->in);
    free(work->out);
    free(memory);
    memory = NULL;
}

void bench_work_reset(struct bench_work *work)
{
    memset(work->out, 0xff, work->count * work->out_size);
}

void bench_work_check(const struct bench_work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        if (work->job == square) {
            if (((const int *)work->out)[i] != (int)(i % 40000) * (int)(i % 40000))
                bench_fail("item %zu has a wrong result", i);
            continue;
        }
        uint64_t result;
        memcpy(&result, (const char *)work->out + i * work->out_size, sizeof result);
        if (result != i * 2 + 1 && !(work->crashes && i % 50 == 20))
            bench_fail("item %zu has a wrong result", i);
    }
}
