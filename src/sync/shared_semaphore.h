/*
 * Semaphores between processes: what sync/semaphore.c calls for one that was opened so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_SEMAPHORE_H
#define SALP__SHARED_SEMAPHORE_H

typedef struct salp__shared_semaphore salp__shared_semaphore;

/* Errors of these as of the public calls. Each accepts what it was opened into alone. */
int salp__shared_semaphore_open(salp__shared_semaphore **semaphore, unsigned value, unsigned most);
int salp__shared_semaphore_attach(salp__shared_semaphore **semaphore, int fd);
void salp__shared_semaphore_close(salp__shared_semaphore *semaphore);
int salp__shared_semaphore_fd(const salp__shared_semaphore *semaphore);
int salp__shared_semaphore_acquire(salp__shared_semaphore *semaphore);
int salp__shared_semaphore_try_acquire(salp__shared_semaphore *semaphore);
int salp__shared_semaphore_release(salp__shared_semaphore *semaphore, unsigned count);

#endif
