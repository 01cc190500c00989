/*
 * Fault handlers of a worker process.
 *
 * The handler runs in a process that has gone wrong. It touches only the note, its own stack and the unwinder
 * (os/backtrace.c), which neither locks nor allocates and catches faults of its own. The address and the signal number,
 * which makes the note valid, are written before it is called all the same: whatever happens then, they stand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/crash.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>

#include "base/assert.h"
#include "os/mappings.h"
#include "os/process.h"
#include "os/symbols.h"
#include "os/thread.h"

enum { STACK_SIZE = 64 * 1024 };

static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
enum { FAULT_COUNT = sizeof faults / sizeof *faults };

/* Handlers get no argument of ours, so this has to be found from nowhere. One process is one worker. */
static salp__crash_note *note_here;
static char *mappings_here; /* or NULL */
static size_t mappings_size;
static pid_t process_here; /* a fork of it has no note to write */
static struct sigaction before[FAULT_COUNT];
static _Alignas(64) char stack[STACK_SIZE]; /* memory only once a handler runs on it, and no call that could fail */

static bool has_address(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (faults[i] != number)
            continue;
        if (before[i].sa_flags & SA_SIGINFO) {
            before[i].sa_sigaction(number, info, context);
            return;
        }
        if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
            before[i].sa_handler(number);
            return;
        }
    }
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigaction(number, &action, NULL);
    /* A fault comes again when its instruction does. A signal that was sent does not, nor do those of a breakpoint or a
       refused system call, which have the instruction behind them. */
    if (info->si_code <= 0 || number == SIGTRAP || number == SIGSYS)
        raise(number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    salp__crash_note *note = note_here;
    if (!salp__crash_is_watched()) {
        pass_on(number, info, context);
        return;
    }
    note->address = has_address(number) && info->si_code > 0 ? (uint64_t)(uintptr_t)info->si_addr : 0;
    note->frames = 0;
    /* release: the reader waits for the end of this process; the order matters to the compiler alone. */
    atomic_store_explicit(&note->signal, number, memory_order_release);
    if (mappings_here)
        salp__mappings_keep(mappings_here, mappings_size);
    note->frames = salp__backtrace_capture(context, note->addresses, SALP_BACKTRACE_MAX);
    pass_on(number, info, context);
}

static inline void watch_fault(int i, int number)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    struct sigaction found;
    salp__must(sigaction(number, &action, &found) == 0);
    /* In a fork of one that watches itself, ours was there; what was before that is still known. */
    if (!(found.sa_flags & SA_SIGINFO) || found.sa_sigaction != on_fault)
        before[i] = found;
}

void salp__crash_watch(salp__crash_note *note)
{
    salp__must(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = STACK_SIZE }, NULL) == 0);
    note_here = note;
    mappings_here = NULL;
    process_here = salp__process_self();
#pragma GCC unroll 7 /* so that a fork need not find the page that the numbers are in */
    for (int i = 0; i < FAULT_COUNT; i++)
        watch_fault(i, faults[i]);
}

bool salp__crash_is_watched(void)
{
    return salp__process_self() == process_here;
}

void salp__crash_keep_mappings(char *text, size_t size)
{
    mappings_here = text;
    mappings_size = size;
}

static void on_exit_called(int status, void *arg)
{
    (void)arg;
    salp__flush_output();
    salp__process_leave(status);
}

/* pthread_exit in a job: with other threads left, the process would live on, and nobody would hear of the item. */
static void on_thread_exit(void *arg)
{
    on_exit_called(0, arg);
}

static pthread_key_t
    exit_key; /* on_thread_exit is called for threads that have a value in it: in processes of Salp's */
static bool exit_key_made;

static void make_exit_key(void)
{
    exit_key_made = pthread_key_create(&exit_key, on_thread_exit) == 0;
}

void salp__crash_prepare(void)
{
    static salp__once once = SALP__ONCE;
    salp__do_once(&once, make_exit_key);
}

__attribute__((destructor)) static void drop_exit_key(void)
{
    if (exit_key_made)
        (void)pthread_key_delete(exit_key);
}

void salp__crash_watch_exit(void)
{
    if (!exit_key_made)
        salp__crash_prepare();
    if (exit_key_made)
        (void)pthread_setspecific(exit_key, &note_here); /* any value but NULL has the function called */
    /* on_exit, since atexit does not tell the status; registered last, so called first. No memory: exit() then runs
       the program's own handlers as well, which is what a plain fork does. */
    (void)on_exit(on_exit_called, NULL);
}

int salp__crash_call(int (*function)(void *arg), void *arg)
{
    int result;
    pthread_cleanup_push(on_thread_exit, NULL);
    result = function(arg);
    pthread_cleanup_pop(0);
    return result;
}

/* What is empty is left alone: to touch it would have its page copied for this process. As __fpending, to call which would
   have the page found that it is in; of a stream of wide characters only that can tell. */
static bool is_pending(FILE *file)
{
    return file->_mode > 0 ? __fpending(file) > 0 : file->_IO_write_ptr > file->_IO_write_base;
}

void salp__forget_unflushed(void)
{
    if (is_pending(stdout))
        __fpurge(stdout);
    if (is_pending(stderr))
        __fpurge(stderr);
}

void salp__flush_output(void)
{
    if (is_pending(stdout))
        fflush(stdout);
    if (is_pending(stderr))
        fflush(stderr);
}
