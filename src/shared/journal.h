/*
 * An undo log: several words of shared memory change all at once or not at all, wherever the one who changes them dies.
 *
 *     salp__journal_set(journal, &a, 1);      notes what `a` was, then stores
 *     salp__journal_set(journal, &b, 2);      the same with `b`
 *     salp__journal_commit(journal);          one store: now both have happened
 *
 * Whoever takes over from one who has died in between calls salp__journal_undo, and nothing has happened.
 *
 * I1  A word is changed only after it was noted; a note counts from the store to `count` on.
 * I2  `count` > 0 says that a transaction is under way. The store of 0 ends it: until then each of its words can be, and
 *     after a death is, set back.
 * I3  Setting back may itself be broken off by a death and begun anew: it only stores what was noted, backwards, so a
 *     word that was noted twice ends as it was first; and the notes stand until it stores the 0.
 *
 * What dies is a process and not the machine: whatever it has stored is there, and it has done all up to some
 * instruction and nothing after it. So these orders are for the compiler, and for the one who takes the latch next.
 *
 * Threads: who holds the latch of the object (shared/latch.h). All zeros is an empty journal. Words and journal have to lie
 * in the same segment: notes are distances, since each process has it at an address of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__JOURNAL_H
#define SALP__JOURNAL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "os/fault.h"

/* A word of shared memory that is changed through a journal. */
typedef _Atomic uint64_t salp__word;

enum { SALP__NOTES = 63 }; /* words of one transaction; a change of a line and an object takes some ten */

typedef struct salp__journal {
    salp__word count;
    struct {
        int64_t distance; /* of the word, from the journal */
        uint64_t old;
    } notes[SALP__NOTES];
} salp__journal;

/* relaxed, both: the latch orders what its holders do. */
static inline uint64_t salp__word_get(const salp__word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void salp__journal_set(salp__journal *journal, salp__word *word, uint64_t value)
{
    uint64_t count = salp__word_get(&journal->count);
    salp__must(count < SALP__NOTES);
    journal->notes[count].distance = (char *)word - (char *)journal;
    journal->notes[count].old = salp__word_get(word);
    SALP__STEP();
    atomic_store_explicit(&journal->count, count + 1, memory_order_release); /* after the note: I1 */
    SALP__STEP();
    atomic_store_explicit(word, value, memory_order_release); /* after the count: I1 */
    SALP__STEP();
}

/* The same for two words at once, which is quicker than one after the other. */
static inline void salp__journal_set_both(salp__journal *journal, salp__word *a, uint64_t a_value, salp__word *b,
                                          uint64_t b_value)
{
    uint64_t count = salp__word_get(&journal->count);
    salp__must(count + 1 < SALP__NOTES);
    journal->notes[count].distance = (char *)a - (char *)journal;
    journal->notes[count].old = salp__word_get(a);
    journal->notes[count + 1].distance = (char *)b - (char *)journal;
    journal->notes[count + 1].old = salp__word_get(b);
    SALP__STEP();
    atomic_store_explicit(&journal->count, count + 2, memory_order_release); /* after the notes: I1 */
    SALP__STEP();
    atomic_store_explicit(a, a_value, memory_order_release); /* after the count: I1 */
    SALP__STEP();
    atomic_store_explicit(b, b_value, memory_order_release);
    SALP__STEP();
}

static inline void salp__journal_commit(salp__journal *journal)
{
    atomic_store_explicit(&journal->count, 0, memory_order_release); /* after all words: I2 */
    SALP__STEP();
}

/* Of one who has died. */
void salp__journal_undo(salp__journal *journal);

#endif
