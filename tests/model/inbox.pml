/*
 * A model of the inbox of loop/loop.c for Spin: that no loop sleeps over what is posted, and that who has posted
 * touches nothing afterwards that may be gone.
 *
 *   posters --event--> | inbox: one word | --all at once--> loop
 *
 *   | 0 | --loop--> | ASLEEP  | --poster--> | event |              asleep on this very word; then its wake-up
 *                   | POLLING | --poster--> | event + DOORBELL |   asleep in the poller; then the ring so announced
 *   | 0 or event | --poster--> | event |
 *   | anything | --loop--> | 0 |                                   waits for an announced ring, then runs the events
 *
 * Each arrow is one compare-and-swap, the last one an exchange. A wake-up goes to an address: it may come when the loop
 * is gone. A ring goes to a descriptor, whose number may be another file's by then.
 *
 * What is what in src/. A step is one access to the word, or a system call.
 *
 *   poster    salp__loop_post, for each of its events; wake-ups are salp__futex_wake and salp__doorbell_ring
 *   loop      salp__loop_turn: take_inbox, with salp__doorbell_wait, then sleep_until_wanted; to run is to note it
 *   polling   the poller's `wait`; also a foreign loop, to which salp__loop_park has left control
 *
 * The poller tells of the doorbell as long as it is not read. A sleep may end for another reason: a deadline, another
 * descriptor, a signal; in a foreign loop also salp__loop_drop. The mark is in the word until the loop takes it. A
 * handler of a signal is a poster for whom somebody waits, be it the loop or another poster: that is one order of many.
 *
 * What holds:
 *
 * M1  All events are run, once each, those of one poster in their order. So none is slept over.
 * M2  Nobody touches the loop or its doorbell after they are gone: the loop goes as soon as the last event has run.
 * M3  At most one ring is announced at a time, and it is the only one; the loop falls asleep without any.
 * M4  Every run ends: nobody tries or looks again for ever. (Looked for with SMALL alone.)
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   STORE_MARK         a loop that looks whether the inbox is empty and stores its mark, without compare-and-swap
 *   TAKE_IN_TWO_STEPS  a loop that reads the word and then stores 0, without an exchange
 *   TAKE_MARK          a loop whose mark is taken, without an event, while control is in a foreign loop
 *   STORE_EVENT        a poster that stores his event, without compare-and-swap
 *   POST_FIRST         a poster that replaces POLLING by his mere event and rings afterwards
 *   RING_FIRST         a poster that rings and then posts, also over the mark of another sleep
 *   LOOK_AFTERWARDS    a poster that looks after his post whether the loop is asleep
 *   RUN_AT_ONCE        a loop that reads the doorbell if it has been rung, and does not wait for what is announced
 *   LOOK_AT_NEWEST     a loop that looks for DOORBELL at the newest event alone
 *   ENDLESS_RING       a loop that leaves the doorbell unread
 *
 * What is left out: the order of memory, since here everybody sees each store at once (./dev check --tsan looks at that
 * side); timers and the ready queue; compare-and-swaps that fail for no reason; the look that saves an exchange.
 *
 * SPDX-License-Identifier: MIT
 */

/* The word: 0, a mark, or the newest event. */
#define EMPTY 0
#define ASLEEP 1
#define POLLING 2
#define FIRST 3     /* event; the others follow */
#define DOORBELL 16 /* is added to one */

#ifdef SMALL /* for M4 */
#define POSTERS 2
#else
#define POSTERS 3
#endif
#define EVENTS (POSTERS + 1) /* the last poster posts two */

byte word;
byte next[FIRST + EVENTS];
bool ran[FIRST + EVENTS];

bool there = true; /* the loop, and its doorbell */
bool asleep;       /* on the word */
bool rung;

bool announced; /* M3 */
byte reasons;   /* how often a sleep may still end for another reason */

