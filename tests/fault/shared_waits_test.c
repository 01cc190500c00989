/*
 * A process dies between any two steps of what it does with an event, a condition, a barrier or a lock for reading that it
 * shares. Whichever they are, nobody waits for ever for what the dead one would have done, and who has to be told is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "victims.h"

enum { MANY = 34 };  /* more than are woken in one go */
enum { STRIDE = 7 }; /* of the steps of what is done for each of many, which are the same again and again */

static salp_event *event;
static salp_condition *condition;
static salp_mutex *mutex;
static salp_barrier *barrier;
static salp_rwlock *rwlock;

static int run_many(salp_fn *function)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < MANY; i++)
        OR_FAIL(salp_go(&group, function, NULL) == 0);
    return salp_group_close(&group);
}

/* Until so many wait who have not been granted anything. */
static bool all_wait(int fd, int all)
{
    salp__segment *segment = look_into(fd);
    int64_t end = clock_now() + patience();
    int waiting = 0;
    while (waiting != all && clock_now() < end) {
        waiting = 0;
        for (uint64_t i = 0; i < segment->nodes_used; i++)
            waiting += segment->nodes[i].state == SALP__NODE_WAITS;
    }
    look_away(segment);
    return waiting == all;
}

/* Whether somebody has been granted something, or has gone on already; `all` have been waiting. */
static bool has_begun(int fd, int all)
{
    salp__segment *segment = look_into(fd);
    bool begun = waiting_in(segment) < all;
    for (uint64_t i = 0; i < segment->nodes_used; i++)
        begun |= segment->nodes[i].state == SALP__NODE_GRANTED;
    look_away(segment);
    return begun;
}

/* ---- events ---- */

static void open_event(void)
{
    CHECK(salp_event_open(&event, &(salp_event_options){ .shared = true }) == 0);
    memset(board, 0, sizeof *board);
}

static int wait_for_event(void)
{
    return salp_event_wait(event);
}

static void event_is_well(void)
{
    CHECK(salp_event_clear(event) == 0 && !salp_event_is_set(event));
    only_we_are_left(salp_event_fd(event), wait_for_event);
    salp_event_close(event);
}

static int pass_event(void *arg)
{
    (void)arg;
    OR_FAIL(salp_event_wait(event) == 0);
    atomic_fetch_add(&board->count[0], 1);
    return 0;
}

static void sweep_event_wait(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_event();
        pid_t victim = start_victim(in_loop, pass_event, NULL);
        waits_or_ends(victim, salp_event_fd(event), 1);
        pid_t other = start_process(!in_loop, pass_event, NULL);
        waits_or_ends(victim, salp_event_fd(event), 2);
        CHECK(salp_event_set(event) == 0);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        CHECK(atomic_load(&board->count[0]) >= 2 - died);
        event_is_well();
    }
}

static void it_dies_while_it_waits_for_an_event(void **state)
{
    (void)state;
    board_open();
    sweep_event_wait(false);
    sweep_event_wait(true);
}

static int many_wait_for_event(void *arg)
{
    (void)arg;
    int result = run_many(pass_event);
    salp_event_close(event); /* who has ended otherwise is one more to be buried */
    return result;
}

static int pulse(void *arg)
{
    (void)arg;
    OR_FAIL(salp_event_clear(event) == 0); /* now the others have been told of us */
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_event_set(event) == 0);
    OR_FAIL(salp_event_clear(event) == 0);
    return 0;
}

/* Those who wait have never heard of the one who comes, sets it and dies; and nobody else does anything. */
static void it_dies_while_it_sets_an_event_for_many(void **state)
{
    (void)state;
    board_open();
    for (bool died = true; next_step(died);) {
        open_event();
        pid_t other = start_process(true, many_wait_for_event, NULL);
        CHECK(come_to_wait(salp_event_fd(event), MANY));
        died = end_of_victim(start_victim(false, pulse, NULL));
        if (atomic_load(&board->ready))
            is_buried(salp_event_fd(event), 2);
        bool begun = salp_event_is_set(event) || has_begun(salp_event_fd(event), MANY);
        CHECK(begun || died);
        if (!begun)
            CHECK(salp_event_set(event) == 0);
        CHECK(reaches(&board->count[0], MANY));
        CHECK(end_of_program(other) == 0);
        event_is_well();
    }
}

/* ---- conditions ---- */

static void open_condition(void)
{
    CHECK(salp_condition_open(&condition, &(salp_condition_options){ .shared = true }) == 0);
    CHECK(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true }) == 0);
    memset(board, 0, sizeof *board);
}

