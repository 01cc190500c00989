/*
 * The protocol of a call between processes, with a real control block: one process plays program, workers and steward.
 * What becomes of it when all of them act at once is in stress/control_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/memory.h"
#include "pool/call.h"
#include "pool/control.h"
#include "pool/recovery.h"

enum { WORKERS = 3, SLOT = 5 };

static salp__control control;

static salp__live *live_of(int slot)
{
    return &control.shared->live[slot];
}

/* What the program does when it begins a call, as far as the protocol goes. */
static void begin_call(int slot, uint64_t ticket, uint32_t units)
{
    salp__live *live = live_of(slot);
    /* Once: who has finished a call looks at its parameters to see whom to tell, and may be late at it. */
    if (control.head->params[slot].unit == 0)
        control.head->params[slot] = (salp__params){ .unit = 1 };
    salp__lanes_split(salp__lanes_of(&control, slot), (int)control.head->workers, (salp__range){ 0, units });
    atomic_store(&live->suspect, 0);
    atomic_store(&live->signal, 0);
    atomic_store(&live->state, salp__state(ticket, SALP__RUNNING));
}

static bool is_done(int slot, uint64_t ticket)
{
    return atomic_load(&live_of(slot)->state) == salp__state(ticket, SALP__DONE);
}

static bool take_one(int worker, int slot)
{
    salp__range taken;
    return salp__lanes_take(salp__lanes_of(&control, slot), (int)control.head->workers, worker, 1, &taken);
}

static void take_all(int worker, int slot)
{
    while (take_one(worker, slot))
        continue;
}

static void open_control(void)
{
    assert_int_equal(salp__control_open(&control, WORKERS), 0);
}

/* ---- the block ---- */

/* Asserts that [offset, offset + size) begins on a page and ends at or before the next part. */
static void assert_part(uint64_t offset, uint64_t size, uint64_t next)
{
    assert_int_equal(offset % salp__pages(1), 0);
    assert_true(offset + size <= next);
}

static void the_parts_of_the_block_do_not_overlap(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= SALP_WORKERS_MAX; workers = workers * 2 + 1) {
        assert_int_equal(salp__control_open(&control, workers), 0);
        const salp__head *head = control.head;
        uint64_t places = workers * sizeof(salp__place), lanes = (uint64_t)SALP__SLOTS * workers * sizeof(salp__lane);
        assert_int_equal(head->workers, workers);
        assert_part(0, sizeof *head, head->shared);
        assert_part(head->shared, sizeof(salp__shared) + places + lanes, head->records);
        assert_part(head->records, sizeof(salp__records), head->modules);
        assert_part(head->modules, SALP__MODULES * sizeof(salp__module), head->details);
        assert_part(head->details, SALP__SLOTS * SALP__RECORDS * sizeof(salp__record), head->windows);
        assert_int_equal(salp__record_offset(&control, 0, 0), head->details);
        assert_true(salp__record_offset(&control, SALP__SLOTS - 1, SALP__RECORDS - 1) + sizeof(salp__record) <=
                    head->windows);
        assert_part(head->windows, workers * salp__pages(salp__window_size()), head->regions);
        assert_int_equal(head->regions % salp__pages(1), 0);
        /* The last things that are stored to without a look are there. */
        atomic_store(&salp__lanes_of(&control, SALP__SLOTS - 1)[workers - 1].word, 1);
        atomic_store(&control.places[workers - 1].sum, 1);
        atomic_store(&control.records->slots[SALP__SLOTS - 1].written, 1);
        salp__control_close(&control);
        assert_int_equal(control.arena, -1);
    }
}

static void another_mapping_is_the_same_block(void **state)
{
    salp__control other;
    (void)state;
    open_control();
    assert_int_equal(salp__control_map(&other, control.arena), 0);
    assert_int_equal(other.head->workers, WORKERS);
    assert_ptr_not_equal(other.head, control.head);
    begin_call(SLOT, 77, 9);
    assert_int_equal(salp__running(&other, SLOT), 77);
    assert_true(salp__attach(&other, &other.places[2], SLOT));
    assert_int_equal(atomic_load(&control.places[2].attached), salp__attached_to(77, SLOT));
    assert_int_equal(salp__lanes_left(salp__lanes_of(&other, SLOT), WORKERS), 9);
    salp__unmap(other.head, other.mapped);
    salp__control_close(&control);
}

