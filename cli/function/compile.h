/*
 * A source of C becomes a library that can be loaded.
 *
 * What comes of it lies in a folder of its own, which has to stay while the library is used: who tells where a function has
 * crashed reads lines from it. The folder is made before the guard is entered (map/guard.h), so that whoever is the last one to
 * live removes it, also when the program is killed. The compiler has its temporary files there, too.
 *
 * The compiler is CC of the environment, or the first of cc, gcc and clang that there is. It gets CFLAGS, LDFLAGS and LDLIBS
 * of the environment, and finds <salp.h> where it was installed with this command, or where it was built. The library is
 * not linked with Salp: the command that loads it has that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_FUNCTION_COMPILE_H
#define CLI_FUNCTION_COMPILE_H

#include <limits.h>
#include <stdbool.h>

/* All zeros: there is nothing to compile. */
struct map_compile {
    char folder[PATH_MAX]; /* "": none */
    char library[PATH_MAX];
};

/* Whether the FILE of FILE:NAME is a source: its name ends with ".c". */
bool map_compile_is_for(const char *what);

/* Makes the folder, in TMPDIR or /tmp. A negative error was told. */
int map_compile_open(struct map_compile *compile);

/*
 * Compiles into the folder. Waits until the compiler has ended, which has written to standard error what it has to say, and
 * holds the thread up. Something to read in `line` (map/guard.h; -1: none) ends the compiler: -ECANCELED, and it stays to be read.
 * 0, or another negative error, which was told.
 */
int map_compile_run(const struct map_compile *compile, const char *source, int line);

/* Removes the folder with all that is in it. In any process that has this; again does no harm. */
void map_compile_remove(const struct map_compile *compile);

#endif
