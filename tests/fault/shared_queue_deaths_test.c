/*
 * A process dies between any two steps of what it does with a queue that it shares. Whichever they are, the others go on;
 * what it had put is there, once and whole; what it had not taken is there as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue_victims.h"

enum { WIDE = 16 }; /* with room for so many, short items in their order lie on a belt in every build */

static size_t room;

/* Each sweep is done for short and for long items, and all orders; and on a belt. */
static void in_all_orders(void (*sweep)(void))
{
    static const size_t sizes[] = { 8, LONG };
    board_open();
    room = ROOM;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        item_size = sizes[i];
        for (order = SALP_FIFO; order <= SALP_PRIORITY; order++)
            sweep();
    }
    item_size = 8;
    order = SALP_FIFO;
    room = WIDE;
    sweep();
}

/* ---- alone ---- */

/* Counts what is over. */
static int put_and_get(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROOM; i++) {
        OR_FAIL(put(1 + i) == 0);
        atomic_fetch_add(&board->count[0], 1);
    }
    for (int i = 0; i < ROOM - 1; i++) {
        OR_FAIL(get() > 0);
        atomic_fetch_add(&board->count[1], 1);
        OR_FAIL(salp_queue_done(queue) == 0);
        atomic_fetch_add(&board->count[2], 1);
    }
    return 0;
}

static void sweep_alone(void)
{
    for (bool died = true; next_step(died);) {
        open_queue(room);
        CHECK(put(100) == 0 && get() == 100); /* booked to us, before it takes any */
        died = end_of_victim(start_victim(false, put_and_get, NULL));
        int puts = atomic_load(&board->count[0]), gets = atomic_load(&board->count[1]), left = 0, last = 0, value;
        while ((value = try_get()) > 0) {
            /* What it was reading comes back when that is noticed. */
            CHECK(left == 0 || value == (order == SALP_LIFO ? last - 1 : last + 1) || (died && item_size == LONG));
            last = value;
            left++;
            CHECK(salp_queue_done(queue) == 0);
        }
        CHECK(value == -EAGAIN);
        CHECK(salp_queue_done(queue) == 0);
        CHECK(left == puts - gets || (died && gets == 0 && left == puts + 1) || (died && left == puts - gets - 1));
        queue_is_well(died, room);
    }
}

static void it_dies_alone_with_a_queue(void **state)
{
    (void)state;
    in_all_orders(sweep_alone);
}

/* ---- while it waits for an item, with another one behind it ---- */

static int get_one(void *arg)
{
    int value = get();
    (void)arg;
    OR_FAIL(value > 0);
    atomic_fetch_add(&board->count[value], 1);
    OR_FAIL(salp_queue_done(queue) == 0);
    return 0;
}

static int get_one_and_die(void *arg)
{
    (void)arg;
    OR_FAIL(salp_queue_get(queue, read_by_victim) == 0);
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_queue_done(queue) == 0);
    return 0;
}

/* Nothing but what the victim had read whole, and taken, is missing; and whoever joins is told of that. */
static void items_are_there(bool died, const bool seen[])
{
    bool missing = !seen[1] || !seen[2];
    CHECK(!missing || value_of(0, read_by_victim) == (seen[1] ? 2 : 1));
    CHECK(missing || (died && atomic_load(&board->ready) == 0)); /* who lives has taken one */
    bool told = queue_is_well(died, room);
    CHECK(!told || (died && missing));
    CHECK(told || !missing || atomic_load(&board->ready) == 1);
}

/* Two items for two who want one: the victim may have taken one, and then it is gone with it. */
static void sweep_get_in(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        bool seen[3] = { false };
        int value;
        open_queue(room);
        memset(read_by_victim, 0, LONG);
        int fd = salp_queue_fd(queue);
        pid_t victim = start_victim(in_loop, get_one_and_die, NULL);
        waits_or_ends(victim, fd, 1);
        pid_t other = start_process(in_loop, get_one, NULL);
        waits_or_ends(victim, fd, 2);
        CHECK(put(1) == 0);
        CHECK(put(2) == 0);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        for (int i = 1; i <= 2; i++) {
            CHECK(atomic_load(&board->count[i]) <= 1);
            seen[i] = atomic_load(&board->count[i]) == 1;
        }
        CHECK(seen[1] != seen[2]);
        while ((value = try_get()) > 0) {
            CHECK(!seen[value]);
            seen[value] = true;
            CHECK(salp_queue_done(queue) == 0);
        }
        items_are_there(died, seen);
    }
}

