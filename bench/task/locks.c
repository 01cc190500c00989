/*
 * locks.c - the cases of task-salp about mutexes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <salp/sync.h>

#include "salp.h"

/* ---- by one ---- */

static int64_t time_locks(long count, void *arg)
{
    salp_mutex *mutex = arg;
    volatile long counted = 0;
    int64_t start = bench_now();
    for (long i = 0; i < count; i++) {
        bench_ok("salp_mutex_lock", salp_mutex_lock(mutex));
        counted++;
        bench_ok("salp_mutex_unlock", salp_mutex_unlock(mutex));
    }
    int64_t time = bench_now() - start;
    bench_expect("what was counted", counted, count);
    return time;
}

static int repeat_locks(void *arg)
{
    bench_repeat("mutex", time_locks, 2000000, arg);
    return 0;
}

/* on=task|thread */
void bench_case_mutex(void)
{
    salp_mutex *mutex;
    bench_ok("salp_mutex_open", salp_mutex_open(&mutex, NULL));
    if (strcmp(bench_text("on", "task"), "task") == 0)
        bench_in_task(repeat_locks, mutex);
    else
        repeat_locks(mutex);
    salp_mutex_close(mutex);
}

/* ---- by two ---- */

struct contest {
    salp_mutex *mutex;
    bool loops; /* the two are tasks on a loop each */
    long milliseconds;
    _Atomic bool over;
    long counted;        /* under the mutex */
    _Atomic long claims; /* the same, by adding up what each has done */
};

static int fight(void *arg)
{
    struct contest *contest = arg;
    long done = 0;
    /* relaxed: it says nothing but that it is over. */
    while (!atomic_load_explicit(&contest->over, memory_order_relaxed)) {
        bench_ok("salp_mutex_lock", salp_mutex_lock(contest->mutex));
        contest->counted++;
        bench_ok("salp_mutex_unlock", salp_mutex_unlock(contest->mutex));
        done++;
    }
    atomic_fetch_add(&contest->claims, done);
    return 0;
}

static void fight_or_watch(void *arg, int number)
{
    struct contest *contest = arg;
    if (number == 2) {
        bench_pause(contest->milliseconds * 1000000);
        atomic_store(&contest->over, true);
    } else if (contest->loops) {
        bench_in_task(fight, contest);
    } else {
        fight(contest);
    }
}

/* on=threads|loops */
void bench_case_contend(void)
{
    for (long i = bench_number("times", 5); i > 0; i--) {
        struct contest contest = { .loops = strcmp(bench_text("on", "threads"), "loops") == 0,
                                   .milliseconds = bench_number("milliseconds", 50) };
        bench_ok("salp_mutex_open", salp_mutex_open(&contest.mutex, NULL));
        int64_t time = bench_on_threads(3, fight_or_watch, &contest);
        bench_expect("what was counted", contest.counted, contest.claims);
        bench_print_each("contend", time, contest.counted);
        salp_mutex_close(contest.mutex);
    }
}
