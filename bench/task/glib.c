/*
 * glib.c - the peer GLib: GAsyncQueue and GMutex between threads, calls into a main context, and its timeouts.
 *
 *     task-glib CASE name=value...
 *
 * The cases are told in measure.h. A GAsyncQueue has no bound, and holds pointers.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* gettid */
#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

/* ---- queues ---- */

/* An item as a pointer, which cannot be NULL. */
static gpointer wrapped(int64_t item)
{
    return (gpointer)(intptr_t)(item + 1);
}

static int64_t unwrapped(gpointer item)
{
    return (int64_t)(intptr_t)item - 1;
}

struct stream {
    GAsyncQueue *queue;
    int producers, consumers;
    long count;
    _Atomic int64_t sum;
};

static void produce_or_consume(void *arg, int number)
{
    struct stream *stream = arg;
    if (number < stream->producers) {
        for (long i = number; i < stream->count; i += stream->producers)
            g_async_queue_push(stream->queue, wrapped(i));
        return;
    }
    int64_t sum = 0;
    for (long i = number - stream->producers; i < stream->count; i += stream->consumers)
        sum += unwrapped(g_async_queue_pop(stream->queue));
    atomic_fetch_add(&stream->sum, sum);
}

static int64_t time_stream(long count, void *arg)
{
    (void)arg;
    struct stream stream = { .queue = g_async_queue_new(),
                             .producers = (int)bench_number("producers", 1),
                             .consumers = (int)bench_number("consumers", 1),
                             .count = count };
    int64_t time = bench_on_threads(stream.producers + stream.consumers, produce_or_consume, &stream);
    bench_expect("the sum of the items", stream.sum, bench_sum(count));
    g_async_queue_unref(stream.queue);
    return time;
}

/* One thread, which puts and takes 1024 items by turns. */
static int64_t time_alone(long count, void *arg)
{
    (void)arg;
    GAsyncQueue *queue = g_async_queue_new();
    int64_t sum = 0, start = bench_now();
    for (long put = 0, taken = 0; taken < count;) {
        for (long i = 0; i < 1024 && put < count; i++)
            g_async_queue_push(queue, wrapped(put++));
        for (; taken < put; taken++)
            sum += unwrapped(g_async_queue_pop(queue));
    }
    int64_t time = bench_now() - start;
    bench_expect("the sum of the items", sum, bench_sum(count));
    g_async_queue_unref(queue);
    return time;
}

static void case_queue(void)
{
    bool threads = strcmp(bench_text("on", "threads"), "threads") == 0;
    bench_repeat("queue", threads ? time_stream : time_alone, 500000, NULL);
}

struct echo {
    GAsyncQueue *there, *back;
    long count;
};

static void ask_or_answer(void *arg, int number)
{
    struct echo *echo = arg;
    for (long i = 0; i < echo->count; i++) {
        if (number == 0) {
            g_async_queue_push(echo->there, wrapped(i));
            bench_expect("the answer", unwrapped(g_async_queue_pop(echo->back)), i + 1);
        } else {
            g_async_queue_push(echo->back, wrapped(unwrapped(g_async_queue_pop(echo->there)) + 1));
        }
    }
}

static int64_t time_echoes(long count, void *arg)
{
    (void)arg;
    struct echo echo = { .there = g_async_queue_new(), .back = g_async_queue_new(), .count = count };
    int64_t time = bench_on_threads(2, ask_or_answer, &echo);
    g_async_queue_unref(echo.there);
    g_async_queue_unref(echo.back);
    return time;
}

static void case_echo(void)
{
    bench_repeat("echo", time_echoes, 10000, NULL);
}

/* ---- mutexes ---- */

static int64_t time_locks(long count, void *arg)
{
    GMutex *mutex = arg;
    volatile long counted = 0;
    int64_t start = bench_now();
    for (long i = 0; i < count; i++) {
        g_mutex_lock(mutex);
        counted++;
        g_mutex_unlock(mutex);
    }
    int64_t time = bench_now() - start;
    bench_expect("what was counted", counted, count);
    return time;
}

static void case_mutex(void)
{
    GMutex mutex;
    g_mutex_init(&mutex);
    bench_repeat("mutex", time_locks, 2000000, &mutex);
    g_mutex_clear(&mutex);
}

struct contest {
    GMutex mutex;
    _Atomic bool over;
    long counted;        /* under the mutex */
    _Atomic long claims; /* the same, by adding up what each has done */
};

static void fight_or_watch(void *arg, int number)
{
    struct contest *contest = arg;
    if (number == 2) {
        bench_pause(bench_number("milliseconds", 50) * 1000000);
        atomic_store(&contest->over, true);
        return;
    }
    long done = 0;
    /* relaxed: it says nothing but that it is over. */
    while (!atomic_load_explicit(&contest->over, memory_order_relaxed)) {
        g_mutex_lock(&contest->mutex);
        contest->counted++;
        g_mutex_unlock(&contest->mutex);
        done++;
    }
    atomic_fetch_add(&contest->claims, done);
}

