/*
 * The crew of a pool of threads: fork and join.
 *
 *    a member's jobs, newest first
 *
 *    newest -> job -> job -> job | job  job  job
 *              private list      | deque (lockfree/deque.h), from which others take the oldest
 *              only the owner    `- bottom                   top
 *
 * A fork puts a job in front of the private list, a join takes it off: a few stores, no fence, nothing that another
 * thread writes. A member that has nothing to do sets the signal of another one, which looks at it at each join: it then
 * moves the older half of its list to the deque, or as much as fits. What does not fit stays private: the list lies in the
 * frames of those who forked, so there is no limit to it.
 *
 * An owner that comes to no join for long is not waited for: who wants something moves the half itself (*seizes* it),
 * with the help of membarrier(2). That costs some microseconds, of which the owner feels little.
 *
 * To join a job that was moved its owner takes it back from the deque. If it is gone, a thief runs it, and the owner helps
 * that thief until it is over: it takes from the thief's deque, but only jobs that lie there since the thief has begun
 * ours, so those that ours has forked. They are work that the owner waits for anyway; anything else might want a lock that
 * the frames below hold, and might take long.
 *
 * I1  A job is in one private list, or in one deque, or taken; the lowest bit of its link says that it is not in the
 *     list. Jobs in the deque are older than those in the list, which ends where a link is NULL or leads to one of them.
 * I2  Links, and the bottom of the deque, are changed under the latch, and by no other than the owner, save for I3. A fork
 *     is no such change: it writes to a job that nobody knows, and then to newest.
 * I3  The owner joins without the latch: it stores in newest what is behind the job, and then looks at the signal. Who
 *     seizes holds the latch, sets the signal, has every thread execute a fence (membarrier), and then reads newest. So
 *     for each join one of two is true: its store came before the fence, and who seizes does not find the job; or its look
 *     at the signal comes after, and the owner stops at the latch until the other one is through. The signal is taken away
 *     under the latch. (This is Dekker's idea with one of the fences moved to the other side.)
 * I4  What newest leads to was written before, by the owner's program; but the processor may not have stored it yet, which
 *     is what the second fence in `seize` is for.
 * I5  The link of a job in the deque has the entry. When it is taken it is written by its thief alone: to itself, when it
 *     begins (release, after `base`, which lies where the function was), and to OVER, when it ends (release, after the
 *     results). After OVER it touches the job no more: the frame may be gone. The bell that it rings then is the owner's,
 *     which lasts as long as the crew. Whoever else looks at the link meanwhile finds MOVED in it, and looks no further.
 * I6  base is the index that the thief's deque would have used next when it began. A job found there at or above it,
 *     while the thief is not over, was forked by what it runs: the deque is empty above base when it begins, its private
 *     list is empty, too (what was there is moved, as far as there is room, and then put aside), and whatever comes later
 *     is joined before it ends, or taken back.
 * I7  Nobody but its owner must run a job: the owner joins it in any case. So a thief that goes away, a wake-up that
 *     comes late, and a signal that is not seen cost time, and nothing else.
 * I8  Who ends a run stores the error first, and then signals all members. A member looks at the error whenever it finds
 *     a signal, which it takes away before, and whenever it begins a job. So it sees it at its next join at the latest.
 *
 * A plain thread that enters becomes a guest: a member for the time being. Threads of the pool that find nothing else to
 * do look for jobs while somebody is in the crew; a lookout (lookout.h) looks every few milliseconds, the others sleep.
 * Who has found one, and is the last to look, wakes another one: so while jobs are to be had either all are at work, or
 * one looks.
 *
 * Who looks for work looks first at those whose processors have the same last-level cache as its own: what they have forked
 * is probably there. It asks one of them, and one of the others: those nearby may have nothing to give. Where a member is,
 * is noted when it begins, for it seldom moves. That is done with more than two workers, and if somebody has asked how the
 * machine is built (os/topology.h): to find that out takes longer than most of what comes here.
 *
 * tests/model/crew.pml is a model of I1 to I6, and knows what goes wrong without each of the fences and looks.
 *
 * From: Mohr, Kranz, Halstead, "Lazy Task Creation" (1991); Wagner, Calder, "Leapfrogging" (PPoPP 1993); van Dijk, van de
 * Pol, "Lace: non-blocking split deque for work-stealing" (2014), which has the idea of the private part; and Dice, Moir,
 * Scherer, "Quickly Reacquirable Locks" (2006) for fences that are left to the one who comes seldom.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CREW_H
#define SALP__CREW_H

#include <stdatomic.h>
#include <stdbool.h>

#include <salp/parallel.h>

#include "base/list.h"
#include "lockfree/bell.h"
#include "lockfree/deque.h"
#include "lockfree/latch.h"
#include "os/thread.h"

typedef struct salp__crew salp__crew;

/* One run: what somebody has entered with, until that is over. In the frame of who waits for it. */
typedef struct salp__entry {
    const struct salp__entry *outer; /* in which it was begun, or NULL [const] */
    salp__list link;                 /* of one that has none [lock: entrance] */
    _Atomic int ended;               /* 0, or the error that has ended it: I8 */
} salp__entry;

