/* A word to sleep on; the header tells how. SPDX-License-Identifier: MIT */
#include "lockfree/chime.h"

#include "os/futex.h"

void salp__chime_silence(salp__chime *chime)
{
    /* seq_cst: ordered before the owner's look, which the one who rings orders before the exchange. I2 */
    atomic_store(&chime->word, SALP__CHIME_SILENT);
}

void salp__chime_ring(salp__chime *chime)
{
    /* seq_cst: after what was made so, as above. */
    if (atomic_exchange(&chime->word, SALP__CHIME_RUNG) == SALP__CHIME_ASLEEP)
        salp__futex_wake(&chime->word, 1, true);
}

bool salp__chime_sleep(salp__chime *chime, int64_t deadline)
{
    uint32_t seen = SALP__CHIME_SILENT;
    /* acquire: it may have been rung just now. The owner is alone here, so it was asleep only if a sleep was broken off. */
    if (!atomic_compare_exchange_strong_explicit(&chime->word, &seen, SALP__CHIME_ASLEEP, memory_order_acquire,
                                                 memory_order_acquire) &&
        seen == SALP__CHIME_RUNG)
        return true;
    salp__futex_wait(&chime->word, SALP__CHIME_ASLEEP, deadline, true);
    return atomic_load_explicit(&chime->word, memory_order_acquire) == SALP__CHIME_RUNG;
}
