/*
 * The counter behind SALP__FAULT and SALP__STEP; empty in every build but the one that tests faults.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/fault.h"

#ifdef SALP_FAULTS
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

/* Shared with the processes forked later, so that one plan is carried out once. */
static struct plan {
    _Atomic long left;  /* calls until the one that fails; 0: none */
    _Atomic long steps; /* likewise, until the one at which a worker dies */
    _Atomic int role;
    _Atomic int fired;
} * plan;
static salp__role role_here;

void salp__fault_share(void *page)
{
    plan = page;
}

static void ready(void)
{
    if (!plan) {
        void *memory = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            __builtin_trap();
        plan = memory;
    }
    atomic_store(&plan->fired, 0);
}

void salp__fault_arm(salp__role role, long nth)
{
    ready();
    atomic_store(&plan->role, role);
    atomic_store(&plan->left, nth);
}

void salp__fault_arm_death(long nth)
{
    ready();
    atomic_store(&plan->steps, nth);
}

bool salp__fault_fired(void)
{
    return plan && atomic_load(&plan->fired);
}

void salp__fault_enter(salp__role role)
{
    role_here = role;
}

/* Whether this is the one that the count was set for. */
static bool count_down(_Atomic long *left)
{
    if (atomic_load(left) <= 0 || atomic_fetch_sub(left, 1) != 1)
        return false;
    atomic_store(&plan->fired, 1);
    return true;
}

bool salp__fault_due(void)
{
    return plan && atomic_load(&plan->role) == (int)role_here && count_down(&plan->left);
}

void salp__fault_step(void)
{
    if (plan && role_here == SALP__WORKER && count_down(&plan->steps))
        raise(SIGKILL);
}
#endif

/* A translation unit may not be empty. */
typedef int salp__fault_unit;
