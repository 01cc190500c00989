/*
 * The protocol of a call, with all its workers at once: a call becomes done when all its items were run, and not before.
 *
 * The races that the protocol has to win last for nanoseconds. Therefore this program has a copy of its code, in which
 * each step may be overtaken: before an atomic operation a thread may give way to the others.
 *
 * The same check is made of workers that break the protocol on purpose, and has to find that out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/memory.h"
#include "pool/call.h"
#include "pool/control.h"
#include "task/park.h"

static void may_be_overtaken(void)
{
    static _Thread_local unsigned random;
    if (random == 0)
        random = (unsigned)(uintptr_t)&random;
    if (rand_r(&random) % 8 == 0)
        sched_yield();
}

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_compare_exchange_strong
#define atomic_load(object) (may_be_overtaken(), atomic_load_explicit(object, memory_order_seq_cst))
#define atomic_store(object, value) (may_be_overtaken(), atomic_store_explicit(object, value, memory_order_seq_cst))
#define atomic_exchange(object, value) \
    (may_be_overtaken(), atomic_exchange_explicit(object, value, memory_order_seq_cst))
#define atomic_fetch_add(object, value) \
    (may_be_overtaken(), atomic_fetch_add_explicit(object, value, memory_order_seq_cst))
#define atomic_compare_exchange_strong(object, expected, value) \
    (may_be_overtaken(),                                        \
     atomic_compare_exchange_strong_explicit(object, expected, value, memory_order_seq_cst, memory_order_seq_cst))

/* Takes the place of the library's own. */
#include "pool/control.c"

enum { WORKERS = 3, SLOT = 5, UNITS = 40, ROUNDS = 3000, TRIES = 20 };

typedef bool attach_function(const salp__control *control, salp__place *place, int slot);
typedef void detach_function(const salp__control *control, salp__place *place);

/* What the players share. */
static struct play {
    salp__control control;
    attach_function *attach;
    detach_function *detach;
    pthread_t workers[WORKERS];
    atomic_int ran[UNITS];
    atomic_int ended;
} play;

static salp__live *live(void)
{
    return &play.control.shared->live[SLOT];
}

/* Takes pieces, gives some back, and may leave with items left. */
static void work(int index, unsigned *random)
{
    salp__lane *lanes = salp__lanes_of(&play.control, SLOT);
    salp__range taken;
    while (salp__lanes_take(lanes, WORKERS, index, 1 + (uint32_t)rand_r(random) % 8, &taken)) {
        uint32_t end = taken.end;
        if (rand_r(random) % 3 == 0) {
            end = taken.begin + (uint32_t)rand_r(random) % (taken.end - taken.begin);
            atomic_fetch_add(&live()->returned, 1);
            if (!salp__lanes_return(lanes, index, (salp__range){ end, taken.end }))
                end = taken.end;
            atomic_fetch_add(&live()->returned, 1);
        }
        for (uint32_t i = taken.begin; i < end; i++)
            atomic_fetch_add_explicit(&play.ran[i], 1, memory_order_relaxed);
        if (rand_r(random) % 4 == 0)
            break;
    }
}

static void *play_worker(void *arg)
{
    int index = (int)(intptr_t)arg;
    unsigned random = (unsigned)index + 1;
    salp__place *place = &play.control.places[index];
    while (!atomic_load(&play.ended)) {
        uint32_t seen = salp__bell_look(&play.control.shared->work);
        if (play.attach(&play.control, place, SLOT)) {
            work(index, &random);
            play.detach(&play.control, place);
        } else if (!atomic_load(&play.ended)) {
            salp__idle(&play.control, place, seen, rand_r(&random) % 2);
        }
    }
    return NULL;
}

