/*
 * The two checks that are not error returns.
 *
 * salp__assert: an invariant of ours; checked in debug and hostile builds only.
 * salp__must: a system call that cannot fail unless we are wrong; always checked.
 *
 * Neither prints: the library has no business on a program's standard error. Both
 * stop at the instruction, where a debugger or a core file shows the line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ASSERT_H
#define SALP__ASSERT_H

#define salp__must(condition)                  \
    do {                                       \
        if (__builtin_expect(!(condition), 0)) \
            __builtin_trap();                  \
    } while (0)

#ifdef SALP_HOSTILE
#define salp__assert(condition) salp__must(condition)
#else
#define salp__assert(condition) ((void)sizeof(condition))
#endif

#define SALP__LIKELY(condition) __builtin_expect(!!(condition), 1)
#define SALP__UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Keeps what two threads write apart; two lines, since processors prefetch pairs. */
#define SALP__CACHE_LINE 128

#endif
