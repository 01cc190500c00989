/*
 * A model of lockfree/deque.h for Spin: that each item is taken once, whole, whoever comes between which two steps.
 *
 *   owner --put, take--> | bottom ... items ... top | --steal--> thieves
 *     `-- its stores wait in a buffer, and reach the memory later, in any order that their kinds allow
 *
 * What is what in src/. A step is one access to the memory, or to the buffer.
 *
 *   owner    salp__deque_put and salp__deque_take. Between two puts it may take one; in the end it takes until there is none
 *   buffer   what the owner has stored and nobody else sees yet: bottom, items, and what an item leads to (`whole`). With
 *            release, bottom comes after all that was stored before; a sequentially consistent store has come before the
 *            next such load
 *   thief    salp__deque_steal; its compare-and-swap is one step
 *
 * What holds:
 *
 * M1  No item comes twice, and when nothing moves any more each has come.
 * M2  Each is whole when it comes.
 * M3  Every run ends.
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   PUT_WITHOUT_RELEASE  an owner that puts, and whose bottom may come before the item
 *   TAKE_UNSEEN          an owner that looks at top before its lower bottom is seen
 *   TAKE_LAST_PLAINLY    an owner that takes the last item without compare-and-swap
 *   PUT_TOO_MANY         an owner that puts where an item is that was not taken
 *   STEAL_PLAINLY        a thief that raises top by a store
 *   READ_LATE            a thief that reads the item after its compare-and-swap
 *   BOTTOM_FIRST         a thief that reads bottom before top
 *
 * What is left out: loads out of order, which acquire and sequential consistency forbid here; compare-and-swaps that fail
 * for no reason; what a thief is asked between its steps (crew.pml).
 *
 * SPDX-License-Identifier: MIT
 */

#define SIZE 2
#define ITEMS 4 /* 1, 2, ...: so places are used again */
#ifdef SMALL /* for M3 */
#define TRIES 1 /* of each thief */
#else
#define TRIES 2
#endif

byte top, bottom;
byte place[SIZE];
bool whole[ITEMS + 1];
byte came[ITEMS + 1];
bool over; /* nothing moves any more */

/* What the owner has stored and others do not see. */
bool bottom_waits, place_waits[SIZE], whole_waits;
byte new_bottom, new_place[SIZE], new_whole;

#ifdef PUT_WITHOUT_RELEASE
#define IN_ORDER true
#else
#define IN_ORDER (!place_waits[0] && !place_waits[1] && !whole_waits)
#endif

/* The owner sees what it has stored. */
#define OWN(index) (place_waits[index % SIZE] -> new_place[index % SIZE] : place[index % SIZE])

proctype buffer()
{
end:
    do
    :: atomic { whole_waits -> whole[new_whole] = true; whole_waits = false }
    :: atomic { place_waits[0] -> place[0] = new_place[0]; place_waits[0] = false }
    :: atomic { place_waits[1] -> place[1] = new_place[1]; place_waits[1] = false }
    :: atomic { bottom_waits && IN_ORDER -> bottom = new_bottom; bottom_waits = false }
    :: over -> break
    od
}

inline store_bottom(value)
{
    atomic { !bottom_waits -> bottom_waits = true; new_bottom = value }
}

inline note(item)
{
    assert(item != 0 && came[item] == 0);
    came[item]++
}

proctype owner()
{
    byte next = 1, b, t, item;
    bool none;

put:
    if
    :: next > ITEMS -> goto take
    :: else
    fi;
#ifdef PUT_TOO_MANY
    if
    :: b - top > SIZE -> goto take
#else
    if
    :: b - top >= SIZE -> goto take
#endif
    :: else
    fi;
    atomic { !whole_waits -> whole_waits = true; new_whole = next };
    atomic { !place_waits[b % SIZE] -> place_waits[b % SIZE] = true; new_place[b % SIZE] = next };
    b++;
    store_bottom(b);
    next++;
    if
    :: goto put
    :: true
    fi;

take:
    none = false;
    if
    :: top >= b -> none = true; goto taken
    :: else
    fi;
    b--;
    store_bottom(b);
#ifndef TAKE_UNSEEN
    !bottom_waits;
#endif
    t = top;
    if
    :: t < b -> item = OWN(b); note(item); goto taken
    :: t == b ->
        if
#ifdef TAKE_LAST_PLAINLY
        :: true -> item = OWN(b); note(item); top = t + 1
#else
        :: atomic { top == t -> top = t + 1; item = OWN(b); note(item) }
        :: top != t -> none = true
#endif
        fi
    :: else -> none = true
    fi;
    b++;
    store_bottom(b);

taken:
    if
    :: next <= ITEMS -> goto put
    :: next > ITEMS && !none -> goto take
    :: else
    fi
}

proctype thief()
{
    byte t, b, item, tries;

    do
    :: tries < TRIES ->
        tries++;
#ifdef BOTTOM_FIRST
        b = bottom;
        t = top;
#else
        t = top;
        b = bottom;
#endif
        if
        :: t < b ->
            item = place[t % SIZE];
            if
#ifdef STEAL_PLAINLY
            :: top = t + 1;
#else
            :: atomic { top == t -> top = t + 1 }
#endif
#ifdef READ_LATE
               item = place[t % SIZE];
#endif
               d_step { note(item); assert(whole[item]) }
            :: top != t
            fi
        :: else
        fi
    :: else -> break
    od
}

init
{
    byte i;
    atomic { run buffer(); run owner(); run thief(); run thief() }
    timeout;
    for (i : 1 .. ITEMS) { assert(came[i] == 1) }
    over = true
}
