/*
 * Barriers between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

static salp_barrier *barrier;

static void open_barrier(unsigned parties)
{
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ .shared = true, .parties = parties }), 0);
}

/* ---- one process ---- */

static int comes(void *arg)
{
    int *result = arg;
    *result = salp_barrier_wait(barrier);
    return 0;
}

static int breaking(void *arg)
{
    salp_group group;
    int results[2];
    salp_scope scope;
    (void)arg;
    for (int way = 0; way < 3; way++) {
        salp_group_open(&group);
        EXPECT(salp_go(&group, comes, &results[0]) == 0 && salp_go(&group, comes, &results[1]) == 0);
        if (way == 1)
            let_others_wait();
        salp_scope_open(&scope, SALP_FOREVER);
        if (way < 2)
            EXPECT(salp_barrier_break(barrier) == 0);
        else
            salp_scope_cancel(&scope);
        EXPECT(salp_barrier_wait(barrier) == (way < 2 ? SALP_EBROKEN : -ECANCELED));
        EXPECT(salp_scope_close(&scope) == (way < 2 ? 0 : -ECANCELED));
        EXPECT(salp_group_close(&group) == 0);
        EXPECT(results[0] == SALP_EBROKEN && results[1] == SALP_EBROKEN);
        EXPECT(salp_barrier_wait(barrier) == SALP_EBROKEN); /* until it is mended */
        EXPECT(salp_barrier_reset(barrier) == 0);
    }
    return 0;
}

static int who_gives_up_at_it_breaks_it(void *arg)
{
    salp_scope scope;
    (void)arg;
    for (int i = 0; i < 2; i++) {
        salp_scope_open(&scope, SALP_MILLISECONDS(1));
        EXPECT(salp_barrier_wait(barrier) == -ETIMEDOUT);
        EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
        EXPECT(salp_barrier_wait(barrier) == SALP_EBROKEN);
        EXPECT(salp_barrier_reset(barrier) == 0);
    }
    return 0;
}

static int three_meet(void *arg)
{
    salp_group group;
    int results[2];
    (void)arg;
    salp_group_open(&group);
    EXPECT(salp_go(&group, comes, &results[0]) == 0 && salp_go(&group, comes, &results[1]) == 0);
    let_others_wait();
    EXPECT(salp_barrier_wait(barrier) == 2);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(results[0] == 0 && results[1] == 1);
    return 0;
}

static void it_works_within_a_process(void **state)
{
    (void)state;
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ .shared = true }), -EINVAL);
    open_barrier(1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(salp_barrier_wait(barrier), 0); /* a party of one */
    salp_barrier_close(barrier);
    open_barrier(3);
    assert_int_equal(salp_run(breaking, NULL), 0);
    in_both(who_gives_up_at_it_breaks_it);
    assert_int_equal(salp_run(three_meet, NULL), 0);
    salp_barrier_close(barrier);
}

static void what_is_no_shared_barrier_is_refused(void **state)
{
    salp_barrier *other = (salp_barrier *)&other;
    salp_semaphore *semaphore;
    (void)state;
    assert_int_equal(salp_barrier_attach(NULL, 0), -EINVAL);
    assert_int_equal(salp_barrier_fd(NULL), -EINVAL);
    assert_int_equal(salp_barrier_attach(&other, -1), -EBADF);
    assert_null(other);
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true }), 0);
    assert_int_equal(salp_barrier_attach(&other, salp_semaphore_fd(semaphore)), -EINVAL);
    salp_semaphore_close(semaphore);
    assert_int_equal(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 1 }), 0);
    assert_int_equal(salp_barrier_fd(barrier), -EINVAL);
    salp_barrier_close(barrier);
}

static int cancelled(void *arg)
{
    salp_scope scope;
    struct canceller canceller;
    (void)arg;
    cancel_at(&canceller, &scope, &board->go, 1);
    EXPECT(salp_barrier_wait(barrier) == -ECANCELED);
    was_cancelled(&canceller);
    return 0;
}

static int is_broken(void *arg)
{
    (void)arg;
    OR_FAIL(salp_barrier_wait(barrier) == SALP_EBROKEN);
    salp_barrier_close(barrier);
    return 0;
}