/* Who is told that the mutex had a dead owner wakes all, so that they look: as any program has to. */
static int was_locked(int result)
{
    if (result == -EOWNERDEAD)
        result = salp_condition_broadcast(condition);
    return result;
}

/* A signal that the dead one was given may be passed on to us. */
static int wait_for_condition(void)
{
    int result = salp_mutex_lock(mutex);
    if (result == -ETIMEDOUT)
        return result; /* so soon, on a slow machine */
    CHECK(result == 0);
    do
        result = salp_condition_wait(condition, mutex);
    while (result == 0);
    CHECK(salp_mutex_unlock(mutex) == 0);
    return result;
}

static void condition_is_well(void)
{
    CHECK(was_locked(salp_mutex_lock(mutex)) == 0);
    CHECK(salp_mutex_unlock(mutex) == 0);
    only_we_are_left(salp_condition_fd(condition), wait_for_condition);
    salp_condition_close(condition);
    salp_mutex_close(mutex);
}

/* Takes one of board->counter, when there is one. */
static int take_one(void *arg)
{
    (void)arg;
    OR_FAIL(was_locked(salp_mutex_lock(mutex)) == 0);
    while (board->counter == 0)
        OR_FAIL(was_locked(salp_condition_wait(condition, mutex)) == 0);
    board->counter--;
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static void sweep_condition_wait(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_condition();
        pid_t victim = start_victim(in_loop, take_one, NULL);
        waits_or_ends(victim, salp_condition_fd(condition), 1);
        pid_t other = start_process(in_loop, take_one, NULL);
        waits_or_ends(victim, salp_condition_fd(condition), 2);
        CHECK(was_locked(salp_mutex_lock(mutex)) == 0);
        board->counter = 1;
        CHECK(salp_condition_signal(condition) == 0);
        CHECK(salp_mutex_unlock(mutex) == 0);
        died = end_of_victim(victim);
        /* If the victim has taken it there has to be another one; otherwise the signal has to find the other. */
        CHECK(was_locked(salp_mutex_lock(mutex)) == 0);
        if (board->counter == 0) {
            board->counter = 1;
            CHECK(salp_condition_signal(condition) == 0);
        }
        CHECK(salp_mutex_unlock(mutex) == 0);
        CHECK(end_of_program(other) == 0);
        condition_is_well();
    }
}

static void it_dies_while_it_waits_for_a_condition(void **state)
{
    (void)state;
    board_open();
    sweep_condition_wait(false);
    sweep_condition_wait(true);
}

static int many_take(void *arg)
{
    (void)arg;
    return run_many(take_one);
}

static int add_many(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    board->counter = MANY;
    OR_FAIL(salp_condition_broadcast(condition) == 0);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static int add_one_by_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        OR_FAIL(was_locked(salp_mutex_lock(mutex)) == 0);
        board->counter++;
        OR_FAIL(salp_condition_signal(condition) == 0);
        OR_FAIL(salp_mutex_unlock(mutex) == 0);
    }
    return 0;
}

/* Those who were not woken are woken now; nobody is in the way of that. */
static void sweep_wake(salp_fn *wake)
{
    for (bool died = true; next_step(died); step += step > 100 ? STRIDE - 1 : 0) {
        open_condition();
        pid_t other = start_process(true, many_take, NULL);
        CHECK(come_to_wait(salp_condition_fd(condition), MANY));
        died = end_of_victim(start_victim(false, wake, NULL));
        CHECK(was_locked(salp_mutex_lock(mutex)) == 0);
        if (died) { /* however many are missing */
            board->counter = MANY;
            CHECK(salp_condition_broadcast(condition) == 0);
        }
        CHECK(salp_mutex_unlock(mutex) == 0);
        CHECK(end_of_program(other) == 0);
        condition_is_well();
    }
}

static void it_dies_while_it_wakes_many(void **state)
{
    (void)state;
    board_open();
    sweep_wake(add_many);
    sweep_wake(add_one_by_one);
}

static int broadcast(void *arg)
{
    (void)arg;
    OR_FAIL(salp_condition_signal(condition) == 0); /* now the others have been told of us */
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_condition_broadcast(condition) == 0);
    return 0;
}

static int wake_up(void *arg)
{
    (void)arg;
    OR_FAIL(salp_mutex_lock(mutex) == 0);
    OR_FAIL(salp_condition_wait(condition, mutex) == 0);
    atomic_fetch_add(&board->count[0], 1);
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    return 0;
}

