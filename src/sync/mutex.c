/*
 * A mutex: one word, which says who holds it and whether somebody waits.
 *
 *   | 0 | <--unlock-- | owner | --somebody waits--> | owner + WANTED | --unlock--> handed over, or passed on
 *
 * Unlocking a mutex that is wanted hands it over to the one who has waited longest, if that is a task of the same loop: so
 * nobody overtakes. Another thread would first have to be woken, with the mutex held meanwhile by somebody who sleeps; so
 * it is passed on: left free, and that one woken to try again. Whoever runs may overtake him then, but only this once:
 * he comes back to the front of the line, and is handed the mutex the next time.
 *
 * I1  The word is changed to and from WANTED, and the line, under the latch. WANTED stands while the line is not empty.
 * I2  `depth` belongs to the owner; of a mutex that is handed over it is written before the new owner is resumed.
 *
 * One between processes is another thing behind the same handle: sync/shared_mutex.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/mutex.h"

#include <errno.h>

#include "os/clock.h"
#include "os/memory.h"
#include "sync/line.h"
#include "sync/shared_mutex.h"
#include "task/task.h"

enum { WANTED = 1 }; /* added to an actor's address */

struct salp_mutex {
    _Atomic uintptr_t
        word;      /* acquire when it is taken, release when it is given: what one owner wrote the next one reads */
    int64_t depth; /* how often the owner has locked it */
    salp__latch latch;
    salp__list line;            /* [latch] */
    bool recursive;             /* [const after open] */
    salp__shared_mutex *shared; /* between processes: then nothing else here is used; or NULL [const after open] */
};

int salp_mutex_open(salp_mutex **out, const salp_mutex_options *options)
{
    static const salp_mutex_options defaults;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    salp_mutex *mutex = salp__allocate(sizeof *mutex);
    if (!mutex)
        return -ENOMEM;
    int error = options->shared ? salp__shared_mutex_open(&mutex->shared, options->recursive) : 0;
    if (error < 0) {
        salp__free(mutex);
        return error;
    }
    salp__list_open(&mutex->line);
    mutex->recursive = options->recursive;
    *out = mutex;
    return 0;
}

int salp_mutex_attach(salp_mutex **out, int fd)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_mutex *mutex = salp__allocate(sizeof *mutex);
    if (!mutex)
        return -ENOMEM;
    int error = salp__shared_mutex_attach(&mutex->shared, fd);
    if (error < 0) {
        salp__free(mutex);
        return error;
    }
    *out = mutex;
    return 0;
}

int salp_mutex_fd(const salp_mutex *mutex)
{
    return mutex && mutex->shared ? salp__shared_mutex_fd(mutex->shared) : -EINVAL;
}

void salp_mutex_close(salp_mutex *mutex)
{
    if (!mutex)
        return;
    if (mutex->shared)
        salp__shared_mutex_close(mutex->shared);
    else
        salp__latch_take(&mutex->latch); /* who has passed it on may still be about to let go of the latch */
    salp__free(mutex);
}

static bool is_owner(const salp_mutex *mutex, const salp__actor *self)
{
    /* relaxed: only we ourselves make it ours. */
    return (atomic_load_explicit(&mutex->word, memory_order_relaxed) & ~(uintptr_t)WANTED) == (uintptr_t)self;
}

/* ---- locking ---- */

static bool exchange(salp_mutex *mutex, uintptr_t from, uintptr_t to, memory_order order)
{
    if (salp__alone()) {
        /* relaxed: there is nobody else. */
        if (atomic_load_explicit(&mutex->word, memory_order_relaxed) != from)
            return false;
        atomic_store_explicit(&mutex->word, to, memory_order_relaxed);
        return true;
    }
    return atomic_compare_exchange_strong_explicit(&mutex->word, &from, to, order, memory_order_relaxed);
}

/* 0: it is ours now. -EBUSY: somebody else's. */
static int take(salp_mutex *mutex, const salp__actor *self)
{
    if (exchange(mutex, 0, (uintptr_t)self, memory_order_acquire)) {
        mutex->depth = 1;
        return 0;
    }
    /* Passed on, and nobody's yet: whoever comes first may have it. */
    if (exchange(mutex, WANTED, (uintptr_t)self | WANTED, memory_order_acquire)) {
        mutex->depth = 1;
        return 0;
    }
    if (!is_owner(mutex, self))
        return -EBUSY;
    if (!mutex->recursive)
        return -EDEADLK;
    mutex->depth++;
    return 0;
}

/* [latch] Takes it, or says that it is wanted. */
static bool take_or_want(salp_mutex *mutex, const salp__actor *self)
{
    /* relaxed: a proposal, checked by the compare-and-swap. */
    uintptr_t word = atomic_load_explicit(&mutex->word, memory_order_relaxed);
    for (;;) {
        bool free = (word & ~(uintptr_t)WANTED) == 0;
        uintptr_t next = free ? (uintptr_t)self | word : word | WANTED; /* I1 */
        if (atomic_compare_exchange_weak_explicit(&mutex->word, &word, next, memory_order_acquire,
                                                  memory_order_relaxed))
            return free;
    }
}

