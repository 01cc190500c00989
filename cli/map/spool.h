/*
 * The folder in which blocks of --pipe are files and fifos: --cat, --fifo.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_SPOOL_H
#define CLI_MAP_SPOOL_H

#include <limits.h>
#include <stdbool.h>

struct map_spool {
    char folder[PATH_MAX]; /* its absolute path; empty: there is none */
    bool made;
};

/* What it will be called in `where` (NULL: TMPDIR, or /tmp), with XXXXXX for what is not known yet: to be shown. Errors were told. */
int map_spool_name(struct map_spool *spool, const char *where);

/* Makes it. Before a fork. Errors were told. */
int map_spool_make(struct map_spool *spool);

/*
 * Removes it, with what is called like a block: by a number. Whatever else jobs have put there is theirs, and stays, and the
 * folder with it. By the last process that lives (map/guard.h).
 */
void map_spool_remove(const struct map_spool *spool);

#endif
