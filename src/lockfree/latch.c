/* Waiting for a latch; the header tells why so. SPDX-License-Identifier: MIT */
#include "lockfree/latch.h"

#include <salp/time.h>

#include "os/clock.h"

/* Who looks fetches the word away from the one who holds it, and who is just about to take it again: so there is more and
   more time between two looks, and what one processor has fetched is used many times before another one gets it. */
void salp__pause(unsigned tries)
{
    enum { LEAST = 16, DOUBLINGS = 5, TURNS = 64 };
    unsigned pauses = LEAST << (tries < DOUBLINGS ? tries : DOUBLINGS);
    for (unsigned i = 0; i < pauses; i++)
        salp__relax();
    if (tries > TURNS)
        salp__doze(SALP_MICROSECONDS(20));
    else if (tries > DOUBLINGS)
        salp__give_way();
}

void salp__latch_wait(salp__latch *latch)
{
    unsigned tries = 0;
    do {
        do
            salp__pause(tries++);
        /* relaxed: a hint, so that the word is fetched for writing only when that may succeed. */
        while (atomic_load_explicit(&latch->taken, memory_order_relaxed) != 0);
    } while (!salp__latch_try(latch));
}
