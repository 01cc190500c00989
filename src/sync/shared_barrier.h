/*
 * Barriers between processes: what sync/barrier.c calls for one that was opened so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_BARRIER_H
#define SALP__SHARED_BARRIER_H

#include <stdbool.h>

typedef struct salp__shared_barrier salp__shared_barrier;

/* Errors of these as of the public calls. Each accepts what it was opened into alone. */
int salp__shared_barrier_open(salp__shared_barrier **barrier, unsigned parties);
int salp__shared_barrier_attach(salp__shared_barrier **barrier, int fd);
void salp__shared_barrier_close(salp__shared_barrier *barrier);
int salp__shared_barrier_fd(const salp__shared_barrier *barrier);
int salp__shared_barrier_wait(salp__shared_barrier *barrier);

/* Sends away who waits; it is broken, or whole, from then on. */
int salp__shared_barrier_reset(salp__shared_barrier *barrier, bool broken);

#endif
