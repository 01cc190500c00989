/*
 * A model of what all objects between processes are made of, src/shared, for Spin: that whoever dies, at whichever step,
 * also of a burial, is buried, that what he had begun has happened whole or not at all, and that nobody waits for him.
 *
 *   one who comes --a slot, ring for who waits--> participant --latch--> changes by the journal --> ring for who was granted
 *   one who dies  <--seen by-- who sleeps, who finds the latch taken, who finds no slot --latch, undo--> bury --> settle
 *
 * The object is a semaphore, sync/shared_semaphore.c. Process 0 has a unit, and gives it back or leaves with it; 1 takes
 * one and then does the same; 2 does that, too, or adds one. There is one slot too few, so that somebody may come to a full
 * table. Each may be killed before each of its steps, as often as DEATHS says.
 *
 * What is what in src/. A step is one store to what is shared, one compare-and-swap, a ring, or all that only looks.
 *
 *   join        take_part, take_slot, announce; bury_all: salp__bury_all_dead
 *   get_latch   salp__shared_latch_wait, take_over; undo: salp__journal_undo
 *   set, both   salp__journal_set, salp__journal_set_both; mend: mend_locked of a semaphore
 *   has_latch   by `phase`: salp__shared_semaphore_acquire, _release, _close
 *   settle      settle_locked of a semaphore; salp__grant_locked, which changes the line of a task's node twice
 *   let_go      salp__shared_unlatch, salp__wakes_ring
 *   watch       salp__deaths_watch
 *   sleep       sleep_in_line; and the thread of deaths.c, for which the one who sleeps stands in: note_death, salp__bury
 *   bury        salp__bury_locked: free_nodes_locked, bury_locked, free_slot_locked, settle_locked, salp__ring_granted
 *
 * What holds:
 *
 * M1  No two who live have the latch.
 * M2  Who gets the latch finds the words as the last commit left them, whoever died in between: each change was made whole
 *     or not at all, and once. Each unit is in one place, and who lives has what his calls have told him.
 * M3  When nothing moves any more, nobody who lives waits while there is a unit, for what he was granted, or for what a dead
 *     one holds.
 * M4  Every run ends: nobody looks again for ever.
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   TAKE_BLINDLY       one who takes the latch from the dead by a store, without compare-and-swap
 *   COUNT_FIRST        one who counts a note before it is written
 *   STORE_FIRST        one who changes a word before its note counts
 *   UNDO_FORWARDS      one who sets back in the order in which it was noted
 *   EMPTY_FIRST        one who empties the journal, and then sets back
 *   SLOT_FIRST         one who buries, and frees the slot before what was held has come back
 *   LEAVE_TWICE        one who leaves with a unit, and says in two transactions that it is gone
 *   FORGET_MENDING     one who takes the latch from the dead, and does not count anew how many are free
 *   FORGET_SETTLING    one who buries, and does not look what follows from it
 *   FORGET_RINGS       one who buries, and does not ring for those who were granted
 *   COME_SILENTLY      one who comes, and does not ring for those who wait
 *   WATCH_FIRST        one who watches the others, and then goes into the line
 *   IGNORE_BURIERS     one who hears of a death, finds no slot, and does not ask who has the latch
 *   WATCH_SLOTS_ALONE  one who watches those who have slots, and not who has the latch
 *   NUMBERS_ALONE      processes that are known by numbers which come again, and not also by when they began
 *   ENDLESS_LOOKS      one who waits, and looks again and again instead of sleeping
 *
 * What is left out: the order of memory, since here everybody sees each store at once; the order of those who wait; forks;
 * porters; the thread of deaths.c as one of its own, beside the one who sleeps.
 *
 * SPDX-License-Identifier: MIT
 */

#define ACTORS 3
#define SLOTS 2
#define NOBODY ACTORS
#define DEATHS 2
#define ANYTHING 9 /* what a note says that does not count, of a word that does */