static void a_block_of_another_build_is_refused(void **state)
{
    static const salp__head strangers[] = {
        { .magic = SALP__MAGIC, .size = sizeof(salp__head) + 8 },
        { .magic = SALP__MAGIC + 1, .size = sizeof(salp__head) },
        { 0 },
    };
    salp__control other;
    (void)state;
    int fd = salp__memfd_open("salp-test");
    assert_int_equal(salp__control_map(&other, fd), -EIO); /* too short for any */
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        assert_int_equal(salp__file_write(fd, &strangers[i], sizeof strangers[i], 0), 0);
        assert_int_equal(salp__control_map(&other, fd), -EINVAL);
    }
    salp__file_close(fd);
}

/* ---- attaching and detaching ---- */

static void only_a_running_call_can_be_attached_to(void **state)
{
    (void)state;
    open_control();
    salp__place *place = &control.places[0];
    assert_int_equal(salp__running(&control, SLOT), 0);
    assert_false(salp__attach(&control, place, SLOT)); /* never used */
    begin_call(SLOT, 3, 1);
    assert_int_equal(salp__running(&control, SLOT), 3);
    assert_false(salp__attach(&control, place, SLOT + 1));
    assert_true(salp__attach(&control, place, SLOT));
    assert_int_equal(atomic_load(&place->attached), salp__attached_to(3, SLOT));
    take_all(0, SLOT);
    salp__detach(&control, place);
    assert_int_equal(atomic_load(&place->attached), 0);
    assert_true(is_done(SLOT, 3));
    assert_int_equal(salp__running(&control, SLOT), 0);
    assert_false(salp__attach(&control, place, SLOT)); /* done */
    assert_int_equal(atomic_load(&place->attached), 0);
    salp__control_close(&control);
}

static void a_call_is_done_when_the_last_one_leaves_it(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 1, 2);
    for (int i = 0; i < WORKERS; i++)
        assert_true(salp__attach(&control, &control.places[i], SLOT));
    assert_true(take_one(0, SLOT));
    assert_true(take_one(1, SLOT));
    for (int i = 0; i < WORKERS; i++) {
        assert_false(is_done(SLOT, 1));
        assert_false(salp__drained(&control, SLOT, 1));
        salp__finish(&control, SLOT, 1, false);
        salp__finish(&control, SLOT, 1, true);
        assert_false(is_done(SLOT, 1));
        salp__detach(&control, &control.places[i]);
    }
    assert_true(is_done(SLOT, 1));
    salp__control_close(&control);
}

static void a_call_with_something_left_is_not_done(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 1, 3);
    for (int i = 0; i < 3; i++) {
        /* Whoever comes takes one and goes: nobody is attached in between. */
        assert_false(is_done(SLOT, 1));
        assert_true(salp__unattended(&control, SLOT, 1));
        assert_true(salp__attach(&control, &control.places[i], SLOT));
        assert_true(take_one(i, SLOT));
        salp__detach(&control, &control.places[i]);
    }
    assert_true(is_done(SLOT, 1));
    salp__control_close(&control);
}

static void a_call_that_was_stopped_is_done_with_items_left(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 1, 100);
    assert_true(salp__attach(&control, &control.places[0], SLOT));
    assert_true(take_one(0, SLOT));
    atomic_fetch_or(&live_of(SLOT)->signal, SALP__STOP);
    salp__finish(&control, SLOT, 1, false); /* as by who stops it */
    assert_false(is_done(SLOT, 1));
    salp__detach(&control, &control.places[0]);
    assert_true(is_done(SLOT, 1));

    /* And when nobody is attached, by the one who stops it. */
    begin_call(SLOT, 2, 100);
    salp__finish(&control, SLOT, 2, false);
    assert_false(is_done(SLOT, 2));
    atomic_fetch_or(&live_of(SLOT)->signal, SALP__HUNGRY);
    salp__finish(&control, SLOT, 2, false);
    assert_false(is_done(SLOT, 2));
    atomic_fetch_or(&live_of(SLOT)->signal, SALP__STOP);
    salp__finish(&control, SLOT, 2, false);
    assert_true(is_done(SLOT, 2));
    salp__control_close(&control);
}

static void whoever_waits_is_told_of_the_end(void **state)
{
    (void)state;
    open_control();
    for (int attended = 0; attended < 2; attended++) {
        begin_call(SLOT, 1 + (uint64_t)attended, 1);
        control.head->params[SLOT].attended = attended;
        uint32_t caller = salp__bell_look(&live_of(SLOT)->bell), attendant = salp__bell_look(&control.shared->attend);
        assert_true(salp__attach(&control, &control.places[0], SLOT));
        take_all(0, SLOT);
        assert_int_equal(salp__bell_look(&live_of(SLOT)->bell), caller);
        salp__detach(&control, &control.places[0]);
        assert_int_not_equal(salp__bell_look(&live_of(SLOT)->bell), caller);
        assert_int_equal(salp__bell_look(&control.shared->attend) != attendant, attended);
    }
    salp__control_close(&control);
}

