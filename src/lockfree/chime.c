/* A word to sleep on; the header tells how. SPDX-License-Identifier: MIT */
#include "lockfree/chime.h"

#include "os/fault.h"
#include "os/futex.h"

void salp__chime_silence(salp__chime *chime)
{
    /* acquire: what was made so before a ring that is taken away here is seen by the look that follows. I2 */
    (void)atomic_exchange_explicit(&chime->word, SALP__CHIME_SILENT, memory_order_acquire);
}

void salp__chime_ring(salp__chime *chime)
{
    /* release: what was made so is seen by who is rung. */
    uint32_t seen = atomic_fetch_or_explicit(&chime->word, SALP__CHIME_RUNG, memory_order_release);
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
