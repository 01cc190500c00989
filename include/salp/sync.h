/*
 * salp/sync.h - waiting for each other: mutexes, semaphores, events, conditions,
 * barriers, reader-writer locks.
 *
 * The same objects between tasks of one loop, loops, and plain threads. Who has
 * to wait in a task suspends that task alone; who waits longest comes first.
 * Every call that can wait ends with -ECANCELED or -ETIMEDOUT when a scope
 * (salp/task.h) around it is over, also if it would not have had to wait; then
 * it has taken nothing.
 *
 * Any task and thread may call these. A callback of a loop (salp/loop.h), or a
 * thread that has a loop and calls from outside of its tasks, cannot wait: a call
 * that would have to, ends with SALP_EINSIDE and has changed nothing.
 *
 * Each is opened into a pointer, is the caller's, and is closed with one function
 * that accepts NULL; options NULL are all defaults. Closing one that somebody waits
 * for or holds is the caller's error. In a fork of the program, so also in a worker
 * that was forked from it, objects that were opened before are of no use, save for
 * shared ones: another thread may have been in the midst of a call.
 *
 * Shared objects (`.shared = true`) work between processes. They lie in memory without
 * a name that goes with its last holder. A process that was forked after the object was
 * opened uses the handle that it has inherited; any other process gets the descriptor
 * (salp_X_fd: the object's own; close-on-exec, so that it has to be passed on purpose,
 * salp_send_fds for example) and calls salp_X_attach. Each process closes its own handle.
 *
 * A process may be killed at any instruction: that blocks none of the others, and the
 * object is as it was before what the dead one was doing, or after it. What it held comes
 * back, or the next one is told; each object says how. (A process that executes another
 * program is not dead: what it has taken stays taken until that ends.)
 *
 * All calls of shared objects can end with these, besides what they name; then nothing
 * was changed:
 *   -EUSERS   in a fork: 1024 handles of processes use the object already
 *   -EXDEV    in a fork: it is in another namespace of processes than the one that opened it
 *   -EMFILE, -ENFILE, -ENOMEM, -ENOENT
 *             in a fork, or of a call that has to wait: no descriptor or memory to find out who
 *             we are (/proc/self) or to watch the other processes with, one descriptor for each
 *   -EAGAIN   of a call that has to wait: no thread could be started, or 65,536 wait already
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
    bool shared;    /* between processes */
} salp_mutex_options;

/*
 * Threads: any. Waits: no. Errors: -EINVAL mutex is NULL; -ENOMEM; of a shared one also -EMFILE, -ENFILE, -ENOSPC, -ENOENT
 * (no /proc), and -EFBIG: files may not be as large as its memory, of which little is used (RLIMIT_FSIZE, 16 MiB are enough).
 */
SALP_API int salp_mutex_open(salp_mutex **mutex, const salp_mutex_options *options);

/*
 * A handle of a shared mutex by the descriptor of its memory, which stays the caller's.
 * Threads: any. Waits: no. Errors: -EBADF; -EINVAL mutex is NULL, or the descriptor is not of a shared mutex, or is for
 * reading alone; -EPROTO it is of another version of the library; -EXDEV it was opened in another namespace of processes;
 * -EUSERS 1024 handles of processes use it already; -EMFILE, -ENFILE, -ENOMEM, -ENOENT.
 */
SALP_API int salp_mutex_attach(salp_mutex **mutex, int fd);

/* The descriptor of its memory: the mutex's own, until it is closed. Waits: no. Errors: -EINVAL it is NULL or not shared. */
SALP_API int salp_mutex_fd(const salp_mutex *mutex);

/*
 * Locks it for the calling task or thread. Waits: yes.
 * -EOWNERDEAD: it is locked, as with 0; but the process that held it has died (or closed it) without unlocking it, and what
 * it protects may be half changed. The caller is the only one who is told.
 * Errors: -EINVAL; -EDEADLK the caller holds it, and it is not recursive;
 * -ECANCELED, -ETIMEDOUT.
 */
SALP_API int salp_mutex_lock(salp_mutex *mutex);

/* The same without waiting. -EOWNERDEAD: as above. Errors: -EINVAL; -EBUSY somebody else holds it; -EDEADLK. */
SALP_API int salp_mutex_try_lock(salp_mutex *mutex);

/*
 * Unlocks it. A task of the same loop that has waited longest holds it then; another
 * thread is woken and tries again, and is handed it if somebody was faster. Waits: no.
 * Errors: -EINVAL; -EPERM the caller does not hold it.
 */
SALP_API int salp_mutex_unlock(salp_mutex *mutex);

SALP_API void salp_mutex_close(salp_mutex *mutex);

/* ---- semaphore ---- */

typedef struct salp_semaphore salp_semaphore;

