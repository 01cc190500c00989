/*
 * A model of a queue between processes whose items lie on a belt, sync/shared_queue.c and sync/shared_belt.h, for Spin: that
 * two latches do what one does in queue.pml. Whoever dies, at whichever step, loses the message that he was writing and
 * nothing else, nobody waits for what is there, and what was taken is booked to who has taken it.
 *
 *   putter --alone with the latch: copy, count--> belt --alone with that of gets: copy, count--> getters
 *      `-- or with both, by the object's journal; then settle, and ring for those who were granted --'
 *
 * A process may be killed before each of its steps, as often as DEATHS says. Somebody who is about to go into the line or
 * sleeps there sees the end of another one (shared/deaths.c); somebody who finds a latch taken sees that its holder is dead.
 *
 * What is what in src/. A step is a change of one word, a commit, a ring, or all that only looks.
 *
 *   actor       puts one item: put_alone, put, wait_to_put; or gets: get_alone, get, wait_to_get, read_held
 *   set         salp__journal_set of one of two journals, the object's and the side's; undo restores what it has noted
 *   latch       salp__shared_latch and, from a dead holder, take_over
 *   both        salp__side_latch_locked and, from a dead holder, take_over of shared/side.c
 *   look_alone  salp__side_latch; from a dead holder, bury_holder
 *   be_taker    salp__shared_belt_be_taker
 *   settle      admit_locked, hand_locked; then salp__flow_unlatch and salp__wakes_ring
 *   bury        salp__bury_locked: free_nodes_locked, bury_locked, settle, salp__ring_granted
 *   sleep       salp__berth_wait; who sleeps sees the end of another one, since he watches it (shared/deaths.c)
 *
 * What holds:
 *
 * M1  When nothing moves any more, nobody alive waits to get while an item is there, or to put while there is room, or
 *     for what he was granted.
 * M2  No item comes twice, and each is whole when it comes.
 * M3  An item whose put has returned was got, or is in the queue, or is being read by one who is dead and was not buried,
 *     since nobody waits. (Got: whatever became of the one who has got it.)
 * M4  Who is alive is booked for what it has got, and who was buried for nothing.
 * M5  Every run ends: nobody looks again for ever.
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   COUNT_FIRST      one who counts the item before he has copied it onto the belt
 *   GOT_FIRST        one who counts it before he has copied it off the belt
 *   FORGET_SIDE      one who takes the latch of gets over and does not undo what the dead one had begun
 *   TAKE_ALONE       one who takes the latch of gets over from the dead, and has not the other one
 *   STAND_ALONE      one who stands in line to put, and does not take the latch of gets
 *   BOOK_LATE        one who counts what he has got, and then books that he is the taker
 *   COUNT_HANDED     one who hands an item out of the belt, and leaves it booked to the taker
 *   LOSE_HANDED      one who buries, and frees the cells that the dead one was reading
 *   FORGET_SETTLING  one who buries, and does not look what follows from it
 *   ENDLESS_LOOKS    one who waits, and looks again and again instead of sleeping
 *
 * What is left out: as in queue.pml; and what an end remembers of the other one, since that is at most too small.
 *
 * SPDX-License-Identifier: MIT
 */

#define ACTORS 3 /* number 0 puts, item 0; the others get, once or more often */
#define ITEMS 2  /* item 1 is there from the beginning, so that who puts has to wait */
#define DEATHS 2
#define ROOM 1
#define NOBODY ACTORS
#define TORN 9

/* What a cell is: one of these, the latter with the actor who holds it. Each getter has one for what it is handed. */
#define FREE 0
#define LISTED 1
#define READ 10

/* What a node is. */
#define NONE 0
#define WAITS 1
#define GRANTED 2

/* The words. */
#define PUT 0
#define GOT 1
#define TAKER 2 /* NOBODY, or who */
#define SINCE 3
#define NODE 4   /* of each actor */
#define AT 7     /* which cell a node was handed, of each actor */
#define CELL 10  /* of each actor */
#define TAKEN 13 /* of each actor: so many, and 100 */
#define WORDS 16

byte word[WORDS];

