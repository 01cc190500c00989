/*
 * What a command's environment is, and where in it a program is looked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ENVIRONMENT_H
#define SALP__ENVIRONMENT_H

/*
 * `base` (NULL: that of this program) with `changes` ("NAME=value" sets, "NAME" takes away; may be NULL). Both end with
 * NULL, and their strings must stay. Returns an array that ends with NULL, which salp__free frees; NULL: no memory.
 */
const char **salp__environment_make(const char *const *base, const char *const *changes);

/*
 * The paths under which a program of this name is tried: itself if it has a slash, else one for each entry of PATH in
 * the environment. Returned as above, with their strings in the same piece of memory.
 */
const char **salp__environment_paths(const char *name, const char *const *environment);

#endif
