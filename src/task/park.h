/*
 * The one way in which anything in Salp waits.
 *
 * What is waited for is a bell (lockfree/bell.h). Who waits is a plain thread, which first looks a few times, since a
 * sleep and a wake cost tens of microseconds, and then sleeps on the bell's word. A task would switch to its loop
 * here, and nobody above would know the difference.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PARK_H
#define SALP__PARK_H

#include <stdbool.h>
#include <stdint.h>

#include "lockfree/bell.h"

typedef enum salp__patience {
    SALP__SLEEP,      /* sleep at once */
    SALP__LOOK_FIRST, /* look for some 20 microseconds, then sleep */
} salp__patience;

/*
 * Waits until the bell has been rung since `seen`, or until `deadline`.
 * Returns 0 (look again; may be spurious) or -ETIMEDOUT.
 */
int salp__park(salp__bell *bell, uint32_t seen, int64_t deadline, bool shared, salp__patience patience);

/* Looks for some 20 microseconds whether a word is another than `seen`; whether a bell is rung. */
bool salp__look_at(const _Atomic uint32_t *word, uint32_t seen);
bool salp__look(salp__bell *bell, uint32_t seen);

/* Wakes up to `count` of those who wait. */
void salp__wake(salp__bell *bell, int count, bool shared);

#endif