/* The journals: of the object, and of the side of gets. */
#define OBJECT 0
#define SIDE 16
byte old[32];
bool noted[32];

byte slot;         /* the item on the belt */
byte item[ACTORS]; /* in the cells */
byte latch = NOBODY, gets = NOBODY;
bool rung[ACTORS], buried[ACTORS];
bool alive[ACTORS + 1]; /* nobody is not */

mtype = { BEGIN, TRIES_BOTH, SLEEPS, READS, ENDS } /* what an actor is about to do */

bool put[ITEMS]; /* it has returned */
bool got[ITEMS];
byte got_by[ACTORS];
byte deaths = DEATHS; /* how many may still come */

#define COUNT (word[PUT] - word[GOT])
#define IS_LISTED (word[CELL + 1] == LISTED || word[CELL + 2] == LISTED)
#define SOMEBODY_GETS (word[NODE + 1] == WAITS || word[NODE + 2] == WAITS)
#define BOOKED(who) (word[TAKEN + who] + (word[TAKER] == who -> word[GOT] - word[SINCE] : 0) - 100)

/* Any step may have been the last one. */
inline step()
{
    if
    :: true
    :: atomic { deaths > 0 -> deaths--; alive[me] = false; goto end }
    fi
}

inline set(journal, which, new)
{
    atomic {
        step();
        if
        :: !noted[journal + which] -> noted[journal + which] = true; old[journal + which] = word[which]
        :: else
        fi;
        word[which] = new
    }
}

inline forget(journal)
{
    for (i : 0 .. WORDS - 1) { noted[journal + i] = false; old[journal + i] = 0 }
    i = 0
}

inline commit(journal)
{
    atomic { step(); forget(journal) }
}

inline undo(journal)
{
    atomic {
        step();
        for (i : 0 .. WORDS - 1) {
            if
            :: noted[journal + i] -> word[i] = old[journal + i]
            :: else
            fi
        }
        forget(journal)
    }
}

/* The latch of gets, with the other one. */
inline both()
{
    if
    :: atomic { gets == NOBODY -> step(); gets = me }
    :: atomic { gets != NOBODY && !alive[gets] -> step(); gets = me }
#ifndef FORGET_SIDE
       undo(SIDE)
#endif
    fi
}

inline write_slot(value)
{
    atomic { step(); slot = TORN }
    atomic { step(); slot = value }
}

/* One item alone, with its latch. */
inline put_item()
{
#ifdef COUNT_FIRST
    atomic { step(); word[PUT]++ }
    write_slot(me);
#else
    write_slot(me);
    atomic { step(); word[PUT]++ }
#endif
}

inline be_taker(since)
{
    if
    :: word[TAKER] != me ->
        if
        :: word[TAKER] != NOBODY ->
            set(SIDE, TAKEN + word[TAKER], word[TAKEN + word[TAKER]] + since - word[SINCE])
        :: else
        fi;
        set(SIDE, TAKER, me);
        set(SIDE, SINCE, since);
        commit(SIDE)
    :: else
    fi
}

/* It is the actor's own now, from the step on in which this stands. */
inline has_got()
{
    assert(value < ITEMS);
    assert(!got[value]);
    got[value] = true;
    got_by[me]++
}

inline get_item()
{
#ifdef BOOK_LATE
    atomic { step(); value = slot }
    atomic { step(); word[GOT]++; has_got() }
    be_taker(word[GOT] - 1);
#else
    be_taker(word[GOT]);
#ifdef GOT_FIRST
    atomic { step(); word[GOT]++ }
    atomic { step(); value = slot; has_got() }
#else
    atomic { step(); value = slot }
    atomic { step(); word[GOT]++; has_got() }
#endif
#endif
}

/* Takes what a cell has, with both. */
inline take_cell(which)
{
    set(OBJECT, CELL + which, FREE);
    set(OBJECT, TAKEN + me, word[TAKEN + me] + 1);
    atomic { step(); has_got(); forget(OBJECT) }
}

/* One who is dead and not buried; NOBODY: there is none. */
inline find_dead()
{
    d_step {
        dead = 0;
        do
        :: dead < ACTORS -> if :: !alive[dead] && !buried[dead] -> break :: else -> dead++ fi
        :: else -> break
        od
    }
}

