/*
 * What the sanitizers are told in every program that is built with them, so that a test can also be
 * run by hand or in a debugger. The variables ASAN_OPTIONS and so on still have the last word.
 *
 * SPDX-License-Identifier: MIT
 */

#define DEFAULTS(function)                                             \
    __attribute__((visibility("default"))) const char *function(void); \
    const char *function(void)

/*
 * Faults belong to whoever catches them: in a worker that is the library, elsewhere the default
 * effect is what the parent wants to see. Memory that does not exist gives NULL, as from malloc.
 */
#define SIGNALS_ARE_OURS                                                                             \
    "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:handle_sigtrap=0:" \
    "allow_user_segv_handler=1:use_sigaltstack=0:allocator_may_return_null=1"

DEFAULTS(__asan_default_options)
{
    return SIGNALS_ARE_OURS ":detect_leaks=1:detect_stack_use_after_return=0:exitcode=99";
}

/* A worker is forked from a program that may have threads, and then runs on. A process with threads waits at its end for what
   they may still do wrong: not for a second, as there are tests that end hundreds. */
DEFAULTS(__tsan_default_options)
{
    return SIGNALS_ARE_OURS ":die_after_fork=0:second_deadlock_stack=1:atexit_sleep_ms=20:exitcode=99";
}

DEFAULTS(__ubsan_default_options)
{
    return "print_stacktrace=1";
}
