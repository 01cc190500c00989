/*
 * Mutexes as conditions see them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__MUTEX_H
#define SALP__MUTEX_H

#include <stdint.h>

#include <salp/sync.h>

struct salp__shared_mutex;

/* What it is between processes, or NULL; the calls below are for one that is private, sync/shared_mutex.h has the others. */
struct salp__shared_mutex *salp__mutex_shared(const salp_mutex *mutex);

/* Whether the caller holds it. */
bool salp__mutex_is_mine(const salp_mutex *mutex);

/* Unlocks it wholly: returns how often the caller, who holds it, had locked it. */
int64_t salp__mutex_give_up(salp_mutex *mutex);

/* Locks it so often, whatever scopes say. */
void salp__mutex_take_back(salp_mutex *mutex, int64_t depth);

#endif
