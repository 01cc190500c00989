/*
 * starts.c - the case of process-plain about starting processes.
 *
 *   how=fork    fork
 *   how=vfork   vfork: the child borrows the memory, and this program stands still until it has ended
 *   how=spawn   posix_spawn of this program, whose case "nothing" ends at once
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* environ */
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "measure.h"
#include "plain.h"

static pid_t start_fork(int status)
{
    pid_t child = fork();
    if (child == 0)
        _exit(status);
    return child;
}

static pid_t start_vfork(int status)
{
    pid_t child = vfork();
    if (child == 0)
        _exit(status);
    return child;
}

static pid_t start_spawn(int status)
{
    char text[8] = { (char)('0' + status / 10), (char)('0' + status % 10) };
    pid_t child;
    int error = posix_spawn(&child, "/proc/self/exe", NULL, NULL,
                            (char *[]){ (char[]){ "process-plain" }, (char[]){ "nothing" }, text, NULL }, environ);
    return error ? -1 : child;
}

struct way {
    const char *how;
    pid_t (*start)(int status);
};

static long start_and_wait(void *arg, int64_t until)
{
    const struct way *way = arg;
    long count = 0;
    for (; count == 0 || bench_now() < until; count++) {
        int expected = (int)(count % 100), status;
        pid_t child = way->start(expected);
        bench_must("start", child >= 0);
        bench_must("waitpid", waitpid(child, &status, 0) == child);
        bench_expect("the status of a child", status, W_EXITCODE(expected, 0));
    }
    return count;
}

void bench_case_start(void)
{
    static struct way ways[] = { { "fork", start_fork }, { "vfork", start_vfork }, { "spawn", start_spawn }, { 0 } };
    struct way *way = ways;
    while (way->how && strcmp(way->how, bench_text("how", "fork")) != 0)
        way++;
    if (!way->how)
        bench_fail("a process is not started how=%s here", bench_text("how", ""));
    char *memory = bench_resident();
    bench_alone("start", start_and_wait, way);
    free(memory);
}
