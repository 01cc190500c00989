/*
 * ticker.c - a map on processes, and a line that tells how long it has gone on.
 *
 *     cc ticker.c $(pkg-config --cflags --libs salp) -o ticker
 *
 * Two tasks in one thread: salp_map suspends the one that calls it, and the other goes on ticking. A scope gives the
 * whole a deadline.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>

#include <salp.h>

enum { COUNT = 40 };

typedef struct work {
    salp_pool *pool;
    long sums[COUNT];
    bool over;
} work;

/* Some tens of milliseconds of work. */
static int sum_of_digits(const void *in, void *out, void *context)
{
    long n = *(const int *)in * 1000000L, sum = 0;
    (void)context;
    for (long i = n; i < n + 1000000; i++) {
        for (long rest = i; rest > 0; rest /= 10)
            sum += rest % 10;
    }
    *(long *)out = sum;
    return 0;
}

static int tick(void *arg)
{
    const work *w = arg;
    int result = 0;
    for (int ticks = 1; !w->over && result == 0; ticks++) {
        result = salp_sleep(SALP_MILLISECONDS(100));
        if (!w->over && result == 0) {
            fprintf(stderr, "\r%d.%d s", ticks / 10, ticks % 10);
            fflush(stderr);
        }
    }
    return result;
}

static int all(void *arg)
{
    work *w = arg;
    int numbers[COUNT];
    salp_scope scope;
    salp_group group;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    salp_scope_open(&scope, SALP_SECONDS(60));
    salp_group_open(&group);
    int result = salp_go(&group, tick, w);
    if (result == 0)
        result = salp_map(w->pool, sum_of_digits, numbers, sizeof *numbers, w->sums, sizeof *w->sums, COUNT, NULL);
    w->over = true;
    salp_group_cancel(&group); /* the ticker sleeps: no need to wait for it */
    salp_group_close(&group);
    salp_scope_close(&scope);
    fprintf(stderr, "\r");
    return result;
}

int main(void)
{
    static work w;
    int result = salp_pool_open(&w.pool, &(salp_pool_options){ .engine = SALP_PROCESSES });
    if (result == 0)
        result = salp_run(all, &w);
    salp_pool_close(w.pool);
    if (result < 0) {
        fprintf(stderr, "ticker: %s\n", salp_strerror(result));
        return 1;
    }
    long sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += w.sums[i];
    printf("the digits of all numbers below %d million sum to %ld\n", COUNT, sum);
    return 0;
}
