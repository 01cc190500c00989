/*
 * A process dies between any two steps of what it does with a mutex or a semaphore that it shares. Whichever they are, the
 * others go on, who locks next is told if it was held, and no unit is lost or doubled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "victims.h"

static salp_mutex *mutex;
static salp_semaphore *semaphore;

/* ---- mutexes ---- */

static void open_mutex(void)
{
    CHECK(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true, .recursive = true }) == 0);
    memset(board, 0, sizeof *board);
}

/* Who really waits buries all the dead; if the machine is slow the time is over before. */
static void wait_a_moment(int (*call)(void), const salp__segment *segment, int left)
{
    int64_t time = SALP_MICROSECONDS(20);
    do {
        salp_scope scope;
        salp_scope_open(&scope, time);
        CHECK(call() == -ETIMEDOUT);
        CHECK(salp_scope_close(&scope) == -ETIMEDOUT);
        time *= 2;
    } while (participants_of(segment) > left && time < patience());
    CHECK(participants_of(segment) == left && waiting_in(segment) == 0 && segment->latch == 0);
}

static salp_mutex *same_mutex;

static int lock_same(void)
{
    return salp_mutex_lock(same_mutex);
}

/* By this process, when all others have gone. */
static void mutex_is_well(bool died)
{
    int result = salp_mutex_lock(mutex);
    CHECK(result == 0 || (died && result == -EOWNERDEAD));
    CHECK(salp_mutex_unlock(mutex) == 0);
    CHECK(salp_mutex_lock(mutex) == 0);
    salp__segment *segment = look_into(salp_mutex_fd(mutex));
    CHECK(salp_mutex_attach(&same_mutex, salp_mutex_fd(mutex)) == 0);
    wait_a_moment(lock_same, segment, 2);
    salp_mutex_close(same_mutex);
    look_away(segment);
    salp_mutex_close(mutex);
}

static int lock_alone(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    atomic_store(&board->ready, 1); /* it holds it */
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    SALP__STEP();
    atomic_store(&board->ready, 0);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    OR_FAIL(salp_mutex_try_lock(mutex) == 0);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static void it_dies_alone_with_a_mutex(void **state)
{
    int told = 0;
    (void)state;
    board_open();
    for (bool died = true; next_step(died);) {
        open_mutex();
        died = end_of_victim(start_victim(false, lock_alone, NULL));
        if (atomic_load(&board->ready)) {
            CHECK(salp_mutex_lock(mutex) == -EOWNERDEAD && salp_mutex_unlock(mutex) == 0);
            told++;
        }
        mutex_is_well(died);
    }
    assert_true(told > 0);
}

static int lock_once(void *arg)
{
    (void)arg;
    int result = salp_mutex_lock(mutex);
    OR_FAIL(result == 0 || result == -EOWNERDEAD);
    long seen = board->counter;
    salp_yield();
    board->counter = seen + 1;
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static void sweep_lock(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_mutex();
        CHECK(salp_mutex_lock(mutex) == 0);
        pid_t victim = start_victim(in_loop, lock_once, NULL);
        waits_or_ends(victim, salp_mutex_fd(mutex), 1);
        pid_t other = start_process(in_loop, lock_once, NULL);
        waits_or_ends(victim, salp_mutex_fd(mutex), 2);
        CHECK(salp_mutex_unlock(mutex) == 0);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        CHECK(board->counter == (died ? 1 : 2) || (died && board->counter == 2));
        mutex_is_well(died);
    }
}

static void it_dies_while_it_waits_for_a_mutex(void **state)
{
    (void)state;
    board_open();
    sweep_lock(false);
    sweep_lock(true);
}

/* The one who waits is overtaken now and then, and handed the mutex after that. */
static int unlock_wanted(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    atomic_store(&board->ready, 1);
    OR_FAIL(reaches(&board->go, 1));
    for (int i = 0; i < 3; i++) {
        OR_FAIL(salp_mutex_unlock(mutex) == 0);
        OR_FAIL(salp_mutex_lock(mutex) == 0);
    }
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static void sweep_unlock(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_mutex();
        pid_t victim = start_victim(in_loop, unlock_wanted, NULL);
        reaches_or_ends(victim, &board->ready, 1);
        pid_t other = start_process(in_loop, lock_once, NULL);
        waits_or_ends(victim, salp_mutex_fd(mutex), 1);
        atomic_store(&board->go, 1);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0); /* though nobody else does anything */
        CHECK(board->counter == 1);
        mutex_is_well(died);
    }
}

static void it_dies_while_it_unlocks_for_another(void **state)
{
    (void)state;
    board_open();
    sweep_unlock(false);
    sweep_unlock(true);
}

