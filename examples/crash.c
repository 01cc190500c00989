/*
 * crash.c - what a fault costs: twenty items, six of which go wrong, each in its own way.
 *
 * Every other item gets its result, and each of the six comes back with what is known about its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp.h>

enum { COUNT = 20 };

#define MEBIBYTE ((size_t)1 << 20)

/* ---- six ways to fail; volatile keeps the compiler from seeing through them ---- */

static int *volatile nowhere;
static volatile unsigned long turns;

/* Meant as it stands, so a sanitizer is not to step in. */
static __attribute__((noinline, no_sanitize("undefined"))) void write_through_null(void)
{
    *nowhere = 1;
}

static __attribute__((noinline)) void recurse_for_ever(volatile int *above)
{
    volatile int here[256];
    here[0] = *above + 1;
    if (here[0] > 0)
        recurse_for_ever(here);
    turns += (unsigned)here[0];
}

static __attribute__((noinline)) void loop_for_ever(void)
{
    for (;;)
        turns++;
}

/* Stops by itself at 4 GiB, in case nobody else does. */
static __attribute__((noinline)) void eat_memory(void)
{
    for (int i = 0; i < 4096; i++) {
        char *volatile memory = malloc(MEBIBYTE);
        if (memory)
            memset(memory, 1, MEBIBYTE);
    }
}

/* ---- the job ---- */

static int square_or_fail(const void *in, void *out, void *context)
{
    (void)context;
    int x = *(const int *)in;
    volatile int start = 0;
    switch (x) {
    case 3:
        write_through_null();
        break;
    case 6:
        recurse_for_ever(&start);
        break;
    case 9:
        abort();
    case 12:
        exit(3);
    case 15:
        loop_for_ever();
        break;
    case 18:
        eat_memory();
        break;
    default:
        break;
    }
    *(int *)out = x * x;
    return 0;
}

/* ---- what came back ---- */

/* Called once for each failed item, in the order in which they fail. The failure is valid during this call only. */
static void tell(const salp_failure *failure, void *arg)
{
    (void)arg;
    printf("item %zu: %s", failure->index,
           failure->error == -ETIMEDOUT ? "it ran past its time limit" : salp_strerror(failure->error));
    if (failure->error == SALP_ECRASHED && failure->signal != 0) {
        printf(", killed by signal %d (%s)", failure->signal, strsignal(failure->signal));
        if (failure->signal == SIGSEGV || failure->signal == SIGBUS)
            printf(" at address 0x%lx", (unsigned long)failure->address);
    } else if (failure->error == SALP_ECRASHED && failure->exit_status >= 0) {
        printf(", exited with status %d", failure->exit_status);
    }
    printf("\n");

    /* The first frames are enough here; a recursion has many. */
    const char *line = failure->backtrace;
    for (int frame = 0; frame < 6 && *line; frame++) {
        int length = (int)strcspn(line, "\n");
        printf("    %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
}

int main(void)
{
    int in[COUNT], out[COUNT] = { 0 }, errors[COUNT] = { 0 };
    for (int i = 0; i < COUNT; i++)
        in[i] = i;

    salp_pool *pool;
    int error = salp_pool_open(&pool, &(salp_pool_options){
                                          .engine = SALP_PROCESSES,
                                          .item_timeout = SALP_SECONDS(1),
                                          .memory_limit = 32 * MEBIBYTE,
                                      });
    if (error < 0) {
        fprintf(stderr, "crash: cannot open a pool: %s\n", salp_strerror(error));
        return 1;
    }

    /* With .errors every item is run; without it the first failure would stop the map. */
    error = salp_map(pool, square_or_fail, in, sizeof *in, out, sizeof *out, COUNT,
                     &(salp_map_options){ .errors = errors, .on_failure = tell });
    printf("the map returned: %s\n", salp_strerror(error));

    int results = 0;
    printf("results:");
    for (int i = 0; i < COUNT; i++) {
        if (errors[i] < 0) {
            printf(" -");
        } else {
            printf(" %d", out[i]);
            results++;
        }
    }
    printf("\n%d of %d items have their result\n", results, COUNT);

    /* The workers that died were replaced: the pool works on. */
    int answer = 0;
    error = salp_apply(pool, square_or_fail, &(int){ 20 }, sizeof(int), &answer, sizeof answer, NULL);
    printf("one more item: %d\n", error < 0 ? error : answer);
    salp_pool_close(pool);
    return 0;
}