proctype actor(byte me)
{
    byte c, q, dead = NOBODY, value, i;
    bool wake[ACTORS];
    bool burying;
    mtype phase = BEGIN;

    if
    :: me == 0 -> goto look
    :: else
    fi;

look_alone: /* get_alone */
    if
    :: atomic { gets == NOBODY -> step(); gets = me }
    :: atomic { gets != NOBODY && !alive[gets] -> dead = gets }
#ifdef TAKE_ALONE
       atomic { step(); gets = me; dead = NOBODY }
       undo(SIDE)
#else
       goto look
#endif
    fi;
    if
    :: word[NODE] != WAITS && !IS_LISTED && COUNT > 0 ->
        get_item();
        atomic { step(); gets = NOBODY }
        goto again
    :: else ->
        atomic { step(); gets = NOBODY }
        phase = TRIES_BOTH
    fi;

look:
    if
    :: atomic { latch == NOBODY -> step(); latch = me }
    :: atomic { latch != NOBODY && !alive[latch] -> dead = latch; latch = me }
       undo(OBJECT);
       goto bury
    fi;
    if
    :: dead != NOBODY -> /* seen in its sleep, or with a latch */
       if
       :: !buried[dead] -> goto bury
       :: else -> dead = NOBODY
       fi
    :: else
    fi;

act:
    if
    :: phase == BEGIN && me > 0 -> /* has only buried */
        atomic { step(); latch = NOBODY }
        goto look_alone
    :: phase == BEGIN && me == 0 && !SOMEBODY_GETS && COUNT < ROOM -> /* put_alone */
        put_item();
        atomic { step(); latch = NOBODY }
        put[me] = true;
        goto end
    :: phase == BEGIN && me == 0 && !(!SOMEBODY_GETS && COUNT < ROOM) ->
#ifdef STAND_ALONE
        if
        :: COUNT >= ROOM ->
            set(OBJECT, NODE + me, WAITS);
            commit(OBJECT);
            phase = SLEEPS;
            atomic { step(); latch = NOBODY }
            goto sleep
        :: else
        fi;
#endif
        both();
        if
        :: COUNT < ROOM -> put_item(); phase = ENDS
        :: else ->
            set(OBJECT, NODE + me, WAITS);
            commit(OBJECT);
            phase = SLEEPS
        fi
    :: phase == TRIES_BOTH ->
        both();
        if
        :: IS_LISTED ->
            c = (word[CELL + 1] == LISTED -> 1 : 2);
            atomic { step(); value = item[c] }
            take_cell(c);
            phase = ENDS
        :: !IS_LISTED && COUNT > 0 -> get_item(); phase = ENDS
        :: !IS_LISTED && COUNT == 0 ->
            set(OBJECT, NODE + me, WAITS);
            commit(OBJECT);
            phase = SLEEPS
        fi
    :: phase == SLEEPS ->
        if
        :: word[NODE + me] == GRANTED ->
            set(OBJECT, NODE + me, NONE);
            commit(OBJECT);
            atomic { step(); latch = NOBODY }
            if
            :: me == 0 -> put[me] = true; goto end
            :: else -> /* read_held */
                c = word[AT + me];
                atomic { step(); value = item[c] }
                phase = READS;
                goto look
            fi
        :: else ->
            rung[me] = false;
            atomic { step(); latch = NOBODY }
            goto sleep
        fi
    :: phase == READS ->
        both();
        take_cell(word[AT + me]);
        phase = ENDS
    fi;

settle:
    if
    :: word[NODE] == WAITS && COUNT < ROOM ->
        write_slot(0);
        set(OBJECT, PUT, word[PUT] + 1);
        set(OBJECT, NODE, GRANTED);
        commit(OBJECT);
        wake[0] = true;
        goto settle
    :: !(word[NODE] == WAITS && COUNT < ROOM) && SOMEBODY_GETS && (IS_LISTED || COUNT > 0) ->
        q = (word[NODE + 1] == WAITS -> 1 : 2);
        if
        :: IS_LISTED -> c = (word[CELL + 1] == LISTED -> 1 : 2)
        :: else ->
            c = q;
            atomic { step(); item[c] = slot }
            set(OBJECT, GOT, word[GOT] + 1);
#ifndef COUNT_HANDED
            set(OBJECT, SINCE, word[SINCE] + 1)
#endif
        fi;
        set(OBJECT, CELL + c, READ + q);
        set(OBJECT, AT + q, c);
        set(OBJECT, NODE + q, GRANTED);
        commit(OBJECT);
        wake[q] = true;
        goto settle
    :: !(word[NODE] == WAITS && COUNT < ROOM) && !(SOMEBODY_GETS && (IS_LISTED || COUNT > 0))
    fi;

ring:
    atomic { step(); gets = NOBODY }
    if
    :: !burying -> atomic { step(); latch = NOBODY }
    :: else
    fi;
    for (q : 0 .. ACTORS - 1) {
        if
        :: wake[q] || (burying && word[NODE + q] == GRANTED) -> atomic { step(); rung[q] = true }
        :: else
        fi;
        wake[q] = false
    }
    if
    :: burying -> burying = false; goto act
    :: !burying && phase == ENDS && me == 0 -> put[me] = true; goto end
    :: !burying && phase == ENDS && me > 0 -> goto again
    :: !burying && phase == SLEEPS
    fi;

sleep:
#ifndef ENDLESS_LOOKS
end_sleep:
    if
    :: rung[me]
    :: atomic { !(alive[0] || buried[0]) || !(alive[1] || buried[1]) || !(alive[2] || buried[2]) -> find_dead() }
    fi;
#endif
    goto look;

bury:
    burying = true;
    set(OBJECT, NODE + dead, NONE);
    commit(OBJECT);
    both();
    for (c : 1 .. ACTORS - 1) {
        if
#ifdef LOSE_HANDED
        :: word[CELL + c] == READ + dead -> set(OBJECT, CELL + c, FREE); commit(OBJECT)
#else
        :: word[CELL + c] == READ + dead -> set(OBJECT, CELL + c, LISTED); commit(OBJECT)
#endif
        :: else
        fi
    }
    set(OBJECT, TAKEN + dead, 100);
    if
    :: word[TAKER] == dead -> set(OBJECT, TAKER, NOBODY)
    :: else
    fi;
    commit(OBJECT);
    atomic { step(); buried[dead] = true }
    dead = NOBODY;
#ifdef FORGET_SETTLING
    goto ring;
#endif
    goto settle;

again: /* or never */
    phase = BEGIN;
    if
    :: goto look_alone
    :: goto end
    fi;

end:
    c = 0; q = 0; dead = 0; value = 0; phase = ENDS
}