proctype poster(byte event; byte last)
{
    byte head;

post:
    atomic { assert(there); head = word }
#ifdef RING_FIRST
    if
    :: head == POLLING -> atomic { assert(there); rung = true; head = word }
    :: else
    fi;
#endif
again:
    atomic {
        assert(there);
        if
#ifdef STORE_EVENT
        :: true ->
#else
        :: word == head ->
#endif
            next[event] = (head < FIRST -> EMPTY : head);
            word = event;
#if !defined POST_FIRST && !defined RING_FIRST
            if
            :: head == POLLING ->
                assert(!announced);
                announced = true;
                word = event + DOORBELL
            :: else
            fi
#endif
        :: else ->
            head = word;
            goto again
        fi
    }
    if
    :: head == ASLEEP -> asleep = false
#ifndef RING_FIRST
    :: head == POLLING -> d_step { assert(there); assert(!rung); rung = true }
#endif
    :: else
    fi;
#ifdef LOOK_AFTERWARDS
    assert(there);
#endif
    if
    :: event < last ->
        event++;
        goto post
    :: else
    fi
}

inline look_for_ring()
{
    swap = head;
    do
    :: swap >= DOORBELL -> ring = true; break
    :: swap < FIRST -> break
#ifdef LOOK_AT_NEWEST
    :: else -> break
#else
    :: else -> swap = next[swap]
#endif
    od;
    swap = EMPTY
}

/* Oldest first. */
inline run_all()
{
    do
    :: head >= FIRST ->
        head = head % DOORBELL;
        swap = next[head];
        next[head] = oldest;
        oldest = head;
        head = swap
    :: else -> break
    od;
    do
    :: oldest >= FIRST ->
        assert(!ran[oldest]);
        assert(oldest < FIRST + POSTERS || ran[oldest - 1]); /* the last poster's second */
        ran[oldest] = true;
        count++;
        swap = next[oldest];
        next[oldest] = EMPTY;
        oldest = swap
    :: else -> break
    od;
    head = EMPTY;
    swap = EMPTY
}

proctype loop()
{
    byte head, oldest, swap, count;
    bool ring;

turn:
#ifdef TAKE_IN_TWO_STEPS
    head = word;
    word = EMPTY;
#else
    atomic { head = word; word = EMPTY }
#endif
    d_step { look_for_ring() }
    if
    :: ring ->
#ifdef RUN_AT_ONCE
        rung = false;
        announced = false;
#elif !defined ENDLESS_RING
        atomic { rung -> rung = false; announced = false }
#endif
        ring = false
    :: else
    fi;
    d_step { run_all() }
    if
    :: count == EVENTS -> goto close
    :: count < EVENTS -> goto sleep_on_word
    :: count < EVENTS -> goto sleep_in_poller
    fi;

sleep_on_word:
#ifdef STORE_MARK
    if
    :: word == EMPTY -> word = ASLEEP
    :: word != EMPTY -> goto turn
    fi;
#else
    atomic {
        if
        :: word == EMPTY -> word = ASLEEP
        :: else -> goto turn
        fi
    }
#endif
    /* The kernel compares and lies down in one step. */
    atomic {
        if
        :: word == ASLEEP -> asleep = true
        :: else -> goto turn
        fi
    }
    if
    :: !asleep
    :: atomic { reasons > 0 -> reasons--; asleep = false }
    fi;
    goto turn;

sleep_in_poller:
#ifdef STORE_MARK
    if
    :: word == EMPTY -> word = POLLING
    :: word != EMPTY -> goto turn
    fi;
#else
    atomic {
        if
        :: word == EMPTY ->
            assert(!announced);
            assert(!rung);
            word = POLLING
        :: else -> goto turn
        fi
    }
#endif
polling:
    if
    :: rung
    :: atomic { reasons > 0 -> reasons-- }
#ifdef TAKE_MARK
    :: atomic { word == POLLING -> word = EMPTY; goto polling }
#endif
    fi;
#ifdef RING_FIRST
    rung = false; /* nothing announces it */
#endif
    goto turn;

close:
    atomic { assert(word == EMPTY); there = false }
}

init
{
    byte i;
    atomic {
        if
        :: reasons = 0
        :: reasons = 1
        :: reasons = 2
        fi;
        run loop();
        for (i : 1 .. POSTERS) {
            run poster(FIRST + i - 1, (i < POSTERS -> FIRST + i - 1 : FIRST + EVENTS - 1))
        }
    }
}
