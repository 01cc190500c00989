/*
 * plain_locks.c - the locks of process-plain.
 *
 *   of=robust      a mutex of pthreads, shared between processes, that tells its next owner when one has died
 *   of=pthread     the same, not robust
 *   of=semaphore   a POSIX semaphore, shared between processes
 *   of=futex       a word and a futex, and nothing else: 0 free, 1 locked, 2 locked and waited for
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "locks.h"
#include "plain.h"

enum { LOCK = 64 }; /* bytes for any of them */

static void ok(const char *call, int error)
{
    errno = error;
    bench_must(call, error == 0);
}

/* ---- mutexes ---- */

static void *open_mutex(int robust)
{
    pthread_mutex_t *mutex = bench_shared(LOCK);
    pthread_mutexattr_t attributes;
    ok("pthread_mutexattr_init", pthread_mutexattr_init(&attributes));
    ok("pthread_mutexattr_setpshared", pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
    ok("pthread_mutexattr_setrobust", pthread_mutexattr_setrobust(&attributes, robust));
    ok("pthread_mutex_init", pthread_mutex_init(mutex, &attributes));
    return mutex;
}

static void *open_robust(void)
{
    return open_mutex(PTHREAD_MUTEX_ROBUST);
}

static void *open_pthread(void)
{
    return open_mutex(PTHREAD_MUTEX_STALLED);
}

static void lock_mutex(void *mutex)
{
    ok("pthread_mutex_lock", pthread_mutex_lock(mutex));
}

static void unlock_mutex(void *mutex)
{
    ok("pthread_mutex_unlock", pthread_mutex_unlock(mutex));
}

static struct bench_done fight_for_mutex(void *contest, int side, int64_t until)
{
    return bench_fight(lock_mutex, unlock_mutex, contest, side, until);
}

/* ---- semaphore ---- */

static void *open_semaphore(void)
{
    sem_t *semaphore = bench_shared(LOCK);
    bench_must("sem_init", sem_init(semaphore, 1, 1) == 0);
    return semaphore;
}

static void take(void *semaphore)
{
    bench_must("sem_wait", sem_wait(semaphore) == 0);
}

static void give(void *semaphore)
{
    bench_must("sem_post", sem_post(semaphore) == 0);
}

static struct bench_done fight_for_semaphore(void *contest, int side, int64_t until)
{
    return bench_fight(take, give, contest, side, until);
}

/* ---- futex ---- */

static void *open_futex(void)
{
    return bench_shared(LOCK);
}

static void lock_futex(void *lock)
{
    _Atomic uint32_t *word = lock;
    uint32_t seen = 0;
    if (atomic_compare_exchange_strong_explicit(word, &seen, 1, memory_order_acquire, memory_order_relaxed))
        return;
    while (atomic_exchange_explicit(word, 2, memory_order_acquire) != 0)
        bench_futex_wait(word, 2);
}

static void unlock_futex(void *lock)
{
    _Atomic uint32_t *word = lock;
    if (atomic_exchange_explicit(word, 0, memory_order_release) == 2)
        bench_futex_wake(word);
}

static struct bench_done fight_for_futex(void *contest, int side, int64_t until)
{
    return bench_fight(lock_futex, unlock_futex, contest, side, until);
}

/* ---- all of them ---- */

static void close_any(void *lock)
{
    bench_unshare(lock, LOCK);
}

void bench_case_lock(void)
{
    static const struct bench_lock kinds[] = {
        { "robust", BENCH_PROCESSES, open_robust, fight_for_mutex, close_any },
        { "pthread", BENCH_PROCESSES, open_pthread, fight_for_mutex, close_any },
        { "semaphore", BENCH_PROCESSES, open_semaphore, fight_for_semaphore, close_any },
        { "futex", BENCH_PROCESSES, open_futex, fight_for_futex, close_any },
        { 0 },
    };
    bench_lock_case(kinds);
}
