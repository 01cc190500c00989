/*
 * Catching signals.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SIGNAL_H
#define SALP__SIGNAL_H

enum { SALP__SIGNALS = 65 }; /* their numbers are below this */

/*
 * Calls handler(number) when the signal comes, in any thread, instead of what was done before. Interrupted system calls
 * are begun again where the system can. Errors: -EINVAL: no signal, or one that cannot be caught.
 */
int salp__signal_catch(int number, void (*handler)(int number));

/* Does what was done before salp__signal_catch. */
void salp__signal_restore(int number);

#endif
