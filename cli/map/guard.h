/*
 * Nothing outlives salp map: three processes that look after each other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_GUARD_H
#define CLI_MAP_GUARD_H

#include <stdatomic.h>
#include <sys/types.h>

/* What the runner has of it. */
struct map_guard {
    pid_t front; /* the process that the user has started */
    int line; /* a byte for each signal that the user has sent: its number. At its end the front is gone. The runner's */
    atomic_bool *finished; /* shared with the front; NULL: there is none */
};

/* Called by the guard when the runner and its jobs are gone, and by the front if the guard has been killed. */
typedef void map_guard_last(void *arg);

/*
 * Returns in the process that is to run the jobs, and in no other: the one that has called it waits for that, and ends as
 * it does, with its exit status or by its signal. Nothing may be open that must not be in a fork: no loop, no journal.
 *
 * Errors: -EMFILE, -ENFILE, -EAGAIN, -ENOMEM: there is no guard, and this is the process that has called.
 */
int map_guard_enter(struct map_guard *guard, map_guard_last *last, void *arg);

/*
 * The runner says that it has come to its end, and all that is left to do is to exit. A runner that exits without having said so
 * was ended by what it has loaded, whatever the status: that is told, and is an error. Nothing is done without a guard.
 */
void map_guard_finish(const struct map_guard *guard);

#endif
