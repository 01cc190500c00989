/*
 * work.h - what the programs of this benchmark have in common: a case for each work, and what is not the peer's business.
 *
 * Each program says in `bench_ways` how the work is done there: in turn, or by what it has for parallel work. The rest is
 * the same in all, and compiled once (work.c): arguments, data, clocks, checks, and the innermost loops. A program is
 *
 *     parallel-NAME CASE workers=2 size=... times=1
 *
 * and prints "CASE NANOSECONDS" so often, and "peak BYTES", the most memory that it had. Or
 *
 *     parallel-NAME tiny milliseconds=2000
 *
 * which begins a tiny job each millisecond, and prints the nanoseconds that all that took ("elapsed"), those of processors
 * ("used"), and how often a thread fell asleep ("slept").
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PARALLEL_WORK_H
#define BENCH_PARALLEL_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- queens: those in the rows before must not threaten a new one ---- */

enum { BENCH_QUEENS_MAX = 16 };

struct bench_board {
    signed char column[BENCH_QUEENS_MAX]; /* of the queen in each row */
};

static inline bool bench_board_allows(const struct bench_board *board, int row, int column)
{
    for (int i = 0; i < row; i++) {
        int across = board->column[i] - column;
        if (across == 0 || across == row - i || across == i - row)
            return false;
    }
    return true;
}

/* ---- an unbalanced tree: a node is a random number, which says how many children it has ---- */

enum { BENCH_CHILDREN_MAX = 64 };

struct bench_node {
    uint64_t random;
    int depth;
};

static inline struct bench_node bench_node_child(struct bench_node node, int index)
{
    uint64_t x = node.random + 0x9e3779b97f4a7c15u * ((uint64_t)index + 1);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    struct bench_node child = { x ^ (x >> 31), node.depth + 1 };
    return child;
}

/* Four on average, with a geometric distribution, and none at the depth of `deepest`. */
static inline int bench_node_children(struct bench_node node, int deepest)
{
    int count = 0;
    double drawn = (double)(node.random >> 11) * 0x1p-53;
    for (double more = 0.8; node.depth < deepest && drawn < more && count < BENCH_CHILDREN_MAX; more *= 0.8)
        count++;
    return count;
}

/* ---- a product of matrices: it is divided until it is small ---- */

/* c += a b, where a has `rows` rows, b has `columns` columns, and each is a part of a matrix of `width` columns. */
struct bench_product {
    double *c;
    const double *a, *b;
    size_t rows, inner, columns, width;
};

enum { BENCH_WHOLE, BENCH_BY_ROWS, BENCH_BY_COLUMNS, BENCH_BY_INNER };

/* How it is divided next. The halves may be computed at the same time, save for those of BY_INNER. */
int bench_product_divide(const struct bench_product *product, struct bench_product halves[2]);
void bench_product_compute(const struct bench_product *product);

/* ---- quicksort ---- */

enum { BENCH_SORT_SMALL = 4096 };

/* Moves the lesser items before the greater ones: [0, *less) are at most what [*more, count) are at least, and what is
   between is in its place. */
void bench_partition(int *items, size_t count, size_t *less, size_t *more);
/* All of it in turn. */
void bench_sort(int *items, size_t count);

/* ---- items of a loop ---- */

/* The first hundredth of them takes 1000 times as long as the others. */
uint64_t bench_skewed_item(size_t index, size_t count);

/* ---- what a program is ---- */

/* Those that are NULL it does not have. */
struct bench_ways {
    char name[32]; /* and version */
    void (*open)(int workers);
    void (*close)(void);
    long (*fib)(int n);
    long (*skynet)(long first, long count); /* the sum of the numbers: ten parts of ten parts ... */
    long (*queens)(int n);
    long (*tree)(struct bench_node root, int deepest); /* how many nodes it has */
    void (*product)(const struct bench_product *product);
    void (*quicksort)(int *items, size_t count);
    void (*sort)(int *items, size_t count);      /* whatever there is for that */
    void (*mergesort)(int *items, size_t count); /* salp_sort, and the same in turn */
    void (*squares)(int *items, size_t count);
    double (*sum)(const double *items, size_t count);
    uint64_t (*skewed)(size_t count); /* the sum of its items */
    void (*tiny)(void);
};

extern const struct bench_ways bench_ways;

#ifdef __cplusplus
}
#endif

#endif
