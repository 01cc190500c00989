/*
 * What a dead worker leaves behind, put in order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__RECOVERY_H
#define SALP__RECOVERY_H

#include <stdbool.h>

#include "base/list.h"
#include "os/process.h"
#include "pool/control.h"

/* Why the steward ended a worker itself. */
typedef enum salp__verdict {
    SALP__NO_VERDICT,
    SALP__TIMED_OUT,
    SALP__TOO_LARGE,
} salp__verdict;

typedef struct salp__death {
    int worker; /* index */
    salp__ending ending;
    salp__verdict verdict;
    bool out_of_memory; /* ended by the kernel for lack of memory */
} salp__death;

/* Keeps in mind how often each item was tried. */
typedef struct salp__recovery {
    salp__control *control;
    salp__list attempts; /* of the items that have killed a worker and may be tried again */
} salp__recovery;

void salp__recovery_open(salp__recovery *recovery, salp__control *control);

/*
 * Hands over what the worker had completed, gives the item it was on its error (or another try), and detaches its
 * place. false: the program has not read the earlier failures of this call yet, so that this one cannot be told; try
 * again later.
 */
bool salp__recover(salp__recovery *recovery, const salp__death *death);

/* Finishes the calls in which workers have died and that nobody works on any more, or begins another epoch of theirs.
   Returns whether there is any call left in which a worker has died. */
bool salp__settle_suspects(salp__recovery *recovery);

#endif
