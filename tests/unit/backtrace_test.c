/*
 * Capturing backtraces of real crashes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/sanitizer.h"
#include "crashing.h"

#ifdef __SANITIZE_THREAD__
#define THREAD_SANITIZER true
#else
#define THREAD_SANITIZER false
#endif

/* ---- a plain crash ---- */

static void a_crash_is_described_from_inside_out(void **state)
{
    (void)state;
    const char *lines = crashed(calling_the_caller);
    assert_int_equal(strncmp(lines, "#0 ", 3), 0);
    expect_function(lines, 0, "writing_to_nowhere", writing_line);
    expect_function(lines, 1, "calling_the_writer", calling_line);
    expect_function(lines, 2, "calling_the_caller", 0);
    expect_function(lines, 3, "survive", 0);
}

/* ---- calls of bad addresses ---- */

static void (*volatile bad)(void);
static _Atomic int bad_line;

__attribute__((noinline)) static void calling_a_bad_address(void)
{
    bad_line = __LINE__ + 1;
    bad();
    NOT_THE_LAST_CALL();
}

__attribute__((noinline)) static void calling_the_caller_of_a_bad_address(void)
{
    calling_a_bad_address();
    NOT_THE_LAST_CALL();
}

static void expect_caller_of(uintptr_t address)
{
    bad = (void (*)(void))address;
    const char *lines = crashed(calling_the_caller_of_a_bad_address);
    assert_true(crash.addresses[0] == address);
    expect_function(lines, 1, "calling_a_bad_address", bad_line);
    expect_function(lines, 2, "calling_the_caller_of_a_bad_address", 0);
}

static void a_call_of_null_shows_the_caller(void **state)
{
    (void)state;
    expect_caller_of(0);
    assert_int_equal(strncmp(text, "#0 0x0\n", 7), 0);
}

static void a_call_of_unmapped_memory_shows_the_caller(void **state)
{
    (void)state;
    void *gone = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(gone, MAP_FAILED);
    assert_int_equal(munmap(gone, 4096), 0);
    expect_caller_of((uintptr_t)gone + 16);
    char line[64];
    snprintf(line, sizeof line, "#0 0x%" PRIxPTR "\n", (uintptr_t)gone + 16);
    assert_int_equal(strncmp(text, line, strlen(line)), 0);
}

static void a_call_of_data_shows_the_caller(void **state)
{
    (void)state;
    static int data[16];
    expect_caller_of((uintptr_t)data);
}

static void (*volatile bad_end)(void) __attribute__((noreturn));

/* The call is the last thing in the function: its return address is beyond. */
__attribute__((noinline)) static void calling_a_bad_address_at_its_end(void)
{
    bad_line = __LINE__ + 1;
    bad_end();
}

__attribute__((noinline)) static void calling_the_one_that_ends_badly(void)
{
    calling_a_bad_address_at_its_end();
    NOT_THE_LAST_CALL();
}

static void a_bad_call_at_the_end_shows_the_caller(void **state)
{
    (void)state;
    const char *lines = crashed(calling_the_one_that_ends_badly);
    expect_function(lines, 1, "calling_a_bad_address_at_its_end", bad_line);
    expect_function(lines, 2, "calling_the_one_that_ends_badly", 0);
    expect_function(lines, 3, "survive", 0);
}

/* ---- stacks that are used up, or spoilt ---- */

static volatile int depth;
static volatile bool enough;

/* Large frames: the stack is used up after some thousand calls, and no tool loses count. */
__attribute__((noinline)) static int using_up_the_stack(int number)
{
    volatile char frame[4096];
    memset((char *)frame, number, sizeof frame);
    depth++;
    if (enough)
        return 0;
    int result = using_up_the_stack(number + frame[7]);
    NOT_THE_LAST_CALL();
    return result + frame[result & 1023];
}

static void overflow(void)
{
    depth += using_up_the_stack(1);
}

static void a_stack_overflow_shows_the_innermost_frames(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_STACK, &limit), 0);
    if (limit.rlim_cur == RLIM_INFINITY)
        test_skip("the stack has no limit");
    const char *lines = crashed(overflow);
    assert_int_equal(crash.count, FRAMES);
    /* the innermost one may be what it called */
    for (int i = 1; i < FRAMES; i++)
        expect_function(lines, i, "using_up_the_stack", 0);
}

/* Overwrites its return address, as a string that is too long does. */
__attribute__((noinline)) static void spoiling_the_stack(void)
{
    volatile uintptr_t *frame = __builtin_frame_address(0);
    frame[0] = UINTPTR_MAX / 3;
    frame[1] = UINTPTR_MAX / 3;
    *nowhere = 1;
    NOT_THE_LAST_CALL();
}

static void an_overwritten_stack_ends_the_list(void **state)
{
    (void)state;
    const char *lines = crashed(spoiling_the_stack);
    expect_function(lines, 0, "spoiling_the_stack", 0);
    assert_int_equal(crash.count, 1);
    /* and nothing of it stays behind: the next one is whole again */
    lines = crashed(calling_the_caller);
    expect_function(lines, 2, "calling_the_caller", 0);
}

static void the_programs_own_handlers_stay(void **state)
{
    (void)state;
    struct sigaction action;
    sigset_t mask;
    signal(SIGBUS, SIG_IGN);
    survive(spoiling_the_stack, FRAMES);
    assert_int_equal(sigaction(SIGSEGV, NULL, &action), 0);
    assert_true(action.sa_flags & SA_SIGINFO);
    assert_ptr_equal((void *)action.sa_sigaction, (void *)on_crash);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    assert_int_equal(sigismember(&mask, SIGSEGV), 0);
    assert_int_equal(sigismember(&mask, SIGBUS), 0);
}

