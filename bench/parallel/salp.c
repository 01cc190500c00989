/*
 * salp.c - the works by fork and join, and by loops.
 *
 * Each recursion is entered by a function of its own, as docs/parallel.md tells to do.
 *
 * SPDX-License-Identifier: MIT
 */
#include <salp.h>

#include "common/program.h"
#include "work.h"

static salp_pool *pool;

static void must(const char *call, int error)
{
    if (error < 0)
        bench_fail("%s: %s", call, salp_strerror(error));
}

static void open_pool(int workers)
{
    must("salp_pool_open", salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_THREADS, .workers = workers }));
}

static void close_pool(void)
{
    salp_pool_close(pool);
}

static void enter(salp_fork_fn *run, salp_fork_job *job)
{
    must("salp_pool_enter", salp_pool_enter(pool, run, job));
}

/* ---- fib ---- */

struct fib {
    salp_fork_job job;
    int n;
    long result;
};

static long fib(salp_worker *worker, int n);

static void fib_taken(salp_worker *worker, salp_fork_job *job)
{
    struct fib *f = (struct fib *)job;
    f->result = fib(worker, f->n);
}

static long fib(salp_worker *worker, int n)
{
    if (n < 2)
        return n;
    struct fib a = { .n = n - 1 };
    salp_fork(worker, &a.job, fib_taken);
    long b = fib(worker, n - 2);
    return b + (salp_join(worker, &a.job) ? a.result : fib(worker, n - 1));
}

static void fib_root(salp_worker *worker, salp_fork_job *job)
{
    struct fib *f = (struct fib *)job;
    f->result = fib(worker, f->n);
}

static long fib_of(int n)
{
    struct fib f = { .n = n };
    enter(fib_root, &f.job);
    return f.result;
}

/* ---- skynet ---- */

struct skynet {
    salp_fork_job job;
    long first, count, sum;
};

static long skynet(salp_worker *worker, long first, long count);

static void skynet_taken(salp_worker *worker, salp_fork_job *job)
{
    struct skynet *s = (struct skynet *)job;
    s->sum = skynet(worker, s->first, s->count);
}

static long skynet(salp_worker *worker, long first, long count)
{
    if (count == 1)
        return first;
    struct skynet parts[10];
    for (int i = 0; i < 10; i++) {
        parts[i].first = first + i * (count / 10);
        parts[i].count = count / 10;
        salp_fork(worker, &parts[i].job, skynet_taken);
    }
    long sum = 0;
    for (int i = 9; i >= 0; i--)
        sum += salp_join(worker, &parts[i].job) ? parts[i].sum : skynet(worker, first + i * (count / 10), count / 10);
    return sum;
}

static void skynet_root(salp_worker *worker, salp_fork_job *job)
{
    struct skynet *s = (struct skynet *)job;
    s->sum = skynet(worker, s->first, s->count);
}

static long skynet_of(long first, long count)
{
    struct skynet s = { .first = first, .count = count };
    enter(skynet_root, &s.job);
    return s.sum;
}

/* ---- queens ---- */

struct queens {
    salp_fork_job job;
    int n, row;
    struct bench_board board;
    long ways;
};

static long place(salp_worker *worker, const struct bench_board *before, int n, int row);

static void queens_taken(salp_worker *worker, salp_fork_job *job)
{
    struct queens *q = (struct queens *)job;
    q->ways = place(worker, &q->board, q->n, q->row);
}

static long place(salp_worker *worker, const struct bench_board *before, int n, int row)
{
    if (row == n)
        return 1;
    struct queens parts[BENCH_QUEENS_MAX];
    int count = 0;
    for (int column = 0; column < n; column++) {
        if (!bench_board_allows(before, row, column))
            continue;
        struct queens *part = &parts[count++];
        part->n = n;
        part->row = row + 1;
        part->board = *before;
        part->board.column[row] = (signed char)column;
        salp_fork(worker, &part->job, queens_taken);
    }
    long ways = 0;
    while (--count >= 0) {
        struct queens *part = &parts[count];
        ways += salp_join(worker, &part->job) ? part->ways : place(worker, &part->board, n, row + 1);
    }
    return ways;
}

static void queens_root(salp_worker *worker, salp_fork_job *job)
{
    struct queens *q = (struct queens *)job;
    q->ways = place(worker, &q->board, q->n, 0);
}

static long queens_of(int n)
{
    struct queens q = { .n = n };
    enter(queens_root, &q.job);
    return q.ways;
}

/* ---- the tree ---- */

struct tree {
    salp_fork_job job;
    int deepest;
    struct bench_node node;
    long count;
};

static long tree(salp_worker *worker, struct bench_node node, int deepest);

static void tree_taken(salp_worker *worker, salp_fork_job *job)
{
    struct tree *t = (struct tree *)job;
    t->count = tree(worker, t->node, t->deepest);
}

