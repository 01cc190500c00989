/*
 * A model of task/wait.h for Spin: how whoever waits for an object goes on, once, by one of two hands.
 *
 *   releaser --claim, resume--> thread    sleeps on the state word of its waiter
 *      `------------------------> task    suspended; its resumption is an event of the loop, which sleeps on its inbox
 *   cancel_thread --interrupt--> thread   under the lock of the thread's actor
 *   cancel_task --event--> loop --interrupt--> task      and sleeps until the event has run: the third waiter
 *   clock --deadline--> thread or task    of its scope
 *
 * The object is a semaphore. It is left open how many units are released and in how many calls, which of the two has a
 * scope that may end, whether it ends by a cancellation, a deadline, both or not at all, and whether the wait is behind
 * a shield. Spin goes through all choices and all orders of all steps.
 *
 * What is what in src/. A step is one access to something that is shared, or all that is done under the lock of the
 * object: with the claims of one release, since an interruption between two of them is as one before both.
 *
 *   thread          salp_semaphore_acquire, salp__line_begin, salp__line_wait, wait_in_thread, sleep_on;
 *                   salp_scope_close
 *   loop            salp_run, salp__loop_turn, sleep_until_wanted; from `acquire` to `close` the task: wait_in_task
 *   enter_line      from salp__lock_take in salp__line_begin to salp__lock_release in salp__line_wait
 *   leave_line      the end of salp__line_wait
 *   releaser        salp_semaphore_release, salp__line_next_locked, salp__resume_all
 *   interrupt       salp__interrupt; its caller lets the waiter go on
 *   end_of_thread   end_of_thread in task/scope.c, without the loop that a thread may run
 *   end_of_task     salp__scope_end, interrupt_all
 *   look_*          salp__scope_error, find_ended
 *   cancel_*        salp_scope_cancel from another thread; end_from_afar is run by the loop
 *   post            salp__loop_post, in one step and the wake-up: inbox.pml looks into it
 *
 * What holds:
 *
 * M1  When nothing moves any more, who still waits has no unit to take and no scope that is over: no wake-up is lost.
 * M2  Units taken and units left are as many as were released; who goes on with an error was handed none.
 * M3  A task that waits is made ready once.
 * M4  A waiter's frame, a scope, a task and a loop are touched only while they are there. Wake-ups go to addresses.
 * M5  Every run ends: no two make each other look again for ever. (Looked for with SMALL alone.)
 *
 * Each of these makes it another program, and Spin has to find a fault in it:
 *
 *   STORE_INTERRUPTED   an interruption that looks at the state and stores it, without compare-and-swap
 *   LOOK_UNLOCKED       one who looks for a unit before he takes the lock, and then goes into the line
 *   LOOK_AT_RESUMED     a resumption that looks at the waiter after it has stored `woken`
 *   LOOK_AT_SCOPE_ONCE  a thread that looks at its scope before others can find what it waits in, and not afterwards
 *   STAY_IN_LINE        one who goes on with an error and leaves his waiter in the line
 *   CLOSE_AT_ONCE       a scope that is closed while another thread is cancelling it
 *   FORGET_CLAIMED      a thread whose scope is over, and that does not wait for the one who has claimed it
 *   ENDLESS_LOOKS       a thread that looks again and again instead of sleeping
 *
 * What is left out: the order of memory, since here everybody sees each store at once (./dev check --tsan looks at that
 * side); the looks before a sleep; wake-ups for no reason, after which a sleeper does what he does after one that was
 * meant for his last wait; groups, and the loop that a cancelled thread may run. Where the code looks again and again
 * until something has happened (wait_for_cancels), the model waits until it has.
 *
 * SPDX-License-Identifier: MIT
 */

mtype = { WAITING, CLAIMED, WOKEN, INTERRUPTED };

/* Waiters, and those whose they are. */
#define THREAD 0
#define TASK 1
#define SENDER 2 /* of the cancellation of the task */

/* Events of the loop. */
#define RESUME 0
#define CANCEL 1

/* The most that are released. How many the thread acquires, one after the other: a late wake-up may meet its next wait,
   at the same address. The task acquires one. */
