/*
 * A model of pool/crew.h for Spin: that a job is run once, by its owner or by a thief, though the owner forks and joins
 * without a fence; and that who joins helps with nothing but what it waits for.
 *
 *   owner --fork, join--> newest -> job -> job --moved by the owner, or seized--> deque --stolen--> thieves
 *     `-- its stores wait in a buffer, and reach the memory later, in any order
 *
 * There are two scenes, since each is large. In the first one the owner forks and joins while one thief seizes and another
 * one asks. In the second one a job runs on a thief who has older jobs in its deque, and forks; the one who waits for it
 * helps; then the thief goes on with another job.
 *
 * What is what in src/. A step is one access to the memory or to the buffer, or what is done under a latch when nothing of
 * it can be seen by others before.
 *
 *   owner     salp_fork, salp_join, salp_join_signalled_v1, wait_for_thief
 *   buffer    what the owner has stored and nobody else sees yet: newest, a job's link, what a job leads to (`whole`)
 *   fence     salp__fence_others: at some time before it returns the owner's buffer is empty; what the owner loads after
 *             that it loads after what was stored before the call
 *   seizer    a thief who finds nothing: seize_locked, then as the other one
 *   asker     a thief who asks: signal_member; then salp__deque_steal and run_taken
 *   move      move_oldest_locked, for the older half
 *   joiner    leap, in the second scene; its salp__deque_steal in steps
 *   runner    the thief there: begin, the owner's part of its deque, end
 *
 * The deque has a model of its own (deque.pml), so in the first scene what is done with it is one step. `link` and `thief`
 * are one word: it is a link until the job is moved.
 *
 * What holds:
 *
 * M1  Each job is run once, whole; and its owner knows it when the join has returned.
 * M2  Nobody looks at a job that is in nobody's list: its frame may be gone.
 * M3  Who helps runs what the job that it waits for has forked, and while that is under way.
 * M4  Every run ends.
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   NO_FENCE         one who seizes, and does not have the owner execute a fence
 *   SIGNAL_LATE      one who seizes, and sets the signal after the fence
 *   LOOK_UNFENCED    one who seizes, and looks at what newest leads to without the second fence
 *   NO_LATCH         an owner who sees the signal and does not stop at the latch
 *   TRUST_LINK       an owner who does not look again, under the latch, whether its job was moved
 *   OVER_FIRST       a thief who says that a job is over before it is
 *   ANY_INDEX        one who helps, and takes what was in the deque before the job began
 *   LOOK_FIRST       one who helps, and looks whether the job is under way only before it looks at the deque
 *   THIEF_FIRST      a thief who says who it is before it has stored where its deque ended
 *
 * What is left out: bells; runs that are ended; nested ones; guests that come and go.
 *
 * SPDX-License-Identifier: MIT
 */

#define JOBS 3 /* 1, 2 and 3; a place is used for several, one after the other */
#define NONE 0
#define MOVED 9 /* as a link */
#define OVER 9  /* as a thief */
#define TRIES 2 /* of the seizer; with one of them some of the owner's ways are never gone */
#define SEIZER 1
#define ASKER 2

/* ---- the first scene ---- */

byte newest, link[JOBS + 1];
bool whole[JOBS + 1];
bool signal, latch;
byte deque[JOBS], moved; /* so many lie there, the oldest first */

byte thief[JOBS + 1];
byte runs[JOBS + 1];
bool forked[JOBS + 1]; /* and not joined: its frame is there */
bool over;

/* What the owner has stored and others do not see. */
bool newest_waits, link_waits[JOBS + 1], whole_waits[JOBS + 1];
byte new_newest, new_link[JOBS + 1];

#define EMPTY                                                                                                            \
    (!newest_waits && !link_waits[1] && !link_waits[2] && !link_waits[3] && !whole_waits[1] && !whole_waits[2] &&        \
     !whole_waits[3])