static int many_wake_up(void *arg)
{
    (void)arg;
    int result = run_many(wake_up);
    salp_condition_close(condition);
    salp_mutex_close(mutex);
    return result;
}

/* The first one is woken by the signal. If there was one more, all have to be. */
static void it_dies_while_it_broadcasts(void **state)
{
    (void)state;
    board_open();
    for (bool died = true; next_step(died);) {
        open_condition();
        pid_t other = start_process(true, many_wake_up, NULL);
        CHECK(come_to_wait(salp_condition_fd(condition), MANY));
        died = end_of_victim(start_victim(false, broadcast, NULL));
        bool begun = false;
        if (atomic_load(&board->ready)) {
            is_buried(salp_condition_fd(condition), 2);
            CHECK(reaches(&board->count[0], 1));
            begun = atomic_load(&board->count[0]) > 1 || has_begun(salp_condition_fd(condition), MANY - 1);
        }
        CHECK(begun || died);
        if (!begun)
            CHECK(salp_condition_broadcast(condition) == 0);
        CHECK(reaches(&board->count[0], MANY));
        CHECK(end_of_program(other) == 0);
        condition_is_well();
    }
}

/* ---- barriers ---- */

static void open_barrier(unsigned parties)
{
    CHECK(salp_barrier_open(&barrier, &(salp_barrier_options){ .shared = true, .parties = parties }) == 0);
    memset(board, 0, sizeof *board);
}

static int come_to_barrier(void)
{
    int result = salp_barrier_wait(barrier);
    CHECK(salp_barrier_reset(barrier) == 0);
    return result;
}

static void barrier_is_well(void)
{
    CHECK(salp_barrier_reset(barrier) == 0);
    only_we_are_left(salp_barrier_fd(barrier), come_to_barrier);
    salp_barrier_close(barrier);
}

enum { MEETINGS = 3 };

/* What has become of each meeting, for those who live: count[2 m] have met, for count[2 m + 1] it was broken. */
static int meet(void *arg)
{
    (void)arg;
    for (int m = 0; m < MEETINGS; m++) {
        int result = salp_barrier_wait(barrier);
        OR_FAIL(result >= 0 || result == SALP_EBROKEN);
        atomic_fetch_add(&board->count[2 * m + (result < 0)], 1);
    }
    return 0;
}

static int meet_and_close(void *arg)
{
    int result = meet(arg);
    salp_barrier_close(barrier);
    return result;
}

/* It has come once when it begins to die, so that the others are to be told in any case. */
static int meet_and_die(void *arg)
{
    (void)arg;
    salp__fault_enter(SALP__PROGRAM);
    OR_FAIL(salp_barrier_wait(barrier) >= 0);
    salp__fault_enter(SALP__WORKER);
    for (int m = 1; m < MEETINGS; m++)
        OR_FAIL(salp_barrier_wait(barrier) >= 0);
    salp__fault_enter(SALP__PROGRAM);
    salp_barrier_close(barrier);
    return 0;
}

static void check_meetings(int others, bool died)
{
    bool broken = false;
    for (int m = 0; m < MEETINGS; m++) {
        int met = atomic_load(&board->count[2 * m]);
        CHECK(met + atomic_load(&board->count[2 * m + 1]) == others);
        CHECK(met == 0 || met == others); /* of one mind */
        CHECK(met == 0 || !broken);       /* and once broken it stays so */
        broken = met == 0;
    }
    CHECK(died || !broken);
    CHECK(atomic_load(&board->count[0]) == others);
}

static void sweep_barrier(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        pid_t others[2];
        open_barrier(3);
        pid_t victim = start_victim(in_loop, meet_and_die, NULL);
        for (int i = 0; i < 2; i++)
            others[i] = start_process(in_loop != (i == 1), meet_and_close, NULL);
        died = end_of_victim(victim);
        for (int i = 0; i < 2; i++)
            CHECK(end_of_program(others[i]) == 0);
        check_meetings(2, died);
        barrier_is_well();
    }
}

static void it_dies_at_a_barrier(void **state)
{
    (void)state;
    board_open();
    sweep_barrier(false);
    sweep_barrier(true);
}

static int many_meet(void *arg)
{
    (void)arg;
    int result = run_many(meet);
    salp_barrier_close(barrier);
    return result;
}

