/*
 * Whether all threads of the program wait for each other, so that nothing will ever happen again.
 *
 * A thread is *quiet* if it does nothing until another thread calls it, and was not called. These are known to be:
 *
 *   sleepers   loops of salp_run of which all tasks wait, with no timer, descriptor or signal that could wake one; and
 *              the thread that waits in salp_run_loops for its loops, if no deadline ends that
 *   staff      threads of pools that have nothing to do; not those that run a job, call the user back, look after a call
 *              of processes, or are in an initializer
 *
 * Every other thread counts as one that may still wake somebody: it runs, or sleeps in the user's code, in a call of a
 * pool, in a mutex. Whoever looks holds the lock of the list and those of all staff, and does three things in this order:
 *
 *   1. nobody comes or goes: all that are listed stay so, by the locks
 *   2. he asks the system how many threads the program has
 *   3. he looks whether any that is listed was called
 *
 * If there are as many quiet threads as the program has, and none was called, all are stuck. This is why:
 *
 * I1  A sleeper does nothing before it has taken itself off the list; so does one of a staff before it has taken its mark
 *     away. Both need a lock that the looker holds. So at the moment of (2) the listed threads did nothing; and as there
 *     were as many as the program has, there was no other, not even one that was about to end.
 * I2  Whoever did something before that moment and has ended since has left its call in what (3) looks at: the inbox of
 *     a loop, the state of a waiter, the calls of a pool. The end of a thread orders its stores before the count that no
 *     longer has it, in the kernel; salp__thread_count orders our looks after the count.
 * I3  So at that moment nobody ran and nobody was called. Only what is outside of the program's threads could change
 *     that. What a loop watches of it keeps the loop from being idle. Worker processes ring for calls, and with a call
 *     under way a thread is not quiet. Handlers of signals may not call Salp.
 * I4  A thread of a staff whose sleep ends finds nothing to do when there is no call, and sleeps again: it wakes no task.
 *     So its bell says nothing: a ring may wake some of those who sleep there, and the others have not heard of it.
 *
 * A sleeper that was called and has not come yet, or a thread that has ended and is still counted, only hides a deadlock,
 * for a while: each loop looks again after twice as long. That is no more than some tens of times in a year.
 *
 * Who is told: a run of its own ends, if it is the only one. With salp_run_loops all of its loops are told; who waits for
 * them, a thread or another loop, sees them end. When there are several runs that do not know of each other, in threads
 * of the user's, nobody is told: one of them may wait for what comes after the other one, and would be told wrongly.
 *
 * Not seen: threads of other libraries that never touch Salp (ThreadSanitizer has one), and processes that share the
 * program's memory without being its threads, clone(2) with CLONE_VM, in which Salp does not work.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/stuck.h"

#include <salp/time.h>

#include "os/clock.h"

static struct listed {
    salp__lock lock;
    salp__list sleepers; /* [lock] */
    salp__list staffs;   /* [lock] */
    bool forks_known;    /* [lock] */
} listed = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .sleepers = { &listed.sleepers, &listed.sleepers },
    .staffs = { &listed.staffs, &listed.staffs },
};

/* None of the threads that are listed exists here, and the lock may have been held by one of them. */
static void after_fork(void)
{
    salp__lock_open(&listed.lock);
    salp__list_open(&listed.sleepers);
    salp__list_open(&listed.staffs);
}

static void take_list(void)
{
    salp__lock_take(&listed.lock);
    if (!listed.forks_known)
        salp__after_fork(after_fork);
    listed.forks_known = true;
}

/* ---- who is listed ---- */

void salp__staff_open(salp__staff *staff)
{
    take_list();
    salp__list_append(&listed.staffs, &staff->link);
    salp__lock_release(&listed.lock);
}

void salp__staff_close(salp__staff *staff)
{
    take_list();
    salp__list_remove(&staff->link);
    salp__lock_release(&listed.lock);
}

