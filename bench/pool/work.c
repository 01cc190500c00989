/* What the programs of the pool benchmark share; see work.h. SPDX-License-Identifier: MIT */
#include "work.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- the jobs ---- */

int bench_square(const void *in, void *out, void *context)
{
    (void)context;
    int x = *(const int *)in;
    *(int *)out = x * x;
    return 0;
}

/* One step of the chain: a linear congruence, so that n steps together are one too. */
#define FACTOR 6364136223846793005u
#define ADDEND 1442695040888963407u

int bench_spin(const void *in, void *out, void *context)
{
    (void)context;
    const struct bench_chain *chain = in;
    uint64_t x = chain->seed;
    for (uint64_t i = 0; i < chain->length; i++) {
        x = x * FACTOR + ADDEND;
        __asm__ volatile("" : "+r"(x)); /* one step after the other, in every compiler */
    }
    *(uint64_t *)out = x;
    return 0;
}

uint64_t bench_spin_expected(const struct bench_chain *chain)
{
    /* x -> factor * x + addend, composed with itself for each bit of the length. */
    uint64_t factor = FACTOR, addend = ADDEND, x = chain->seed;
    for (uint64_t bits = chain->length; bits != 0; bits >>= 1) {
        if (bits & 1)
            x = x * factor + addend;
        addend += factor * addend;
        factor *= factor;
    }
    return x;
}

/* ---- work ---- */

static void *fresh(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        bench_fail("no memory for %zu items", count);
    return memory;
}

static uint64_t scramble(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 29;
}

static void fill_squares(struct bench_work *work)
{
    int *in = work->in;
    for (size_t i = 0; i < work->count; i++)
        in[i] = (int)(i % 40000); /* whose squares are ints */
}

/* Lengths so that the mean is `mean`: heavy ones, one in 16, are `skew` times as long as light ones. */
static void fill_chains(struct bench_work *work, double mean, double skew)
{
    struct bench_chain *in = work->in;
    size_t heavy = work->count / 16;
    double light = mean * (double)work->count / ((double)(work->count - heavy) + skew * (double)heavy);
    for (size_t i = 0; i < work->count; i++)
        in[i] = (struct bench_chain){ .seed = i + 1, .length = (uint64_t)light };
    if (skew == 1)
        return;
    for (size_t placed = 0, turn = 1; placed < heavy; turn++) {
        struct bench_chain *chain = &in[scramble(turn) % work->count];
        if (chain->length == (uint64_t)light) {
            chain->length = (uint64_t)(light * skew);
            placed++;
        }
    }
}

struct bench_work bench_work_new(void)
{
    struct bench_work work = { .count = (size_t)bench_number("count", 1000) };
    const char *items = bench_text("items", "squares");
    bool spin = strcmp(items, "spin") == 0;
    if (!spin && strcmp(items, "squares") != 0)
        bench_fail("items are squares or spin, not %s", items);
    work.in_size = spin ? sizeof(struct bench_chain) : sizeof(int);
    work.out_size = spin ? sizeof(uint64_t) : sizeof(int);
    work.in = fresh(work.count, work.in_size);
    work.out = fresh(work.count, work.out_size);

    /* Read from a volatile variable: nobody can put the job's body in place of the call. */
    bench_job *volatile hidden = spin ? bench_spin : bench_square;
    work.job = hidden;
    if (spin)
        fill_chains(&work, 1e-3 * (double)bench_number("nanoseconds", 1000) * (double)bench_number("iterations", 700),
                    (double)bench_number("skewed", 1));
    else
        fill_squares(&work);
    return work;
}

void bench_work_reset(struct bench_work *work)
{
    memset(work->out, 0xff, work->count * work->out_size);
}

void bench_work_check(const struct bench_work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        bool right;
        if (work->job == bench_spin)
            right = ((const uint64_t *)work->out)[i] == bench_spin_expected((const struct bench_chain *)work->in + i);
        else
            right = ((const int *)work->out)[i] == (int)(i % 40000) * (int)(i % 40000);
        if (!right)
            bench_fail("item %zu of %zu has a wrong result", i, work->count);
    }
}

void bench_work_free(struct bench_work *work)
{
    free(work->in);
    free(work->out);
}
