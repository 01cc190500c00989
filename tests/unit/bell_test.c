/*
 * Bells and parking. A sleeper that is not woken makes its test run into the limit; nothing else here depends on time.
 * That no wake-up is lost when all come at once is shown by stress/bell_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lockfree/bell.h"
#include "os/clock.h"
#include "task/park.h"

enum { SLEEPERS = 3 };

static salp__bell bell;

/* A thread that waits for the bell once. */
struct sleeper {
    pthread_t thread;
    uint32_t seen;
    int result;
};

static void *sleep_once(void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->result = salp__bell_wait(&bell, sleeper->seen, SALP_FOREVER, false);
    return NULL;
}

static void wait_for_sleepers(const salp__bell *watched, uint32_t count)
{
    while (atomic_load(&watched->sleepers) != count)
        salp__give_way();
}

static void start_sleepers(struct sleeper sleepers[], int count)
{
    for (int i = 0; i < count; i++) {
        sleepers[i] = (struct sleeper){ .seen = salp__bell_look(&bell), .result = -1 };
        assert_int_equal(pthread_create(&sleepers[i].thread, NULL, sleep_once, &sleepers[i]), 0);
    }
    wait_for_sleepers(&bell, (uint32_t)count);
}

static void join_sleepers(struct sleeper sleepers[], int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_join(sleepers[i].thread, NULL), 0);
        assert_int_equal(sleepers[i].result, 0);
    }
    assert_int_equal(atomic_load(&bell.sleepers), 0);
}

/* ---- waiting ---- */

static void who_looked_before_the_ring_does_not_sleep(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        uint32_t seen = salp__bell_look(&bell);
        salp__bell_ring(&bell, 1, false);
        assert_int_equal(salp__bell_wait(&bell, seen, SALP_FOREVER, i % 2 == 0), 0);
        assert_int_equal(atomic_load(&bell.sleepers), 0);
    }
}

static void the_count_of_rings_may_wrap_around(void **state)
{
    (void)state;
    atomic_store(&bell.rings, UINT32_MAX);
    uint32_t seen = salp__bell_look(&bell);
    salp__bell_ring(&bell, 1, false);
    assert_int_equal(salp__bell_wait(&bell, seen, SALP_FOREVER, false), 0);
    assert_int_not_equal(salp__bell_look(&bell), seen);
}

static void each_ring_is_seen(void **state)
{
    (void)state;
    uint32_t seen = salp__bell_look(&bell);
    assert_int_equal(salp__bell_look(&bell), seen);
    for (int i = 0; i < 10; i++) {
        salp__bell_ring(&bell, i, i % 2 == 0);
        assert_int_not_equal(salp__bell_look(&bell), seen);
        seen = salp__bell_look(&bell);
    }
}

static void nobody_waits_past_the_deadline_nor_less(void **state)
{
    static const int64_t lengths[] = { 0, SALP_MICROSECONDS(1), SALP_MILLISECONDS(3) };
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int shared = 0; shared < 2; shared++) {
            int64_t deadline = salp__later(lengths[i]);
            assert_int_equal(salp__bell_wait(&bell, salp__bell_look(&bell), deadline, shared), -ETIMEDOUT);
            assert_true(salp__now() >= deadline);
        }
    }
    assert_int_equal(salp__bell_wait(&bell, salp__bell_look(&bell), INT64_MIN, false), -ETIMEDOUT);
    assert_int_equal(atomic_load(&bell.sleepers), 0);
}

/* ---- ringing ---- */

static void a_ring_wakes_a_sleeper(void **state)
{
    struct sleeper sleeper;
    (void)state;
    for (int i = 0; i < 200; i++) {
        start_sleepers(&sleeper, 1);
        salp__bell_ring(&bell, 1, false);
        join_sleepers(&sleeper, 1);
    }
}

static void one_ring_wakes_as_many_as_it_is_told(void **state)
{
    struct sleeper sleepers[SLEEPERS];
    (void)state;
    for (int i = 0; i < 100; i++) {
        start_sleepers(sleepers, SLEEPERS);
        salp__bell_ring(&bell, i % 2 == 0 ? SLEEPERS : INT_MAX, false);
        join_sleepers(sleepers, SLEEPERS);
    }
}

static void rings_one_by_one_wake_all(void **state)
{
    struct sleeper sleepers[SLEEPERS];
    (void)state;
    for (int i = 0; i < 100; i++) {
        start_sleepers(sleepers, SLEEPERS);
        for (int k = 0; k < SLEEPERS; k++)
            salp__bell_ring(&bell, 1, false);
        join_sleepers(sleepers, SLEEPERS);
    }
}

/* ---- those who look ---- */

static void who_looks_is_counted_among_the_woken(void **state)
{
    struct sleeper sleepers[SLEEPERS];
    (void)state;
    for (int i = 0; i < 100; i++) {
        start_sleepers(sleepers, SLEEPERS);
        salp__bell_look_begin(&bell);
        salp__bell_ring(&bell, SLEEPERS + 1, false); /* the sleepers and the looker */
        salp__bell_look_end(&bell);
        join_sleepers(sleepers, SLEEPERS);
        assert_int_equal(atomic_load(&bell.lookers), 0);
    }
}

/* He comes once, however often the bell was rung. */
static void who_looks_stands_for_one_ring(void **state)
{
    struct sleeper sleepers[2];
    (void)state;
    for (int i = 0; i < 100; i++) {
        start_sleepers(sleepers, 2);
        salp__bell_look_begin(&bell);
        salp__bell_ring(&bell, 2, false); /* one sleeper, and the looker */
        salp__bell_ring(&bell, 1, false); /* the other one */
        salp__bell_look_end(&bell);
        join_sleepers(sleepers, 2);
        assert_int_equal(atomic_load(&bell.lookers), 0);
    }
}

