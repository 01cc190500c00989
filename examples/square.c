/*
 * square.c - the first program: one function, fourteen inputs, five worker processes.
 *
 *     cc square.c $(pkg-config --cflags --libs salp) -o square
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <salp.h>

enum { COUNT = 14 };

/* The job: reads one input, writes one result. 0 is success; a negative number would be this item's error. */
static int square(const void *in, void *out, void *context)
{
    (void)context;
    int x = *(const int *)in;
    *(int *)out = x * x;
    return 0;
}

static void print_numbers(const char *title, const int numbers[COUNT])
{
    printf("%s: [", title);
    for (int i = 0; i < COUNT; i++)
        printf("%s%d", i == 0 ? "" : ", ", numbers[i]);
    printf("]\n");
}

int main(void)
{
    int dataset[COUNT], result[COUNT];
    for (int i = 0; i < COUNT; i++)
        dataset[i] = i + 1;

    /* For threads instead of processes, change one word: .engine = SALP_THREADS. */
    salp_pool *pool;
    int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 5 });
    if (error < 0) {
        fprintf(stderr, "square: cannot open a pool: %s\n", salp_strerror(error));
        return 1;
    }

    /* Three items are handed to a worker at a time. Without options the pool chooses. */
    error = salp_map(pool, square, dataset, sizeof *dataset, result, sizeof *result, COUNT,
                     &(salp_map_options){ .chunk = 3 });
    salp_pool_close(pool);
    if (error < 0) {
        fprintf(stderr, "square: %s\n", salp_strerror(error));
        return 1;
    }

    print_numbers("Dataset", dataset);
    print_numbers("Result", result);
    return 0;
}
