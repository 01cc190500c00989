/*
 * salp_starts.c - the case of process-salp about starting processes:
 * how=fork|server|spawn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <salp/process.h>

#include "salp.h"

static int end_with(void *arg)
{
    return *(const int *)arg;
}

static long start_and_wait(void *arg, int64_t until)
{
    const salp_process_options *options = arg;
    long count = 0;
    for (; count == 0 || bench_now() < until; count++) {
        int expected = (int)(count % 100);
        salp_process *process;
        int status;
        bench_ok("salp_process_start", salp_process_start(&process, end_with, &expected, options));
        bench_ok("salp_process_wait", salp_process_wait(process, &status));
        bench_expect("the status of a process", status, expected);
        salp_process_close(process);
    }
    return count;
}

void bench_case_start(void)
{
    static const struct way {
        const char *how;
        salp_start start;
    } ways[] = { { "fork", SALP_FORK }, { "server", SALP_SERVER }, { "spawn", SALP_SPAWN }, { 0 } };
    const struct way *way = ways;
    while (way->how && strcmp(way->how, bench_text("how", "fork")) != 0)
        way++;
    if (!way->how)
        bench_fail("a process is not started how=%s here", bench_text("how", ""));
    char *memory = bench_resident();
    bench_alone("start", start_and_wait, &(salp_process_options){ .start = way->start, .argument_size = sizeof(int) });
    free(memory);
}
