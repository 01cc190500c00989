/*
 * Who notices that a participant has died.
 *
 * One thread of the process sleeps in epoll on the pidfds of all processes whose death matters to somebody who waits here:
 * the participants of the objects (handles) that are watched. When one of them ends, it buries it in each of these
 * objects. It starts with the first wait that really blocks, and ends when the last handle that was watched is closed.
 * Nobody looks every now and then: while nothing happens, nobody wakes up.
 *
 *     handles -- segment: participants --> processes, one descriptor each, by identity -- epoll --> this thread
 *
 * A handle that was watched once stays so, also while nobody waits by it: the next wait then costs one look at a counter.
 * Who has come since is taken up by the next one who waits; those who wait already are rung for (participants.c, I3).
 *
 * I1  The lists are changed under the lock. The thread lets go of it while it buries, since that may wait for a latch;
 *     `burying` is the handle that it uses meanwhile, which stays in the list and is not closed.
 * I2  A process is in the table from when its descriptor is in epoll until it has ended or the table is given up. Who is
 *     dead when he is to be watched is not put in, but buried by the one who wanted to.
 * I3  A fork takes the lock, so the child finds the lists whole. It has no such thread: it closes the descriptors, and
 *     begins afresh.
 *
 * It counts as a thread of the program that could wake somebody: so while a handle is watched, a run whose tasks all wait for
 * each other is not told so (task/stuck.c). Some other process might indeed be about to wake them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared/deaths.h"

#include <errno.h>
#include <stddef.h>

#include <salp/time.h>

#include "os/epoll.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/modules.h"
#include "os/process.h"
#include "shared/participants.h"

typedef struct process {
    struct process *next; /* [lock] */
    uint64_t identity;
    int fd;
} process;

enum { BUCKETS = 64 };
enum { NONE, RUNS, ENDS };

static struct deaths {
    salp__lock lock;
    salp__list handles;          /* [lock] salp__shared.watched */
    process *processes[BUCKETS]; /* [lock] */
    const salp__shared *burying; /* [lock] I1 */
    int state;                   /* [lock] of the thread; what follows is there unless it is NONE */
    salp__thread thread;
    int epoll;
    int bell; /* rung when it is to end */
} deaths = { .lock = PTHREAD_MUTEX_INITIALIZER, .handles = { &deaths.handles, &deaths.handles } };

/* ---- processes ---- */

static process **bucket_of(uint64_t identity)
{
    return &deaths.processes[identity % BUCKETS];
}

/* Where it is linked, or where the NULL at the end is. [lock] */
static process **find_locked(uint64_t identity)
{
    process **link = bucket_of(identity);
    while (*link && (*link)->identity != identity)
        link = &(*link)->next;
    return link;
}

/* Takes it off, with its descriptor. [lock] */
static void drop_locked(process **link)
{
    process *dropped = *link;
    *link = dropped->next;
    salp__epoll_remove(deaths.epoll, dropped->fd);
    salp__file_close(dropped->fd);
    salp__free(dropped);
}

/* Watches one that is not watched yet. 0, or 1: it is dead; or an error. [lock] */
static int add_locked(uint64_t identity)
{
    int fd = salp__process_watch(salp__process_of_mark(identity));
    if (fd < 0)
        return fd == -ESRCH ? 1 : fd;
    uint64_t now;
    /* The descriptor is of whoever has the number now: maybe of another one, who began at another time. */
    int error = salp__process_mark(salp__process_of_mark(identity), &now);
    if (salp__process_has_ended(fd) || (error == 0 && now != identity)) {
        salp__file_close(fd);
        return 1;
    }
    if (error == -EMFILE || error == -ENFILE || error == -ENOMEM)
        goto close_fd; /* we do not know whom we would watch */
    error = -ENOMEM;
    process *added = salp__allocate(sizeof *added);
    if (!added)
        goto close_fd;
    *added = (process){ .identity = identity, .fd = fd };
    error = salp__epoll_add(deaths.epoll, fd, SALP__POLL_IN, added);
    if (error < 0)
        goto free_added;
    *find_locked(identity) = added;
    return 0;
free_added:
    salp__free(added);
close_fd:
    salp__file_close(fd);
    return error;
}

/* ---- the thread ---- */

/* In all objects that are watched. */
static void bury(uint64_t identity)
{
    salp__lock_take(&deaths.lock);
    for (salp__list *link = deaths.handles.next; link != &deaths.handles; link = link->next) {
        salp__shared *shared = SALP__CONTAINER(link, salp__shared, watched);
        deaths.burying = shared; /* I1 */
        salp__lock_release(&deaths.lock);
        salp__bury(shared, identity);
        salp__lock_take(&deaths.lock);
    }
    deaths.burying = NULL;
    salp__lock_release(&deaths.lock);
}

static void note_death(const process *ended)
{
    salp__lock_take(&deaths.lock); /* under which it was written, before the system knew it */
    uint64_t identity = ended->identity;
    drop_locked(find_locked(identity));
    salp__lock_release(&deaths.lock);
    bury(identity);
}

static bool is_to_end(void)
{
    salp__lock_take(&deaths.lock);
    bool ends = deaths.state == ENDS;
    salp__lock_release(&deaths.lock);
    return ends;
}

static void *run(void *arg)
{
    enum { SOME = 16 };
    salp__readiness ready[SOME];
    (void)arg;
    while (!is_to_end()) {
        int count = salp__epoll_wait(deaths.epoll, ready, SOME, SALP_FOREVER);
        for (int i = 0; i < count; i++) {
            if (ready[i].what)
                note_death(ready[i].what);
        }
    }
    return NULL;
}

