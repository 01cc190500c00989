/* Waiting. SPDX-License-Identifier: MIT */
#include "task/park.h"

#include <errno.h>

#include <salp/time.h>

#include "os/clock.h"

/* About half of what a sleep and a wake cost: waiting so long before sleeping at most doubles the cost of a wait
   (Karlin, Li, Manasse, Owicki, "Empirical studies of competitive spinning"). */
static const int64_t looking = SALP_MICROSECONDS(20);

bool salp__look_at(const _Atomic uint32_t *word, uint32_t seen)
{
    int64_t end = salp__later(looking);
    do {
        for (int i = 0; i < 32; i++) {
            /* seq_cst: as salp__bell_look, and at least the acquire that a waiter's state needs. */
            if (atomic_load(word) != seen)
                return true;
            salp__relax();
        }
        /* The one we wait for may need this very processor. */
        salp__give_way();
    } while (salp__now() < end);
    return false;
}

bool salp__look(salp__bell *bell, uint32_t seen)
{
    return salp__look_at(&bell->rings, seen);
}

int salp__park(salp__bell *bell, uint32_t seen, int64_t deadline, bool shared, salp__patience patience)
{
    if (patience == SALP__LOOK_FIRST && !shared) {
        salp__bell_look_begin(bell);
        bool rung = salp__look(bell, seen);
        salp__bell_look_end(bell);
        if (rung)
            return 0;
    } else if (patience == SALP__LOOK_FIRST && salp__look(bell, seen)) {
        /* Between processes nobody is counted, since who looks may be killed and would be counted for ever. */
        return 0;
    }
    return salp__bell_wait(bell, seen, deadline, shared);
}

void salp__wake(salp__bell *bell, int count, bool shared)
{
    salp__bell_ring(bell, count, shared);
}