/* The owner sees what it has stored. */
#define OWN_NEWEST (newest_waits -> new_newest : newest)
#define OWN_LINK(j) (link_waits[j] -> new_link[j] : link[j])

proctype buffer()
{
end:
    do
    :: atomic { newest_waits -> newest = new_newest; newest_waits = false }
    :: atomic { link_waits[1] -> link[1] = new_link[1]; link_waits[1] = false }
    :: atomic { link_waits[2] -> link[2] = new_link[2]; link_waits[2] = false }
    :: atomic { link_waits[3] -> link[3] = new_link[3]; link_waits[3] = false }
    :: atomic { whole_waits[1] -> whole[1] = true; whole_waits[1] = false }
    :: atomic { whole_waits[2] -> whole[2] = true; whole_waits[2] = false }
    :: atomic { whole_waits[3] -> whole[3] = true; whole_waits[3] = false }
    :: over -> break
    od
}

inline store_newest(value)
{
    atomic { !newest_waits -> newest_waits = true; new_newest = value }
}

inline store_link(job, value)
{
    atomic { !link_waits[job] -> link_waits[job] = true; new_link[job] = value }
}

inline put(job)
{
    link[job] = MOVED;
    thief[job] = NONE;
    deque[moved] = job;
    moved++
}

/* Under the latch. The older half of the list from `first` on goes to the deque, the oldest first: of three the two
   oldest, of two or one the oldest. */
inline move(first)
{
    d_step {
        a = first;
        b = NONE;
        c = NONE;
        assert(a == NONE || forked[a]); /* M2 */
        if
        :: a != NONE && link[a] != MOVED -> b = link[a]
        :: else -> a = NONE
        fi;
        if
        :: b != NONE && link[b] != MOVED -> assert(forked[b]); c = link[b]
        :: else -> b = NONE
        fi;
        if
        :: c != NONE && link[c] != MOVED -> assert(forked[c])
        :: else -> c = NONE
        fi;
        if
        :: c != NONE -> put(c); put(b)
        :: c == NONE && b != NONE -> put(b)
        :: c == NONE && b == NONE && a != NONE -> put(a)
        :: else
        fi;
        a = NONE; b = NONE; c = NONE
    }
}

inline fork_job(job)
{
    d_step { runs[job] = 0; whole[job] = false; forked[job] = true };
    whole_waits[job] = true;
    l = OWN_NEWEST;
    store_link(job, l);
    store_newest(job)
}

inline join_job(job)
{
    l = OWN_LINK(job);
    if
    :: l == MOVED -> store_newest(NONE)
    :: else -> store_newest(l)
    fi;
    if
    :: l == MOVED || signal -> join_slowly(job)
    :: else -> runs[job]++
    fi;
    d_step {
        assert(runs[job] == 1); /* M1 */
        forked[job] = false
    }
}

inline join_slowly(job)
{
#ifndef NO_LATCH
    atomic { !latch -> latch = true };
#endif
    EMPTY; /* before the latch is released, and nobody looks before */
#ifdef TRUST_LINK
    is_moved = (l == MOVED);
#else
    is_moved = (link[job] == MOVED);
#endif
    back = false;
    if
    :: is_moved ->
        newest = NONE;
        d_step {
            if
            :: moved > 0 -> moved--; assert(deque[moved] == job); deque[moved] = NONE; back = true
            :: else
            fi
        }
    :: else
    fi;
    if
    :: signal -> signal = false; move(newest)
    :: else
    fi;
    latch = false;
    if
    :: is_moved && !back -> thief[job] == OVER
    :: else -> runs[job]++
    fi
}

proctype owner()
{
    byte l, a, b, c;
    bool is_moved, back;

    fork_job(1);
    fork_job(2);
    join_job(2);
    fork_job(2); /* another one, in the same frame */
    fork_job(3);
    join_job(3);
    join_job(2);
    join_job(1)
}