/* ---- its life ---- */

/* All but the lock. [lock] */
static void give_up_locked(void)
{
    for (int i = 0; i < BUCKETS; i++) {
        while (deaths.processes[i])
            drop_locked(&deaths.processes[i]);
    }
    salp__file_close(deaths.bell);
    salp__file_close(deaths.epoll);
    deaths.state = NONE;
}

static void before_fork(void)
{
    salp__lock_take(&deaths.lock);
}

static void in_parent(void)
{
    salp__lock_release(&deaths.lock);
}

static void in_child(void)
{
    /* The epoll is the parent's, too: nothing is taken out of it, it is only closed here. */
    if (deaths.state != NONE) {
        salp__file_close(deaths.epoll);
        deaths.epoll = -1;
        give_up_locked();
    }
    salp__list_open(&deaths.handles);
    deaths.burying = NULL;
    salp__lock_release(&deaths.lock);
}

static void prepare(void)
{
    salp__around_fork(before_fork, in_parent, in_child);
    salp__module_keep(&deaths);
}

/* [lock] */
static int start_locked(void)
{
    int error = deaths.epoll = salp__epoll_open();
    if (error < 0)
        return error;
    error = deaths.bell = salp__eventfd_open();
    if (error < 0)
        goto close_epoll;
    error = salp__epoll_add(deaths.epoll, deaths.bell, SALP__POLL_IN, NULL);
    if (error < 0)
        goto close_bell;
    deaths.state = RUNS;
    error = salp__thread_start(&deaths.thread, run, NULL);
    if (error == 0)
        return 0;
    deaths.state = NONE;
close_bell:
    salp__file_close(deaths.bell);
close_epoll:
    salp__file_close(deaths.epoll);
    return error;
}

/* The lock, when the thread is not about to end. */
static void lock_steady(void)
{
    salp__lock_take(&deaths.lock);
    for (unsigned tries = 0; deaths.state == ENDS; tries++) {
        salp__lock_release(&deaths.lock);
        salp__pause(tries);
        salp__lock_take(&deaths.lock);
    }
}

/* [lock] */
static void end_thread_locked(void)
{
    deaths.state = ENDS;
    salp__lock_release(&deaths.lock);
    salp__eventfd_ring(deaths.bell);
    salp__thread_join(deaths.thread);
    salp__lock_take(&deaths.lock);
    give_up_locked();
}

/* ---- handles ---- */

/* 0; an error; or 1: it is dead, and noted as that. [lock] */
static int watch_locked(const salp__shared *shared, uint64_t identity, uint64_t *dead)
{
    if (identity == 0 || identity == shared->identity || *find_locked(identity))
        return 0;
    *dead = identity;
    return add_locked(identity);
}

/* Watches all others. 0; an error; or 1: the one in `dead` is to be buried, and then it has to be called again. [lock] */
static int watch_all_locked(const salp__shared *shared, uint64_t *dead)
{
    const salp__segment *segment = shared->segment;
    uint64_t used = atomic_load_explicit(&segment->slots_used, memory_order_relaxed);
    int result = 0;
    /* acquire: ordered by `joins`; but if one was buried, we see who has the latch for that. */
    for (uint64_t slot = 0; slot < used && result == 0; slot++)
        result = watch_locked(shared, atomic_load_explicit(&segment->participants[slot].identity, memory_order_acquire),
                              dead);
    if (result == 0) /* he may take no part: participants.c, I5 */
        result = watch_locked(shared, atomic_load_explicit(&segment->latch, memory_order_relaxed), dead);
    return result;
}

static int watch_once(salp__shared *shared, uint64_t *dead)
{
    lock_steady();
    int result = deaths.state == NONE ? start_locked() : 0;
    if (result == 0 && !shared->is_watched) {
        salp__list_append(&deaths.handles, &shared->watched);
        shared->is_watched = true;
    }
    if (result == 0)
        result = watch_all_locked(shared, dead);
    salp__lock_release(&deaths.lock);
    return result;
}

int salp__deaths_watch(salp__shared *shared)
{
    static salp__once prepared = SALP__ONCE;
    /* acq_rel, though nothing is added: participants.c, I3. */
    uint64_t joins = atomic_fetch_add_explicit(&shared->segment->joins, 0, memory_order_acq_rel), dead = 0;
    /* acquire: pairs with the release below, of another thread that has watched them all. */
    if (atomic_load_explicit(&shared->joins_seen, memory_order_acquire) == joins)
        return 0;
    salp__do_once(&prepared, prepare);
    int result;
    while ((result = watch_once(shared, &dead)) > 0)
        salp__bury(shared, dead);
    if (result == 0)
        atomic_store_explicit(&shared->joins_seen, joins, memory_order_release);
    return result;
}

void salp__deaths_unwatch(salp__shared *shared)
{
    if (!shared->is_watched)
        return;
    salp__lock_take(&deaths.lock);
    for (unsigned tries = 0; deaths.burying == shared; tries++) { /* I1 */
        salp__lock_release(&deaths.lock);
        salp__pause(tries);
        salp__lock_take(&deaths.lock);
    }
    salp__list_remove(&shared->watched);
    shared->is_watched = false;
    if (salp__list_empty(&deaths.handles))
        end_thread_locked();
    salp__lock_release(&deaths.lock);
}
