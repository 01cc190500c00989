/* Statistics of a sample. SPDX-License-Identifier: MIT */
#include "insight/figures.h"

#include <stdlib.h>

static const double short_item =
    20e3; /* nanoseconds: a longer one is a group of its own, and cold or not does not matter */

/* libm is not among what the library needs. */
static double root(double x)
{
    if (!(x > 0))
        return 0;
    double y = x > 1 ? x : 1; /* from above: each step comes nearer, until rounding stops it */
    for (double next = (y + x / y) / 2; next < y; next = (y + x / y) / 2)
        y = next;
    return y;
}

static double of_item(const salp__group *group)
{
    return (double)group->wall / (double)group->items;
}

static int by_length(const void *a, const void *b)
{
    double x = of_item(a), y = of_item(b);
    return (x > y) - (x < y);
}

static double quantile(const salp__group groups[], size_t count, double part)
{
    return of_item(&groups[(size_t)((double)(count - 1) * part + 0.5)]);
}

/* Takes groups without items out, and cold ones of short items if enough others remain. Returns how many are left. */
static size_t leave_cold_out(salp__figures *figures, salp__group groups[], size_t count)
{
    size_t kept = 0, warm = 0, colds = 0;
    double cold_time = 0;
    for (size_t i = 0; i < count; i++) {
        if (groups[i].items == 0)
            continue;
        groups[kept++] = groups[i];
        if (groups[i].cold) {
            cold_time += of_item(&groups[i]);
            colds++;
        } else if (of_item(&groups[i]) < short_item) {
            warm++;
        }
    }
    figures->cold = colds > 0 ? cold_time / (double)colds : 0;
    if (warm < 8)
        return kept;
    count = kept;
    kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!groups[i].cold || of_item(&groups[i]) >= short_item)
            groups[kept++] = groups[i];
    }
    return kept;
}

/* Of groups in the order in which they were run, which stay in it. */
static double median_of(const salp__group groups[], size_t count)
{
    enum { LOOKS = 63 };
    salp__group some[LOOKS];
    size_t looks = count < LOOKS ? count : LOOKS;
    for (size_t i = 0; i < looks; i++)
        some[i] = groups[i * count / looks];
    qsort(some, looks, sizeof *some, by_length);
    return of_item(&some[looks / 2]);
}

/* Where items became faster while they were run (pages and tables of pages came into caches), the last ones are what the rest of
   the map will be like. Returns how many were left out at the beginning. */
static size_t warming(const salp__group groups[], size_t count)
{
    size_t third = count / 3;
    if (third < 8)
        return 0;
    return median_of(groups + count - third, third) < 0.8 * median_of(groups, third) ? count - third : 0;
}

/* The mean is a ratio of two sums; its error is that of such a ratio. */
static void find_mean(salp__figures *figures, const salp__group groups[], size_t count)
{
    double wall = 0, items = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        wall += (double)groups[i].wall;
        items += (double)groups[i].items;
    }
    figures->items = (size_t)items;
    figures->mean = wall / items;
    for (size_t i = 0; i < count; i++) {
        double residue = (double)groups[i].wall - figures->mean * (double)groups[i].items;
        squares += residue * residue;
    }
    if (count > 1)
        figures->error = root(squares * (double)count / (double)(count - 1)) / items;
}

void salp__figures_make(salp__figures *figures, salp__group groups[], size_t count, bool on_processor)
{
    *figures = (salp__figures){ 0 };
    count = leave_cold_out(figures, groups, count);
    size_t slow = warming(groups, count);
    groups += slow;
    count -= slow;
    if (count == 0)
        return;
    double wall = 0, cpu = 0;
    for (size_t i = 0; i < count; i++) {
        wall += (double)groups[i].wall;
        cpu += (double)groups[i].cpu;
        if (on_processor && groups[i].cpu < groups[i].wall)
            groups[i].wall = groups[i].cpu;
    }
    figures->groups = count;
    figures->busy = wall > 0 && cpu < wall ? cpu / wall : 1;
    find_mean(figures, groups, count);
    qsort(groups, count, sizeof *groups, by_length);
    for (int i = 0; i < 9; i++)
        figures->quantile[i] = quantile(groups, count, (i + 1) / 10.0);
    figures->most = quantile(groups, count, 0.95);
    figures->longest = of_item(&groups[count - 1]);
}

bool salp__figures_skewed(const salp__figures *figures)
{
    return figures->groups >= 8 && figures->most > 3 * figures->quantile[4];
}

static double median_ratio(const salp__figures *alone, const salp__figures *beside)
{
    double ratio[9];
    for (int i = 0; i < 9; i++) {
        double r = alone->quantile[i] > 0 ? beside->quantile[i] / alone->quantile[i] : 1;
        int k = i;
        for (; k > 0 && ratio[k - 1] > r; k--)
            ratio[k] = ratio[k - 1];
        ratio[k] = r;
    }
    return ratio[4];
}

double salp__figures_stretch(const salp__figures *alone, const salp__figures *beside)
{
    if (alone->groups == 0 || beside->groups == 0 || alone->mean <= 0)
        return 1;
    if (salp__figures_skewed(alone) || salp__figures_skewed(beside)) {
        double ratio = median_ratio(alone, beside);
        return ratio > 1 ? ratio : 1;
    }
    double ratio = beside->mean / alone->mean;
    double a = alone->error / alone->mean, b = beside->error / beside->mean;
    double chance = 2 * root(a * a + b * b);
    /* One group says nothing of how much groups differ. */
    if (alone->groups < 3 || beside->groups < 3)
        chance = chance > 0.25 ? chance : 0.25;
    return ratio > 1 + chance ? ratio : 1;
}
