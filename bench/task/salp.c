/*
 * salp.c - the measuring program: Salp's tasks, and what they wait for.
 *
 *     task-salp CASE name=value...
 *
 * The cases are told in measure.h; those of tasks alone are here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "salp.h"

#include <errno.h>
#include <stddef.h>

void bench_in_task(salp_fn *function, void *arg)
{
    bench_ok("salp_run", salp_run(function, arg));
}

/* ---- yield ---- */

struct turns {
    long each;    /* yields of one */
    int last;     /* whose turn it was last */
    long changes; /* how often it was the other's */
};

struct player {
    struct turns *turns;
    int number;
};

static int play(void *arg)
{
    struct player *player = arg;
    struct turns *turns = player->turns;
    for (long i = 0; i < turns->each; i++) {
        turns->changes += turns->last != player->number;
        turns->last = player->number;
        bench_ok("salp_yield", salp_yield());
    }
    return 0;
}

static int64_t time_yields(long count, void *arg)
{
    (void)arg;
    struct turns turns = { .each = count / 2, .last = -1 };
    struct player players[2] = { { &turns, 0 }, { &turns, 1 } };
    salp_group group;
    int64_t start = bench_now();
    salp_group_open(&group);
    for (int i = 0; i < 2; i++)
        bench_ok("salp_go", salp_go(&group, play, &players[i]));
    bench_ok("salp_group_close", salp_group_close(&group));
    int64_t time = bench_now() - start;
    if (turns.changes < count - count / 100)
        bench_fail("of %ld turns, only %ld were the other's", count, turns.changes);
    return time;
}

static int repeat_yields(void *arg)
{
    bench_repeat("yield", time_yields, 1000000, arg);
    return 0;
}

void bench_case_yield(void)
{
    bench_in_task(repeat_yields, NULL);
}

/* ---- spawn ---- */

static int count_one(void *arg)
{
    ++*(long *)arg;
    return 0;
}

static int64_t time_spawns(long count, void *arg)
{
    long tasks = *(long *)arg, ran = 0;
    int64_t start = bench_now();
    for (long i = 0; i < count; i += tasks) {
        salp_group group;
        salp_group_open(&group);
        for (long k = 0; k < tasks; k++)
            bench_ok("salp_go", salp_go(&group, count_one, &ran));
        bench_ok("salp_group_close", salp_group_close(&group));
    }
    int64_t time = bench_now() - start;
    bench_expect("tasks that ran", ran, (count + tasks - 1) / tasks * tasks);
    return time;
}

static int repeat_spawns(void *arg)
{
    bench_repeat("spawn", time_spawns, 500000, arg);
    return 0;
}

void bench_case_spawn(void)
{
    long tasks = bench_number("tasks", 1);
    bench_in_task(repeat_spawns, &tasks);
}

/* ---- sleeping ---- */

struct dormitory {
    long count;
    long asleep;
    long cancelled;
};

static int sleep_long(void *arg)
{
    struct dormitory *dormitory = arg;
    dormitory->asleep++;
    int error = salp_sleep(SALP_SECONDS(3600));
    dormitory->cancelled += error == -ECANCELED;
    return 0;
}

static void put_to_sleep(salp_group *group, struct dormitory *dormitory)
{
    salp_group_open(group);
    for (long i = 0; i < dormitory->count; i++)
        bench_ok("salp_go", salp_go(group, sleep_long, dormitory));
    while (dormitory->asleep < dormitory->count)
        bench_ok("salp_yield", salp_yield());
}

static void wake_up(salp_group *group, struct dormitory *dormitory)
{
    salp_group_cancel(group);
    bench_ok("salp_group_close", salp_group_close(group));
    bench_expect("sleepers that were cancelled", dormitory->cancelled, dormitory->count);
}

/* Prints "start PICOSECONDS" and "cancel PICOSECONDS" of one, and "memory BYTES" of all. */
static int measure_sleepers(void *arg)
{
    struct dormitory *dormitory = arg;
    salp_group group;
    bench_not_alone();
    int64_t memory = bench_resident(), start = bench_now();
    put_to_sleep(&group, dormitory);
    bench_print_each("start", bench_now() - start, dormitory->count);
    bench_print("memory", bench_resident() - memory);
    start = bench_now();
    wake_up(&group, dormitory);
    bench_print_each("cancel", bench_now() - start, dormitory->count);
    return 0;
}

void bench_case_sleepers(void)
{
    struct dormitory dormitory = { .count = bench_number("count", 1000000) };
    bench_in_task(measure_sleepers, &dormitory);
}

static int idle(void *arg)
{
    struct dormitory *dormitory = arg;
    salp_group group;
    put_to_sleep(&group, dormitory);
    bench_print("ready", dormitory->asleep);
    bench_ok("salp_sleep", salp_sleep(SALP_MILLISECONDS(bench_number("milliseconds", 10000))));
    wake_up(&group, dormitory);
    return 0;
}

void bench_case_idle(void)
{
    struct dormitory dormitory = { .count = bench_number("count", 1000) };
    bench_in_task(idle, &dormitory);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "yield", bench_case_yield }, { "spawn", bench_case_spawn },   { "queue", bench_case_queue },
        { "echo", bench_case_echo },   { "mutex", bench_case_mutex },   { "contend", bench_case_contend },
        { "call", bench_case_call },   { "timers", bench_case_timers }, { "sleepers", bench_case_sleepers },
        { "idle", bench_case_idle },   { "about", bench_case_about },   { NULL, NULL },
    };
    return bench_main(argc, argv, cases, bench_known);
}
