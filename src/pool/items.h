/*
 * Items of a call on threads: running them, and telling what became of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ITEMS_H
#define SALP__ITEMS_H

#include "base/assert.h"
#include "pool/call.h"
#include "pool/pace.h"

/* What one runner keeps of one call. */
typedef struct salp__runner {
    _Alignas(SALP__CACHE_LINE) size_t failed_index; /* lowest, SIZE_MAX: none */
    int failed_error;
    void *context; /* its own copy, or the user's pointer */
} salp__runner;

/* Runs items from begin until end, or until it is asked to stop or to give something up. Returns where it stopped. */
size_t salp__items_run(salp__call *call, salp__runner *runner, salp__pace *pace, size_t begin, size_t end);

/* Tells the user how far it has come; when `last` is false, only if it is time. */
void salp__items_tell_progress(salp__call *call, bool last);

/* The end of a call, in the thread that made it or, for asynchronous ones, that finished it. Frees what the engine had
   allocated for it, and returns its result. */
int salp__items_conclude(salp__call *call);

#endif
