/* What the programs of this benchmark have in common; see work.h. SPDX-License-Identifier: MIT */
#include "work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/program.h"

static const char *const known[] = { "workers", "size", "times", "milliseconds", NULL };

/* ---- the innermost loops ---- */

enum { PRODUCT_SMALL = 32 };

int bench_product_divide(const struct bench_product *product, struct bench_product halves[2])
{
    size_t rows = product->rows, inner = product->inner, columns = product->columns, width = product->width;
    halves[0] = halves[1] = *product;
    if (rows <= PRODUCT_SMALL && inner <= PRODUCT_SMALL && columns <= PRODUCT_SMALL)
        return BENCH_WHOLE;
    if (rows >= inner && rows >= columns) {
        halves[0].rows = rows / 2;
        halves[1].rows = rows - rows / 2;
        halves[1].a += rows / 2 * width;
        halves[1].c += rows / 2 * width;
        return BENCH_BY_ROWS;
    }
    if (columns >= inner) {
        halves[0].columns = columns / 2;
        halves[1].columns = columns - columns / 2;
        halves[1].b += columns / 2;
        halves[1].c += columns / 2;
        return BENCH_BY_COLUMNS;
    }
    halves[0].inner = inner / 2;
    halves[1].inner = inner - inner / 2;
    halves[1].a += inner / 2;
    halves[1].b += inner / 2 * width;
    return BENCH_BY_INNER;
}

/* Four rows of b at once: so c is read and written a quarter as often. */
void bench_product_compute(const struct bench_product *product)
{
    size_t columns = product->columns, width = product->width, inner = product->inner;
    for (size_t i = 0; i < product->rows; i++) {
        double *restrict c = product->c + i * width;
        const double *a = product->a + i * width, *b = product->b;
        size_t k = 0;
        for (; k + 4 <= inner; k += 4, b += 4 * width)
            for (size_t j = 0; j < columns; j++)
                c[j] +=
                    a[k] * b[j] + a[k + 1] * b[width + j] + a[k + 2] * b[2 * width + j] + a[k + 3] * b[3 * width + j];
        for (; k < inner; k++, b += width)
            for (size_t j = 0; j < columns; j++)
                c[j] += a[k] * b[j];
    }
}

static void exchange(int *a, int *b)
{
    int kept = *a;
    *a = *b;
    *b = kept;
}

static int middle_of(int a, int b, int c)
{
    if (a < b)
        return b < c ? b : a < c ? c : a;
    return a < c ? a : b < c ? c : b;
}

void bench_partition(int *items, size_t count, size_t *less, size_t *more)
{
    int pivot = middle_of(items[0], items[count / 2], items[count - 1]);
    ptrdiff_t low = 0, high = (ptrdiff_t)count - 1;
    while (low <= high) {
        while (items[low] < pivot)
            low++;
        while (items[high] > pivot)
            high--;
        if (low <= high)
            exchange(&items[low++], &items[high--]);
    }
    *less = (size_t)(high + 1);
    *more = (size_t)low;
}

static void insert(int *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int item = items[i];
        size_t place = i;
        for (; place > 0 && items[place - 1] > item; place--)
            items[place] = items[place - 1];
        items[place] = item;
    }
}

void bench_sort(int *items, size_t count)
{
    while (count > 24) {
        size_t less, more;
        bench_partition(items, count, &less, &more);
        bench_sort(items, less);
        items += more;
        count -= more;
    }
    insert(items, count);
}

uint64_t bench_skewed_item(size_t index, size_t count)
{
    uint64_t x = index + 1;
    for (int turns = index < count / 100 ? 300000 : 300; turns > 0; turns--)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return x >> 32;
}

/* ---- the cases: each prepares, measures and checks ---- */

static void *array(size_t count, size_t size)
{
    void *items = malloc(count * size);
    bench_must("malloc", items);
    return items;
}

/* The number of times that one is asked for, each measured and printed by the caller. */
static bool again(long *turn)
{
    return (*turn)++ < bench_number("times", 1);
}

