/*
 * A model of a queue between processes, sync/shared_queue.c, for Spin: that whoever dies, at whichever step, loses the
 * message that he was writing and nothing else, and that nobody waits for what is there.
 *
 *   putters --write a cell, list it or stand in line with it--> queue --be handed one, read it, free it--> getters
 *       `-- each change under the latch; then settle, and ring for those who were granted --'
 *
 * A process may be killed before each of its steps, as often as DEATHS says. Somebody who is about to go into the line or
 * sleeps there sees the end of another one (shared/deaths.c), takes the latch, over from the dead if he had it, undoes what
 * the journal has, and buries.
 *
 * What is what in src/. A step is a change of one word, a commit, a ring, or all that only looks.
 *
 *   actor      puts one item: salp__shared_queue_put, write_item_locked, wait_to_put; or gets one: salp__shared_queue_get,
 *              take_next, wait_to_get, read_held. An item is short or long, as it comes
 *   set        salp__journal_set; the journal is here a copy of all words as of the last commit; undo takes it
 *   take_latch salp__shared_latch and, from a dead holder, take_over
 *   settle     settle_locked: admit_locked, hand_locked; then salp__shared_unlatch and salp__wakes_ring
 *   bury       salp__bury_locked: free_nodes_locked, bury_locked, settle, salp__ring_granted
 *   sleep      salp__berth_wait; who sleeps sees the end of another one, since he watches it (shared/deaths.c)
 *
 * What holds:
 *
 * M1  When nothing moves any more, nobody alive waits to get while an item is there, or to put while there is room, or
 *     for what he was granted.
 * M2  No item comes twice, and each is whole when it comes.
 * M3  An item whose put has returned was got, or is in the queue, or is being read by one who is dead and was not buried,
 *     since nobody waits. (Got: whatever became of the one who has got it.)
 * M4  Every run ends: nobody looks again for ever.
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   FORGET_JOURNAL   one who takes the latch over and does not undo what the dead one had begun
 *   FREE_FIRST       one who frees the cell before he has read the item
 *   LOSE_HANDED      one who buries, and frees the cells that the dead one was reading
 *   FORGET_RINGS     one who buries, and does not ring for those who were granted
 *   FORGET_SETTLING  one who buries, and does not look what follows from it
 *   LIST_FIRST       one who lists the cell before he has written the item
 *   SLEEP_BLINDLY    one who sleeps and does not see the end of another one
 *   ENDLESS_LOOKS    one who waits, and looks again and again instead of sleeping
 *
 * What is left out: the order of memory, since here everybody sees each store at once; the order of items and of those who
 * wait; selects, joins, scopes, shutting down, capacity 0.
 *
 * SPDX-License-Identifier: MIT
 */

#define PUTTERS 1 /* number 0, which is also its item; the others get */
#define ACTORS 3
#define ITEMS 2 /* the other one is there from the beginning, so that who puts has to wait */
#define DEATHS 2
#define CAPACITY 1
#define CELLS 2 /* each item has one */
#define NOBODY ACTORS
#define TORN 9

/* What a cell is: one of these, the latter two with the actor who holds it. */
#define FREE 0
#define LISTED 1
#define WRITTEN 2
#define READ 10

mtype = { NONE, WAITS, GRANTED };                                   /* what a node is */
mtype = { BEGIN, WRITES, LISTS, SLEEPS, HAS_PUT, READS, FREES, ENDS } /* what an actor is about to do */

typedef words {
    byte cell[CELLS];
    mtype node[ACTORS];
    byte at[ACTORS] /* the cell of a node */
}

words now_, committed; /* the memory, and what the journal would make of it */
byte item[CELLS];
byte latch = NOBODY;
bool rung[ACTORS], buried[ACTORS];
bool alive[ACTORS + 1]; /* nobody is not */

bool put[ITEMS]; /* it has returned */
byte got[ITEMS];
byte deaths = DEATHS; /* how many may still come */

#define COUNT ((now_.cell[0] == LISTED) + (now_.cell[1] == LISTED))

inline copy_words(to, from)
{
    for (i : 0 .. CELLS - 1) { to.cell[i] = from.cell[i] }
    for (i : 0 .. ACTORS - 1) { to.node[i] = from.node[i]; to.at[i] = from.at[i] }
    i = 0
}

/* Any step may have been the last one. */
inline step()
{
    if
    :: true
    :: atomic { deaths > 0 -> deaths--; alive[me] = false; goto end }
    fi
}

inline set(word, new)
{
    atomic { step(); word = new }
}

inline commit()
{
    atomic { step(); copy_words(committed, now_) }
}

inline find_cell(what)
{
    d_step {
        c = 0;
        do
        :: c < CELLS -> if :: now_.cell[c] == what -> break :: else -> c++ fi
        :: else -> break
        od
    }
}

