/*
 * A process dies between any two steps of a select over queues and an event that it shares, or of what another one waits for
 * in a select. Whichever they are, the others go on; nothing is lost but an item that the dead one had read, and who joins
 * is told of that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue_victims.h"

#include <salp/select.h>

enum { FIVE = 5 };  /* an item that is there from the beginning */
enum { EVENT = 2 }; /* what select_get and select_put return for it; for a queue its number */

static salp_queue *queues[2];
static salp_event *event;

static void open_all(size_t capacity)
{
    for (int i = 0; i < 2; i++) {
        open_queue(capacity);
        queues[i] = queue;
    }
    CHECK(salp_event_open(&event, &(salp_event_options){ .shared = true }) == 0);
    memset(read_by_victim, 0, LONG);
}

static int wait_for_event(void)
{
    return salp_event_wait(event);
}

/* When both queues were closed. */
static void event_is_well(void)
{
    CHECK(salp_event_clear(event) == 0);
    only_we_are_left(salp_event_fd(event), wait_for_event);
    salp_event_close(event);
}

/* Beside what lies between processes stands an object of the process's own. */
static int select_in(salp_case cases[])
{
    salp_event *own;
    EXPECT(salp_event_open(&own, NULL) == 0);
    cases[EVENT] = (salp_case){ .event = event };
    cases[EVENT + 1] = (salp_case){ .event = own };
    int chosen = salp_select(cases, EVENT + 2);
    salp_event_close(own);
    return chosen < 0 || cases[chosen].result == 0 ? chosen : cases[chosen].result;
}

static int select_get(unsigned char *item)
{
    salp_case cases[EVENT + 2] = { { .get = queues[0], .item = item }, { .get = queues[1], .item = item } };
    return select_in(cases);
}

static int select_put(int value)
{
    unsigned char item[LONG];
    memset(item, value, item_size);
    salp_case cases[EVENT + 2] = { { .put = queues[0], .item = item }, { .put = queues[1], .item = item } };
    return select_in(cases);
}

static int put_into(int number, int value)
{
    queue = queues[number];
    return put(value);
}

static int get_from(int number)
{
    queue = queues[number];
    int value = get();
    CHECK(value < 0 || salp_queue_done(queue) == 0);
    return value;
}

static bool item_is_there(int number)
{
    return salp_queue_count(queues[number]) > 0;
}

static bool room_is_there(int number)
{
    return salp_queue_count(queues[number]) == 0; /* of one */
}

static bool event_is_there(int number)
{
    (void)number;
    return salp_event_is_set(event);
}

/* Whether the other one goes on (board->go) by itself. If not, the victim is buried, the other one waits, and there is nothing
   for him. */
static bool goes_on(int number, bool (*is_there)(int number))
{
    salp__segment *segment = look_into(number == EVENT ? salp_event_fd(event) : salp_queue_fd(queues[number]));
    int64_t end = clock_now() + patience();
    bool waits = false;
    while (!atomic_load(&board->go) && !waits) {
        CHECK(clock_now() < end);
        int waiting = 0;
        for (uint64_t i = 0; i < segment->nodes_used; i++)
            waiting += segment->nodes[i].state == SALP__NODE_WAITS;
        waits = participants_of(segment) <= 2 && waiting == 1 && segment->latch == 0 && !is_there(number);
        doze(SALP_MICROSECONDS(50));
    }
    look_away(segment);
    return !waits;
}

static void in_all_ways(void (*sweep)(bool in_loop))
{
    board_open();
    read_by_victim = shared_memory(LONG);
    order = SALP_FIFO;
    for (item_size = 8; item_size <= LONG; item_size += LONG - 8) {
        sweep(false);
        sweep(true);
    }
}

/* ---- while it selects an item, with another one behind it ---- */

static int take_and_die(void *arg)
{
    (void)arg;
    int chosen = select_get(read_by_victim);
    OR_FAIL(chosen == 0 || chosen == 1);
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_queue_done(queues[chosen]) == 0);
    return 0;
}

/* Item 1 comes from queue 0, item 2 from queue 1. */
static int take_one(void *arg)
{
    unsigned char item[LONG];
    (void)arg;
    int chosen = select_get(item);
    OR_FAIL(chosen == 0 || chosen == 1);
    OR_FAIL(salp_queue_done(queues[chosen]) == 0);
    OR_FAIL(value_of(0, item) == chosen + 1);
    atomic_store(&board->count[chosen], 1);
    atomic_store(&board->go, 1);
    return 0;
}

