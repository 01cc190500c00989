/* Waiting for a latch; the header tells why so. SPDX-License-Identifier: MIT */
#include "lockfree/latch.h"

#include <salp/time.h>

#include "os/clock.h"

void salp__latch_wait(salp__latch *latch)
{
    enum { LOOKS = 64, TURNS = 16 };
    for (unsigned tries = 0;; tries++) {
        for (int i = 0; i < LOOKS; i++) {
            /* relaxed: a hint, so that the word is fetched for writing only when that may succeed. */
            if (atomic_load_explicit(&latch->taken, memory_order_relaxed) == 0 && salp__latch_try(latch))
                return;
            salp__relax();
        }
        if (tries < TURNS)
            salp__give_way();
        else
            salp__doze(SALP_MICROSECONDS(20));
    }
}
