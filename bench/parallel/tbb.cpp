/*
 * tbb.cpp - the works by oneTBB: groups of tasks, and its loops and its sort. Nothing is cut off: neither are Salp's
 * programs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_group.h>
#include <tbb/version.h>

#include "work.h"

namespace
{

std::optional<tbb::global_control> control;

void open_arena(int workers)
{
    control.emplace(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(workers));
}

void close_arena()
{
    control.reset();
}

long fib(int n)
{
    if (n < 2)
        return n;
    long a = 0;
    tbb::task_group group;
    group.run([&a, n] { a = fib(n - 1); });
    long b = fib(n - 2);
    group.wait();
    return a + b;
}

long skynet(long first, long count)
{
    if (count == 1)
        return first;
    long sums[10], sum = 0;
    tbb::task_group group;
    for (int i = 0; i < 10; i++)
        group.run([&sums, first, count, i] { sums[i] = skynet(first + i * (count / 10), count / 10); });
    group.wait();
    for (long part : sums)
        sum += part;
    return sum;
}

long place(const bench_board &before, int n, int row)
{
    if (row == n)
        return 1;
    long parts[BENCH_QUEENS_MAX], ways = 0;
    int count = 0;
    tbb::task_group group;
    for (int column = 0; column < n; column++) {
        if (!bench_board_allows(&before, row, column))
            continue;
        bench_board board = before;
        board.column[row] = static_cast<signed char>(column);
        int part = count++;
        group.run([&parts, board, part, n, row] { parts[part] = place(board, n, row + 1); });
    }
    group.wait();
    for (int i = 0; i < count; i++)
        ways += parts[i];
    return ways;
}

long queens(int n)
{
    return place(bench_board{}, n, 0);
}

long tree(bench_node node, int deepest)
{
    long parts[BENCH_CHILDREN_MAX], count = 1;
    int children = bench_node_children(node, deepest);
    tbb::task_group group;
    for (int i = 0; i < children; i++)
        group.run([&parts, node, i, deepest] { parts[i] = tree(bench_node_child(node, i), deepest); });
    group.wait();
    for (int i = 0; i < children; i++)
        count += parts[i];
    return count;
}

void product(const bench_product *whole)
{
    bench_product halves[2];
    switch (bench_product_divide(whole, halves)) {
    case BENCH_WHOLE:
        bench_product_compute(whole);
        break;
    case BENCH_BY_INNER:
        product(&halves[0]);
        product(&halves[1]);
        break;
    default:
        tbb::task_group group;
        group.run([&halves] { product(&halves[0]); });
        product(&halves[1]);
        group.wait();
    }
}

void quicksort(int *items, size_t count)
{
    if (count <= BENCH_SORT_SMALL) {
        bench_sort(items, count);
        return;
    }
    size_t less, more;
    bench_partition(items, count, &less, &more);
    tbb::task_group group;
    group.run([items, less] { quicksort(items, less); });
    quicksort(items + more, count - more);
    group.wait();
}

void sort(int *items, size_t count)
{
    tbb::parallel_sort(items, items + count);
}

using range = tbb::blocked_range<size_t>;

void squares(int *items, size_t count)
{
    tbb::parallel_for(range(0, count), [items](const range &part) {
        for (size_t i = part.begin(); i != part.end(); i++)
            items[i] *= items[i];
    });
}

double sum(const double *items, size_t count)
{
    return tbb::parallel_reduce(
        range(0, count), 0.0,
        [items](const range &part, double sum) {
            for (size_t i = part.begin(); i != part.end(); i++)
                sum += items[i];
            return sum;
        },
        std::plus<double>());
}

uint64_t skewed(size_t count)
{
    return tbb::parallel_reduce(
        range(0, count), uint64_t{ 0 },
        [count](const range &part, uint64_t sum) {
            for (size_t i = part.begin(); i != part.end(); i++)
                sum += bench_skewed_item(i, count);
            return sum;
        },
        std::plus<uint64_t>());
}

volatile long tiny_result;

void tiny()
{
    tiny_result = fib(6);
}

struct bench_ways ways()
{
    struct bench_ways made = {};
    std::snprintf(made.name, sizeof made.name, "oneTBB %d.%d", TBB_VERSION_MAJOR, TBB_VERSION_MINOR);
    made.open = open_arena;
    made.close = close_arena;
    made.fib = fib;
    made.skynet = skynet;
    made.queens = queens;
    made.tree = tree;
    made.product = product;
    made.quicksort = quicksort;
    made.sort = sort;
    made.squares = squares;
    made.sum = sum;
    made.skewed = skewed;
    made.tiny = tiny;
    return made;
}

} // namespace

const struct bench_ways bench_ways = ways();
