/*
 * A range of indices, spread over the threads of a pool: what loops, reductions and scans are made of.
 *
 *     |-------------------------------------------------------|
 *     |---------------------------|.......... forked .........|
 *     |------------|... forked ...|
 *     |-----|forked|
 *      piece
 *
 * Who runs it forks the right half, and so on with the left one, until what is left is one piece. Then he joins, and goes
 * on to the right. What was forked last is joined first, and is the smallest.
 *
 * A fork costs next to nothing (crew.h), so it is made before anybody asks. Then a thread that has nothing to do gets
 * the oldest, and largest, part also while the owner is in the midst of a long piece. A part that nobody has taken is
 * gone on with as if it had never been forked.
 *
 * A piece that is chosen takes some microseconds: long against a fork, and short for the one who waits for the last of
 * them. The first piece is one index. What is measured then says how long the next one may be, but it grows at most
 * eightfold at a time. Who takes a part begins with an eighth of what its owner has found out: it may be another
 * region.
 *
 * Whether somebody is woken at the beginning, vigil.h tells. Who has found work later, and was the last to look for some, wakes the next
 * one (crew.c).
 *
 * Results. A part that somebody has taken has a result of its own, which begins as a copy of the neutral element. When
 * it is joined it is combined with the result of what lies to the left of it. One that was not taken goes on with that
 * result, unless the tree is to be `fixed`: then it begins with a copy in any case.
 *
 * I1  Parts are combined with their neighbours only, left with right.
 * I2  `first_failed` never rises. A piece that begins behind it is not run. So whatever lies before the first piece
 *     that fails is run, and no other error is returned: on the way up the left one comes first. A join that fails is
 *     noted, too, at the beginning of its right part, of which all is over.
 * I3  Who takes a part, and finds no memory for its result, leaves it alone; its owner then runs it as if nobody had
 *     taken it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SPREAD_H
#define SALP__SPREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/parallel.h>

#include "pool/vigil.h"

typedef struct salp__spread salp__spread;
struct salp__spread {
    size_t begin, end;
    size_t grain;   /* of a piece; 0: to be found out */
    uintptr_t body; /* as in salp__vigil_enter */
    bool fixed;     /* the tree of combinations depends on these three alone; grain is not 0 */
    int (*piece)(const salp__spread *spread, size_t begin, size_t end, void *part);
    void *result;       /* part of the whole */
    size_t result_size; /* of each part; 0: parts that somebody has taken get NULL */
    /* A part that somebody has taken is over: joins it with what lies to the left of it. May be NULL. Returns 0, or an
       error, which is that of the right part then. */
    int (*join)(const salp__spread *spread, size_t begin, size_t end, void *left, const void *right);

    /* [spread.c] */
    const void *neutral; /* NULL: there was no memory, and so nobody takes a part */
    size_t stride;       /* from one result to the next, where there are several */
    char *store;         /* `fixed`: results of the one who runs the whole */
    int error;
    _Atomic size_t first_failed; /* where a piece begins; relaxed: who does not see it yet runs one more. I2 */
    salp__vigil vigil;
    salp_fork_job job;
};

/* Runs it, and returns when nobody is at it any more. */
int salp__spread_run(salp__spread *spread, salp_pool *pool);

/* A grain that depends on the count alone: some hundreds of pieces, single indices if there are not more. */
size_t salp__grain_of(size_t count);

#endif
