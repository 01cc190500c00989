/*
 * How long functions took in a pool the last time: a guess at how long they will take, so that nobody is woken for what
 * is over before he comes, and somebody at once for what is not.
 *
 * A function of a loop is asked about so many indices, and took so long for so many; one that is entered with counts as
 * one. There is a small table, in which a function has one place; another one that has the same place drives it out. A
 * wrong guess costs a wake-up, or some milliseconds of help, so all accesses are relaxed, and what two threads note at a
 * time may be mixed.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__HISTORY_H
#define SALP__HISTORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { SALP__HISTORY_PLACES = 32 };

typedef struct salp__history {
    struct salp__past {
        _Atomic uintptr_t function;
        _Atomic int64_t lasted; /* nanoseconds */
        _Atomic size_t count;
    } places[SALP__HISTORY_PLACES];
} salp__history;

static inline struct salp__past *salp__history_place(salp__history *history, uintptr_t function)
{
    return &history->places[(function >> 4) % SALP__HISTORY_PLACES]; /* functions begin at multiples of 16, mostly */
}

static inline void salp__history_note(salp__history *history, uintptr_t function, size_t count, int64_t lasted)
{
    struct salp__past *past = salp__history_place(history, function);
    atomic_store_explicit(&past->function, function, memory_order_relaxed);
    atomic_store_explicit(&past->lasted, lasted, memory_order_relaxed);
    atomic_store_explicit(&past->count, count, memory_order_relaxed);
}

/* How many nanoseconds so many will probably take, or -1: nothing is known. */
static inline double salp__history_guess(salp__history *history, uintptr_t function, size_t count)
{
    const struct salp__past *past = salp__history_place(history, function);
    size_t before = atomic_load_explicit(&past->count, memory_order_relaxed);
    if (atomic_load_explicit(&past->function, memory_order_relaxed) != function || before == 0)
        return -1;
    return (double)atomic_load_explicit(&past->lasted, memory_order_relaxed) / (double)before * (double)count;
}

#endif