static void who_has_ceased_to_look_is_not_counted(void **state)
{
    struct sleeper sleeper;
    (void)state;
    for (int i = 0; i < 100; i++) {
        start_sleepers(&sleeper, 1);
        salp__bell_look_begin(&bell);
        salp__bell_look_end(&bell);
        salp__bell_ring(&bell, 1, false);
        join_sleepers(&sleeper, 1);
    }
}

/* ---- parking ---- */

static void parking_returns_when_the_bell_was_rung(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool shared = i & 1;
        salp__patience patience = i & 2 ? SALP__LOOK_FIRST : SALP__SLEEP;
        uint32_t seen = salp__bell_look(&bell);
        salp__wake(&bell, 1, shared);
        assert_true(salp__look(&bell, seen));
        assert_int_equal(salp__park(&bell, seen, SALP_FOREVER, shared, patience), 0);
    }
}

static void parking_ends_at_the_deadline(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        int64_t deadline = salp__later(SALP_MICROSECONDS(500));
        uint32_t seen = salp__bell_look(&bell);
        assert_int_equal(salp__park(&bell, seen, deadline, i & 1, i & 2 ? SALP__LOOK_FIRST : SALP__SLEEP), -ETIMEDOUT);
        assert_true(salp__now() >= deadline);
    }
    assert_int_equal(atomic_load(&bell.lookers), 0);
}

static void looking_ends_without_a_ring(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_false(salp__look(&bell, salp__bell_look(&bell)));
}

static void *park_once(void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->result = salp__park(&bell, sleeper->seen, SALP_FOREVER, false, SALP__LOOK_FIRST);
    return NULL;
}

static void who_looked_in_vain_sleeps_and_is_woken(void **state)
{
    struct sleeper sleeper = { .result = -1 };
    (void)state;
    for (int i = 0; i < 100; i++) {
        sleeper.seen = salp__bell_look(&bell);
        assert_int_equal(pthread_create(&sleeper.thread, NULL, park_once, &sleeper), 0);
        wait_for_sleepers(&bell, 1);
        assert_int_equal(atomic_load(&bell.lookers), 0);
        salp__wake(&bell, 1, false);
        join_sleepers(&sleeper, 1);
    }
}

/* ---- between processes ---- */

static salp__bell *share_bell(void)
{
    void *memory = mmap(NULL, sizeof(salp__bell), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static pid_t fork_sleeper(salp__bell *shared)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(salp__park(shared, 0, SALP_FOREVER, true, SALP__SLEEP) == 0 ? 0 : 1);
    return pid;
}

static void a_ring_wakes_a_sleeper_in_another_process(void **state)
{
    salp__bell *shared = share_bell();
    int status;
    (void)state;
    pid_t pid = fork_sleeper(shared);
    wait_for_sleepers(shared, 1);
    salp__wake(shared, 1, true);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(munmap(shared, sizeof *shared), 0);
}

static void a_sleeper_that_was_killed_keeps_nobody_asleep(void **state)
{
    salp__bell *shared = share_bell();
    int status;
    (void)state;
    pid_t killed = fork_sleeper(shared);
    wait_for_sleepers(shared, 1);
    assert_int_equal(kill(killed, SIGKILL), 0);
    assert_int_equal(waitpid(killed, &status, 0), killed);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(atomic_load(&shared->sleepers), 1); /* for ever: later rings make a system call for nothing */

    pid_t pid = fork_sleeper(shared);
    wait_for_sleepers(shared, 2);
    salp__wake(shared, 1, true);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    uint32_t seen = salp__bell_look(shared);
    salp__wake(shared, INT_MAX, true);
    assert_int_equal(salp__park(shared, seen, SALP_FOREVER, true, SALP__LOOK_FIRST), 0);
    assert_int_equal(munmap(shared, sizeof *shared), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("who looked before the ring does not sleep", who_looked_before_the_ring_does_not_sleep),
        TEST("the count of rings may wrap around", the_count_of_rings_may_wrap_around),
        TEST("each ring is seen", each_ring_is_seen),
        TEST("nobody waits past the deadline, nor less", nobody_waits_past_the_deadline_nor_less),
        TEST("a ring wakes a sleeper", a_ring_wakes_a_sleeper),
        TEST("one ring wakes as many as it is told", one_ring_wakes_as_many_as_it_is_told),
        TEST("rings one by one wake all", rings_one_by_one_wake_all),
        TEST("who looks is counted among the woken", who_looks_is_counted_among_the_woken),
        TEST("who looks stands for one ring", who_looks_stands_for_one_ring),
        TEST("who has ceased to look is not counted", who_has_ceased_to_look_is_not_counted),
        TEST("parking returns when the bell was rung", parking_returns_when_the_bell_was_rung),
        TEST("parking ends at the deadline", parking_ends_at_the_deadline),
        TEST("looking ends without a ring", looking_ends_without_a_ring),
        TEST("who looked in vain sleeps and is woken", who_looked_in_vain_sleeps_and_is_woken),
        TEST("a ring wakes a sleeper in another process", a_ring_wakes_a_sleeper_in_another_process),
        TEST("a sleeper that was killed keeps nobody asleep", a_sleeper_that_was_killed_keeps_nobody_asleep),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