static void sweep_get(void)
{
    sweep_get_in(false);
    sweep_get_in(true);
}

static void it_dies_while_it_waits_for_an_item(void **state)
{
    (void)state;
    read_by_victim = shared_memory(LONG);
    in_all_orders(sweep_get);
}

/* ---- while it waits for room, with another one behind it ---- */

static int put_one(void *arg)
{
    OR_FAIL(put((int)(intptr_t)arg) == 0);
    return 0;
}

static void sweep_put_in(bool in_loop, size_t capacity)
{
    for (bool died = true; next_step(died);) {
        bool seen[8] = { false };
        open_queue(capacity);
        int fd = salp_queue_fd(queue), value;
        for (size_t i = 0; i < capacity; i++)
            CHECK(put(5) == 0);
        pid_t victim = start_victim(in_loop, put_one, (void *)1);
        waits_or_ends(victim, fd, 1);
        pid_t other = start_process(in_loop, put_one, (void *)2);
        waits_or_ends(victim, fd, 2);
        while (!seen[2]) {
            CHECK((value = get()) > 0 && salp_queue_done(queue) == 0 && (value == 5 || !seen[value]));
            seen[value] = true;
        }
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        while ((value = try_get()) > 0) {
            CHECK(value == 5 || !seen[value]);
            seen[value] = true;
            CHECK(salp_queue_done(queue) == 0);
        }
        CHECK(seen[2] && (seen[1] || died));
        queue_is_well(died, capacity);
    }
}

static void sweep_put(void)
{
    sweep_put_in(false, room == WIDE ? WIDE : 1);
    sweep_put_in(true, room == WIDE ? WIDE : 1);
}

static void it_dies_while_it_waits_for_room(void **state)
{
    (void)state;
    in_all_orders(sweep_put);
}

static void it_dies_while_it_waits_to_be_taken(void **state)
{
    (void)state;
    board_open();
    order = SALP_FIFO;
    for (item_size = 8; item_size <= LONG; item_size += LONG - 8) {
        sweep_put_in(false, 0);
        sweep_put_in(true, 0);
    }
}

/* ---- while others wait for what it does ---- */

static int put_for_another(void *arg)
{
    (void)arg;
    OR_FAIL(salp_queue_count(queue) == 0); /* now the others have been told of us */
    atomic_store(&board->ready, 1);
    OR_FAIL(reaches(&board->go, 1));
    OR_FAIL(put(1) == 0);
    atomic_store(&board->ready, 2);
    return 0;
}

/* Whether the one who waits has been handed what the victim was to put, or is about to be; he buries the victim himself. */
static bool was_put(void)
{
    if (atomic_load(&board->ready) == 0)
        return false;
    salp__segment *segment = look_into(salp_queue_fd(queue));
    int64_t end = clock_now() + patience();
    while (segment->nodes[0].state == SALP__NODE_WAITS && participants_of(segment) > 2) {
        CHECK(clock_now() < end);
        doze(SALP_MICROSECONDS(50));
    }
    bool put = salp_queue_count(queue) > 0 || segment->nodes[0].state != SALP__NODE_WAITS;
    look_away(segment);
    return put;
}

/* One gets, and nobody but the victim puts; when it has died before that, we do. */
static void sweep_wake(void)
{
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        for (bool died = true; next_step(died);) {
            open_queue(room);
            pid_t victim = start_victim(false, put_for_another, NULL);
            reaches_or_ends(victim, &board->ready, 1);
            pid_t other = start_process(in_loop, get_one, NULL);
            waits_or_ends(victim, salp_queue_fd(queue), 1);
            atomic_store(&board->go, 1);
            died = end_of_victim(victim);
            if (died && !was_put())
                CHECK(put(2) == 0);
            CHECK(end_of_program(other) == 0);
            while (try_get() > 0)
                CHECK(salp_queue_done(queue) == 0);
            queue_is_well(died, room);
        }
    }
}

static void it_dies_while_it_puts_for_another(void **state)
{
    (void)state;
    in_all_orders(sweep_wake);
}

/* ---- shutting down and joining ---- */

static int get_refused(void *arg)
{
    (void)arg;
    OR_FAIL(get() == -EPIPE);
    return 0;
}

static int shut_down(void *arg)
{
    (void)arg;
    OR_FAIL(salp_queue_count(queue) == 0);
    OR_FAIL(salp_queue_shutdown(queue) == 0);
    return 0;
}

