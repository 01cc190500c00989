/*
 * openmp.c - the peer of the map: an OpenMP loop that calls the same job by pointer.
 *
 *     pool-openmp schedule=static|dynamic|guided workers=2 maps=5 items=... count=...
 *
 * Prints "map NANOSECONDS" for each loop after the first, which starts the threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <omp.h>
#include <string.h>

#include "work.h"

/* The schedules are written out, since one that is chosen while running costs more. */
#define LOOP(schedule_text)                                                                                        \
    do {                                                                                                           \
        _Pragma(schedule_text) for (size_t i = 0; i < count; i++) job(in + i * in_size, out + i * out_size, NULL); \
    } while (0)

static void run(const struct bench_work *work, const char *schedule)
{
    bench_job *job = work->job;
    const char *in = work->in;
    char *out = work->out;
    size_t count = work->count, in_size = work->in_size, out_size = work->out_size;
    if (strcmp(schedule, "static") == 0)
        LOOP("omp parallel for schedule(static)");
    else if (strcmp(schedule, "dynamic") == 0)
        LOOP("omp parallel for schedule(dynamic)");
    else if (strcmp(schedule, "guided") == 0)
        LOOP("omp parallel for schedule(guided)");
    else
        bench_fail("the schedule is static, dynamic or guided, not %s", schedule);
}

int main(int argc, char **argv)
{
    static const char *const known[] = { "schedule",    "workers",    "maps",   "items", "count",
                                         "nanoseconds", "iterations", "skewed", NULL };
    bench_arguments(argc - 1, argv + 1, known);
    const char *schedule = bench_text("schedule", "guided");
    long maps = bench_number("maps", 5);
    omp_set_dynamic(0);
    omp_set_num_threads((int)bench_number("workers", 2));

    struct bench_work work = bench_work_new();
    for (long i = 0; i <= maps; i++) {
        bench_work_reset(&work);
        int64_t start = bench_now();
        run(&work, schedule);
        int64_t time = bench_now() - start;
        bench_work_check(&work);
        if (i > 0)
            bench_print("map", time);
    }
    bench_work_free(&work);
    return 0;
}