/* ---- calls in which workers died ---- */

static void only_the_steward_ends_a_call_in_which_a_worker_died(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 8, 2);
    for (int i = 0; i < 2; i++)
        assert_true(salp__attach(&control, &control.places[i], SLOT));
    take_all(0, SLOT);
    /* Worker 1 has died; the steward has dealt with it. */
    atomic_store(&live_of(SLOT)->suspect, 1);
    atomic_store(&control.places[1].attached, 0);
    salp__finish(&control, SLOT, 8, true);
    assert_false(is_done(SLOT, 8)); /* worker 0 is at it */
    salp__detach(&control, &control.places[0]);
    assert_false(is_done(SLOT, 8));
    salp__finish(&control, SLOT, 8, false);
    assert_false(is_done(SLOT, 8));
    assert_true(salp__drained(&control, SLOT, 8));
    /* Before, it may see to the items that were lost, in another epoch. */
    salp__lanes_split(salp__lanes_of(&control, SLOT), WORKERS, (salp__range){ 1, 2 });
    assert_false(salp__drained(&control, SLOT, 8));
    salp__finish(&control, SLOT, 8, true);
    assert_false(is_done(SLOT, 8));
    assert_true(salp__attach(&control, &control.places[2], SLOT));
    take_all(2, SLOT);
    salp__detach(&control, &control.places[2]);
    assert_false(is_done(SLOT, 8));
    salp__finish(&control, SLOT, 8, true);
    assert_true(is_done(SLOT, 8));
    salp__control_close(&control);
}

static void the_place_of_a_dead_worker_keeps_its_call_open(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 8, 2);
    for (int i = 0; i < 2; i++)
        assert_true(salp__attach(&control, &control.places[i], SLOT));
    take_all(0, SLOT);
    salp__detach(&control, &control.places[0]);
    assert_false(is_done(SLOT, 8)); /* worker 1 is dead, which nobody has noticed yet */
    assert_false(salp__unattended(&control, SLOT, 8));
    salp__control_close(&control);
}

/* What the steward does about a worker that was killed, as far as the protocol goes. */
static void recover_from(int worker)
{
    salp__recovery recovery;
    salp__recovery_open(&recovery, &control);
    assert_true(salp__recover(&recovery, &(salp__death){ .worker = worker, .ending = { .signal = SIGKILL } }));
    salp__settle_suspects(&recovery);
}

/* The last one leaves a call and is killed before it has finished it: its place says nothing of that. */
static void a_worker_may_die_between_leaving_a_call_and_ending_it(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 8, 1);
    assert_true(salp__attach(&control, &control.places[0], SLOT));
    take_all(0, SLOT);
    atomic_store(&control.places[0].attached, 0); /* and no more of salp__detach */
    assert_false(is_done(SLOT, 8));
    recover_from(0);
    assert_true(is_done(SLOT, 8));
    salp__control_close(&control);
}

static void a_worker_may_die_between_ending_a_call_and_telling(void **state)
{
    (void)state;
    open_control();
    for (int attended = 0; attended < 2; attended++) {
        begin_call(SLOT, 8, 0);
        control.head->params[SLOT].attended = attended;
        atomic_store(&live_of(SLOT)->state, salp__state(8, SALP__DONE));
        uint32_t caller = salp__bell_look(&live_of(SLOT)->bell), attendant = salp__bell_look(&control.shared->attend);
        recover_from(0);
        assert_int_not_equal(salp__bell_look(&live_of(SLOT)->bell), caller);
        assert_true(!attended || salp__bell_look(&control.shared->attend) != attendant);
    }
    salp__control_close(&control);
}

/* It found nothing to claim, cleared the bit, and did not live to see that somebody had just returned something. */
static void a_worker_may_die_before_it_looks_at_the_lanes_again(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 8, 3);
    atomic_store(&control.shared->runnable, 0);
    assert_true(salp__attach(&control, &control.places[0], SLOT));
    uint32_t seen = salp__bell_look(&control.shared->work);
    recover_from(0);
    assert_false(is_done(SLOT, 8));
    assert_int_equal(atomic_load(&control.shared->runnable), 1UL << SLOT);
    assert_int_not_equal(salp__bell_look(&control.shared->work), seen);
    salp__control_close(&control);
}

