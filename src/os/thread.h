/*
 * Threads, and the lock that they share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__THREAD_H
#define SALP__THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/single_threaded.h>

/* Whether no thread but this one was ever started. */
static inline bool salp__alone(void)
{
    return __libc_single_threaded;
}

typedef pthread_mutex_t salp__lock;

void salp__lock_open(salp__lock *lock);
void salp__lock_close(salp__lock *lock);
void salp__lock_take(salp__lock *lock);
void salp__lock_release(salp__lock *lock);

/* Has `function` called in every child made by fork, before fork returns there. Once for each function. */
void salp__after_fork(void (*function)(void));

typedef pthread_t salp__thread;

/*
 * Starts a thread with every signal blocked, so that signals go to the program's own threads.
 * Returns 0, -EAGAIN or -ENOMEM.
 */
int salp__thread_start(salp__thread *thread, void *(*function)(void *), void *arg);
void salp__thread_join(salp__thread thread);
void salp__thread_detach(salp__thread thread);

#endif