/* Returns how many items were not run exactly once when the call was said to be done, or stayed so for ever. */
static int play_call(uint64_t ticket)
{
    int wrong = 0, units = 1 + (int)(ticket % UNITS);
    salp__bell *bell = &live()->bell;
    int64_t deadline = salp__later(SALP_SECONDS(test_slow() ? 100 : 10));
    while (!salp__unattended(&play.control, SLOT, ticket - 1))
        salp__give_way();
    for (int i = 0; i < UNITS; i++)
        atomic_store_explicit(&play.ran[i], 0, memory_order_relaxed);
    salp__lanes_split(salp__lanes_of(&play.control, SLOT), WORKERS, (salp__range){ 0, (uint32_t)units });
    atomic_store(&live()->state, salp__state(ticket, SALP__RUNNING));
    salp__wake_idle(&play.control, WORKERS);
    for (;;) {
        uint32_t seen = salp__bell_look(bell);
        if (atomic_load(&live()->state) == salp__state(ticket, SALP__DONE))
            break;
        if (salp__park(bell, seen, deadline, true, ticket % 2 ? SALP__SLEEP : SALP__LOOK_FIRST) == -ETIMEDOUT)
            return UNITS;
    }
    for (int i = 0; i < UNITS; i++)
        wrong += atomic_load_explicit(&play.ran[i], memory_order_relaxed) != (i < units);
    return wrong;
}

/* Returns how many items went wrong, in so many calls, at most until the first one that did. */
static int play_calls(int rounds, attach_function *attach, detach_function *detach)
{
    int wrong = 0;
    play = (struct play){ .attach = attach, .detach = detach };
    assert_int_equal(salp__control_open(&play.control, WORKERS), 0);
    for (intptr_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&play.workers[i], NULL, play_worker, (void *)i), 0);
    for (int round = 1; round <= rounds && wrong == 0; round++)
        wrong += play_call((uint64_t)round);
    atomic_store(&play.ended, 1);
    salp__wake_idle(&play.control, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(play.workers[i], NULL), 0);
    salp__control_close(&play.control);
    return wrong;
}

static void each_call_is_done_when_all_its_items_were_run(void **state)
{
    (void)state;
    assert_int_equal(play_calls(test_scale(10 * ROUNDS), salp__attach, salp__detach), 0);
}

/* ---- workers that break the protocol on purpose ---- */

/* As salp__attach, but does not look again. */
static bool attach_without_looking_again(const salp__control *control, salp__place *place, int slot)
{
    uint64_t ticket = salp__running(control, slot);
    if (ticket == 0)
        return false;
    atomic_store(&place->attached, salp__attached_to(ticket, slot));
    return true;
}

static void finish_unless(const salp__control *control, uint64_t attached, bool (*going_on)(uint64_t ticket))
{
    uint64_t ticket = attached / SALP__SLOTS, running = salp__state(ticket, SALP__RUNNING);
    if (!going_on(ticket) && atomic_compare_exchange_strong(&live()->state, &running, salp__state(ticket, SALP__DONE)))
        salp__tell(control, SLOT, false);
}

/* As salp__drained, but does not see what is returned in between. */
static bool goes_on_if_nothing_is_returned(uint64_t ticket)
{
    return !salp__lanes_empty(salp__lanes_of(&play.control, SLOT), WORKERS) ||
           !salp__unattended(&play.control, SLOT, ticket);
}

static void detach_without_counting_returns(const salp__control *control, salp__place *place)
{
    uint64_t attached = atomic_load(&place->attached);
    atomic_store(&place->attached, 0);
    finish_unless(control, attached, goes_on_if_nothing_is_returned);
}

/* As salp__drained, but looks at the places before the lanes. */
static bool goes_on_if_nobody_comes(uint64_t ticket)
{
    return !salp__unattended(&play.control, SLOT, ticket) ||
           !salp__lanes_empty(salp__lanes_of(&play.control, SLOT), WORKERS);
}

static void detach_looking_at_places_first(const salp__control *control, salp__place *place)
{
    uint64_t attached = atomic_load(&place->attached);
    atomic_store(&place->attached, 0);
    finish_unless(control, attached, goes_on_if_nobody_comes);
}

static bool is_caught(attach_function *attach, detach_function *detach)
{
    for (int i = 0; i < TRIES; i++)
        if (play_calls(ROUNDS, attach, detach) > 0)
            return true;
    return false;
}

static void broken_protocols_are_caught(void **state)
{
    (void)state;
    assert_true(is_caught(attach_without_looking_again, salp__detach));
    assert_true(is_caught(salp__attach, detach_without_counting_returns));
    assert_true(is_caught(salp__attach, detach_looking_at_places_first));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("each call is done when all its items were run", each_call_is_done_when_all_its_items_were_run, 120),
        TEST_LIMIT("broken protocols are caught", broken_protocols_are_caught, 120),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