#ifdef SMALL /* for M5 */
#define UNITS 1
#define ROUNDS 1
#else
#define UNITS 2
#define ROUNDS 2
#endif

/* The waiters. */
mtype state[3] = WAITING;
bool there[3];  /* the frame that it lies in */
bool asleep[3]; /* in the system call, on `state` */
bool handed[3]; /* M2: who claimed it has given it a unit */

/* The semaphore. */
byte value;
chan line = [2] of { byte };

/* The scopes: one for each of the two actors. */
bool scope_there[2] = true;
bool ended[2];
bool shielded[2]; /* the actor does not feel the end */
bool due[2];
byte cancels[2];

/* The thread. */
bool actor_locked, thread_waiting;
bool thread_there = true;

/* The loop and its task. */
bool loop_there = true;
bool task_there = true;
bool marked; /* the inbox holds the mark `asleep` */
bool loop_asleep;
chan inbox = [2] of { byte };
chan ready = [2] of { byte };
bool queued; /* M3: the task's event is in one of them */

/* Who releases. */
chan woken = [2] of { byte };

byte released, taken;

/* ---- the protocol ---- */

/* Out of `waiting`, by compare-and-swap. */
inline leave_waiting(w, to, won)
{
    d_step {
        assert(there[w]);
        won = state[w] == WAITING;
        if
        :: won -> state[w] = to
        :: else
        fi
    }
}

inline interrupt(w, won)
{
#ifdef STORE_INTERRUPTED
    won = state[w] == WAITING;
    if
    :: won -> state[w] = INTERRUPTED
    :: else
    fi
#else
    leave_waiting(w, INTERRUPTED, won)
#endif
}

inline enter_line(w, got)
{
#ifdef LOOK_UNLOCKED
    got = value > 0;
#endif
    atomic {
#ifndef LOOK_UNLOCKED
        got = value > 0;
#endif
        if
        :: got && value > 0 ->
            value--;
            taken++
        :: else ->
            got = false;
            assert(!there[w] && !(line??[eval(w)]));
            there[w] = true;
            line!w
        fi
    }
}

inline leave_line(w)
{
    atomic {
#ifndef STAY_IN_LINE
        if
        :: line??[eval(w)] -> line??eval(w)
        :: !(line??[eval(w)])
        fi;
#endif
        assert(!handed[w]);
        leave_frame(w)
    }
}

/* The caller makes it one step with what comes just before it, and wakes the loop if `was_marked`. */
inline post(event, was_marked)
{
    assert(loop_there);
    was_marked = marked;
    marked = false;
    inbox!event
}

inline wake_loop(was_marked)
{
    if
    :: was_marked -> loop_asleep = false
    :: else
    fi
}

inline leave_frame(w)
{
    there[w] = false;
    handed[w] = false;
    state[w] = WAITING
}

/* salp__task_ready, up to the queue. */
inline made_ready()
{
    assert(task_there && !queued);
    queued = true
}

/* A deadline that has passed ends the scope. Who looks is not waiting yet, so there is nobody to interrupt. */
inline look_at_scope(who, over)
{
    d_step {
        over = !shielded[who] && (ended[who] || due[who]);
        ended[who] = ended[who] || over
    }
}

/* ---- the thread ---- */

inline end_of_thread(won)
{
    atomic {
        !actor_locked;
        assert(scope_there[THREAD]);
        won = !ended[THREAD];
        ended[THREAD] = true;
        if
        :: won && thread_waiting -> actor_locked = true
        :: else -> won = false
        fi
    }
    if
    :: won ->
        interrupt(THREAD, won);
        if
        :: won -> asleep[THREAD] = false
        :: else
        fi;
        actor_locked = false
    :: else
    fi
}

inline look_while_waiting(over, won)
{
    d_step {
        over = !shielded[THREAD] && (ended[THREAD] || due[THREAD]);
        won = over && !ended[THREAD]
    }
    if
    :: won -> end_of_thread(won)
    :: else
    fi
}

inline set_waiting(it) { atomic { !actor_locked -> thread_waiting = it } }