static long tree(salp_worker *worker, struct bench_node node, int deepest)
{
    struct tree parts[BENCH_CHILDREN_MAX];
    int children = bench_node_children(node, deepest);
    for (int i = 0; i < children; i++) {
        parts[i].deepest = deepest;
        parts[i].node = bench_node_child(node, i);
        salp_fork(worker, &parts[i].job, tree_taken);
    }
    long count = 1;
    for (int i = children - 1; i >= 0; i--)
        count += salp_join(worker, &parts[i].job) ? parts[i].count : tree(worker, parts[i].node, deepest);
    return count;
}

static void tree_root(salp_worker *worker, salp_fork_job *job)
{
    struct tree *t = (struct tree *)job;
    t->count = tree(worker, t->node, t->deepest);
}

static long tree_of(struct bench_node root, int deepest)
{
    struct tree t = { .node = root, .deepest = deepest };
    enter(tree_root, &t.job);
    return t.count;
}

/* ---- the product of matrices ---- */

struct product {
    salp_fork_job job;
    const struct bench_product *part;
};

static void product(salp_worker *worker, const struct bench_product *whole);

static void product_taken(salp_worker *worker, salp_fork_job *job)
{
    product(worker, ((struct product *)job)->part);
}

static void product(salp_worker *worker, const struct bench_product *whole)
{
    struct bench_product halves[2];
    switch (bench_product_divide(whole, halves)) {
    case BENCH_WHOLE:
        bench_product_compute(whole);
        break;
    case BENCH_BY_INNER: /* both add to the same */
        product(worker, &halves[0]);
        product(worker, &halves[1]);
        break;
    default: {
        struct product first = { .part = &halves[0] };
        salp_fork(worker, &first.job, product_taken);
        product(worker, &halves[1]);
        if (!salp_join(worker, &first.job))
            product(worker, &halves[0]);
    }
    }
}

static void product_of(const struct bench_product *whole)
{
    struct product p = { .part = whole };
    enter(product_taken, &p.job);
}

/* ---- quicksort ---- */

struct quicksort {
    salp_fork_job job;
    int *items;
    size_t count;
};

static void quicksort(salp_worker *worker, int *items, size_t count);

static void quicksort_taken(salp_worker *worker, salp_fork_job *job)
{
    struct quicksort *q = (struct quicksort *)job;
    quicksort(worker, q->items, q->count);
}

static void quicksort(salp_worker *worker, int *items, size_t count)
{
    if (count <= BENCH_SORT_SMALL) {
        bench_sort(items, count);
        return;
    }
    size_t less, more;
    bench_partition(items, count, &less, &more);
    struct quicksort first = { .items = items, .count = less };
    salp_fork(worker, &first.job, quicksort_taken);
    quicksort(worker, items + more, count - more);
    if (!salp_join(worker, &first.job))
        quicksort(worker, items, less);
}

static void quicksort_of(int *items, size_t count)
{
    struct quicksort q = { .items = items, .count = count };
    enter(quicksort_taken, &q.job);
}

/* ---- loops ---- */

static int square(size_t begin, size_t end, void *arg)
{
    int *items = arg;
    for (size_t i = begin; i < end; i++)
        items[i] *= items[i];
    return 0;
}

static void squares(int *items, size_t count)
{
    must("salp_for", salp_for(pool, 0, count, square, items, NULL));
}

static int add(size_t begin, size_t end, void *result, void *arg)
{
    const double *items = arg;
    double sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += items[i];
    *(double *)result += sum;
    return 0;
}

static void add_sums(void *result, const void *right, void *arg)
{
    (void)arg;
    *(double *)result += *(const double *)right;
}

static double sum(const double *items, size_t count)
{
    double sum = 0;
    must("salp_reduce", salp_reduce(pool, 0, count, sizeof sum, add, add_sums, &sum, (void *)(uintptr_t)items, NULL));
    return sum;
}

static int add_skewed(size_t begin, size_t end, void *result, void *arg)
{
    const size_t *count = arg;
    for (size_t i = begin; i < end; i++)
        *(uint64_t *)result += bench_skewed_item(i, *count);
    return 0;
}

static void add_skewed_sums(void *result, const void *right, void *arg)
{
    (void)arg;
    *(uint64_t *)result += *(const uint64_t *)right;
}

static uint64_t skewed(size_t count)
{
    uint64_t sum = 0;
    must("salp_reduce", salp_reduce(pool, 0, count, sizeof sum, add_skewed, add_skewed_sums, &sum, &count, NULL));
    return sum;
}

/* ---- a sort ---- */

static int compare(const void *a, const void *b, void *arg)
{
    (void)arg;
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

static void sort(int *items, size_t count)
{
    must("salp_sort", salp_sort(pool, items, count, sizeof *items, compare, NULL));
}

/* ---- something tiny ---- */

static volatile long tiny_result;

static void tiny(void)
{
    tiny_result = fib_of(6);
}

const struct bench_ways bench_ways = {
    .name = "compiler",
    .open = open_pool,
    .close = close_pool,
    .fib = fib_of,
    .skynet = skynet_of,
    .queens = queens_of,
    .tree = tree_of,
    .product = product_of,
    .quicksort = quicksort_of,
    .sort = sort,
    .mergesort = sort,
    .squares = squares,
    .sum = sum,
    .skewed = skewed,
    .tiny = tiny,
};
