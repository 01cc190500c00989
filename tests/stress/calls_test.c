/*
 * Calls sent to a loop by many threads at once, and by its own callbacks, with senders out of order that the same check
 * catches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>

#include <salp/loop.h>

enum { SENDERS = 4 };

struct sender {
    salp_loop *loop;
    long each;   /* calls that it sends */
    bool broken; /* sends each second one before the first */
    pthread_t thread;
    long sent, made; /* made: by the loop */
    int disorders;
};

struct numbered {
    struct sender *sender;
    long number;
};

static void make(void *arg)
{
    struct numbered *call = arg;
    struct sender *sender = call->sender;
    sender->disorders += call->number != sender->made;
    sender->made++;
    free(call);
}

static void send(struct sender *sender, long number)
{
    struct numbered *call = malloc(sizeof *call);
    EXPECT(call != NULL);
    *call = (struct numbered){ sender, number };
    EXPECT(salp_loop_call(sender->loop, make, call) == 0);
}

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    for (long i = 0; i < sender->each; i++) {
        send(sender, sender->broken ? i ^ 1 : i);
        if (i % 500 == 499)
            sched_yield(); /* the loop may make them all, and sleep */
    }
    return NULL;
}

/* Returns how many calls were made out of their sender's order. */
static int race(bool broken)
{
    struct sender senders[SENDERS];
    salp_loop *loop;
    bool over = false;
    int disorders = 0;
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .loop = loop, .each = 2L * test_scale(10000), .broken = broken };
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    while (!over) {
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
        over = true;
        for (int i = 0; i < SENDERS; i++)
            over = over && senders[i].made == senders[i].each;
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        disorders += senders[i].disorders;
    }
    assert_int_equal(salp_loop_turn(loop, 0), 0);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(senders[i].made, senders[i].each);
    salp_loop_close(loop);
    return disorders;
}

static void each_threads_calls_are_made_once_and_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(race(false), 0);
}

static void the_check_catches_calls_out_of_order(void **state)
{
    (void)state;
    assert_true(race(true) > 0);
}

/* ---- the end of the loop ---- */

static void set_true(void *arg)
{
    *(bool *)arg = true;
}

struct last {
    salp_loop *loop;
    bool done;
};

static void *send_some_and_the_last(void *arg)
{
    struct last *last = arg;
    static bool ignored;
    for (int i = 0; i < 3; i++)
        EXPECT(salp_loop_call(last->loop, set_true, &ignored) == 0);
    EXPECT(salp_loop_call(last->loop, set_true, &last->done) == 0);
    return NULL;
}

static void a_call_may_be_the_last_thing_that_a_loop_does(void **state)
{
    (void)state;
    for (int i = 0; i < test_scale(2000); i++) {
        struct last last = { 0 };
        pthread_t thread;
        assert_int_equal(salp_loop_open(&last.loop, NULL), 0);
        assert_int_equal(pthread_create(&thread, NULL, send_some_and_the_last, &last), 0);
        while (!last.done)
            assert_true(salp_loop_turn(last.loop, SALP_FOREVER) >= 0);
        salp_loop_close(last.loop); /* while the sender may still be on his way out of the call */
        pthread_join(thread, NULL);
    }
}

/* ---- without an end ---- */

struct again {
    salp_loop *loop;
    bool timed;
    long made;
};

static void call_again(void *arg)
{
    struct again *again = arg;
    again->made++;
    if (!again->timed)
        EXPECT(salp_loop_call(again->loop, call_again, again) == 0);
}

static int return_seven(void *arg)
{
    (void)arg;
    return 7;
}

static void calls_that_call_themselves_hold_up_neither_timers_nor_tasks(void **state)
{
    struct again again = { 0 };
    salp_future *future;
    (void)state;
    assert_int_equal(salp_loop_open(&again.loop, NULL), 0);
    assert_int_equal(salp_loop_call(again.loop, call_again, &again), 0);
    assert_int_equal(salp_loop_go(again.loop, return_seven, NULL, &future), 0);
    assert_int_equal(salp_loop_call_at(again.loop, salp_now() + SALP_MILLISECONDS(1), set_true, &again.timed), 0);
    while (!salp_future_ready(future) || !again.timed)
        assert_true(salp_loop_turn(again.loop, SALP_FOREVER) >= 0);
    assert_int_equal(salp_future_wait(future), 7);
    assert_true(again.made > 1);
    salp_future_free(future);
    salp_loop_close(again.loop); /* the last call may not have been made */
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each thread's calls are made once, and in their order",
             each_threads_calls_are_made_once_and_in_their_order),
        TEST("the check catches calls out of order", the_check_catches_calls_out_of_order),
        TEST("a call may be the last thing that a loop does", a_call_may_be_the_last_thing_that_a_loop_does),
        TEST("calls that call themselves hold up neither timers nor tasks",
             calls_that_call_themselves_hold_up_neither_timers_nor_tasks),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