inline steal()
{
    atomic {
        if
        :: moved > 0 -> job = deque[0]; deque[0] = deque[1]; deque[1] = deque[2]; deque[2] = NONE; moved--
        :: else -> job = NONE
        fi
    };
    if
    :: job != NONE ->
        assert(forked[job] && whole[job]);
        thief[job] = me;
#ifdef OVER_FIRST
        thief[job] = OVER;
#endif
        runs[job]++;
        thief[job] = OVER
    :: else
    fi
}

/* At some time before it returns the owner's buffer is empty. */
inline fence()
{
    EMPTY
}

proctype seizer()
{
    byte me = SEIZER, job, n, a, b, c, tries;

    do
    :: tries < TRIES ->
        tries++;
        if
        :: atomic { !latch -> latch = true };
#ifndef SIGNAL_LATE
           signal = true;
#endif
#ifndef NO_FENCE
           fence();
#endif
#ifdef SIGNAL_LATE
           signal = true;
#endif
           n = newest;
           if
           :: n != NONE ->
#ifndef LOOK_UNFENCED
               fence();
#endif
               move(n)
           :: else
           fi;
           n = NONE;
           latch = false
        :: latch
        fi;
        steal()
    :: else -> break
    od
}

proctype asker()
{
    byte me = ASKER, job;

    signal = true;
    steal();
    steal()
}

/* ---- the second scene ---- */

#define OLDER 1   /* it lies in the thief's deque from before */
#define CHILD 2   /* the job that is waited for has forked it */
#define FOREIGN 3 /* another job that the thief runs later has */

byte bottom = 1, top, place[4] = OLDER;
byte runner_is, base;
byte came[4];

/* The newest: all is visible at once here. */
inline take(item)
{
    bottom--;
    if
    :: top < bottom -> came[item]++
    :: top == bottom ->
        if
        :: atomic { top == bottom -> top++; came[item]++ }
        :: atomic { top != bottom -> skip }
        fi;
        bottom++
    :: top > bottom -> bottom++
    fi;
    came[item] > 0 /* joined: if it was stolen, the thief of it is over */
}

/* The thief's: begins a job, in which it forks one, joins it, and ends; then another job, on which nobody waits. */
proctype runner()
{
#ifdef THIEF_FIRST
    runner_is = ASKER;
    base = bottom;
#else
    base = bottom;
    runner_is = ASKER;
#endif
    place[bottom] = CHILD;
    bottom++;
    take(CHILD);
    runner_is = OVER;
    place[bottom] = FOREIGN;
    bottom++;
    take(FOREIGN)
}

#ifdef ANY_INDEX
#define FROM 0
#else
#define FROM base
#endif

proctype joiner()
{
    byte t, item;

    do
    :: runner_is == OVER -> break
    :: runner_is == ASKER && top < bottom && top >= FROM -> /* else it sleeps */
        t = top;
        if
        :: t < bottom && t >= FROM ->
            item = place[t];
#ifndef LOOK_FIRST
            if
            :: runner_is == ASKER
            :: else -> break
            fi;
#endif
            if
            :: atomic { top == t -> top++; assert(item == CHILD && came[item] == 0); came[item]++ } /* M3 */
            :: top != t
            fi
        :: else
        fi
    od
}

/* Somebody who has nothing else to do. */
proctype stranger()
{
    byte t, item, tries;

    do
    :: tries < 2 ->
        tries++;
        t = top;
        if
        :: t < bottom ->
            item = place[t];
            if
            :: atomic { top == t -> top++; assert(came[item] == 0); came[item]++ }
            :: top != t
            fi
        :: else
        fi
    :: else -> break
    od
}

init
{
    if
    :: atomic { run buffer(); run owner(); run seizer(); run asker() }
       timeout;
       assert(!latch && moved == 0 && !forked[1] && !forked[2] && !forked[3]);
       over = true
    :: atomic { run runner(); run joiner(); run stranger() }
       timeout;
       assert(came[CHILD] == 1 && came[FOREIGN] == 1)
    fi
}
