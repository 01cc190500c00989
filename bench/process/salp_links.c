/*
 * salp_links.c - messages over Salp's shared queues and pipes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <salp/pipe.h>
#include <salp/queue.h>

#include "salp.h"

/* ---- queue ---- */

struct queues {
    salp_queue *to[2]; /* each side */
};

static void *open_queues(size_t size, size_t capacity)
{
    struct queues *queues = malloc(sizeof *queues);
    bench_must("malloc", queues != NULL);
    for (int side = 0; side < 2; side++)
        bench_ok("salp_queue_open",
                 salp_queue_open(&queues->to[side],
                                 &(salp_queue_options){ .item_size = size, .capacity = capacity, .shared = true }));
    return queues;
}

static void put(void *link, int side, const void *message)
{
    struct queues *queues = link;
    bench_ok("salp_queue_put", salp_queue_put(queues->to[!side], message));
}

static void *get(void *link, int side, void *room)
{
    struct queues *queues = link;
    bench_ok("salp_queue_get", salp_queue_get(queues->to[side], room));
    return room;
}

static void close_queues(void *link)
{
    struct queues *queues = link;
    for (int side = 0; side < 2; side++)
        salp_queue_close(queues->to[side]);
    free(queues);
}

const struct bench_link bench_salp_queue_link = { "queue", open_queues, put, get, close_queues };

/* ---- pipe ---- */

struct pipe {
    size_t size;
    salp_pipe *ends[2];
    salp_buffer buffer; /* what was received last; one in each process */
};

static void *open_pipe(size_t size, size_t capacity)
{
    (void)capacity;
    struct pipe *pipe = calloc(1, sizeof *pipe);
    bench_must("calloc", pipe != NULL);
    pipe->size = size;
    bench_ok("salp_pipe_open", salp_pipe_open(&pipe->ends[0], &pipe->ends[1]));
    return pipe;
}

static void send(void *link, int side, const void *message)
{
    struct pipe *pipe = link;
    bench_ok("salp_pipe_send", salp_pipe_send(pipe->ends[side], message, pipe->size));
}

static void *receive(void *link, int side, void *room)
{
    (void)room;
    struct pipe *pipe = link;
    bench_ok("salp_pipe_receive", salp_pipe_receive(pipe->ends[side], &pipe->buffer));
    bench_expect("the size of a message", (int64_t)pipe->buffer.size, (int64_t)pipe->size);
    return pipe->buffer.data;
}

static void close_pipe(void *link)
{
    struct pipe *pipe = link;
    for (int side = 0; side < 2; side++)
        salp_pipe_close(pipe->ends[side]);
    salp_buffer_free(&pipe->buffer);
    free(pipe);
}

const struct bench_link bench_salp_pipe_link = { "pipe", open_pipe, send, receive, close_pipe };
