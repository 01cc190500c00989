/*
 * queues.c - the cases of task-salp about queues.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <salp/queue.h>

#include "salp.h"

static salp_queue *open_queue(long capacity)
{
    salp_queue *queue;
    bench_ok("salp_queue_open", salp_queue_open(&queue, &(salp_queue_options){ .item_size = sizeof(int64_t),
                                                                               .capacity = (size_t)capacity }));
    return queue;
}

/* ---- one way ---- */

struct stream {
    salp_queue *queue;
    int producers, consumers;
    long count;
    _Atomic int64_t sum;
};

/* One of the producers, or after them, of the consumers. */
struct end {
    struct stream *stream;
    int number;
};

static int produce_or_consume(void *arg)
{
    struct end *end = arg;
    struct stream *stream = end->stream;
    if (end->number < stream->producers) {
        for (int64_t i = end->number; i < stream->count; i += stream->producers)
            bench_ok("salp_queue_put", salp_queue_put(stream->queue, &i));
        return 0;
    }
    int64_t sum = 0;
    for (long i = end->number - stream->producers; i < stream->count; i += stream->consumers) {
        int64_t item;
        bench_ok("salp_queue_get", salp_queue_get(stream->queue, &item));
        sum += item;
    }
    atomic_fetch_add(&stream->sum, sum);
    return 0;
}

/* The ends from `first` on, as tasks of this loop. */
static void run_tasks(struct stream *stream, int first, int count)
{
    struct end *ends = calloc((size_t)count, sizeof *ends);
    if (!ends)
        bench_fail("no memory");
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < count; i++) {
        ends[i] = (struct end){ stream, first + i };
        bench_ok("salp_go", salp_go(&group, produce_or_consume, &ends[i]));
    }
    bench_ok("salp_group_close", salp_group_close(&group));
    free(ends);
}

static int run_producers(void *arg)
{
    struct stream *stream = arg;
    run_tasks(stream, 0, stream->producers);
    return 0;
}

static int run_consumers(void *arg)
{
    struct stream *stream = arg;
    run_tasks(stream, stream->producers, stream->consumers);
    return 0;
}

static void on_two_loops(void *arg, int number)
{
    bench_in_task(number == 0 ? run_producers : run_consumers, arg);
}

static void on_a_thread_each(void *arg, int number)
{
    produce_or_consume(&(struct end){ arg, number });
}

static int64_t time_stream(long count, void *arg)
{
    const char *on = arg;
    struct stream stream = { .queue = open_queue(bench_number("capacity", 1024)),
                             .producers = (int)bench_number("producers", 1),
                             .consumers = (int)bench_number("consumers", 1),
                             .count = count };
    int all = stream.producers + stream.consumers;
    int64_t time = bench_now();
    if (strcmp(on, "loop") == 0) {
        run_tasks(&stream, 0, all);
        time = bench_now() - time;
    } else if (strcmp(on, "loops") == 0) {
        time = bench_on_threads(2, on_two_loops, &stream);
    } else if (strcmp(on, "threads") == 0) {
        time = bench_on_threads(all, on_a_thread_each, &stream);
    } else {
        bench_fail("a queue is measured on a loop, on loops or on threads, not on %s", on);
    }
    bench_expect("the sum of the items", stream.sum, bench_sum(count));
    salp_queue_close(stream.queue);
    return time;
}

static int repeat_streams(void *arg)
{
    bench_repeat("queue", time_stream, 1000000, arg);
    return 0;
}

/* on=loop: tasks of one; on=loops: the producers' and the consumers'; on=threads: a plain thread for each. */
void bench_case_queue(void)
{
    char *on = strdup(bench_text("on", "loop"));
    if (on && strcmp(on, "loop") == 0)
        bench_in_task(repeat_streams, on);
    else
        repeat_streams(on);
    free(on);
}

/* ---- there and back ---- */

struct echo {
    salp_queue *there, *back;
    long count;
};

static int answer(void *arg)
{
    struct echo *echo = arg;
    for (long i = 0; i < echo->count; i++) {
        int64_t item;
        bench_ok("salp_queue_get", salp_queue_get(echo->there, &item));
        item++;
        bench_ok("salp_queue_put", salp_queue_put(echo->back, &item));
    }
    return 0;
}

static int64_t time_echoes(long count, void *arg)
{
    (void)arg;
    struct echo echo = { .there = open_queue(1), .back = open_queue(1), .count = count };
    salp_group group;
    salp_group_open(&group);
    bench_ok("salp_go", salp_go(&group, answer, &echo));
    int64_t start = bench_now();
    for (int64_t i = 0; i < count; i++) {
        int64_t item;
        bench_ok("salp_queue_put", salp_queue_put(echo.there, &i));
        bench_ok("salp_queue_get", salp_queue_get(echo.back, &item));
        bench_expect("the answer", item, i + 1);
    }
    int64_t time = bench_now() - start;
    bench_ok("salp_group_close", salp_group_close(&group));
    salp_queue_close(echo.there);
    salp_queue_close(echo.back);
    return time;
}

static int repeat_echoes(void *arg)
{
    bench_repeat("echo", time_echoes, 200000, arg);
    return 0;
}

void bench_case_echo(void)
{
    bench_in_task(repeat_echoes, NULL);
}
