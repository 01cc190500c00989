/*
 * salp.c - the measuring program: Salp's pools, on threads and on processes.
 *
 *     pool-salp CASE engine=threads|processes workers=2 start=fork|server|spawn name=value...
 *
 * What is compared with the system itself (a semaphore, a fork, a plain loop) is measured here in
 * turn with it; what is compared with other programs is measured by bench/pool/run in turn with them.
 * The cases of calls are here, those of life and death of workers in lives.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "cases.h"
#include "twin.h"
#include "work.h"

void bench_ok(const char *call, int error)
{
    if (error < 0)
        bench_fail("%s: %s", call, salp_strerror(error));
}

salp_pool *bench_pool_open(salp_fn *initializer)
{
    const char *engine = bench_text("engine", "processes"), *start = bench_text("start", "fork");
    salp_pool_options options = { .workers = (int)bench_number("workers", 2), .initializer = initializer };
    if (strcmp(engine, "processes") == 0)
        options.engine = SALP_PROCESSES;
    else if (strcmp(engine, "threads") != 0)
        bench_fail("the engine is threads or processes, not %s", engine);
    if (strcmp(start, "server") == 0)
        options.start = SALP_SERVER;
    else if (strcmp(start, "spawn") == 0)
        options.start = SALP_SPAWN;
    else if (strcmp(start, "fork") != 0)
        bench_fail("a start is fork, server or spawn, not %s", start);
    salp_pool *pool;
    bench_ok("salp_pool_open", salp_pool_open(&pool, &options));
    return pool;
}

void bench_pool_close(salp_pool *pool)
{
    bench_ok("salp_pool_close", salp_pool_close(pool));
}

/* Prints "map NANOSECONDS" for each of `maps` maps after a first one. Arguments: chunk, maps, and those of the work. */
void bench_case_map(void)
{
    struct bench_work work = bench_work_new();
    salp_map_options options = { .chunk = (size_t)bench_number("chunk", 0) };
    long maps = bench_number("maps", 5);
    salp_pool *pool = bench_pool_open(NULL);
    for (long i = 0; i <= maps; i++) {
        bench_work_reset(&work);
        int64_t start = bench_now();
        int error = salp_map(pool, work.job, work.in, work.in_size, work.out, work.out_size, work.count, &options);
        int64_t time = bench_now() - start;
        bench_ok("salp_map", error);
        bench_work_check(&work);
        if (i > 0)
            bench_print("map", time);
    }
    bench_pool_close(pool);
    bench_work_free(&work);
}

static void apply_once(salp_pool *pool, int x)
{
    int square = -1;
    bench_ok("salp_apply", salp_apply(pool, bench_square, &x, sizeof x, &square, sizeof square, NULL));
    if (square != x * x)
        bench_fail("the square of %d is not %d", x, square);
}

static int64_t time_applies(salp_pool *pool, long calls)
{
    int64_t start = bench_now();
    for (int k = 0; k < calls; k++)
        apply_once(pool, k);
    return (bench_now() - start) / calls;
}

static int64_t time_echoes(struct bench_echo *echo, long calls)
{
    int64_t time = 0;
    for (long k = 0; k < calls; k++)
        time += bench_echo_round_trip(echo);
    return time / calls;
}

/*
 * Prints, in turn, "apply NANOSECONDS", "echo NANOSECONDS" and "far NANOSECONDS": the mean of `calls` calls of
 * salp_apply in close succession, and of as many round trips over two semaphores, where the system likes the two
 * processes and on two processors. With pause=MICROSECONDS everybody falls asleep before each of the three.
 */
void bench_case_apply(void)
{
    long count = bench_number("count", 6), calls = bench_number("calls", 1000);
    int64_t pause = 1000 * (int64_t)bench_number("pause", 0);
    struct bench_echo *echo = bench_echo_new(false), *far = bench_echo_new(true);
    salp_pool *pool = bench_pool_open(NULL);
    for (long i = 0; i <= count; i++) {
        bench_pause(pause);
        int64_t apply_time = time_applies(pool, calls);
        bench_pause(pause);
        int64_t echo_time = time_echoes(echo, calls);
        bench_stay_near();
        bench_pause(pause);
        int64_t far_time = time_echoes(far, calls);
        bench_stay_free();
        if (i > 0) {
            bench_print("apply", apply_time);
            bench_print("echo", echo_time);
            bench_print("far", far_time);
        }
    }
    bench_pool_close(pool);
    bench_echo_free(echo);
    bench_echo_free(far);
}

static int64_t time_loop(struct bench_work *work)
{
    int64_t start = bench_now();
    for (size_t k = 0; k < work->count; k++)
        work->job((char *)work->in + k * work->in_size, (char *)work->out + k * work->out_size, NULL);
    return bench_now() - start;
}

static int64_t time_map(struct bench_work *work, salp_pool *pool)
{
    int64_t start = bench_now();
    int error = salp_map(pool, work->job, work->in, work->in_size, work->out, work->out_size, work->count, NULL);
    int64_t time = bench_now() - start;
    bench_ok("salp_map", error);
    return time;
}

/*
 * A map that is too short to be worth a wake, against the loop itself. Prints, in turn, "loop NANOSECONDS" and "map
 * NANOSECONDS": the mean of `calls` of each. With pause=MICROSECONDS there is a pause before each single one.
 */
void bench_case_short(void)
{
    struct bench_work work = bench_work_new();
    long rounds = bench_number("rounds", 20), calls = bench_number("calls", 1000);
    int64_t pause = 1000 * (int64_t)bench_number("pause", 0);
    salp_pool *pool = bench_pool_open(NULL);
    for (long i = 0; i <= rounds; i++) {
        int64_t loop = 0, map = 0;
        bench_work_reset(&work);
        for (long k = 0; k < calls; k++) {
            if (pause > 0)
                bench_pause(pause);
            loop += time_loop(&work);
        }
        bench_work_check(&work);
        bench_work_reset(&work);
        for (long k = 0; k < calls; k++) {
            if (pause > 0)
                bench_pause(pause);
            map += time_map(&work, pool);
        }
        bench_work_check(&work);
        if (i > 0) {
            bench_print("loop", loop / calls);
            bench_print("map", map / calls);
        }
    }
    bench_pool_close(pool);
    bench_work_free(&work);
}

int main(int argc, char **argv)
{
    static const char *const known[] = { "engine", "workers", "start",       "items",      "count",
                                         "chunk",  "maps",    "nanoseconds", "iterations", "skewed",
                                         "calls",  "pause",   "rounds",      "resident",   NULL };
    static const struct bench_case cases[] = {
        { "map", bench_case_map },
        { "apply", bench_case_apply },
        { "open", bench_case_open },
        { "short", bench_case_short },
        { "kill", bench_case_kill },
        { "memory", bench_case_memory },
        { NULL, NULL },
    };
    return bench_main(argc, argv, cases, known);
}
