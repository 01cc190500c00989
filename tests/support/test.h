/*
 * What a test file of Salp stands on: cmocka, and one process for each test.
 *
 *     static void a_map_returns_every_result(void **state) { ... assert_int_equal(...) ... }
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const struct test tests[] = {
 *             TEST("a closed pool refuses a map", a_closed_pool_refuses_a_map),
 *             TEST_ENGINES("a map returns every result in its place", a_map_returns_every_result),
 *         };
 *         return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
 *     }
 *
 * test_main prints TAP. `prog --list` prints the names of the tests, `prog TEXT` runs those whose
 * name contains TEXT.
 *
 * Each test runs in a process of its own, with standard input from /dev/null and no core file. It
 * fails when an assertion fails, when the process ends in any other way than by returning from the
 * test function, when it takes longer than its limit, and when it leaves something behind:
 *   - descriptors and threads, looked for when the test function has returned;
 *   - memory, if AddressSanitizer is there to tell;
 *   - processes, wherever in the tree below the test, and entries in /dev/shm: looked for when the
 *     test's process has ended.
 * What is left over gets a few seconds to go by itself. Whatever happens, no process of a test
 * lives on when the next one starts.
 *
 * Assertions belong to the thread and the process that the test function runs in: a job or a thread
 * of the test's own returns or stores what it saw, and the test function asserts it.
 *
 * cmocka catches SIGSEGV and its like to print a message. Here they have their default effect,
 * because handlers would be inherited by workers, and a test that crashes is seen by its parent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

#include <cmocka.h>

#include <salp.h>

struct test {
    const char *name; /* a sentence that says what holds */
    void (*function)(void **state);
    int limit;      /* seconds; ten times as many in slow builds, see test_slow */
    bool engines;   /* run once for each engine, see test_engine */
    bool processes; /* needs a pool of processes, also if it is run once */
};

#define TEST_SECONDS 30

/* What is it called, which function shows it; how many seconds may it take (else TEST_SECONDS). */
#define TEST(name, function)                       \
    {                                              \
        name, function, TEST_SECONDS, false, false \
    }
#define TEST_LIMIT(name, function, seconds)   \
    {                                         \
        name, function, seconds, false, false \
    }
/* The same, of a test that opens pools of processes itself. */
#define TEST_PROCESSES(name, function)            \
    {                                             \
        name, function, TEST_SECONDS, false, true \
    }
/* The same, once on threads and once on processes. */
#define TEST_ENGINES(name, function)              \
    {                                             \
        name, function, TEST_SECONDS, true, false \
    }
#define TEST_ENGINES_LIMIT(name, function, seconds) \
    {                                               \
        name, function, seconds, true, false        \
    }

/* Ends the test, from any task or thread: there is no way back to the framework from another stack. */
#define EXPECT(condition)                                                             \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "# %s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* Runs the tests and returns the exit status for main: 0 when none failed. */
int test_main(int argc, char **argv, const struct test *tests, size_t count);

/* In a test: the engine that this run is for. */
salp_engine test_engine(void **state);

/* Ends the test as skipped. The reason says what is missing. */
void test_skip(const char *reason) __attribute__((noreturn));

/* Ends the test as skipped where the system cannot execute this program anew: that of an emulated processor. */
void test_needs_execution(void);

/*
 * The test knowingly leaves so many descriptors open: those of something that lives as long as the
 * program. More than that still fails the test.
 */
void test_keeps_descriptors(int count);

bool test_sanitized(void); /* built with AddressSanitizer or ThreadSanitizer */
bool test_slow(void);      /* that, or the hostile build, cross-built or under valgrind: limits are ten times as long */
int test_scale(int n);     /* n; a tenth of it, but at least 1, with a sanitizer or under valgrind */

int test_count_descriptors(void);   /* open in this process */
int test_count_children(pid_t pid); /* living descendants of a process; zombies do not count */

/*
 * Waits until a process no longer exists, not even as a zombie: somebody has to have reaped it.
 * A process whose parent has ended is reaped by the test's own parent.
 * Returns false when `within` nanoseconds were not enough.
 */
bool test_gone(pid_t pid, int64_t within);

#ifdef __cplusplus
}
#endif

#endif
