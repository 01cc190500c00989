/*
 * Names of network interfaces.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__NAMES_H
#define SALP__NAMES_H

enum { SALP__INTERFACE_NAME = 16 }; /* bytes, with the final zero */

/* The index, above 0; -ENODEV: there is none of this name; -EMFILE, ...: the system could not be asked. */
int salp__interface_index(const char *name);

/* Writes the name. Returns 0 or -ENXIO, -EMFILE, ... */
int salp__interface_name(unsigned index, char name[SALP__INTERFACE_NAME]);

#endif