static void who_is_cancelled_breaks_it_for_another_process(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct thread_call call;
        open_barrier(3);
        atomic_store(&board->go, 0);
        pid_t pid = start_process(in_loop, is_broken, NULL);
        start_thread(&call, in_loop, cancelled, NULL);
        assert_true(come_to_wait(salp_barrier_fd(barrier), 2));
        atomic_store(&board->go, 1);
        join_threads(&call, 1);
        ends_well(pid);
        salp_barrier_close(barrier);
    }
}

/* ---- between processes ---- */

enum { PHASES = 100, TASKS = 3, LOOPS = 2, THREADS = 2, PARTIES = LOOPS * TASKS + THREADS };

static _Atomic int *phases;

static int meet_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_scale(PHASES); i++) {
        atomic_fetch_add(&phases[i], 1);
        int mine = salp_barrier_wait(barrier);
        OR_FAIL(mine >= 0 && mine < PARTIES);
        OR_FAIL(atomic_load(&phases[i]) == PARTIES); /* nobody has gone on before all were there */
        atomic_fetch_add(&board->count[0], mine == PARTIES - 1);
    }
    return 0;
}

static int meet_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < TASKS; i++)
        OR_FAIL(salp_go(&group, meet_often, arg) == 0);
    OR_FAIL(salp_group_close(&group) == 0);
    salp_barrier_close(barrier);
    return 0;
}

static int meet_and_close(void *arg)
{
    int result = meet_often(arg);
    salp_barrier_close(barrier);
    return result;
}

static void nobody_passes_it_before_all_have_come(void **state)
{
    pid_t pids[LOOPS + THREADS];
    (void)state;
    board_open();
    phases = shared_memory(PHASES * sizeof *phases);
    open_barrier(PARTIES);
    for (int i = 0; i < LOOPS + THREADS; i++)
        pids[i] = start_process(i < LOOPS, i < LOOPS ? meet_in_tasks : meet_and_close, NULL);
    for (int i = 0; i < LOOPS + THREADS; i++)
        ends_well(pids[i]);
    assert_int_equal(atomic_load(&board->count[0]), test_scale(PHASES));
    salp_barrier_close(barrier);
}

static int attach_and_come(void *arg)
{
    OR_FAIL(salp_barrier_attach(&barrier, *(int *)arg) == 0);
    OR_FAIL(close(*(int *)arg) == 0);
    OR_FAIL(salp_barrier_wait(barrier) == 0);
    salp_barrier_close(barrier);
    return 0;
}

static void a_descriptor_is_enough(void **state)
{
    (void)state;
    open_barrier(2);
    int fd = salp_barrier_fd(barrier);
    pid_t pid = start_process(false, attach_and_come, &fd);
    assert_true(come_to_wait(fd, 1));
    assert_int_equal(salp_barrier_wait(barrier), 1);
    ends_well(pid);
    salp_barrier_close(barrier);
}

/* More than are sent away in one go. */
static int come_in_many_tasks(void *arg)
{
    salp_group group;
    int results[80];
    bool seen[80] = { false };
    salp_group_open(&group);
    for (int i = 0; i < 80; i++)
        OR_FAIL(salp_go(&group, comes, &results[i]) == 0);
    OR_FAIL(salp_group_close(&group) == 0);
    for (int i = 0; i < 80; i++) {
        OR_FAIL(*(int *)arg == 0 ? results[i] >= 0 && results[i] < 80 : results[i] == *(int *)arg);
        OR_FAIL(results[i] < 0 || !seen[results[i]]);
        if (results[i] >= 0)
            seen[results[i]] = true;
    }
    salp_barrier_close(barrier);
    return 0;
}

