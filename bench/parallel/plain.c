/*
 * plain.c - the sequential twin: the same work in turn, without a thought of anybody else.
 *
 * It is built twice: as the compiler likes it, and with RECURSE, where it may not put calls of a function into the function
 * itself. The compiler does that to fib and skynet so deeply that most calls are gone, which it cannot do where a call may
 * become somebody else's work. So it is the second one that says what a fork costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "mergesort.h"
#include "work.h"

#if !defined RECURSE
#define RECURSIVE
#elif defined __clang__ /* makes no clones of functions */
#define RECURSIVE __attribute__((noinline))
#else
#define RECURSIVE __attribute__((noinline, noclone))
#endif

RECURSIVE static long fib(int n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

RECURSIVE static long skynet(long first, long count)
{
    if (count == 1)
        return first;
    long sum = 0;
    for (long i = 0; i < 10; i++)
        sum += skynet(first + i * (count / 10), count / 10);
    return sum;
}

RECURSIVE static long place(const struct bench_board *before, int n, int row)
{
    if (row == n)
        return 1;
    long ways = 0;
    for (int column = 0; column < n; column++) {
        if (!bench_board_allows(before, row, column))
            continue;
        struct bench_board board = *before;
        board.column[row] = (signed char)column;
        ways += place(&board, n, row + 1);
    }
    return ways;
}

static long queens(int n)
{
    return place(&(struct bench_board){ 0 }, n, 0);
}

RECURSIVE static long tree(struct bench_node node, int deepest)
{
    long count = 1;
    int children = bench_node_children(node, deepest);
    for (int i = 0; i < children; i++)
        count += tree(bench_node_child(node, i), deepest);
    return count;
}

static void product(const struct bench_product *whole)
{
    struct bench_product halves[2];
    if (bench_product_divide(whole, halves) == BENCH_WHOLE) {
        bench_product_compute(whole);
    } else {
        product(&halves[0]);
        product(&halves[1]);
    }
}

static int compare(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

static void sort(int *items, size_t count)
{
    qsort(items, count, sizeof *items, compare);
}

static int compare_with(const void *a, const void *b, void *arg)
{
    (void)arg;
    return compare(a, b);
}

static void mergesort(int *items, size_t count)
{
    bench_mergesort(items, count, compare_with, NULL);
}

static void squares(int *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i] *= items[i];
}

/* The order of adding is left to the compiler (bench/meson.build), as it is in all the programs: else nothing here is faster
   than the latency of one addition. */
static double sum(const double *items, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += items[i];
    return sum;
}

static uint64_t skewed(size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += bench_skewed_item(i, count);
    return sum;
}

static volatile long tiny_result;

static void tiny(void)
{
    tiny_result = fib(6);
}

const struct bench_ways bench_ways = {
    .name = "compiler",
    .fib = fib,
    .skynet = skynet,
    .queens = queens,
    .tree = tree,
    .product = product,
    .quicksort = bench_sort,
    .sort = sort,
    .mergesort = mergesort,
    .squares = squares,
    .sum = sum,
    .skewed = skewed,
    .tiny = tiny,
};
