/*
 * A source of C becomes a library that can be loaded.
 *
 *     program      compiler's keeper, a fork of the program
 *     ask  ------> makes a folder, runs the compiler, tells how that went
 *     load         waits for the end of a pipe that the program holds
 *     close -----> removes the folder
 *
 * The folder has to stay while the library is used: who tells where a function has crashed reads lines from it. So that it goes
 * in any case, also when the program is killed, somebody else removes it. That is the keeper, which the terminal's Ctrl-C and
 * SIGTERM do not end; the compiler they do.
 *
 * The compiler is CC of the environment, or the first of cc, gcc and clang that there is. It gets CFLAGS, LDFLAGS and LDLIBS
 * of the environment, too, and finds <salp.h> where it was installed with this command, or where it was built. The library is
 * not linked with Salp: the command that loads it has that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_COMPILE_H
#define CLI_MAP_COMPILE_H

#include <limits.h>
#include <sys/types.h>

/* All zeros: nothing was compiled. */
struct map_compiled {
    char library[PATH_MAX]; /* its file */
    pid_t keeper;
    int held; /* as long as it is open, the folder stays */
};

/*
 * Compiles. Waits until the compiler has ended, which has written to standard error what it has to say. 0, or a negative error,
 * which was told: nothing is left then. Not in a program with threads that hold locks: it forks.
 */
int map_compile(struct map_compiled *compiled, const char *source);

/* Removes the folder. Accepts all zeros, and what was closed. */
void map_compiled_close(struct map_compiled *compiled);

#endif
