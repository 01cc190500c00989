/*
 * Libraries that are loaded while the program runs (os/library.h, os/hwloc.h), and forks.
 *
 * A fork copies memory as it is. If another thread is just loading a library then, the child has the half of it: its
 * loader ends the process by an assertion, or takes what was not relocated yet for a library, and a lock of the library's
 * own is never released. So one thread at a time loads, and a fork waits until it has done that: some milliseconds, once or
 * twice in the life of a program.
 *
 * Loads that the program makes itself are its own affair. A constructor of such a library must not fork while
 * another thread loads here: it holds the loader's lock, and each would wait for the other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LOADING_H
#define SALP__LOADING_H

/* No fork from here to the end, and no other thread is between them. Not to be nested. Threads: any. */
void salp__loading_begin(void);
void salp__loading_end(void);

#endif
