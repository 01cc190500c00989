/*
 * Reader-writer locks between processes: what sync/rwlock.c calls for one that was opened so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_RWLOCK_H
#define SALP__SHARED_RWLOCK_H

#include <stdbool.h>

typedef struct salp__shared_rwlock salp__shared_rwlock;

/* Errors of these as of the public calls. Each accepts what it was opened into alone. */
int salp__shared_rwlock_open(salp__shared_rwlock **rwlock);
int salp__shared_rwlock_attach(salp__shared_rwlock **rwlock, int fd);
void salp__shared_rwlock_close(salp__shared_rwlock *rwlock);
int salp__shared_rwlock_fd(const salp__shared_rwlock *rwlock);
int salp__shared_rwlock_lock(salp__shared_rwlock *rwlock, bool writes);
int salp__shared_rwlock_try_lock(salp__shared_rwlock *rwlock, bool writes);
int salp__shared_rwlock_unlock(salp__shared_rwlock *rwlock);

#endif