static void many_are_sent_away(void **state)
{
    int broken = SALP_EBROKEN, well = 0;
    (void)state;
    open_barrier(81);
    pid_t pid = start_process(true, come_in_many_tasks, &well);
    assert_true(come_to_wait(salp_barrier_fd(barrier), 80));
    assert_int_equal(salp_barrier_wait(barrier), 80);
    ends_well(pid);
    pid = start_process(true, come_in_many_tasks, &broken);
    assert_true(come_to_wait(salp_barrier_fd(barrier), 80));
    assert_int_equal(salp_barrier_reset(barrier), 0);
    ends_well(pid);
    pid = start_process(true, come_in_many_tasks, &well);
    assert_true(come_to_wait(salp_barrier_fd(barrier), 80));
    assert_int_equal(salp_barrier_wait(barrier), 80);
    ends_well(pid);
    salp_barrier_close(barrier);
}

/* ---- deaths ---- */

static int come_and_stay(void *arg)
{
    (void)arg;
    OR_FAIL(salp_barrier_wait(barrier) >= 0);
    atomic_store(&board->ready, 1);
    for (;;)
        pause();
}

static void the_death_of_one_who_waits_breaks_it(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_barrier(3);
        pid_t victim = start_process(in_loop, come_and_stay, NULL);
        assert_true(come_to_wait(salp_barrier_fd(barrier), 1));
        pid_t other = start_process(in_loop, is_broken, NULL);
        assert_true(come_to_wait(salp_barrier_fd(barrier), 2));
        kill_process(victim);
        ends_well(other);
        assert_int_equal(salp_barrier_wait(barrier), SALP_EBROKEN);
        assert_int_equal(salp_barrier_reset(barrier), 0);
        assert_int_equal(salp_run(three_meet, NULL), 0);
        salp_barrier_close(barrier);
    }
}

static int come_and_close(void *arg)
{
    (void)arg;
    OR_FAIL(salp_barrier_wait(barrier) >= 0);
    salp_barrier_close(barrier);
    return 0;
}

static void the_death_of_one_who_has_come_before_breaks_it(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        open_barrier(2);
        atomic_store(&board->ready, 0);
        pid_t victim = start_process(in_loop, come_and_stay, NULL);
        ends_well(start_process(in_loop, come_and_close, NULL));
        assert_true(reaches(&board->ready, 1));
        pid_t other = start_process(in_loop, is_broken, NULL);
        assert_true(come_to_wait(salp_barrier_fd(barrier), 1));
        kill_process(victim);
        ends_well(other);
        salp_barrier_close(barrier);
    }
}

static void who_mends_it_has_heard_of_the_dead(void **state)
{
    pid_t victims[3];
    (void)state;
    board_open();
    open_barrier(4);
    for (int i = 0; i < 3; i++)
        victims[i] = start_process(false, come_and_stay, NULL);
    assert_true(come_to_wait(salp_barrier_fd(barrier), 3));
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(victims[i], SIGSTOP), 0); /* so that they bury nobody */
    for (int i = 0; i < 3; i++)
        kill_process(victims[i]);
    assert_int_equal(salp_barrier_reset(barrier), 0);
    salp__segment *segment = look_into(salp_barrier_fd(barrier));
    assert_int_equal(participants_of(segment), 1);
    assert_int_equal(waiting_in(segment), 0);
    look_away(segment);
    salp_barrier_close(barrier);
}

static void who_has_closed_it_is_no_party_any_more(void **state)
{
    pid_t pids[2];
    (void)state;
    open_barrier(2);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2; i++)
            pids[i] = start_process(round % 2, come_and_close, NULL);
        for (int i = 0; i < 2; i++)
            ends_well(pids[i]);
    }
    salp_barrier_close(barrier);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it works within a process", it_works_within_a_process),
        TEST("what is no shared barrier is refused", what_is_no_shared_barrier_is_refused),
        TEST("who is cancelled breaks it for another process", who_is_cancelled_breaks_it_for_another_process),
        TEST_LIMIT("nobody passes it before all have come", nobody_passes_it_before_all_have_come, 60),
        TEST("a descriptor is enough", a_descriptor_is_enough),
        TEST("many are sent away", many_are_sent_away),
        TEST("the death of one who waits breaks it", the_death_of_one_who_waits_breaks_it),
        TEST("the death of one who has come before breaks it", the_death_of_one_who_has_come_before_breaks_it),
        TEST("who mends it has heard of the dead", who_mends_it_has_heard_of_the_dead),
        TEST("who has closed it is no party any more", who_has_closed_it_is_no_party_any_more),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