/* Whether the victim has taken the item of a queue, which is closed. */
static bool was_lost(int number, bool died)
{
    bool seen = atomic_load(&board->count[number]);
    queue = queues[number];
    for (int value; (value = try_get()) > 0; seen = true) {
        CHECK(value == number + 1 && !seen);
        CHECK(salp_queue_done(queue) == 0);
    }
    CHECK(seen || value_of(0, read_by_victim) == number + 1); /* it had read it whole */
    bool told = queue_is_well(died, ROOM);
    CHECK(!told || (died && !seen));
    CHECK(told || seen || atomic_load(&board->ready) == 1);
    return !seen;
}

static void sweep_get(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_all(ROOM);
        int fd = salp_queue_fd(queues[0]);
        pid_t victim = start_victim(in_loop, take_and_die, NULL);
        waits_or_ends(victim, fd, 1);
        pid_t other = start_process(in_loop, take_one, NULL);
        waits_or_ends(victim, fd, 2);
        CHECK(put_into(0, 1) == 0);
        reaches_or_ends(victim, &board->go, 1);
        if (atomic_load(&board->go)) { /* the victim gets the next one */
            CHECK(put_into(1, 2) == 0);
            died = end_of_victim(victim);
        } else {
            died = end_of_victim(victim);
            bool went_on = goes_on(0, item_is_there);
            CHECK(put_into(1, 2) == 0);
            CHECK(went_on || atomic_load(&board->go) || read_by_victim[0] == 1);
        }
        CHECK(end_of_program(other) == 0);
        bool first = was_lost(0, died), second = was_lost(1, died);
        CHECK(!(first && second));
        CHECK(first || second || (died && atomic_load(&board->ready) == 0)); /* who lives has taken one */
        event_is_well();
    }
}

static void it_dies_while_it_selects_an_item(void **state)
{
    (void)state;
    in_all_ways(sweep_get);
}

/* ---- while it selects room, with another one behind it ---- */

static int put_and_die(void *arg)
{
    (void)arg;
    int chosen = select_put(1);
    OR_FAIL(chosen == 0 || chosen == 1);
    atomic_store(&board->ready, 1);
    return 0;
}

static int put_one(void *arg)
{
    (void)arg;
    int chosen = select_put(2);
    OR_FAIL(chosen == 0 || chosen == 1);
    atomic_store(&board->go, 1);
    return 0;
}

static void sweep_put(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        int seen[FIVE + 1] = { 0 }, value;
        open_all(1);
        int fd = salp_queue_fd(queues[0]);
        CHECK(put_into(0, FIVE) == 0 && put_into(1, FIVE) == 0);
        pid_t victim = start_victim(in_loop, put_and_die, NULL);
        waits_or_ends(victim, fd, 1);
        pid_t other = start_process(in_loop, put_one, NULL);
        waits_or_ends(victim, fd, 2);
        CHECK(get_from(0) == FIVE);
        reaches_or_ends(victim, &board->go, 1);
        bool went_on = atomic_load(&board->go);
        if (went_on) /* the victim gets the next room */
            seen[get_from(0)]++;
        died = end_of_victim(victim);
        if (!went_on && !goes_on(0, room_is_there))
            seen[get_from(0)]++;
        CHECK(end_of_program(other) == 0);
        for (int i = 0; i < 2; i++) {
            queue = queues[i];
            while ((value = try_get()) > 0) {
                seen[value]++;
                CHECK(salp_queue_done(queue) == 0);
            }
            CHECK(!queue_is_well(died, 1));
        }
        CHECK(seen[FIVE] == 1 && seen[2] == 1);
        CHECK(seen[1] == 1 || (seen[1] == 0 && died && atomic_load(&board->ready) == 0));
        event_is_well();
    }
}

static void it_dies_while_it_selects_room(void **state)
{
    (void)state;
    in_all_ways(sweep_put);
}

/* ---- while it selects an event ---- */

static int see_event(void *arg)
{
    unsigned char item[LONG];
    (void)arg;
    OR_FAIL(select_get(item) == EVENT);
    atomic_store(&board->go, 1);
    return 0;
}

static void all_are_well(bool died)
{
    for (int i = 0; i < 2; i++) {
        queue = queues[i];
        CHECK(!queue_is_well(died, ROOM));
    }
    event_is_well();
}

static void sweep_event(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_all(ROOM);
        pid_t victim = start_victim(in_loop, see_event, NULL);
        waits_or_ends(victim, salp_event_fd(event), 1);
        pid_t other = start_process(in_loop, see_event, NULL);
        waits_or_ends(victim, salp_event_fd(event), 2);
        CHECK(salp_event_set(event) == 0);
        died = end_of_victim(victim);
        CHECK(end_of_program(other) == 0);
        all_are_well(died);
    }
}

static void it_dies_while_it_selects_an_event(void **state)
{
    (void)state;
    item_size = 8;
    board_open();
    read_by_victim = shared_memory(LONG);
    sweep_event(false);
    sweep_event(true);
}

