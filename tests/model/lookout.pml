/*
 * A model of who looks for jobs, for Spin: pool/entrance.h, I2 and I3, and pool/lookout.h. While somebody may fork, and as many
 * threads as there are workers are not yet there, one that sleeps is woken, or one looks every now and then.
 *
 *   guests --enter, fork, leave--> present, jobs
 *   workers --search--> at work
 *      `------in vain--> the lookout naps; the others sleep until they are woken
 *   caller --> an item of a map, for which a worker is woken
 *
 * What is what in src/. A step is one access to the memory, or what is done under the lock of the engine.
 *
 *   enter     run_here: salp__crew_join, the look at `watched`, salp__crew_summon
 *   leave     run_here: salp__crew_leave, salp__entrance_summon
 *   worker    worker_main: the look at the calls, salp__entrance_serve, salp__crew_help, idle_locked, stand_down
 *   naps      `naps` of the lookout and `watched` of the entrance, which change together
 *   wake      salp__wake of one; it may be any of those who sleep, or nap
 *
 * In one scene a guest comes and leaves while another one forks two jobs; in the other one an item of a map comes while one is
 * forked. Jobs wait for each other, and for the item: who has one is at work until the end. So both workers have to come.
 *
 * What holds:
 *
 * M1  Each job is begun.
 * M2  A worker that finds nothing sleeps, and is not the only one that looks for ever.
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   LEAVE_SILENTLY   a guest that leaves and wakes nobody
 *   CALLED_AWAY      a worker that takes the item of the map and wakes nobody
 *   FIND_SILENTLY    a worker that has found a job and wakes nobody
 *   ENTER_SILENTLY   a guest that wakes nobody, and does not look whether there is a lookout
 *   ENDLESS_SEARCH   a worker that finds nothing and does not sleep
 *
 * What is left out: that a lookout's naps become longer, and that there is none when nobody has been there for a while; where
 * jobs are found (crew.pml); visits.
 *
 * SPDX-License-Identifier: MIT
 */

#define WORKERS 3 /* one of them is elsewhere all the time */

byte present, searching, rings, jobs, calls;
bool naps, lock, over;
bool asleep[2];

inline wake()
{
    atomic {
        rings++;
        if
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
        :: !asleep[0] && !asleep[1]
        fi
    }
}

/* salp__crew_summon */
inline summon()
{
    if
    :: present < WORKERS ->
        if
        :: searching == 0 -> wake()
        :: else
        fi
    :: else
    fi
}

/* salp__entrance_summon */
inline summon_instead()
{
    if
    :: present > 0 ->
        if
        :: !naps -> summon()
        :: else
        fi
    :: else
    fi
}

inline enter()
{
    present++;
    if
#ifdef ENTER_SILENTLY
    :: true
#else
    :: naps /* if it was brief the last time */
#endif
    :: summon()
    fi
}

inline leave()
{
    present--;
#ifndef LEAVE_SILENTLY
    summon_instead()
#endif
}

proctype guest()
{
    enter();
    leave()
}

/* Forks a job, and another one when somebody is at the first. */
proctype forker(byte forks)
{
    enter();
    do
    :: forks > 0 -> jobs++; forks--; jobs == 0
    :: else -> break
    od;
    over = true;
    present--
}

proctype caller()
{
    calls++;
    wake()
}

/* salp__crew_help */
inline search()
{
    atomic { before = present; present++ };
    if
    :: before >= WORKERS
    :: else ->
        searching++;
        if
        :: atomic { jobs > 0 -> jobs--; found = true }
        :: jobs == 0
        fi;
        atomic { searching--; last = (searching == 0) };
        if
        :: found ->
#ifndef FIND_SILENTLY
            if
            :: last -> summon()
            :: else
            fi;
#endif
            over
        :: else
        fi
    fi;
    present--;
    before = 0;
    last = false
}

/* idle_locked, salp__park, stand_down */
inline idle()
{
    atomic { !lock -> lock = true; lookout = !naps && present > 0 };
    atomic { naps = naps || lookout; lock = false };
    atomic {
        if
        :: rings == seen -> asleep[me] = true
        :: else
        fi
    };
    if
    :: lookout ->
progress:
        atomic { !lock -> asleep[me] = false; naps = false } /* woken, or its nap is over */
    :: else -> !asleep[me] || over
    fi
}

proctype worker(byte me)
{
    byte seen, before;
    bool found, last, lookout;

    do
    :: over -> break
    :: !over ->
        seen = rings;
        if
        :: atomic { calls > 0 -> calls-- };
#ifndef CALLED_AWAY
            summon_instead();
#endif
            over
        :: calls == 0 ->
            found = false;
            if
            :: present > 0 -> search()
            :: else
            fi;
#ifndef ENDLESS_SEARCH
            if
            :: !found -> idle()
            :: else
            fi
#endif
        fi
    od
}

init
{
    atomic {
        if
        :: run guest(); run forker(2)
        :: run caller(); run forker(1)
        fi;
        run worker(0);
        run worker(1)
    }
}
