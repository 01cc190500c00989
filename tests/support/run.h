/*
 * Between the runner of tests and a test's own process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_RUN_H
#define TEST_RUN_H

#include <signal.h>

#include "test.h"

enum { NAMES_MAX = 512 };

/* What the test's process tells the runner, in memory that both share. */
struct outcome {
    bool finished;
    bool failed;
    bool skipped;
    char reason[256];
};

/* One run of a test: what it is, and what came of it. */
struct run {
    const struct test *test;
    bool has_engine;
    salp_engine engine;
    int number; /* in the TAP output */
    pid_t pid;  /* 0 once it was reaped */
    int output; /* memory with what the test printed */
    int status; /* as from waitpid */
    bool overdue;
    struct outcome *outcome;
};

/* The names in a folder; those that do not fit are left out. */
struct names {
    int count;
    char name[NAMES_MAX][64];
};

void names_read(const char *folder, struct names *names);
bool names_have(const struct names *names, const char *name);

extern int test_grace_seconds; /* instead of the usual time for what goes by itself; 0: usual */

int64_t test_milliseconds(void); /* since some moment */
int64_t test_grace(void);        /* milliseconds for what goes by itself */
void test_pause(void);           /* a millisecond */
void test_must(bool condition, const char *what);

/* Runs the test in this process, which was forked for it, and ends the process. */
_Noreturn void run_here(const struct run *run, const sigset_t *signals, pid_t runner);

#endif