proctype thread()
{
    byte rounds;
    bool over, won;
    mtype seen;

acquire:
    look_at_scope(THREAD, over);
    if
    :: over || rounds == ROUNDS -> goto close
    :: else
    fi;
    enter_line(THREAD, won);
    if
    :: won -> rounds++; goto acquire
    :: else
    fi;
#ifdef LOOK_AT_SCOPE_ONCE
    look_at_scope(THREAD, over);
#endif
    set_waiting(true);
    do
    ::
#ifndef LOOK_AT_SCOPE_ONCE
        look_while_waiting(over, won);
#endif
        if
        :: over ->
            leave_waiting(THREAD, INTERRUPTED, won);
#ifdef FORGET_CLAIMED
            won = true;
#endif
            if
            :: won -> seen = INTERRUPTED; break
            :: else
            fi
        :: else
        fi;
        seen = state[THREAD];
#ifndef ENDLESS_LOOKS
        if
        :: seen == WAITING || seen == CLAIMED ->
            /* The kernel compares and lies down in one step. */
            atomic {
                if
                :: state[THREAD] == seen -> asleep[THREAD] = true
                :: else
                fi
            }
end_asleep: atomic { !asleep[THREAD] || (due[THREAD] && !over) -> asleep[THREAD] = false; seen = state[THREAD] }
        :: else
        fi;
#endif
        if
        :: seen == WOKEN || seen == INTERRUPTED -> break
        :: else
        fi
    od;
    set_waiting(false);
    if
    :: seen == WOKEN ->
        d_step {
            assert(handed[THREAD]);
            leave_frame(THREAD);
            taken++;
            rounds++
        }
    :: else -> leave_line(THREAD)
    fi;
    goto acquire; /* which ends when the scope is over; else the interruption was not meant for this wait */
close:
#ifndef CLOSE_AT_ONCE
    cancels[THREAD] == 0;
#endif
    atomic { scope_there[THREAD] = false; thread_there = false }
}

proctype cancel_thread()
{
    bool won;
    end_of_thread(won);
    d_step { assert(scope_there[THREAD]); cancels[THREAD]-- }
}

/* ---- the task, and its loop ---- */

/* By the loop, so the resumption goes into its ready queue. */
inline end_of_task(won)
{
    d_step {
        assert(scope_there[TASK]);
        won = !ended[TASK] && task_waiting;
        ended[TASK] = true
    }
    if
    :: won ->
        interrupt(TASK, won);
        if
        :: won -> atomic { made_ready(); ready!RESUME }
        :: else
        fi
    :: else
    fi
}

/* Where the task goes on. */
#define AT_ACQUIRE 0
#define AT_SUSPENDED 1 /* in wait_in_task */
#define AT_GAVE_WAY 2  /* there, after it has interrupted itself */
#define AT_CLOSE 3

