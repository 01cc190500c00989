/* A word to sleep on; the header tells how. SPDX-License-Identifier: MIT */
#include "lockfree/chime.h"

#include "os/fault.h"
#include "os/futex.h"

void salp__chime_silence(salp__chime *chime)
{
    /* seq_cst: ordered before the owner's look, which the one who rings orders before the exchange. I2 */
    atomic_store(&chime->word, SALP__CHIME_SILENT);
}

void salp__chime_ring(salp__chime *chime)
{
    /* seq_cst: after what was made so, as above. */
    uint32_t seen = atomic_fetch_or(&chime->word, SALP__CHIME_RUNG);
    SALP__STEP();
    if (seen & SALP__CHIME_ASLEEP)
        salp__futex_wake(&chime->word, 1, true); /* also if it was rung before: I3 */
}

bool salp__chime_sleep(salp__chime *chime, int64_t deadline)
{
    /* acquire: it may have been rung just now. */
    uint32_t seen = atomic_fetch_or_explicit(&chime->word, SALP__CHIME_ASLEEP, memory_order_acquire);
    if (seen & SALP__CHIME_RUNG)
        return true;
    salp__futex_wait(&chime->word, SALP__CHIME_ASLEEP, deadline, true);
    return atomic_load_explicit(&chime->word, memory_order_acquire) & SALP__CHIME_RUNG;
}
