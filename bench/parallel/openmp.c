/*
 * openmp.c - the works by tasks and loops of OpenMP, as programs are written that use it: one thread of a team begins,
 * and a task is made for each part but the last. Nothing is cut off: neither are Salp's programs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <omp.h>

#include "work.h"

static void open_team(int workers)
{
    omp_set_dynamic(0);
    omp_set_num_threads(workers);
}

static long fib(int n)
{
    if (n < 2)
        return n;
    long a, b;
#pragma omp task shared(a)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static long fib_of(int n)
{
    long result = 0;
#pragma omp parallel
#pragma omp single
    result = fib(n);
    return result;
}

static long skynet(long first, long count)
{
    if (count == 1)
        return first;
    long sums[10], sum = 0;
    for (int i = 0; i < 10; i++) {
#pragma omp task shared(sums)
        sums[i] = skynet(first + i * (count / 10), count / 10);
    }
#pragma omp taskwait
    for (int i = 0; i < 10; i++)
        sum += sums[i];
    return sum;
}

static long skynet_of(long first, long count)
{
    long result = 0;
#pragma omp parallel
#pragma omp single
    result = skynet(first, count);
    return result;
}

static long place(const struct bench_board *before, int n, int row)
{
    if (row == n)
        return 1;
    long parts[BENCH_QUEENS_MAX], ways = 0;
    int count = 0;
    for (int column = 0; column < n; column++) {
        if (!bench_board_allows(before, row, column))
            continue;
        struct bench_board board = *before;
        board.column[row] = (signed char)column;
        int part = count++;
#pragma omp task shared(parts) firstprivate(board)
        parts[part] = place(&board, n, row + 1);
    }
#pragma omp taskwait
    for (int i = 0; i < count; i++)
        ways += parts[i];
    return ways;
}

static long queens_of(int n)
{
    long result = 0;
#pragma omp parallel
#pragma omp single
    result = place(&(struct bench_board){ 0 }, n, 0);
    return result;
}

static long tree(struct bench_node node, int deepest)
{
    long parts[BENCH_CHILDREN_MAX], count = 1;
    int children = bench_node_children(node, deepest);
    for (int i = 0; i < children; i++) {
#pragma omp task shared(parts)
        parts[i] = tree(bench_node_child(node, i), deepest);
    }
#pragma omp taskwait
    for (int i = 0; i < children; i++)
        count += parts[i];
    return count;
}

static long tree_of(struct bench_node root, int deepest)
{
    long result = 0;
#pragma omp parallel
#pragma omp single
    result = tree(root, deepest);
    return result;
}

static void product(const struct bench_product *whole)
{
    struct bench_product halves[2];
    switch (bench_product_divide(whole, halves)) {
    case BENCH_WHOLE:
        bench_product_compute(whole);
        break;
    case BENCH_BY_INNER:
        product(&halves[0]);
        product(&halves[1]);
        break;
    default:
#pragma omp task shared(halves)
        product(&halves[0]);
        product(&halves[1]);
#pragma omp taskwait
    }
}

static void product_of(const struct bench_product *whole)
{
#pragma omp parallel
#pragma omp single
    product(whole);
}

static void quicksort(int *items, size_t count)
{
    if (count <= BENCH_SORT_SMALL) {
        bench_sort(items, count);
        return;
    }
    size_t less, more;
    bench_partition(items, count, &less, &more);
#pragma omp task
    quicksort(items, less);
    quicksort(items + more, count - more);
#pragma omp taskwait
}

static void quicksort_of(int *items, size_t count)
{
#pragma omp parallel
#pragma omp single
    quicksort(items, count);
}

static void squares(int *items, size_t count)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < count; i++)
        items[i] *= items[i];
}

static double sum(const double *items, size_t count)
{
    double sum = 0;
#pragma omp parallel for simd reduction(+ : sum) schedule(static)
    for (size_t i = 0; i < count; i++)
        sum += items[i];
    return sum;
}

static uint64_t skewed(size_t count)
{
    uint64_t sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(guided)
    for (size_t i = 0; i < count; i++)
        sum += bench_skewed_item(i, count);
    return sum;
}

static volatile long tiny_result;

static void tiny(void)
{
    tiny_result = fib_of(6);
}

const struct bench_ways bench_ways = {
    .name = "OpenMP of the compiler",
    .open = open_team,
    .fib = fib_of,
    .skynet = skynet_of,
    .queens = queens_of,
    .tree = tree_of,
    .product = product_of,
    .quicksort = quicksort_of,
    .squares = squares,
    .sum = sum,
    .skewed = skewed,
    .tiny = tiny,
};
