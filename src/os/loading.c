/* Loading and forks keep out of each other's way; the header tells why. SPDX-License-Identifier: MIT */
#include "os/loading.h"

#include "os/thread.h"

static salp__lock lock = PTHREAD_MUTEX_INITIALIZER; /* also held by who forks, in the midst of it */
static salp__once once = SALP__ONCE;

static void before_fork(void)
{
    salp__lock_take(&lock);
}

static void in_parent(void)
{
    salp__lock_release(&lock);
}

static void in_child(void)
{
    salp__lock_open(&lock);
}

static void look_for_forks(void)
{
    salp__around_fork(before_fork, in_parent, in_child);
}

void salp__loading_begin(void)
{
    salp__do_once(&once, look_for_forks);
    salp__lock_take(&lock);
}

void salp__loading_end(void)
{
    salp__lock_release(&lock);
}
