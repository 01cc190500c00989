/* Results of a range, combined from the left to the right. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>

#include <salp/loops.h>

#include "pool/spread.h"

typedef struct reduction {
    salp__spread spread;
    salp_fold_fn *fold;
    salp_combine_fn *combine;
    void *arg;
} reduction;

static int run_fold(const salp__spread *spread, size_t begin, size_t end, void *part)
{
    const reduction *r = SALP__CONTAINER(spread, reduction, spread);
    return r->fold(begin, end, part, r->arg);
}

static int combine_parts(const salp__spread *spread, size_t begin, size_t end, void *left, const void *right)
{
    const reduction *r = SALP__CONTAINER(spread, reduction, spread);
    (void)begin;
    (void)end;
    r->combine(left, right, r->arg);
    return 0;
}

int salp_reduce(salp_pool *pool, size_t begin, size_t end, size_t result_size, salp_fold_fn *fold,
                salp_combine_fn *combine, void *result, void *arg, const salp_reduce_options *options)
{
    if (!pool || !fold || !combine || !result || begin > end || result_size == 0 || result_size > PTRDIFF_MAX / 4)
        return -EINVAL;
    size_t grain = options ? options->grain : 0;
    bool fixed = options && options->deterministic;
    reduction r = {
        .spread = {
            .begin = begin,
            .end = end,
            .grain = fixed && grain == 0 ? salp__grain_of(end - begin) : grain,
            .body = (uintptr_t)fold,
            .fixed = fixed,
            .piece = run_fold,
            .result = result,
            .result_size = result_size,
            .join = combine_parts,
        },
        .fold = fold,
        .combine = combine,
        .arg = arg,
    };
    return salp__spread_run(&r.spread, pool);
}
