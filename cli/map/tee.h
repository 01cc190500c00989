/*
 * All of standard input for each job: --tee.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_TEE_H
#define CLI_MAP_TEE_H

/*
 * Waits, in a task, until all of it is there, if it is no file. `folder`: where it is kept then; NULL: TMPDIR, or /tmp. Returns a
 * descriptor for map_tee_open; an error was told, save for -ECANCELED, -ETIMEDOUT: by the scope.
 */
int map_tee_read(const char *folder);

/* A descriptor for one who reads from the beginning, whatever others have read; or an error. */
int map_tee_open(int fd);

#endif
