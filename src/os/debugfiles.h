/*
 * The files in which symbols and debug information are found: the callbacks that libdwfl asks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__DEBUGFILES_H
#define SALP__DEBUGFILES_H

#include <elfutils/libdwfl.h>

#define SALP__VDSO_NAME "[vdso]"   /* a module of this name is read from memory */
#define SALP__DELETED " (deleted)" /* behind the name of a file that has lost it */

/*
 * Modules have to be reported under the names that /proc/self/maps gives them. Nothing is asked but the file system of
 * this machine: libdwfl's own callbacks ask servers when DEBUGINFOD_URLS is set.
 */
extern const Dwfl_Callbacks salp__debugfiles;

#endif
