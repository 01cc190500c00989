/*
 * Mutexes between processes: what sync/mutex.c calls for one that was opened so, and conditions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_MUTEX_H
#define SALP__SHARED_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

typedef struct salp__shared_mutex salp__shared_mutex;

/* Errors of these as of the public calls. Each accepts what it was opened into alone. */
int salp__shared_mutex_open(salp__shared_mutex **mutex, bool recursive);
int salp__shared_mutex_attach(salp__shared_mutex **mutex, int fd);
void salp__shared_mutex_close(salp__shared_mutex *mutex);
int salp__shared_mutex_fd(const salp__shared_mutex *mutex);
int salp__shared_mutex_lock(salp__shared_mutex *mutex);
int salp__shared_mutex_try_lock(salp__shared_mutex *mutex);
int salp__shared_mutex_unlock(salp__shared_mutex *mutex);

/* As those of private ones, sync/mutex.h; taking it back can tell -EOWNERDEAD, and then it is held all the same.
   Nothing else goes wrong with that: who finds all nodes taken looks again and again. */
bool salp__shared_mutex_is_mine(salp__shared_mutex *mutex);
int64_t salp__shared_mutex_give_up(salp__shared_mutex *mutex);
int salp__shared_mutex_take_back(salp__shared_mutex *mutex, int64_t depth);

#endif
