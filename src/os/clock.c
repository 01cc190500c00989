/* The monotonic clock. SPDX-License-Identifier: MIT */
#include "os/clock.h"

#include <sched.h>
#include <time.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/pretend.h"

static int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    salp__must(clock_gettime(clock, &time) == 0);
    return salp__pretended_now(time.tv_sec * SALP_SECONDS(1) + time.tv_nsec);
}

int64_t salp__now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t salp__now_about(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t salp__thread_cpu(void)
{
    struct timespec time;
    salp__must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return time.tv_sec * SALP_SECONDS(1) + time.tv_nsec;
}

int64_t salp_now(void)
{
    return salp__now();
}

int64_t salp__later(int64_t nanoseconds)
{
    int64_t end;
    if (__builtin_add_overflow(salp__now(), nanoseconds, &end))
        return SALP_FOREVER;
    return end;
}

void salp__doze(int64_t nanoseconds)
{
    struct timespec time = { .tv_sec = nanoseconds / SALP_SECONDS(1), .tv_nsec = nanoseconds % SALP_SECONDS(1) };
    nanosleep(&time, NULL);
}

void salp__give_way(void)
{
    sched_yield();
}
