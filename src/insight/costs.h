/*
 * What the pools of this machine cost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__COSTS_H
#define SALP__COSTS_H

#include <salp/worth.h>

/* Measured in the first call of a process, and again in a fork; some tens of milliseconds. Waits; a scope ends it. Errors: those of
   salp_pool_open and salp_map. Threads: any; two at once may both measure. */
int salp__costs(salp_worth_costs *threads, salp_worth_costs *processes);

#endif