typedef struct salp_semaphore_options {
    unsigned value; /* units at the beginning */
    unsigned most;  /* releasing beyond so many is an error; 0: no bound but that of the type */
    bool shared;    /* between processes */
} salp_semaphore_options;

/*
 * A shared one knows how many units each process has taken and not released. When a process dies, so many come back (but
 * with those that others have, never more than `most`). When it closes its handle they do not: what it has taken for good
 * stays taken. A process that releases without having taken adds new units.
 *
 * Threads: any. Waits: no. Errors: -EINVAL semaphore is NULL, or value is above most; -ENOMEM; of a shared one also those of
 * salp_mutex_open.
 */
SALP_API int salp_semaphore_open(salp_semaphore **semaphore, const salp_semaphore_options *options);

/* As salp_mutex_attach and salp_mutex_fd. */
SALP_API int salp_semaphore_attach(salp_semaphore **semaphore, int fd);
SALP_API int salp_semaphore_fd(const salp_semaphore *semaphore);

/* Takes one unit. Waits: yes. Errors: -EINVAL; -ECANCELED, -ETIMEDOUT. */
SALP_API int salp_semaphore_acquire(salp_semaphore *semaphore);

/* The same without waiting. Errors: -EINVAL; -EAGAIN there is none, or others wait for the next. */
SALP_API int salp_semaphore_try_acquire(salp_semaphore *semaphore);

/* Adds units, whoever has taken them. Waits: no. Errors: -EINVAL; -EOVERFLOW: with those that are there it would be
   more than `most`, also if somebody waits for some: nothing was added. */
SALP_API int salp_semaphore_release(salp_semaphore *semaphore, unsigned count);

SALP_API void salp_semaphore_close(salp_semaphore *semaphore);

/* ---- event ---- */

/* Something that has happened, or not: waiting for it is over when it has. */
typedef struct salp_event salp_event;

typedef struct salp_event_options {
    bool set;    /* at the beginning */
    bool shared; /* between processes */
} salp_event_options;

/* Threads: any. Waits: no. Errors: -EINVAL event is NULL; -ENOMEM; of a shared one also those of salp_mutex_open. */
SALP_API int salp_event_open(salp_event **event, const salp_event_options *options);

/* As salp_mutex_attach and salp_mutex_fd. */
SALP_API int salp_event_attach(salp_event **event, int fd);
SALP_API int salp_event_fd(const salp_event *event);

/* It has happened: everybody who waits goes on, also if it is cleared at once. Waits: no. Errors: -EINVAL. */
SALP_API int salp_event_set(salp_event *event);
SALP_API int salp_event_clear(salp_event *event);
SALP_API bool salp_event_is_set(salp_event *event);

/* Waits until it has happened. Waits: yes. Errors: -EINVAL; -ECANCELED, -ETIMEDOUT. */
SALP_API int salp_event_wait(salp_event *event);

SALP_API void salp_event_close(salp_event *event);

/* ---- condition ---- */

/*
 * Waiting, with a mutex unlocked meanwhile, until others say that something has
 * changed. As with any condition: look again after each wait.
 *
 *     salp_mutex_lock(mutex);
 *     while (nothing_there())
 *         if ((error = salp_condition_wait(condition, mutex)) < 0)
 *             break;
 */
typedef struct salp_condition salp_condition;

typedef struct salp_condition_options {
    bool shared; /* between processes: it is waited for with a shared mutex */
} salp_condition_options;

/*
 * A shared one passes a signal on: if the process whose task or thread was woken dies before that has the mutex again, the
 * next one who waits is woken. (If it dies later it dies with the mutex, and whoever locks that next is told.)
 *
 * Threads: any. Waits: no. Errors: -EINVAL condition is NULL; -ENOMEM; of a shared one also those of salp_mutex_open.
 */
SALP_API int salp_condition_open(salp_condition **condition, const salp_condition_options *options);

/* As salp_mutex_attach and salp_mutex_fd. */
SALP_API int salp_condition_attach(salp_condition **condition, int fd);
SALP_API int salp_condition_fd(const salp_condition *condition);

/*
 * Unlocks the mutex, also a recursive one that was locked several times, waits to
 * be woken, and locks it again as it was, whatever it returns. No wake-up between
 * unlocking and waiting is missed. It may return 0 without one.
 * -EOWNERDEAD: of shared ones; the mutex was locked again and said so, as salp_mutex_lock
 * does, whether there was a wake-up or not.
 * Waits: yes. Errors: -EINVAL also if only one of the two is shared; -EPERM the caller does
 * not hold the mutex; -ECANCELED, -ETIMEDOUT: no wake-up was used up. (Locking again may
 * wait for others, and a scope does not end that.)
 */
SALP_API int salp_condition_wait(salp_condition *condition, salp_mutex *mutex);