/* A thread looks at it for a while: it may be free sooner than a sleep and a wake take. */
static bool look_for(salp_mutex *mutex, salp__actor *self)
{
    if (self->task)
        return false; /* its loop has better things to do */
    for (unsigned tries = 0; tries < SALP__LOOKS; tries++) {
        salp__pause(tries);
        /* relaxed: a hint. */
        uintptr_t word = atomic_load_explicit(&mutex->word, memory_order_relaxed);
        if ((word & ~(uintptr_t)WANTED) == 0 && take(mutex, self) == 0)
            return true;
    }
    return false;
}

/* Keeps WANTED true when somebody has left the line. I1 */
static void leave(salp_mutex *mutex, salp__spot *spot)
{
    salp__latch_take(&mutex->latch);
    if (spot->link.next)
        salp__list_remove(&spot->link);
    if (salp__list_empty(&mutex->line))
        /* relaxed: nothing is handed over by it. */
        atomic_fetch_and_explicit(&mutex->word, ~(uintptr_t)WANTED, memory_order_relaxed);
    salp__latch_release(&mutex->latch);
}

/* Waits in the line; `passed`: in front of it, and is handed the mutex. Returns as salp__line_wait; -EAGAIN: passed on. */
static int stand_in_line(salp_mutex *mutex, salp__actor *self, bool passed, bool through)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter, "a mutex");
    salp__spot spot = { .waiter = &waiter, .item = passed ? mutex : NULL };
    salp__latch_take(&mutex->latch);
    if (take_or_want(mutex, self)) {
        mutex->depth = 1;
        salp__latch_release(&mutex->latch);
        return 0;
    }
    salp__list_append(passed ? mutex->line.next : &mutex->line, &spot.link);
    salp__latch_release(&mutex->latch);
    if (through)
        salp__wait_through(&waiter);
    int error = through ? 0 : salp__wait(&waiter);
    if (error == 0)
        return spot.result;
    leave(mutex, &spot);
    int over = error == -EINTR ? 0 : salp__scope_feel(self);
    return over < 0 ? over : error;
}

static int wait_for(salp_mutex *mutex, salp__actor *self, bool through)
{
    for (bool passed = false;;) {
        if (look_for(mutex, self))
            return 0;
        int result = stand_in_line(mutex, self, passed, through);
        if (result == -EAGAIN)
            passed = true;
        else if (result != -EINTR)
            return result;
    }
}

int salp_mutex_lock(salp_mutex *mutex)
{
    if (!mutex)
        return -EINVAL;
    if (mutex->shared)
        return salp__shared_mutex_lock(mutex->shared);
    salp__actor *self = salp__self();
    int error = salp__wait_begin();
    if (error < 0)
        return error;
    error = take(mutex, self);
    return error == -EBUSY ? wait_for(mutex, self, false) : error;
}

int salp_mutex_try_lock(salp_mutex *mutex)
{
    if (!mutex)
        return -EINVAL;
    return mutex->shared ? salp__shared_mutex_try_lock(mutex->shared) : take(mutex, salp__self());
}

/* ---- unlocking ---- */

static bool is_near(const salp__spot *spot)
{
    const salp__task *task = spot->waiter->actor->task;
    return task && task->runtime == salp__runtime_here();
}

/* It is wanted. */
static void let_next(salp_mutex *mutex)
{
    salp__latch_take(&mutex->latch);
    salp__spot *next = salp__line_next_locked(&mutex->line);
    uintptr_t word = salp__list_empty(&mutex->line) ? 0 : WANTED;
    if (next && (is_near(next) || next->item)) {
        word |= (uintptr_t)next->waiter->actor;
        mutex->depth = 1; /* I2 */
    } else if (next) {
        next->result = -EAGAIN;
    }
    /* release: pairs with the acquire of who takes it; who is handed it has it by the waiter's state. */
    atomic_store_explicit(&mutex->word, word, memory_order_release);
    salp__latch_release(&mutex->latch);
    if (next)
        salp__resume(next);
}

static void give(salp_mutex *mutex, const salp__actor *self)
{
    if (!exchange(mutex, (uintptr_t)self, 0, memory_order_release))
        let_next(mutex);
}

int salp_mutex_unlock(salp_mutex *mutex)
{
    if (!mutex)
        return -EINVAL;
    if (mutex->shared)
        return salp__shared_mutex_unlock(mutex->shared);
    salp__actor *self = salp__self();
    if (!is_owner(mutex, self))
        return -EPERM;
    if (--mutex->depth == 0)
        give(mutex, self);
    return 0;
}

/* ---- for conditions ---- */

salp__shared_mutex *salp__mutex_shared(const salp_mutex *mutex)
{
    return mutex->shared;
}

bool salp__mutex_is_mine(const salp_mutex *mutex)
{
    return is_owner(mutex, salp__self());
}

int64_t salp__mutex_give_up(salp_mutex *mutex)
{
    int64_t depth = mutex->depth;
    give(mutex, salp__self());
    return depth;
}

void salp__mutex_take_back(salp_mutex *mutex, int64_t depth)
{
    salp__actor *self = salp__self();
    if (take(mutex, self) < 0)
        (void)wait_for(mutex, self, true); /* 0 */
    mutex->depth = depth;
}
