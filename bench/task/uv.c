/*
 * uv.c - the peer libuv: calls into a loop, and timers.
 *
 *     task-uv CASE name=value...
 *
 * The cases are told in measure.h. libuv has no call into a loop: how=async is the list with a lock and a uv_async that
 * everybody writes who needs one, how=work its work queue, in which the calls come back from a thread to the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* gettid */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "measure.h"

static void ok(const char *call, int error)
{
    if (error < 0)
        bench_fail("%s: %s", call, uv_strerror(error));
}

/* ---- calls ---- */

struct call {
    struct call *next;
    void (*function)(void *arg);
    void *arg;
};

struct server {
    uv_loop_t loop;
    uv_async_t async;
    uv_mutex_t mutex;
    struct call *first, **last;
    int thread;
    uv_sem_t ready, done;
    long each, called; /* calls in a burst; those of this one that the loop has made */
    long bursts;
    int64_t sum;
};

static struct server server;

static void add(void *arg)
{
    server.sum += (intptr_t)arg;
    if (++server.called == server.each)
        uv_sem_post(&server.done);
}

static void run_calls(uv_async_t *async)
{
    (void)async;
    uv_mutex_lock(&server.mutex);
    struct call *call = server.first;
    server.first = NULL;
    server.last = &server.first;
    uv_mutex_unlock(&server.mutex);
    while (call) {
        struct call *next = call->next;
        call->function(call->arg);
        free(call);
        call = next;
    }
}

static void call_loop(void (*function)(void *arg), void *arg)
{
    struct call *call = malloc(sizeof *call);
    if (!call)
        bench_fail("no memory");
    *call = (struct call){ .function = function, .arg = arg };
    uv_mutex_lock(&server.mutex);
    *server.last = call;
    server.last = &call->next;
    uv_mutex_unlock(&server.mutex);
    ok("uv_async_send", uv_async_send(&server.async));
}

static void serve(void *arg)
{
    (void)arg;
    server.thread = gettid();
    uv_sem_post(&server.ready);
    ok("uv_run", uv_run(&server.loop, UV_RUN_DEFAULT));
}

static void end(void *arg)
{
    (void)arg;
    uv_close((uv_handle_t *)&server.async, NULL);
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
            call_loop(add, (void *)(intptr_t)i);
        uv_sem_wait(&server.done);
        time += bench_now() - start;
        bench_expect("the sum of the calls", server.sum, bench_sum(server.each));
        server.bursts++;
    }
    return time;
}

static void calls_by_async(void)
{
    server.last = &server.first;
    ok("uv_loop_init", uv_loop_init(&server.loop));
    ok("uv_async_init", uv_async_init(&server.loop, &server.async, run_calls));
    ok("uv_mutex_init", uv_mutex_init(&server.mutex));
    ok("uv_sem_init", uv_sem_init(&server.ready, 0));
    ok("uv_sem_init", uv_sem_init(&server.done, 0));
    uv_thread_t thread;
    ok("uv_thread_create", uv_thread_create(&thread, serve, NULL));
    uv_sem_wait(&server.ready);
    bench_pause(1000000);
    int64_t sleeps = bench_sleeps_of(server.thread);
    bench_repeat("call", time_bursts, server.each * bench_number("bursts", 1), NULL);
    bench_pause(1000000);
    bench_print("wakes", bench_sleeps_of(server.thread) - sleeps);
    bench_print("bursts", server.bursts);
    server.each = -1; /* nobody waits for the end */
    call_loop(end, NULL);
    uv_thread_join(&thread);
    ok("uv_loop_close", uv_loop_close(&server.loop));
}

static void work_nothing(uv_work_t *work)
{
    (void)work;
}

static void add_work(uv_work_t *work, int status)
{
    server.called += status == 0;
    server.sum += (intptr_t)work->data;
}

