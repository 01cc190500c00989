/*
 * A thread that kills random workers of the pools of its own process, again and again.
 *
 * Workers are the children of stewards, which are the children of this process. A worker is held by
 * a pidfd and its parent is looked at again before it is killed, so that a number that was given to
 * another process in the meantime hurts nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KILLER_H
#define KILLER_H

#include "../api/processes.h"

struct killer {
    pthread_t thread;
    int64_t interval; /* between two kills */
    atomic_int kills; /* signals that were sent to living workers */
    atomic_int ended;
    unsigned random;
    pid_t stewards[16];
    int steward_count;
};

/* The children of a process that has one thread, without looking through all of /proc. */
static inline int quick_children(pid_t pid, pid_t children[], int max)
{
    char path[64];
    FILE *file;
    int count = 0, child;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    file = fopen(path, "re");
    if (!file)
        return children_of(pid, children, max);
    while (count < max && fscanf(file, "%d", &child) == 1)
        children[count++] = child;
    fclose(file);
    return count;
}

static inline bool kill_worker(pid_t worker, pid_t steward)
{
    int fd = (int)syscall(SYS_pidfd_open, worker, 0);
    bool killed = fd >= 0 && parent_of(worker) == steward && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;

    if (fd >= 0)
        close(fd);
    return killed;
}

static inline void *kill_workers(void *arg)
{
    struct killer *killer = arg;
    pid_t workers[64];

    while (!atomic_load(&killer->ended)) {
        pid_t steward = killer->stewards[rand_r(&killer->random) % (unsigned)killer->steward_count];
        int count = quick_children(steward, workers, (int)LENGTH(workers));

        /* Counted before, so that nobody sees the effect of a kill that was not counted. */
        if (count > 0) {
            atomic_fetch_add(&killer->kills, 1);
            if (!kill_worker(workers[rand_r(&killer->random) % (unsigned)count], steward))
                atomic_fetch_sub(&killer->kills, 1);
        }
        doze(killer->interval);
    }
    return NULL;
}

/* Begins when all pools are open. With a sanitizer a worker takes so much longer to start; in the hostile build it does not. */
static inline void killer_start(struct killer *killer, int64_t interval)
{
    *killer = (struct killer){ .interval = test_sanitized() ? 20 * interval : interval, .random = 4711 };
    killer->steward_count = children_of(getpid(), killer->stewards, (int)LENGTH(killer->stewards));
    assert_in_range(killer->steward_count, 1, LENGTH(killer->stewards));
    assert_int_equal(pthread_create(&killer->thread, NULL, kill_workers, killer), 0);
}

/* Returns how many workers were killed. */
static inline int killer_stop(struct killer *killer)
{
    atomic_store(&killer->ended, 1);
    assert_int_equal(pthread_join(killer->thread, NULL), 0);
    return atomic_load(&killer->kills);
}

#endif
