/*
 * What the pools of this machine cost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__COSTS_H
#define SALP__COSTS_H

#include <salp/worth.h>

/*
 * Measured in the first call of a process; again in a fork, and when the process has become much larger or smaller, as forks
 * take longer or shorter then. Some tens of milliseconds. `processors`: that may be used.
 * Waits; a scope ends it. Errors: those of salp_pool_open and salp_map. Threads: any; two at once may both measure.
 */
int salp__costs(int processors, salp_worth_costs *threads, salp_worth_costs *processes);

#endif