proctype loop()
{
    byte event, at;
    bool task_waiting, timed = true, over, won;

    atomic { made_ready(); ready!RESUME }
turn:
    atomic {
        if
        :: !task_there -> goto closed
        :: else
        fi;
        /* take_inbox */
        marked = false;
        do
        :: nempty(inbox) -> inbox?event; ready!event
        :: empty(inbox) -> break
        od
    }
    /* fire_timers */
    if
    :: timed && due[TASK] ->
        timed = false;
        end_of_task(won)
    :: else
    fi;
    atomic {
        if
        :: nempty(ready) ->
            ready?event;
            if
            :: event == CANCEL -> goto end_from_afar
            :: else -> goto run_task
            fi
        :: empty(ready)
        fi
    }
    /* sleep_until_wanted */
    atomic {
        if
        :: empty(inbox) -> marked = true
        :: nempty(inbox) -> goto turn
        fi
    }
    atomic {
        if
        :: marked -> loop_asleep = true
        :: else
        fi
    }
end_asleep:
    atomic { !loop_asleep || (timed && due[TASK]) -> loop_asleep = false; goto turn }

end_from_afar:
    end_of_task(won);
    d_step {
        assert(scope_there[TASK]);
        cancels[TASK]--;
        leave_waiting(SENDER, CLAIMED, won);
        assert(won)
    }
    state[SENDER] = WOKEN;
    asleep[SENDER] = false;
    goto turn;

run_task:
    atomic {
        assert(task_there && queued);
        queued = false;
        if
        :: at == AT_ACQUIRE -> goto acquire
        :: at == AT_SUSPENDED -> goto suspended
        :: at == AT_GAVE_WAY -> goto interrupted
        :: at == AT_CLOSE -> goto close
        fi
    }
acquire:
    look_at_scope(TASK, over);
    if
    :: over -> goto close
    :: else
    fi;
    enter_line(TASK, won);
    if
    :: won -> goto close
    :: else
    fi;
    look_at_scope(TASK, over);
    if
    :: over ->
        leave_waiting(TASK, INTERRUPTED, won);
        if
        :: won -> atomic { made_ready(); ready!RESUME; at = AT_GAVE_WAY; goto turn }
        :: else
        fi
    :: else
    fi;
    atomic { task_waiting = true; at = AT_SUSPENDED; goto turn }
suspended:
    atomic {
        task_waiting = false;
        if
        :: state[TASK] == WOKEN ->
            assert(handed[TASK]);
            leave_frame(TASK);
            taken++;
            goto close
        :: else -> assert(state[TASK] == INTERRUPTED)
        fi
    }
interrupted:
    leave_line(TASK);
    goto acquire;
close:
    atomic {
#ifndef CLOSE_AT_ONCE
        cancels[TASK] == 0 || nempty(inbox) || nempty(ready);
        if
        :: cancels[TASK] > 0 -> made_ready(); ready!RESUME; at = AT_CLOSE; goto turn
        :: else
        fi;
#endif
        timed = false;
        scope_there[TASK] = false;
        task_there = false;
        goto turn
    }

closed:
    atomic { assert(empty(inbox) && empty(ready)); loop_there = false }
}

proctype cancel_task()
{
    bool was_marked;
    d_step { there[SENDER] = true; post(CANCEL, was_marked) }
    wake_loop(was_marked);
    /* salp__wait_through */
    atomic {
        if
        :: state[SENDER] != WOKEN -> asleep[SENDER] = true
        :: else
        fi
    }
    atomic { !asleep[SENDER] -> assert(state[SENDER] == WOKEN); leave_frame(SENDER) }
}

/* ---- who releases ---- */

proctype releaser(byte left)
{
    byte count, w;
    bool won, was_marked;

    do
    :: left == 0 -> break
    :: else ->
        atomic {
            if
            :: count = 1
            :: count = left
            fi;
            left = left - count;
            released = released + count;
            do
            :: count > 0 && nempty(line) ->
                line?w;
                leave_waiting(w, CLAIMED, won);
                if
                :: won ->
                    handed[w] = true;
                    count--;
                    woken!w
                :: else
                fi
            :: count == 0 || empty(line) -> break
            od;
            value = value + count
        }
        do
        :: atomic {
            nempty(woken) ->
            woken?w;
            assert(there[w] && state[w] == CLAIMED);
            state[w] = WOKEN
           }
#ifdef LOOK_AT_RESUMED
            assert(there[w]);
#endif
            if
            :: w == TASK ->
                d_step { made_ready(); post(RESUME, was_marked) }
                wake_loop(was_marked)
            :: else -> asleep[w] = false
            fi
        :: empty(woken) -> break
        od
    od
}

proctype clock(byte who) { due[who] = true }

#define waits_rightly(who) (value == 0 && (!ended[who] || shielded[who]) && !due[who])

init
{
    byte who;
    atomic {
        if
        :: run releaser(0)
        :: run releaser(1)
        :: run releaser(UNITS)
        fi;
        if
        :: who = THREAD
        :: who = TASK
        fi;
        if
        :: shielded[who] = true
        :: run clock(who)
        :: true
        fi;
        if
        :: who == THREAD -> cancels[who] = 1; run cancel_thread()
        :: who == TASK -> cancels[who] = 1; run cancel_task()
        :: true
        fi;
        run thread();
        run loop()
    }
    /* M1, M2 */
    timeout;
    assert(taken + value == released);
    assert(!thread_there || waits_rightly(THREAD));
    assert(!loop_there || waits_rightly(TASK))
}