void salp__sleeper_open(salp__sleeper *sleeper, const salp__waiter *waiter)
{
    *sleeper = (salp__sleeper){ .waiter = waiter };
    take_list();
    salp__list_append(&listed.sleepers, &sleeper->link);
    salp__lock_release(&listed.lock);
}

void salp__sleeper_close(salp__sleeper *sleeper)
{
    take_list();
    salp__list_remove(&sleeper->link);
    salp__lock_release(&listed.lock);
}

/* ---- looking ---- */

static bool was_called(const salp__sleeper *sleeper)
{
    if (sleeper->runtime)
        return salp__loop_was_sent_to(&sleeper->runtime->loop);
    /* acquire: as in a wait. */
    uint32_t state = atomic_load_explicit(&sleeper->waiter->state, memory_order_acquire);
    return (state & ~(uint32_t)SALP__SLEEPING) != SALP__WAITING;
}

/* One of salp_run_loops, for which another sleeper waits. */
static bool is_part(const salp__sleeper *sleeper)
{
    return sleeper->runtime && sleeper->runtime->part;
}

typedef struct census {
    int quiet;
    int roots;   /* sleepers that are no part of another's run */
    bool called; /* one of them */
    bool parts;  /* there are some */
} census;

static census count_sleepers_locked(void)
{
    census c = { 0 };
    for (salp__list *node = listed.sleepers.next; node != &listed.sleepers; node = node->next) {
        const salp__sleeper *sleeper = SALP__CONTAINER(node, salp__sleeper, link);
        c.quiet++;
        c.roots += !is_part(sleeper);
        c.parts |= is_part(sleeper);
        c.called |= was_called(sleeper);
    }
    return c;
}

/* The three steps. */
static bool are_all_stuck_locked(census *found)
{
    for (salp__list *node = listed.staffs.next; node != &listed.staffs; node = node->next)
        salp__lock_take(SALP__CONTAINER(node, salp__staff, link)->lock);
    int threads = salp__thread_count(); /* before the looks: I2 */
    *found = count_sleepers_locked();
    for (salp__list *node = listed.staffs.next; node != &listed.staffs; node = node->next) {
        const salp__staff *staff = SALP__CONTAINER(node, salp__staff, link);
        found->quiet += staff->quiet_locked(staff);
        salp__lock_release(staff->lock);
    }
    return threads == found->quiet && !found->called && found->roots == 1;
}

static void ignore(salp__event *event)
{
    (void)event;
}

static void tell_locked(const census *found, const salp__sleeper *self)
{
    for (salp__list *node = listed.sleepers.next; node != &listed.sleepers; node = node->next) {
        salp__sleeper *sleeper = SALP__CONTAINER(node, salp__sleeper, link);
        if (!sleeper->runtime || is_part(sleeper) != found->parts)
            continue;
        sleeper->told = true;
        if (sleeper == self)
            continue;
        sleeper->runtime->nudge.run = ignore;
        salp__loop_post(&sleeper->runtime->loop, &sleeper->runtime->nudge);
    }
}

bool salp__stuck(salp__runtime *runtime)
{
    enum { DOUBLINGS = 40 };
    salp__sleeper self = { .runtime = runtime };
    int64_t pause = SALP__STUCK_PAUSE;
    take_list();
    salp__list_append(&listed.sleepers, &self.link);
    for (int looks = 0; !self.told && !salp__loop_was_sent_to(&runtime->loop); looks++) {
        census found;
        if (are_all_stuck_locked(&found)) {
            tell_locked(&found, &self);
            continue;
        }
        salp__lock_release(&listed.lock);
        salp__loop_doze(&runtime->loop, salp__later(pause));
        pause = looks < DOUBLINGS ? 2 * pause : pause;
        take_list();
    }
    salp__list_remove(&self.link);
    salp__lock_release(&listed.lock);
    return self.told;
}
