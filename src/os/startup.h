/*
 * Between the program's constructors and its main.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__STARTUP_H
#define SALP__STARTUP_H

#include <stdbool.h>

/*
 * Whether this program can be executed anew and stopped before main: it is linked dynamically, has no privileges that
 * its user lacks, and this library comes to it at its start, so that the copy will have it too. (A library that was
 * loaded later, by dlopen, would be missing in the copy, and main would run once more.)
 */
bool salp__startup_possible(void);

/*
 * Whether the program is linked statically. What such a one loads brings a second C library with it, whose variables of
 * threads and tables of characters nobody has set up: calls into it may crash.
 */
bool salp__startup_is_static(void);

typedef void salp__constructor(int argc, char **argv, char **environment);

/*
 * Has `function`, which must not return, called after all constructors, instead of main. To be called from a
 * constructor of the library, `self`: when that is itself the last one of the program, the function is called at once.
 * Returns 0 or -ENOTSUP.
 */
int salp__startup_divert(void (*function)(void), salp__constructor *self);

#endif
