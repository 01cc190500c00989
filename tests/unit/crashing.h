/*
 * Crashing on purpose, and looking at the backtrace: captured by a handler on a stack of its own, which then leaps out,
 * and described in the process that survived so.
 *
 * The functions that crash call each other in ways that no compiler may shorten, so that their names and lines can be
 * expected one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CRASHING_H
#define CRASHING_H

#include "test.h"

#include <signal.h>

#include "os/context.h"
#include "os/symbols.h"

enum { FRAMES = SALP_BACKTRACE_MAX, STACK = 256 * 1024, TEXT = 64 * 1024, THREADS = 3 };

/* Keeps a frame on the stack: what comes before is a call, not a jump. */
#define NOT_THE_LAST_CALL() __asm__ volatile("" ::: "memory")

/* ---- crashing ---- */

/* One thread's crash. */
struct crash {
    sigjmp_buf back;
    uint64_t addresses[FRAMES];
    int count;
    int max;
    bool unchanged; /* the interrupted code's registers */
};

/* Far from all other stacks: valgrind and ThreadSanitizer tell stacks apart by their distance. */
static char handler_stacks[1 + THREADS][STACK];
static _Thread_local int thread; /* 0: the first */
static _Thread_local struct crash crash;
static char text[TEXT];

static inline void on_crash(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    salp__frame before = salp__context_get(context);
    crash.count = salp__backtrace_capture(context, crash.addresses, crash.max);
    salp__frame after = salp__context_get(context);
    crash.unchanged = before.instruction == after.instruction && before.stack == after.stack;
    siglongjmp(crash.back, 1);
}

static inline void watch(const int signals[], int count)
{
    assert_int_equal(sigaltstack(&(stack_t){ .ss_sp = handler_stacks[thread], .ss_size = STACK }, NULL), 0);
    for (int i = 0; i < count; i++) {
        struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        sigemptyset(&action.sa_mask);
        assert_int_equal(sigaction(signals[i], &action, NULL), 0);
    }
}

/* Runs the function until it crashes. */
static inline void survive(void (*function)(void), int max)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    watch(signals, sizeof signals / sizeof *signals);
    crash.max = max;
    crash.count = -1;
    if (sigsetjmp(crash.back, 1) == 0) {
        function();
        fail_msg("it did not crash");
    }
    assert_true(crash.unchanged);
}

/* The text for what was captured last. */
static inline const char *described(void)
{
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    size_t length = salp__symbols_describe(symbols, crash.addresses, crash.count, text, sizeof text);
    salp__symbols_close(symbols);
    assert_int_equal(length, strlen(text));
    return text;
}

static inline const char *crashed(void (*function)(void))
{
    survive(function, FRAMES);
    return described();
}

/* ---- looking at the text ---- */

static inline const char *program_name(void)
{
    static char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    return strrchr(path, '/') + 1;
}

static inline const char *find_line(const char *from, int number)
{
    char start[16];
    snprintf(start, sizeof start, "#%d ", number);
    const char *line = from;
    while (line && strncmp(line, start, strlen(start)) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        fail_msg("no line %d in:\n%s", number, from);
    return line;
}

/* The length of a path that names this header or the test's own file, as debug information does; else 0. */
static inline size_t own_file(const char *path)
{
    static const char *const own[] = { __FILE__, __BASE_FILE__ };
    size_t length = strcspn(path, ":\n");
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const char *slash = strrchr(own[i], '/');
        const char *name = slash ? slash + 1 : own[i];
        size_t size = strlen(name);
        if (length >= size && memcmp(path + length - size, name, size) == 0)
            return length;
    }
    return 0;
}

/* Line `number` is of this function, in a file of ours, at this line of the source; 0: at any. */
static inline void expect_function(const char *from, int number, const char *function, int at)
{
    const char *line = find_line(from, number);
    char start[200], end[PATH_MAX];
    snprintf(start, sizeof start, "#%d %s at ", number, function);
    const char *path = line + strlen(start);
    size_t length = strncmp(line, start, strlen(start)) == 0 ? own_file(path) : 0;
    if (length == 0 || path[length] != ':')
        fail_msg("line %d is not of %s:\n%s", number, function, from);
    char *after;
    long source = strtol(path + length + 1, &after, 10);
    if (source <= 0 || (at != 0 && source != at))
        fail_msg("line %d is not of line %d of the source:\n%s", number, at, from);
    snprintf(end, sizeof end, " (%s)\n", program_name());
    if (strncmp(after, end, strlen(end)) != 0)
        fail_msg("line %d does not end in %s:\n%s", number, end, from);
}

/* A line of this function comes after `from`; returns what follows it. */
static inline const char *expect_later(const char *from, const char *function)
{
    char name[200];
    snprintf(name, sizeof name, " %s at ", function);
    const char *found = strstr(from, name);
    if (!found)
        fail_msg("no %s in:\n%s", function, from);
    return found + strlen(name);
}

/* ---- one way to crash ---- */

/* Never mapped; not NULL, which the sanitizers look for. */
static _Thread_local volatile int *volatile nowhere = (volatile int *)4096;
static _Atomic int writing_line, calling_line; /* of the source: what crashes, and what calls it */

__attribute__((noinline, unused)) static void writing_to_nowhere(void)
{
    writing_line = __LINE__ + 1;
    *nowhere = 1;
    NOT_THE_LAST_CALL();
}

__attribute__((noinline, unused)) static void calling_the_writer(void)
{
    calling_line = __LINE__ + 1;
    writing_to_nowhere();
    NOT_THE_LAST_CALL();
}

__attribute__((noinline, unused)) static void calling_the_caller(void)
{
    calling_the_writer();
    NOT_THE_LAST_CALL();
}

#endif
