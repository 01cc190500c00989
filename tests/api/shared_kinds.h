/*
 * All objects between processes, each with the ways to wait for it: for tests of what holds for each of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SHARED_KINDS_H
#define SHARED_KINDS_H

#include "shared.h"

#include <salp/queue.h>
#include <salp/select.h>

static union {
    salp_mutex *mutex;
    salp_semaphore *semaphore;
    salp_event *event;
    salp_condition *condition;
    salp_barrier *barrier;
    salp_rwlock *rwlock;
    salp_queue *queue;
    void *any; /* to be compared with NULL */
} object, same;

static salp_mutex *mutex; /* of a condition */

/* An object, and one way to wait for it. The functions return what the calls in them do. */
struct kind {
    const char *what;
    int (*open)(void);   /* `object` */
    int (*attach)(void); /* `same` */
    void (*close)(void);
    void (*close_same)(void);
    int (*fd)(void);
    int (*begin)(void); /* what waits has to wait from now on; by the one who waits */
    int (*hold)(void);  /* likewise, by the other process. NULL: nothing */
    int (*wait)(void);  /* until another process does this: */
    int (*wake)(void);
    int (*mend)(void); /* after a wait that was ended. NULL: as it was before it */
};

static const struct kind *kind; /* that is tested now */

static int nothing(void)
{
    return 0;
}

/* ---- mutexes, semaphores ---- */

static int open_mutex(void)
{
    return salp_mutex_open(&object.mutex, &(salp_mutex_options){ .shared = true });
}

static int attach_mutex(void)
{
    return salp_mutex_attach(&same.mutex, salp_mutex_fd(object.mutex));
}

static void close_mutex(void)
{
    salp_mutex_close(object.mutex);
}

static void close_same_mutex(void)
{
    salp_mutex_close(same.mutex);
}

static int fd_of_mutex(void)
{
    return salp_mutex_fd(object.mutex);
}

static int lock_mutex(void)
{
    return salp_mutex_lock(object.mutex);
}

static int unlock_mutex(void)
{
    return salp_mutex_unlock(object.mutex);
}

static int pass_mutex(void)
{
    int error = salp_mutex_lock(object.mutex);
    if (error == 0)
        EXPECT(salp_mutex_unlock(object.mutex) == 0);
    return error;
}

static int open_semaphore(void)
{
    return salp_semaphore_open(&object.semaphore, &(salp_semaphore_options){ .shared = true });
}

static int attach_semaphore(void)
{
    return salp_semaphore_attach(&same.semaphore, salp_semaphore_fd(object.semaphore));
}

static void close_semaphore(void)
{
    salp_semaphore_close(object.semaphore);
}

static void close_same_semaphore(void)
{
    salp_semaphore_close(same.semaphore);
}

static int fd_of_semaphore(void)
{
    return salp_semaphore_fd(object.semaphore);
}

static int acquire(void)
{
    return salp_semaphore_acquire(object.semaphore);
}

static int release(void)
{
    return salp_semaphore_release(object.semaphore, 1);
}

/* ---- events ---- */

static int open_event(void)
{
    return salp_event_open(&object.event, &(salp_event_options){ .shared = true });
}

static int attach_event(void)
{
    return salp_event_attach(&same.event, salp_event_fd(object.event));
}

static void close_event(void)
{
    salp_event_close(object.event);
}

static void close_same_event(void)
{
    salp_event_close(same.event);
}

static int fd_of_event(void)
{
    return salp_event_fd(object.event);
}

static int clear_event(void)
{
    return salp_event_clear(object.event);
}

static int wait_for_event(void)
{
    return salp_event_wait(object.event);
}

static int select_event(void)
{
    salp_case cases[] = { { .event = object.event } };
    return salp_select(cases, 1);
}

static int set_event(void)
{
    return salp_event_set(object.event);
}

/* ---- conditions ---- */

static int open_condition(void)
{
    int error = salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true });
    if (error == 0)
        error = salp_condition_open(&object.condition, &(salp_condition_options){ .shared = true });
    return error;
}

static int attach_condition(void)
{
    return salp_condition_attach(&same.condition, salp_condition_fd(object.condition));
}

static void close_condition(void)
{
    salp_condition_close(object.condition);
    salp_mutex_close(mutex);
    mutex = NULL;
}

static void close_same_condition(void)
{
    salp_condition_close(same.condition);
}

static int fd_of_condition(void)
{
    return salp_condition_fd(object.condition);
}

static int nothing_to_see(void)
{
    board->counter = 0;
    return 0;
}

/* Whatever it returns, the mutex is held. */
static int wait_for_condition(void)
{
    int error = salp_mutex_lock(mutex);
    if (error < 0)
        return error;
    while (board->counter == 0 && error == 0)
        error = salp_condition_wait(object.condition, mutex);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    return error;
}

static int signal_condition(void)
{
    int error = salp_mutex_lock(mutex);
    if (error < 0)
        return error;
    board->counter = 1;
    error = salp_condition_signal(object.condition);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    return error;
}

/* ---- barriers ---- */

static int open_barrier(void)
{
    return salp_barrier_open(&object.barrier, &(salp_barrier_options){ .shared = true, .parties = 2 });
}

static int attach_barrier(void)
{
    return salp_barrier_attach(&same.barrier, salp_barrier_fd(object.barrier));
}

static void close_barrier(void)
{
    salp_barrier_close(object.barrier);
}

static void close_same_barrier(void)
{
    salp_barrier_close(same.barrier);
}

static int fd_of_barrier(void)
{
    return salp_barrier_fd(object.barrier);
}

static int mend_barrier(void)
{
    return salp_barrier_reset(object.barrier);
}

