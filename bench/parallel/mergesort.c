/* The sequential twin of salp_sort; src/pool/sort.c tells how it goes. SPDX-License-Identifier: MIT */
#include "mergesort.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/program.h"

enum { SMALL = 16 };

typedef struct order {
    bench_compare_fn *compare;
    void *arg;
} order;

static bool is_less(const order *o, const int *a, const int *b)
{
    return o->compare(a, b, o->arg) < 0;
}

/* From both ends at once, as long as both runs have something left. */
static void merge(const order *o, int *to, const int *left, size_t left_count, const int *right, size_t right_count)
{
    const int *left_end = left + left_count, *right_end = right + right_count;
    int *to_end = to + left_count + right_count;
    while (left < left_end && right < right_end) {
        ptrdiff_t lefts = left_end - left, rights = right_end - right;
        for (ptrdiff_t steps = lefts < rights ? lefts : rights; steps > 0; steps--) {
            ptrdiff_t is_right = is_less(o, right, left);
            *to++ = left[(right - left) & -is_right];
            right += is_right;
            left += 1 - is_right;
            ptrdiff_t is_left = is_less(o, right_end - 1, left_end - 1);
            *--to_end = right_end[((left_end - right_end) & -is_left) - 1];
            left_end -= is_left;
            right_end -= 1 - is_left;
        }
    }
    memcpy(to, left, (size_t)(left_end - left) * sizeof *to);
    memcpy(to + (left_end - left), right, (size_t)(right_end - right) * sizeof *to);
}

static void insert(const order *o, int *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int item = items[i];
        if (!is_less(o, &item, &items[i - 1]))
            continue;
        size_t low = 0, high = i - 1;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (!is_less(o, &item, &items[middle]))
                low = middle + 1;
            else
                high = middle;
        }
        memmove(&items[low + 1], &items[low], (i - low) * sizeof *items);
        items[low] = item;
    }
}

static void sort(const order *o, int *items, int *room, size_t count)
{
    if (count <= SMALL) {
        insert(o, items, count);
        return;
    }
    size_t quarter = count / 4, last = count - 3 * quarter;
    int *second = items + quarter, *third = second + quarter, *fourth = third + quarter;
    sort(o, items, room, quarter);
    sort(o, second, room + quarter, quarter);
    sort(o, third, room + 2 * quarter, quarter);
    sort(o, fourth, room + 3 * quarter, last);
    if (!is_less(o, second, second - 1) && !is_less(o, third, third - 1) && !is_less(o, fourth, fourth - 1))
        return;
    merge(o, room, items, quarter, second, quarter);
    merge(o, room + 2 * quarter, third, quarter, fourth, last);
    merge(o, items, room, 2 * quarter, room + 2 * quarter, quarter + last);
}

void bench_mergesort(int *items, size_t count, bench_compare_fn *compare, void *arg)
{
    int *room = malloc(count * sizeof *room);
    bench_must("malloc", room);
    sort(&(order){ compare, arg }, items, room, count);
    free(room);
}