/* ---- crashes below other signals ---- */

static void on_user_signal(int number)
{
    (void)number;
    writing_to_nowhere();
    NOT_THE_LAST_CALL();
}

__attribute__((noinline)) static void raising_a_signal(void)
{
    signal(SIGUSR1, on_user_signal);
    raise(SIGUSR1);
    NOT_THE_LAST_CALL();
}

static void a_crash_in_a_signal_handler_shows_what_it_interrupted(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        test_skip("ThreadSanitizer blocks all signals in a handler");
    const char *lines = crashed(raising_a_signal);
    expect_function(lines, 0, "writing_to_nowhere", writing_line);
    expect_function(lines, 1, "on_user_signal", 0);
    /* between them is what the handler returns to; the C library's debug information, if it is there, names it */
    const char *next = find_line(lines, 3);
    const char *trampoline = strstr(find_line(lines, 2), "restore_rt");
    if (strstr(lines, "raise.c:"))
        assert_true(trampoline && trampoline < next);
    (void)expect_later(next, "raising_a_signal");
}

/* Its first instruction is the one that is interrupted. */
__attribute__((noinline)) static void trapping_at_once(void)
{
    __builtin_trap();
}

__attribute__((noinline)) static void calling_the_trap(void)
{
    signal(SIGILL, on_user_signal);
    signal(SIGTRAP, on_user_signal);
    trapping_at_once();
    NOT_THE_LAST_CALL();
}

static void an_interrupted_first_instruction_is_in_its_function(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        test_skip("ThreadSanitizer blocks all signals in a handler");
    const char *lines = crashed(calling_the_trap);
    expect_function(lines, 1, "on_user_signal", 0);
    expect_function(lines, 3, "trapping_at_once", 0);
    expect_function(lines, 4, "calling_the_trap", 0);
}

__attribute__((noinline)) static void giving_up(void)
{
    abort();
}

static void an_abort_shows_who_aborted(void **state)
{
    (void)state;
    const char *lines = crashed(giving_up);
    assert_non_null(strstr(find_line(lines, 0), "(libc.so"));
    (void)expect_later(find_line(lines, 1), "giving_up");
}

/* ---- limits ---- */

static void no_more_is_captured_than_asked_for(void **state)
{
    (void)state;
    for (int max = 1; max < 4; max++) {
        memset(crash.addresses, 0xff, sizeof crash.addresses);
        survive(calling_the_caller, max);
        assert_int_equal(crash.count, max);
        assert_true(crash.addresses[max] == UINT64_MAX);
        bad = NULL;
        survive(calling_the_caller_of_a_bad_address, max);
        assert_int_equal(crash.count, max);
        assert_true(crash.addresses[max] == UINT64_MAX);
    }
    survive(calling_the_caller, 0);
    assert_int_equal(crash.count, 0);
}

/* ---- several threads ---- */

struct again {
    pthread_t thread;
    int number;
    int broken;
};

static void *crash_again_and_again(void *arg)
{
    struct again *again = arg;
    thread = again->number;
    nowhere += 64 * (ptrdiff_t)thread; /* each its own: two stores to one place are a race, even to no place */
    for (int i = 0; i < test_scale(2000); i++) {
        survive(calling_the_caller, FRAMES);
        /* while another thread captures, the first address is all there is */
        uintptr_t distance = crash.addresses[0] - (uintptr_t)writing_to_nowhere;
        if (crash.count < 1 || distance > 4096)
            again->broken++;
    }
    sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
    return NULL;
}

static void threads_may_crash_at_once(void **state)
{
    (void)state;
    struct again again[THREADS];
    for (int i = 0; i < THREADS; i++) {
        again[i] = (struct again){ .number = 1 + i };
        assert_int_equal(pthread_create(&again[i].thread, NULL, crash_again_and_again, &again[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(again[i].thread, NULL), 0);
        assert_int_equal(again[i].broken, 0);
    }
    const char *lines = crashed(calling_the_caller);
    expect_function(lines, 2, "calling_the_caller", 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a crash is described from the inside out", a_crash_is_described_from_inside_out),
        TEST("a call of NULL shows the caller", a_call_of_null_shows_the_caller),
        TEST("a call of unmapped memory shows the caller", a_call_of_unmapped_memory_shows_the_caller),
        TEST("a call of data shows the caller", a_call_of_data_shows_the_caller),
        TEST("a bad call at the end of a function shows the caller", a_bad_call_at_the_end_shows_the_caller),
        TEST("a stack overflow shows the innermost frames", a_stack_overflow_shows_the_innermost_frames),
        TEST("an overwritten stack ends the list", an_overwritten_stack_ends_the_list),
        TEST("the program's own handlers stay", the_programs_own_handlers_stay),
        TEST("a crash in a signal handler shows what it interrupted",
             a_crash_in_a_signal_handler_shows_what_it_interrupted),
        TEST("a function interrupted at its first instruction is not mistaken for the one before",
             an_interrupted_first_instruction_is_in_its_function),
        TEST("an abort shows who aborted", an_abort_shows_who_aborted),
        TEST("no more is captured than asked for", no_more_is_captured_than_asked_for),
        TEST("several threads may crash at once", threads_may_crash_at_once),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
