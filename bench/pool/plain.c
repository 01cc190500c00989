/*
 * plain.c - the plain loop, and the length of a step.
 *
 *     pool-plain calibrate                 prints "iterations N": steps of bench_spin in a microsecond
 *     pool-plain map maps=5 items=... ...  prints "map NANOSECONDS" for each run of the loop after the first
 *     pool-plain about                     prints "compiler NAME"
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "work.h"

/* The fastest of many short runs: those that nobody disturbed. */
static void calibrate(void)
{
    struct bench_chain chain = { .seed = 1, .length = 200000 };
    int64_t best = INT64_MAX;
    for (int i = 0; i < 300; i++) {
        uint64_t result;
        int64_t start = bench_now();
        bench_spin(&chain, &result, NULL);
        int64_t time = bench_now() - start;
        if (result != bench_spin_expected(&chain))
            bench_fail("the chain has a wrong result");
        if (time < best)
            best = time;
    }
    bench_print("iterations", (int64_t)(1000 * chain.length) / best);
}

static void map(void)
{
    struct bench_work work = bench_work_new();
    long maps = bench_number("maps", 5);
    for (long i = 0; i <= maps; i++) {
        bench_work_reset(&work);
        int64_t start = bench_now();
        for (size_t k = 0; k < work.count; k++)
            work.job((char *)work.in + k * work.in_size, (char *)work.out + k * work.out_size, NULL);
        int64_t time = bench_now() - start;
        bench_work_check(&work);
        if (i > 0)
            bench_print("map", time);
    }
    bench_work_free(&work);
}

int main(int argc, char **argv)
{
    static const char *const known[] = { "maps", "items", "count", "nanoseconds", "iterations", "skewed", NULL };
    static const struct bench_case cases[] = {
        { "calibrate", calibrate },
        { "map", map },
        { "about", bench_case_about },
        { NULL, NULL },
    };
    return bench_main(argc, argv, cases, known);
}