static int meet(void)
{
    int result = salp_barrier_wait(object.barrier);
    return result < 0 ? result : 0;
}

/* A party that could not wait has broken it: the one who waits for us mends it. */
static int meet_when_mended(void)
{
    int result;
    int64_t end = clock_now() + patience();
    while ((result = meet()) == SALP_EBROKEN && clock_now() < end)
        doze(SALP_MICROSECONDS(50));
    if (result == 0)
        salp_barrier_close(object.barrier); /* we are no party any more, and do not break it by our end */
    return result;
}

/* ---- locks for reading ---- */

static int open_rwlock(void)
{
    return salp_rwlock_open(&object.rwlock, &(salp_rwlock_options){ .shared = true });
}

static int attach_rwlock(void)
{
    return salp_rwlock_attach(&same.rwlock, salp_rwlock_fd(object.rwlock));
}

static void close_rwlock(void)
{
    salp_rwlock_close(object.rwlock);
}

static void close_same_rwlock(void)
{
    salp_rwlock_close(same.rwlock);
}

static int fd_of_rwlock(void)
{
    return salp_rwlock_fd(object.rwlock);
}

static int lock_read(void)
{
    return salp_rwlock_lock_read(object.rwlock);
}

static int lock_write(void)
{
    return salp_rwlock_lock_write(object.rwlock);
}

static int unlock_rwlock(void)
{
    return salp_rwlock_unlock(object.rwlock);
}

static int pass_rwlock(int (*lock)(void))
{
    int error = lock();
    if (error == 0)
        EXPECT(unlock_rwlock() == 0);
    return error;
}

static int pass_reading(void)
{
    return pass_rwlock(lock_read);
}

static int pass_writing(void)
{
    return pass_rwlock(lock_write);
}

/* ---- queues ---- */

static int open_queue(void)
{
    return salp_queue_open(&object.queue,
                           &(salp_queue_options){ .shared = true, .item_size = sizeof(int), .capacity = 1 });
}

static int attach_queue(void)
{
    return salp_queue_attach(&same.queue, salp_queue_fd(object.queue), NULL);
}

static void close_queue(void)
{
    salp_queue_close(object.queue);
}

static void close_same_queue(void)
{
    salp_queue_close(same.queue);
}

static int fd_of_queue(void)
{
    return salp_queue_fd(object.queue);
}

/* After an error nothing was taken, and the item is as it was. */
static int get_item(void)
{
    int item = -1, error = salp_queue_get(object.queue, &item);
    EXPECT(item == (error == 0 ? 7 : -1));
    if (error == 0)
        EXPECT(salp_queue_done(object.queue) == 0);
    return error;
}

static int put_item(void)
{
    int item = 7;
    return salp_queue_put(object.queue, &item);
}

static int select_item(void)
{
    int item = -1;
    salp_case cases[] = { { .get = object.queue, .item = &item } };
    int chosen = salp_select(cases, 1);
    EXPECT(item == (chosen == 0 ? 7 : -1));
    if (chosen == 0)
        EXPECT(salp_queue_done(object.queue) == 0);
    return chosen;
}

/* It is full, and after a wait again. */
static int fill_queue(void)
{
    return salp_queue_count(object.queue) == 1 ? 0 : put_item();
}

/* The other process has to take it in `hold`. */
static int take_item(void)
{
    int item = -1, error = salp_queue_get(object.queue, &item);
    EXPECT(item == (error == 0 ? 7 : -1));
    return error;
}

static int item_is_done(void)
{
    return salp_queue_done(object.queue);
}

static int join(void)
{
    return salp_queue_join(object.queue);
}

#define MUTEX open_mutex, attach_mutex, close_mutex, close_same_mutex, fd_of_mutex
#define SEMAPHORE open_semaphore, attach_semaphore, close_semaphore, close_same_semaphore, fd_of_semaphore
#define EVENT open_event, attach_event, close_event, close_same_event, fd_of_event
#define CONDITION open_condition, attach_condition, close_condition, close_same_condition, fd_of_condition
#define BARRIER open_barrier, attach_barrier, close_barrier, close_same_barrier, fd_of_barrier
#define RWLOCK open_rwlock, attach_rwlock, close_rwlock, close_same_rwlock, fd_of_rwlock
#define QUEUE open_queue, attach_queue, close_queue, close_same_queue, fd_of_queue

static const struct kind locks[] = {
    { "a mutex", MUTEX, nothing, lock_mutex, pass_mutex, unlock_mutex, NULL },
    { "a semaphore", SEMAPHORE, nothing, NULL, acquire, release, NULL },
    { "a lock for reading", RWLOCK, nothing, lock_write, pass_reading, unlock_rwlock, NULL },
    { "a lock for writing, behind a reader", RWLOCK, nothing, lock_read, pass_writing, unlock_rwlock, NULL },
    { "a lock for writing, behind a writer", RWLOCK, nothing, lock_write, pass_writing, unlock_rwlock, NULL },
};

static const struct kind news[] = {
    { "an event", EVENT, clear_event, NULL, wait_for_event, set_event, NULL },
    { "a select of an event", EVENT, clear_event, NULL, select_event, set_event, NULL },
    { "a condition", CONDITION, nothing_to_see, NULL, wait_for_condition, signal_condition, NULL },
    { "a barrier", BARRIER, nothing, NULL, meet, meet_when_mended, mend_barrier },
};

static const struct kind queues[] = {
    { "an item", QUEUE, nothing, NULL, get_item, put_item, NULL },
    { "a select of an item", QUEUE, nothing, NULL, select_item, put_item, NULL },
    { "room", QUEUE, fill_queue, NULL, put_item, get_item, NULL },
    { "work", QUEUE, fill_queue, take_item, join, item_is_done, NULL },
};

#endif
