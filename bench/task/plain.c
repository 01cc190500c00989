/*
 * plain.c - the plain twin: the same with threads and what POSIX has for them.
 *
 *     task-plain CASE name=value...
 *
 * The cases are told in measure.h. Where Salp's tasks share a thread, these are threads that share a processor. The
 * queue is a ring with a mutex and two conditions; with on=loop it is the ring alone, filled and emptied by turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

static void ok(const char *call, int error)
{
    if (error != 0)
        bench_fail("%s: %s", call, strerror(error));
}

/* ---- yield ---- */

struct turns {
    _Atomic long changes; /* how often it was the other's turn */
    _Atomic int last;
    long count;
};

static void take_turns(void *arg, int number)
{
    struct turns *turns = arg;
    while (atomic_load(&turns->changes) < turns->count) {
        if (atomic_exchange(&turns->last, number) != number)
            atomic_fetch_add(&turns->changes, 1);
        sched_yield();
    }
}

static int64_t time_yields(long count, void *arg)
{
    (void)arg;
    struct turns turns = { .last = -1, .count = count };
    return bench_on_threads(2, take_turns, &turns);
}

static void case_yield(void)
{
    bench_repeat("yield", time_yields, 20000, NULL);
}

/* ---- spawn ---- */

static void *count_one(void *arg)
{
    atomic_fetch_add((_Atomic long *)arg, 1);
    return NULL;
}

static int64_t time_spawns(long count, void *arg)
{
    long tasks = *(long *)arg;
    _Atomic long ran = 0;
    pthread_t *threads = calloc((size_t)tasks, sizeof *threads);
    int64_t start = bench_now();
    for (long i = 0; i < count; i += tasks) {
        for (long k = 0; k < tasks; k++)
            ok("pthread_create", pthread_create(&threads[k], NULL, count_one, &ran));
        for (long k = 0; k < tasks; k++)
            ok("pthread_join", pthread_join(threads[k], NULL));
    }
    int64_t time = bench_now() - start;
    bench_expect("threads that ran", ran, (count + tasks - 1) / tasks * tasks);
    free(threads);
    return time;
}

static void case_spawn(void)
{
    long tasks = bench_number("tasks", 1);
    bench_repeat("spawn", time_spawns, 2000, &tasks);
}

/* ---- queues ---- */

struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t not_full, not_empty, taken;
    size_t capacity, count, first;
    uint64_t gets; /* in all */
    uint64_t puts;
    bool rendezvous; /* capacity 0: each put waits for the get that takes it */
    int64_t *items;
};

static void ring_open(struct ring *ring, size_t capacity)
{
    *ring = (struct ring){ .capacity = capacity ? capacity : 1, .rendezvous = capacity == 0 };
    ring->items = calloc(ring->capacity, sizeof *ring->items);
    pthread_mutex_init(&ring->mutex, NULL);
    pthread_cond_init(&ring->not_full, NULL);
    pthread_cond_init(&ring->not_empty, NULL);
    pthread_cond_init(&ring->taken, NULL);
}

static void ring_close(struct ring *ring)
{
    pthread_cond_destroy(&ring->taken);
    pthread_cond_destroy(&ring->not_empty);
    pthread_cond_destroy(&ring->not_full);
    pthread_mutex_destroy(&ring->mutex);
    free(ring->items);
}

static void store(struct ring *ring, int64_t item)
{
    size_t at = ring->first + ring->count++;
    ring->items[at < ring->capacity ? at : at - ring->capacity] = item;
    ring->puts++;
}

static int64_t load(struct ring *ring)
{
    int64_t item = ring->items[ring->first];
    ring->first = ring->first + 1 < ring->capacity ? ring->first + 1 : 0;
    ring->count--;
    ring->gets++;
    return item;
}

static void ring_put(struct ring *ring, int64_t item)
{
    pthread_mutex_lock(&ring->mutex);
    while (ring->count == ring->capacity)
        pthread_cond_wait(&ring->not_full, &ring->mutex);
    store(ring, item);
    uint64_t number = ring->puts;
    pthread_cond_signal(&ring->not_empty);
    while (ring->rendezvous && ring->gets < number)
        pthread_cond_wait(&ring->taken, &ring->mutex);
    pthread_mutex_unlock(&ring->mutex);
}