static void case_contend(void)
{
    for (long i = bench_number("times", 5); i > 0; i--) {
        struct contest contest = { 0 };
        g_mutex_init(&contest.mutex);
        int64_t time = bench_on_threads(3, fight_or_watch, &contest);
        bench_expect("what was counted", contest.counted, contest.claims);
        bench_print_each("contend", time, contest.counted);
        g_mutex_clear(&contest.mutex);
    }
}

/* ---- calls ---- */

struct server {
    GMainContext *context;
    GMainLoop *loop;
    int thread;
    GAsyncQueue *ready; /* says when the loop is there, and when a burst has been run */
    long each, called;  /* calls in a burst; those of this one that the loop has made */
    long bursts;
    int64_t sum;
};

static struct server server;

static gboolean add(gpointer arg)
{
    server.sum += (intptr_t)arg;
    if (++server.called == server.each)
        g_async_queue_push(server.ready, &server);
    return G_SOURCE_REMOVE;
}

static gboolean quit(gpointer arg)
{
    g_main_loop_quit(arg);
    return G_SOURCE_REMOVE;
}

static gpointer serve(gpointer arg)
{
    server.thread = gettid();
    g_main_context_push_thread_default(server.context);
    g_async_queue_push(server.ready, &server);
    g_main_loop_run(server.loop);
    g_main_context_pop_thread_default(server.context);
    return arg;
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
            g_main_context_invoke(server.context, add, (gpointer)(intptr_t)i);
        g_async_queue_pop(server.ready);
        time += bench_now() - start;
        bench_expect("the sum of the calls", server.sum, bench_sum(server.each));
        server.bursts++;
    }
    return time;
}

static void case_call(void)
{
    server = (struct server){ .context = g_main_context_new(), .ready = g_async_queue_new() };
    server.each = bench_number("calls", 100000);
    server.loop = g_main_loop_new(server.context, FALSE);
    GThread *thread = g_thread_new("loop", serve, NULL);
    g_async_queue_pop(server.ready);
    bench_pause(1000000);
    int64_t sleeps = bench_sleeps_of(server.thread);
    bench_repeat("call", time_bursts, server.each * bench_number("bursts", 1), NULL);
    bench_pause(1000000);
    bench_print("wakes", bench_sleeps_of(server.thread) - sleeps);
    bench_print("bursts", server.bursts);
    g_main_context_invoke(server.context, quit, server.loop);
    g_thread_join(thread);
    g_main_loop_unref(server.loop);
    g_main_context_unref(server.context);
    g_async_queue_unref(server.ready);
}

/* ---- timers ---- */

static long fired;

static gboolean fire(gpointer arg)
{
    (void)arg;
    fired++;
    return G_SOURCE_REMOVE;
}

static GSource *set(GMainContext *context, int64_t milliseconds)
{
    GSource *source = g_timeout_source_new((guint)milliseconds);
    g_source_set_callback(source, fire, NULL, NULL);
    g_source_attach(source, context);
    return source;
}

static int64_t time_timers(long count, void *arg)
{
    GMainContext *context = arg;
    GSource **timers = calloc((size_t)count, sizeof *timers);
    if (!timers)
        bench_fail("no memory");
    uint64_t state = 0;
    int64_t start = bench_now();
    for (long i = 0; i < count; i++)
        timers[i] = set(context, bench_later(&state));
    for (long i = 0; i < count; i++) {
        g_source_destroy(timers[i]);
        g_source_unref(timers[i]);
    }
    int64_t time = bench_now() - start;
    bench_expect("what is ready", g_main_context_iteration(context, FALSE), FALSE);
    bench_expect("timers that fired", fired, 0);
    free(timers);
    return time;
}

static void case_timers(void)
{
    GMainContext *context = g_main_context_new();
    bench_repeat("timers", time_timers, 1000000, context);
    g_main_context_unref(context);
}

static void case_idle(void)
{
    long count = bench_number("count", 1000);
    GSource **timers = calloc((size_t)count, sizeof *timers);
    if (!timers)
        bench_fail("no memory");
    uint64_t state = 0;
    for (long i = 0; i < count; i++)
        timers[i] = set(NULL, bench_later(&state));
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    g_timeout_add((guint)bench_number("milliseconds", 10000), quit, loop);
    bench_print("ready", count);
    g_main_loop_run(loop);
    bench_expect("timers that fired", fired, 0);
    for (long i = 0; i < count; i++) {
        g_source_destroy(timers[i]);
        g_source_unref(timers[i]);
    }
    g_main_loop_unref(loop);
    free(timers);
}

static void case_about(void)
{
    printf("GLib %u.%u.%u\n", glib_major_version, glib_minor_version, glib_micro_version);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "queue", case_queue },     { "echo", case_echo },   { "mutex", case_mutex },
        { "contend", case_contend }, { "call", case_call },   { "timers", case_timers },
        { "idle", case_idle },       { "about", case_about }, { NULL, NULL },
    };
    return bench_main(argc, argv, cases, bench_known);
}