static void expect(const char *what, int64_t found, int64_t expected)
{
    if (found != expected)
        bench_fail("%s: %lld and not %lld", what, (long long)found, (long long)expected);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void case_fib(void)
{
    int n = (int)bench_number("size", 20);
    long before = 0, expected = 1;
    for (int i = 1; i < n; i++) {
        long next = before + expected;
        before = expected;
        expected = next;
    }
    for (long turn = 0; again(&turn);) {
        int64_t start = bench_now();
        long found = bench_ways.fib(n);
        bench_print("fib", bench_now() - start);
        expect("fib", found, expected);
    }
}

static void case_skynet(void)
{
    long count = bench_number("size", 10000);
    for (long turn = 0; again(&turn);) {
        int64_t start = bench_now();
        long found = bench_ways.skynet(0, count);
        bench_print("skynet", bench_now() - start);
        expect("skynet", found, count * (count - 1) / 2);
    }
}

static void case_queens(void)
{
    static const long ways[] = {
        1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512
    };
    long n = bench_number("size", 8);
    if (n > BENCH_QUEENS_MAX)
        bench_fail("at most %d queens", BENCH_QUEENS_MAX);
    for (long turn = 0; again(&turn);) {
        int64_t start = bench_now();
        long found = bench_ways.queens((int)n);
        bench_print("queens", bench_now() - start);
        expect("queens", found, ways[n]);
    }
}

/* Level after level, so in another way than those that are measured. */
static long count_nodes(struct bench_node node, int deepest)
{
    long count = 1;
    int children = bench_node_children(node, deepest);
    for (int i = 0; i < children; i++)
        count += count_nodes(bench_node_child(node, i), deepest);
    return count;
}

static void case_tree(void)
{
    int deepest = (int)bench_number("size", 6);
    struct bench_node root = { 19, 0 };
    long nodes = count_nodes(root, deepest);
    for (long turn = 0; again(&turn);) {
        int64_t start = bench_now();
        long found = bench_ways.tree(root, deepest);
        bench_print("tree", bench_now() - start);
        expect("tree", found, nodes);
    }
}

/* The sum of a row, in which each column counts differently. */
static double weigh(const double *row, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += row[i] * (double)(i % 7 + 1);
    return sum;
}

/* Small whole numbers, so that every order of adding gives the same. For a vector v, c v is a (b v): that is looked at.
   Rows are a little longer than they need be: else those of a large power of two would take each other's places in the
   caches. */
static void case_product(void)
{
    size_t n = (size_t)bench_number("size", 100), width = n + 8, count = n * width;
    double *a = array(count, sizeof *a), *b = array(count, sizeof *b), *c = array(count, sizeof *c);
    double *weights = array(n, sizeof *weights);
    uint64_t random = 1;
    for (size_t i = 0; i < count; i++) {
        a[i] = (double)(next_random(&random) % 16);
        b[i] = (double)(next_random(&random) % 16);
    }
    for (size_t k = 0; k < n; k++)
        weights[k] = weigh(b + k * width, n);
    for (long turn = 0; again(&turn);) {
        memset(c, 0, count * sizeof *c);
        int64_t start = bench_now();
        bench_ways.product(&(struct bench_product){ c, a, b, n, n, n, width });
        bench_print("product", bench_now() - start);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t k = 0; k < n; k++)
                sum += a[i * width + k] * weights[k];
            expect("product", (int64_t)weigh(c + i * width, n), (int64_t)sum);
        }
    }
    free(a);
    free(b);
    free(c);
    free(weights);
}

static void sort_case(const char *name, void sort(int *items, size_t count))
{
    size_t count = (size_t)bench_number("size", 10000);
    int *items = array(count, sizeof *items);
    for (long turn = 0; again(&turn);) {
        uint64_t random = 1;
        int64_t sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += items[i] = (int)next_random(&random);
        int64_t start = bench_now();
        sort(items, count);
        bench_print(name, bench_now() - start);
        for (size_t i = 0; i < count; i++) {
            sum -= items[i];
            if (i > 0 && items[i - 1] > items[i])
                bench_fail("%s: %d before %d", name, items[i - 1], items[i]);
        }
        expect(name, sum, 0);
    }
    free(items);
}

static void case_quicksort(void)
{
    sort_case("quicksort", bench_ways.quicksort);
}

