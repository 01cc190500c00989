/* The case of locks; see locks.h. SPDX-License-Identifier: MIT */
#include "locks.h"

#include <string.h>

/*
 * By one, it is a thread: a program that never had a second one needs no atomic operations, which the C library and
 * Salp know. The other side's thread sleeps then.
 */
void bench_lock_case(const struct bench_lock kinds[])
{
    const char *of = bench_text("of", "");
    const struct bench_lock *kind = kinds;
    while (kind->name && strcmp(kind->name, of) != 0)
        kind++;
    if (!kind->name)
        bench_fail("there is no of=%s here", of);
    struct bench_contest *contest = bench_shared(sizeof *contest);
    contest->alone = bench_number("by", 1) == 1;
    contest->lock = kind->open();
    bench_both("lock", contest->alone ? BENCH_THREADS : kind->sides, kind->side, contest);
    bench_expect("what was counted", contest->counted, contest->claims[0] + contest->claims[1]);
    kind->close(contest->lock);
    bench_unshare(contest, sizeof *contest);
}
