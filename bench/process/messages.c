/*
 * messages.c - the cases stream and echo; see measure.h.
 *
 * A message carries a number at its beginning and at its end. Numbers are counted up, so that each loss, each
 * exchange and each torn message shows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "messages.h"

#include <stdlib.h>
#include <string.h>

#include "measure.h"

static const int64_t END = -1; /* the number of the last message of one time */

struct exchange {
    const struct bench_link *kind;
    void *link;
    size_t size;
    int64_t pause; /* nanoseconds */
    char *room;    /* for one message; a copy of it in each process */
};

static struct exchange open_exchange(const struct bench_link *const links[])
{
    const char *over = bench_text("over", "");
    while (*links && strcmp((*links)->name, over) != 0)
        links++;
    if (!*links)
        bench_fail("messages are not sent over=%s here", over);
    struct exchange exchange = { .kind = *links,
                                 .size = (size_t)bench_number("size", 8),
                                 .pause = 1000 * (int64_t)bench_number("pause", 0) };
    if (exchange.size < sizeof END)
        bench_fail("a message has %zu bytes at least", sizeof END);
    bench_must("malloc", (exchange.room = malloc(exchange.size)) != NULL);
    memset(exchange.room, 0x5a, exchange.size); /* pages of its own: the page of zeros would lie in the caches */
    exchange.link = exchange.kind->open(exchange.size, (size_t)bench_number("capacity", 1024));
    return exchange;
}

static void close_exchange(struct exchange *exchange)
{
    exchange->kind->close(exchange->link);
    free(exchange->room);
}

static void send_number(struct exchange *exchange, int side, int64_t number)
{
    memcpy(exchange->room, &number, sizeof number);
    memcpy(exchange->room + exchange->size - sizeof number, &number, sizeof number);
    exchange->kind->send(exchange->link, side, exchange->room);
}

static int64_t receive_number(struct exchange *exchange, int side)
{
    const char *message = exchange->kind->receive(exchange->link, side, exchange->room);
    int64_t first, last;
    memcpy(&first, message, sizeof first);
    memcpy(&last, message + exchange->size - sizeof last, sizeof last);
    bench_expect("the number at the end of a message", last, first);
    return first;
}

/* Whether the time is over, after so many messages, one at least. A look at the clock takes longer than a short one. */
static bool is_over(const struct exchange *exchange, int64_t count, int64_t until)
{
    return count > 0 && (exchange->pause > 0 || exchange->size > 4096 || count % 64 == 0) && bench_now() >= until;
}

/* ---- one way ---- */

static struct bench_done produce_or_consume(void *arg, int side, int64_t until)
{
    struct exchange *exchange = arg;
    int64_t count = 0;
    if (side == 0) {
        while (!is_over(exchange, count, until))
            send_number(exchange, side, count++);
        send_number(exchange, side, END);
        return (struct bench_done){ 0 };
    }
    for (int64_t number; (number = receive_number(exchange, side)) != END; count++)
        bench_expect("the number of a message", number, count);
    return (struct bench_done){ .count = (long)count };
}

void bench_stream(const struct bench_link *const links[])
{
    struct exchange exchange = open_exchange(links);
    bench_both("stream", BENCH_PROCESSES, produce_or_consume, &exchange);
    close_exchange(&exchange);
}

/* ---- there and back ---- */

static struct bench_done ask(struct exchange *exchange, int64_t until)
{
    struct bench_done done = { 0 };
    for (; !is_over(exchange, done.count, until); done.count++) {
        int64_t start = 0;
        if (exchange->pause > 0) {
            bench_pause(exchange->pause);
            start = bench_now();
        }
        send_number(exchange, 0, 2 * done.count);
        bench_expect("the answer", receive_number(exchange, 0), 2 * done.count + 1);
        if (exchange->pause > 0)
            done.nanoseconds += bench_now() - start;
    }
    send_number(exchange, 0, END);
    return done;
}

static struct bench_done ask_or_answer(void *arg, int side, int64_t until)
{
    struct exchange *exchange = arg;
    if (side == 0)
        return ask(exchange, until);
    for (int64_t number; (number = receive_number(exchange, side)) != END;)
        send_number(exchange, side, number + 1);
    return (struct bench_done){ 0 };
}

void bench_echo(const struct bench_link *const links[])
{
    struct exchange exchange = open_exchange(links);
    bench_both("echo", BENCH_PROCESSES, ask_or_answer, &exchange);
    close_exchange(&exchange);
}