/* ---- while another one selects what it does ---- */

/* Who selects has never heard of it before `ready`. */
static int put_for_another(void *arg)
{
    (void)arg;
    OR_FAIL(salp_queue_count(queues[1]) == 0);
    atomic_store(&board->ready, 1);
    OR_FAIL(put_into(1, 2) == 0);
    return 0;
}

static int get_for_another(void *arg)
{
    (void)arg;
    OR_FAIL(salp_queue_count(queues[1]) == 1);
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_queue_get(queues[1], read_by_victim) == 0);
    atomic_store(&board->ready, 2);
    OR_FAIL(salp_queue_done(queues[1]) == 0);
    return 0;
}

static int pulse_for_another(void *arg)
{
    (void)arg;
    OR_FAIL(salp_event_clear(event) == 0);
    atomic_store(&board->ready, 1);
    OR_FAIL(salp_event_set(event) == 0);
    OR_FAIL(salp_event_clear(event) == 0);
    return 0;
}

/* One selects, and nobody but the victim does what it waits for; when it has died before that, we do. Whether we have to. */
static bool is_left_to_us(bool *died, int number, salp_fn *act, bool (*is_there)(int number))
{
    *died = end_of_victim(start_victim(false, act, NULL));
    bool left = atomic_load(&board->ready) == 0 || !goes_on(number, is_there);
    CHECK(!left || *died);
    return left;
}

static void sweep_put_for(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        open_all(ROOM);
        pid_t other = start_process(in_loop, take_one, NULL);
        CHECK(come_to_wait(salp_event_fd(event), 1));
        if (is_left_to_us(&died, 1, put_for_another, item_is_there))
            CHECK(put_into(1, 2) == 0);
        CHECK(end_of_program(other) == 0);
        all_are_well(died);
    }
}

static void it_dies_while_it_puts_for_one_who_selects(void **state)
{
    (void)state;
    in_all_ways(sweep_put_for);
}

static void sweep_get_for(bool in_loop)
{
    for (bool died = true; next_step(died);) {
        int seen[FIVE + 1] = { 0 };
        open_all(1);
        CHECK(put_into(0, FIVE) == 0 && put_into(1, FIVE) == 0);
        pid_t other = start_process(in_loop, put_one, NULL);
        CHECK(come_to_wait(salp_event_fd(event), 1));
        if (is_left_to_us(&died, 1, get_for_another, room_is_there)) {
            CHECK(get_from(1) == FIVE);
            seen[FIVE]++;
        }
        CHECK(end_of_program(other) == 0);
        CHECK(get_from(0) == FIVE);
        queue = queues[0];
        CHECK(!queue_is_well(died, 1));
        queue = queues[1];
        for (int value; (value = try_get()) > 0; seen[value]++)
            CHECK(salp_queue_done(queue) == 0);
        CHECK(seen[2] == 1 && seen[FIVE] <= 1);
        bool told = queue_is_well(died, 1), taken = seen[FIVE] == 0;
        CHECK(taken ? value_of(0, read_by_victim) == FIVE : atomic_load(&board->ready) < 2);
        CHECK(!told || taken);
        CHECK(!taken || told || atomic_load(&board->ready) == 2);
        event_is_well();
    }
}

static void it_dies_while_it_gets_for_one_who_selects(void **state)
{
    (void)state;
    in_all_ways(sweep_get_for);
}

static void it_dies_while_it_sets_an_event_for_one_who_selects(void **state)
{
    (void)state;
    item_size = 8;
    board_open();
    read_by_victim = shared_memory(LONG);
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        for (bool died = true; next_step(died);) {
            open_all(ROOM);
            pid_t other = start_process(in_loop, see_event, NULL);
            CHECK(come_to_wait(salp_event_fd(event), 1));
            if (is_left_to_us(&died, EVENT, pulse_for_another, event_is_there))
                CHECK(salp_event_set(event) == 0);
            CHECK(end_of_program(other) == 0);
            all_are_well(died);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("it dies while it selects an item", it_dies_while_it_selects_an_item, 120),
        TEST_LIMIT("it dies while it selects room", it_dies_while_it_selects_room, 120),
        TEST_LIMIT("it dies while it selects an event", it_dies_while_it_selects_an_event, 120),
        TEST_LIMIT("it dies while it puts for one who selects", it_dies_while_it_puts_for_one_who_selects, 120),
        TEST_LIMIT("it dies while it gets for one who selects", it_dies_while_it_gets_for_one_who_selects, 120),
        TEST_LIMIT("it dies while it sets an event for one who selects",
                   it_dies_while_it_sets_an_event_for_one_who_selects, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
