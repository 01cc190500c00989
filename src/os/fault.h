/*
 * Makes the n-th system call or allocation fail, in the build that tests faults.
 *
 * In every other build SALP__FAULT is nothing. Each wrapper in os/ that can fail
 * begins with SALP__FAULT(the error to return); a test arms the n-th call for
 * n = 1, 2, ... until a run succeeds, and looks for leaks after each.
 *
 * The count is one for a process and all its forks. The role says whose calls are
 * counted, so that a test can make the steward fail alone.
 *
 * SALP__STEP() stands between two steps of a protocol that a worker may die in: a
 * test that has armed the n-th one has the worker killed right there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__FAULT_H
#define SALP__FAULT_H

#include <stdbool.h>

typedef enum salp__role {
    SALP__PROGRAM = 0,
    SALP__STEWARD,
    SALP__WORKER,
} salp__role;

#ifdef SALP_FAULTS
#define SALP__FAULT(error)     \
    do {                       \
        if (salp__fault_due()) \
            return (error);    \
    } while (0)

#define SALP__STEP() salp__fault_step()

void salp__fault_arm(salp__role role, long nth); /* the nth call from now fails; 0: none does */
void salp__fault_arm_death(long nth);            /* a worker dies at the n-th step from now; 0: none does */
bool salp__fault_fired(void);                    /* whether it has happened, in any process */
void salp__fault_enter(salp__role role);
bool salp__fault_due(void);
void salp__fault_step(void);

/* Has the count kept in a page of shared memory, zeroed at first, for processes that are no forks of each other. */
void salp__fault_share(void *page);
#else
#define SALP__FAULT(error) ((void)0)
#define SALP__STEP() ((void)0)
static inline void salp__fault_enter(salp__role role)
{
    (void)role;
}
#endif

#endif
