/*
 * Conditions between processes: what sync/condition.c calls for one that was opened so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_CONDITION_H
#define SALP__SHARED_CONDITION_H

typedef struct salp__shared_condition salp__shared_condition;
struct salp__shared_mutex;

/* Errors of these as of the public calls. Each accepts what it was opened into alone. */
int salp__shared_condition_open(salp__shared_condition **condition);
int salp__shared_condition_attach(salp__shared_condition **condition, int fd);
void salp__shared_condition_close(salp__shared_condition *condition);
int salp__shared_condition_fd(const salp__shared_condition *condition);
int salp__shared_condition_wait(salp__shared_condition *condition, struct salp__shared_mutex *mutex);
int salp__shared_condition_signal(salp__shared_condition *condition);
int salp__shared_condition_broadcast(salp__shared_condition *condition);

#endif