static void it_dies_while_it_shuts_down(void **state)
{
    enum { WAIT = 3 };
    pid_t pids[WAIT];
    (void)state;
    board_open();
    item_size = 8;
    order = SALP_FIFO;
    room = WIDE;
    for (bool died = true; next_step(died);) {
        open_queue(room);
        for (int i = 0; i < WAIT; i++)
            pids[i] = start_process(i % 2, get_refused, NULL);
        CHECK(come_to_wait(salp_queue_fd(queue), WAIT));
        died = end_of_victim(start_victim(false, shut_down, NULL));
        CHECK(salp_queue_shutdown(queue) == 0);
        for (int i = 0; i < WAIT; i++)
            CHECK(end_of_program(pids[i]) == 0);
        CHECK(get() == -EPIPE && put(1) == -EPIPE);
        salp_queue_close(queue);
    }
}

/* As far as it has come. */
enum { BEGINS, HAS_TAKEN, IS_DONE };

static int take_and_be_done(void *arg)
{
    (void)arg;
    OR_FAIL(get() == 1);
    atomic_store(&board->ready, HAS_TAKEN);
    OR_FAIL(salp_queue_done(queue) == 0);
    atomic_store(&board->ready, IS_DONE);
    return 0;
}

static int join(void *arg)
{
    (void)arg;
    int result = salp_queue_join(queue);
    OR_FAIL(result == 0 || result == -EOWNERDEAD);
    atomic_store(&board->count[0], result == -EOWNERDEAD);
    return 0;
}

/* The item is back, or the one who joins is told that it was lost, or the work on it was done: one of these. */
static void sweep_work(void)
{
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        for (bool died = true; next_step(died);) {
            open_queue(room);
            CHECK(put(1) == 0);
            pid_t joiner = start_process(in_loop, join, NULL);
            CHECK(come_to_wait(salp_queue_fd(queue), 1));
            died = end_of_victim(start_victim(false, take_and_be_done, NULL));
            int come = atomic_load(&board->ready);
            bool back = try_get() == 1;
            if (back)
                CHECK(salp_queue_done(queue) == 0);
            CHECK(end_of_program(joiner) == 0);
            bool told = atomic_load(&board->count[0]);
            CHECK(!back || come == BEGINS);
            CHECK(come == HAS_TAKEN || told == (come == BEGINS && !back)); /* else it dies while it says so */
            CHECK(died || come == IS_DONE);
            CHECK(!queue_is_well(died, room)); /* it is told once */
        }
    }
}

/* Who joins hears of the end of the work, though the one who does it dies with it, or before. */
static void it_dies_with_work(void **state)
{
    (void)state;
    in_all_orders(sweep_work);
}

static int take_and_die(void *arg)
{
    (void)arg;
    OR_FAIL(get() == 1);
    return 0; /* and the process ends with it */
}

/* The one who would be told of work that was lost dies himself. */
static void it_dies_while_it_joins(void **state)
{
    (void)state;
    board_open();
    item_size = 8;
    order = SALP_FIFO;
    for (int way = 0; way < 4; way++) {
        bool in_loop = way % 2;
        room = way < 2 ? ROOM : WIDE;
        for (bool died = true; next_step(died);) {
            open_queue(room);
            CHECK(put(1) == 0 && put(1) == 0 && get() == 1);
            CHECK(end_of_program(start_process(false, take_and_die, NULL)) == 0);
            pid_t victim = start_victim(in_loop, join, NULL);
            waits_or_ends(victim, salp_queue_fd(queue), 1);
            CHECK(salp_queue_done(queue) == 0);
            died = end_of_victim(victim);
            queue_is_well(true, room);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("it dies alone with a queue", it_dies_alone_with_a_queue, 120),
        TEST_LIMIT("it dies while it waits for an item", it_dies_while_it_waits_for_an_item, 120),
        TEST_LIMIT("it dies while it waits for room", it_dies_while_it_waits_for_room, 120),
        TEST_LIMIT("it dies while it waits to be taken", it_dies_while_it_waits_to_be_taken, 120),
        TEST_LIMIT("it dies while it puts for another", it_dies_while_it_puts_for_another, 120),
        TEST_LIMIT("it dies while it shuts down", it_dies_while_it_shuts_down, 60),
        TEST_LIMIT("it dies with work", it_dies_with_work, 60),
        TEST_LIMIT("it dies while it joins", it_dies_while_it_joins, 60),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
