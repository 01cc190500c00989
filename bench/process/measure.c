/* What the C programs of this benchmark share; see measure.h. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* processor sets */
#include "measure.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const bench_known[] = { "times",    "milliseconds", "how", "resident", "over", "size",
                                    "capacity", "pause",        "of",  "by",       "near", NULL };

static int64_t end_of_time(int64_t start)
{
    return start + 1000000 * (int64_t)bench_number("milliseconds", 50);
}

static void print(const char *name, int64_t time, long count)
{
    if (count == 0)
        bench_fail("%s: nothing was done", name);
    bench_print_each(name, time, count);
}

void bench_alone(const char *name, bench_work *work, void *arg)
{
    for (long turn = 0, times = bench_number("times", 3); turn <= times; turn++) {
        int64_t start = bench_now();
        long count = work(arg, end_of_time(start));
        if (turn > 0)
            print(name, bench_now() - start, count);
    }
}

/* ---- two sides ---- */

/* What one side did in one time. */
struct stretch {
    int64_t start, end;
    struct bench_done done;
};

/* In memory that both sides and who waits for them see. */
struct match {
    pthread_barrier_t together;
    struct stretch stretches[]; /* of the first time both sides', of the second, ... */
};

struct player {
    struct match *match;
    bench_side *side;
    void *arg;
    int number;
};

static cpu_set_t allowed; /* to the program, before its sides are held on one each */

bool bench_two_processors(void)
{
    if (CPU_COUNT(&allowed) == 0)
        bench_must("sched_getaffinity", sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    return CPU_COUNT(&allowed) > 1;
}

/* Holds the caller on the first or on the last processor that the program may use. */
static void stay(bool last)
{
    bench_two_processors();
    int chosen = -1;
    for (int i = 0; i < CPU_SETSIZE && (last || chosen < 0); i++)
        if (CPU_ISSET(i, &allowed))
            chosen = i;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    bench_must("sched_setaffinity", sched_setaffinity(0, sizeof one, &one) == 0);
}

static void *play(void *arg)
{
    struct player *player = arg;
    stay(player->number == 1 && !bench_number("near", 0));
    for (long turn = 0, times = bench_number("times", 3); turn <= times; turn++) {
        struct stretch *stretch = &player->match->stretches[2 * turn + player->number];
        pthread_barrier_wait(&player->match->together);
        stretch->start = bench_now();
        stretch->done = player->side(player->arg, player->number, end_of_time(stretch->start));
        stretch->end = bench_now();
    }
    return NULL;
}

static void play_in_processes(struct player players[])
{
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        bench_must("fork", (children[i] = fork()) >= 0);
        if (children[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* a program that fails leaves nobody behind */
            play(&players[i]);
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status;
        bench_must("waitpid", waitpid(-1, &status, 0) > 0); /* whoever ends first: if it failed, the other never ends */
        if (status != 0)
            bench_fail("a side has failed");
    }
}

static void play_in_threads(struct player players[])
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, play, &players[i]) != 0)
            bench_fail("no thread");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

/* The time from the first's beginning to the last's end, unless they took it themselves. */
static void print_stretches(const char *name, const struct stretch both[])
{
    int64_t start = both[0].start < both[1].start ? both[0].start : both[1].start;
    int64_t end = both[0].end > both[1].end ? both[0].end : both[1].end;
    int64_t taken = both[0].done.nanoseconds + both[1].done.nanoseconds;
    print(name, taken ? taken : end - start, both[0].done.count + both[1].done.count);
}

void bench_both(const char *name, enum bench_sides sides, bench_side *side, void *arg)
{
    long times = bench_number("times", 3);
    size_t size = sizeof(struct match) + 2 * (size_t)(times + 1) * sizeof(struct stretch);
    struct match *match = bench_shared(size);
    pthread_barrierattr_t shared;
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    if (pthread_barrier_init(&match->together, &shared, 2) != 0)
        bench_fail("no barrier");
    struct player players[2];
    for (int i = 0; i < 2; i++)
        players[i] = (struct player){ .match = match, .side = side, .arg = arg, .number = i };
    if (sides == BENCH_PROCESSES)
        play_in_processes(players);
    else
        play_in_threads(players);
    for (long turn = 1; turn <= times; turn++)
        print_stretches(name, &match->stretches[2 * turn]);
    bench_unshare(match, size);
}

/* ---- memory ---- */

void *bench_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    bench_must("mmap", memory != MAP_FAILED);
    return memory;
}

void bench_unshare(void *memory, size_t size)
{
    munmap(memory, size);
}

char *bench_resident(void)
{
    size_t size = (size_t)bench_number("resident", 0) << 20;
    char *memory = malloc(size + 1);
    bench_must("malloc", memory != NULL);
    memset(memory, 0x5a, size + 1);
    return memory;
}