/* ---- tickets ---- */

static void an_old_ticket_does_not_touch_the_next_call(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 4, 1);
    atomic_fetch_or(&live_of(SLOT)->signal, SALP__STOP);
    salp__finish(&control, SLOT, 4, false);
    assert_true(is_done(SLOT, 4));
    begin_call(SLOT, 5, 0);
    /* All that call 5 needs to be done is that somebody finishes it; who has the old ticket does not. */
    salp__finish(&control, SLOT, 4, false);
    salp__finish(&control, SLOT, 4, true);
    assert_int_equal(salp__running(&control, SLOT), 5);
    salp__finish(&control, SLOT, 5, false);
    assert_true(is_done(SLOT, 5));
    salp__finish(&control, SLOT, 5, false);
    assert_true(is_done(SLOT, 5));
    salp__control_close(&control);
}

/* A worker that read the ticket, was held up while the call ended, and then stores that it is attached. */
static void a_slot_is_not_used_again_while_somebody_holds_the_old_ticket(void **state)
{
    (void)state;
    open_control();
    begin_call(SLOT, 6, 1);
    salp__place *late = &control.places[1];
    assert_true(salp__attach(&control, &control.places[0], SLOT));
    take_all(0, SLOT);
    salp__detach(&control, &control.places[0]);
    assert_true(is_done(SLOT, 6));
    assert_true(salp__unattended(&control, SLOT, 6));
    atomic_store(&late->attached, salp__attached_to(6, SLOT));
    assert_false(salp__unattended(&control, SLOT, 6));
    /* That it holds this ticket keeps neither other slots nor later tickets. */
    assert_true(salp__unattended(&control, SLOT, 7));
    assert_true(salp__unattended(&control, SLOT + 1, 6));
    /* It finds the call done and goes: nothing happens to the call. */
    salp__detach(&control, late);
    assert_true(is_done(SLOT, 6));
    assert_true(salp__unattended(&control, SLOT, 6));
    salp__control_close(&control);
}

static void calls_in_other_slots_are_other_calls(void **state)
{
    (void)state;
    open_control();
    for (int slot = 0; slot < SALP__SLOTS; slot++)
        begin_call(slot, 100 + (uint64_t)slot, 1);
    for (int slot = 0; slot < SALP__SLOTS; slot++) {
        assert_int_equal(salp__running(&control, slot), 100 + slot);
        assert_true(salp__attach(&control, &control.places[slot % WORKERS], slot));
        take_all(slot % WORKERS, slot);
        salp__detach(&control, &control.places[slot % WORKERS]);
        for (int other = 0; other < SALP__SLOTS; other++)
            assert_int_equal(is_done(other, 100 + (uint64_t)other), other <= slot);
    }
    salp__control_close(&control);
}

/* ---- idle workers ---- */

struct idler {
    pthread_t thread;
    salp__place *place;
    uint32_t seen;
    _Atomic pid_t id;
};

static void *idle_once(void *arg)
{
    struct idler *idler = arg;
    atomic_store(&idler->id, gettid());
    salp__idle(&control, idler->place, idler->seen, false);
    return NULL;
}

static bool sleeps(pid_t thread)
{
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    fclose(file);
    return state == 'S';
}

/* Returns when it sleeps: one that has marked itself and not yet looked at the rings again would see the next one. */
static void start_idler(struct idler *idler, int place)
{
    *idler = (struct idler){ .place = &control.places[place], .seen = salp__bell_look(&control.shared->work) };
    assert_int_equal(pthread_create(&idler->thread, NULL, idle_once, idler), 0);
    while (atomic_load(&idler->place->idle) != SALP__ASLEEP || !sleeps(atomic_load(&idler->id)))
        salp__give_way();
}

static void join_idler(struct idler *idler)
{
    assert_int_equal(pthread_join(idler->thread, NULL), 0);
    assert_int_equal(atomic_load(&idler->place->idle), SALP__AWAKE);
}

static void idle_workers_are_woken(void **state)
{
    struct idler idlers[WORKERS];
    (void)state;
    open_control();
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < WORKERS; i++)
            start_idler(&idlers[i], i);
        assert_true(salp__wake_idle(&control, 1));
        assert_true(salp__wake_idle(&control, WORKERS - 1));
        for (int i = 0; i < WORKERS; i++)
            join_idler(&idlers[i]);
        assert_false(salp__wake_idle(&control, 1));
    }
    salp__control_close(&control);
}

