/*
 * Libraries that are loaded when somebody needs them for the first time.
 *
 * Most programs never name a function of a backtrace, nor encrypt a stream. If the libraries for that were linked with ours,
 * they and what they need themselves would lie in each program that has it: dozens of mappings, which every fork copies
 * and every execution sets up. So their functions are called by tables, each with a header of its own (os/elfutils.h,
 * stream/openssl.h), which has
 *
 *     a list          SALP__X_EACH(what): what(name) for each function
 *     a table         of each function a pointer of its name and, since it is made with __typeof__, of its type
 *     a call          that loads the library. Before it has succeeded nothing in the table may be called
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LIBRARY_H
#define SALP__LIBRARY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* In static memory. */
typedef struct salp__library {
    const char
        *name; /* of its file, with the version of its interface; the loader looks for it where it does for all */
    bool (*find_all)(void *handle); /* fills the table, by salp__library_find */
    _Atomic bool loaded;            /* release when the table is filled; acquire: it can be used */
} salp__library;

/*
 * Loads it, unless that was done, and for good. Threads: any. A fork by another thread waits until it is done, so that
 * its child has all of it or nothing.
 * Errors: -ENOENT it is not there, lacks a function, or cannot be loaded now; to ask again later may succeed. Then `why`
 * has what the loader says, as much of it as `size` has room for; size may be 0.
 */
int salp__library_load(salp__library *library, char *why, size_t size);

/* Has the pointer at this address point to the function of the name. false: there is none. */
bool salp__library_find(void *handle, const char *name, void *pointer);

#endif
