/* Another time and another order. SPDX-License-Identifier: MIT */
#include "os/pretend.h"

#ifdef SALP_FAULTS
#include <salp/time.h>

#include "os/clock.h"
#include "os/thread.h"

SALP__HERE bool stands; /* the clock shows `shown`, else real time */
SALP__HERE int64_t shown;
SALP__HERE uint64_t random_state;

void salp__pretend_time(void)
{
    shown = salp__now();
    stands = true;
}

void salp__pretend_order(uint64_t seed)
{
    random_state = seed;
}

int64_t salp__pretended_now(int64_t real)
{
    return stands ? ++shown : real;
}

bool salp__skips_to(int64_t deadline)
{
    if (!stands || deadline == SALP_FOREVER)
        return false;
    if (deadline > shown)
        shown = deadline;
    return true;
}

/* Marsaglia, "Xorshift RNGs". */
bool salp__comes_first(void)
{
    if (random_state == 0)
        return false;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> 63;
}
#endif

/* A translation unit may not be empty. */
typedef int salp__pretend_unit;
