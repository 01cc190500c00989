/*
 * What a dying process writes down about its end, for whoever finds it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CRASH_H
#define SALP__CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/pool.h>

/*
 * In memory that outlives the process. `signal` is stored last (release); whoever reads the note does so after the
 * process has ended, which orders everything.
 */
typedef struct salp__crash_note {
    _Atomic int signal; /* 0: nothing was written down */
    int frames;
    uint64_t address;
    uint64_t addresses[SALP_BACKTRACE_MAX];
} salp__crash_note;

/*
 * Handlers for the signals of faults (SEGV, BUS, ILL, FPE, ABRT, TRAP, SYS), on a stack of their own, which fill in the
 * note. A handler that the program had installed before is called afterwards, else the process ends by the signal.
 */
void salp__crash_watch(salp__crash_note *note);

/* Whether it was this process that called it last: not a fork that its function has made. */
bool salp__crash_is_watched(void);

/* Has what is mapped kept with the note, as text, since the addresses mean nothing in a process that has it elsewhere. */
void salp__crash_keep_mappings(char *text, size_t size);

/* exit() or pthread_exit() called by a job ends the process with that status at once: what the program registered with atexit was meant
   for the program, not for its worker. Standard output is flushed. */
void salp__crash_watch_exit(void);

/* What of this can be done once, before there is a process. */
void salp__crash_prepare(void);

/* Calls function(arg). pthread_exit in there ends the process as above, also before main, where the C library has nothing to go back
   to. */
int salp__crash_call(int (*function)(void *arg), void *arg);

/* Throws away what the program had not flushed when this process was forked: it will flush it itself. */
void salp__forget_unflushed(void);
void salp__flush_output(void);

#endif
