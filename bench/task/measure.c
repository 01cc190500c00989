/* What the C programs of this benchmark share; see measure.h. SPDX-License-Identifier: MIT */
#include "measure.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const bench_known[] = { "count", "times",  "tasks", "capacity",     "producers", "consumers", "on",
                                    "calls", "bursts", "how",   "milliseconds", "alone",     NULL };

static void *sleep_for_ever(void *arg)
{
    for (;;)
        bench_pause(INT64_MAX);
    return arg;
}

void bench_not_alone(void)
{
    static pthread_t other;
    if (!other && !bench_number("alone", 0) && pthread_create(&other, NULL, sleep_for_ever, NULL) != 0)
        bench_fail("no thread");
}

void bench_repeat(const char *name, bench_run *run, long count, void *arg)
{
    long times = bench_number("times", 5);
    count = bench_number("count", count);
    bench_not_alone();
    for (long i = 0; i <= times; i++) {
        int64_t time = run(count, arg);
        if (i > 0)
            bench_print_each(name, time, count);
    }
}

/* ---- threads ---- */

struct crew {
    bench_body *body;
    void *arg;
    pthread_barrier_t together;
};

struct member {
    struct crew *crew;
    int number;
    pthread_t thread;
    int64_t start, end;
};

static void *work(void *arg)
{
    struct member *member = arg;
    pthread_barrier_wait(&member->crew->together);
    member->start = bench_now();
    member->crew->body(member->crew->arg, member->number);
    member->end = bench_now();
    return NULL;
}

int64_t bench_on_threads(int count, bench_body *body, void *arg)
{
    struct crew crew = { .body = body, .arg = arg };
    struct member *members = calloc((size_t)count, sizeof *members);
    if (!members || pthread_barrier_init(&crew.together, NULL, (unsigned)count) != 0)
        bench_fail("no memory for %d threads", count);
    for (int i = 0; i < count; i++) {
        members[i] = (struct member){ .crew = &crew, .number = i };
        if (pthread_create(&members[i].thread, NULL, work, &members[i]) != 0)
            bench_fail("no thread");
    }
    int64_t start = INT64_MAX, end = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(members[i].thread, NULL);
        start = members[i].start < start ? members[i].start : start;
        end = members[i].end > end ? members[i].end : end;
    }
    pthread_barrier_destroy(&crew.together);
    free(members);
    return end - start;
}

/* ---- checks, and what the system counts ---- */

void bench_expect(const char *what, int64_t found, int64_t expected)
{
    if (found != expected)
        bench_fail("%s: %lld and not %lld", what, (long long)found, (long long)expected);
}

int64_t bench_sum(long count)
{
    return (int64_t)count * (count - 1) / 2;
}

int64_t bench_resident(void)
{
    return 1024 * bench_lines("/proc/self/status", (const char *const[]){ "VmRSS:", "VmPTE:", NULL });
}

int64_t bench_sleeps_of(int thread)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    return bench_lines(path, (const char *const[]){ "voluntary_ctxt_switches:", NULL });
}

int64_t bench_later(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return 3600000 + (int64_t)(*state >> 33) % 3600000;
}
