/*
 * Helpers of tests of shared objects: processes that use one together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SHARED_H
#define SHARED_H

#include "processes.h"
#include "tasks.h"

#include <signal.h>
#include <sys/mman.h>

#include <salp/sync.h>

#include "shared/segment.h"

/* What processes of a test tell each other; a program of the test's starts with zeros. */
static struct board {
    atomic_int ready;
    atomic_int go;
    atomic_int count[8];
    long counter; /* under whatever is tested */
} * board;

static inline void board_open(void)
{
    board = shared_memory(sizeof *board);
}

/* Starts `function` in a fork: alone, or as the first task of a loop there. Its result is the exit status. */
static inline pid_t start_process(bool in_loop, salp_fn *function, void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        int result = in_loop ? salp_run(function, arg) : function(arg);
        _exit(result == 0 ? 0 : 1);
    }
    return pid;
}

static inline void ends_well(pid_t pid)
{
    assert_int_equal(end_of_program(pid), 0);
}

static inline void kill_process(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(end_of_program(pid), 1000 + SIGKILL);
}

/* The memory of an object, seen from outside. */
static inline salp__segment *look_into(int fd)
{
    salp__segment *segment = mmap(NULL, sizeof *segment + 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(segment != MAP_FAILED);
    return segment;
}

static inline void look_away(salp__segment *segment)
{
    EXPECT(munmap(segment, sizeof *segment + 1) == 0);
}

/* How many wait, or were granted something that they have not taken up. */
static inline int waiting_in(const salp__segment *segment)
{
    int count = 0;
    for (uint64_t i = 0; i < segment->nodes_used; i++)
        count += segment->nodes[i].state != SALP__NODE_FREE;
    return count;
}

static inline int participants_of(const salp__segment *segment)
{
    int count = 0;
    for (int i = 0; i < SALP__PARTICIPANTS; i++)
        count += segment->participants[i].identity != 0;
    return count;
}

/* Until so many wait; false when patience was not enough. */
static inline bool come_to_wait(int fd, int wanted)
{
    salp__segment *segment = look_into(fd);
    int64_t end = clock_now() + patience();
    while (waiting_in(segment) != wanted && clock_now() < end)
        doze(SALP_MICROSECONDS(100));
    bool come = waiting_in(segment) == wanted;
    look_away(segment);
    return come;
}

#endif