/* As the last one, who sends all the others on their way. */
static int come_last_and_die(void *arg)
{
    (void)arg;
    salp__fault_enter(SALP__PROGRAM);
    for (int m = 0; m < MEETINGS; m++) {
        OR_FAIL(all_wait(salp_barrier_fd(barrier), MANY));
        if (m == 1)
            salp__fault_enter(SALP__WORKER);
        OR_FAIL(salp_barrier_wait(barrier) == MANY);
        salp__fault_enter(SALP__PROGRAM);
    }
    salp_barrier_close(barrier);
    return 0;
}

static void it_dies_as_the_last_one_at_a_barrier(void **state)
{
    (void)state;
    board_open();
    for (bool died = true; next_step(died); step += step > 100 ? STRIDE - 1 : 0) {
        open_barrier(MANY + 1);
        pid_t other = start_process(true, many_meet, NULL);
        died = end_of_victim(start_victim(false, come_last_and_die, NULL));
        CHECK(end_of_program(other) == 0);
        check_meetings(MANY, died);
        barrier_is_well();
    }
}

static int leave_and_die(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp__fault_enter(SALP__PROGRAM);
    OR_FAIL(salp_barrier_wait(barrier) >= 0);
    salp__fault_enter(SALP__WORKER);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    OR_FAIL(salp_barrier_wait(barrier) == -ETIMEDOUT);
    salp__fault_enter(SALP__PROGRAM);
    (void)salp_scope_close(&scope);
    return 0;
}

static int meet_once_then_in_vain(void *arg)
{
    (void)arg;
    OR_FAIL(salp_barrier_wait(barrier) >= 0);
    if (arg)
        OR_FAIL(salp_barrier_wait(barrier) == SALP_EBROKEN);
    salp_barrier_close(barrier);
    return 0;
}

static void it_dies_while_it_leaves_a_barrier(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        for (bool died = true; next_step(died);) {
            open_barrier(3);
            pid_t victim = start_victim(in_loop, leave_and_die, NULL);
            pid_t other = start_process(in_loop, meet_once_then_in_vain, board);
            CHECK(end_of_program(start_process(in_loop, meet_once_then_in_vain, NULL)) == 0);
            died = end_of_victim(victim);
            CHECK(end_of_program(other) == 0);
            barrier_is_well();
        }
    }
}

/* ---- locks for reading ---- */

static void open_rwlock(void)
{
    CHECK(salp_rwlock_open(&rwlock, &(salp_rwlock_options){ .shared = true }) == 0);
    memset(board, 0, sizeof *board);
}

static salp_rwlock *same_rwlock;

static int write_same(void)
{
    return salp_rwlock_lock_write(same_rwlock);
}

static void rwlock_is_well(bool died)
{
    int result = salp_rwlock_lock_write(rwlock); /* all readers are gone, too */
    CHECK(result == 0 || (died && result == -EOWNERDEAD));
    CHECK(salp_rwlock_unlock(rwlock) == 0);
    CHECK(salp_rwlock_lock_read(rwlock) == 0);
    same_rwlock = rwlock;
    only_we_are_left(salp_rwlock_fd(rwlock), write_same);
    CHECK(salp_rwlock_unlock(rwlock) == 0);
    CHECK(salp_rwlock_unlock(rwlock) == -EPERM);
    salp_rwlock_close(rwlock);
}

/* As far as it has come with the lock. */
enum { READS, COMES, WRITES, LEAVES, HAS_LEFT };

static int use_rwlock(void *arg)
{
    (void)arg;
    OR_FAIL(salp_rwlock_lock_read(rwlock) == 0 && salp_rwlock_lock_read(rwlock) == 0);
    OR_FAIL(salp_rwlock_try_lock_write(rwlock) == -EBUSY);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0 && salp_rwlock_unlock(rwlock) == 0);
    atomic_store(&board->ready, COMES);
    OR_FAIL(salp_rwlock_lock_write(rwlock) == 0);
    atomic_store(&board->ready, WRITES);
    SALP__STEP();
    atomic_store(&board->ready, LEAVES);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    atomic_store(&board->ready, HAS_LEFT);
    OR_FAIL(salp_rwlock_lock_read(rwlock) == 0 && salp_rwlock_unlock(rwlock) == 0);
    return 0;
}

