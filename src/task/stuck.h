/*
 * Whether all threads of the program wait for each other; the source file tells how that is known.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__STUCK_H
#define SALP__STUCK_H

#include "base/list.h"
#include "os/thread.h"
#include "task/task.h"

/* Threads of Salp's own that serve others: a pool's. */
typedef struct salp__staff {
    salp__list link;
    salp__lock *lock; /* around what the next one looks at [const] */
    /* How many of them sleep, and would find nothing to do now. */
    int (*quiet_locked)(const struct salp__staff *staff);
} salp__staff;

/* Any thread. Not with the staff's lock held. */
void salp__staff_open(salp__staff *staff);
void salp__staff_close(salp__staff *staff);

/* A thread that sleeps, and does nothing before it has taken itself off the list. */
typedef struct salp__sleeper {
    salp__list link;
    salp__runtime *runtime;     /* of its loop; or NULL, and then */
    const salp__waiter *waiter; /* it waits here */
    bool told;                  /* all are stuck */
} salp__sleeper;

/* Around a wait of a plain thread for loops that it has started, which nothing but them will end. */
void salp__sleeper_open(salp__sleeper *sleeper, const salp__waiter *waiter);
void salp__sleeper_close(salp__sleeper *sleeper);

/*
 * Sleeps until something was sent to the loop, which is idle: false. true: all threads wait for each other, and the waits
 * of this one's tasks are to be ended.
 */
bool salp__stuck(salp__runtime *runtime);

#endif