/* Wakes the one who has waited longest; all who wait. Threads: any. Waits: no. Errors: -EINVAL. */
SALP_API int salp_condition_signal(salp_condition *condition);
SALP_API int salp_condition_broadcast(salp_condition *condition);

SALP_API void salp_condition_close(salp_condition *condition);

/* ---- barrier ---- */

/* Where a number of parties meet, again and again: nobody goes on until all are there. */
typedef struct salp_barrier salp_barrier;

typedef struct salp_barrier_options {
    unsigned parties; /* at least 1 */
    bool shared;      /* between processes */
} salp_barrier_options;

/*
 * A shared one is broken for the others when a process dies that they may be waiting for: one that has come to it, now or
 * any time before, and has not closed its handle since. So a process that ends and will not be a party any more closes it
 * first. Of one that has never come nobody can know that it was to: for that there are scopes with a deadline.
 *
 * Threads: any. Waits: no. Errors: -EINVAL barrier or options is NULL, or parties is 0 or above INT32_MAX; -ENOMEM; of a
 * shared one also those of salp_mutex_open.
 */
SALP_API int salp_barrier_open(salp_barrier **barrier, const salp_barrier_options *options);

/* As salp_mutex_attach and salp_mutex_fd. */
SALP_API int salp_barrier_attach(salp_barrier **barrier, int fd);
SALP_API int salp_barrier_fd(const salp_barrier *barrier);

/*
 * Waits until all parties have come. Returns how many came before this one: 0 for
 * the first, parties - 1 for the last, of which there is one each time.
 *
 * A party that leaves because its scope is over breaks the barrier, since the
 * others would wait for ever: they and all who come later get SALP_EBROKEN, until
 * salp_barrier_reset. So does one that is not able to wait for others to die (see above:
 * -EMFILE and so on) when it has come already. Waits: yes.
 * Errors: -EINVAL; SALP_EBROKEN; -ECANCELED, -ETIMEDOUT.
 */
SALP_API int salp_barrier_wait(salp_barrier *barrier);

/* Breaks it; mends it, those who wait get SALP_EBROKEN. A shared one is not broken anew by processes that were dead before
   it was mended. Threads: any. Waits: no. Errors: -EINVAL. */
SALP_API int salp_barrier_break(salp_barrier *barrier);
SALP_API int salp_barrier_reset(salp_barrier *barrier);

SALP_API void salp_barrier_close(salp_barrier *barrier);

/* ---- reader-writer lock ---- */

/*
 * Held by one writer, or by any number of readers. Fair: who comes while somebody
 * waits, waits behind him, so that neither readers nor writers starve.
 */
typedef struct salp_rwlock salp_rwlock;

typedef struct salp_rwlock_options {
    bool shared; /* between processes */
} salp_rwlock_options;

/*
 * Of a shared one, readers that die are gone: what they had locked is unlocked. When the writer dies, others get in, and
 * everybody is told (-EOWNERDEAD) until a writer who was told has unlocked it.
 *
 * Threads: any. Waits: no. Errors: -EINVAL rwlock is NULL; -ENOMEM; of a shared one also those of salp_mutex_open.
 */
SALP_API int salp_rwlock_open(salp_rwlock **rwlock, const salp_rwlock_options *options);

/* As salp_mutex_attach and salp_mutex_fd. */
SALP_API int salp_rwlock_attach(salp_rwlock **rwlock, int fd);
SALP_API int salp_rwlock_fd(const salp_rwlock *rwlock);

/*
 * Locks it for reading; for writing. Waits: yes. A reader that locks it again for
 * reading can wait for ever when a writer has come meanwhile, and one that locks it
 * for writing does.
 * -EOWNERDEAD: it is locked, as with 0; but a process that had locked it for writing has died
 * (or closed it) meanwhile, and what it protects may be half changed, since no writer who was
 * told so has unlocked it yet. A reader who is told can unlock it and lock it for writing.
 * Errors: -EINVAL; -EDEADLK the caller holds it for writing; -EAGAIN too many
 * readers; -ECANCELED, -ETIMEDOUT.
 */
SALP_API int salp_rwlock_lock_read(salp_rwlock *rwlock);
SALP_API int salp_rwlock_lock_write(salp_rwlock *rwlock);

/* The same without waiting: -EBUSY where the other would wait. -EOWNERDEAD: as above. */
SALP_API int salp_rwlock_try_lock_read(salp_rwlock *rwlock);
SALP_API int salp_rwlock_try_lock_write(salp_rwlock *rwlock);

/* Unlocks it, whichever way the caller has locked it. Errors: -EINVAL; -EPERM nobody holds it (of a shared one: nobody of
   this process), or another one for writing. */
SALP_API int salp_rwlock_unlock(salp_rwlock *rwlock);

SALP_API void salp_rwlock_close(salp_rwlock *rwlock);

SALP_END

#endif
