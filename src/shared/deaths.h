/*
 * Who notices that a participant has died while others wait; the source file tells how.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__DEATHS_H
#define SALP__DEATHS_H

#include "shared/segment.h"

/*
 * From now on each other participant that dies is buried, until the handle is closed; those that are dead already are, before
 * this returns. For who is in a line and about to sleep; again whenever somebody may have come since. Without the latch.
 * Errors: -EMFILE, -ENFILE, -ENOMEM, -EAGAIN: they cannot be watched.
 */
int salp__deaths_watch(salp__shared *shared);

/* The handle is about to be closed. Also of one that was never watched. */
void salp__deaths_unwatch(salp__shared *shared);

#endif
