/*
 * producer.c - one task makes numbers, another takes them apart; a bounded queue lies between them.
 *
 *     cc producer.c $(pkg-config --cflags --libs salp) -o producer
 *
 * The queue has room for three. The producer waits while it is full, so it is never more than three numbers ahead,
 * however slow the consumer is. When it has no more, it shuts the queue down: the consumer gets what is still in there,
 * and then -EPIPE, which is its sign to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include <salp.h>

enum { FIRST = 90, LAST = 99, ROOM = 3 };

typedef struct line {
    salp_queue *numbers;
    size_t most; /* that the queue has held */
} line;

static int produce(void *arg)
{
    line *l = arg;
    int result = 0;
    for (int n = FIRST; n <= LAST && result == 0; n++) {
        result = salp_queue_put(l->numbers, &n); /* copies it; waits while there is no room */
        if (salp_queue_count(l->numbers) > l->most)
            l->most = salp_queue_count(l->numbers);
    }
    salp_queue_shutdown(l->numbers); /* also after a failure, else the consumer would wait for ever */
    return result;
}

static void print_factors(int n)
{
    printf("%d =", n);
    for (int factor = 2; n > 1; factor++) {
        for (; n % factor == 0; n /= factor)
            printf(" %d%s", factor, n > factor ? " *" : "\n");
    }
}

static int consume(void *arg)
{
    line *l = arg;
    int n, result;
    while ((result = salp_queue_get(l->numbers, &n)) == 0) {
        salp_sleep(SALP_MILLISECONDS(1)); /* slower than the producer */
        print_factors(n);
    }
    return result == -EPIPE ? 0 : result; /* shut down and empty: all is done */
}

static int both(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    int result = salp_go(&group, consume, arg);
    if (result == 0)
        result = salp_go(&group, produce, arg);
    if (result < 0)
        salp_group_cancel(&group); /* a consumer without a producer would wait for ever */
    int failure = salp_group_close(&group);
    return result < 0 ? result : failure;
}

int main(void)
{
    line l = { 0 };
    int result = salp_queue_open(&l.numbers, &(salp_queue_options){ .item_size = sizeof(int), .capacity = ROOM });
    if (result == 0)
        result = salp_run(both, &l);
    salp_queue_close(l.numbers);
    if (result < 0) {
        fprintf(stderr, "producer: %s\n", salp_strerror(result));
        return 1;
    }
    printf("the queue held %zu at most\n", l.most);
    return 0;
}