/* The first who waits, of those who put or of those who get. */
inline find_node(first, beyond)
{
    d_step {
        q = first;
        do
        :: q < beyond -> if :: now_.node[q] == WAITS -> break :: else -> q++ fi
        :: else -> break
        od
    }
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

inline write_item()
{
    set(item[mine], TORN);
    set(item[mine], me)
}

proctype actor(byte me)
{
    byte mine, c, q, dead = NOBODY, value, i;
    bool wake[ACTORS];
    bool burying;
    mtype phase = BEGIN;

look:
    if
    :: atomic { latch == NOBODY -> step(); latch = me }
    :: atomic { latch != NOBODY && !alive[latch] -> dead = latch; latch = me }
#ifndef FORGET_JOURNAL
       atomic { step(); copy_words(now_, committed) }
#endif
       goto bury
    fi;
    if
    :: dead != NOBODY -> /* seen in its sleep */
       if
       :: !buried[dead] -> goto bury
       :: else -> dead = NOBODY
       fi
    :: else
    fi;

act:
    if
    :: phase == BEGIN && me < PUTTERS ->
        find_cell(FREE);
        mine = c;
        if
        :: set(now_.cell[mine], WRITTEN + me);
           commit();
#ifdef LIST_FIRST
           set(now_.cell[mine], LISTED);
           commit();
#endif
           phase = WRITES
        :: write_item(); /* a short one */
           phase = LISTS;
           goto act
        fi
    :: phase == LISTS ->
        if
        :: COUNT < CAPACITY ->
            set(now_.cell[mine], LISTED);
            commit();
            phase = HAS_PUT
        :: else ->
            set(now_.cell[mine], WRITTEN + me);
            set(now_.at[me], mine);
            set(now_.node[me], WAITS);
            commit();
            phase = SLEEPS
        fi
    :: phase == BEGIN && me >= PUTTERS ->
        if
        :: COUNT > 0 ->
            find_cell(LISTED);
            mine = c;
            if
#ifdef FREE_FIRST
            :: set(now_.cell[mine], FREE);
#else
            :: set(now_.cell[mine], READ + me);
#endif
               commit();
               phase = READS
            :: set(value, item[mine]); /* a short one */
               phase = FREES;
               goto act
            fi
        :: else ->
            set(now_.node[me], WAITS);
            commit();
            phase = SLEEPS
        fi
    :: phase == SLEEPS ->
        if
        :: now_.node[me] == GRANTED ->
            mine = now_.at[me];
            set(now_.node[me], NONE);
            commit();
            phase = (me < PUTTERS -> HAS_PUT : READS)
        :: else ->
            rung[me] = false;
            goto ring
        fi
    :: phase == FREES ->
        set(now_.cell[mine], FREE);
        atomic { /* the commit */
            step();
            assert(value < ITEMS);
            assert(got[value] == 0);
            got[value]++;
            copy_words(committed, now_)
        }
        phase = ENDS
    fi;

settle:
    find_node(0, PUTTERS);
    if
    :: q < PUTTERS && COUNT < CAPACITY ->
        set(now_.cell[now_.at[q]], LISTED);
        set(now_.node[q], GRANTED);
        commit();
        wake[q] = true;
        goto settle
    :: else
    fi;
    find_node(PUTTERS, ACTORS);
    if
    :: q < ACTORS && COUNT > 0 ->
        find_cell(LISTED);
        set(now_.cell[c], READ + q);
        set(now_.at[q], c);
        set(now_.node[q], GRANTED);
        commit();
        wake[q] = true;
        goto settle
    :: else
    fi;

ring:
    if
    :: !burying -> set(latch, NOBODY)
    :: else
    fi;
    for (q : 0 .. ACTORS - 1) {
        if
        :: wake[q] -> set(rung[q], true); wake[q] = false
#ifndef FORGET_RINGS
        :: !wake[q] && burying && now_.node[q] == GRANTED -> set(rung[q], true)
#endif
        :: else
        fi
    }
    if
    :: burying -> burying = false; goto act
    :: else
    fi;

    if
    :: phase == WRITES -> write_item(); phase = LISTS; goto look
    :: phase == READS -> set(value, item[mine]); phase = FREES; goto look
    :: phase == SLEEPS ->
        step();
#ifndef ENDLESS_LOOKS
end_sleep:
        if
        :: rung[me]
#ifndef SLEEP_BLINDLY
        :: atomic { !(alive[0] || buried[0]) || !(alive[1] || buried[1]) || !(alive[2] || buried[2]) ->
                    find_dead() }
#endif
        fi;
#endif
        goto look
    :: phase == HAS_PUT -> put[me] = true; goto end
    :: phase == ENDS -> goto end
    fi;

bury:
    burying = true;
    set(now_.node[dead], NONE);
    commit();
    for (c : 0 .. CELLS - 1) {
        if
#ifdef LOSE_HANDED
        :: now_.cell[c] == READ + dead -> set(now_.cell[c], FREE); commit()
#else
        :: now_.cell[c] == READ + dead -> set(now_.cell[c], LISTED); commit()
#endif
        :: now_.cell[c] == WRITTEN + dead -> set(now_.cell[c], FREE); commit()
        :: else
        fi
    }
    set(buried[dead], true);
    dead = NOBODY;
#ifdef FORGET_SETTLING
    goto ring;
#endif
    goto settle;

end:
    mine = 0; c = 0; q = 0; dead = 0; value = 0; phase = ENDS
}

/* The item is there, or will be for whoever buries. */
#define IS_IN(n, who) (item[n] == who && committed.cell[n] != FREE)

init
{
    byte who;
    atomic {
        for (who : 0 .. ACTORS - 1) {
            now_.node[who] = NONE;
            committed.node[who] = NONE;
            alive[who] = true;
            run actor(who)
        }
        now_.cell[1] = LISTED;
        committed.cell[1] = LISTED;
        item[1] = 1;
        put[1] = true
    }
    timeout;
    d_step {
        for (who : 0 .. ITEMS - 1) {
            assert(!put[who] || got[who] == 1 || IS_IN(0, who) || IS_IN(1, who)); /* M3 */
        }
        for (who : 0 .. ACTORS - 1) {
            assert(!alive[who] || now_.node[who] != GRANTED);
            assert(!alive[who] || now_.node[who] != WAITS || (who < PUTTERS -> COUNT >= CAPACITY : COUNT == 0));
        }
    }
}