/* The words. VALUE is stored without the journal as well, and HELD alone, too. */
#define VALUE 0
#define TOTAL 1
#define HELD(slot) (2 + (slot))
#define NODE(actor) (2 + SLOTS + (actor))
#define WORDS (2 + SLOTS + ACTORS)

/* What a node is. */
#define FREE 0
#define WAITS 1
#define OFF 2 /* taken off the line, for some instructions of a transaction */
#define GRANTED 3

mtype = { TAKE, ADD, WAIT, GIVE, LEAVE, DONE }; /* what an actor does with the latch */
mtype = { NOTHING, FOUND, SEEN, HEARD }         /* how he has learnt of a death, and comes to bury */

typedef note { byte which; byte old }

/* The memory. */
byte latch = NOBODY;
byte count;
note noted[4];
byte word[WORDS];
byte who[ACTORS]; /* the slot of a node */
byte participant[SLOTS] = NOBODY;
byte joins;

bool rung[ACTORS];
bool alive[ACTORS + 1]; /* nobody is not */
byte deaths = DEATHS;   /* how many may still come */

/* What is to hold. */
byte committed[WORDS];
byte holder = NOBODY;
byte units;       /* that there have to be */
bool has[ACTORS]; /* as the actor knows it */

/* Any step may have been the last one. */
inline step()
{
    if
    :: true
    :: atomic { deaths > 0 -> deaths--; alive[me] = false; goto end }
    fi
}

/* ---- the journal ---- */

inline write_note(at, w)
{
    atomic { step(); noted[at].which = w; noted[at].old = word[w] }
}

inline store(w, value)
{
    atomic { step(); word[w] = value }
}

inline set(w, value)
{
#ifdef COUNT_FIRST
    atomic { step(); count++ };
    write_note(count - 1, w);
    store(w, value)
#else
    write_note(count, w);
#ifdef STORE_FIRST
    store(w, value);
    atomic { step(); count++ }
#else
    atomic { step(); count++ };
    store(w, value)
#endif
#endif
}

inline both(a, new_a, b, new_b)
{
    atomic {
        step();
        d_step {
            noted[count].which = a; noted[count].old = word[a];
            noted[count + 1].which = b; noted[count + 1].old = word[b]
        }
    };
    atomic { step(); count = count + 2 };
    store(a, new_a);
    store(b, new_b)
}

/* The notes say nothing any more. */
inline empty_journal()
{
    count = 0;
    for (i : 0 .. 3) { noted[i].which = TOTAL; noted[i].old = ANYTHING }
    i = 0
}

/* `what` is what somebody knows from then on. */
inline commit(what, is_now)
{
    atomic {
        step();
        d_step {
            empty_journal();
            for (i : 0 .. WORDS - 1) { committed[i] = word[i] }
            i = 0;
            what = is_now
        }
    }
}

/* Without the journal. */
inline store_at_once(w, value, what, is_now)
{
    atomic { step(); word[w] = value; committed[w] = word[w]; what = is_now }
}

#define FREE_UNITS(of) (of[TOTAL] - of[HELD(0)] - of[HELD(1)])

/* What follows from other words is stored anew. */
inline mend()
{
#ifdef FORGET_MENDING
    skip
#else
    store_at_once(VALUE, FREE_UNITS(word), i, 0)
#endif
}

inline undo()
{
#ifdef EMPTY_FIRST
    atomic { step(); i = count; count = 0 };
#else
    i = count;
#endif
#ifdef UNDO_FORWARDS
    n = i;
    i = 0;
    do
    :: i < n -> atomic { step(); word[noted[i].which] = noted[i].old }; i++
    :: else -> break
    od;
    n = 0;
#else
    do
    :: i > 0 -> atomic { step(); word[noted[i - 1].which] = noted[i - 1].old }; i--
    :: else -> break
    od;
#endif
    atomic { step(); d_step { empty_journal() } }
}

/* ---- what holds ---- */

