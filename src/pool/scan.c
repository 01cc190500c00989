/*
 * Scans: sums of all that lies before each index.
 *
 *     |  known from the left ->  |          taken by somebody else            |
 *     | scan | scan | scan | ... | sum   sum   sum   sum   sum   sum   sum   |
 *                                  then, when the left is over:
 *                                | scan  scan  scan  scan  scan  scan  scan  |  all at once
 *
 * Whoever goes from the left to the right needs to look at each index once. Somebody who helps cannot know what lies to
 * the left of him: he finds the sums of his blocks, and when the left is over, the blocks are gone through a second
 * time, by as many threads as there are. So a scan that nobody helps with costs what a plain loop does, and one that is
 * helped with at most twice as much work.
 *
 * The range is cut into blocks at the beginning, some hundreds, so that their sums take little room.
 *
 * I1  Who knows the sum of all that lies before (`sum` of the whole) is the one who runs the whole. Parts that others
 *     have taken have none: they leave the sum of each block in `sums`.
 * I2  When such a part is joined all before it is over. Then each of its blocks' sums becomes the one that the block
 *     begins with, and the blocks can be gone through in any order.
 * I3  A block is gone through with `last` once, and before that once without at most.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <salp/loops.h>

#include "os/memory.h"
#include "pool/spread.h"

enum {
    LINE = 64, /* sums begin at one: whatever type they are of */
    ON_STACK = 1024,
};

typedef struct scan {
    salp__spread spread;
    salp_pool *pool;
    salp_scan_fn *body;
    salp_combine_fn *combine;
    void *arg;
    size_t size, stride; /* of a sum */
    char *sums;          /* of each block */
    char *neutral;
    char *spare; /* [owner: who runs the whole] */
} scan;

/* The blocks of a part that others had taken, the second time. */
typedef struct revision {
    salp__spread spread;
    const scan *scan;
} revision;

static char *sum_at(const scan *s, size_t index)
{
    return s->sums + (index - s->spread.begin) / s->spread.grain * s->stride;
}

static int run_block(const salp__spread *spread, size_t begin, size_t end, void *part)
{
    const scan *s = SALP__CONTAINER(spread, scan, spread);
    if (part)
        return s->body(begin, end, part, true, s->arg);
    return s->body(begin, end, memcpy(sum_at(s, begin), s->neutral, s->size), false, s->arg);
}

static int revise_block(const salp__spread *spread, size_t begin, size_t end, void *part)
{
    const scan *s = SALP__CONTAINER(spread, revision, spread)->scan;
    (void)part;
    return s->body(begin, end, sum_at(s, begin), true, s->arg);
}

/* I2. `sum` is that of all that lies before, and then of that and these. */
static void add_up(const scan *s, size_t begin, size_t end, void *sum)
{
    const char *behind = sum_at(s, end - 1) + s->stride;
    for (char *own = sum_at(s, begin); own < behind; own += s->stride) {
        memcpy(s->spare, sum, s->size);
        s->combine(sum, own, s->arg);
        memcpy(own, s->spare, s->size);
    }
}

static int join_part(const salp__spread *spread, size_t begin, size_t end, void *sum, const void *right)
{
    const scan *s = SALP__CONTAINER(spread, scan, spread);
    (void)right;
    if (!sum)
        return 0; /* I1 */
    add_up(s, begin, end, sum);
    revision again = {
        .spread = { .begin = begin, .end = end, .grain = spread->grain, .piece = revise_block },
        .scan = s,
    };
    return salp__spread_run(&again.spread, s->pool);
}

static int run_scan(scan *s)
{
    _Alignas(LINE) char stack[ON_STACK];
    void *memory = NULL;
    size_t count = s->spread.end - s->spread.begin, grain = s->spread.grain, bytes;
    size_t blocks = count / grain + (count % grain > 0);
    s->stride = (s->size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (blocks > PTRDIFF_MAX || __builtin_mul_overflow(s->stride, blocks + 2, &bytes) || bytes > PTRDIFF_MAX / 4)
        return -ENOMEM;
    s->sums = stack;
    if (bytes > sizeof stack) {
        memory = salp__allocate_raw(bytes + LINE);
        if (!memory)
            return -ENOMEM;
        s->sums = (char *)(((uintptr_t)memory + LINE - 1) / LINE * LINE);
    }
    s->neutral = s->sums + blocks * s->stride;
    s->spare = s->neutral + s->stride;
    memcpy(s->neutral, s->spread.result, s->size);
    int error = salp__spread_run(&s->spread, s->pool);
    salp__free(memory);
    return error;
}

int salp_scan(salp_pool *pool, size_t begin, size_t end, size_t sum_size, salp_scan_fn *body, salp_combine_fn *combine,
              void *sum, void *arg, const salp_scan_options *options)
{
    if (!pool || !body || !combine || !sum || begin > end || sum_size == 0 || sum_size > PTRDIFF_MAX / 4)
        return -EINVAL;
    size_t grain = options && options->grain > 0 ? options->grain : salp__grain_of(end - begin);
    scan s = {
        .spread = { .begin = begin,
                    .end = end,
                    .grain = grain > 0 ? grain : 1,
                    .body = (uintptr_t)body,
                    .piece = run_block,
                    .result = sum,
                    .join = join_part },
        .pool = pool,
        .body = body,
        .combine = combine,
        .arg = arg,
        .size = sum_size,
    };
    return run_scan(&s);
}
