/*
 * Threads, and the lock that they share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__THREAD_H
#define SALP__THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/single_threaded.h>

/* Of each thread its own, for one file or for several. A call goes out for such a variable of a shared library, unless it is told that it may lie in the
   part that is there from the beginning. */
#define SALP__HERE static _Thread_local __attribute__((tls_model("initial-exec")))
#define SALP__NOW _Thread_local __attribute__((tls_model("initial-exec")))

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

/* Calls `function` in the first call with this `once` of all threads; the others return when that is done. */
typedef pthread_once_t salp__once;
#define SALP__ONCE PTHREAD_ONCE_INIT
void salp__do_once(salp__once *once, void (*function)(void));

/* Has `function` called in every child made by fork, before fork returns there. Once for each function. */
void salp__after_fork(void (*function)(void));

/* The same, and one before the fork, and one after it in the parent: for a lock that the child is to find free. */
void salp__around_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));

typedef pthread_t salp__thread;

/* Threads of this process; 0: it could not be found out. What a thread has stored that is no longer counted is seen by
   whoever looks after this. */
int salp__thread_count(void);

/* How often the calling thread has given its processor up by itself, to wait for something. */
uint64_t salp__thread_sleeps(void);

/* How long children of this process that have ended and were waited for, and theirs, were on a processor. Nanoseconds. */
int64_t salp__children_cpu(void);

/*
 * Starts a thread with every signal blocked, so that signals go to the program's own threads.
 * Returns 0, -EAGAIN or -ENOMEM.
 */
int salp__thread_start(salp__thread *thread, void *(*function)(void *), void *arg);
/* The same for a thread that nobody will join, with a small stack: enough for calls of the system and of libc. */
int salp__thread_send(void *(*function)(void *), void *arg);

/* Every other thread of this process executes a full fence between this call and its return. 0, or an error: not to be had.
   It has to be prepared once: 0 or an error. */
int salp__fences_prepare(void);
int salp__fence_others(void);

/* The middle of the calling thread's stack: an address. UINTPTR_MAX: it could not be found out. Looked for once in each
   thread, since that may be slow. */
uintptr_t salp__stack_half(void);

void salp__thread_join(salp__thread thread);
void salp__thread_detach(salp__thread thread);

#endif