/* With the latch. M2 */
inline check_words()
{
    d_step {
        assert(count == 0);
        for (i : 0 .. WORDS - 1) { assert(word[i] == committed[i]) }
        i = 0;
        assert(word[TOTAL] == units);
        assert(word[VALUE] + word[HELD(0)] + word[HELD(1)] == word[TOTAL]);
        assert(slot == SLOTS || participant[slot] == me);
        assert(slot == SLOTS || word[HELD(slot)] == has[me] + (word[NODE(me)] == GRANTED))
    }
}

/* M1 */
inline now_has_latch()
{
    assert(!alive[holder]);
    holder = me
}

#define TAKES_PART(id) (participant[0] == id || participant[1] == id)
#define IS_HEARD(id) (watched[id] && !alive[id])

/* Watches one, or has it buried. */
inline watch_one(id)
{
    d = id;
    if
    :: atomic { d == NOBODY || d == me || watched[d] -> d = 0 }
    :: atomic { d != NOBODY && d != me && !watched[d] && alive[d] -> watched[d] = true; d = 0 }
    :: atomic { d != NOBODY && d != me && !watched[d] && !alive[d] -> dead = d; d = 0; s = 0; why = SEEN };
       goto get_latch
    fi
}

proctype actor(byte me)
{
    byte slot = SLOTS;                   /* our own */
    byte dead = NOBODY, victim = NOBODY; /* to be buried; being buried */
    byte came, seen;                     /* how many had come when we looked, and when all were watched */
    bool watched[ACTORS], wake[ACTORS];
    bool tried;
    byte s, n, i, d;
    mtype phase = TAKE, why = NOTHING;

    if
    :: me == 0 -> phase = GIVE; slot = 0; goto get_latch
    :: me == 2 -> phase = ADD
#ifndef SMALL /* for M4 */
    :: me == 2
#endif
    :: me == 1
    fi;

join:
    do
    :: atomic { s < SLOTS && participant[s] == NOBODY -> step(); participant[s] = me; slot = s; break }
    :: atomic { s < SLOTS && participant[s] != NOBODY -> s++ }
    :: s == SLOTS -> break
    od;
    s = 0;
    if
    :: slot == SLOTS && tried -> goto end /* he is refused */
    :: slot == SLOTS && !tried -> tried = true; goto bury_all
    :: slot < SLOTS -> atomic { step(); joins++ }
    fi;
#ifndef COME_SILENTLY
    do
    :: atomic { n < ACTORS && word[NODE(n)] == WAITS -> step(); rung[n] = true; n++ }
    :: atomic { n < ACTORS && word[NODE(n)] != WAITS -> n++ }
    :: n == ACTORS -> break
    od;
    n = 0;
#endif
#ifdef WATCH_FIRST
    goto watch;
#endif
    goto get_latch;

bury_all:
    do
    :: s < SLOTS ->
        d = participant[s];
        s++;
        if
        :: atomic { d != NOBODY && !alive[d] && TAKES_PART(d) -> dead = d; d = 0; s = 0; why = FOUND };
           goto get_latch
        :: else -> d = 0
        fi
    :: else -> s = 0; goto join
    od;

get_latch:
    if
    :: atomic { latch == NOBODY -> step(); latch = me; now_has_latch() }
    :: atomic { latch != NOBODY && !alive[latch] -> victim = latch }; /* and we know */
       if
#ifdef TAKE_BLINDLY
       :: atomic { step(); latch = me; now_has_latch() }
#else
       :: atomic { latch == victim -> step(); latch = me; now_has_latch() }
       :: atomic { latch != victim -> victim = NOBODY }; goto get_latch
#endif
       fi;
       undo();
       mend();
       check_words();
       goto bury
    fi;

has_latch:
    check_words();
    if
    :: dead != NOBODY -> victim = dead; dead = NOBODY; goto bury
    :: dead == NOBODY && why != NOTHING -> goto let_go
    :: why == NOTHING && phase == TAKE && word[VALUE] > 0 ->
        store_at_once(HELD(slot), word[HELD(slot)] + 1, has[me], true);
        store_at_once(VALUE, word[VALUE] - 1, i, 0);
        phase = GIVE
    :: why == NOTHING && phase == TAKE && word[VALUE] == 0 ->
        who[me] = slot; /* not by the journal: of a node that is free it says nothing */
        set(NODE(me), WAITS);
        commit(rung[me], false);
        phase = WAIT
    :: why == NOTHING && phase == WAIT && word[NODE(me)] == GRANTED ->
        set(NODE(me), FREE);
        commit(has[me], true);
        phase = GIVE
    :: why == NOTHING && phase == WAIT && word[NODE(me)] != GRANTED -> rung[me] = false
    :: why == NOTHING && phase == GIVE ->
        store_at_once(HELD(slot), word[HELD(slot)] - 1, has[me], false);
        store_at_once(VALUE, word[VALUE] + 1, i, 0);
        phase = LEAVE
    :: why == NOTHING && phase == GIVE -> /* he leaves with it: then nobody has it */
#ifdef LEAVE_TWICE
        set(TOTAL, word[TOTAL] - 1);
        commit(units, units - 1);
        set(HELD(slot), 0);
        commit(has[me], false);
#else
        both(TOTAL, word[TOTAL] - 1, HELD(slot), 0);
        atomic { commit(has[me], false); units-- };
#endif
        atomic { step(); participant[slot] = NOBODY; slot = SLOTS };
        phase = DONE
    :: why == NOTHING && phase == ADD ->
        both(TOTAL, word[TOTAL] + 1, HELD(slot), 0);
        commit(units, units + 1);
        store_at_once(VALUE, word[VALUE] + 1, i, 0);
        phase = DONE /* he lives on, and does not leave */
    :: why == NOTHING && phase == LEAVE ->
        atomic { step(); participant[slot] = NOBODY; slot = SLOTS };
        phase = DONE
    fi;

settle:
    atomic { /* the first who waits */
        n = 0;
        do
        :: n < ACTORS && word[NODE(n)] != WAITS -> n++
        :: else -> break
        od
    }
    if
    :: atomic { n == ACTORS || word[VALUE] == 0 -> n = 0 }
    :: n < ACTORS && word[VALUE] > 0 ->
        both(VALUE, word[VALUE] - 1, HELD(who[n]), word[HELD(who[n])] + 1);
        set(NODE(n), OFF);
        set(NODE(n), GRANTED);
        commit(wake[n], true);
        goto settle
    fi;
    if
    :: victim != NOBODY -> goto buried
    :: else
    fi;

let_go:
    atomic { step(); latch = NOBODY; holder = NOBODY };
    do
    :: atomic { n < ACTORS && wake[n] -> step(); rung[n] = true; wake[n] = false; n++ }
    :: atomic { n < ACTORS && !wake[n] -> n++ }
    :: n == ACTORS -> break
    od;
    n = 0;
    if
    :: why == FOUND -> why = NOTHING; goto bury_all
    :: why == SEEN -> why = NOTHING; goto watch
    :: why == HEARD -> why = NOTHING; goto sleep
    :: why == NOTHING && phase == DONE -> goto end
#ifdef WATCH_FIRST
    :: why == NOTHING && phase == WAIT -> goto sleep
#else
    :: why == NOTHING && phase == WAIT -> goto watch
#endif
    :: why == NOTHING && phase != DONE && phase != WAIT -> goto get_latch
    fi;

bury:
    do
    :: s < SLOTS && participant[s] != victim -> s++
    :: s < SLOTS && participant[s] == victim ->
#ifdef SLOT_FIRST
        atomic { step(); participant[s] = NOBODY };
#endif
        do
        :: n < ACTORS && word[NODE(n)] != FREE && who[n] == s -> set(NODE(n), FREE); commit(n, n + 1)
        :: n < ACTORS && !(word[NODE(n)] != FREE && who[n] == s) -> n++
        :: n == ACTORS -> break
        od;
        n = 0;
        d = word[HELD(s)];
        both(TOTAL, word[TOTAL], HELD(s), 0);
        set(VALUE, word[VALUE] + d);
        commit(d, 0);
#ifndef SLOT_FIRST
        atomic { step(); participant[s] = NOBODY };
#endif
        s++
    :: s == SLOTS -> break
    od;
    s = 0;
#ifndef FORGET_SETTLING
    goto settle;
#endif

buried:
    do
#ifdef FORGET_RINGS
    :: n < ACTORS -> wake[n] = false; n++
#else
    :: atomic { n < ACTORS && word[NODE(n)] == GRANTED -> step(); rung[n] = true; wake[n] = false; n++ }
    :: atomic { n < ACTORS && word[NODE(n)] != GRANTED -> n++ }
#endif
    :: n == ACTORS -> break
    od;
    n = 0;
    victim = NOBODY;
    goto has_latch;

watch:
    atomic { step(); came = joins };
    if
    :: came == seen
    :: else ->
        do
        :: s < SLOTS -> watch_one(participant[s]); s++
        :: s == SLOTS -> break
        od;
        s = 0;
#ifndef WATCH_SLOTS_ALONE
        watch_one(latch);
#endif
        seen = came
    fi;
    came = 0;
#ifdef WATCH_FIRST
    goto get_latch;
#endif

sleep:
#ifdef ENDLESS_LOOKS
    goto get_latch;
#endif
end_sleep:
    if
#ifdef WATCH_FIRST
    :: rung[me] -> goto watch
#else
    :: rung[me] -> goto get_latch
#endif
    :: atomic {
           IS_HEARD(0) || IS_HEARD(1) || IS_HEARD(2) ->
           d = (IS_HEARD(0) -> 0 : (IS_HEARD(1) -> 1 : 2));
           watched[d] = false
       };
       if
       :: atomic { TAKES_PART(d) -> dead = d; d = 0; why = HEARD }; goto get_latch
       :: else
       fi;
       if
#ifndef IGNORE_BURIERS
       :: atomic { latch != NOBODY -> dead = d; d = 0; why = HEARD }; goto get_latch
       :: atomic { latch == NOBODY -> d = 0 }; goto sleep
#else
       :: atomic { true -> d = 0 }; goto sleep
#endif
       fi
    fi;

end:
    skip;
    d_step {
        slot = 0; dead = 0; victim = 0; came = 0; seen = 0; tried = false; s = 0; n = 0; i = 0; d = 0;
        for (i : 0 .. ACTORS - 1) { watched[i] = false; wake[i] = false }
        i = 0;
        phase = DONE;
        why = NOTHING
    }
#ifdef NUMBERS_ALONE
    if
    :: atomic { !alive[me] -> alive[me] = true; rung[me] = false; has[me] = false; slot = SLOTS };
       dead = NOBODY;
       victim = NOBODY;
       phase = TAKE;
       goto join
    :: else
    fi
#endif
}

init
{
    byte a;
    atomic {
        for (a : 0 .. 3) { noted[a].which = TOTAL; noted[a].old = ANYTHING }
        joins = 1;
        participant[0] = 0;
        units = 1;
        has[0] = true;
        word[HELD(0)] = 1;
        committed[HELD(0)] = 1;
        word[TOTAL] = 1;
        committed[TOTAL] = 1;
        for (a : 0 .. ACTORS - 1) { alive[a] = true; run actor(a) }
        a = 0
    }
    timeout;
    /* M3 */
    d_step {
        for (a : 0 .. ACTORS - 1) {
            assert(!alive[a] || committed[NODE(a)] != GRANTED);
            assert(!alive[a] || committed[NODE(a)] != WAITS ||
                   (FREE_UNITS(committed) == 0 && (committed[HELD(0)] == 0 || alive[participant[0]]) &&
                    (committed[HELD(1)] == 0 || alive[participant[1]])))
        }
    }
}
