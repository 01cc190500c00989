/*
 * Processes use a mutex and a semaphore together, and some of them are killed at random points, thousands of times. The
 * others go on after each kill, what the mutex protects is never half changed without somebody being told, and in the
 * end all units are there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/shared.h"

enum { SURVIVORS = 2, VICTIMS = 2, TASKS = 3, UNITS = 2 };

static salp_mutex *mutex;
static salp_semaphore *semaphore;

/* What the processes work on, and tell the test. */
static struct work {
    long first, second;         /* under the mutex: equal whenever it is free */
    atomic_int told;            /* how often an owner's death was told */
    atomic_int half;            /* found half changed without being told */
    atomic_int done[SURVIVORS]; /* rounds of each */
    atomic_int over;
} * work;

static int one_round(void)
{
    int result = salp_mutex_lock(mutex);
    OR_FAIL(result == 0 || result == -EOWNERDEAD);
    if (result == -EOWNERDEAD) {
        atomic_fetch_add(&work->told, 1);
        work->second = work->first;
    } else if (work->first != work->second) {
        atomic_fetch_add(&work->half, 1);
    }
    work->first++;
    salp_yield();
    work->second++;
    OR_FAIL(salp_mutex_unlock(mutex) == 0);
    OR_FAIL(salp_semaphore_acquire(semaphore) == 0);
    salp_yield();
    OR_FAIL(salp_semaphore_release(semaphore, 1) == 0);
    return 0;
}

static int rounds(void *arg)
{
    atomic_int *done = arg;
    while (!atomic_load(&work->over)) {
        OR_FAIL(one_round() == 0);
        if (done)
            atomic_fetch_add(done, 1);
    }
    return 0;
}

static int rounds_in_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < TASKS; i++)
        OR_FAIL(salp_go(&group, rounds, arg) == 0);
    return salp_group_close(&group);
}

static pid_t start(bool in_loop, atomic_int *done)
{
    return start_process(in_loop, in_loop ? rounds_in_tasks : rounds, done);
}

/* Each has done some rounds more. */
static void survivors_go_on(int kills)
{
    for (int i = 0; i < SURVIVORS; i++) {
        int before = atomic_load(&work->done[i]);
        if (!reaches(&work->done[i], before + 2))
            fail_msg("after %d kills, survivor %d does not go on", kills, i);
    }
}

static void kills_block_nobody(void **state)
{
    pid_t survivors[SURVIVORS], victims[VICTIMS];
    unsigned random = 4711;
    int kills = test_scale(3000);
    (void)state;
    work = shared_memory(sizeof *work);
    assert_int_equal(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true }), 0);
    assert_int_equal(salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .shared = true, .value = UNITS }), 0);
    for (int i = 0; i < SURVIVORS; i++)
        survivors[i] = start(i % 2, &work->done[i]);
    for (int i = 0; i < VICTIMS; i++)
        victims[i] = start(i % 2, NULL);
    for (int i = 0; i < kills; i++) {
        pid_t *victim = &victims[rand_r(&random) % VICTIMS];
        doze(SALP_MICROSECONDS(rand_r(&random) % 1000));
        kill_process(*victim);
        *victim = start(rand_r(&random) % 2, NULL);
        if (i % 8 == 0)
            survivors_go_on(i);
    }
    survivors_go_on(kills);
    for (int i = 0; i < VICTIMS; i++)
        kill_process(victims[i]);
    survivors_go_on(kills);
    atomic_store(&work->over, 1);
    for (int i = 0; i < SURVIVORS; i++)
        ends_well(survivors[i]);
    printf("# %d kills, %d of them of the owner; %ld rounds\n", kills, atomic_load(&work->told), work->first);
    assert_int_equal(atomic_load(&work->half), 0);
    int units = 0;
    while (salp_semaphore_try_acquire(semaphore) == 0)
        units++;
    assert_int_equal(units, UNITS);
    salp_semaphore_close(semaphore);
    salp_mutex_close(mutex);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("kills block nobody", kills_block_nobody, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
