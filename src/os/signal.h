/*
 * Catching signals.
 *
 * Signals belong to the program, so who catches which is a table of the program: one catcher for each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SIGNAL_H
#define SALP__SIGNAL_H

#include <stdbool.h>

enum { SALP__SIGNALS = 65 }; /* their numbers are below this */

/* Who catches signals. Lives with him. */
typedef struct salp__catcher {
    /* In a handler: in any thread, at any moment. */
    void (*came)(struct salp__catcher *catcher, int number);
} salp__catcher;

/*
 * Has catcher->came called when the signal comes, instead of what was done before. Interrupted system calls are begun
 * again where the system can. Forks of the program catch nothing. Errors: -EINVAL: no signal, or one that cannot be caught;
 * -EBUSY: it has a catcher.
 */
int salp__signal_catch(int number, salp__catcher *catcher);

/* Does what was done before, and returns when `came` is called for it no longer, in no thread. Nothing if it is not this one
   who catches it. */
void salp__signal_let_go(int number, salp__catcher *catcher);

/* In a fork that is to be a process of its own: each signal that was caught here does what was done before. */
void salp__signal_give_back_all(void);

#endif
