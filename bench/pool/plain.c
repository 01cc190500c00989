/*
 * plain.c - the plain loop, and the length of a step.
 *
 *     pool-plain calibrate                 prints "iterations N": steps of bench_spin in a microsecond
 *     pool-plain map maps=5 items=... ...  prints "map NANOSECONDS" for each run of the loop after the first
 *     pool-plain about                     prints "compiler NAME"
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

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

static void about(void)
{
#ifdef __clang__
    printf("compiler clang %s\n", __clang_version__);
#else
    printf("compiler gcc %s\n", __VERSION__);
#endif
}

int main(int argc, char **argv)
{
    static const char *const known[] = { "maps", "items", "count", "nanoseconds", "iterations", "skewed", NULL };
    if (argc < 2)
        bench_fail("pool-plain calibrate | map | about");
    bench_arguments(argc - 2, argv + 2, known);
    if (strcmp(argv[1], "calibrate") == 0)
        calibrate();
    else if (strcmp(argv[1], "map") == 0)
        map();
    else if (strcmp(argv[1], "about") == 0)
        about();
    else
        bench_fail("no case is called %s", argv[1]);
    return 0;
}