/* The item is there, or will be for whoever buries. */
#define IS_IN(what) \
    ((COUNT > 0 && slot == what) || (word[CELL + 1] != FREE && item[1] == what) || \
     (word[CELL + 2] != FREE && item[2] == what))

init
{
    byte who;
    atomic {
        word[TAKER] = NOBODY;
        word[PUT] = 1;
        slot = 1;
        put[1] = true;
        for (who : 0 .. ACTORS - 1) {
            word[TAKEN + who] = 100;
            alive[who] = true;
            run actor(who)
        }
    }
    timeout;
    d_step {
        /* What was begun and nobody has needed to undo. Nobody alive has begun anything. */
        for (who : 0 .. WORDS - 1) {
            if
            :: noted[SIDE + who] -> word[who] = old[SIDE + who]
            :: noted[OBJECT + who] -> word[who] = old[OBJECT + who]
            :: else
            fi
        }
        for (who : 0 .. ITEMS - 1) {
            assert(!put[who] || got[who] || IS_IN(who)); /* M3 */
        }
        for (who : 0 .. ACTORS - 1) {
            assert(!alive[who] || word[NODE + who] != GRANTED);
            assert(!alive[who] || word[NODE + who] != WAITS ||
                   (who == 0 -> COUNT >= ROOM : COUNT == 0 && !IS_LISTED)); /* M1 */
            assert(!alive[who] || BOOKED(who) == got_by[who]); /* M4 */
            assert(!buried[who] || BOOKED(who) == 0)
        }
    }
}