/* Who comes next gets it, whether he would wait or not, and is told exactly if it died as the writer. */
static void it_dies_alone_with_a_lock(void **state)
{
    int told = 0;
    (void)state;
    board_open();
    for (bool died = true; next_step(died);) {
        open_rwlock();
        died = end_of_victim(start_victim(false, use_rwlock, NULL));
        int come = atomic_load(&board->ready);
        int result = step % 2 ? salp_rwlock_lock_write(rwlock) : salp_rwlock_try_lock_write(rwlock);
        CHECK(result == (come == WRITES ? -EOWNERDEAD : 0) ||
              (result == -EOWNERDEAD && died && (come == COMES || come == LEAVES)));
        told += result == -EOWNERDEAD;
        CHECK(salp_rwlock_unlock(rwlock) == 0);
        rwlock_is_well(false);
    }
    assert_true(told > 0);
}

/* count[0] were told, count[1] were not. */
static int lock_once(bool writes)
{
    int result = writes ? salp_rwlock_lock_write(rwlock) : salp_rwlock_lock_read(rwlock);
    OR_FAIL(result == 0 || result == -EOWNERDEAD);
    atomic_fetch_add(&board->count[result == 0], 1);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    return 0;
}

static int read_once(void *arg)
{
    (void)arg;
    return lock_once(false);
}

static int write_once(void *arg)
{
    (void)arg;
    return lock_once(true);
}

static void sweep_rwlock_wait(bool in_loop, bool victim_writes)
{
    for (bool died = true; next_step(died);) {
        open_rwlock();
        CHECK(salp_rwlock_lock_write(rwlock) == 0);
        pid_t victim = start_victim(in_loop, victim_writes ? write_once : read_once, NULL);
        waits_or_ends(victim, salp_rwlock_fd(rwlock), 1);
        pid_t other = start_process(in_loop, victim_writes ? read_once : write_once, NULL);
        waits_or_ends(victim, salp_rwlock_fd(rwlock), 2);
        CHECK(salp_rwlock_unlock(rwlock) == 0);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        CHECK(atomic_load(&board->count[0]) == 0 || (died && victim_writes));
        rwlock_is_well(died);
    }
}

static void it_dies_while_it_waits_for_a_lock(void **state)
{
    (void)state;
    board_open();
    for (int i = 0; i < 4; i++)
        sweep_rwlock_wait(i % 2, i / 2);
}

static int many_read(void *arg)
{
    (void)arg;
    return run_many(read_once);
}

static int write_and_let_in(void *arg)
{
    (void)arg;
    salp__fault_enter(SALP__PROGRAM);
    OR_FAIL(salp_rwlock_lock_write(rwlock) == 0);
    atomic_store(&board->ready, 1);
    OR_FAIL(reaches(&board->go, 1));
    salp__fault_enter(SALP__WORKER);
    OR_FAIL(salp_rwlock_unlock(rwlock) == 0);
    return 0;
}

static void it_dies_while_it_lets_many_in(void **state)
{
    (void)state;
    board_open();
    for (bool died = true; next_step(died); step += step > 100 ? STRIDE - 1 : 0) {
        open_rwlock();
        pid_t victim = start_victim(false, write_and_let_in, NULL);
        CHECK(reaches(&board->ready, 1));
        pid_t other = start_process(true, many_read, NULL);
        CHECK(come_to_wait(salp_rwlock_fd(rwlock), MANY));
        atomic_store(&board->go, 1);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        int told = atomic_load(&board->count[0]), untold = atomic_load(&board->count[1]);
        CHECK(told + untold == MANY && (told == 0 || (died && untold == 0))); /* it had unlocked, or not */
        rwlock_is_well(died);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("it dies while it waits for an event", it_dies_while_it_waits_for_an_event, 60),
        TEST_LIMIT("it dies while it sets an event for many", it_dies_while_it_sets_an_event_for_many, 120),
        TEST_LIMIT("it dies while it waits for a condition", it_dies_while_it_waits_for_a_condition, 60),
        TEST_LIMIT("it dies while it wakes many", it_dies_while_it_wakes_many, 120),
        TEST_LIMIT("it dies while it broadcasts", it_dies_while_it_broadcasts, 120),
        TEST_LIMIT("it dies at a barrier", it_dies_at_a_barrier, 60),
        TEST_LIMIT("it dies as the last one at a barrier", it_dies_as_the_last_one_at_a_barrier, 120),
        TEST_LIMIT("it dies while it leaves a barrier", it_dies_while_it_leaves_a_barrier, 60),
        TEST_LIMIT("it dies alone with a lock", it_dies_alone_with_a_lock, 60),
        TEST_LIMIT("it dies while it waits for a lock", it_dies_while_it_waits_for_a_lock, 60),
        TEST_LIMIT("it dies while it lets many in", it_dies_while_it_lets_many_in, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
