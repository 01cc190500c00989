/* An undo log; the header tells how. SPDX-License-Identifier: MIT */
#include "shared/journal.h"

void salp__journal_undo(salp__journal *journal)
{
    for (uint64_t i = salp__word_get(&journal->count); i > 0; i--) {
        salp__word *word = (salp__word *)((char *)journal + journal->notes[i - 1].distance);
        atomic_store_explicit(word, journal->notes[i - 1].old,
                              memory_order_relaxed); /* relaxed: the commit orders it */
        SALP__STEP();
    }
    salp__journal_commit(journal); /* I3 */
}