/* Here the caller is the loop's own thread. */
static int64_t time_work(long count, void *arg)
{
    uv_work_t *all = arg;
    int64_t time = 0;
    for (long b = 0; b < count / server.each; b++) {
        server.called = 0;
        server.sum = 0;
        bench_pause(1000000);
        int64_t start = bench_now();
        for (long i = 0; i < server.each; i++) {
            all[i].data = (void *)(intptr_t)i;
            ok("uv_queue_work", uv_queue_work(&server.loop, &all[i], work_nothing, add_work));
        }
        ok("uv_run", uv_run(&server.loop, UV_RUN_DEFAULT));
        time += bench_now() - start;
        bench_expect("calls", server.called, server.each);
        bench_expect("the sum of the calls", server.sum, bench_sum(server.each));
    }
    return time;
}

static void calls_by_work(void)
{
    uv_work_t *all = calloc((size_t)server.each, sizeof *all);
    if (!all)
        bench_fail("no memory");
    ok("uv_loop_init", uv_loop_init(&server.loop));
    bench_repeat("call", time_work, server.each * bench_number("bursts", 1), all);
    ok("uv_loop_close", uv_loop_close(&server.loop));
    free(all);
}

static void case_call(void)
{
    server.each = bench_number("calls", 100000);
    if (strcmp(bench_text("how", "async"), "async") == 0)
        calls_by_async();
    else
        calls_by_work();
}

/* ---- timers ---- */

static long fired;

static void fire(uv_timer_t *timer)
{
    (void)timer;
    fired++;
}

static int64_t time_timers(long count, void *arg)
{
    uv_loop_t *loop = arg;
    uv_timer_t *timers = calloc((size_t)count, sizeof *timers);
    if (!timers)
        bench_fail("no memory");
    for (long i = 0; i < count; i++)
        ok("uv_timer_init", uv_timer_init(loop, &timers[i]));
    uint64_t state = 0;
    int64_t start = bench_now();
    for (long i = 0; i < count; i++)
        ok("uv_timer_start", uv_timer_start(&timers[i], fire, (uint64_t)bench_later(&state), 0));
    int set = uv_loop_alive(loop);
    for (long i = 0; i < count; i++)
        ok("uv_timer_stop", uv_timer_stop(&timers[i]));
    int64_t time = bench_now() - start;
    bench_expect("whether there were timers", set != 0, 1);
    bench_expect("whether timers are left", uv_loop_alive(loop), 0);
    bench_expect("timers that fired", fired, 0);
    for (long i = 0; i < count; i++)
        uv_close((uv_handle_t *)&timers[i], NULL);
    ok("uv_run", uv_run(loop, UV_RUN_DEFAULT));
    free(timers);
    return time;
}

static void case_timers(void)
{
    uv_loop_t loop;
    ok("uv_loop_init", uv_loop_init(&loop));
    bench_repeat("timers", time_timers, 1000000, &loop);
    ok("uv_loop_close", uv_loop_close(&loop));
}

static void stop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void case_idle(void)
{
    long count = bench_number("count", 1000);
    uv_timer_t *timers = calloc((size_t)count, sizeof *timers), last;
    uv_loop_t loop;
    if (!timers)
        bench_fail("no memory");
    ok("uv_loop_init", uv_loop_init(&loop));
    uint64_t state = 0;
    for (long i = 0; i < count; i++) {
        ok("uv_timer_init", uv_timer_init(&loop, &timers[i]));
        ok("uv_timer_start", uv_timer_start(&timers[i], fire, (uint64_t)bench_later(&state), 0));
    }
    ok("uv_timer_init", uv_timer_init(&loop, &last));
    ok("uv_timer_start", uv_timer_start(&last, stop, (uint64_t)bench_number("milliseconds", 10000), 0));
    bench_print("ready", count);
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_expect("timers that fired", fired, 0);
    for (long i = 0; i < count; i++)
        uv_close((uv_handle_t *)&timers[i], NULL);
    uv_close((uv_handle_t *)&last, NULL);
    ok("uv_run", uv_run(&loop, UV_RUN_DEFAULT));
    ok("uv_loop_close", uv_loop_close(&loop));
    free(timers);
}

static void case_about(void)
{
    printf("libuv %s\n", uv_version_string());
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "call", case_call }, { "timers", case_timers }, { "idle", case_idle }, { "about", case_about },
        { NULL, NULL },
    };
    return bench_main(argc, argv, cases, bench_known);
}