/* Who is called again and again is the same one, and the others sleep on. */
static void the_first_of_those_who_sleep_is_woken(void **state)
{
    struct idler idlers[WORKERS];
    (void)state;
    open_control();
    for (int i = 0; i < WORKERS; i++)
        start_idler(&idlers[i], i);
    for (int round = 0; round < 100; round++) {
        assert_true(salp__wake_idle(&control, 1));
        join_idler(&idlers[0]);
        for (int i = 1; i < WORKERS; i++)
            assert_int_equal(atomic_load(&control.places[i].idle), SALP__ASLEEP);
        start_idler(&idlers[0], 0);
    }
    salp__wake_idle(&control, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        join_idler(&idlers[i]);
    salp__control_close(&control);
}

/* It has taken the mark of one that sleeps, and did not live to wake it. */
static void a_worker_may_die_while_it_wakes_another(void **state)
{
    struct idler idler;
    (void)state;
    open_control();
    for (int round = 0; round < 20; round++) {
        start_idler(&idler, 1);
        atomic_store(&control.places[1].idle, SALP__AWAKE);
        recover_from(0);
        join_idler(&idler);
    }
    salp__control_close(&control);
}

static void an_idle_worker_does_not_miss_a_ring(void **state)
{
    (void)state;
    open_control();
    for (int i = 0; i < 100; i++) {
        uint32_t seen = salp__bell_look(&control.shared->work);
        salp__wake_idle(&control, 1);
        salp__idle(&control, &control.places[0], seen, i % 2);
        assert_int_equal(atomic_load(&control.places[0].idle), SALP__AWAKE);
    }
    salp__control_close(&control);
}

/* Who looks comes by itself, but once only: the next ring has to wake somebody else. */
static void a_worker_that_looks_stands_for_one_ring(void **state)
{
    struct idler idler;
    (void)state;
    open_control();
    for (int round = 0; round < 100; round++) {
        start_idler(&idler, 1);
        atomic_store(&control.places[2].idle, SALP__LOOKING);
        assert_false(salp__wake_idle(&control, 1));
        assert_int_equal(atomic_load(&control.places[2].idle), SALP__AWAKE);
        assert_true(salp__wake_idle(&control, 1));
        join_idler(&idler);

        start_idler(&idler, 1);
        atomic_store(&control.places[2].idle, SALP__LOOKING);
        assert_true(salp__wake_idle(&control, 2));
        join_idler(&idler);
    }
    salp__control_close(&control);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("the parts of the block do not overlap", the_parts_of_the_block_do_not_overlap),
        TEST("another mapping is the same block", another_mapping_is_the_same_block),
        TEST("a block of another build is refused", a_block_of_another_build_is_refused),
        TEST("only a running call can be attached to", only_a_running_call_can_be_attached_to),
        TEST("a call is done when the last one leaves it", a_call_is_done_when_the_last_one_leaves_it),
        TEST("a call with something left is not done", a_call_with_something_left_is_not_done),
        TEST("a call that was stopped is done with items left", a_call_that_was_stopped_is_done_with_items_left),
        TEST("whoever waits is told of the end", whoever_waits_is_told_of_the_end),
        TEST("only the steward ends a call in which a worker died",
             only_the_steward_ends_a_call_in_which_a_worker_died),
        TEST("the place of a dead worker keeps its call open", the_place_of_a_dead_worker_keeps_its_call_open),
        TEST("a worker may die between leaving a call and ending it",
             a_worker_may_die_between_leaving_a_call_and_ending_it),
        TEST("a worker may die between ending a call and telling", a_worker_may_die_between_ending_a_call_and_telling),
        TEST("a worker may die before it looks at the lanes again",
             a_worker_may_die_before_it_looks_at_the_lanes_again),
        TEST("an old ticket does not touch the next call", an_old_ticket_does_not_touch_the_next_call),
        TEST("a slot is not used again while somebody holds the old ticket",
             a_slot_is_not_used_again_while_somebody_holds_the_old_ticket),
        TEST("calls in other slots are other calls", calls_in_other_slots_are_other_calls),
        TEST("idle workers are woken", idle_workers_are_woken),
        TEST("the first of those who sleep is woken", the_first_of_those_who_sleep_is_woken),
        TEST("a worker may die while it wakes another", a_worker_may_die_while_it_wakes_another),
        TEST("an idle worker does not miss a ring", an_idle_worker_does_not_miss_a_ring),
        TEST("a worker that looks stands for one ring", a_worker_that_looks_stands_for_one_ring),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
