/*
 * Those who wait for an object, in the order in which they came. The object has a latch and one line or several.
 *
 *     salp__line_begin(&latch);               error if a scope is over; else the latch is held
 *     if (it can be had at once) take it, salp__latch_release
 *     else salp__line_wait                    releases the latch; 0: it was handed over
 *
 * Threads: any, and tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LINE_H
#define SALP__LINE_H

#include "base/list.h"
#include "lockfree/latch.h"
#include "task/scope.h"
#include "task/wait.h"

enum { SALP__LOOKS = 12 }; /* of a thread, before it stands in a line: some 20 to 100 microseconds */

/* Takes the latch. Returns 0, or -ECANCELED or -ETIMEDOUT without the latch. */
static inline int salp__line_begin(salp__latch *latch)
{
    int error = salp__wait_begin();
    if (error == 0)
        salp__latch_take(latch);
    return error;
}

/*
 * [latch held on entry, released] Waits for a claimer, who may use `item`, and returns the result that he has given to
 * the spot: 0 unless he has said something else. -EINTR: begin again.
 */
int salp__line_wait(salp__latch *latch, salp__list *line, const char *what, void *item);

/* The same, of a waiter whose spot was put into a line some time before, and without the latch. */
int salp__line_wait_at(salp__latch *latch, salp__spot *spot);

/* After a wait that has failed: takes the spot off, if nobody has. */
void salp__line_leave(salp__latch *latch, salp__spot *spot);

/* Of a line that is not empty. */
salp__spot *salp__line_claim_first_locked(salp__list *line);

/* The one who has waited longest and can still be reached, claimed and taken off; or NULL. [latch] */
static inline salp__spot *salp__line_next_locked(salp__list *line)
{
    return salp__list_empty(line) ? NULL : salp__line_claim_first_locked(line);
}

#endif
