/*
 * Threads that a test lets fall asleep before it goes on: so that who is to be woken has something to be woken from. It is
 * read from /proc, and nothing depends on it but that the test is worth something.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLEEPERS_H
#define SLEEPERS_H

#include "jobs.h"

enum { SLEEPERS_MAX = 16 };

struct sleepers {
    atomic_int count;
    _Atomic pid_t threads[SLEEPERS_MAX];
};

/* The calling thread is one of them; it should be about to wait. */
static inline void sleepers_add(struct sleepers *sleepers)
{
    pid_t self = (pid_t)syscall(SYS_gettid);
    int i = 0;
    for (pid_t none = 0; i < SLEEPERS_MAX && !atomic_compare_exchange_strong(&sleepers->threads[i], &none, self); i++)
        none = 0;
    atomic_fetch_add(&sleepers->count, 1);
}

static inline bool sleepers_sleeps(pid_t thread)
{
    char name[64], text[512], state = 0;
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", (int)thread);
    FILE *file = fopen(name, "re");
    if (!file)
        return false;
    const char *end =
        fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL; /* the name before it may hold anything */
    fclose(file);
    return end && sscanf(end + 1, " %c", &state) == 1 && state == 'S';
}

/* How often a thread of this process has gone to sleep by itself. */
static inline long sleepers_slept(pid_t thread)
{
    char name[64], line[200];
    long count = -1;
    snprintf(name, sizeof name, "/proc/self/task/%d/status", (int)thread);
    FILE *file = fopen(name, "re");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    if (file)
        fclose(file);
    return count;
}

/* Waits until a thread that does not sleep now has done so; false when patience was not enough. */
static inline bool sleepers_sleep_once(pid_t thread)
{
    int64_t end = clock_now() + patience();
    long before = sleepers_slept(thread);
    while (sleepers_slept(thread) == before) {
        if (clock_now() > end)
            return false;
        doze(SALP_MICROSECONDS(100));
    }
    return true;
}

/* Waits until so many have come, and each has been seen asleep; false when patience was not enough. */
static inline bool sleepers_all_sleep(struct sleepers *sleepers, int wanted)
{
    int64_t end = clock_now() + patience();
    if (!reaches(&sleepers->count, wanted))
        return false;
    for (int i = 0; i < wanted; i++) {
        while (!sleepers_sleeps(atomic_load(&sleepers->threads[i]))) {
            if (clock_now() > end)
                return false;
            doze(SALP_MICROSECONDS(200));
        }
    }
    return true;
}

#endif
