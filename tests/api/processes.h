/*
 * Helpers of tests that look at processes: who is below whom, programs that are run and killed, and
 * a lifeline that tells when the last process of a tree has gone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "jobs.h"

#include <dirent.h>
#include <poll.h>
#include <sys/wait.h>

/* In a program run by run_program, where an assertion of cmocka would have nowhere to go. */
#define OR_FAIL(condition)                                                            \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "# %s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            return 1;                                                                 \
        }                                                                             \
    } while (0)

/* The parent of a living process, or -1. Zombies count as gone. */
static inline pid_t parent_of(pid_t pid)
{
    char path[64], text[512], state = 'Z';
    int parent = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return -1;
    if (fgets(text, sizeof text, file)) {
        const char *end = strrchr(text, ')'); /* the name before it may hold anything */

        if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2)
            parent = -1;
    }
    fclose(file);
    return state == 'Z' || state == 'X' ? -1 : parent;
}

/* The living children of a process: their number, the first `max` of them in `children`. */
static inline int children_of(pid_t pid, pid_t children[], int max)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    while (proc && (entry = readdir(proc))) {
        pid_t child = (pid_t)atoi(entry->d_name);

        if (child > 0 && parent_of(child) == pid && count++ < max)
            children[count - 1] = child;
    }
    if (proc)
        closedir(proc);
    return count;
}

/* The steward of the only pool of this process. */
static inline pid_t find_steward(void)
{
    pid_t steward = -1;

    assert_int_equal(children_of(getpid(), &steward, 1), 1);
    return steward;
}

/* Runs `program` in a fork of this process. */
static inline pid_t start_program(int (*program)(void *arg), void *arg)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(program(arg));
    return pid;
}

/* Waits for it and returns its exit status, or 1000 and the signal that ended it. */
static inline int end_of_program(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) != pid)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline int run_program(int (*program)(void *arg), void *arg)
{
    return end_of_program(start_program(program, arg));
}

/*
 * A pipe whose writing end is inherited by a program, its workers and all that they start: its
 * reading end sees the end of file when the last of them has gone.
 */
struct lifeline {
    int reading;
    int writing;
};

static inline void lifeline_open(struct lifeline *line)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    line->reading = ends[0];
    line->writing = ends[1];
}

/* In the program: puts the writing end where even workers started afresh keep it. */
static inline void lifeline_hold(struct lifeline *line)
{
    close(line->reading);
    dup2(line->writing, 0);
}

/* In the test, when the program has been started. */
static inline void lifeline_watch(struct lifeline *line)
{
    close(line->writing);
    line->writing = -1;
}

/* Waits for the last holder to go: how long that took, or -1 when patience was not enough. */
static inline int64_t lifeline_wait(struct lifeline *line)
{
    int64_t start = clock_now(), end = start + patience();
    struct pollfd p = { .fd = line->reading, .events = POLLIN };

    while (clock_now() < end) {
        char byte;

        if (poll(&p, 1, 100) > 0 && read(line->reading, &byte, 1) == 0) {
            close(line->reading);
            return clock_now() - start;
        }
    }
    close(line->reading);
    return -1;
}

#endif
