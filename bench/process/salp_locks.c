/*
 * salp_locks.c - the locks of process-salp.
 *
 *   of=mutex, of=semaphore                    shared between processes
 *   of=private-mutex, of=private-semaphore    between threads
 *
 * SPDX-License-Identifier: MIT
 */
#include <salp/sync.h>

#include "locks.h"
#include "salp.h"

/* ---- mutexes ---- */

static void *open_mutex(bool shared)
{
    salp_mutex *mutex;
    bench_ok("salp_mutex_open", salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = shared }));
    return mutex;
}

static void *open_shared_mutex(void)
{
    return open_mutex(true);
}

static void *open_private_mutex(void)
{
    return open_mutex(false);
}

static void lock(void *mutex)
{
    bench_ok("salp_mutex_lock", salp_mutex_lock(mutex));
}

static void unlock(void *mutex)
{
    bench_ok("salp_mutex_unlock", salp_mutex_unlock(mutex));
}

static struct bench_done fight_for_mutex(void *contest, int side, int64_t until)
{
    return bench_fight(lock, unlock, contest, side, until);
}

static void close_mutex(void *mutex)
{
    salp_mutex_close(mutex);
}

/* ---- semaphores ---- */

static void *open_semaphore(bool shared)
{
    salp_semaphore *semaphore;
    bench_ok("salp_semaphore_open",
             salp_semaphore_open(&semaphore, &(salp_semaphore_options){ .value = 1, .shared = shared }));
    return semaphore;
}

static void *open_shared_semaphore(void)
{
    return open_semaphore(true);
}

static void *open_private_semaphore(void)
{
    return open_semaphore(false);
}

static void take(void *semaphore)
{
    bench_ok("salp_semaphore_acquire", salp_semaphore_acquire(semaphore));
}

static void give(void *semaphore)
{
    bench_ok("salp_semaphore_release", salp_semaphore_release(semaphore, 1));
}

static struct bench_done fight_for_semaphore(void *contest, int side, int64_t until)
{
    return bench_fight(take, give, contest, side, until);
}

static void close_semaphore(void *semaphore)
{
    salp_semaphore_close(semaphore);
}

void bench_case_lock(void)
{
    static const struct bench_lock kinds[] = {
        { "mutex", BENCH_PROCESSES, open_shared_mutex, fight_for_mutex, close_mutex },
        { "private-mutex", BENCH_THREADS, open_private_mutex, fight_for_mutex, close_mutex },
        { "semaphore", BENCH_PROCESSES, open_shared_semaphore, fight_for_semaphore, close_semaphore },
        { "private-semaphore", BENCH_THREADS, open_private_semaphore, fight_for_semaphore, close_semaphore },
        { 0 },
    };
    bench_lock_case(kinds);
}
