/*
 * calls.c - the cases of task-salp about the loop below the tasks: calls from another thread, and timers.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* gettid */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include <salp/loop.h>
#include <salp/sync.h>

#include "salp.h"

/* ---- calls ---- */

struct server {
    salp_loop *loop;
    salp_event *end;
    int thread;
    sem_t ready, done;
    long each, called; /* calls in a burst; those of this one that the loop has made */
    long bursts;
    int64_t sum;
};

static struct server server;

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

static void add(void *arg)
{
    server.sum += (intptr_t)arg;
    if (++server.called == server.each)
        sem_post(&server.done);
}

static int serve(void *arg)
{
    (void)arg;
    server.loop = salp_loop_current();
    server.thread = gettid();
    sem_post(&server.ready);
    bench_ok("salp_event_wait", salp_event_wait(server.end));
    return 0;
}

static void *run_loop(void *arg)
{
    bench_in_task(serve, arg);
    return NULL;
}

static int64_t time_bursts(long count, void *arg)
{
    (void)arg;
    int64_t time = 0;
    for (long b = 0; b < count / server.each; b++) {
        server.called = 0;
        server.sum = 0;
        bench_pause(1000000);
        int64_t start = bench_now();
        for (long i = 0; i < server.each; i++)
            bench_ok("salp_loop_call", salp_loop_call(server.loop, add, (void *)(intptr_t)i));
        await(&server.done);
        time += bench_now() - start;
        bench_expect("the sum of the calls", server.sum, bench_sum(server.each));
        server.bursts++;
    }
    return time;
}

void bench_case_call(void)
{
    server.each = bench_number("calls", 100000);
    bench_ok("salp_event_open", salp_event_open(&server.end, NULL));
    pthread_t thread;
    if (sem_init(&server.ready, 0, 0) != 0 || sem_init(&server.done, 0, 0) != 0 ||
        pthread_create(&thread, NULL, run_loop, NULL) != 0)
        bench_fail("no thread");
    await(&server.ready);
    bench_pause(1000000);
    int64_t sleeps = bench_sleeps_of(server.thread);
    bench_repeat("call", time_bursts, server.each * bench_number("bursts", 1), NULL);
    bench_pause(1000000);
    bench_print("wakes", bench_sleeps_of(server.thread) - sleeps);
    bench_print("bursts", server.bursts);
    bench_ok("salp_event_set", salp_event_set(server.end));
    pthread_join(thread, NULL);
    salp_event_close(server.end);
}

/* ---- timers ---- */

static void count_one(void *arg)
{
    ++*(long *)arg;
}

static int64_t time_timers(long count, void *arg)
{
    (void)arg;
    salp_loop *loop = salp_loop_current();
    salp_timer *timers = calloc((size_t)count, sizeof *timers), soon = { 0 };
    if (!timers)
        bench_fail("no memory");
    uint64_t state = 0;
    long fired = 0, soon_fired = 0;
    int64_t start = bench_now(), now = salp_now();
    for (long i = 0; i < count; i++)
        bench_ok("salp_timer_set",
                 salp_timer_set(loop, &timers[i], now + SALP_MILLISECONDS(bench_later(&state)), count_one, &fired));
    for (long i = 0; i < count; i++)
        bench_ok("salp_timer_cancel", salp_timer_cancel(loop, &timers[i]));
    int64_t time = bench_now() - start;
    /* One that is due, and no other one, is called. */
    bench_ok("salp_timer_set", salp_timer_set(loop, &soon, now, count_one, &soon_fired));
    bench_ok("salp_sleep", salp_sleep(SALP_MILLISECONDS(1)));
    bench_expect("timers that fired", fired, 0);
    bench_expect("times that the last one fired", soon_fired, 1);
    free(timers);
    return time;
}

static int repeat_timers(void *arg)
{
    bench_repeat("timers", time_timers, 1000000, arg);
    return 0;
}

void bench_case_timers(void)
{
    bench_in_task(repeat_timers, NULL);
}