static void case_sort(void)
{
    sort_case("sort", bench_ways.sort);
}

static void case_mergesort(void)
{
    sort_case("mergesort", bench_ways.mergesort);
}

static void case_squares(void)
{
    size_t count = (size_t)bench_number("size", 10000);
    int *items = array(count, sizeof *items);
    for (long turn = 0; again(&turn);) {
        for (size_t i = 0; i < count; i++)
            items[i] = (int)(i % 46341);
        int64_t start = bench_now();
        bench_ways.squares(items, count);
        bench_print("squares", bench_now() - start);
        for (size_t i = 0; i < count; i++)
            if (items[i] != (int)(i % 46341 * (i % 46341)))
                bench_fail("squares: %d at %zu", items[i], i);
    }
    free(items);
}

static void case_sum(void)
{
    size_t count = (size_t)bench_number("size", 10000);
    double *items = array(count, sizeof *items);
    int64_t expected = 0;
    for (size_t i = 0; i < count; i++) {
        items[i] = (double)(i % 1000);
        expected += (int64_t)(i % 1000);
    }
    for (long turn = 0; again(&turn);) {
        int64_t start = bench_now();
        double found = bench_ways.sum(items, count);
        bench_print("sum", bench_now() - start);
        expect("sum", (int64_t)found, expected);
    }
    free(items);
}

static void case_skewed(void)
{
    size_t count = (size_t)bench_number("size", 200);
    uint64_t expected = 0;
    for (size_t i = 0; i < count; i++)
        expected += bench_skewed_item(i, count);
    for (long turn = 0; again(&turn);) {
        int64_t start = bench_now();
        uint64_t found = bench_ways.skewed(count);
        bench_print("skewed", bench_now() - start);
        expect("skewed", (int64_t)found, (int64_t)expected);
    }
}

static int64_t used(const struct rusage *usage)
{
    return 1000000000 * (int64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           1000 * (int64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void case_tiny(void)
{
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    int64_t start = bench_now();
    for (long left = bench_number("milliseconds", 2000); left > 0; left--) {
        bench_ways.tiny();
        bench_pause(1000000);
    }
    bench_print("elapsed", bench_now() - start);
    getrusage(RUSAGE_SELF, &after);
    bench_print("used", used(&after) - used(&before));
    bench_print("slept", after.ru_nvcsw - before.ru_nvcsw);
}

static void about(void)
{
    if (strcmp(bench_ways.name, "compiler") == 0)
        bench_case_about();
    else
        printf("%s\n", bench_ways.name);
}

int main(int argc, char **argv)
{
    const struct {
        struct bench_case run;
        bool there;
    } all[] = {
        { { "fib", case_fib }, bench_ways.fib },
        { { "skynet", case_skynet }, bench_ways.skynet },
        { { "queens", case_queens }, bench_ways.queens },
        { { "tree", case_tree }, bench_ways.tree },
        { { "product", case_product }, bench_ways.product },
        { { "quicksort", case_quicksort }, bench_ways.quicksort },
        { { "sort", case_sort }, bench_ways.sort },
        { { "mergesort", case_mergesort }, bench_ways.mergesort },
        { { "squares", case_squares }, bench_ways.squares },
        { { "sum", case_sum }, bench_ways.sum },
        { { "skewed", case_skewed }, bench_ways.skewed },
        { { "tiny", case_tiny }, bench_ways.tiny },
        { { "about", about }, true },
    };
    struct bench_case cases[sizeof all / sizeof *all + 1] = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].there)
            cases[count++] = all[i].run;

    bool work = argc > 1 && strcmp(argv[1], "about") != 0;
    if (work)
        bench_arguments(argc - 2, argv + 2, known);
    if (work && bench_ways.open) {
        bench_ways.open((int)bench_number("workers", 2));
        bench_ways.tiny();
    }
    int status = bench_main(argc, argv, cases, known);
    if (work)
        bench_print("peak", 1024 * bench_lines("/proc/self/status", (const char *const[]){ "VmHWM:", NULL }));
    if (work && bench_ways.close)
        bench_ways.close();
    return status;
}
