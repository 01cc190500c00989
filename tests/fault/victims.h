/*
 * Processes that are killed at the n-th step of what they do with a shared object, for n = 1, 2, ... until one ends by
 * itself: SALP__STEP() in src/shared and in the objects marks the steps.
 *
 *     for (bool died = true; next_step(died);) {
 *         open what is to be tested
 *         pid_t victim = start_victim(in_loop, function, arg);
 *         ... others, and what they have to see
 *         died = end_of_victim(victim);
 *         ... look that all is well, whatever it has come to
 *     }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef VICTIMS_H
#define VICTIMS_H

#include "../api/shared.h"

#include "os/fault.h"

static long step;       /* at which the victim dies in this run; 0: between two sweeps */
static int victim_ends; /* how: as from end_of_program; -1: not known yet */

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            print_error("death at step %ld: ", step);      \
            fail_msg("line %d: %s", __LINE__, #condition); \
        }                                                  \
    } while (0)

/* false: all steps have been gone through, and there were some. */
static inline bool next_step(bool died)
{
    /* The steps are the same in all builds: of a long way, a sanitizer sees as much by every seventh. */
    long stride = test_sanitized() && step >= 20 ? 7 : 1;
    if (died) {
        step += stride;
        return true;
    }
    print_message("%ld steps\n", step - stride);
    EXPECT(step > 5);
    step = 0;
    return false;
}

/* One that dies at the step that is now its first, second, ... */
static inline pid_t start_victim_at(long nth, bool in_loop, salp_fn *function, void *arg)
{
    salp__fault_arm_death(nth);
    fflush(NULL);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        salp__fault_enter(SALP__WORKER);
        int result = in_loop ? salp_run(function, arg) : function(arg);
        salp__fault_enter(SALP__PROGRAM);
        _exit(result == 0 ? 0 : 1);
    }
    victim_ends = -1;
    return pid;
}

static inline pid_t start_victim(bool in_loop, salp_fn *function, void *arg)
{
    return start_victim_at(step, in_loop, function, arg);
}

/* Whether it has ended by now. */
static inline bool victim_has_ended(pid_t pid)
{
    int status;
    if (victim_ends < 0 && waitpid(pid, &status, WNOHANG) == pid)
        victim_ends = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    return victim_ends >= 0;
}

/* Waits for its end. Returns whether it was killed. */
static inline bool end_of_victim(pid_t pid)
{
    if (victim_ends < 0)
        victim_ends = end_of_program(pid);
    CHECK(victim_ends == 0 || victim_ends == 1000 + SIGKILL);
    salp__fault_arm_death(0);
    return victim_ends != 0;
}

/* Until so many wait, or the victim has ended, or patience has. */
static inline void waits_or_ends(pid_t victim, int fd, int wanted)
{
    salp__segment *segment = look_into(fd);
    int64_t end = clock_now() + patience();
    while (!victim_has_ended(victim) && waiting_in(segment) < wanted) {
        CHECK(clock_now() < end);
        doze(SALP_MICROSECONDS(50));
    }
    look_away(segment);
}

/* Until a value is reached, or the victim has ended. */
static inline void reaches_or_ends(pid_t victim, atomic_int *value, int wanted)
{
    int64_t end = clock_now() + patience();
    while (!victim_has_ended(victim) && atomic_load(value) < wanted) {
        CHECK(clock_now() < end);
        doze(SALP_MICROSECONDS(50));
    }
}

/* Until only so many take part: somebody else has noticed the death. */
static inline void is_buried(int fd, int left)
{
    salp__segment *segment = look_into(fd);
    int64_t end = clock_now() + patience();
    /* Burying goes on under the latch when the slot is free already. */
    while (participants_of(segment) > left || segment->latch != 0) {
        CHECK(clock_now() < end);
        doze(SALP_MICROSECONDS(50));
    }
    look_away(segment);
}

/* By one who waits in vain, and thereby notices all the dead. */
static inline void only_we_are_left(int fd, int (*wait)(void))
{
    salp__segment *segment = look_into(fd);
    int64_t time = SALP_MICROSECONDS(20);
    do {
        salp_scope scope;
        salp_scope_open(&scope, time);
        CHECK(wait() == -ETIMEDOUT);
        CHECK(salp_scope_close(&scope) == -ETIMEDOUT);
        time *= 2;
    } while (participants_of(segment) > 1 && time < patience());
    CHECK(participants_of(segment) == 1 && waiting_in(segment) == 0 && segment->latch == 0);
    look_away(segment);
}

#endif
