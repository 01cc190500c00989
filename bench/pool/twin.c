/* Plain twins; see twin.h. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* processor sets */
#include "twin.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

struct bench_echo {
    sem_t to_child;
    sem_t to_parent;
    int64_t message; /* crosses there and back: the child adds one */
    pid_t child;
};

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        if (errno != EINTR)
            bench_fail("sem_wait failed");
}

static cpu_set_t allowed;

/* Holds this process on the first or the last processor that it may use. */
static void stay(bool last)
{
    if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        bench_fail("no processors");
    int chosen = -1;
    for (int i = 0; i < CPU_SETSIZE && (last || chosen < 0); i++)
        if (CPU_ISSET(i, &allowed))
            chosen = i;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        bench_fail("sched_setaffinity failed");
}

void bench_stay_near(void)
{
    stay(false);
}

void bench_stay_free(void)
{
    if (sched_setaffinity(0, sizeof allowed, &allowed) != 0)
        bench_fail("sched_setaffinity failed");
}

struct bench_echo *bench_echo_new(bool far)
{
    struct bench_echo *echo = mmap(NULL, sizeof *echo, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (echo == MAP_FAILED || sem_init(&echo->to_child, 1, 0) != 0 || sem_init(&echo->to_parent, 1, 0) != 0)
        bench_fail("no semaphores");
    pid_t child = fork();
    if (child < 0)
        bench_fail("no process for the echo");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a program that fails leaves nobody behind */
        if (far)
            stay(true);
    }
    while (child == 0) {
        wait_for(&echo->to_child);
        if (echo->message < 0)
            _exit(0);
        echo->message++;
        sem_post(&echo->to_parent);
    }
    echo->child = child;
    return echo;
}

int64_t bench_echo_round_trip(struct bench_echo *echo)
{
    echo->message = 41;
    int64_t start = bench_now();
    sem_post(&echo->to_child);
    wait_for(&echo->to_parent);
    int64_t time = bench_now() - start;
    if (echo->message != 42)
        bench_fail("the echo answered wrongly");
    return time;
}

void bench_echo_free(struct bench_echo *echo)
{
    echo->message = -1;
    sem_post(&echo->to_child);
    if (waitpid(echo->child, NULL, 0) != echo->child)
        bench_fail("the echo is gone");
    munmap(echo, sizeof *echo);
}

int64_t bench_forks(int count)
{
    int64_t start = bench_now();
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(i);
        int status = -1;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != i)
            bench_fail("a fork failed");
    }
    return bench_now() - start;
}
