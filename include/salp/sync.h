/*
 * salp/sync.h - waiting for each other: mutexes, semaphores, events.
 *
 * The same objects between tasks of one loop, loops, and plain threads. Who has
 * to wait in a task suspends that task alone; who waits longest comes first.
 * Every call that can wait ends with -ECANCELED or -ETIMEDOUT when a scope
 * (salp/task.h) around it is over, also if it would not have had to wait; then
 * it has taken nothing.
 *
 * Each is opened into a pointer and closed with one function that accepts NULL.
 * Closing one that somebody waits for or holds is the caller's error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_SYNC_H
#define SALP_SYNC_H

#include <stdbool.h>

#include <salp/base.h>
#include <salp/error.h>

SALP_BEGIN

/* ---- mutex ---- */

typedef struct salp_mutex salp_mutex;

typedef struct salp_mutex_options {
    bool recursive; /* its holder may lock it again, and unlocks it as often */
    bool shared;    /* between processes: not built yet, -ENOTSUP */
} salp_mutex_options;

/* Threads: any. Waits: no. Errors: -EINVAL mutex is NULL; -ENOTSUP; -ENOMEM. */
SALP_API int salp_mutex_open(salp_mutex **mutex, const salp_mutex_options *options);

/*
 * Locks it for the calling task or thread. Waits: yes.
 * Errors: -EINVAL; -EDEADLK the caller holds it, and it is not recursive;
 * -ECANCELED, -ETIMEDOUT.
 */
SALP_API int salp_mutex_lock(salp_mutex *mutex);

/* The same without waiting. Errors: -EINVAL; -EBUSY somebody else holds it; -EDEADLK. */
SALP_API int salp_mutex_try_lock(salp_mutex *mutex);

/*
 * Unlocks it: whoever has waited longest holds it then. Waits: no.
 * Errors: -EINVAL; -EPERM the caller does not hold it.
 */
SALP_API int salp_mutex_unlock(salp_mutex *mutex);

SALP_API void salp_mutex_close(salp_mutex *mutex);

/* ---- semaphore ---- */

typedef struct salp_semaphore salp_semaphore;

typedef struct salp_semaphore_options {
    unsigned value; /* units at the beginning */
    unsigned most;  /* releasing beyond so many is an error; 0: no bound but that of the type */
    bool shared;    /* between processes: not built yet, -ENOTSUP */
} salp_semaphore_options;

/* Threads: any. Waits: no. Errors: -EINVAL semaphore is NULL, or value is above most; -ENOTSUP; -ENOMEM. */
SALP_API int salp_semaphore_open(salp_semaphore **semaphore, const salp_semaphore_options *options);

/* Takes one unit. Waits: yes. Errors: -EINVAL; -ECANCELED, -ETIMEDOUT. */
SALP_API int salp_semaphore_acquire(salp_semaphore *semaphore);

/* The same without waiting. Errors: -EINVAL; -EAGAIN there is none, or others wait for the next. */
SALP_API int salp_semaphore_try_acquire(salp_semaphore *semaphore);

/* Adds units. Threads: any, whoever has taken them. Waits: no. Errors: -EINVAL; -EOVERFLOW: nothing was added. */
SALP_API int salp_semaphore_release(salp_semaphore *semaphore, unsigned count);

SALP_API void salp_semaphore_close(salp_semaphore *semaphore);

/* ---- event ---- */

/* Something that has happened, or not: waiting for it is over when it has. */
typedef struct salp_event salp_event;

typedef struct salp_event_options {
    bool set;    /* at the beginning */
    bool shared; /* between processes: not built yet, -ENOTSUP */
} salp_event_options;

/* Threads: any. Waits: no. Errors: -EINVAL event is NULL; -ENOTSUP; -ENOMEM. */
SALP_API int salp_event_open(salp_event **event, const salp_event_options *options);

/* It has happened: everybody who waits goes on, also if it is cleared at once. Waits: no. Errors: -EINVAL. */
SALP_API int salp_event_set(salp_event *event);
SALP_API int salp_event_clear(salp_event *event);
SALP_API bool salp_event_is_set(salp_event *event);

/* Waits until it has happened. Waits: yes. Errors: -EINVAL; -ECANCELED, -ETIMEDOUT. */
SALP_API int salp_event_wait(salp_event *event);

SALP_API void salp_event_close(salp_event *event);

SALP_END

#endif