typedef struct salp__member {
    salp__crew *crew;   /* [const] */
    salp__entry *entry; /* of the job that it is on [owner; written under the latch] */
    uint32_t random;    /* [owner] */
    bool alone;         /* nobody knows it: it is no member after all [const] */
    salp__list link;    /* of a guest that is not in use [lock: entrance] */
    /* What fork and join touch. Its signal: others set it, the owner takes it away. Not where a page begins: the frames of
       a deep recursion touch that place in their pages often, and the processor takes one for the other. */
    _Alignas(SALP__CACHE_LINE) salp_worker face;
    _Alignas(SALP__CACHE_LINE) salp__latch latch; /* I2 */
    _Atomic bool at_work;                         /* it is on a job; relaxed, a hint */
    _Atomic int cache;                  /* the last-level cache where it began, or -1: unknown; relaxed, a hint */
    salp_fork_job *_Atomic barren;      /* while this moved job is the newest, nothing is private; relaxed, a hint */
    struct salp__member *_Atomic asker; /* sleeps until there is something in the deque, or NULL */
    salp__bell bell; /* rung when a job of this one is over that another one ran, and by whom it has asked */
    salp__deque deque;
} salp__member;

/* `work`: where threads of the pool sleep that have nothing to do. */
int salp__crew_open(salp__crew **crew, int workers, salp__bell *work);
void salp__crew_close(salp__crew *crew);

static inline salp__member *salp__member_of(const salp_worker *worker)
{
    return SALP__CONTAINER(worker, salp__member, face);
}

/* Runs `run` as this member, on the calling thread, in the entry. Members that are on a job already may do so, too. */
void salp__member_run(salp__member *member, salp__entry *entry, salp_fork_fn *run, salp_fork_job *job);

/* The member of a thread of the pool. */
salp__member *salp__crew_member(salp__crew *crew, int index);

/* A member for a thread that is none, or NULL: all guests are in use, and there is no memory for one more, or no place.
   [lock: entrance] */
salp__member *salp__guest_open_locked(salp__crew *crew);
void salp__guest_close_locked(salp__member *guest);

/* Somebody comes, who will run jobs, and leaves. */
void salp__crew_join(salp__crew *crew);
void salp__crew_leave(salp__crew *crew);

/* Whether somebody is here, so that jobs may be found. */
bool salp__crew_is_busy(const salp__crew *crew);

/* A thread of the pool takes a job from somebody and runs it. It looks for one for some microseconds. false: there was none,
   or as many are here as there are workers. */
bool salp__crew_help(salp__crew *crew, int index);

/* Wakes a thread of the pool, if one may be of use. */
void salp__crew_summon(salp__crew *crew);

/* Nothing more of the entry is begun. The first error counts. Any thread, while the entry lasts. */
void salp__entry_end(salp__crew *crew, salp__entry *entry, int error);

/* 0, or the error that has ended it, or what it is in. */
static inline int salp__entry_ended(const salp__entry *entry)
{
    int ended = 0;
    for (; entry && ended == 0; entry = entry->outer)
        ended = atomic_load_explicit(&entry->ended, memory_order_acquire); /* I8 */
    return ended;
}

#endif