/* One dies in an unlock, and the one who finds it dead dies while it cleans up. */
static void the_one_who_buries_dies(void **state)
{
    enum { EACH = 5 };
    (void)state;
    board_open();
    int pairs = 0;
    bool first_died = true;
    for (long first = 1; first_died; first += EACH) {
        bool second_died = true;
        for (step = 1; second_died; step++, pairs++) {
            open_mutex();
            pid_t victim = start_victim_at(first, false, unlock_wanted, NULL);
            atomic_store(&board->go, 1);
            first_died = end_of_victim(victim);
            second_died = end_of_victim(start_victim(false, lock_once, NULL));
            pid_t other = start_process(false, lock_once, NULL);
            CHECK(end_of_program(other) == 0);
            mutex_is_well(true);
        }
    }
    print_message("%d pairs of deaths\n", pairs);
    assert_true(pairs > 50);
}

/* ---- semaphores ---- */

enum { UNITS = 3, MANY = 40 };

static void open_semaphore(unsigned value)
{
    CHECK(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true, .value = value }) == 0);
    memset(board, 0, sizeof *board);
}

static int acquire(void)
{
    return salp_semaphore_acquire(semaphore);
}

static void there_are_units(int wanted)
{
    int count = 0;
    while (salp_semaphore_try_acquire(semaphore) == 0)
        count++;
    CHECK(count == wanted);
    salp__segment *segment = look_into(salp_semaphore_fd(semaphore));
    wait_a_moment(acquire, segment, 1);
    look_away(segment);
    salp_semaphore_close(semaphore);
}

static int use_units(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    OR_FAIL(salp_semaphore_release(semaphore, 1) == 0);
    OR_FAIL(salp_semaphore_try_acquire(semaphore) == 0);
    OR_FAIL(salp_semaphore_release(semaphore, 2) == 0);
    return 0;
}

static void it_dies_with_units(void **state)
{
    (void)state;
    board_open();
    for (bool died = true; next_step(died);) {
        open_semaphore(UNITS);
        died = end_of_victim(start_victim(false, use_units, NULL));
        there_are_units(UNITS);
    }
}

static int acquire_and_release(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    OR_FAIL(salp_semaphore_release(semaphore, 1) == 0);
    return 0;
}

static void sweep_acquire(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_semaphore(1);
        CHECK(salp_semaphore_acquire(semaphore) == 0);
        pid_t victim = start_victim(in_loop, acquire_and_release, NULL);
        waits_or_ends(victim, salp_semaphore_fd(semaphore), 1);
        pid_t other = start_process(in_loop, acquire_and_release, NULL);
        waits_or_ends(victim, salp_semaphore_fd(semaphore), 2);
        CHECK(salp_semaphore_release(semaphore, 1) == 0);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        there_are_units(1);
    }
}

static void it_dies_while_it_waits_for_a_unit(void **state)
{
    (void)state;
    board_open();
    sweep_acquire(false);
    sweep_acquire(true);
}

static int acquire_and_count(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    atomic_fetch_add(&board->count[0], 1);
    return 0;
}

static int acquire_many(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < MANY; i++)
        OR_FAIL(salp_go(&group, acquire_and_count, NULL) == 0);
    OR_FAIL(salp_group_close(&group) == 0);
    salp_semaphore_close(semaphore); /* for good */
    return 0;
}

static int release_many(void *arg)
{
    (void)arg;
    OR_FAIL(salp_semaphore_try_acquire(semaphore) == -EAGAIN); /* now the others have been told of us */
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_semaphore_release(semaphore, MANY) == 0);
    return 0;
}

/* Those who wait have never heard of the one who comes, releases and dies; and nobody else does anything. */
static void it_dies_while_it_releases_to_many(void **state)
{
    (void)state;
    board_open();
    for (bool died = true; next_step(died);) {
        open_semaphore(0);
        pid_t other = start_process(true, acquire_many, NULL);
        CHECK(come_to_wait(salp_semaphore_fd(semaphore), MANY));
        salp__segment *segment = look_into(salp_semaphore_fd(semaphore));
        died = end_of_victim(start_victim(false, release_many, NULL));
        if (atomic_load(&board->ready))
            is_buried(salp_semaphore_fd(semaphore), 2);
        bool all = waiting_in(segment) < MANY || participants_of(segment) == 1;
        for (int i = 0; i < MANY; i++)
            all |= segment->nodes[i].state != SALP__NODE_WAITS;
        look_away(segment);
        CHECK(all || died);
        if (all)
            CHECK(reaches(&board->count[0], MANY));
        else
            CHECK(atomic_load(&board->count[0]) == 0 && salp_semaphore_release(semaphore, MANY) == 0);
        CHECK(end_of_program(other) == 0);
        there_are_units(0);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("it dies alone with a mutex", it_dies_alone_with_a_mutex, 60),
        TEST_LIMIT("it dies while it waits for a mutex", it_dies_while_it_waits_for_a_mutex, 60),
        TEST_LIMIT("it dies while it unlocks for another", it_dies_while_it_unlocks_for_another, 60),
        TEST_LIMIT("the one who buries dies", the_one_who_buries_dies, 120),
        TEST_LIMIT("it dies with units", it_dies_with_units, 60),
        TEST_LIMIT("it dies while it waits for a unit", it_dies_while_it_waits_for_a_unit, 60),
        TEST_LIMIT("it dies while it releases to many", it_dies_while_it_releases_to_many, 60),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
