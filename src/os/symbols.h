/*
 * Backtraces: capturing one in a process that has crashed, and describing one in a process that has not.
 *
 * The two halves usually run in different processes. The one that crashed can be trusted with little: it writes down
 * addresses. Another one, forked from the same program and so with everything at the same addresses, finds out what
 * they mean, from the files of the program and its libraries.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SYMBOLS_H
#define SALP__SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes down where the interrupted code was: its own address first, then the return addresses of its callers, the
 * handler's own frames left out. (Where a caller was itself interrupted by a signal, its address and that of the signal
 * frame stand with one added, so that one less is in the code that ran, as with every return address.)
 * `ucontext` is the third argument of the signal handler, which must have been called by the kernel; it is changed for
 * a moment and left as it was. Needs about 8 KiB of stack.
 * After a call of a bad address the second entry is the caller, if the processor still tells. What cannot be followed
 * (a stack that was overwritten) ends the list: a fault in here is caught, by handlers for SIGSEGV and SIGBUS that are
 * in place during the call.
 * Returns the number of addresses, at least 1 when max is.
 * Threads: any; while one captures, another one gets the first address only. Safe in a signal handler: yes.
 */
int salp__backtrace_capture(void *ucontext, uint64_t *addresses, int max);

/*
 * The same of the calling function's callers, on whatever stack; `addresses` are written so that salp__symbols_describe
 * reads them. Threads: any.
 */
int salp__backtrace_here(uint64_t *addresses, int max);

/* What is known about the code of this process. Threads: one at a time for each. */
typedef struct salp__symbols salp__symbols;

/* Files are read when an address in them is asked for. Owns: *out, until salp__symbols_close. Errors: -ENOMEM;
   -ENOENT libdw is not there. */
int salp__symbols_open(salp__symbols **out);

/*
 * Writes lines "#0 function at file:line (module)" for addresses as captured above, of this process or one with the
 * same modules at the same places:
 *     #0 parse at src/parse.c:120 (program)        debug information
 *     #1 qsort+0x5e (libc.so.6)                    a symbol only
 *     #2 0x7f01d2a0 (libx.so+0x12a0)               neither; the offset is the one that addr2line takes
 *     #3 0x10                                      no module
 * A function that was inlined gets a line of its own above that of the function it was inlined into, so there may be
 * more lines than addresses. The text ends with a NUL and with the last line that fits whole.
 * Returns its length.
 * Debug information is looked for on this machine only, by build ID or debug link; no server is asked.
 * Files are mapped until salp__symbols_close; descriptors (close-on-exec) stay open until then for separate files of
 * debug information alone.
 */
size_t salp__symbols_describe(salp__symbols *symbols, const uint64_t *addresses, int count, char *out, size_t size);

void salp__symbols_close(salp__symbols *symbols); /* accepts NULL */

#endif
