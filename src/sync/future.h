/*
 * Futures as their makers see them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__FUTURE_H
#define SALP__FUTURE_H

#include <salp/future.h>

#include "sync/source.h"

/* How a future reaches the one who will resolve it. Both are called only while the future has no result. */
typedef struct salp__future_owner {
    int (*cancel)(void *object); /* asks for an early end; must not wait nor resolve the future itself; 0 or an error */
    int (*may_wait)(const void *object); /* 0, or why the calling thread cannot wait for the result */
} salp__future_owner;

/* A future that only its owner resolves. It is held twice: by the user and by the owner. */
int salp__future_open(salp_future **future, const salp__future_owner *owner, void *object);

/* Stores the result, wakes who waits, calls `done`, and drops the owner's hold. The object is not used afterwards. */
void salp__future_settle(salp_future *future, int result, salp_done_fn *done, void *arg);

/* 0, or why the caller cannot wait for it. */
int salp__future_may_wait(salp_future *future);

/* As a select sees it. */
salp__source salp__future_source(salp_future *future);

/* Waits for the result, whatever scopes say. */
void salp__future_wait_through(salp_future *future);

#endif