static int64_t ring_get(struct ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
    while (ring->count == 0)
        pthread_cond_wait(&ring->not_empty, &ring->mutex);
    int64_t item = load(ring);
    pthread_cond_signal(&ring->not_full);
    if (ring->rendezvous)
        pthread_cond_broadcast(&ring->taken);
    pthread_mutex_unlock(&ring->mutex);
    return item;
}

struct stream {
    struct ring ring;
    int producers, consumers;
    long count;
    _Atomic int64_t sum;
};

static void produce_or_consume(void *arg, int number)
{
    struct stream *stream = arg;
    if (number < stream->producers) {
        for (long i = number; i < stream->count; i += stream->producers)
            ring_put(&stream->ring, i);
        return;
    }
    int64_t sum = 0;
    for (long i = number - stream->producers; i < stream->count; i += stream->consumers)
        sum += ring_get(&stream->ring);
    atomic_fetch_add(&stream->sum, sum);
}

static int64_t time_stream(long count, void *arg)
{
    (void)arg;
    struct stream stream = { .producers = (int)bench_number("producers", 1),
                             .consumers = (int)bench_number("consumers", 1),
                             .count = count };
    ring_open(&stream.ring, (size_t)bench_number("capacity", 1024));
    int64_t time = bench_on_threads(stream.producers + stream.consumers, produce_or_consume, &stream);
    bench_expect("the sum of the items", stream.sum, bench_sum(count));
    ring_close(&stream.ring);
    return time;
}

static int64_t time_ring(long count, void *arg)
{
    (void)arg;
    struct ring ring;
    ring_open(&ring, (size_t)bench_number("capacity", 1024));
    int64_t sum = 0, start = bench_now();
    for (long i = 0; i < count;) {
        for (; ring.count < ring.capacity && i < count; i++)
            store(&ring, i);
        __asm__ volatile("" ::: "memory"); /* they really lie in the ring */
        while (ring.count > 0)
            sum += load(&ring);
    }
    int64_t time = bench_now() - start;
    bench_expect("the sum of the items", sum, bench_sum(count));
    ring_close(&ring);
    return time;
}

static void case_queue(void)
{
    bool threads = strcmp(bench_text("on", "threads"), "threads") == 0;
    bench_repeat("queue", threads ? time_stream : time_ring, 100000, NULL);
}

struct echo {
    struct ring there, back;
    long count;
};

static void ask_or_answer(void *arg, int number)
{
    struct echo *echo = arg;
    for (long i = 0; i < echo->count; i++) {
        if (number == 0) {
            ring_put(&echo->there, i);
            bench_expect("the answer", ring_get(&echo->back), i + 1);
        } else {
            ring_put(&echo->back, ring_get(&echo->there) + 1);
        }
    }
}

static int64_t time_echoes(long count, void *arg)
{
    (void)arg;
    struct echo echo = { .count = count };
    ring_open(&echo.there, 1);
    ring_open(&echo.back, 1);
    int64_t time = bench_on_threads(2, ask_or_answer, &echo);
    ring_close(&echo.there);
    ring_close(&echo.back);
    return time;
}

static void case_echo(void)
{
    bench_repeat("echo", time_echoes, 10000, NULL);
}

/* ---- mutexes ---- */

static int64_t time_locks(long count, void *arg)
{
    pthread_mutex_t *mutex = arg;
    volatile long counted = 0;
    int64_t start = bench_now();
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(mutex);
        counted++;
        pthread_mutex_unlock(mutex);
    }
    int64_t time = bench_now() - start;
    bench_expect("what was counted", counted, count);
    return time;
}

static void case_mutex(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    bench_repeat("mutex", time_locks, 2000000, &mutex);
}

struct contest {
    pthread_mutex_t mutex;
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
        pthread_mutex_lock(&contest->mutex);
        contest->counted++;
        pthread_mutex_unlock(&contest->mutex);
        done++;
    }
    atomic_fetch_add(&contest->claims, done);
}

static void case_contend(void)
{
    for (long i = bench_number("times", 5); i > 0; i--) {
        struct contest contest = { .mutex = PTHREAD_MUTEX_INITIALIZER };
        int64_t time = bench_on_threads(3, fight_or_watch, &contest);
        bench_expect("what was counted", contest.counted, contest.claims);
        bench_print_each("contend", time, contest.counted);
    }
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "yield", case_yield }, { "spawn", case_spawn },     { "queue", case_queue },       { "echo", case_echo },
        { "mutex", case_mutex }, { "contend", case_contend }, { "about", bench_case_about }, { NULL, NULL },
    };
    return bench_main(argc, argv, cases, bench_known);
}
