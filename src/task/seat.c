/* A seat for one who waits; the header tells how. SPDX-License-Identifier: MIT */
#include "task/seat.h"

#include <errno.h>

#include "base/assert.h"
#include "task/scope.h"

/* Sits down, if it is not so. */
static bool sit(salp__seat *seat, salp__lock *lock, salp__spot *spot, salp__is_so *is_so_locked, const void *object)
{
    salp__lock_take(lock);
    bool waits = !is_so_locked(object);
    salp__assert(!seat->taken);
    seat->taken = waits ? spot : NULL;
    salp__lock_release(lock);
    return waits;
}

int salp__seat_wait(salp__seat *seat, salp__lock *lock, salp__is_so *is_so_locked, const void *object)
{
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, seat->what);
        salp__spot spot = salp__spot_of(&waiter);
        if (!sit(seat, lock, &spot, is_so_locked, object))
            return 0;
        int error = salp__wait(&waiter);
        if (error == 0)
            continue;
        salp__lock_take(lock);
        seat->taken = NULL;
        salp__lock_release(lock);
        if (error != -EINTR)
            return salp__wait_end(waiter.actor, error);
    }
}

void salp__seat_wait_through(salp__seat *seat, salp__lock *lock, salp__is_so *is_so_locked, const void *object)
{
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, seat->what);
        salp__spot spot = salp__spot_of(&waiter);
        if (!sit(seat, lock, &spot, is_so_locked, object))
            return;
        salp__wait_through(&waiter);
    }
}

void salp__seat_call_locked(salp__seat *seat)
{
    salp__spot *spot = seat->taken;
    if (!spot)
        return;
    seat->taken = NULL;
    if (salp__claim(spot))
        salp__resume(spot);
}
